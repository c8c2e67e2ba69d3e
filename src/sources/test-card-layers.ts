/**
 * What the test card's picture is made of, bottom layer first. Every layer follows from the state alone: it says what has
 * changed between two states, and paints any piece of itself. Pure; runs anywhere.
 */

import { MouseMode } from '../protocol/main.ts';
import type { Canvas } from './canvas.ts';
import type { Rect } from './console.ts';
import { glyphAdvance, glyphHeight } from './font.ts';
import { keyName } from './key-names.ts';
import { around, intersect, isEmptyRect, rectAt, sameRect } from './rect.ts';
import type { GuestState } from './test-card-state.ts';

export interface Layer {
  /** One colour and never anything else: 0xRRGGBB. */
  readonly solid?: number;
  /** Where it is. */
  area(state: GuestState): Rect;
  /** What of the picture has to be painted anew. */
  changes(from: GuestState, to: GuestState): Rect[];
  paint(canvas: Canvas, state: GuestState, clip: Rect): void;
}

/** The black row on top, which `readTestCard` reads (read-test-card.ts): flag, tick count, last key. */
export const strip = {
  left: 8,
  top: 8,
  /** Side of a square, pixels. */
  square: 8,
  flag: [0xff0000, 0x00ff00, 0x0000ff, 0xffff00],
  tickBits: 32,
  keyBits: 16,
} as const;

const stripBits = strip.tickBits + strip.keyBits;

/** Rows of the band at the bottom, and how far it goes at a tick. */
export const band = { height: 16, below: 8, step: 2 } as const;

export const bandArea = ({ width, height }: GuestState): Rect =>
  rectAt(0, height - band.below - band.height, width, band.height);

const barsTop = 24;
/** What is below the bars. */
const footHeight = 168;
const barColors = [0xc0c0c0, 0xc0c000, 0x00c0c0, 0x00c000, 0xc000c0, 0xc00000, 0x0000c0];
const ink = 0xffffff;
const dim = 0x505050;
const lit = 0xffc000;

/** All layers for a screen of this size. */
export function layersFor({ width, height }: { width: number; height: number }): readonly Layer[] {
  const foot = height - footHeight;
  const line = (n: number) => foot + 36 + n * 20;
  return [
    solid(rectAt(0, 0, width, height), 0x000000),
    ...barColors.map((color, i) => {
      const left = Math.floor((width * i) / barColors.length);
      const right = Math.floor((width * (i + 1)) / barColors.length);
      return solid({ left, top: barsTop, right, bottom: foot }, color);
    }),
    square({ left: 0, top: barsTop, right: width, bottom: foot }),
    stripLayer,
    text(Math.floor((width - 10 * glyphAdvance * 5) / 2), foot + 10, 5, width, clockText),
    text(8, line(1), 2, width, ({ name }) => name),
    text(8, line(2), 2, width, ({ keys }) => `KEYS ${keys.map(keyName).join(' ')}`),
    text(8, line(3), 2, 304, ({ pointer, mouseMode }) => {
      return `POINTER ${pointer.x},${pointer.y} ${mouseMode === MouseMode.client ? 'CLIENT' : 'SERVER'}`;
    }),
    ...[0, 1, 2, 3, 4].map((i) => lamp(rectAt(312 + i * 16, line(3), 12, 14), ({ buttons }) => (buttons >> i) & 1)),
    lockLabel(8, line(4), 'SCROLL', 0),
    lockLabel(92, line(4), 'NUM', 1),
    lockLabel(140, line(4), 'CAPS', 2),
    text(204, line(4), 2, 246, () => 'MIC'),
    meter(rectAt(248, line(4), 160, 14)),
    pointerRing,
    bandLayer,
  ];
}

/** hh:mm:ss.t of the guest's own time. */
export function clockText({ time }: { time: number }): string {
  const tenths = Math.floor(time / 100);
  const two = (n: number) => String(n).padStart(2, '0');
  const seconds = Math.floor(tenths / 10);
  const hours = Math.floor(seconds / 3600) % 100;
  return `${two(hours)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}.${tenths % 10}`;
}

