/** A console that keeps what a guest does to it: the pixels a client would have, the sound it would have heard. */
import { Subject } from 'rxjs';
import type { Console, GuestInput, Rect } from '../../src/sources/console.ts';

export interface TestConsole extends Console {
  readonly input: Subject<GuestInput>;
  readonly record: Console['record'] & { readonly heard: Subject<Int16Array> };
  /** width × height, 0xRRGGBB. */
  screen: { width: number; height: number; pixels: Uint32Array };
  readonly calls: string[];
  readonly sound: number[];
  /** Bytes of pixels since it was last set to 0. */
  drawn: number;
  readonly modes: { supported: number; current: number }[];
  modifiers: number | undefined;
  mouseMode: number;
  readonly pointers: { x: number; y: number }[];
}

export function createTestConsole(): TestConsole {
  const input = new Subject<GuestInput>();
  const heard = new Subject<Int16Array>();
  const inside = (rect: Rect) => {
    const { width, height } = made.screen;
    const fits = rect.left >= 0 && rect.top >= 0 && rect.right <= width && rect.bottom <= height;
    if (!fits || rect.right <= rect.left || rect.bottom <= rect.top) {
      throw new Error(`${JSON.stringify(rect)} is empty or not on a screen of ${width} x ${height}`);
    }
  };
  const each = (rect: Rect, paint: (x: number, y: number) => number) => {
    const { width, pixels } = made.screen;
    const before = pixels.slice();
    for (let y = rect.top; y < rect.bottom; y++) {
      for (let x = rect.left; x < rect.right; x++) pixels[y * width + x] = paint(x, y);
    }
    return before;
  };
  const made: TestConsole = {
    screen: { width: 0, height: 0, pixels: new Uint32Array() },
    calls: [],
    sound: [],
    drawn: 0,
    modes: [],
    modifiers: undefined,
    pointers: [],
    input,
    display: {
      resize: (width, height) => {
        made.screen = { width, height, pixels: new Uint32Array(width * height) };
        made.calls.push(`resize ${width} ${height}`);
      },
      draw: (rect, pixels) => {
        inside(rect);
        const width = rect.right - rect.left;
        if (pixels.length !== width * (rect.bottom - rect.top) * 4) throw new Error('not the pixels of that rectangle');
        made.drawn += pixels.length;
        each(rect, (x, y) => {
          const at = ((y - rect.top) * width + x - rect.left) * 4;
          return (pixels[at + 2]! << 16) | (pixels[at + 1]! << 8) | pixels[at]!;
        });
        made.calls.push('draw');
      },
      fill: (rect, color) => {
        inside(rect);
        each(rect, () => color);
        made.calls.push('fill');
      },
      copy: (rect, from) => {
        inside(rect);
        inside({
          left: from.x,
          top: from.y,
          right: from.x + rect.right - rect.left,
          bottom: from.y + rect.bottom - rect.top,
        });
        const { width, pixels } = made.screen;
        const before = pixels.slice();
        each(rect, (x, y) => before[(from.y + y - rect.top) * width + from.x + x - rect.left]!);
        made.calls.push('copy');
      },
    },
    cursor: {
      set: ({ width, height, bgra }) => {
        if (bgra.length !== width * height * 4) throw new Error('not the pixels of that cursor');
        made.calls.push('cursor set');
      },
      move: (x, y) => void made.pointers.push({ x, y }),
      hide: () => void made.calls.push('cursor hide'),
    },
    playback: {
      start: ({ channels, frequency }) => void made.calls.push(`playback start ${channels} ${frequency}`),
      write: (pcm) => void made.sound.push(...pcm),
      stop: () => void made.calls.push('playback stop'),
      volume: () => {},
      mute: () => {},
    },
    record: {
      start: ({ channels, frequency }) => void made.calls.push(`record start ${channels} ${frequency}`),
      stop: () => void made.calls.push('record stop'),
      heard,
    },
    setMouseModes: (modes) => {
      made.modes.push(modes);
      made.mouseMode = modes.current;
    },
    mouseMode: 0,
    multiMediaTime: 5_000,
    setModifiers: (modifiers) => {
      made.modifiers = modifiers;
    },
  };
  return made;
}

/** A picture's pixels in the screen's form. */
export const colorsOf = ({ pixels }: { pixels: Uint8Array }): Uint32Array =>
  Uint32Array.from({ length: pixels.length / 4 }, (_, i) => {
    return (pixels[i * 4 + 2]! << 16) | (pixels[i * 4 + 1]! << 8) | pixels[i * 4]!;
  });
