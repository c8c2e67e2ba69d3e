import { expect, test } from 'vitest';
import { ImageError } from '../../src/image/error.ts';
import { decodeGlz, decodeGlzWhenReady, readGlzHeader } from '../../src/image/glz.ts';
import { GlzWindow } from '../../src/image/glz-window.ts';
import {
  asReference,
  damaged,
  describeBoth,
  encodedOf,
  faultOf,
  numbers,
  sha256,
  type Vector,
  vectorsOf,
} from './vectors.ts';

const series = new Map<string, Vector[]>();
for (const vector of vectorsOf('glz')) {
  const images = series.get(vector.series!);
  if (images === undefined) series.set(vector.series!, [vector]);
  else images.push(vector);
}

/** A GLZ picture of `width` × 1 pixels of RGB32 with the given data. */
function glz(id: number, winHeadDist: number, width: number, ...data: number[]): Uint8Array {
  const bytes = new Uint8Array(33 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x20205a4c);
  view.setUint32(4, 0x10001);
  view.setUint8(8, 0x18);
  view.setUint32(9, width);
  view.setUint32(13, 1);
  view.setUint32(17, width * 4);
  view.setBigUint64(21, BigInt(id));
  view.setUint32(29, winHeadDist);
  bytes.set(data, 33);
  return bytes;
}
/** One pixel, repeated. */
const run = (width: number) => [0, 1, 2, 3, ((width - 1) << 5) | 0, 0, 0];
/** All `width` pixels of the picture `dist` before. */
const copy = (width: number, dist: number) => [width << 5, 0, dist];

/** Pixels that belong to the caller, and such as hold until the next picture, which lie in the window's own memory. */
const ways = [{}, { lend: true }];