function solid(area: Rect, color: number): Layer {
  return {
    solid: color,
    area: () => area,
    changes: () => [],
    paint: (canvas, _state, clip) => canvas.fill(area, color, clip),
  };
}

/** A line of letters on black, cut off at `right`. Only the letters that differ are painted anew. */
function text(left: number, top: number, scale: number, right: number, of: (state: GuestState) => string): Layer {
  const [pitch, height] = [glyphAdvance * scale, glyphHeight * scale];
  const fits = Math.max(0, Math.floor((right - left) / pitch));
  const shown = (state: GuestState) => of(state).slice(0, fits);
  const letters = (from: number, to: number) => rectAt(left + from * pitch, top, (to - from) * pitch, height);
  return {
    area: () => letters(0, fits),
    changes: (before, after) => {
      const [a, b] = [shown(before), shown(after)];
      if (a === b) return [];
      const differs = (i: number) => a[i] !== b[i];
      let [first, end] = [0, Math.max(a.length, b.length)];
      while (!differs(first)) first++;
      while (!differs(end - 1)) end--;
      return [letters(first, end)];
    },
    paint: (canvas, state, clip) => {
      canvas.fill(letters(0, fits), 0x000000, clip);
      canvas.text(left, top, scale, shown(state), ink, clip);
    },
  };
}

/** A place whose colour follows from the state. */
function lamp(area: Rect, of: (state: GuestState) => number): Layer {
  return {
    area: () => area,
    changes: (before, after) => (of(before) === of(after) ? [] : [area]),
    paint: (canvas, state, clip) => canvas.fill(area, of(state) ? lit : dim, clip),
  };
}

function lockLabel(left: number, top: number, label: string, bit: number): Layer {
  const area = rectAt(left, top, label.length * glyphAdvance * 2, glyphHeight * 2);
  const of = ({ modifiers }: GuestState) => (modifiers >> bit) & 1;
  return {
    area: () => area,
    changes: (before, after) => (of(before) === of(after) ? [] : [area]),
    paint: (canvas, state, clip) => {
      canvas.fill(area, 0x000000, clip);
      canvas.text(left, top, 2, label, of(state) ? lit : dim, clip);
    },
  };
}

/** How loud the microphone is, 20 steps. */
function meter(area: Rect): Layer {
  const steps = 20;
  const of = ({ heard }: GuestState) => Math.ceil((heard.peak * steps) / 32768);
  const end = (n: number) => area.left + Math.floor(((area.right - area.left) * n) / steps);
  return {
    area: () => area,
    changes: (before, after) => {
      const [a, b] = [of(before), of(after)];
      return a === b ? [] : [{ ...area, left: end(Math.min(a, b)), right: end(Math.max(a, b)) }];
    },
    paint: (canvas, state, clip) => {
      canvas.fill(area, dim, clip);
      canvas.fill({ ...area, right: end(of(state)) }, lit, clip);
    },
  };
}

/** A square that is thrown about within `room`. */
function square(room: Rect): Layer {
  const size = 32;
  const swing = (distance: number, range: number) => {
    const at = distance % (2 * range);
    return at < range ? at : 2 * range - at;
  };
  const area = ({ ticks }: GuestState) =>
    rectAt(
      room.left + swing(ticks * 3, room.right - room.left - size),
      room.top + swing(ticks * 2, room.bottom - room.top - size),
      size,
      size,
    );
  return {
    area,
    changes: moved(area),
    paint: (canvas, state, clip) => {
      const { left, top } = area(state);
      canvas.fill(rectAt(left, top, size, size), 0x000000, clip);
      canvas.fill(rectAt(left + 3, top + 3, size - 6, size - 6), ink, clip);
    },
  };
}

