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

/** The key of `width` by `height` words that begin at `start`, with `stride` words from row to row; their upper byte means nothing. */
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
      const word = words[i]! & 0xffffff;
      a = Math.imul(a ^ word, 0x01000193);
      b = Math.imul(b + word, 0x85ebca6b) ^ (b >>> 13);
      c = Math.imul((c << 7) | (c >>> 25), 0x27d4eb2f) + word;
      d = (Math.imul(d ^ (word >>> 3), 0xc2b2ae35) + (word << 9)) ^ (d >>> 15);
    }
  }
  return `${width}x${height}:${a >>> 0}:${b >>> 0}:${c >>> 0}:${d >>> 0}`;
}

/** Places of a picture that are looked at, and pixels of each. */
const [sampledRows, sampledColumns] = [24, 64];

/** A key of a few of the pixels, a piece of one row in so many, each further right: it tells most pictures apart. */
export function sampleKey(
  words: Uint32Array,
  start: number,
  stride: number,
  width: number,
  height: number,
): ContentKey {
  const columns = Math.min(width, sampledColumns);
  const rows = Math.min(height, sampledRows);
  const pieces = new Uint32Array(columns * rows);
  for (let i = 0; i < rows; i++) {
    const y = Math.floor((i * height) / rows);
    const x = Math.floor(((i * 7) % rows) * ((width - columns) / rows));
    const from = start + y * stride + x;
    for (let j = 0; j < columns; j++) pieces[i * columns + j] = words[from + j]!;
  }
  return `${width}x${height}/${contentKey(pieces, 0, columns, columns, rows)}`;
}

/** Pixels of a picture for which looking through all of them in vain is no matter. */
const cheap = 1 << 14;
const mostRested = 64;

/** Whether large pictures are looked for at all: less often where that was in vain many times in a row. */
export class Fruitless {
  private inVain = 0;
  private rest = 0;

  /** Whether one of so many pixels is not to be looked for now. */
  rests(pixels: number): boolean {
    if (pixels < cheap || this.rest === 0) return false;
    this.rest--;
    return true;
  }

  /** All of one was looked at, and it was none that the client could know. */
  wasNot(): void {
    this.inVain = Math.min(this.inVain + 1, mostRested * 2);
    if (this.inVain > 4) this.rest = this.inVain >> 1;
  }

  wasFound(): void {
    this.inVain = 0;
  }
}
