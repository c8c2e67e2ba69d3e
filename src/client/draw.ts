/** The drawing commands by the names of their messages. Pure: the pictures that they refer to have been decoded before. */
import {
  copyBits,
  drawBlackness,
  drawCopy,
  drawFill,
  drawInvers,
  drawOpaque,
  drawRop3,
  drawTransparent,
  drawWhiteness,
} from './draw-areas.ts';
import { drawAlphaBlend } from './draw-blend.ts';
import { drawComposite } from './draw-composite.ts';
import { drawStroke, drawText } from './draw-ink.ts';

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
