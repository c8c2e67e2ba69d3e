/** A picture made small: nearest pixels, for a glance. Runs anywhere. */

/** Rows of B, G, R and a byte that does not count. */
export interface Bgrx {
  readonly width: number;
  readonly height: number;
  /** Bytes from one row to the next. */
  readonly stride: number;
  readonly data: Uint8Array;
}

/** RGBA, at most `most` pixels wide. The picture is only read. */
export function thumbnail(picture: Bgrx, most: number): { width: number; height: number; pixels: Uint8Array } {
  const { data } = picture;
  const scale = Math.max(1, picture.width / most);
  const width = Math.max(1, Math.round(picture.width / scale));
  const height = Math.max(1, Math.round(picture.height / scale));
  const columns = new Uint32Array(width);
  for (let x = 0; x < width; x++) columns[x] = 4 * Math.min(picture.width - 1, Math.floor((x + 0.5) * scale));
  const pixels = new Uint8Array(width * height * 4);
  let to = 0;
  for (let y = 0; y < height; y++) {
    const row = Math.min(picture.height - 1, Math.floor((y + 0.5) * scale)) * picture.stride;
    for (let x = 0; x < width; x++, to += 4) {
      const from = row + columns[x]!;
      // Beyond its end a picture is black.
      pixels[to] = data[from + 2]!;
      pixels[to + 1] = data[from + 1]!;
      pixels[to + 2] = data[from]!;
      pixels[to + 3] = 255;
    }
  }
  return { width, height, pixels };
}
