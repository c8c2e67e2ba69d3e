/**
 * Small pictures of each party over time, within bounds: where there are too many, those that lie closest together go first,
 * older ones sooner. What looks the same as the picture before is not kept twice. Runs anywhere.
 */
import type { Picture } from './feed.ts';

export interface AlbumOptions {
  /** Bytes of all pictures together. */
  readonly bytes: number;
  /** Pictures of one party. */
  readonly each: number;
  /** All times are as interesting; else the last minutes are more so. */
  readonly even?: boolean;
}

/** Milliseconds within which all times are as interesting. */
const recent = 5_000;
/** However many parties there are, each keeps this many. */
const least = 4;

export class Album {
  private readonly options: AlbumOptions;
  private readonly parties = new Map<string, Picture[]>();
  private bytes = 0;

  constructor(options: AlbumOptions) {
    this.options = options;
  }

  /** Takes a picture. It must not change any more. */
  add(picture: Picture): void {
    const list = this.parties.get(picture.party) ?? [];
    this.parties.set(picture.party, list);
    const index = after(list, picture.at);
    const before = list[index - 1];
    if (before !== undefined && same(before, picture)) return;
    if (before?.at === picture.at) {
      list[index - 1] = picture;
      this.bytes += picture.pixels.length - before.pixels.length;
      return;
    }
    list.splice(index, 0, picture);
    this.bytes += picture.pixels.length;
    if (list.length > this.options.each) this.thin(list);
    while (this.bytes > this.options.bytes && this.thinLongest());
  }

  /** What a party showed at a time, as far as it is kept; undefined before the first picture. */
  at(party: string, at: number): Picture | undefined {
    const list = this.parties.get(party) ?? [];
    return list[after(list, at) - 1];
  }

  forget(party: string): void {
    for (const { pixels } of this.parties.get(party) ?? []) this.bytes -= pixels.length;
    this.parties.delete(party);
  }

  /** How many pictures are kept, and their bytes. */
  get size(): { readonly pictures: number; readonly bytes: number } {
    return { pictures: [...this.parties.values()].reduce((sum, list) => sum + list.length, 0), bytes: this.bytes };
  }

  private thinLongest(): boolean {
    let longest: Picture[] = [];
    for (const list of this.parties.values()) if (list.length > longest.length) longest = list;
    if (longest.length <= least) return false;
    this.thin(longest);
    return true;
  }

  /** Takes away the picture that is missed least; the first and the last stay. */
  private thin(list: Picture[]): void {
    const newest = list.at(-1)!.at;
    let [least, index] = [Number.POSITIVE_INFINITY, 1];
    for (let i = 1; i < list.length - 1; i++) {
      const age = this.options.even ? 1 : newest - list[i]!.at + recent;
      const missed = (list[i + 1]!.at - list[i - 1]!.at) / age;
      if (missed < least) [least, index] = [missed, i];
    }
    const [gone] = list.splice(index, 1);
    this.bytes -= gone?.pixels.length ?? 0;
  }
}

/** How many pictures were taken up to a time. */
function after(list: readonly Picture[], at: number): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle]!.at <= at) low = middle + 1;
    else high = middle;
  }
  return low;
}

function same(a: Picture, b: Picture): boolean {
  const [p, q] = [a.pixels, b.pixels];
  if (a.width !== b.width || a.height !== b.height || p.length !== q.length) return false;
  // What has changed on a screen is mostly seen in one of a few rows already; all are looked at only where none differs.
  const row = 4 * a.width;
  for (let start = 0; start < 8 * row; start += row) {
    for (let i = start; i < p.length; i += 8 * row) {
      for (let k = i, end = Math.min(p.length, i + row); k < end; k++) if (p[k] !== q[k]) return false;
    }
  }
  return true;
}