describeBoth('GLZ decoder', () => {
  test.each([...series.keys()].flatMap((name) => ways.map((way) => [name, way] as const)))(
    'series %s, in order, %o',
    (name, way) => {
      const images = series.get(name)!;
      const window = new GlzWindow({ pixels: images[0]!.windowPixels! });
      for (const vector of images) {
        const header = readGlzHeader(encodedOf(vector));
        expect([header.id, header.winHeadDist, header.topDown]).toEqual([
          vector.glzId,
          vector.winHeadDist,
          vector.topDown,
        ]);
        const { pixels, missing } = decodeGlz(window, encodedOf(vector), vector, way);
        expect(missing).toBeUndefined();
        expect(pixels.alpha).toBe(vector.type === 'rgba');
        expect(sha256(asReference(vector, pixels.data))).toBe(vector.decodedSha256);
        expect(window.pixels).toBeLessThanOrEqual(vector.windowPixels!);
        expect(window.size).toBe(vector.winHeadDist! + 1);
      }
    },
  );

  test.each([...series.keys()].flatMap((name) => ways.map((way) => [name, way] as const)))(
    'series %s, arriving in any order, %o',
    async (name, way) => {
      const images = series.get(name)!;
      for (let seed = 1; seed <= 8; seed++) {
        const random = numbers(seed);
        const shuffled = images.map((vector) => ({ vector, key: random(1000) })).sort((a, b) => a.key - b.key);
        const window = new GlzWindow({ pixels: images[0]!.windowPixels! });
        const decoded = await Promise.all(
          shuffled.map(({ vector }) => {
            const bytes = encodedOf(vector);
            const pixels = decodeGlzWhenReady(window, bytes, vector, way);
            bytes.fill(0); // a frame buffer that is used again
            return pixels.then(({ data }) => sha256(asReference(vector, data)));
          }),
        );
        expect(decoded).toEqual(shuffled.map(({ vector }) => vector.decodedSha256));
        expect(window.size).toBe(images.at(-1)!.winHeadDist! + 1);
      }
    },
  );

  test('says which picture is missing, and goes on when it is there', () => {
    const window = new GlzWindow({ pixels: 1000 });
    const size = { width: 4, height: 1 };
    const third = decodeGlz(window, glz(2, 2, 4, 1, 9, 9, 9, 8, 8, 8, ...copy(1, 1), ...copy(1, 2)), size);
    expect(third.missing).toBe(1);
    expect(() => third.pixels).toThrow(ImageError);
    third.resume();
    expect(third.missing).toBe(1);
    const second = decodeGlz(window, glz(1, 1, 4, ...copy(4, 1)), size);
    expect(second.missing).toBe(0);
    const first = decodeGlz(window, glz(0, 0, 4, ...run(4)), size);
    expect(first.missing).toBeUndefined();
    second.resume();
    expect(second.missing).toBeUndefined();
    third.resume();
    expect(third.missing).toBeUndefined();
    expect([...new Uint32Array(third.pixels.data.buffer)]).toEqual([0x090909, 0x080808, 0x030201, 0x030201]);
    expect([...new Uint32Array(second.pixels.data.buffer)]).toEqual(new Array(4).fill(0x030201));
    expect(window.size).toBe(3);
  });

  test('a caller with a target has pixels of its own', () => {
    const window = new GlzWindow({ pixels: 1000 });
    const target = new Uint8Array(16);
    const { pixels } = decodeGlz(window, glz(0, 0, 4, ...run(4)), { width: 4, height: 1 }, { target });
    expect(pixels.data.buffer).toBe(target.buffer);
    target.fill(0);
    expect([...window.words(0)!]).toEqual(new Array(4).fill(0x030201));
  });

  test('the window lets go what the head of the last complete run of pictures allows', () => {
    const window = new GlzWindow({ pixels: 1000 });
    const size = { width: 4, height: 1 };
    for (const id of [0, 1, 2]) decodeGlz(window, glz(id, id, 4, ...run(4)), size);
    decodeGlz(window, glz(5, 2, 4, ...run(4)), size); // 3 and 4 are still under way on another channel
    expect([0, 1, 2, 5].every((id) => window.has(id))).toBe(true);
    decodeGlz(window, glz(3, 3, 4, ...copy(4, 3)), size);
    expect(window.has(0)).toBe(true);
    decodeGlz(window, glz(4, 3, 4, ...run(4)), size);
    expect([0, 1, 2, 3, 4, 5].map((id) => window.has(id))).toEqual([false, false, false, true, true, true]);
    expect(window.pixels).toBe(12);
  });

  test('clearing the window ends the waiting and starts the numbers again', async () => {
    const window = new GlzWindow({ pixels: 1000 });
    const size = { width: 4, height: 1 };
    const waiting = decodeGlzWhenReady(window, glz(3, 2, 4, ...copy(4, 2)), size);
    decodeGlz(window, glz(0, 0, 4, ...run(4)), size);
    window.clear();
    await expect(waiting).rejects.toMatchObject({ code: 'image.window' });
    expect([window.size, window.pixels, window.has(0)]).toEqual([0, 0, false]);
    expect(decodeGlz(window, glz(0, 0, 4, ...run(4)), size).missing).toBeUndefined();
  });
});