/** A ring around the pointer, in the buttons' colour while one is held. */
const pointerRing: Layer = (() => {
  const reach = 7;
  const area = ({ pointer, width, height }: GuestState) =>
    intersect(
      rectAt(pointer.x - reach, pointer.y - reach, 2 * reach + 1, 2 * reach + 1),
      rectAt(0, barsTop, width, height - barsTop),
    );
  const changes = moved(area);
  return {
    area,
    changes: (before, after) => {
      const [a, b] = [area(before), area(after)];
      if ((before.buttons === 0) === (after.buttons === 0)) return changes(before, after);
      return sameRect(a, b) ? [b] : [a, b];
    },
    paint: (canvas, state, clip) => {
      const visible = intersect(clip, area(state));
      const { x, y } = state.pointer;
      const color = state.buttons === 0 ? ink : lit;
      for (const [thickness, shade] of [
        [3, 0x000000],
        [1, color],
      ] as const) {
        const inset = thickness === 3 ? 0 : 1;
        const [near, side] = [reach - inset, 2 * (reach - inset) + 1];
        canvas.fill(rectAt(x - near, y - near, side, thickness), shade, visible);
        canvas.fill(rectAt(x - near, y + near - thickness + 1, side, thickness), shade, visible);
        canvas.fill(rectAt(x - near, y - near, thickness, side), shade, visible);
        canvas.fill(rectAt(x + near - thickness + 1, y - near, thickness, side), shade, visible);
      }
    },
  };
})();

/** Changes of a layer that only ever changes its place. */
function moved(area: (state: GuestState) => Rect): Layer['changes'] {
  return (before, after) => {
    const [a, b] = [area(before), area(after)];
    if (sameRect(a, b)) return [];
    return isEmptyRect(intersect(a, b)) ? [a, b] : [around(a, b)];
  };
}

/** Flag, tick count and last key as squares, so that a program can read them off any screenshot. */
const stripLayer: Layer = (() => {
  const bits = ({ ticks, keys }: GuestState): string =>
    (ticks % 2 ** strip.tickBits).toString(2).padStart(strip.tickBits, '0') +
    (keys.at(-1) ?? 0).toString(2).padStart(strip.keyBits, '0');
  const squares = (from: number, to: number) =>
    rectAt(strip.left + (strip.flag.length + from) * strip.square, strip.top, (to - from) * strip.square, strip.square);
  return {
    area: () => squares(-strip.flag.length, stripBits),
    changes: (before, after) => {
      const [a, b] = [bits(before), bits(after)];
      if (a === b) return [];
      const differs = (_: string, i: number) => a[i] !== b[i];
      // One rectangle around all that differ: whoever looks between two of them must not read half a number.
      return [squares([...a].findIndex(differs), [...a].findLastIndex(differs) + 1)];
    },
    paint: (canvas, state, clip) => {
      for (const [i, color] of strip.flag.entries()) {
        canvas.fill(squares(i - strip.flag.length, i - strip.flag.length + 1), color, clip);
      }
      for (const [i, bit] of [...bits(state)].entries()) {
        canvas.fill(squares(i, i + 1), bit === '1' ? ink : 0x000000, clip);
      }
    },
  };
})();

/** A rainbow that wanders to the left. The picture moves it by copying, so nothing may lie over it. */
const bandLayer: Layer = {
  area: bandArea,
  changes: () => [],
  paint: (canvas, state, clip) => {
    const { left, right, top, bottom } = intersect(bandArea(state), clip);
    for (let x = left; x < right; x++) {
      canvas.fill({ left: x, right: x + 1, top, bottom }, rainbow(x + state.ticks * band.step));
    }
  },
};

function rainbow(n: number): number {
  const at = (n * 4) % 768;
  const up = at & 0xff;
  const down = 0xff - up;
  if (at < 256) return (down << 16) | (up << 8);
  return at < 512 ? (down << 8) | up : (up << 16) | down;
}
