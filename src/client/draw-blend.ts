/** The commands that mix a picture with what is there by its alpha, and the frames of videos. */
import { AlphaFlags, BitmapFmt, CompositeFlags } from '../protocol/constants.ts';
import type { Image, Rect } from '../protocol/draw.ts';
import { blit } from './blit.ts';
import { type Command, eachRow, putOver, sameSize, scaled, target, Undrawable } from './canvas.ts';
import { composerOf } from './compose.ts';
import { forSurface, type Raster, readWords, withAlpha, writeWords } from './raster.ts';
import { boxRegion, clipTo, isEmpty, type Region } from './region.ts';
import { Filter, matrixOf, Repeat, sampler, scaling } from './sample.ts';

export const drawAlphaBlend: Command<'draw_alpha_blend'> = (dst, body, pictures) => {
  const region = target(dst, body.base);
  if (body.alpha === 0 || isEmpty(region)) return [];
  if (body.srcBitmap === null) throw new Undrawable('no source picture');
  const { box } = body.base;
  const { srcArea: area, alphaFlags } = body;
  let src = pictures.picture(body.srcBitmap);
  if (src.px === dst.px) src = { ...src, px: src.px.slice() };
  const { srcBitmap } = body;
  if (srcBitmap.type === 'surface' && alphaFlags & AlphaFlags.srcSurfaceHasAlpha) src = withAlpha(src, true);
  // Palette entries are in the surface's format, so that on one with alpha they have alpha too.
  if (srcBitmap.type === 'bitmap' && srcBitmap.format <= BitmapFmt['8bit'] && dst.format === 'a888') {
    src = withAlpha(src, true);
  }
  const onto = alphaFlags & AlphaFlags.destHasAlpha ? withAlpha(dst, true) : dst;
  const reader = sameSize(box, area)
    ? sampler(src, undefined, Filter.nearest, Repeat.none)
    : scaled(src, box, area, Filter.nearest);
  const [ox, oy] = sameSize(box, area) ? [area.left - box.left, area.top - box.top] : [-box.left, -box.top];
  putOver(onto, region, body.alpha, (x, y, count, out) => reader.row(x + ox, y + oy, count, out));
  return region;
};

export const drawComposite: Command<'draw_composite'> = (dst, body, pictures) => {
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
