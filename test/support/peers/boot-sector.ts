/**
 * Real-mode guests of one boot sector each, which real QEMUs and their clients are tried with. Three draw in VGA mode 13h
 * (320 x 200, 256 colours, shown by QEMU as 640 x 400), count timer ticks where both people and tests can read them, report
 * keys, and sound a tone; two draw 640 x 480 pixels of 16 and 32 bits. Nothing here is taken from elsewhere, and no guest ever
 * touches its disk.
 */
import { address, assemble, type Line, label, near, op, short, word } from './assembler.ts';

/**
 * `moving` draws a clock and a running band at 18.2 Hz; `still` draws one picture and then nothing more, so screenshots
 * can be compared byte for byte; `dirtying` is `moving` that also writes to 576 KiB of memory at every tick, so that a
 * move with a small `max-bandwidth` cannot finish by itself. `deep16` and `deep32` fill the screen with colours of so many
 * bits, and change some rows of them at each tick; they say nothing that could be read.
 */
export type GuestKind = 'moving' | 'still' | 'dirtying' | 'deep16' | 'deep32';

/** The picture's size as QEMU shows mode 13h: every guest pixel is two by two. */
export const GUEST_WIDTH = 640;
export const GUEST_HEIGHT = 400;
/** The tone's pitch in hertz, as near as the timer's divisor comes. */
export const TONE_HZ = 1193182 / 2712;

/** Where the guest's words are in guest pixels: 16 squares (clock) and 8 (scan code), white for one, black for nought. */
const SQUARE = 8;
const CLOCK = { x: 24, y: 8, bits: 16 } as const;
const KEY = { x: 176, y: 8, bits: 8 } as const;
/** Four squares in a row that say "here is the guest": red, green, blue, yellow of the VGA palette. */
const FLAG = { x: 0, y: 0, colours: [4, 2, 1, 14], rgb: [0xaa0000, 0x00aa00, 0x0000aa, 0xffff55] } as const;
const BAND = { y: 96, rows: 16 } as const;

const SCREEN_WIDTH = 320;
const offset = (x: number, y: number): number => y * SCREEN_WIDTH + x;

/** Variables live right below the code, where the boot loader left nothing. */
const LAST_TICK = 0x7bf0;
const LAST_KEY = 0x7bf2;

const START: Line[] = [
  op('cli', 0xfa),
  op('cld', 0xfc),
  op('xor ax, ax', 0x31, 0xc0),
  op('mov ds, ax', 0x8e, 0xd8),
  op('mov ss, ax', 0x8e, 0xd0),
  op('mov sp, 7b00', 0xbc, ...word(0x7b00)),
  op('mov [LAST_TICK], ax', 0xa3, ...word(LAST_TICK)),
  op('mov [LAST_KEY], ax', 0xa3, ...word(LAST_KEY)),
  op('sti', 0xfb),
  op('mov ax, 0013 ; 320 x 200, 256 colours', 0xb8, ...word(0x0013)),
  op('int 10', 0xcd, 0x10),
  op('mov ax, a000', 0xb8, ...word(0xa000)),
  op('mov es, ax', 0x8e, 0xc0),
  // The ground: colour = x xor y, which has many colours and no two equal rows.
  op('xor di, di', 0x31, 0xff),
  op('xor dx, dx', 0x31, 0xd2),
  label('row'),
  op('xor cx, cx', 0x31, 0xc9),
  label('column'),
  op('mov ax, cx', 0x89, 0xc8),
  op('xor al, dl', 0x30, 0xd0),
  op('stosb', 0xaa),
  op('inc cx', 0x41),
  op('cmp cx, 320', 0x81, 0xf9, ...word(SCREEN_WIDTH)),
  op('jne column', 0x75, short('column')),
  op('inc dx', 0x42),
  op('cmp dx, 200', 0x81, 0xfa, ...word(200)),
  op('jne row', 0x75, short('row')),
  // The flag: four squares whose colours follow each other in `flag`.
  op('mov si, flag', 0xbe, address('flag')),
  op('mov di, FLAG', 0xbf, ...word(offset(FLAG.x, FLAG.y))),
  op('mov cx, 4', 0xb9, ...word(4)),
  label('flag square'),
  op('lodsb', 0xac),
  op('call square', 0xe8, near('square')),
  op('loop flag square', 0xe2, short('flag square')),
];

