/**
 * The pixels that a drawing command may change: a list of rectangles that do not overlap. INVARIANT: the work to make one is
 * bounded by the rectangles that came plus the pixels of the box, however a peer lays its clip out.
 */
import type { Rect } from '../protocol/draw.ts';
import type { Raster } from './raster.ts';

/** Rectangles as x1, y1, x2, y2 in one flat list; x2 and y2 are outside. No two overlap. */
export type Region = readonly number[];

/** The part of a rectangle that lies in a picture of that size, as a region of one or no rectangle. */
export function boxRegion(box: Rect, width: number, height: number): Region {
  const x1 = Math.max(0, box.left);
  const y1 = Math.max(0, box.top);
  const x2 = Math.min(width, box.right);
  const y2 = Math.min(height, box.bottom);
  return x1 < x2 && y1 < y2 ? [x1, y1, x2, y2] : [];
}

export const isEmpty = (region: Region): boolean => region.length === 0;

/** The smallest rectangle around a region, or undefined if it is empty. */
export function extents(region: Region): Rect | undefined {
  if (region.length === 0) return undefined;
  let [left, top, right, bottom] = region as unknown as [number, number, number, number];
  for (let i = 4; i < region.length; i += 4) {
    left = Math.min(left, region[i]!);
    top = Math.min(top, region[i + 1]!);
    right = Math.max(right, region[i + 2]!);
    bottom = Math.max(bottom, region[i + 3]!);
  }
  return { left, top, right, bottom };
}

/** What of a region of at most one rectangle lies in any of `rects`, which may overlap. */
export function clipTo(box: Region, rects: readonly Rect[]): Region {
  if (box.length === 0) return box;
  const [bx1, by1, bx2, by2] = box as unknown as [number, number, number, number];
  const inside: number[] = [];
  for (const { left, top, right, bottom } of rects) {
    const x1 = Math.max(bx1, left);
    const y1 = Math.max(by1, top);
    const x2 = Math.min(bx2, right);
    const y2 = Math.min(by2, bottom);
    if (x1 < x2 && y1 < y2) inside.push(x1, y1, x2, y2);
  }
  return inside.length <= 4 || areDisjoint(inside) ? inside : union(inside, bx1, bx2);
}

/** Tells by comparing each with each, so only for few; many are united without asking. */
function areDisjoint(rects: readonly number[]): boolean {
  if (rects.length > 4 * 16) return false;
  for (let i = 4; i < rects.length; i += 4) {
    for (let j = 0; j < i; j += 4) {
      if (
        rects[i]! < rects[j + 2]! &&
        rects[j]! < rects[i + 2]! &&
        rects[i + 1]! < rects[j + 3]! &&
        rects[j + 1]! < rects[i + 3]!
      ) {
        return false;
      }
    }
  }
  return true;
}

/** Sweeps from the top: how many rectangles begin and end at each column is kept, and read off once for every band. */
function union(rects: readonly number[], left: number, right: number): Region {
  const starts: number[] = [];
  const ys = new Set<number>();
  for (let i = 0; i < rects.length; i += 4) {
    starts.push(i);
    ys.add(rects[i + 1]!).add(rects[i + 3]!);
  }
  const ends = [...starts].sort((a, b) => rects[a + 3]! - rects[b + 3]!);
  starts.sort((a, b) => rects[a + 1]! - rects[b + 1]!);
  const edges = [...ys].sort((a, b) => a - b);
  const change = new Int32Array(right - left + 1);
  const found: number[] = [];
  let nextStart = 0;
  let nextEnd = 0;
  for (let e = 0; e + 1 < edges.length; e++) {
    const y1 = edges[e]!;
    const y2 = edges[e + 1]!;
    for (; nextEnd < ends.length && rects[ends[nextEnd]! + 3]! <= y1; nextEnd++) {
      const i = ends[nextEnd]!;
      change[rects[i]! - left]!--;
      change[rects[i + 2]! - left]!++;
    }
    for (; nextStart < starts.length && rects[starts[nextStart]! + 1]! <= y1; nextStart++) {
      const i = starts[nextStart]!;
      change[rects[i]! - left]!++;
      change[rects[i + 2]! - left]!--;
    }
    let depth = 0;
    let from = -1;
    for (let x = 0; x < change.length; x++) {
      depth += change[x]!;
      if (depth > 0 && from < 0) from = x;
      else if (depth === 0 && from >= 0) {
        found.push(left + from, y1, left + x, y2);
        from = -1;
      }
    }
  }
  return found;
}

/** What two regions have in common, each made of rectangles that do not overlap; `few` should be the shorter one. */
export function intersect(many: Region, few: Region): Region {
  const found: number[] = [];
  for (let i = 0; i < many.length; i += 4) {
    for (let j = 0; j < few.length; j += 4) {
      const x1 = Math.max(many[i]!, few[j]!);
      const y1 = Math.max(many[i + 1]!, few[j + 1]!);
      const x2 = Math.min(many[i + 2]!, few[j + 2]!);
      const y2 = Math.min(many[i + 3]!, few[j + 3]!);
      if (x1 < x2 && y1 < y2) found.push(x1, y1, x2, y2);
    }
  }
  return found;
}

/**
 * What of a region a mask lets through. The mask's pixel (`mx`, `my`) lies at (`x`, `y`) of the surface; beyond the mask
 * nothing is let through, inverted or not.
 */
export function maskRegion(
  region: Region,
  mask: Raster,
  invert: boolean,
  mx: number,
  my: number,
  x: number,
  y: number,
): Region {
  const found: number[] = [];
  const { px, width, height } = mask;
  const dx = mx - x;
  const dy = my - y;
  for (let i = 0; i < region.length; i += 4) {
    const x1 = Math.max(region[i]!, -dx);
    const y1 = Math.max(region[i + 1]!, -dy);
    const x2 = Math.min(region[i + 2]!, width - dx);
    const y2 = Math.min(region[i + 3]!, height - dy);
    for (let row = y1; row < y2; row++) {
      const base = (row + dy) * width + dx;
      for (let at = x1; at < x2; at++) {
        if ((px[base + at] !== 0) === invert) continue;
        const from = at;
        while (++at < x2 && (px[base + at] !== 0) !== invert);
        found.push(from, row, at, row + 1);
      }
    }
  }
  return found;
}
