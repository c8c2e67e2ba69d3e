/**
 * Grows a message body. Little-endian. What pointers point to is kept until `finish`, which appends it after the fixed part
 * (spec §2.1) and fills the offsets in. A writer may be used again after `finish`.
 */
import { WireError } from '../errors.ts';

/**
 * Where short bodies are written before they are copied to memory of their own size: new memory for each would cost more than all
 * the rest. One writer has it at a time; a writer that never comes to its end keeps it, and another is made.
 */
let scratch: Uint8Array | undefined;
const scratchBytes = 1024;
const none = new Uint8Array(0);
/** So many are copied faster one by one. */
const fewBytes = 64;

export class Writer {
  /** The body from its first byte on; `headroom` bytes of the same memory lie before it. */
  private buffer: Uint8Array = none;
  /** It is the scratch memory. */
  private borrowed = false;
  private deferred: { at: number; write: (w: Writer) => void }[] = [];
  private readonly capacity: number;
  private readonly headroom: number;
  private readonly memory: (size: number) => Uint8Array;
  private readonly apart: Uint8Array | undefined;
  /** Where `apart` was left out. */
  private left: number | undefined;
  pos = 0;

  /**
   * `headroom`: bytes to be left free before each body, for whoever puts a header there. `memory`: where a body is written, an
   * array of at least so many bytes; new if absent. `apart`: an array that is left out of the body, behind which it is to stand.
   */
  constructor(
    capacity = 256,
    headroom = 0,
    memory: (size: number) => Uint8Array = (size) => new Uint8Array(size),
    apart?: Uint8Array,
  ) {
    this.apart = apart;
    this.capacity = capacity;
    this.headroom = headroom;
    this.memory = memory;
  }

  /** Makes room for `size` bytes and returns where they start. */
  reserve(size: number): number {
    const at = this.pos;
    if (at + size > this.buffer.length) this.grow(at + size);
    this.pos = at + size;
    return at;
  }

  private grow(size: number): void {
    if (this.buffer === none && size <= scratchBytes) {
      this.buffer = scratch ?? new Uint8Array(scratchBytes);
      scratch = undefined;
      this.borrowed = true;
      return;
    }
    const wider = this.room(Math.max(this.buffer.length * 2, this.capacity, size));
    wider.set(this.buffer.subarray(0, this.pos));
    this.giveBack();
    this.buffer = wider;
  }

  private giveBack(): void {
    if (this.borrowed) scratch = this.buffer;
    this.borrowed = false;
    this.buffer = none;
  }

  u8(value: number): void {
    this.mustFit(value, 0, 0xff);
    const at = this.reserve(1);
    this.buffer[at] = value;
  }

  u16(value: number): void {
    this.mustFit(value, 0, 0xffff);
    const at = this.reserve(2);
    this.buffer[at] = value;
    this.buffer[at + 1] = value >>> 8;
  }

  u32(value: number): void {
    this.mustFit(value, 0, 0xffffffff);
    this.patch(this.reserve(4), value);
  }

  i16(value: number): void {
    this.mustFit(value, -0x8000, 0x7fff);
    this.u16(value & 0xffff);
  }

  i32(value: number): void {
    this.mustFit(value, -0x80000000, 0x7fffffff);
    this.patch(this.reserve(4), value);
  }

  u64(value: bigint): void {
    if (value < 0n || value > 0xffff_ffff_ffff_ffffn) throw new WireError('range', this.pos, `${value} is not a u64`);
    const at = this.reserve(8);
    this.patch(at, Number(value & 0xffff_ffffn));
    this.patch(at + 4, Number(value >> 32n));
  }

  bytes(value: Uint8Array): void {
    if (value === this.apart) {
      this.left = this.pos;
      return;
    }
    const at = this.reserve(value.length);
    this.buffer.set(value, at);
  }

  /** Writes a 32-bit offset now and, at `finish`, what it points to. */
  pointer(write: (w: Writer) => void): void {
    this.deferred.push({ at: this.reserve(4), write });
  }

  /** Overwrites four bytes that were written before. */
  patch(at: number, value: number): void {
    const b = this.buffer;
    b[at] = value;
    b[at + 1] = value >>> 8;
    b[at + 2] = value >>> 16;
    b[at + 3] = value >>> 24;
  }

  /** Appends what pointers point to and returns the body, in memory that is nobody else's. */
  finish(): Uint8Array {
    for (let i = 0; i < this.deferred.length; i++) {
      const { at, write } = this.deferred[i]!;
      this.patch(at, this.pos);
      write(this);
    }
    this.deferred = [];
    const { buffer, pos } = this;
    if (this.apart !== undefined && this.left !== pos) {
      throw new WireError('range', pos, 'what is written apart must come last');
    }
    this.pos = 0;
    // What is small is copied, and keeps no more memory than it needs; what is large stays where it is.
    if (this.borrowed || buffer === none || pos < buffer.length >> 1) {
      const body = this.room(pos);
      if (pos <= fewBytes) for (let i = 0; i < pos; i++) body[i] = buffer[i]!;
      else body.set(buffer.subarray(0, pos));
      this.giveBack();
      return body;
    }
    this.buffer = none;
    return buffer.subarray(0, pos);
  }

  private room(size: number): Uint8Array {
    return this.memory(this.headroom + size).subarray(this.headroom);
  }

  private mustFit(value: number, low: number, high: number): void {
    if (!(value >= low && value <= high) || !Number.isInteger(value)) {
      throw new WireError('range', this.pos, `${value} is not between ${low} and ${high}`);
    }
  }
}
