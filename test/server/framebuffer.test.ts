/** What a drawing changes, and what has only moved. */
import { describe, expect, it } from 'vitest';
import { uniformColor } from '../../src/server/drawable.ts';
import { Framebuffer } from '../../src/server/framebuffer.ts';
import { xorshift } from '../bench/image-pictures.ts';

const all = (screen: Framebuffer) => ({ left: 0, top: 0, right: screen.width, bottom: screen.height });

/** A screen in which every row has pixels of its own. */
function scribbled(width: number, height: number): Framebuffer {
  const screen = new Framebuffer(width, height);
  const random = xorshift(3);
  for (let i = 0; i < screen.words.length; i++) screen.words[i] = random() & 0xffffff;
  return screen;
}

describe('drawing', () => {
  it('says which few rectangles it has changed, and counts the unused byte for nothing', () => {
    const screen = new Framebuffer(100, 100);
    const source = new Uint32Array(100 * 100).fill(0xff000000);
    expect(screen.draw(all(screen), source, 0, 100)).toEqual([]);
    for (const [x, y] of [
      [10, 5],
      [20, 7],
      [90, 60],
    ]) {
      source[y! * 100 + x!] = 0x80123456;
    }
    expect(screen.draw(all(screen), source, 0, 100)).toEqual([
      { left: 10, top: 5, right: 21, bottom: 8 },
      { left: 90, top: 60, right: 91, bottom: 61 },
    ]);
    expect(screen.words[60 * 100 + 90]! & 0xffffff).toBe(0x123456);
    expect(screen.draw(all(screen), source, 0, 100)).toEqual([]);
  });

  it('takes rows from anywhere in the source', () => {
    const screen = new Framebuffer(4, 4);
    const source = Uint32Array.from({ length: 25 }, (_, i) => i);
    expect(screen.draw({ left: 1, top: 1, right: 3, bottom: 3 }, source, 6, 5)).toEqual([
      { left: 1, top: 1, right: 3, bottom: 3 },
    ]);
    expect([...screen.words]).toEqual([0, 0, 0, 0, 0, 6, 7, 0, 0, 11, 12, 0, 0, 0, 0, 0]);
  });
});

describe('copying', () => {
  it.each([
    [1, 1],
    [-1, 1],
    [0, 2],
    [2, 0],
    [-2, 0],
    [0, -2],
    [1, -1],
  ])('by %i, %i moves pixels that overlap', (dx, dy) => {
    const screen = scribbled(8, 8);
    const before = screen.words.slice();
    screen.copy({ left: 2 + dx, top: 2 + dy, right: 6 + dx, bottom: 6 + dy }, { x: 2, y: 2 });
    for (let y = 0; y < 4; y++) {
      for (let x = 0; x < 4; x++) {
        expect(screen.words[(2 + dy + y) * 8 + 2 + dx + x]).toBe(before[(2 + y) * 8 + 2 + x]);
      }
    }
  });
});

describe('scrolling', () => {
  const scroll = (by: number, width = 64, height = 120) => {
    const screen = scribbled(width, height);
    const next = scribbled(width, height).words.slice();
    const random = xorshift(99);
    for (let i = 0; i < next.length; i++) {
      const from = i + by * width;
      next[i] = from >= 0 && from < next.length ? screen.words[from]! : random() & 0xffffff;
    }
    return { screen, next };
  };

  it.each([7, -7, 40, -1])('by %i rows is found', (by) => {
    const { screen, next } = scroll(by);
    const found = screen.scrolled(all(screen), next, 0, 64)!;
    expect(found.from.y - found.area.top).toBe(by);
    expect(found.area.bottom - found.area.top).toBe(120 - Math.abs(by));
    screen.copy(found.area, found.from);
    const left = screen.draw(all(screen), next, 0, 64);
    expect(left.reduce((rows, { top, bottom }) => rows + bottom - top, 0)).toBe(Math.abs(by));
    expect(screen.words).toEqual(next);
  });

  it('is not seen in what stands, what is of one colour, what is small, and what is another picture', () => {
    const screen = scribbled(64, 120);
    expect(screen.scrolled(all(screen), screen.words.slice(), 0, 64)).toBeUndefined();
    expect(new Framebuffer(64, 120).scrolled(all(screen), new Uint32Array(64 * 120).fill(5), 0, 64)).toBeUndefined();
    const { screen: low, next } = scroll(3, 64, 40);
    expect(low.scrolled(all(low), next, 0, 64)).toBeUndefined();
    const other = Uint32Array.from(screen.words, (word) => word ^ 0x010101);
    expect(screen.scrolled(all(screen), other, 0, 64)).toBeUndefined();
  });

  it('is looked for again after a while, when there was none for long', () => {
    const { screen, next } = scroll(5);
    const other = Uint32Array.from(screen.words, (word) => word ^ 0x010101);
    for (let i = 0; i < 50; i++) screen.scrolled(all(screen), other, 0, 64);
    let tries = 0;
    while (screen.scrolled(all(screen), next, 0, 64) === undefined) expect(++tries).toBeLessThan(10);
  });
});

it('one colour is known from several', () => {
  const screen = new Framebuffer(10, 10);
  const color = (left: number, top: number, right: number, bottom: number) =>
    uniformColor(screen.place({ left, top, right, bottom }), right - left, bottom - top);
  screen.fill({ left: 2, top: 2, right: 8, bottom: 8 }, 0x123456);
  expect(color(2, 2, 8, 8)).toBe(0x123456);
  expect(color(1, 2, 8, 8)).toBeUndefined();
  screen.words[55] = 1;
  expect(color(2, 2, 8, 8)).toBeUndefined();
});
