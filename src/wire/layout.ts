/**
 * Layouts whose later fields depend on earlier ones: flags that add fields, counts that do not stand before what they count.
 * A layout is a list of steps, each taken in order, both when reading and when writing. Knows nothing of SPICE.
 */
import { WireError } from '../errors.ts';
import type { Codec } from './codec.ts';

/** What the steps so far have read or will write, derived numbers included. */
export type Seen = Readonly<Record<string, any>>;
/** A codec, or the choice of one by what was seen; `undefined` is "not there". */
export type Choice = Codec<any> | ((seen: Seen) => Codec<any> | undefined);

export type Step =
  /** A field of the value. `extent` tells that it measures a later field: generators of test data keep it small. */
  | { readonly kind: 'field'; readonly name: string; readonly codec: Choice; readonly extent: boolean }
  /** A number that stands in the bytes but not in the value, since it follows from it. */
  | { readonly kind: 'derived'; readonly name: string; readonly codec: Choice; from(value: any): number }
  /** Fields that another struct adds to the value. */
  | { readonly kind: 'merge'; readonly name: string; readonly codec: (seen: Seen) => Codec<any> };

export const field = (name: string, codec: Choice): Step => ({ kind: 'field', name, codec, extent: false });
export const extent = (name: string, codec: Codec<number>): Step => ({ kind: 'field', name, codec, extent: true });
export const derived = (name: string, codec: Choice, from: (value: any) => number): Step => ({
  kind: 'derived',
  name,
  codec,
  from,
});
export const merge = (name: string, codec: (seen: Seen) => Codec<any>): Step => ({ kind: 'merge', name, codec });

export const choose = (codec: Choice, seen: Seen): Codec<any> | undefined =>
  typeof codec === 'function' ? codec(seen) : codec;

/**
 * The codec of a list of steps. When writing, a field that the earlier ones rule out must be absent, and one that they call
 * for must be there; else WireError `range`.
 */
export function layout<T extends object>(steps: readonly Step[]): Codec<T> {
  const hides = steps.some((step) => step.kind === 'derived');
  const least = steps.reduce((sum, { codec }) => sum + (typeof codec === 'function' ? 0 : codec.parts.least), 0);
  return {
    parts: { kind: 'layout', steps, least },
    read(r) {
      const value: Record<string, unknown> = {};
      const seen: Record<string, unknown> = hides ? {} : value;
      let i = 0;
      try {
        for (; i < steps.length; i++) {
          const step = steps[i]!;
          const codec = choose(step.codec, seen);
          if (codec === undefined) continue;
          const got = codec.read(r);
          if (step.kind === 'merge') {
            for (const name in got as object) seen[name] = value[name] = (got as Record<string, unknown>)[name];
          } else {
            seen[step.name] = got;
            if (step.kind === 'field') value[step.name] = got;
          }
        }
      } catch (error) {
        throw error instanceof WireError ? error.within(steps[i]!.name) : error;
      }
      return value as T;
    },
    write(w, v) {
      const seen: Record<string, any> = hides ? { ...v } : v;
      let i = 0;
      try {
        for (; i < steps.length; i++) {
          const step = steps[i]!;
          if (step.kind === 'derived') seen[step.name] = step.from(v);
          const codec = choose(step.codec, seen);
          if (step.kind === 'merge') codec!.write(w, v);
          else if (codec !== undefined) {
            if (seen[step.name] === undefined) throw new WireError('range', w.pos, 'is missing');
            codec.write(w, seen[step.name]);
          } else if (step.kind === 'field' && seen[step.name] !== undefined) {
            throw new WireError('range', w.pos, 'must be absent, by the fields before it');
          }
        }
      } catch (error) {
        throw error instanceof WireError ? error.within(steps[i]!.name) : error;
      }
    },
  };
}
