/**
 * Compares what a journal holds with what was worked out again. A value that was left out of the journal equals whatever it
 * is compared with. Never throws, whatever it is given.
 */
import { LeftOut } from '../journal/record.ts';

/** Where two values differ first, in words for people; undefined if they are equal. `undefined` counts as not there. */
export function difference(expected: unknown, found: unknown, path = ''): string | undefined {
  const differs = differenceOf(expected, found);
  if (differs === undefined) return undefined;
  const { keys, from } = differs;
  const where = [path, ...keys.toReversed()].filter((key) => key !== '').join('.');
  const words = `${where === '' ? '' : `${where}: `}${shown(differs.expected)} expected, ${shown(differs.found)} found`;
  return from === undefined ? words : `${words}, different from byte ${from} on`;
}

interface Difference {
  readonly expected: unknown;
  readonly found: unknown;
  /** Of byte arrays: the first byte that is not the same. */
  readonly from?: number;
  /** Where it is, from the inside out. */
  readonly keys: string[];
}

// Nearly all values that are compared are equal: nothing is put into words before one is not.
function differenceOf(expected: unknown, found: unknown): Difference | undefined {
  if (Object.is(expected, found) || expected instanceof LeftOut || found instanceof LeftOut) return undefined;
  if (typeof expected !== 'object' || typeof found !== 'object' || expected === null || found === null) {
    return { expected, found, keys: [] };
  }
  if (expected instanceof Uint8Array || found instanceof Uint8Array) {
    if (!(expected instanceof Uint8Array && found instanceof Uint8Array)) return { expected, found, keys: [] };
    const from = firstDifference(expected, found);
    return from < 0 ? undefined : { expected, found, from, keys: [] };
  }
  if (expected instanceof Error || found instanceof Error) {
    const [a, b] = [expected, found] as { message?: unknown }[];
    return a!.message === b!.message ? undefined : { expected, found, keys: [] };
  }
  if (Array.isArray(expected) !== Array.isArray(found)) return { expected, found, keys: [] };
  const [a, b] = [expected, found] as [Readonly<Record<string, unknown>>, Readonly<Record<string, unknown>>];
  for (const key of Object.keys(a)) {
    const inner = differenceOf(a[key], b[key]);
    if (inner !== undefined) return within(key, inner);
  }
  for (const key of Object.keys(b)) {
    if (Object.hasOwn(a, key)) continue;
    const inner = differenceOf(a[key], b[key]);
    if (inner !== undefined) return within(key, inner);
  }
  return undefined;
}

const within = (key: string, inner: Difference): Difference => {
  inner.keys.push(key);
  return inner;
};

/** Index of the first byte that is not the same, or -1; the shorter array's end counts. */
export function firstDifference(a: Uint8Array, b: Uint8Array): number {
  const most = Math.min(a.length, b.length);
  for (let i = 0; i < most; i++) if (a[i] !== b[i]) return i;
  return a.length === b.length ? -1 : most;
}

const mostShown = 120;

/** A value in one short line. */
export function shown(value: unknown): string {
  try {
    const text = JSON.stringify(value, (_key, inner: unknown) => {
      if (typeof inner === 'bigint') return `${inner}n`;
      if (inner instanceof LeftOut) return `(${inner.what}, left out)`;
      if (inner instanceof Uint8Array) return `(${inner.length} bytes)`;
      if (inner instanceof Error) return inner.message;
      return inner;
    });
    if (text === undefined) return 'nothing';
    return text.length > mostShown ? `${text.slice(0, mostShown)}…` : text;
  } catch {
    return String(value);
  }
}

/** The same value with zeros where bytes were left out, so that it can be encoded; other things left out become empty. */
export function filledIn(value: unknown): any {
  if (value instanceof LeftOut) return new Uint8Array(value.size);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(filledIn);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, filledIn(inner)]));
}