describeBoth('GLZ decoder, hostile input', () => {
  const size = { width: 4, height: 1 };
  const ready = (way = {}) => {
    const window = new GlzWindow({ pixels: 1000 });
    for (const id of [0, 1]) decodeGlz(window, glz(id, id, 4, ...run(4)), size, way);
    return window;
  };
  const fault = (bytes: Uint8Array, declared = size) => faultOf(() => decodeGlz(ready(), bytes, declared));

  test.each(ways)('names the fault, %o', (way) => {
    const fault = (bytes: Uint8Array, declared = size) => faultOf(() => decodeGlz(ready(way), bytes, declared, way));
    expect(fault(glz(2, 2, 4, ...copy(4, 2)))).toBe('none');
    expect(fault(glz(2, 1, 4, ...copy(4, 2)))).toBe('reference'); // beyond the window head
    expect(fault(glz(2, 2, 4, 4 << 5, 1, 2))).toBe('reference'); // beyond the end of the other picture
    expect(fault(glz(2, 2, 4, 0, 1, 2, 3, 3 << 5, 1, 0))).toBe('reference'); // before this picture
    expect(fault(glz(2, 3, 4, ...run(4)))).toBe('reference');
    expect(fault(glz(1, 1, 4, ...run(4)))).toBe('data');
    expect(fault(glz(2, 2, 4, ...copy(5, 2)))).toBe('overrun');
    expect(fault(glz(2, 2, 4, ...run(5)))).toBe('overrun');
    expect(fault(glz(2, 2, 4, ...run(4)), { width: 2, height: 2 })).toBe('size');
    expect(fault(glz(2, 2, 4, 4 << 5, 0, 0xc0, 0, 0))).toBe('truncated');
    expect(fault(glz(2, 2, 4, (4 << 5) | 16, 0, 0x20))).toBe('truncated');
    expect(fault(glz(2 ** 53, 2, 4, ...run(4)))).toBe('data');
    const palette = glz(2, 2, 4, ...run(4));
    palette[8] = 0x15;
    expect(fault(palette)).toBe('type');
  });

  test('a picture that has left the window is not waited for', async () => {
    const window = ready();
    decodeGlz(window, glz(2, 0, 4, ...run(4)), size);
    expect(window.has(1)).toBe(false);
    expect(faultOf(() => decodeGlz(window, glz(3, 3, 4, ...copy(4, 2)), size))).toBe('window');
    expect(faultOf(() => decodeGlz(window, glz(1, 1, 4, ...run(4)), size))).toBe('window');
    await expect(window.arrival(0)).rejects.toBeInstanceOf(ImageError);
  });

  test('what a window holds stays bounded when the peer never moves its head', () => {
    const window = new GlzWindow({ pixels: 100 });
    for (let id = 0; id < 500; id++) {
      decodeGlz(window, glz(id, id, 4, ...run(4)), size);
      expect(window.pixels).toBeLessThanOrEqual(200);
    }
    const far = new GlzWindow({ pixels: 100 });
    for (let id = 0; id < 500; id++) {
      decodeGlz(far, glz(1e15 + id * 7, 3, 4, ...run(4)), size);
      expect(far.pixels).toBeLessThanOrEqual(200);
    }
  });

  test('damaged vectors give the same from the memory of the window, which lets nothing of them stay', () => {
    let seed = 1;
    let same = 0;
    for (const images of series.values()) {
      const windowOf = (way: object, before: number) => {
        const window = new GlzWindow({ pixels: images[0]!.windowPixels! });
        for (const vector of images.slice(0, before)) decodeGlz(window, encodedOf(vector), vector, way);
        return window;
      };
      for (const [i, vector] of images.entries()) {
        const [owned, lent] = ways.map((way) => windowOf(way, i));
        for (const bytes of damaged(encodedOf(vector), seed++, 3, 6)) {
          const outcome = (window: GlzWindow, way: object) => {
            let outcome = '';
            const fault = faultOf(() => {
              const { missing, pixels } = decodeGlz(window, bytes, vector, way);
              outcome = missing === undefined ? sha256(pixels.data) : `missing ${missing}`;
            });
            return fault === 'none' ? outcome : fault;
          };
          const [one, other] = [outcome(owned!, ways[0]!), outcome(lent!, ways[1]!)];
          expect(other).toBe(one);
          same++;
        }
        // The picture itself, unless something else came with its number.
        if (owned!.has(vector.glzId!)) continue;
        const { pixels } = decodeGlz(lent!, encodedOf(vector), vector, ways[1]);
        if (lent!.size === vector.winHeadDist! + 1) {
          expect(sha256(asReference(vector, pixels.data))).toBe(vector.decodedSha256);
        }
      }
    }
    expect(same).toBeGreaterThan(300);
  });

  test('damaged vectors decode to something, wait, or end in ImageError', () => {
    let refused = 0;
    let seed = 1;
    for (const images of series.values()) {
      const window = new GlzWindow({ pixels: images[0]!.windowPixels! });
      for (const vector of images) {
        for (const bytes of damaged(encodedOf(vector), seed++, 12, 30)) {
          // Into a copy of the window as it is before this picture, so that the damage stays with the picture.
          const copied = new GlzWindow({ pixels: vector.windowPixels! });
          for (let id = 0; id < vector.glzId!; id++) {
            if (window.has(id)) copied.add(id, window.words(id)!, 0);
          }
          const fault = faultOf(() => decodeGlz(copied, bytes, vector));
          if (fault !== 'none') refused++;
        }
        decodeGlz(window, encodedOf(vector), vector);
      }
    }
    expect(refused).toBeGreaterThan(600);
  });

  test('a few bytes that claim a vast picture are refused before memory is taken', () => {
    const before = process.memoryUsage().arrayBuffers;
    const bomb = glz(0, 0, 0xffff, 0, 1, 2, 3, 0xe0, 255, 255, 0, 0, 0);
    for (let i = 0; i < 50; i++) expect(fault(bomb, { width: 0xffff, height: 1 })).toBe('truncated');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1 << 20);
  });
});

