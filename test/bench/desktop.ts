/**
 * A minute of somebody's desktop, the same in every run: typing, a terminal that scrolls, a window that is dragged, menus that
 * open and close, a film, photographs. It is what an application or a display adapter hands to a server: rectangles that
 * have changed, and their pixels.
 */
import { naturalPicture, screenPicture, xorshift } from './image-pictures.ts';

export interface Area {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** What changes at a moment, in milliseconds from the beginning. `pixels`: rows of BGRX without gaps. */
export interface Step {
  readonly at: number;
  readonly area: Area;
  readonly pixels: Uint8Array;
}

export const desktopSize = { width: 1024, height: 768 } as const;
export const desktopMs = 60_000;

interface Sheet {
  readonly width: number;
  readonly words: Uint32Array;
}

const sheetOf = ({ width, data }: { width: number; data: Uint8Array }): Sheet => ({
  width,
  words: new Uint32Array(data.buffer, data.byteOffset, data.byteLength >> 2),
});
const areaAt = (left: number, top: number, width: number, height: number): Area => ({
  left,
  top,
  right: left + width,
  bottom: top + height,
});

/** The steps of the minute, in their order. */
export function* desktop(): Generator<Step> {
  const { width, height } = desktopSize;
  const random = xorshift(60);
  const screen: Sheet = { width, words: new Uint32Array(width * height) };
  const wallpaper = sheetOf(screenPicture(width, height));
  const text = sheetOf(screenPicture(720, 2_400));
  const photo = sheetOf(naturalPicture(900, 700));

  const paint = (from: Sheet, x: number, y: number, to: Area) => {
    for (let row = to.top; row < to.bottom; row++) {
      const at = (y + row - to.top) * from.width + x;
      screen.words.set(from.words.subarray(at, at + to.right - to.left), row * width + to.left);
    }
  };
  const fill = (area: Area, color: number) => {
    for (let row = area.top; row < area.bottom; row++) {
      screen.words.fill(color, row * width + area.left, row * width + area.right);
    }
  };
  const shown = (at: number, area: Area): Step => {
    const words = new Uint32Array((area.right - area.left) * (area.bottom - area.top));
    for (let row = area.top, i = 0; row < area.bottom; row++, i += area.right - area.left) {
      words.set(screen.words.subarray(row * width + area.left, row * width + area.right), i);
    }
    return { at, area, pixels: new Uint8Array(words.buffer) };
  };

  paint(wallpaper, 0, 0, areaAt(0, 0, width, height));
  yield shown(0, areaAt(0, 0, width, height));

  // An editor: a letter now and then, a caret that blinks.
  const editor = areaAt(60, 80, 520, 320);
  fill(editor, 0xffffff);
  yield shown(500, editor);
  let caret = false;
  for (let at = 700, letter = 0, blink = 700; at < 12_000; at += 70 + (random() % 80), letter++) {
    const [column, line] = [letter % 62, Math.floor(letter / 62)];
    const cell = areaAt(64 + column * 8, 84 + line * 15, 8, 15);
    paint(text, 20 + column * 8, 90 + line * 15, cell);
    yield shown(at, cell);
    if (at >= blink) {
      caret = !caret;
      const bar = areaAt(cell.right, cell.top, 2, 15);
      fill(bar, caret ? 0 : 0xffffff);
      yield shown(at, bar);
      blink += 500;
    }
  }

  // A terminal: its text moves up by a line, ten times a second.
  const terminal = areaAt(300, 150, 640, 480);
  for (let at = 12_000, line = 0; at < 24_000; at += 100, line++) {
    paint(text, 10, 20 + line * 15, terminal);
    yield shown(at, terminal);
  }

  // A window that is dragged across all of it.
  const behind: Sheet = { width, words: screen.words.slice() };
  let place = areaAt(20, 20, 400, 300);
  for (let at = 24_000, i = 0; at < 32_000; at += 40, i++) {
    const before = place;
    const angle = i / 30;
    place = areaAt(Math.floor(300 + 280 * Math.sin(angle)), Math.floor(220 + 200 * Math.cos(angle * 1.3)), 400, 300);
    const both: Area = {
      left: Math.min(before.left, place.left),
      top: Math.min(before.top, place.top),
      right: Math.max(before.right, place.right),
      bottom: Math.max(before.bottom, place.bottom),
    };
    paint(behind, both.left, both.top, both);
    paint(text, 100, 600, place);
    yield shown(at, both);
  }

  // Menus: the same few again and again.
  const under: Sheet = { width, words: screen.words.slice() };
  for (let at = 32_000; at < 40_000; at += 400) {
    const menu = areaAt(40 + (random() % 4) * 200, 40, 170, 230);
    paint(text, 30 + (menu.left % 7) * 40, 1_400, menu);
    yield shown(at, menu);
    paint(under, menu.left, menu.top, menu);
    yield shown(at + 250, menu);
  }

  // A film.
  const film = areaAt(352, 250, 320, 240);
  for (let at = 40_000, i = 0; at < 52_000; at += 40, i++) {
    paint(photo, Math.floor(280 + 270 * Math.sin(i / 40)), Math.floor(220 + 200 * Math.cos(i / 31)), film);
    yield shown(at, film);
  }

  // Photographs.
  const frame = areaAt(180, 120, 640, 480);
  for (let at = 52_500, i = 0; at < 58_500; at += 1_400, i++) {
    paint(photo, i * 55, i * 45, frame);
    yield shown(at, frame);
  }
}
