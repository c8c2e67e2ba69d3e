/** Writes a picture as binary PPM (P6), the form that QEMU's screendump has by default. Pure. */

/** `pixels`: width × height × 4 bytes, blue first, the fourth without meaning. */
export function encodePpm(picture: {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}): Uint8Array {
  const { width, height, pixels } = picture;
  const head = new TextEncoder().encode(`P6\n${width} ${height}\n255\n`);
  const bytes = new Uint8Array(head.length + width * height * 3);
  bytes.set(head);
  for (let from = 0, to = head.length; to < bytes.length; from += 4, to += 3) {
    bytes[to] = pixels[from + 2]!;
    bytes[to + 1] = pixels[from + 1]!;
    bytes[to + 2] = pixels[from]!;
  }
  return bytes;
}