test('the room of pictures that are refused is had by others', () => {
  const size = { width: 2_000, height: 1 };
  const window = new GlzWindow({ pixels: 100_000 });
  const whole = (id: number) =>
    glz(id, 0, 2_000, 0, 1, 2, 3, 0xe0, ...new Array(7).fill(255), 2_000 - 8 - 7 * 255, 0, 0);
  const first = decodeGlz(window, whole(0), size, { lend: true }).pixels.data;
  // As long as the memory has room for, were it not given back.
  for (let i = 0; i < 5_000; i++) {
    const cut = whole(1).slice(0, -1);
    expect(faultOf(() => decodeGlz(window, cut, size, { lend: true }))).toBe('truncated');
  }
  const last = decodeGlz(window, whole(1), size, { lend: true }).pixels.data;
  expect([last.buffer, last.byteOffset]).toEqual([first.buffer, first.byteOffset]);
});

test('memory of a picture is used again only if it was lent', () => {
  const size = { width: 200, height: 100 };
  const count = size.width * size.height;
  /** A picture of one colour that points into none. */
  const picture = (id: number, color: number) => {
    const bytes = glz(id, 0, size.width, 0, color, 0, 0, (7 << 5) | 0);
    const runs: number[] = [];
    let left = count - 1 - 7;
    for (; left >= 255; left -= 255) runs.push(255);
    const whole = new Uint8Array(bytes.length + runs.length + 3);
    whole.set(bytes);
    whole.set([...runs, left, 0, 0], bytes.length);
    new DataView(whole.buffer).setUint32(13, size.height);
    return whole;
  };
  const window = new GlzWindow({ pixels: 1 << 20 });
  const owned = decodeGlz(window, picture(0, 1), size).pixels;
  const lent = decodeGlz(window, picture(1, 2), size, { lend: true }).pixels;
  const target = new Uint8Array(count * 4);
  expect(decodeGlz(window, picture(2, 3), size, { target }).pixels.data[0]).toBe(3);
  const again = decodeGlz(window, picture(3, 4), size, { lend: true }).pixels;
  expect([again.data.buffer, again.data.byteOffset]).toEqual([lent.data.buffer, lent.data.byteOffset]);
  const later = decodeGlz(window, picture(4, 5), size).pixels;
  decodeGlz(window, picture(5, 6), size, { lend: true });
  decodeGlz(window, picture(6, 7), size, { lend: true });
  expect([owned, later].map(({ data }) => new Set(new Uint32Array(data.buffer)))).toEqual([new Set([1]), new Set([5])]);
  // What was kept elsewhere is never written over.
  const { pictures } = window.state();
  decodeGlz(window, picture(7, 8), size, { lend: true });
  decodeGlz(window, picture(8, 9), size, { lend: true });
  decodeGlz(window, picture(9, 10), size, { lend: true });
  expect(pictures.map(({ id, words }) => [id, new Set(words)])).toEqual([[6, new Set([7])]]);
});
