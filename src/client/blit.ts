/**
 * Copies and fills: what can be done to a region of a raster element by element. INVARIANT: a source has the elements of
 * the destination (see `forSurface`), and nothing outside the region and the raster is ever touched.
 */
import { type Pixel, pixelMask, type Raster } from './raster.ts';
import type { Region } from './region.ts';
import { combineFill, combineRow, type Rop, rops } from './rop.ts';

/** Fills a region with one value, which is cut to the element's bits. */
export function fill(dst: Raster, region: Region, value: number, rop: Rop = rops.copy): void {
  if (rop === rops.noop) return;
  const { px, width, format } = dst;
  const element = value & pixelMask[format];
  for (let i = 0; i < region.length; i += 4) {
    const x1 = region[i]!;
    const x2 = region[i + 2]!;
    for (let y = region[i + 1]!; y < region[i + 3]!; y++) {
      if (rop === rops.copy) px.fill(element, y * width + x1, y * width + x2);
      else combineFill(rop, format, px, y * width + x1, element, x2 - x1);
    }
  }
}

/** Copies `src`, its pixel (0, 0) lying at (`dx`, `dy`) of `dst`, to a region. What `src` does not cover stays. */
export function blit(dst: Raster, region: Region, src: Raster, dx: number, dy: number, rop: Rop = rops.copy): void {
  if (rop === rops.noop) return;
  const { px, width, format } = dst;
  for (let i = 0; i < region.length; i += 4) {
    const x1 = Math.max(region[i]!, dx);
    const x2 = Math.min(region[i + 2]!, dx + src.width);
    if (x1 >= x2) continue;
    const y2 = Math.min(region[i + 3]!, dy + src.height);
    for (let y = Math.max(region[i + 1]!, dy); y < y2; y++) {
      const from = (y - dy) * src.width + x1 - dx;
      if (rop === rops.copy) px.set(src.px.subarray(from, from + x2 - x1), y * width + x1);
      else combineRow(rop, format, px, y * width + x1, src.px, from, x2 - x1);
    }
  }
}

/** As `blit`, but source elements of one colour are left out; of 32-bit elements only the colour counts. */
export function blitKeyed(dst: Raster, region: Region, src: Raster, dx: number, dy: number, key: number): void {
  const { px, width, format } = dst;
  const mask = pixelMask[format] & (format === 'x888' || format === 'a888' ? 0xffffff : -1);
  const leftOut = key & mask;
  for (let i = 0; i < region.length; i += 4) {
    const x1 = Math.max(region[i]!, dx);
    const x2 = Math.min(region[i + 2]!, dx + src.width);
    const y2 = Math.min(region[i + 3]!, dy + src.height);
    for (let y = Math.max(region[i + 1]!, dy); y < y2; y++) {
      let from = (y - dy) * src.width + x1 - dx;
      for (let at = y * width + x1; at < y * width + x2; at++, from++) {
        const v = src.px[from]!;
        if ((v & mask) !== leftOut) px[at] = v;
      }
    }
  }
}

export const modulo = (a: number, n: number): number => ((a % n) + n) % n;

/** Fills a region with a picture that repeats; its pixel (0, 0) lies at (`ox`, `oy`). */
export function tile(dst: Raster, region: Region, src: Raster, ox: number, oy: number, rop: Rop = rops.copy): void {
  if (rop === rops.noop || src.width === 0 || src.height === 0) return;
  const { px, width, format } = dst;
  for (let i = 0; i < region.length; i += 4) {
    const x1 = region[i]!;
    const x2 = region[i + 2]!;
    for (let y = region[i + 1]!; y < region[i + 3]!; y++) {
      const row = modulo(y - oy, src.height) * src.width;
      let tx = modulo(x1 - ox, src.width);
      for (let x = x1; x < x2; ) {
        const run = Math.min(src.width - tx, x2 - x);
        if (rop === rops.copy) copyRun(px, y * width + x, src.px, row + tx, run);
        else combineRow(rop, format, px, y * width + x, src.px, row + tx, run);
        x += run;
        tx = 0;
      }
    }
  }
}

function copyRun(dst: Pixel, to: number, src: Pixel, from: number, count: number): void {
  if (count > 16) dst.set(src.subarray(from, from + count), to);
  else for (let i = 0; i < count; i++) dst[to + i] = src[from + i]!;
}

/** Moves pixels of a raster by (`dx`, `dy`) into a region, as if all were read before any is written. */
export function move(raster: Raster, region: Region, dx: number, dy: number): void {
  const { px, width, height } = raster;
  const inside: number[] = [];
  for (let i = 0; i < region.length; i += 4) {
    const x1 = Math.max(region[i]!, dx);
    const y1 = Math.max(region[i + 1]!, dy);
    const x2 = Math.min(region[i + 2]!, width + dx);
    const y2 = Math.min(region[i + 3]!, height + dy);
    if (x1 < x2 && y1 < y2) inside.push(x1, y1, x2, y2);
  }
  if (inside.length === 4) {
    const [x1, y1, x2, y2] = inside as [number, number, number, number];
    const row = (y: number) => px.copyWithin(y * width + x1, (y - dy) * width + x1 - dx, (y - dy) * width + x2 - dx);
    if (dy > 0) for (let y = y2 - 1; y >= y1; y--) row(y);
    else for (let y = y1; y < y2; y++) row(y);
    return;
  }
  const kept: Pixel[] = [];
  for (let i = 0; i < inside.length; i += 4) {
    for (let y = inside[i + 1]!; y < inside[i + 3]!; y++) {
      kept.push(px.slice((y - dy) * width + inside[i]! - dx, (y - dy) * width + inside[i + 2]! - dx));
    }
  }
  let next = 0;
  for (let i = 0; i < inside.length; i += 4) {
    for (let y = inside[i + 1]!; y < inside[i + 3]!; y++) px.set(kept[next++]!, y * width + inside[i]!);
  }
}
