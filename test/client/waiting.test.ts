/** Order and waiting: pictures that come late, from other displays or from a library that is still loading. */
import { describe, expect, it } from 'vitest';
import { Caches } from '../../src/client/caches.ts';
import type { Screen } from '../../src/client/screen.ts';
import { GlzDictionary } from '../../src/image/glz-encode.ts';
import { type JpegCodec, loadJpeg } from '../../src/image/jpeg.ts';
import { LzType } from '../../src/image/lz.ts';
import { copy, create, draw, fill, noMask, rect, screenOf, seen, words } from './pictures-support.ts';

const [R, G, B] = [0xff0000, 0x00ff00, 0x0000ff];
const cached = (id: bigint, type = 'from_cache') => ({ id, type, flags: 0, width: 1, height: 1 });

/** Two displays of one session, each with a primary surface of that size. */
function pair(width: number, height: number, options = {}): [Screen, Screen, Caches] {
  const caches = new Caches();
  const screens = [0, 1].map(() => screenOf(width, height, 32, { caches, ...options })) as [Screen, Screen];
  return [...screens, caches];
}

describe('a picture that another display brings', () => {
  it('holds up what comes after it, and nothing else', async () => {
    const [one, two] = pair(2, 1);
    const pattern = words([[B]]);
    copy(one, cached(5n), 0, 0);
    fill(one, rect(1, 0, 2, 1), R);
    draw(one, 'draw_fill', rect(0, 0, 1, 1), {
      brush: { type: 'pattern', pat: pattern, pos: { x: 0, y: 0 } },
      ropDescriptor: 16,
      mask: noMask,
    });
    pattern.data.fill(0xee); // A message's bytes are gone when it was taken.
    expect(seen(one)).toEqual([[0, 0]]);
    expect(one.pending).toBe(3);
    fill(two, rect(0, 0, 2, 1), B);
    copy(two, words([[G]], { id: 5n, flags: 1 }), 0, 0);
    await one.settled();
    expect(one.pending).toBe(0);
    expect(seen(one)).toEqual([[G | B, R]]);
    expect(seen(two)).toEqual([[G, B]]);
    expect(one.undrawn.size + two.undrawn.size).toBe(0);
  });

  it('is waited for in its lossless form, if that is asked for', async () => {
    const [one, two, caches] = pair(1, 1);
    caches.images.put(5n, { format: 'x888', width: 1, height: 1, px: Uint32Array.of(B) }, true);
    copy(two, cached(5n), 0, 0);
    expect(seen(two)).toEqual([[B]]);
    copy(one, cached(5n, 'from_cache_lossless'), 0, 0);
    expect(one.pending).toBe(1);
    copy(two, words([[G]], { id: 5n, flags: 4 }), 0, 0);
    await one.settled();
    expect(seen(one)).toEqual([[G]]);
  });

  it('is not waited for when nobody is left who could bring it', async () => {
    const [one, two] = pair(1, 1);
    copy(one, cached(5n), 0, 0);
    expect(one.pending).toBe(1);
    copy(two, cached(6n), 0, 0);
    expect(two.pending).toBe(0);
    expect([...two.undrawn]).toEqual([['draw_copy: a picture that is not in the cache', 1]]);
    fill(one, rect(0, 0, 1, 1), R);
    two.close();
    await one.settled();
    expect(seen(one)).toEqual([[R]]);
    expect([...one.undrawn]).toEqual([['draw_copy: a picture that did not come', 1]]);
  });

  it('is given up when too much has queued up behind it', async () => {
    const [one] = pair(8, 1, { queueBytes: 10_000 });
    copy(one, cached(5n), 0, 0);
    for (let i = 0; i < 200; i++) fill(one, rect(i % 8, 0, (i % 8) + 1, 1), i);
    await one.settled();
    expect(seen(one)).toEqual([[192, 193, 194, 195, 196, 197, 198, 199]]);
    expect([...one.undrawn]).toEqual([['draw_copy: a picture that did not come', 1]]);
  });

  it('does not appear after a hand-over that forgot it', async () => {
    const [one, two, caches] = pair(1, 1);
    copy(one, cached(5n), 0, 0);
    fill(one, rect(0, 0, 1, 1), R);
    one.reset('primary');
    caches.clear();
    expect(one.pending).toBe(0);
    copy(two, words([[G]], { id: 5n, flags: 1 }), 0, 0);
    await one.settled();
    expect(seen(one)).toEqual([[0]]);
    fill(one, rect(0, 0, 1, 1), B);
    expect(seen(one)).toEqual([[B]]);
  });
});