/** Says a word on the debug console, so the test knows that the picture is drawn. */
const READY: Line[] = [
  op('mov si, ready', 0xbe, address('ready')),
  op('mov cx, 6', 0xb9, ...word(6)),
  op('mov dx, e9', 0xba, ...word(0xe9)),
  op('rep outsb', 0xf3, 0x6e),
];

const STILL: Line[] = [...READY, label('rest'), op('hlt', 0xf4), op('jmp rest', 0xeb, short('rest'))];

const TONE: Line[] = [
  op('mov al, b6 ; counter 2, square wave', 0xb0, 0xb6),
  op('out 43, al', 0xe6, 0x43),
  op('mov ax, 2712', 0xb8, ...word(2712)),
  op('out 42, al', 0xe6, 0x42),
  op('mov al, ah', 0x88, 0xe0),
  op('out 42, al', 0xe6, 0x42),
  op('in al, 61', 0xe4, 0x61),
  op('or al, 3 ; speaker on, gate open', 0x0c, 0x03),
  op('out 61, al', 0xe6, 0x61),
];

const DIRTY: Line[] = [
  // Writes the tick into every 512th byte from 1000:0 up to a000:0.
  op('mov bx, 1000', 0xbb, ...word(0x1000)),
  label('dirty page'),
  op('mov es, bx', 0x8e, 0xc3),
  op('mov es:[0], ax', 0x26, 0xa3, ...word(0)),
  op('add bx, 20', 0x83, 0xc3, 0x20),
  op('cmp bx, a000', 0x81, 0xfb, ...word(0xa000)),
  op('jne dirty page', 0x75, short('dirty page')),
  op('mov es, bx ; the screen again', 0x8e, 0xc3),
];

