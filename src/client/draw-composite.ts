/**
 * The command of X's Render extension: a picture, through a mask, mixed with what is there by one of its operators. What needs
 * no division goes through words of four bytes, the rest through numbers of single precision, as pixman does it.
 */
import { CompositeFlags } from '../protocol/constants.ts';
import type { Image, Rect } from '../protocol/draw.ts';
import { blit } from './blit.ts';
import { type Command, eachRow, target, Undrawable } from './canvas.ts';
import { type Composer, CompositeOp, composerOf } from './compose.ts';
import { type WideComposer, wideComposerOf } from './compose-wide.ts';
import { createRaster, forSurface, type Raster, readWords, withAlpha, writeWords } from './raster.ts';
import { isEmpty, type Region } from './region.ts';
import { covers, type Matrix, matrixOf, Repeat, sampler } from './sample.ts';
import { readWide, wideSampler, writeWide } from './sample-wide.ts';

/** A picture and how it is read. */
interface Operand {
  readonly raster: Raster;
  readonly matrix: Matrix | undefined;
  readonly filter: number;
  readonly repeat: number;
  /** The pixel that lies at the corner of the command's box. */
  readonly origin: { readonly x: number; readonly y: number };
}

export const drawComposite: Command<'draw_composite'> = (dst, body, pictures) => {
  const region = target(dst, body.base);
  if (isEmpty(region)) return region;
  const { flags, srcBitmap, maskBitmap } = body;
  const { box } = body.base;
  const bits = (shift: number, mask: number) => (flags >>> shift) & mask;
  /** Surfaces are taken as they are, pictures in the form that the target has. */
  const rasterOf = (image: Image): Raster => {
    const raster = pictures.picture(image);
    if (image.type !== 'surface') return forSurface(raster, dst.format);
    return raster.px === dst.px ? { ...raster, px: raster.px.slice() } : raster;
  };
  const wanted = flags & CompositeFlags.opMask;
  if (composerOf(wanted, false) === undefined && wideComposerOf(wanted, false) === undefined) {
    throw new Undrawable(`composite operator ${wanted}`);
  }
  if (srcBitmap === null) throw new Undrawable('no source picture');
  const opaque = srcBitmap.type === 'surface' && (flags & CompositeFlags.sourceOpaque) !== 0;
  const source: Operand = {
    raster: opaque ? withAlpha(rasterOf(srcBitmap), false) : rasterOf(srcBitmap),
    matrix: body.srcTransform && matrixOf(body.srcTransform),
    filter: bits(CompositeFlags.srcFilterShift, CompositeFlags.filterMask),
    repeat: bits(CompositeFlags.srcRepeatShift, CompositeFlags.repeatMask),
    origin: body.srcOrigin,
  };
  const mask: Operand | undefined =
    maskBitmap === undefined || maskBitmap === null
      ? undefined
      : {
          raster: rasterOf(maskBitmap),
          matrix: body.maskTransform && matrixOf(body.maskTransform),
          filter: bits(CompositeFlags.maskFilterShift, CompositeFlags.filterMask),
          repeat: bits(CompositeFlags.maskRepeatShift, CompositeFlags.repeatMask),
          origin: body.maskOrigin,
        };
  const component = mask !== undefined && (flags & CompositeFlags.componentAlpha) !== 0;
  const operator = simpler(wanted, dst, box, source, component ? undefined : mask, component);
  const composer = composerOf(operator, component);
  if (composer !== undefined) compose(composer, dst, region, box, source, mask);
  else composeWide(wideComposerOf(operator, component)!, dst, region, box, source, mask);
  return region;
};

/** Saturate needs no division where source or destination are opaque; pixman's rounding is another one then. */
function simpler(
  operator: number,
  dst: Raster,
  box: Rect,
  source: Operand,
  mask: Operand | undefined,
  component: boolean,
): number {
  if (operator !== CompositeOp.saturate) return operator;
  if (hasNoAlpha(dst)) return CompositeOp.dst;
  const isOpaque = ({ raster, matrix, filter, repeat, origin }: Operand) =>
    hasNoAlpha(raster) &&
    (repeat !== Repeat.none || covers(raster, matrix, filter, origin, box.right - box.left, box.bottom - box.top));
  if (component || !isOpaque(source) || (mask !== undefined && !isOpaque(mask))) return operator;
  return CompositeOp.overReverse;
}

const hasNoAlpha = ({ format }: Raster) => format === 'x888' || format === 'r565' || format === 'x555';

function compose(
  composer: Composer,
  dst: Raster,
  region: Region,
  { left, top }: Rect,
  source: Operand,
  mask: Operand | undefined,
): void {
  const src = sampler(source.raster, source.matrix, source.filter, source.repeat);
  const through = mask && sampler(mask.raster, mask.matrix, mask.filter, mask.repeat);
  const words = new Uint32Array(dst.width);
  const srcWords = new Uint32Array(dst.width);
  const maskWords = mask && new Uint32Array(dst.width);
  eachRow(region, (x, y, count) => {
    const [dx, dy] = [x - left, y - top];
    src.row(dx + source.origin.x, dy + source.origin.y, count, srcWords);
    through?.row(dx + mask!.origin.x, dy + mask!.origin.y, count, maskWords!);
    readWords(dst, y * dst.width + x, count, words);
    composer(words, srcWords, maskWords, count);
    writeWords(dst, y * dst.width + x, count, words);
  });
}

/** All of the box is worked out, whatever is cut off later: a row may show what the one above it has left (see WideSampler). */
function composeWide(
  composer: WideComposer,
  dst: Raster,
  region: Region,
  box: Rect,
  source: Operand,
  mask: Operand | undefined,
): void {
  const [left, top] = [Math.max(0, box.left), Math.max(0, box.top)];
  const width = Math.min(dst.width, box.right) - left;
  const made = createRaster(dst.format, width, Math.min(dst.height, box.bottom) - top);
  const src = wideSampler(source.raster, source.matrix, source.filter, source.repeat);
  const through = mask && wideSampler(mask.raster, mask.matrix, mask.filter, mask.repeat);
  const row = new Float32Array(width * 4);
  const srcRow = new Float32Array(width * 4);
  const maskRow = mask && new Float32Array(width * 4);
  const words = new Uint32Array(width);
  for (let y = 0; y < made.height; y++) {
    const [dx, dy] = [left - box.left, y + top - box.top];
    through?.row(dx + mask!.origin.x, dy + mask!.origin.y, width, maskRow!);
    src.row(dx + source.origin.x, dy + source.origin.y, width, srcRow, maskRow);
    readWide(dst, (y + top) * dst.width + left, width, row);
    composer(row, srcRow, maskRow, width);
    writeWide(made, y * width, width, row, words);
  }
  blit(dst, region, made, left, top);
}
