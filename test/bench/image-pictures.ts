/**
 * The pictures of the image benches: one that looks like a photograph and one that looks like a desktop. They are drawn
 * from formulas and a fixed generator of numbers, so that every run on every machine measures the same pixels.
 */
import type { Pixels } from '../../src/image/pixels.ts';

/** Numbers from 0 to below 2^32, the same in every run: xorshift32. */
export function xorshift(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** Slopes, edges and the noise of a sensor: hardly two pixels are equal. */
export function naturalPicture(width: number, height: number): Pixels {
  const random = xorshift(20110213);
  const words = new Uint32Array(width * height);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const cloud = Math.sin(x / 97 + Math.sin(y / 61) * 2) + Math.sin(y / 143 - x / 211) + Math.sin((x + y) / 17) / 3;
      const edge = Math.sin(x / 53) * Math.sin(y / 71) > 0.3 ? 30 : 0;
      const light = 118 + cloud * 44 + edge;
      const noise = random();
      // Two dice for each colour: small deviations are more frequent than large ones.
      const red = clamp(light * 1.1 + 12 * Math.sin(x / 23) + (noise & 3) + ((noise >> 2) & 7));
      const green = clamp(light + 9 * Math.sin(y / 19) + ((noise >> 5) & 3) + ((noise >> 7) & 7));
      const blue = clamp(light * 0.8 + 30 + ((noise >> 10) & 3) + ((noise >> 12) & 7));
      words[i] = (red << 16) | (green << 8) | blue;
    }
  }
  return { width, height, data: new Uint8Array(words.buffer), alpha: false };
}

/** A desktop at work: terminals and editors full of smoothed text in several colours, with frames, bars and icons. */
export function screenPicture(width: number, height: number): Pixels {
  const random = xorshift(7);
  const words = new Uint32Array(width * height);
  const fill = (left: number, top: number, right: number, bottom: number, color: number) => {
    for (let y = Math.max(0, top); y < Math.min(height, bottom); y++) {
      words.fill(color, y * width + Math.max(0, left), y * width + Math.min(width, right));
    }
  };
  for (let y = 0; y < height; y++) {
    const shade = 40 + Math.floor((y * 60) / height);
    fill(0, y, width, y + 1, (shade << 16) | ((shade + 20) << 8) | (shade + 60));
  }
  // 96 letters of 7 by 11 pixels: strokes of full ink with lighter pixels beside them, as a smoothed font has.
  const glyphs = Array.from({ length: 96 }, () => {
    const ink = new Uint8Array(7 * 11);
    for (let stroke = 0; stroke < 3; stroke++) {
      const upright = random() % 2 === 0;
      const at = random() % (upright ? 6 : 10);
      const from = random() % 4;
      for (let i = from; i < (upright ? 11 : 7); i++) {
        const here = upright ? i * 7 + at : at * 7 + i;
        ink[here] = 255;
        const beside = here + (upright ? 1 : 7);
        if (ink[beside] === 0) ink[beside] = 60 + (random() % 3) * 40;
      }
    }
    return ink;
  });
  const mix = (back: number, fore: number, ink: number) => {
    let color = 0;
    for (const shift of [0, 8, 16]) {
      const b = (back >> shift) & 255;
      color |= (b + Math.round(((((fore >> shift) & 255) - b) * ink) / 255)) << shift;
    }
    return color;
  };
  const text = (left: number, top: number, columns: number, lines: number, back: number, inks: number[]) => {
    for (let line = 0; line < lines; line++) {
      const indent = (random() % 4) * 2;
      const length = indent + Math.floor(columns / 3) + (random() % Math.floor(columns / 2));
      let fore = inks[0]!;
      for (let column = indent; column < length; column++) {
        if (random() % 6 === 0) {
          fore = inks[random() % inks.length]!; // between words
          continue;
        }
        const glyph = glyphs[random() % glyphs.length]!;
        for (let i = 0; i < glyph.length; i++) {
          const x = left + column * 8 + (i % 7);
          const y = top + line * 15 + Math.floor(i / 7);
          if (glyph[i]! > 0 && x < width && y < height) words[y * width + x] = mix(back, fore, glyph[i]!);
        }
      }
    }
  };
  const windowWidth = Math.floor(width * 0.52);
  const windowHeight = Math.floor(height * 0.56);
  for (let i = 0; i < 5; i++) {
    const left = 8 + Math.floor((i % 2) * width * 0.46) + (random() % 24);
    const top = 8 + Math.floor((i % 3) * height * 0.2) + (random() % 24);
    const right = left + windowWidth;
    const bottom = top + windowHeight;
    const dark = i % 2 === 0;
    const back = dark ? 0x1e1e1e : 0xffffff;
    const inks = dark ? [0xd4d4d4, 0x569cd6, 0xce9178, 0x6a9955] : [0x000000, 0x0000c0, 0x804000, 0x707070];
    fill(left - 1, top - 1, right + 1, bottom + 1, 0x101010);
    fill(left, top, right, bottom, back);
    for (let y = 0; y < 24; y++) fill(left, top + y, right, top + y + 1, 0x3060a0 + y * 0x020202);
    fill(left, top + 24, right, top + 56, 0xe8e8e8);
    for (let icon = 0; icon < 16; icon++) {
      for (let y = 0; y < 20; y++) {
        const color = (random() & 0xffffff) | 0x404040;
        fill(left + 8 + icon * 30 + (y >> 2), top + 30 + y, left + 28 + icon * 30 - (y >> 2), top + 31 + y, color);
      }
    }
    text(left + 10, top + 62, Math.floor(windowWidth / 8) - 3, Math.floor((windowHeight - 66) / 15), back, inks);
  }
  return { width, height, data: new Uint8Array(words.buffer), alpha: false };
}

function clamp(value: number): number {
  return Math.max(0, Math.min(255, Math.round(value)));
}
