/**
 * What one client keeps of the pictures that it was sent, as its server counts it (spec §2.4, pixmap cache). Pictures are known
 * by their content. One is kept when it comes for the second time, so that moving pictures drive nothing out.
 * INVARIANT: the client never keeps more pixels than it offered, as long as it does what `keep` says.
 */

/** A picture's size and content: equal for equal pixels, and, in all likelihood, for no others. */
export type ContentKey = string;

/** However much a client offers: more is not counted here. */
const mostPixels = 1 << 25;

/** Pictures that were seen once and are remembered by their key. */
const mostSeen = 2_048;

interface Kept {
  readonly id: bigint;
  readonly pixels: number;
}

export class ImageCache {
  private room: number;
  private readonly limit: number;
  /** The one that was used last stands last. */
  private readonly kept = new Map<ContentKey, Kept>();
  private readonly seen = new Set<ContentKey>();

  /** `pixels`: what the client offered. */
  constructor(pixels: number) {
    this.limit = Math.min(pixels, mostPixels);
    this.room = this.limit;
  }

  /** The id of a picture that the client keeps. */
  find(key: ContentKey): bigint | undefined {
    const kept = this.kept.get(key);
    if (kept === undefined) return undefined;
    this.kept.delete(key);
    this.kept.set(key, kept);
    return kept.id;
  }

  /** Whether a picture is worth keeping: one with this key has come before. A key of a part of it will do. */
  wants(key: ContentKey, pixels: number): boolean {
    if (pixels > this.limit / 4) return false;
    if (this.seen.delete(key)) {
      this.seen.add(key);
      return true;
    }
    this.seen.add(key);
    if (this.seen.size > mostSeen) this.seen.delete(this.seen.values().next().value!);
    return false;
  }

  /** The client is told to keep this one, after it was told to drop those whose ids are returned. */
  keep(key: ContentKey, id: bigint, pixels: number): bigint[] {
    const dropped: bigint[] = [];
    this.room -= pixels;
    for (const [oldest, kept] of this.kept) {
      if (this.room >= 0) break;
      this.kept.delete(oldest);
      this.room += kept.pixels;
      dropped.push(kept.id);
    }
    this.kept.set(key, { id, pixels });
    return dropped;
  }
}

/** The key of `width` by `height` words that begin at `start`, with `stride` words from row to row. */
export function contentKey(
  words: Uint32Array,
  start: number,
  stride: number,
  width: number,
  height: number,
): ContentKey {
  // Four sums that mix every word in its own way: 128 bits, so that equal ones of unequal pictures do not happen.
  let [a, b, c, d] = [width, height, 0x2545f491, 0x9e3779b9 | 0];
  for (let y = 0; y < height; y++) {
    for (let i = start + y * stride, end = i + width; i < end; i++) {
      const word = words[i]!;
      a = Math.imul(a ^ word, 0x01000193);
      b = Math.imul(b + word, 0x85ebca6b) ^ (b >>> 13);
      c = Math.imul((c << 7) | (c >>> 25), 0x27d4eb2f) + word;
      d = (Math.imul(d ^ (word >>> 3), 0xc2b2ae35) + (word << 9)) ^ (d >>> 15);
    }
  }
  return `${width}x${height}:${a >>> 0}:${b >>> 0}:${c >>> 0}:${d >>> 0}`;
}
