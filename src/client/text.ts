/** The letters of draw_text as one picture of alpha, as large as all of them. */
import { StringFlags } from '../protocol/constants.ts';
import { type GlyphString, glyphBits, type RasterGlyph } from '../protocol/draw.ts';
import { createRaster, type Raster } from './raster.ts';

export interface Letters {
  readonly mask: Raster;
  /** Where the mask's first pixel lies on the surface. */
  readonly x: number;
  readonly y: number;
}

const left = ({ renderPos, glyphOrigin }: RasterGlyph) => renderPos.x + glyphOrigin.x;
const top = ({ renderPos, glyphOrigin }: RasterGlyph) => renderPos.y + glyphOrigin.y;

/** Draws the letters. Where they overlap the greater alpha counts. Undefined if the picture would have over `most` pixels. */
export function letters({ flags, glyphs }: GlyphString, most: number): Letters | undefined {
  const bits = glyphBits(flags);
  const drawn = glyphs.filter(({ width, height }) => width > 0 && height > 0);
  if (bits === 0 || drawn.length === 0) return { mask: createRaster('a8', 0, 0), x: 0, y: 0 };
  let [x, y, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const glyph of drawn) {
    x = Math.min(x, left(glyph));
    y = Math.min(y, top(glyph));
    right = Math.max(right, left(glyph) + glyph.width);
    bottom = Math.max(bottom, top(glyph) + glyph.height);
  }
  if ((right - x) * (bottom - y) > most) return undefined;
  const mask = createRaster('a8', right - x, bottom - y);
  for (const glyph of drawn) {
    const rowBytes = (glyph.width * bits + 7) >> 3;
    for (let row = 0; row < glyph.height; row++) {
      // Letters are stored from their lowest row on, unless the flags say otherwise.
      const from = rowBytes * (flags & StringFlags.rasterTopDown ? row : glyph.height - 1 - row);
      const to = (top(glyph) - y + row) * mask.width + left(glyph) - x;
      for (let i = 0; i < glyph.width; i++) {
        const alpha = alphaOf(glyph.data, from, i, bits);
        // Stored with its upper bits cut off: see `alphaOf`.
        if (alpha > mask.px[to + i]!) mask.px[to + i] = alpha;
      }
    }
  }
  return { mask, x, y };
}

/**
 * The first pixel of a byte is in its upper bits. Four bits are the upper half of an alpha whose lower half is 0. The second
 * pixel of a byte comes with the first one's bits above it, as in the reference, where it then wins over a letter drawn
 * before it unless the first pixel is clear.
 */
function alphaOf(data: Uint8Array, row: number, i: number, bits: 1 | 4 | 8): number {
  if (bits === 8) return data[row + i]!;
  if (bits === 4) return i & 1 ? data[row + (i >> 1)]! << 4 : data[row + (i >> 1)]! & 0xf0;
  return (data[row + (i >> 3)]! << (i & 7)) & 0x80 ? 255 : 0;
}