const moving = (dirty: Line[]): Line[] => [
  ...TONE,
  ...READY,
  label('wait'),
  op('hlt', 0xf4),
  op('mov ah, 1 ; is a key waiting?', 0xb4, 0x01),
  op('int 16', 0xcd, 0x16),
  op('jz no key', 0x74, short('no key')),
  op('xor ah, ah', 0x30, 0xe4),
  op('int 16', 0xcd, 0x16),
  op('mov [LAST_KEY], ah', 0x88, 0x26, ...word(LAST_KEY)),
  // One line on the debug console: k, then the scan code in hexadecimal.
  op("mov al, 'k'", 0xb0, 0x6b),
  op('out e9, al', 0xe6, 0xe9),
  op('mov al, ah', 0x88, 0xe0),
  op('shr al, 4', 0xc0, 0xe8, 0x04),
  op('call digit', 0xe8, near('digit')),
  op('out e9, al', 0xe6, 0xe9),
  op('mov al, ah', 0x88, 0xe0),
  op('call digit', 0xe8, near('digit')),
  op('out e9, al', 0xe6, 0xe9),
  op('mov al, 0a', 0xb0, 0x0a),
  op('out e9, al', 0xe6, 0xe9),
  label('no key'),
  op('mov ax, [046c] ; the tick count', 0xa1, ...word(0x046c)),
  op('cmp ax, [LAST_TICK]', 0x3b, 0x06, ...word(LAST_TICK)),
  op('je wait', 0x74, short('wait')),
  op('mov [LAST_TICK], ax', 0xa3, ...word(LAST_TICK)),
  ...dirty,
  // The band: colour = x + tick.
  op('mov di, BAND', 0xbf, ...word(offset(0, BAND.y))),
  op('mov cx, rows * 320', 0xb9, ...word(BAND.rows * SCREEN_WIDTH)),
  label('band'),
  op('stosb', 0xaa),
  op('inc ax', 0x40),
  op('loop band', 0xe2, short('band')),
  // The clock and the last key, as squares (for tests) and in hexadecimal (for people).
  op('mov bp, [LAST_TICK]', 0x8b, 0x2e, ...word(LAST_TICK)),
  op('mov di, CLOCK', 0xbf, ...word(offset(CLOCK.x, CLOCK.y))),
  op('mov cx, 16', 0xb9, ...word(CLOCK.bits)),
  op('mov dx, row 3 column 3', 0xba, ...word(0x0303)),
  op('call number', 0xe8, near('number')),
  op('mov bp, [LAST_KEY - 1] ; the code in the high byte', 0x8b, 0x2e, ...word(LAST_KEY - 1)),
  op('mov di, KEY', 0xbf, ...word(offset(KEY.x, KEY.y))),
  op('mov cx, 8', 0xb9, ...word(KEY.bits)),
  op('mov dx, row 3 column 22', 0xba, ...word(0x0316)),
  op('call number', 0xe8, near('number')),
  op('jmp wait', 0xe9, near('wait')),

  // number: shows the top `cx` bits of bp as squares at es:di and as digits at dx. Changes ax, bx, cx, di, bp.
  label('number'),
  op('push bp', 0x55),
  op('push cx', 0x51),
  label('bit'),
  op('shl bp, 1', 0xd1, 0xe5),
  op('sbb al, al ; 255 for a one', 0x18, 0xc0),
  op('and al, 15 ; white or black', 0x24, 0x0f),
  op('call square', 0xe8, near('square')),
  op('loop bit', 0xe2, short('bit')),
  op('mov ah, 2 ; put the caret at dx', 0xb4, 0x02),
  op('xor bx, bx', 0x31, 0xdb),
  op('int 10', 0xcd, 0x10),
  op('pop cx', 0x59),
  op('shr cx, 2', 0xc1, 0xe9, 0x02),
  op('pop bp', 0x5d),
  label('hexadecimal'),
  op('rol bp, 4', 0xc1, 0xc5, 0x04),
  op('mov ax, bp', 0x89, 0xe8),
  op('call digit', 0xe8, near('digit')),
  op('mov ah, 0e ; write it', 0xb4, 0x0e),
  op('mov bl, 15', 0xb3, 0x0f),
  op('int 10', 0xcd, 0x10),
  op('loop hexadecimal', 0xe2, short('hexadecimal')),
  op('ret', 0xc3),

  // digit: al = the character of al's low four bits.
  label('digit'),
  op('and al, 0f', 0x24, 0x0f),
  op('add al, 30', 0x04, 0x30),
  op("cmp al, '9' + 1", 0x3c, 0x3a),
  op('jb a digit', 0x72, short('a digit')),
  op('add al, 27', 0x04, 0x27),
  label('a digit'),
  op('ret', 0xc3),
];

/** square: fills 8 x 8 pixels at es:di with colour al and leaves di at the next square. */
const SQUARE_ROUTINE: Line[] = [
  label('square'),
  op('push cx', 0x51),
  op('mov bl, 8', 0xb3, SQUARE),
  label('square row'),
  op('mov cx, 8', 0xb9, ...word(SQUARE)),
  op('rep stosb', 0xf3, 0xaa),
  op('add di, 312', 0x81, 0xc7, ...word(SCREEN_WIDTH - SQUARE)),
  op('dec bl', 0xfe, 0xcb),
  op('jnz square row', 0x75, short('square row')),
  op('sub di, 8 rows less 8', 0x81, 0xef, ...word(SQUARE * SCREEN_WIDTH - SQUARE)),
  op('pop cx', 0x59),
  op('ret', 0xc3),
];

const DATA: Line[] = [
  label('flag'),
  op('colours', ...FLAG.colours),
  label('ready'),
  op('text', ...new TextEncoder().encode('ready\n')),
];

