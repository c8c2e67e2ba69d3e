/**
 * Values to bytes and back, for what records hold: plain data, and what JSON has no word for (byte arrays, bigints, errors,
 * undefined, what was left out). A text that comes again is written as a number. Reading believes nothing: every size is
 * checked against the bytes that are there, and depth is bounded.
 */
import { SumacError } from '../errors.ts';
import { BufferPool } from '../wire/pool.ts';
import { LeftOut } from './record.ts';

/** Bytes that cannot be read as what they should be. */
export class ValueError extends SumacError {
  constructor(message: string) {
    super('journal.value', message);
  }
}

const tag = {
  undefined: 0,
  null: 1,
  false: 2,
  true: 3,
  integer: 4,
  number: 5,
  positive: 6,
  negative: 7,
  text: 8,
  again: 9,
  bytes: 10,
  list: 11,
  object: 12,
  error: 13,
  leftOut: 14,
} as const;

/** Integers below this take one byte. */
const smallest = 0x80;

/** Texts that are longer are not kept to be named again. */
const longestKept = 64;
const mostKept = 4096;
const deepest = 48;

const nothing = new Uint8Array(0);

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true });

export class ValueWriter {
  private readonly pool: BufferPool;
  /** INVARIANT: it has one only while something is written. */
  private buffer: Uint8Array<ArrayBuffer> = nothing;
  private view = new DataView(nothing.buffer);
  private readonly kept = new Map<string, number>();
  private at = 0;
  /** How long the next buffer will have to be, most likely. */
  private hint: number;

  constructor(pool = new BufferPool(0), capacity = 256) {
    this.pool = pool;
    this.hint = capacity;
  }

  /** Bytes written, and where the next one goes. */
  get length(): number {
    return this.at;
  }

  /** What was written, as a view that is valid until the next call. */
  written(from = 0, to = this.at): Uint8Array<ArrayBuffer> {
    return this.buffer.subarray(from, to);
  }

  /** What was written, for good: the writer begins anew in another buffer. Give the whole array back to the pool. */
  takeOut(): Uint8Array<ArrayBuffer> {
    const { buffer } = this;
    this.hint = this.at;
    this.buffer = nothing;
    this.reset();
    return buffer;
  }

  /** Forgets everything, the texts that it kept too. */
  reset(): void {
    this.at = 0;
    this.kept.clear();
  }

  /** Leaves room for so many bytes, and returns where it is. */
  room(size: number): number {
    this.reserve(size);
    this.at += size;
    return this.at - size;
  }

  /** Fills room that was left. */
  fillIn(at: number, bytes: Uint8Array): void {
    this.buffer.set(bytes, at);
  }

  fillInU32(at: number, value: number): void {
    this.view.setUint32(at, value, true);
  }

  byte(value: number): void {
    this.reserve(1);
    this.buffer[this.at++] = value;
  }

  u32(value: number): void {
    this.reserve(4);
    this.view.setUint32(this.at, value, true);
    this.at += 4;
  }

