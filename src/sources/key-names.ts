/** What PC scan codes of set 1 are called on a US keyboard, for the test card to show. Pure; runs anywhere. */

const rows: readonly (readonly [first: number, names: string])[] = [
  [0x01, 'ESC 1 2 3 4 5 6 7 8 9 0 - = BKSP TAB'],
  [0x10, 'Q W E R T Y U I O P [ ] ENTER CTRL'],
  [0x1e, "A S D F G H J K L ; ' ` SHIFT \\"],
  [0x2c, 'Z X C V B N M , . / RSHIFT KP* ALT SPACE CAPS F1 F2 F3 F4 F5 F6 F7 F8 F9 F10 NUM SCROLL'],
  [0x47, 'KP7 KP8 KP9 KP- KP4 KP5 KP6 KP+ KP1 KP2 KP3 KP0 KP.'],
  [0x57, 'F11 F12'],
  [0xe01c, 'KPENTER RCTRL'],
  [0xe047, 'HOME UP PGUP'],
  [0xe04f, 'END DOWN PGDN INS DEL'],
  [0xe05b, 'LWIN RWIN MENU'],
];

const names = new Map<number, string>([
  [0xe035, 'KP/'],
  [0xe038, 'ALTGR'],
  [0xe04b, 'LEFT'],
  [0xe04d, 'RIGHT'],
]);
for (const [first, row] of rows) for (const [i, name] of row.split(' ').entries()) names.set(first + i, name);

/** `code` as the state has it: 0x1e, or 0xe048 with a prefix. A code without a name is given in hexadecimal. */
export const keyName = (code: number): string =>
  names.get(code) ?? `#${code.toString(16).toUpperCase().padStart(2, '0')}`;

/**
 * The key of a scan code as inputs messages have it (first byte lowest), whether it goes down or up: 0x9e and 0x1e are the
 * same key. Bytes after the second do not count.
 */
export function keyOf(code: number): number {
  const low = code & 0xff;
  return low === 0xe0 || low === 0xe1 ? (low << 8) | ((code >>> 8) & 0x7f) : low & 0x7f;
}
