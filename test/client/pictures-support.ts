/** Short ways to write display messages and to look at what came of them, for the tests beside this file. */
import { Screen } from '../../src/client/screen.ts';
import { SurfaceFmt } from '../../src/protocol/constants.ts';

export const rect = (left: number, top: number, right: number, bottom: number) => ({ top, left, bottom, right });
export const all = { type: 'none' } as const;
export const rects = (...list: ReturnType<typeof rect>[]) => ({ type: 'rects', rects: list }) as const;
export const noMask = { flags: 0, pos: { x: 0, y: 0 }, bitmap: null };
export const solid = (color: number) => ({ type: 'solid', color }) as const;

let nextId = 1n;
/** A 32-bit bitmap, its rows given from the top as words. */
export const words = (rows: readonly (readonly number[])[], more: object = {}) => {
  const [x, y] = [rows[0]!.length, rows.length];
  const data = new Uint8Array(Uint32Array.from(rows.flat()).buffer);
  const shape = { format: 8, bitmapFlags: 4, x, y, stride: x * 4, palette: null, data };
  return { id: nextId++, type: 'bitmap', flags: 0, width: x, height: y, ...shape, ...more };
};

export const create = (surfaceId: number, width: number, height: number, format: number, flags: number) => ({
  type: 'msg.surface_create',
  body: { surfaceId, width, height, format, flags },
});

/** A screen with a primary surface of that size. */
export function screenOf(width: number, height: number, format: number = SurfaceFmt['32_xrgb'], options = {}): Screen {
  const screen = new Screen(options);
  screen.apply(create(0, width, height, format, 1));
  return screen;
}

/** Draws on surface 0 (or `surfaceId` of the fields). */
export function draw(
  screen: Screen,
  name: string,
  box: object,
  fields: object,
  clip: object = all,
  surfaceId = 0,
): void {
  screen.apply({ type: `msg.${name}`, body: { base: { surfaceId, box, clip }, ...fields } });
}

/** A copy of an image to a place of its own size. */
export const copy = (screen: Screen, image: any, left: number, top: number, more: object = {}, clip: object = all) =>
  draw(
    screen,
    'draw_copy',
    rect(left, top, left + image.width, top + image.height),
    {
      srcBitmap: image,
      srcArea: rect(0, 0, image.width, image.height),
      ropDescriptor: 8,
      scaleMode: 1,
      mask: noMask,
      ...more,
    },
    clip,
  );

export const fill = (screen: Screen, box: object, color: number, more: object = {}, clip: object = all) =>
  draw(screen, 'draw_fill', box, { brush: solid(color), ropDescriptor: 8, mask: noMask, ...more }, clip);

/** The colours of a surface as rows of 0xRRGGBB. */
export function seen(screen: Screen, id = 0): number[][] {
  const picture = screen.surface(id)!;
  const colors = new Uint32Array(picture.data.buffer, picture.data.byteOffset, picture.width * picture.height);
  return Array.from({ length: picture.height }, (_, y) =>
    Array.from({ length: picture.width }, (_, x) => colors[y * picture.width + x]! & 0xffffff),
  );
}