  /** Seven bits a byte, the lowest first. `value` is a whole number, 0 or more. */
  count(value: number): void {
    this.reserve(8);
    let rest = value;
    while (rest >= 0x80) {
      this.buffer[this.at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.buffer[this.at++] = rest;
  }

  number(value: number): void {
    this.reserve(8);
    this.view.setFloat64(this.at, value, true);
    this.at += 8;
  }

  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.buffer.set(bytes, this.at);
    this.at += bytes.length;
  }

  /** Writes zeros over what is written already. */
  blank(from: number, size: number): void {
    this.buffer.fill(0, from, from + size);
  }

  /** Writes any value. What it has no way to write (a function, something endless) becomes undefined: it never throws. */
  value(value: unknown, depth = 0): void {
    switch (typeof value) {
      case 'string':
        this.text(value);
        return;
      case 'number':
        if (Number.isSafeInteger(value) && !Object.is(value, -0)) this.integer(value);
        else {
          this.byte(tag.number);
          this.number(value);
        }
        return;
      case 'boolean':
        this.byte(value ? tag.true : tag.false);
        return;
      case 'bigint':
        this.bigint(value);
        return;
      case 'object':
        if (value === null) this.byte(tag.null);
        else if (depth >= deepest) this.byte(tag.undefined);
        else this.object(value, depth + 1);
        return;
      default:
        this.byte(tag.undefined);
    }
  }

  text(value: string): void {
    const known = this.kept.get(value);
    if (known !== undefined) {
      this.byte(tag.again);
      this.count(known);
      return;
    }
    if (value.length <= longestKept && this.kept.size < mostKept) this.kept.set(value, this.kept.size);
    this.byte(tag.text);
    this.reserve(value.length * 3 + 8);
    // Most are short and plain: then their length in bytes is known before they are written.
    const start = this.at + 1;
    if (value.length < 0x80) {
      let i = 0;
      for (; i < value.length; i++) {
        const code = value.charCodeAt(i);
        if (code >= 0x80) break;
        this.buffer[start + i] = code;
      }
      if (i === value.length) {
        this.buffer[this.at] = i;
        this.at = start + i;
        return;
      }
    }
    const bytes = encoder.encode(value);
    this.count(bytes.length);
    this.raw(bytes);
  }

  private integer(value: number): void {
    if (value >= 0 && value < 0x100 - smallest) {
      this.byte(smallest + value);
      return;
    }
    this.byte(tag.integer);
    // Zigzag, by multiplication: safe integers have more bits than shifts.
    if (value < 0) this.signed(-(value + 1), 1);
    else this.signed(value, 0);
  }

  private signed(magnitude: number, sign: number): void {
    this.reserve(9);
    const low = (magnitude % 0x40) * 2 + sign;
    const rest = Math.floor(magnitude / 0x40);
    this.buffer[this.at++] = rest > 0 ? low | 0x80 : low;
    if (rest > 0) this.count(rest);
  }

  private bigint(value: bigint): void {
    this.byte(value < 0n ? tag.negative : tag.positive);
    const hex = (value < 0n ? -value : value).toString(16);
    const padded = hex.length % 2 === 0 ? hex : `0${hex}`;
    this.count(padded.length / 2);
    for (let i = 0; i < padded.length; i += 2) this.byte(Number.parseInt(padded.slice(i, i + 2), 16));
  }

  private object(value: object, depth: number): void {
    if (value instanceof Uint8Array) {
      this.byte(tag.bytes);
      this.count(value.length);
      this.raw(value);
    } else if (Array.isArray(value)) {
      this.byte(tag.list);
      this.count(value.length);
      for (const item of value) this.value(item, depth);
    } else if (value instanceof LeftOut) {
      this.byte(tag.leftOut);
      this.text(value.what);
      this.count(value.size);
    } else if (value instanceof Error) {
      this.byte(tag.error);
      this.text(value.name);
      this.text(value.message);
      this.value((value as { code?: unknown }).code, depth);
    } else {
      const keys = Object.keys(value);
      this.byte(tag.object);
      this.count(keys.length);
      for (const key of keys) {
        this.text(key);
        this.value((value as Record<string, unknown>)[key], depth);
      }
    }
  }

  private reserve(size: number): void {
    if (this.at + size <= this.buffer.length) return;
    const wider = this.pool.take(Math.max(this.buffer.length * 2, this.at + size, this.hint));
    wider.set(this.buffer.subarray(0, this.at));
    if (this.buffer !== nothing) this.pool.give(this.buffer);
    this.buffer = wider;
    this.view = new DataView(wider.buffer);
  }
}

/** An error that was read from a journal: it says what it said, and has no stack of its own. */
class RecordedError extends Error {
  readonly code: unknown;

