/** Where a drawing stands in its window, and how large. Plain numbers: x and y are the drawing's corner in window pixels. */

export interface Place {
  readonly x: number;
  readonly y: number;
  readonly scale: number;
}
export interface Size {
  readonly width: number;
  readonly height: number;
}

const least = 0.08;
const mostScale = 4;

/** The whole drawing in the window, no larger than it is. */
export function whole(window: Size, drawing: Size, margin = 12): Place {
  const room = (size: number) => Math.max(50, size - 2 * margin);
  const scale = Math.max(least, Math.min(1, room(window.width) / drawing.width, room(window.height) / drawing.height));
  return {
    x: (window.width - drawing.width * scale) / 2,
    y: Math.max(margin, (window.height - drawing.height * scale) / 2),
    scale,
  };
}

/** Larger or smaller, with the point of the window under the pointer staying where it is. */
export function zoom(place: Place, factor: number, x: number, y: number): Place {
  const scale = Math.max(least, Math.min(mostScale, place.scale * factor));
  const k = scale / place.scale;
  return { x: x - (x - place.x) * k, y: y - (y - place.y) * k, scale };
}

export const pan = (place: Place, dx: number, dy: number): Place => ({ ...place, x: place.x + dx, y: place.y + dy });

/** A box of the drawing in the middle of the window, large enough to be read. */
export function centre(place: Place, window: Size, box: { x: number; y: number } & Size): Place {
  const scale = Math.max(place.scale, 0.8);
  return {
    x: window.width / 2 - (box.x + box.width / 2) * scale,
    y: window.height / 2 - (box.y + box.height / 2) * scale,
    scale,
  };
}

/** Where to begin: the whole drawing if its words can be read so, else what matters of it, readable. */
export function beginning(window: Size, drawing: Size, matters: ({ x: number; y: number } & Size) | undefined): Place {
  const all = whole(window, drawing);
  if (all.scale >= 0.6) return all;
  const scale = 0.72;
  const box = matters ?? { x: 0, y: 0, width: drawing.width, height: 0 };
  const along = (room: number, size: number, middle: number) => {
    const free = room - size * scale;
    return free > 0 ? free / 2 : Math.min(12, Math.max(free - 12, room / 2 - middle * scale));
  };
  return {
    x: along(window.width, drawing.width, box.x + box.width / 2),
    y: along(window.height, drawing.height, box.y + box.height / 2),
    scale,
  };
}

/** Whether a box of the drawing can be seen in the window. */
export const inSight = (place: Place, window: Size, box: { x: number; y: number } & Size): boolean => {
  const [x, y] = [box.x * place.scale + place.x, box.y * place.scale + place.y];
  return (
    x >= 0 && y >= 0 && x + box.width * place.scale <= window.width && y + box.height * place.scale <= window.height
  );
};
