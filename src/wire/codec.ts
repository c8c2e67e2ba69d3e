/**
 * Layouts as values. A codec reads and writes one layout and tells its parts, so that documentation, annotated hexdumps and
 * generators of test data can walk it. Knows nothing of SPICE beyond "little-endian, packed, pointers are u32 offsets".
 * INVARIANT: no codec allocates for a count before it has checked that the bytes left can hold it.
 */
import { WireError } from '../errors.ts';
import type { Step } from './layout.ts';
import { Reader } from './reader.ts';
import { Writer } from './writer.ts';

export interface Codec<T> {
  readonly parts: Parts;
  read(r: Reader): T;
  write(w: Writer, value: T): void;
}

/**
 * What a codec is made of; enough to walk it without running it. `least` is the fewest bytes that it takes in place.
 * `mapped` wraps a layout whose value is another one than the bytes say; `custom` cannot be walked, but can be sampled.
 */
export type Parts = { readonly least: number } & (
  | { readonly kind: 'integer'; readonly bits: 8 | 16 | 32 | 64; readonly signed: boolean }
  | { readonly kind: 'names'; readonly tag: Codec<number>; readonly names: Readonly<Record<string, number>> }
  | {
      readonly kind: 'bytes';
      readonly size: number | 'rest' | Codec<number>;
      readonly text?: boolean;
      readonly pointed?: boolean;
    }
  | { readonly kind: 'struct'; readonly fields: readonly (readonly [string, Codec<unknown>])[] }
  | { readonly kind: 'layout'; readonly steps: readonly Step[] }
  | { readonly kind: 'array'; readonly count: number | 'rest' | Codec<number>; readonly item: Codec<unknown> }
  | { readonly kind: 'variant'; readonly tag: Codec<number>; readonly cases: Cases }
  | { readonly kind: 'pointer'; readonly to: Codec<unknown>; readonly nullable: boolean }
  | { readonly kind: 'mapped'; readonly inner: Codec<any>; from(inner: any): unknown }
  | { readonly kind: 'custom'; readonly name: string; sample(random: (below: number) => number): unknown }
);

export type Value<C> = C extends Codec<infer T> ? T : never;
export type Fields = Readonly<Record<string, Codec<any>>>;
export type Struct<F extends Fields> = { -readonly [K in keyof F]: Value<F[K]> };
export type Cases = Readonly<Record<string, readonly [number, Codec<any>]>>;
export type Variant<C extends Cases> = { [K in keyof C]: { type: K } & Value<C[K][1]> }[keyof C];

const integer = (bits: 8 | 16 | 32 | 64, signed: boolean) =>
  ({ kind: 'integer', bits, signed, least: bits / 8 }) as const;

export const u8: Codec<number> = { parts: integer(8, false), read: (r) => r.u8(), write: (w, v) => w.u8(v) };
export const u16: Codec<number> = { parts: integer(16, false), read: (r) => r.u16(), write: (w, v) => w.u16(v) };
export const u32: Codec<number> = { parts: integer(32, false), read: (r) => r.u32(), write: (w, v) => w.u32(v) };
export const i16: Codec<number> = { parts: integer(16, true), read: (r) => r.i16(), write: (w, v) => w.i16(v) };
export const i32: Codec<number> = { parts: integer(32, true), read: (r) => r.i32(), write: (w, v) => w.i32(v) };
export const i64: Codec<bigint> = {
  parts: integer(64, true),
  read: (r) => BigInt.asIntN(64, r.u64()),
  write(w, v) {
    if (BigInt.asIntN(64, v) !== v) throw new WireError('range', w.pos, `${v} is not an i64`);
    w.u64(BigInt.asUintN(64, v));
  },
};
export const u64: Codec<bigint> = { parts: integer(64, false), read: (r) => r.u64(), write: (w, v) => w.u64(v) };

/** A byte that is a truth value: 0 is false, everything else true. */
export const bool: Codec<boolean> = {
  parts: { kind: 'mapped', inner: u8, from: (v) => v !== 0, least: 1 },
  read: (r) => r.u8() !== 0,
  write: (w, v) => w.u8(v ? 1 : 0),
};

