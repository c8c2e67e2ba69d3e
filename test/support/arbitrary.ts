/**
 * Values to test layouts with, made from the layouts themselves: an arbitrary for whatever a codec reads and writes.
 * Lists and byte fields are kept short; what is derived when writing is never in a value.
 */
import fc from 'fast-check';
import type { Codec } from '../../src/wire/codec.ts';
import { choose, type Step } from '../../src/wire/layout.ts';

const few = 4;

/** Any value that the codec takes. */
export function arbitraryOf<T>(codec: Codec<T>): fc.Arbitrary<T> {
  return ofParts(codec as Codec<any>) as fc.Arbitrary<T>;
}

function ofParts(codec: Codec<any>): fc.Arbitrary<any> {
  const { parts } = codec;
  switch (parts.kind) {
    case 'integer': {
      if (parts.bits === 64) {
        return parts.signed
          ? fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
          : fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
      }
      const span = 2 ** parts.bits;
      return parts.signed ? fc.integer({ min: -span / 2, max: span / 2 - 1 }) : fc.integer({ min: 0, max: span - 1 });
    }
    case 'names':
      return fc.constantFrom(...Object.keys(parts.names));
    case 'bytes': {
      if (parts.text) return fc.string({ unit: 'binary', maxLength: 20 }).map((s) => s.replaceAll('\0', '~'));
      const length =
        typeof parts.size === 'number' ? { minLength: parts.size, maxLength: parts.size } : { maxLength: 40 };
      return fc.uint8Array(length);
    }
    case 'struct':
      return fc.record(Object.fromEntries(parts.fields.map(([name, field]) => [name, ofParts(field)])), {
        noNullPrototype: true,
      });
    case 'array': {
      const length =
        typeof parts.count === 'number' ? { minLength: parts.count, maxLength: parts.count } : { maxLength: few };
      return fc.array(ofParts(parts.item), length);
    }
    case 'variant':
      return fc.oneof(
        ...Object.entries(parts.cases).map(([type, [, fields]]) =>
          ofParts(fields).map((value) => ({ type, ...value })),
        ),
      );
    case 'pointer':
      return parts.nullable ? fc.option(ofParts(parts.to)) : ofParts(parts.to);
    case 'mapped':
      return ofParts(parts.inner).map((inner) => parts.from(inner));
    case 'custom':
      return fc.nat().map((seed) => {
        let state = seed;
        return parts.sample((below) => {
          state = (Math.imul(state, 1103515245) + 12345) >>> 0;
          return (state >>> 8) % below;
        });
      });
    case 'layout':
      return ofSteps(parts.steps, 0, {}, {});
  }
}

type Scope = Record<string, unknown>;

function ofSteps(steps: readonly Step[], at: number, seen: Scope, value: Scope): fc.Arbitrary<any> {
  const step = steps[at];
  if (step === undefined) return fc.constant(value);
  const codec = choose(step.codec, seen);
  const next = (more: Scope, visible: Scope) => ofSteps(steps, at + 1, { ...seen, ...more }, { ...value, ...visible });
  if (codec === undefined) return next({}, {});
  if (step.kind === 'merge') return ofParts(codec).chain((fields: Scope) => next(fields, fields));
  if (step.kind === 'derived') return fc.nat(few).chain((n) => next({ [step.name]: n }, {}));
  const one = step.extent ? fc.nat(6) : ofParts(codec);
  return one.chain((v: unknown) => next({ [step.name]: v }, { [step.name]: v }));
}