describe('a GLZ picture that leans on one of another display', () => {
  it('waits for it', async () => {
    const [one, two] = pair(64, 64);
    const source = { width: 64, height: 64, data: new Uint8Array(64 * 64 * 4) };
    let state = 1;
    for (let i = 0; i < source.data.length; i++) {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      source.data[i] = i % 4 === 3 ? 0 : state >>> 16;
    }
    const dictionary = new GlzDictionary({ pixels: 64 * 64 * 4 });
    const pictures = [0, 1].map(() => dictionary.encode(source, LzType.RGB32));
    // The second is little but a reference to the first.
    expect(pictures[1]!.length).toBeLessThan(pictures[0]!.length / 10);
    const image = (i: number) => ({ id: 9n, type: 'glz_rgb', flags: 0, width: 64, height: 64, data: pictures[i]! });
    copy(two, image(1), 0, 0);
    fill(two, rect(0, 0, 1, 1), R);
    expect(two.pending).toBe(2);
    copy(one, image(0), 0, 0);
    await two.settled();
    const expected = seen(one);
    expect(expected.flat().some((color) => color !== 0)).toBe(true);
    expected[0]![0] = R;
    expect(seen(two)).toEqual(expected);
  });
});

describe('waiting for channels', () => {
  it('holds up the clearing of the cache and what follows', async () => {
    let go = () => {};
    const asked: unknown[] = [];
    const waitFor = (list: unknown) => {
      asked.push(list);
      return new Promise<void>((resolve) => {
        go = resolve;
      });
    };
    const screen = screenOf(1, 1, 32, { waitFor });
    copy(screen, words([[R]], { id: 5n, flags: 1 }), 0, 0);
    screen.apply({ type: 'msg.inval_all_pixmaps', body: { waitList: [{ type: 2, id: 1, serial: 7n }] } });
    fill(screen, rect(0, 0, 1, 1), B);
    expect(seen(screen)).toEqual([[R]]);
    expect(screen.caches.images.size).toBe(1);
    go();
    await screen.settled();
    expect(asked).toEqual([[{ type: 2, id: 1, serial: 7n }]]);
    expect(seen(screen)).toEqual([[B]]);
    expect(screen.caches.images.size).toBe(0);
  });
});

describe('JPEG', () => {
  it('is drawn in its turn though the library must be loaded first', async () => {
    const codec = await loadJpeg();
    const data = codec.encode(grey(16, 16, 200), { quality: 95 });
    const image = { id: 1n, type: 'jpeg', flags: 1, width: 16, height: 16, data };
    const screen = screenOf(17, 16, 32, { caches: new Caches() });
    copy(screen, image, 0, 0);
    fill(screen, rect(0, 0, 1, 1), R);
    fill(screen, rect(16, 0, 17, 1), G);
    expect(screen.pending).toBe(3);
    await screen.settled();
    const got = seen(screen);
    expect([got[0]![0], got[0]![16]]).toEqual([R, G]);
    expect(Math.abs((got[5]![5]! & 255) - 200)).toBeLessThanOrEqual(2);
    expect(screen.caches.images.get(1n, true)).toBeUndefined();
    expect(screen.caches.images.get(1n, false)).toBeDefined();
  });

  it('that cannot be had is counted, and the next try loads again', async () => {
    let tries = 0;
    const load = async (): Promise<JpegCodec> => {
      if (++tries === 1) throw new Error('no library');
      return loadJpeg();
    };
    const codec = await loadJpeg();
    const data = codec.encode(grey(16, 16, 90), { quality: 90 });
    const screen = screenOf(16, 16, 32, { caches: new Caches({}, load) });
    const image = { id: 1n, type: 'jpeg', flags: 0, width: 16, height: 16, data };
    copy(screen, image, 0, 0);
    await screen.settled();
    expect([...screen.undrawn]).toEqual([['draw_copy: no library', 1]]);
    copy(screen, image, 0, 0);
    await screen.settled();
    expect(tries).toBe(2);
    expect(Math.abs((seen(screen)[4]![4]! & 255) - 90)).toBeLessThanOrEqual(2);
  });
});

describe('a closed screen', () => {
  it('takes nothing and shows nothing', () => {
    const screen = screenOf(1, 1);
    let completed = false;
    screen.dirty.subscribe({ complete: () => (completed = true) });
    screen.close();
    screen.apply(create(0, 1, 1, 32, 1));
    expect(screen.primary()).toBeUndefined();
    expect(completed).toBe(true);
    screen.close();
  });
});

function grey(width: number, height: number, level: number) {
  return { width, height, data: new Uint8Array(width * height * 4).fill(level) };
}