/** A number that stands for a name. The value is the name; a number that has none is a `value` fault. */
export function names<N extends Readonly<Record<string, number>>>(
  tag: Codec<number>,
  list: N,
): Codec<keyof N & string> {
  const byNumber = new Map(Object.entries(list).map(([name, number]) => [number, name]));
  return {
    parts: { kind: 'names', tag, names: list, least: tag.parts.least },
    read(r) {
      const at = r.pos;
      const number = tag.read(r);
      const name = byNumber.get(number);
      if (name === undefined) throw new WireError('value', at, `unknown number ${number}`);
      return name;
    },
    write(w, v) {
      if (!Object.hasOwn(list, v)) throw new WireError('value', w.pos, `unknown name ${String(v)}`);
      tag.write(w, list[v]!);
    },
  };
}

/** Everything up to the end of the body, as a view. */
export const rest: Codec<Uint8Array> = {
  parts: { kind: 'bytes', size: 'rest', least: 0 },
  read: (r) => r.bytes(r.left),
  write: (w, v) => w.bytes(v),
};

/** Exactly `size` bytes, as a view. */
export const bytes = (size: number): Codec<Uint8Array> => ({
  parts: { kind: 'bytes', size, least: size },
  read: (r) => r.bytes(size),
  write(w, v) {
    if (v.length !== size) throw new WireError('range', w.pos, `needs ${size} bytes, has ${v.length}`);
    w.bytes(v);
  },
});

/** A size, then that many bytes, as a view. */
export const sized = (size: Codec<number>): Codec<Uint8Array> => ({
  parts: { kind: 'bytes', size, least: size.parts.least },
  read: (r) => r.bytes(size.read(r)),
  write(w, v) {
    size.write(w, v.length);
    w.bytes(v);
  },
});

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
const encoder = new TextEncoder();

const readText = (r: Reader, size: number): string => {
  const at = r.pos;
  const raw = r.bytes(size);
  const nul = raw.indexOf(0);
  if (size > 0 && nul < 0) throw new WireError('text', at, 'has no closing NUL');
  return utf8.decode(size > 0 ? raw.subarray(0, nul) : raw);
};

/** Text whose size is written before it; the size counts the closing NUL. The empty text is its NUL. */
export const text = (size: Codec<number>): Codec<string> => ({
  parts: { kind: 'bytes', size, text: true, least: size.parts.least },
  read: (r) => readText(r, size.read(r)),
  write(w, v) {
    const raw = encoder.encode(v);
    size.write(w, raw.length + 1);
    w.bytes(raw);
    w.u8(0);
  },
});

/** u32 size (with the NUL), u32 offset; the text stands where the offset says. Size 0 or offset 0 is the empty text. */
export const pointedText: Codec<string> = {
  parts: { kind: 'bytes', size: u32, text: true, pointed: true, least: 8 },
  read(r) {
    const size = r.u32();
    const offset = r.u32();
    return size === 0 || offset === 0 ? '' : r.at(offset, (at) => readText(at, size));
  },
  write(w, v) {
    const raw = encoder.encode(v);
    w.u32(v === '' ? 0 : raw.length + 1);
    if (v === '') return w.u32(0);
    w.pointer((at) => {
      at.bytes(raw);
      at.u8(0);
    });
  },
};

/** u32 size, u32 offset; the bytes stand where the offset says, as a view. Size 0 is no bytes, whatever the offset. */
export const pointedBytes: Codec<Uint8Array> = {
  parts: { kind: 'bytes', size: u32, pointed: true, least: 8 },
  read(r) {
    const size = r.u32();
    const offset = r.u32();
    return size === 0 ? r.body.subarray(0, 0) : r.at(offset, (at) => at.bytes(size));
  },
  write(w, v) {
    w.u32(v.length);
    if (v.length === 0) w.u32(0);
    else w.pointer((at) => at.bytes(v));
  },
};

/** Named fields, one after the other. */
export function struct<F extends Fields>(fields: F): Codec<Struct<F>> {
  const list = Object.entries(fields) as [string, Codec<unknown>][];
  const least = list.reduce((sum, [, c]) => sum + c.parts.least, 0);
  return {
    parts: { kind: 'struct', fields: list, least },
    read(r) {
      const value: Record<string, unknown> = {};
      let i = 0;
      try {
        for (; i < list.length; i++) {
          const entry = list[i]!;
          value[entry[0]] = entry[1].read(r);
        }
      } catch (error) {
        throw error instanceof WireError ? error.within(list[i]![0]) : error;
      }
      return value as Struct<F>;
    },
    write(w, v) {
      let i = 0;
      try {
        for (; i < list.length; i++) {
          const [name, codec] = list[i]!;
          codec.write(w, (v as Record<string, unknown>)[name]);
        }
      } catch (error) {
        throw error instanceof WireError ? error.within(list[i]![0]) : error;
      }
    },
  };
}

