/**
 * Says what each byte of a body is: walks a codec's parts over the bytes and names every field with its place, behind
 * pointers too. Never throws for bytes that do not fit: it explains up to the fault and tells it.
 */
import { WireError } from '../errors.ts';
import type { Codec } from './codec.ts';
import { choose, type Seen, type Step } from './layout.ts';
import { Reader } from './reader.ts';

/**
 * One field. `offset` and `size` are bytes from the body's start. A path that ends in `#size`, `#count` or `#offset` is a
 * number that stands in the bytes but not in the value. An empty path is bytes that the layout does not reach.
 */
export interface Explained {
  readonly path: string;
  readonly offset: number;
  readonly size: number;
  readonly value: unknown;
  readonly meaning?: string;
}

export interface Explanation {
  /** Every byte of the body is in at least one of these; sorted by offset. */
  readonly fields: Explained[];
  /** Why the rest could not be explained. */
  readonly error?: WireError;
}

/** Tells what a value of a field means, or undefined. The path is the field's. */
export type Meanings = (path: string, value: unknown) => string | undefined;

/** Explains the bytes of `body` by the layout that they should have. */
export function explain(codec: Codec<any>, body: Uint8Array, meanings?: Meanings): Explanation {
  const fields: Explained[] = [];
  let error: WireError | undefined;
  const walker = new Walker(fields, meanings);
  try {
    walker.walk(codec, new Reader(body), '');
  } catch (fault) {
    if (!(fault instanceof WireError)) throw fault;
    error = fault;
  }
  const all = [...fields, ...gaps(fields, body)].sort((a, b) => a.offset - b.offset || a.size - b.size);
  return error === undefined ? { fields: all } : { fields: all, error };
}

const join = (path: string, name: string) => (path === '' ? name : `${path}.${name}`);

class Walker {
  private readonly fields: Explained[];
  private readonly meanings: Meanings | undefined;

  constructor(fields: Explained[], meanings: Meanings | undefined) {
    this.fields = fields;
    this.meanings = meanings;
  }

  /** Reads one value and notes its fields. */
  walk(codec: Codec<any>, r: Reader, path: string): any {
    const { parts } = codec;
    switch (parts.kind) {
      case 'integer':
      case 'custom':
        return this.leaf(r, path, () => codec.read(r));
      case 'names': {
        const at = r.pos;
        const name = codec.read(r) as string;
        this.note(path, at, r.pos - at, parts.names[name], name);
        return name;
      }
      case 'mapped': {
        const start = this.fields.length;
        const value = parts.from(this.walk(parts.inner, r, path));
        const only = this.fields[start];
        if (this.fields.length === start + 1 && only!.meaning === undefined && typeof value !== 'object') {
          this.fields[start] = { ...only!, meaning: String(value) };
        }
        return value;
      }
      case 'bytes':
        return this.walkBytes(codec, r, path);
      case 'struct': {
        const value: Record<string, unknown> = {};
        for (const [name, field] of parts.fields) value[name] = this.walk(field, r, join(path, name));
        return value;
      }
      case 'layout':
        return this.walkSteps(parts.steps, r, path);
      case 'array': {
        const { count, item } = parts;
        const start = r.pos;
        // The codec's own checks come first, so that a lying count is found before anything is noted for it.
        const value = codec.read(r) as unknown[];
        r.pos = start;
        if (typeof count === 'object') this.leaf(r, `${path}#count`, () => count.read(r));
        for (let i = 0; i < value.length; i++) this.walk(item, r, `${path}[${i}]`);
        return value;
      }
      case 'variant': {
        const at = r.pos;
        const tag = parts.tag.read(r);
        const found = Object.entries(parts.cases).find(([, [number]]) => number === tag);
        this.note(join(path, 'type'), at, r.pos - at, tag, found?.[0]);
        if (found === undefined) throw new WireError('value', at, `unknown type ${tag}`, path);
        return { type: found[0], ...this.walk(found[1][1], r, path) };
      }
      case 'pointer': {
        const at = r.pos;
        const offset = this.leaf(r, `${path}#offset`, () => r.u32(), 'null') as number;
        if (offset === 0 && parts.nullable) return null;
        if (offset === 0) throw new WireError('pointer', at, 'must not be null', path);
        return r.at(offset, (there) => this.walk(parts.to, there, path));
      }
    }
  }

  private walkSteps(steps: readonly Step[], r: Reader, path: string): Seen {
    const seen: Record<string, unknown> = {};
    for (const step of steps) {
      const codec = choose(step.codec, seen);
      if (codec === undefined) continue;
      if (step.kind === 'merge') Object.assign(seen, this.walk(codec, r, path));
      else seen[step.name] = this.walk(codec, r, join(path, step.kind === 'derived' ? `#${step.name}` : step.name));
    }
    return seen;
  }

  private walkBytes(codec: Codec<any>, r: Reader, path: string): unknown {
    const { parts } = codec;
    if (parts.kind !== 'bytes') throw new TypeError('not bytes');
    const start = r.pos;
    const value = codec.read(r);
    const end = r.pos;
    let at = start;
    let size = end - start;
    if (typeof parts.size === 'object') {
      r.pos = start;
      size = this.leaf(r, `${path}#size`, () => (parts.size as Codec<number>).read(r)) as number;
      at = r.pos;
      if (parts.pointed) {
        at = this.leaf(r, `${path}#offset`, () => r.u32(), 'null') as number;
        if (at === 0) size = 0;
      }
    }
    r.pos = end;
    if (size > 0) this.note(path, at, size, value);
    return value;
  }

  private leaf(r: Reader, path: string, read: () => unknown, zero?: string): unknown {
    const at = r.pos;
    const value = read();
    this.note(path, at, r.pos - at, value, value === 0 ? zero : undefined);
    return value;
  }

  private note(path: string, offset: number, size: number, value: unknown, meaning?: string): void {
    const told = meaning ?? this.meanings?.(path, value);
    this.fields.push(told === undefined ? { path, offset, size, value } : { path, offset, size, value, meaning: told });
  }
}

/** The bytes of the body that no field covers. */
function gaps(fields: readonly Explained[], body: Uint8Array): Explained[] {
  const found: Explained[] = [];
  const note = (offset: number, end: number) => {
    const size = end - offset;
    found.push({ path: '', offset, size, value: body.subarray(offset, end), meaning: 'not reached by the layout' });
  };
  let reached = 0;
  for (const { offset, size } of [...fields].sort((a, b) => a.offset - b.offset)) {
    if (offset > reached) note(reached, offset);
    reached = Math.max(reached, offset + size);
  }
  if (reached < body.length) note(reached, body.length);
  return found;
}

const hex = (number: number, digits: number) => number.toString(16).padStart(digits, '0');

const shown = (value: unknown): string => {
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
  if (typeof value === 'object' && value !== null) return 'see bytes';
  return String(value);
};

/** The explanation as text: a line a field, at most `width` bytes of it in hexadecimal. */
export function renderExplanation({ fields, error }: Explanation, body: Uint8Array, width = 12): string {
  const lines = fields.map(({ path, offset, size, value, meaning }) => {
    const first = Array.from(body.subarray(offset, offset + Math.min(size, width)), (b) => hex(b, 2)).join(' ');
    const bytes = (size > width ? `${first} …` : first).padEnd(width * 3 + 1);
    const note = meaning === undefined ? '' : ` (${meaning})`;
    return `${hex(offset, 6)}  ${bytes}  ${path === '' ? '?' : path} = ${shown(value)}${note}`;
  });
  if (error !== undefined) lines.push(`fault   ${error.message}`);
  return lines.join('\n');
}
