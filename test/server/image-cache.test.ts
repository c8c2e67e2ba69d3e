/** What a client keeps of its pictures, as the server counts it. */
import { describe, expect, it } from 'vitest';
import { contentKey, ImageCache } from '../../src/server/image-cache.ts';
import { xorshift } from '../bench/image-pictures.ts';

describe('pictures that a client keeps', () => {
  it('are those that came twice', () => {
    const cache = new ImageCache(1_000);
    expect([cache.wants('a', 100), cache.find('a'), cache.wants('a', 100)]).toEqual([false, undefined, true]);
    expect(cache.keep('a', 1n, 100)).toEqual([]);
    expect(cache.find('a')).toBe(1n);
    expect([cache.wants('big', 251), cache.wants('big', 251)]).toEqual([false, false]);
  });

  it('give way to others, the one that was used longest ago first, and never take more room than there is', () => {
    const cache = new ImageCache(1_000);
    for (let i = 0; i < 5; i++) expect(cache.keep(`${i}`, BigInt(i), 200)).toEqual([]);
    cache.find('0');
    expect(cache.keep('5', 5n, 250)).toEqual([1n, 2n]);
    expect(['0', '1', '2', '3', '4', '5'].map((key) => cache.find(key) !== undefined)).toEqual([
      true,
      false,
      false,
      true,
      true,
      true,
    ]);
    expect(cache.keep('6', 6n, 150)).toEqual([]);
    expect(cache.keep('7', 7n, 1)).toEqual([0n]);
  });

  it('are none where a client offers no room', () => {
    const cache = new ImageCache(0);
    expect([cache.wants('a', 1), cache.wants('a', 1)]).toEqual([false, false]);
  });
});

describe('the key of a picture', () => {
  const words = new Uint32Array(64 * 64);
  const random = xorshift(1);
  for (let i = 0; i < words.length; i++) words[i] = random() & 0xffffff;
  const key = (from: Uint32Array, start = 0, width = 16, height = 16) => contentKey(from, start, 64, width, height);

  it('is that of its pixels, wherever they stand', () => {
    const moved = new Uint32Array(64 * 64);
    for (let y = 0; y < 16; y++) moved.set(words.subarray(y * 64, y * 64 + 16), (y + 7) * 64 + 5);
    expect(key(moved, 7 * 64 + 5)).toBe(key(words));
  });

  it('is another for every other picture', () => {
    const keys = new Set([key(words), key(words, 0, 16, 15), key(words, 0, 15, 16), key(words, 1)]);
    for (let i = 0; i < 16; i++) {
      for (let bit = 0; bit < 24; bit++) {
        const changed = words.slice();
        changed[i * 64 + ((i * 5) & 15)]! ^= 1 << bit;
        keys.add(key(changed));
      }
    }
    // Two pixels that have changed places, and flat pictures of different colours.
    const swapped = words.slice();
    [swapped[3], swapped[4]] = [swapped[4]!, swapped[3]!];
    keys.add(key(swapped));
    for (let color = 0; color < 512; color++) keys.add(key(new Uint32Array(64 * 64).fill(color * 0x111)));
    expect(keys.size).toBe(4 + 16 * 24 + 1 + 512);
  });
});