const readItems = <T>(r: Reader, item: Codec<T>, count: number): T[] => {
  const floor = Math.max(1, item.parts.least);
  if (count > r.left / floor) throw new WireError('count', r.pos, `${count} items of ${floor} bytes, ${r.left} left`);
  const items: T[] = [];
  let i = 0;
  try {
    for (; i < count; i++) items.push(item.read(r));
  } catch (error) {
    throw error instanceof WireError ? error.within(`[${i}]`) : error;
  }
  return items;
};

/** A count, then that many items. */
export const array = <T>(count: Codec<number>, item: Codec<T>): Codec<T[]> => ({
  parts: { kind: 'array', count, item, least: count.parts.least },
  read: (r) => readItems(r, item, count.read(r)),
  write(w, v) {
    count.write(w, v.length);
    for (const one of v) item.write(w, one);
  },
});

/** Exactly `count` items. */
export const times = <T>(count: number, item: Codec<T>): Codec<T[]> => ({
  parts: { kind: 'array', count, item, least: count * item.parts.least },
  read: (r) => readItems(r, item, count),
  write(w, v) {
    if (v.length !== count) throw new WireError('range', w.pos, `needs ${count} items, has ${v.length}`);
    for (const one of v) item.write(w, one);
  },
});

/** A tag, then the fields that belong to it. The value carries the case's name as `type`; the tag does not appear in it. */
export function variant<C extends Cases>(tag: Codec<number>, cases: C): Codec<Variant<C>> {
  const byTag = new Map(Object.entries(cases).map(([name, [number, codec]]) => [number, { name, codec }]));
  const least = tag.parts.least + Math.min(...Object.values(cases).map(([, c]) => c.parts.least));
  return {
    parts: { kind: 'variant', tag, cases, least },
    read(r) {
      const at = r.pos;
      const number = tag.read(r);
      const found = byTag.get(number);
      if (found === undefined) throw new WireError('value', at, `unknown type ${number}`);
      return { type: found.name, ...found.codec.read(r) } as Variant<C>;
    },
    write(w, v) {
      const name = v.type as string;
      const entry = Object.hasOwn(cases, name) ? cases[name] : undefined;
      if (entry === undefined) throw new WireError('value', w.pos, `unknown type ${name}`);
      tag.write(w, entry[0]);
      entry[1].write(w, v);
    },
  };
}

/** A u32 offset from the body's start to a `to`; 0 is null. */
export const pointer = <T>(to: Codec<T>): Codec<T | null> => ({
  parts: { kind: 'pointer', to, nullable: true, least: 4 },
  read(r) {
    const offset = r.u32();
    return offset === 0 ? null : r.at(offset, (at) => to.read(at));
  },
  write(w, v) {
    if (v === null) w.u32(0);
    else w.pointer((at) => to.write(at, v));
  },
});

/** A u32 offset from the body's start to a `to` that must be there: null is a `pointer` fault. */
export const pointed = <T>(to: Codec<T>): Codec<T> => ({
  parts: { kind: 'pointer', to, nullable: false, least: 4 },
  read(r) {
    const at = r.pos;
    const offset = r.u32();
    if (offset === 0) throw new WireError('pointer', at, 'must not be null');
    return r.at(offset, (there) => to.read(there));
  },
  write: (w, v) => w.pointer((at) => to.write(at, v)),
});

/** A codec that reads another one's value and turns it into something that is easier to hold. */
export const mapped = <A, B>(codec: Codec<A>, from: (a: A) => B, to: (b: B) => A): Codec<B> => ({
  parts: { kind: 'mapped', inner: codec, from, least: codec.parts.least },
  read: (r) => from(codec.read(r)),
  write: (w, v) => codec.write(w, to(v)),
});

/** Reads one value from the start of `body`. Bytes behind it are left alone, as newer peers may append fields. */
export function decode<T>(codec: Codec<T>, body: Uint8Array): T {
  return codec.read(new Reader(body));
}

/** The bytes of a value. `headroom` bytes before them are the caller's too. `memory`, `apart`: as of `Writer`. */
export function encode<T>(
  codec: Codec<T>,
  value: T,
  headroom = 0,
  memory?: (size: number) => Uint8Array,
  apart?: Uint8Array,
): Uint8Array {
  const w = new Writer(256, headroom, memory, apart);
  codec.write(w, value);
  return w.finish();
}
