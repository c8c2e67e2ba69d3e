/**
 * The drawing commands on one raster, as the reference client's software canvas carries them out, to the pixel. Pure: the
 * pictures that a command refers to have been decoded before, and nothing is drawn outside the command's box and clip.
 */
import { AlphaFlags, CompositeFlags, ImageScaleMode, LineFlags, MaskFlags, Ropd } from '../protocol/constants.ts';
import type { Brush, DisplayBase, Image, QMask, Rect } from '../protocol/draw.ts';
import { blit, blitKeyed, fill, modulo, move, tile } from './blit.ts';
import { CompositeOp, composerOf } from './compose.ts';
import { type Budget, dashedLine } from './dash.ts';
import type { DisplayBody } from './display-body.ts';
import { pathLines, type Run, thinLine, wholePixels } from './line.ts';
import {
  createRaster,
  forSurface,
  pack555,
  pack565,
  pixelMask,
  type Raster,
  readWords,
  toWord,
  withAlpha,
  writeWords,
} from './raster.ts';
import { boxRegion, clipTo, intersect, isEmpty, maskRegion, type Region } from './region.ts';
import { combine3, combineRow, type Rop, ropOf, rops } from './rop.ts';
import { Filter, matrixOf, Repeat, sampler, scaling } from './sample.ts';
import { letters } from './text.ts';

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

/** Points, dashes and rows that one stroke may be made of; more is no drawing but an attack. */
const strokeBudget = 1 << 20;
/** Pixels of the picture that letters are gathered in. */
const textBudget = 1 << 24;

const sameSize = (a: Rect, b: Rect) => a.right - a.left === b.right - b.left && a.bottom - a.top === b.bottom - b.top;

/** The pixels that a command may change. */
function target(dst: Raster, { box, clip }: DisplayBase, pictures?: Pictures, mask?: QMask): Region {
  let region = boxRegion(box, dst.width, dst.height);
  if (clip.type === 'rects') region = clipTo(region, clip.rects);
  if (mask === undefined || mask.bitmap === null || isEmpty(region)) return region;
  const invert = (mask.flags & MaskFlags.invers) !== 0;
  return maskRegion(region, pictures!.mask(mask.bitmap), invert, mask.pos.x, mask.pos.y, box.left, box.top);
}

/** The source of a command in the elements of `dst`; a surface that is drawn on itself is copied first. */
function source(dst: Raster, image: Image | null, pictures: Pictures): Raster {
  if (image === null) throw new Undrawable('no source picture');
  const raster = pictures.picture(image);
  return forSurface(raster.px === dst.px ? { ...raster, px: raster.px.slice() } : raster, dst.format);
}

const filterOf = (scaleMode: number): number => {
  if (scaleMode === ImageScaleMode.nearest) return Filter.nearest;
  if (scaleMode === ImageScaleMode.interpolate) return Filter.good;
  throw new Undrawable(`scale mode ${scaleMode}`);
};

/** A way to read `src`'s area scaled to the box, by rows of the box. */
function scaled(src: Raster, box: Rect, area: Rect, filter: number) {
  const sx = Math.trunc(((area.right - area.left) * 65536) / (box.right - box.left));
  const sy = Math.trunc(((area.bottom - area.top) * 65536) / (box.bottom - box.top));
  return sampler(src, scaling(sx, sy, area.left, area.top), filter, Repeat.none);
}

/** Calls `row` for each row of each rectangle of a region. */
function eachRow(region: Region, row: (x: number, y: number, count: number) => void): void {
  for (let i = 0; i < region.length; i += 4) {
    for (let y = region[i + 1]!; y < region[i + 3]!; y++) row(region[i]!, y, region[i + 2]! - region[i]!);
  }
}