  constructor(name: string, message: string, code: unknown) {
    super(message);
    this.name = name;
    this.code = code;
    this.stack = `${name}: ${message}`;
  }
}

export class ValueReader {
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly kept: string[] = [];
  at = 0;
  /** Where reading stops. */
  end: number;

  constructor(bytes: Uint8Array) {
    // Node's Buffer is one too, but its slices are views.
    this.bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.end = bytes.length;
  }

  byte(): number {
    this.need(1);
    return this.bytes[this.at++]!;
  }

  u32(): number {
    this.need(4);
    this.at += 4;
    return this.view.getUint32(this.at - 4, true);
  }

  count(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 0x80) {
      const next = this.byte();
      value += (next & 0x7f) * factor;
      if (next < 0x80) break;
      if (factor > 2 ** 45) throw new ValueError('a number has no end');
    }
    if (!Number.isSafeInteger(value)) throw new ValueError('a number is too large');
    return value;
  }

  number(): number {
    this.need(8);
    this.at += 8;
    return this.view.getFloat64(this.at - 8, true);
  }

  skip(size: number): void {
    this.need(size);
    this.at += size;
  }

  /** A copy. */
  raw(size: number): Uint8Array {
    this.need(size);
    this.at += size;
    return this.bytes.slice(this.at - size, this.at);
  }

  /** Throws ValueError when it is not a text. */
  text(): string {
    const value = this.value();
    if (typeof value !== 'string') throw new ValueError('there should be a text');
    return value;
  }

  value(depth = 0): any {
    if (depth > deepest + 1) throw new ValueError('it is too deep');
    const kind = this.byte();
    if (kind >= smallest) return kind - smallest;
    switch (kind) {
      case tag.undefined:
        return undefined;
      case tag.null:
        return null;
      case tag.false:
        return false;
      case tag.true:
        return true;
      case tag.integer: {
        const first = this.byte();
        const magnitude = ((first & 0x7f) >> 1) + (first >= 0x80 ? this.count() * 0x40 : 0);
        return (first & 1) === 0 ? magnitude : -magnitude - 1;
      }
      case tag.number:
        return this.number();
      case tag.positive:
        return this.bigint();
      case tag.negative:
        return -this.bigint();
      case tag.text: {
        const size = this.count();
        this.need(size);
        this.at += size;
        const text = decoder.decode(this.bytes.subarray(this.at - size, this.at));
        if (text.length <= longestKept && this.kept.length < mostKept) this.kept.push(text);
        return text;
      }
      case tag.again: {
        const text = this.kept[this.count()];
        if (text === undefined) throw new ValueError('a text is named that was never there');
        return text;
      }
      case tag.bytes:
        return this.raw(this.count());
      case tag.list: {
        const size = this.count();
        this.need(size);
        const list: unknown[] = [];
        for (let i = 0; i < size; i++) list.push(this.value(depth + 1));
        return list;
      }
      case tag.object: {
        const size = this.count();
        this.need(size * 2);
        const object: Record<string, unknown> = {};
        for (let i = 0; i < size; i++) {
          const key = this.text();
          const value = this.value(depth + 1);
          if (key === '__proto__') Object.defineProperty(object, key, { value, enumerable: true });
          else object[key] = value;
        }
        return object;
      }
      case tag.error:
        return new RecordedError(this.text(), this.text(), this.value(depth + 1));
      case tag.leftOut:
        return new LeftOut(this.text(), this.count());
      default:
        throw new ValueError(`there is no kind of value ${kind}`);
    }
  }

  private bigint(): bigint {
    const bytes = this.raw(this.count());
    let hex = '0x0';
    for (const byte of bytes) hex += byte.toString(16).padStart(2, '0');
    return BigInt(hex);
  }

  private need(size: number): void {
    if (size > this.end - this.at) throw new ValueError(`it needs ${size} bytes, and ${this.end - this.at} are left`);
  }
}