/** What the guest says on its debug console (port 0xe9) when its first picture stands. */
export const READY_WORD = 'ready';
/** The debug console's line for a key: `k` and the scan code of the press, e.g. `k1e` for A. */
export const keyWord = (scanCode: number): string => `k${scanCode.toString(16).padStart(2, '0')}`;

/** Chooses bank bp by the adapter's display interface, Bochs': an index at 1ce, its value behind it. */
const SET_BANK: Line[] = [
  op('mov dx, 1ce', 0xba, ...word(0x1ce)),
  op('mov ax, 5 ; which 64 KiB of the picture are seen at a000', 0xb8, ...word(5)),
  op('out dx, ax', 0xef),
  op('inc dx', 0x42),
  op('mov ax, bp', 0x89, 0xe8),
  op('out dx, ax', 0xef),
];

/** A guest in a mode of `bits` a pixel, 640 x 480. */
const deep = (bits: 16 | 32): Line[] => [
  op('cli', 0xfa),
  op('cld', 0xfc),
  op('xor ax, ax', 0x31, 0xc0),
  op('mov ds, ax', 0x8e, 0xd8),
  op('mov ss, ax', 0x8e, 0xd0),
  op('mov sp, 7b00', 0xbc, ...word(0x7b00)),
  op('mov [LAST_TICK], ax', 0xa3, ...word(LAST_TICK)),
  op('sti', 0xfb),
  op('mov si, mode', 0xbe, address('mode')),
  op('mov cx, 5', 0xb9, ...word(5)),
  label('register'),
  op('mov dx, 1ce', 0xba, ...word(0x1ce)),
  op('lodsw', 0xad),
  op('out dx, ax', 0xef),
  op('inc dx', 0x42),
  op('lodsw', 0xad),
  op('out dx, ax', 0xef),
  op('loop register', 0xe2, short('register')),
  op('mov ax, a000', 0xb8, ...word(0xa000)),
  op('mov es, ax', 0x8e, 0xc0),
  op('mov bp, banks', 0xbd, ...word(Math.ceil((640 * 480 * bits) / 8 / 0x10000))),
  label('bank'),
  op('dec bp', 0x4d),
  ...SET_BANK,
  op('xor di, di', 0x31, 0xff),
  op('mov cx, 8000', 0xb9, ...word(0x8000)),
  label('fill'),
  op('mov ax, di', 0x89, 0xf8),
  op('mov bx, bp', 0x89, 0xeb),
  op('xchg bl, bh', 0x86, 0xfb),
  op('xor ax, bx', 0x31, 0xd8),
  op('stosw', 0xab),
  op('loop fill', 0xe2, short('fill')),
  op('or bp, bp', 0x09, 0xed),
  op('jnz bank', 0x75, short('bank')),
  ...READY,
  label('wait'),
  op('hlt', 0xf4),
  op('mov ax, [046c] ; the tick count', 0xa1, ...word(0x046c)),
  op('cmp ax, [LAST_TICK]', 0x3b, 0x06, ...word(LAST_TICK)),
  op('je wait', 0x74, short('wait')),
  op('mov [LAST_TICK], ax', 0xa3, ...word(LAST_TICK)),
  op('mov bp, 3', 0xbd, ...word(3)),
  ...SET_BANK,
  op('mov ax, [LAST_TICK]', 0xa1, ...word(LAST_TICK)),
  op('mov di, 1000', 0xbf, ...word(0x1000)),
  op('mov cx, 2000', 0xb9, ...word(0x2000)),
  label('rows'),
  op('stosw', 0xab),
  op('add ax, 21', 0x05, ...word(0x21)),
  op('loop rows', 0xe2, short('rows')),
  op('jmp wait', 0xeb, short('wait')),
  label('mode'),
  // Off, the size, the depth, on.
  op('registers', ...[4, 0, 1, 640, 2, 480, 3, bits, 4, 1].flatMap((value) => word(value))),
  label('ready'),
  op('text', ...new TextEncoder().encode('ready\n')),
];