/** Draws a picture's area to the box, scaled if their sizes differ. */
function place(dst: Raster, region: Region, src: Raster, box: Rect, area: Rect, scaleMode: number, rop: Rop): void {
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

function paint(dst: Raster, region: Region, brush: Brush, rop: Rop, pictures: Pictures): void {
  if (brush.type === 'none') fill(dst, region, 0, rop);
  else if (brush.type === 'solid') fill(dst, region, brush.color, rop);
  else tile(dst, region, source(dst, brush.pat, pictures), brush.pos.x, brush.pos.y, rop);
}

/** A drawing command: changes `dst` and returns what it may have changed. */
type Command<Name extends string> = (dst: Raster, body: DisplayBody<Name>, pictures: Pictures) => Region;

const drawFill: Command<'draw_fill'> = (dst, body, pictures) => {
  const region = target(dst, body.base, pictures, body.mask);
  paint(dst, region, body.brush, ropOf(body.ropDescriptor, 'brush', 'dest'), pictures);
  return region;
};

const drawCopy: Command<'draw_copy'> = (dst, body, pictures) => {
  const region = target(dst, body.base, pictures, body.mask);
  const rop = ropOf(body.ropDescriptor, 'src', 'dest');
  if (rop === rops.noop || isEmpty(region)) return [];
  place(dst, region, source(dst, body.srcBitmap, pictures), body.base.box, body.srcArea, body.scaleMode, rop);
  return region;
};

const drawOpaque: Command<'draw_opaque'> = (dst, body, pictures) => {
  const region = target(dst, body.base, pictures, body.mask);
  const rop = ropOf(body.ropDescriptor, 'brush', 'src');
  if (rop === rops.noop || isEmpty(region)) return [];
  const src = source(dst, body.srcBitmap, pictures);
  place(dst, region, src, body.base.box, body.srcArea, body.scaleMode, rops.copy);
  paint(dst, region, body.brush, rop, pictures);
  return region;
};

const drawBlackness: Command<'draw_blackness'> = (dst, body, pictures) => {
  const region = target(dst, body.base, pictures, body.mask);
  fill(dst, region, 0);
  return region;
};
const drawWhiteness: Command<'draw_whiteness'> = (dst, body, pictures) => {
  const region = target(dst, body.base, pictures, body.mask);
  fill(dst, region, 0xffffffff);
  return region;
};
const drawInvers: Command<'draw_invers'> = (dst, body, pictures) => {
  const region = target(dst, body.base, pictures, body.mask);
  fill(dst, region, 0, rops.invert);
  return region;
};

const drawTransparent: Command<'draw_transparent'> = (dst, body, pictures) => {
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

/** Puts rows that `read` gives over a region of `dst`, through an alpha of 0 to 255 for all. */
function putOver(dst: Raster, region: Region, alpha: number, read: ReadRow): void {
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
type ReadRow = (x: number, y: number, count: number, out: Uint32Array) => void;

const drawAlphaBlend: Command<'draw_alpha_blend'> = (dst, body, pictures) => {
  const region = target(dst, body.base);
  if (body.alpha === 0 || isEmpty(region)) return [];
  if (body.srcBitmap === null) throw new Undrawable('no source picture');
  const { box } = body.base;
  const { srcArea: area, alphaFlags } = body;
  let src = pictures.picture(body.srcBitmap);
  if (src.px === dst.px) src = { ...src, px: src.px.slice() };
  if (body.srcBitmap.type === 'surface' && alphaFlags & AlphaFlags.srcSurfaceHasAlpha) src = withAlpha(src, true);
  const onto = alphaFlags & AlphaFlags.destHasAlpha ? withAlpha(dst, true) : dst;
  const reader = sameSize(box, area)
    ? sampler(src, undefined, Filter.nearest, Repeat.none)
    : scaled(src, box, area, Filter.nearest);
  const [ox, oy] = sameSize(box, area) ? [area.left - box.left, area.top - box.top] : [-box.left, -box.top];
  putOver(onto, region, body.alpha, (x, y, count, out) => reader.row(x + ox, y + oy, count, out));
  return region;
};

const drawRop3: Command<'draw_rop3'> = (dst, body, pictures) => {
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
  if (width * height > textBudget * 4) throw new Undrawable('a box too large to scale to');
  const made = withAlpha(createRaster(src.format, width, height), true);
  const words = new Uint32Array(width);
  eachRow(region, (x, y, count) => {
    reader.row(x - box.left + ox, y - box.top + oy, count, words);
    writeWords(made, (y - box.top) * width + x - box.left, count, words);
  });
  return made;
}

const drawStroke: Command<'draw_stroke'> = (dst, body, pictures) => {
  const region = target(dst, body.base);
  if (isEmpty(region)) return region;
  const { brush, attr } = body;
  const rop = ropOf(body.foreMode, 'brush', 'dest');
  const lines = pathLines(body.path, strokeBudget);
  if (lines === undefined) throw new Undrawable('a path of too many points');
  const pattern = brush.type === 'pattern' ? source(dst, brush.pat, pictures) : undefined;
  const inked: Run = (x, y, count) => {
    const part = intersect(region, [x, y, x + count, y + 1]);
    if (isEmpty(part)) return;
    if (pattern !== undefined && brush.type === 'pattern') tile(dst, part, pattern, brush.pos.x, brush.pos.y, rop);
    else fill(dst, part, brush.type === 'solid' ? brush.color : 0, rop);
  };
  const dashes = (attr.flags & LineFlags.styled) !== 0 ? dashesOf(attr.flags, attr.style ?? []) : undefined;
  if (dashes === undefined) {
    for (const line of lines) {
      for (let i = 1; i < line.length; i++) thinLine(line[i - 1]!, line[i]!, dst.width, dst.height, inked);
    }
    return region;
  }
  // An operation that turns a bit that is set where the other operand is not would undo itself where two runs meet.
  const careful = (rop & 3) === 1 || rop >> 2 === 1;
  const budget: Budget = { left: strokeBudget };
  const rows = { start: 0, end: dst.height };
  for (const line of lines) {
    const once = careful && line.length >= 3;
    const runs = once ? new RunUnion() : undefined;
    const done = dashedLine(line, dashes.lengths, dashes.offset, once, rows, budget, runs?.add ?? inked);
    runs?.each(inked);
    if (!done) throw new Undrawable('a line of too many dashes');
  }
  return region;
};

/** The pattern of a styled line. One that starts with a gap starts with its second length, offset by that, as drivers expect. */
function dashesOf(flags: number, style: readonly number[]): { lengths: number[]; offset: number } {
  const whole = style.map((length) => wholePixels(length) & 0xff);
  if ((flags & LineFlags.startWithGap) === 0 || whole.length === 0) return { lengths: whole, offset: 0 };
  const lengths = [...whole.slice(1), whole[0]!];
  return { lengths, offset: lengths[0]! };
}

/** Gathers runs so that each pixel comes out once. */
class RunUnion {
  private readonly rows = new Map<number, [number, number][]>();

  readonly add: Run = (x, y, count) => {
    const row = this.rows.get(y);
    if (row === undefined) this.rows.set(y, [[x, x + count]]);
    else row.push([x, x + count]);
  };

  each(run: Run): void {
    for (const [y, row] of this.rows) {
      row.sort((a, b) => a[0] - b[0]);
      let [from, to] = row[0]!;
      for (const [next, end] of row) {
        if (next > to) {
          run(from, y, to - from);
          from = next;
        }
        to = Math.max(to, end);
      }
      run(from, y, to - from);
    }
  }
}

const drawText: Command<'draw_text'> = (dst, body, pictures) => {
  const region = target(dst, body.base);
  if (isEmpty(region)) return region;
  const { backArea, foreBrush } = body;
  if (backArea.left < backArea.right && backArea.top < backArea.bottom) {
    if (body.foreMode !== Ropd.opPut) throw new Undrawable('letters with a background and another mode than put');
    paint(dst, intersect(region, boxRegion(backArea, dst.width, dst.height)), body.backBrush, rops.copy, pictures);
  }
  if (foreBrush.type === 'none') return region;
  const drawn = letters(body.str, textBudget);
  if (drawn === undefined) throw new Undrawable('letters too far apart');
  const { mask, x: left, y: top } = drawn;
  const inside = intersect(region, [left, top, left + mask.width, top + mask.height]);
  const ink = new Uint32Array(dst.width);
  const words = new Uint32Array(dst.width);
  const alphas = new Uint32Array(dst.width);
  const over = composerOf(CompositeOp.over, false)!;
  const pattern =
    foreBrush.type === 'pattern'
      ? sampler(source(dst, foreBrush.pat, pictures), undefined, Filter.nearest, Repeat.normal)
      : undefined;
  if (foreBrush.type === 'solid')
    ink.fill(toWord(dst.format === 'x555' || dst.format === 'r565' ? 'x555' : 'x888', foreBrush.color));
  eachRow(inside, (x, y, count) => {
    if (foreBrush.type === 'pattern') pattern!.row(x - foreBrush.pos.x, y - foreBrush.pos.y, count, ink);
    readWords(mask, (y - top) * mask.width + x - left, count, alphas);
    readWords(dst, y * dst.width + x, count, words);
    over(words, ink, alphas, count);
    writeWords(dst, y * dst.width + x, count, words);
  });
  return region;
};

const drawComposite: Command<'draw_composite'> = (dst, body, pictures) => {
  const region = target(dst, body.base);
  if (isEmpty(region)) return region;
  const { flags, srcBitmap } = body;
  const { box } = body.base;
  const component = (flags & CompositeFlags.componentAlpha) !== 0;
  const composer = composerOf(flags & CompositeFlags.opMask, component && (flags & CompositeFlags.hasMask) !== 0);
  if (composer === undefined) throw new Undrawable(`composite operator ${flags & CompositeFlags.opMask}`);
  if (srcBitmap === null) throw new Undrawable('no source picture');
  /** Surfaces are taken as they are, pictures in the form that the target has. */
  const operand = (image: Image): Raster => {
    const raster = pictures.picture(image);
    if (image.type !== 'surface') return forSurface(raster, dst.format);
    return raster.px === dst.px ? { ...raster, px: raster.px.slice() } : raster;
  };
  const bits = (shift: number, mask: number) => (flags >>> shift) & mask;
  const opaque = srcBitmap.type === 'surface' && (flags & CompositeFlags.sourceOpaque) !== 0;
  const src = sampler(
    opaque ? withAlpha(operand(srcBitmap), false) : operand(srcBitmap),
    body.srcTransform && matrixOf(body.srcTransform),
    bits(CompositeFlags.srcFilterShift, CompositeFlags.filterMask),
    bits(CompositeFlags.srcRepeatShift, CompositeFlags.repeatMask),
  );
  const mask =
    body.maskBitmap === undefined || body.maskBitmap === null
      ? undefined
      : sampler(
          operand(body.maskBitmap),
          body.maskTransform && matrixOf(body.maskTransform),
          bits(CompositeFlags.maskFilterShift, CompositeFlags.filterMask),
          bits(CompositeFlags.maskRepeatShift, CompositeFlags.repeatMask),
        );
  const words = new Uint32Array(dst.width);
  const srcWords = new Uint32Array(dst.width);
  const maskWords = mask && new Uint32Array(dst.width);
  eachRow(region, (x, y, count) => {
    const [dx, dy] = [x - box.left, y - box.top];
    src.row(dx + body.srcOrigin.x, dy + body.srcOrigin.y, count, srcWords);
    mask?.row(dx + body.maskOrigin.x, dy + body.maskOrigin.y, count, maskWords!);
    readWords(dst, y * dst.width + x, count, words);
    composer(words, srcWords, maskWords, count);
    writeWords(dst, y * dst.width + x, count, words);
  });
  return region;
};

const copyBits: Command<'copy_bits'> = (dst, { base, srcPos }) => {
  const region = target(dst, base);
  move(dst, region, base.box.left - srcPos.x, base.box.top - srcPos.y);
  return region;
};

/** The drawing commands by the names of their messages. */
export const commands = {
  copy_bits: copyBits,
  draw_fill: drawFill,
  draw_opaque: drawOpaque,
  draw_copy: drawCopy,
  draw_blend: drawCopy,
  draw_blackness: drawBlackness,
  draw_whiteness: drawWhiteness,
  draw_invers: drawInvers,
  draw_rop3: drawRop3,
  draw_stroke: drawStroke,
  draw_text: drawText,
  draw_transparent: drawTransparent,
  draw_alpha_blend: drawAlphaBlend,
  draw_composite: drawComposite,
} as const;

/**
 * Shows a frame of a video: `frame` fills the rectangle `dest`, scaled by leaving out and repeating pixels, within `clip`
 * if there is one. Returns what changed.
 */
export function drawFrame(dst: Raster, frame: Raster, dest: Rect, clip: readonly Rect[] | undefined): Region {
  const whole = boxRegion(dest, dst.width, dst.height);
  const region = clip === undefined ? whole : clipTo(whole, clip);
  if (isEmpty(region)) return region;
  const [width, height] = [dest.right - dest.left, dest.bottom - dest.top];
  if (width === frame.width && height === frame.height && dst.format === 'x888') {
    blit(dst, region, frame, dest.left, dest.top);
    return region;
  }
  const matrix = scaling(Math.trunc((frame.width / width) * 65536), Math.trunc((frame.height / height) * 65536));
  const reader = sampler(frame, matrix, Filter.nearest, Repeat.none);
  const words = new Uint32Array(dst.width);
  eachRow(region, (x, y, count) => {
    reader.row(x - dest.left, y - dest.top, count, words);
    writeWords(dst, y * dst.width + x, count, words);
  });
  return region;
}
