/**
 * A cursor over the bytes of one message body. Little-endian, bounds-checked at every step.
 * It never copies: `bytes` hands out views, which are valid as long as the buffer under them.
 */
import { WireError } from '../errors.ts';

/** Pointers that one body may follow before it is taken for an attack. DRAW_COMPOSITE with masks needs four. */
export const pointerBudget = 64;

export class Reader {
  readonly body: Uint8Array;
  readonly end: number;
  pos = 0;
  private pointersLeft = pointerBudget;

  constructor(body: Uint8Array) {
    this.body = body;
    this.end = body.length;
  }

  get left(): number {
    return this.end - this.pos;
  }

  /** Moves on by `size` bytes and returns where they start. Throws `truncated` when they are not there. */
  take(size: number): number {
    const at = this.pos;
    if (size > this.end - at) {
      throw new WireError('truncated', at, `needs ${size} bytes, ${this.end - at} left`);
    }
    this.pos = at + size;
    return at;
  }

  u8(): number {
    return this.body[this.take(1)]!;
  }

  u16(): number {
    const at = this.take(2);
    const b = this.body;
    return b[at]! | (b[at + 1]! << 8);
  }

  u32(): number {
    const at = this.take(4);
    const b = this.body;
    return (b[at]! | (b[at + 1]! << 8) | (b[at + 2]! << 16) | (b[at + 3]! << 24)) >>> 0;
  }

  i32(): number {
    return this.u32() | 0;
  }

  i16(): number {
    return (this.u16() << 16) >> 16;
  }

  u64(): bigint {
    const at = this.take(8);
    this.pos = at;
    const low = this.u32();
    const high = this.u32();
    return high === 0 ? BigInt(low) : (BigInt(high) << 32n) | BigInt(low);
  }

  /** A view of the next `size` bytes. */
  bytes(size: number): Uint8Array {
    const at = this.take(size);
    return this.body.subarray(at, at + size);
  }

  /** Follows a pointer: reads with `read` at `offset` from the body's start, then comes back. */
  at<T>(offset: number, read: (r: Reader) => T): T {
    if (offset > this.end) throw new WireError('pointer', this.pos - 4, `points to ${offset} in ${this.end} bytes`);
    if (--this.pointersLeft < 0) throw new WireError('pointer', this.pos - 4, `more than ${pointerBudget} pointers`);
    const back = this.pos;
    this.pos = offset;
    const value = read(this);
    this.pos = back;
    return value;
  }
}