/** A 1.44-MB floppy image whose boot sector is the given guest. */
export function guestImage(kind: GuestKind): Uint8Array<ArrayBuffer> {
  const body = kind === 'still' ? STILL : moving(kind === 'dirtying' ? DIRTY : []);
  const lines =
    kind === 'deep16' ? deep(16) : kind === 'deep32' ? deep(32) : [...START, ...body, ...SQUARE_ROUTINE, ...DATA];
  const code = assemble(0x7c00, lines);
  if (code.length > 510) throw new Error(`the boot sector is ${code.length - 510} bytes too long`);
  const disk = new Uint8Array(1440 * 1024);
  disk.set(code);
  disk.set([0x55, 0xaa], 510);
  return disk;
}

/** Pixels as three bytes each (red, green, blue), row by row, without padding. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly rgb: Uint8Array;
}

/** The colour of a pixel as 0xrrggbb. Throws a RangeError outside the picture. */
export function pixel(picture: Picture, x: number, y: number): number {
  if (x < 0 || y < 0 || x >= picture.width || y >= picture.height) throw new RangeError(`no pixel at ${x},${y}`);
  const at = (y * picture.width + x) * 3;
  return (picture.rgb[at]! << 16) | (picture.rgb[at + 1]! << 8) | picture.rgb[at + 2]!;
}

/** Colours survive lossy coding roughly; 48 of 255 per part is far less than the flag's colours differ. */
const near48 = (one: number, other: number): boolean =>
  [16, 8, 0].every((shift) => Math.abs(((one >> shift) & 0xff) - ((other >> shift) & 0xff)) <= 48);

/**
 * Finds a guest's picture, unscaled, within a larger one (a screenshot of a client's window) by its flag. Returns the
 * place of the guest's top left corner, or undefined when the flag is not to be seen.
 */
export function findGuest(picture: Picture): { x: number; y: number } | undefined {
  const side = SQUARE * 2;
  const shows = (x: number, y: number): boolean =>
    FLAG.rgb.every((colour, index) => near48(pixel(picture, x + index * side + side / 2, y + side / 2), colour));
  const red = (x: number, y: number): boolean => near48(pixel(picture, x, y), FLAG.rgb[0]);
  for (let y = 0; y + GUEST_HEIGHT <= picture.height; y++) {
    for (let x = 0; x + GUEST_WIDTH <= picture.width; x++) {
      if (!red(x, y) || !shows(x, y) || !red(x + side - 1, y + side - 1)) continue;
      if ((x > 0 && red(x - 1, y)) || (y > 0 && red(x, y - 1))) continue;
      return { x, y };
    }
  }
  return undefined;
}

/** What a `moving` or `dirtying` guest shows: its tick count (16 bits, 18.2 a second) and the last key's scan code. */
export interface GuestReading {
  readonly ticks: number;
  readonly key: number;
}

/**
 * Reads the guest's clock and last key out of a picture of it, looking for it first if it is not the whole picture.
 * Returns undefined when the guest is not to be seen, or a square is neither black nor white.
 */
export function readGuest(picture: Picture): GuestReading | undefined {
  const corner = picture.width === GUEST_WIDTH && picture.height === GUEST_HEIGHT ? { x: 0, y: 0 } : findGuest(picture);
  if (corner === undefined) return undefined;
  const number = (field: { x: number; y: number; bits: number }): number | undefined => {
    let value = 0;
    for (let bit = 0; bit < field.bits; bit++) {
      const x = corner.x + (field.x + bit * SQUARE + SQUARE / 2) * 2;
      const green = (pixel(picture, x, corner.y + (field.y + SQUARE / 2) * 2) >> 8) & 0xff;
      if (green > 80 && green < 175) return undefined;
      value = value * 2 + (green > 127 ? 1 : 0);
    }
    return value;
  };
  const ticks = number(CLOCK);
  const key = number(KEY);
  return ticks === undefined || key === undefined ? undefined : { ticks, key };
}
