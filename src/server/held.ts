/**
 * What one client holds down: keys and mouse buttons, so that they can be released when it is gone. Knows no channel. Keeps
 * no more than a person could hold, whatever a client claims.
 */
import type { GuestInput } from '../sources/console.ts';

/** Keys of one client that are remembered. */
const mostKeys = 128;

export class Held {
  private readonly keys = new Set<number>();
  private readonly buttons = new Set<number>();

  note(event: GuestInput): void {
    if (event.type === 'key') {
      const key = made(event.code);
      if (!event.down) this.keys.delete(key);
      else if (this.keys.size < mostKeys) this.keys.add(key);
    } else if (event.type === 'button' && event.button < 32) {
      if (event.down) this.buttons.add(event.button);
      else this.buttons.delete(event.button);
    }
  }

  /** What it takes to hold nothing any more. */
  release(): GuestInput[] {
    const keys = [...this.keys].map((code): GuestInput => ({ type: 'key', code: broken(code), down: false }));
    const buttons = [...this.buttons].map((button, i, all): GuestInput => {
      const left = all.slice(i + 1).reduce((mask, one) => (one === 0 ? mask : mask | (1 << (one - 1))), 0);
      return { type: 'button', button, down: false, buttons: left >>> 0 };
    });
    this.keys.clear();
    this.buttons.clear();
    return [...keys, ...buttons];
  }
}

/** The scan code of a key's release: the one of its press with the highest bit of its last byte set (set 1). */
const broken = (code: number): number => (code | releaseBit(code)) >>> 0;
const made = (code: number): number => (code & ~releaseBit(code)) >>> 0;

const releaseBit = (code: number): number => {
  for (let shift = 24; shift > 0; shift -= 8) if (code >>> shift !== 0) return (0x80 << shift) >>> 0;
  return 0x80;
};
