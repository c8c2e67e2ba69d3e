/** Values of records in bytes: whatever a record may hold comes back as it was, and damaged bytes are refused, not believed. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LeftOut } from '../../src/journal/record.ts';
import { ValueError, ValueReader, ValueWriter } from '../../src/journal/value.ts';

const written = (...values: unknown[]): Uint8Array => {
  const writer = new ValueWriter(undefined, 1);
  for (const value of values) writer.value(value);
  return writer.written().slice();
};

const read = (bytes: Uint8Array): unknown => new ValueReader(bytes).value();

const plain = fc.letrec<{ any: unknown }>((tie) => ({
  any: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(undefined, null, true, false, -0, Number.NaN, Number.POSITIVE_INFINITY),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double(),
    fc.bigInt(),
    fc.string({ unit: 'binary', maxLength: 100 }),
    fc.uint8Array(),
    fc.array(tie('any'), { maxLength: 5 }),
    fc.dictionary(fc.string(), tie('any'), { maxKeys: 5 }),
  ),
})).any;

describe('a value', () => {
  it('comes back as it was', () => {
    fc.assert(
      fc.property(plain, (value) => {
        expect(read(written(value))).toEqual(value);
      }),
    );
  });

  it('comes back with the texts that it shares with others', () => {
    const reader = new ValueReader(written({ type: 'a' }, 'type', ['a', 'b'], 'b'));
    expect([reader.value(), reader.value(), reader.value(), reader.value()]).toEqual([
      { type: 'a' },
      'type',
      ['a', 'b'],
      'b',
    ]);
    expect(written('playback', 'playback').length).toBe(written('playback').length + 2);
  });

  it('may be what JSON has no word for', () => {
    const value = {
      big: -(2n ** 70n),
      bytes: Uint8Array.of(1, 0, 255),
      nothing: undefined,
      out: new LeftOut('ticket', 128),
    };
    const back = read(written(value)) as typeof value;
    expect(back).toEqual(value);
    expect(back.out).toBeInstanceOf(LeftOut);
    expect(Object.hasOwn(back, 'nothing')).toBe(true);
  });

  it('may be an error, which comes back as one, with its code', () => {
    const error = Object.assign(new TypeError('it hung up'), { code: 'link' });
    const back = read(written(error)) as Error & { code: unknown };
    expect(back).toBeInstanceOf(Error);
    expect(back).toMatchObject({ name: 'TypeError', message: 'it hung up', code: 'link' });
  });

  it('that cannot be written becomes nothing, and never throws', () => {
    const endless: { self?: unknown } = {};
    endless.self = endless;
    let depth = 0;
    for (let at = read(written(endless)) as typeof endless; at !== undefined; at = at.self as typeof endless) depth++;
    expect(depth).toBeLessThan(100);
    expect(read(written(() => 1))).toBeUndefined();
    expect(read(written({ a: Symbol('x') }))).toEqual({ a: undefined });
  });

  it('named __proto__ stays a value', () => {
    const value = JSON.parse('{"__proto__": 1}');
    const back = read(written(value)) as object;
    expect(Object.keys(back)).toEqual(['__proto__']);
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype);
  });
});

describe('bytes that are no value', () => {
  it('are refused, wherever they break off', () => {
    fc.assert(
      fc.property(plain, fc.nat(), (value, at) => {
        const bytes = written(value);
        expect(() => read(bytes.subarray(0, at % bytes.length))).toThrow(ValueError);
      }),
    );
  });

  it('are refused or read, whatever they are: nothing else happens', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          read(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(ValueError);
        }
      }),
    );
  });

  it('that tell of more than there is ask for no room', () => {
    // A list, and a byte array, of 2³⁵ items.
    for (const kind of [11, 10]) expect(() => read(Uint8Array.of(kind, 128, 128, 128, 128, 128, 1))).toThrow(/needs/);
  });
});
