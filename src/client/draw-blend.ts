/** The command that puts a picture over what is there by its alpha, and the frames of videos. */
import { AlphaFlags, BitmapFmt } from '../protocol/constants.ts';
import type { Rect } from '../protocol/draw.ts';
import { blit } from './blit.ts';
import { type Command, eachRow, putOver, sameSize, scaled, target, Undrawable } from './canvas.ts';
import { type Raster, withAlpha, writeWords } from './raster.ts';
import { boxRegion, clipTo, isEmpty, type Region } from './region.ts';
import { Filter, Repeat, sampler, scaling } from './sample.ts';

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
