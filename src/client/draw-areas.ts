/** The commands that fill and copy whole areas: bit by bit, with a raster operation, through a mask. */

import type { Rect } from '../protocol/draw.ts';
import { blitKeyed, fill, modulo, move } from './blit.ts';
import {
  type Command,
  eachRow,
  filterOf,
  paint,
  place,
  sameSize,
  scaled,
  source,
  target,
  Undrawable,
} from './canvas.ts';
import { createRaster, pack555, pack565, pixelMask, type Raster, withAlpha, writeWords } from './raster.ts';
import { isEmpty, type Region } from './region.ts';
import { combine3, ropOf, rops } from './rop.ts';
import { Filter, Repeat, sampler, scaling } from './sample.ts';

/** Pixels of a box that a picture may be scaled to as a whole. */
const scaleBudget = 1 << 26;

export const drawFill: Command<'draw_fill'> = (dst, body, pictures) => {
  const region = target(dst, body.base, pictures, body.mask);
  paint(dst, region, body.brush, ropOf(body.ropDescriptor, 'brush', 'dest'), pictures);
  return region;
};

export const drawCopy: Command<'draw_copy'> = (dst, body, pictures) => {
  const region = target(dst, body.base, pictures, body.mask);
  const rop = ropOf(body.ropDescriptor, 'src', 'dest');
  if (rop === rops.noop || isEmpty(region)) return [];
  place(dst, region, source(dst, body.srcBitmap, pictures), body.base.box, body.srcArea, body.scaleMode, rop);
  return region;
};

export const drawOpaque: Command<'draw_opaque'> = (dst, body, pictures) => {
  const region = target(dst, body.base, pictures, body.mask);
  const rop = ropOf(body.ropDescriptor, 'brush', 'src');
  if (rop === rops.noop || isEmpty(region)) return [];
  const src = source(dst, body.srcBitmap, pictures);
  place(dst, region, src, body.base.box, body.srcArea, body.scaleMode, rops.copy);
  paint(dst, region, body.brush, rop, pictures);
  return region;
};

export const drawBlackness: Command<'draw_blackness'> = (dst, body, pictures) => {
  const region = target(dst, body.base, pictures, body.mask);
  fill(dst, region, 0);
  return region;
};
export const drawWhiteness: Command<'draw_whiteness'> = (dst, body, pictures) => {
  const region = target(dst, body.base, pictures, body.mask);
  fill(dst, region, 0xffffffff);
  return region;
};
export const drawInvers: Command<'draw_invers'> = (dst, body, pictures) => {
  const region = target(dst, body.base, pictures, body.mask);
  fill(dst, region, 0, rops.invert);
  return region;
};

export const drawTransparent: Command<'draw_transparent'> = (dst, body, pictures) => {
  const region = target(dst, body.base);
  if (isEmpty(region)) return region;
  const { box } = body.base;
  const { srcArea: area, trueColor } = body;
  const src = source(dst, body.srcBitmap, pictures);
  const keys = { x888: trueColor, a888: trueColor, x555: pack555(trueColor), r565: pack565(trueColor), a8: 0, a1: 0 };
  const key = keys[dst.format];
  if (sameSize(box, area)) {
    blitKeyed(dst, region, src, box.left - area.left, box.top - area.top, key);
    return region;
  }
  const reader = scaled(withAlpha(src, true), box, area, Filter.nearest);
  const words = new Uint32Array(dst.width);
  const row = withAlpha(createRaster(src.format, dst.width, 1), true);
  eachRow(region, (x, y, count) => {
    reader.row(x - box.left, y - box.top, count, words);
    writeWords(row, 0, count, words);
    blitKeyed(dst, [x, y, x + count, y + 1], row, x, y, key);
  });
  return region;
};

export const drawRop3: Command<'draw_rop3'> = (dst, body, pictures) => {
  const region = target(dst, body.base, pictures, body.mask);
  if (isEmpty(region)) return region;
  const { box } = body.base;
  const { srcArea: area, brush, rop3 } = body;
  const [width, height] = [box.right - box.left, box.bottom - box.top];
  let src = source(dst, body.srcBitmap, pictures);
  let [ox, oy] = [area.left - box.left, area.top - box.top];
  if (!sameSize(box, area)) {
    src = rescaled(src, area, width, height, filterOf(body.scaleMode), region, box);
    [ox, oy] = [-box.left, -box.top];
  }
  if (
    ox + box.left < 0 ||
    oy + box.top < 0 ||
    src.width - ox - box.left < width ||
    src.height - oy - box.top < height
  ) {
    throw new Undrawable('a source picture smaller than the box');
  }
  const mask = pixelMask[dst.format];
  const pattern = brush.type === 'pattern' ? source(dst, brush.pat, pictures) : undefined;
  if (pattern !== undefined && pattern.width * pattern.height === 0) throw new Undrawable('an empty pattern');
  const color = brush.type === 'solid' ? brush.color : 0;
  eachRow(region, (x, y, count) => {
    const from = (y + oy) * src.width + x + ox;
    const to = y * dst.width + x;
    if (pattern === undefined || brush.type !== 'pattern') {
      for (let i = 0; i < count; i++) dst.px[to + i] = combine3(rop3, color, src.px[from + i]!, dst.px[to + i]!) & mask;
      return;
    }
    const row = modulo(y - brush.pos.y, pattern.height) * pattern.width;
    for (let i = 0; i < count; i++) {
      const p = pattern.px[row + modulo(x + i - brush.pos.x, pattern.width)]!;
      dst.px[to + i] = combine3(rop3, p, src.px[from + i]!, dst.px[to + i]!) & mask;
    }
  });
  return region;
};

/** A picture's area in another size, as far as the region needs it: its origin is the box's corner. */
function rescaled(src: Raster, area: Rect, width: number, height: number, filter: number, region: Region, box: Rect) {
  const sx = (area.right - area.left) / width;
  const sy = (area.bottom - area.top) / height;
  const matrix = scaling(Math.trunc(sx * 65536), Math.trunc(sy * 65536));
  const reader = sampler(withAlpha(src, true), matrix, filter, Repeat.none);
  const [ox, oy] = [Math.floor(area.left / sx + 0.5), Math.floor(area.top / sy + 0.5)];
  if (width * height > scaleBudget) throw new Undrawable('a box too large to scale to');
  const made = withAlpha(createRaster(src.format, width, height), true);
  const words = new Uint32Array(width);
  eachRow(region, (x, y, count) => {
    reader.row(x - box.left + ox, y - box.top + oy, count, words);
    writeWords(made, (y - box.top) * width + x - box.left, count, words);
  });
  return made;
}

export const copyBits: Command<'copy_bits'> = (dst, { base, srcPos }) => {
  const region = target(dst, base);
  move(dst, region, base.box.left - srcPos.x, base.box.top - srcPos.y);
  return region;
};
