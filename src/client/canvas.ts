/**
 * What the drawing commands have in common: which pixels they may change, where their pictures come from, how a picture is
 * placed and a brush laid on. Equal to the reference client's software canvas, to the pixel.
 */
import { ImageScaleMode, MaskFlags } from '../protocol/constants.ts';
import type { Brush, DisplayBase, Image, QMask, Rect } from '../protocol/draw.ts';
import { blit, fill, tile } from './blit.ts';
import { CompositeOp, composerOf } from './compose.ts';
import type { DisplayBody } from './display-body.ts';
import { createRaster, forSurface, type Raster, readWords, withAlpha, writeWords } from './raster.ts';
import { boxRegion, clipTo, isEmpty, maskRegion, type Region } from './region.ts';
import { combineRow, type Rop, rops } from './rop.ts';
import { Filter, Repeat, sampler, scaling } from './sample.ts';

/** A command that cannot be drawn, for a reason that is counted and never ends anything. */
export class Undrawable extends Error {
  override readonly name = 'Undrawable';
}

/** The pictures that a command refers to. Both throw Undrawable for one that there is not. */
export interface Pictures {
  /** The picture of an image, or the surface that it names. */
  picture(image: Image): Raster;
  /** The mask of an image: not 0 where drawing is let through. */
  mask(image: Image): Raster;
}

export const sameSize = (a: Rect, b: Rect) =>
  a.right - a.left === b.right - b.left && a.bottom - a.top === b.bottom - b.top;

/** The pixels that a command may change. */
export function target(dst: Raster, { box, clip }: DisplayBase, pictures?: Pictures, mask?: QMask): Region {
  let region = boxRegion(box, dst.width, dst.height);
  if (clip.type === 'rects') region = clipTo(region, clip.rects);
  if (mask === undefined || mask.bitmap === null || isEmpty(region)) return region;
  const invert = (mask.flags & MaskFlags.invers) !== 0;
  return maskRegion(region, pictures!.mask(mask.bitmap), invert, mask.pos.x, mask.pos.y, box.left, box.top);
}

/** The source of a command in the elements of `dst`; a surface that is drawn on itself is copied first. */
export function source(dst: Raster, image: Image | null, pictures: Pictures): Raster {
  if (image === null) throw new Undrawable('no source picture');
  const raster = pictures.picture(image);
  return forSurface(raster.px === dst.px ? { ...raster, px: raster.px.slice() } : raster, dst.format);
}

export const filterOf = (scaleMode: number): number => {
  if (scaleMode === ImageScaleMode.nearest) return Filter.nearest;
  if (scaleMode === ImageScaleMode.interpolate) return Filter.good;
  throw new Undrawable(`scale mode ${scaleMode}`);
};

/** A way to read `src`'s area scaled to the box, by rows of the box. */
export function scaled(src: Raster, box: Rect, area: Rect, filter: number) {
  const sx = Math.trunc(((area.right - area.left) * 65536) / (box.right - box.left));
  const sy = Math.trunc(((area.bottom - area.top) * 65536) / (box.bottom - box.top));
  return sampler(src, scaling(sx, sy, area.left, area.top), filter, Repeat.none);
}

/** Calls `row` for each row of each rectangle of a region. */
export function eachRow(region: Region, row: (x: number, y: number, count: number) => void): void {
  for (let i = 0; i < region.length; i += 4) {
    for (let y = region[i + 1]!; y < region[i + 3]!; y++) row(region[i]!, y, region[i + 2]! - region[i]!);
  }
}

/** Draws a picture's area to the box, scaled if their sizes differ. */
export function place(
  dst: Raster,
  region: Region,
  src: Raster,
  box: Rect,
  area: Rect,
  scaleMode: number,
  rop: Rop,
): void {
  if (sameSize(box, area)) {
    blit(dst, region, src, box.left - area.left, box.top - area.top, rop);
    return;
  }
  const filter = filterOf(scaleMode);
  // What is combined bit by bit is scaled with its fourth byte, whatever that holds.
  const reader = scaled(rop === rops.copy ? src : withAlpha(src, true), box, area, filter);
  const words = new Uint32Array(dst.width);
  const row = withAlpha(createRaster(src.format, dst.width, 1), true);
  const raw = withAlpha(dst, true);
  eachRow(region, (x, y, count) => {
    reader.row(x - box.left, y - box.top, count, words);
    if (rop === rops.copy) writeWords(raw, y * dst.width + x, count, words);
    else {
      writeWords(row, 0, count, words);
      combineRow(rop, dst.format, dst.px, y * dst.width + x, row.px, 0, count);
    }
  });
}

export function paint(dst: Raster, region: Region, brush: Brush, rop: Rop, pictures: Pictures): void {
  if (brush.type === 'none') fill(dst, region, 0, rop);
  else if (brush.type === 'solid') fill(dst, region, brush.color, rop);
  else tile(dst, region, source(dst, brush.pat, pictures), brush.pos.x, brush.pos.y, rop);
}

/** A drawing command: changes `dst` and returns what it may have changed. */
export type Command<Name extends string> = (dst: Raster, body: DisplayBody<Name>, pictures: Pictures) => Region;

/** Puts rows that `read` gives over a region of `dst`, through an alpha of 0 to 255 for all. */
export function putOver(dst: Raster, region: Region, alpha: number, read: ReadRow): void {
  const over = composerOf(CompositeOp.over, false)!;
  const src = new Uint32Array(dst.width);
  const words = new Uint32Array(dst.width);
  const mask = alpha === 255 ? undefined : new Uint32Array(dst.width).fill(alpha << 24);
  eachRow(region, (x, y, count) => {
    read(x, y, count, src);
    readWords(dst, y * dst.width + x, count, words);
    over(words, src, mask, count);
    writeWords(dst, y * dst.width + x, count, words);
  });
}
export type ReadRow = (x: number, y: number, count: number, out: Uint32Array) => void;
