/** Keys and buttons that a client held when it was lost. */
import { expect, it } from 'vitest';
import { Held } from '../../src/server/held.ts';

const key = (code: number, down: boolean) => ({ type: 'key', code, down }) as const;
const button = (which: number, down: boolean, buttons = 0) =>
  ({ type: 'button', button: which, down, buttons }) as const;

it('releases what is held, once, by the codes of the release', () => {
  const held = new Held();
  for (const event of [
    key(0x1e, true),
    key(0x1de0, true),
    key(0x1d, true),
    key(0x9d, false),
    // Held until it repeats.
    key(0x1e, true),
    button(1, true, 1),
    button(3, true, 5),
    button(2, true, 7),
    button(2, false, 5),
  ]) {
    held.note(event);
  }
  expect(held.release()).toEqual([key(0x9e, false), key(0x9de0, false), button(1, false, 4), button(3, false, 0)]);
  expect(held.release()).toEqual([]);
});

it('knows an extended key that was released, and does not mind one that was never held', () => {
  const held = new Held();
  held.note(key(0x4be0, true));
  held.note(key(0xcbe0, false));
  held.note(key(0x9e, false));
  held.note({ type: 'modifiers', modifiers: 7 });
  held.note(button(40, true));
  expect(held.release()).toEqual([]);
});

it('remembers no more than a person could hold', () => {
  const held = new Held();
  for (let code = 1; code < 100_000; code++) held.note(key(code & ~0x80, true));
  expect(held.release().length).toBe(128);
});
