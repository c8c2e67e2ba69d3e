import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readWav, WavError, writeWav } from '../../src/sources/wav.ts';

const one = () => writeWav({ channels: 2, frequency: 48_000, samples: Int16Array.of(1, -1, 32_767, -32_768) });

/** A file of the given chunks. */
function file(...chunks: [kind: string, body: number[], claimed?: number][]): Uint8Array {
  const bytes = [...Buffer.from('RIFF....WAVE')];
  for (const [kind, body, claimed = body.length] of chunks) {
    bytes.push(...Buffer.from(kind), ...le(claimed, 4), ...body, ...(body.length % 2 ? [0] : []));
  }
  return Uint8Array.from(bytes);
}
const le = (value: number, size: number) => Array.from({ length: size }, (_, i) => Math.floor(value / 256 ** i) & 0xff);
const format = (tag: number, channels: number, rate: number, bits: number, more: number[] = []) => [
  ...le(tag, 2),
  ...le(channels, 2),
  ...le(rate, 4),
  ...le((rate * channels * bits) / 8, 4),
  ...le((channels * bits) / 8, 2),
  ...le(bits, 2),
  ...more,
];

describe('a WAV file', () => {
  test('is written as other programs read it', () => {
    const bytes = one();
    expect(bytes).toHaveLength(44 + 8);
    expect(Buffer.from(bytes).toString('hex')).toBe(
      '524946462c00000057415645666d74201000000001000200' +
        '80bb000000ee020004001000' +
        '6461746108000000' +
        '0100ffffff7f0080',
    );
  });

  test('reads as it was written', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 384_000 }),
        fc.array(fc.integer({ min: -32_768, max: 32_767 })),
        (channels, frequency, all) => {
          const read = readWav(writeWav({ channels, frequency, samples: Int16Array.from(all) }));
          const whole = all.slice(0, all.length - (all.length % channels));
          expect({ ...read, samples: [...read.samples] }).toEqual({ channels, frequency, samples: whole });
        },
      ),
    );
  });

  test('passes over chunks that it does not know, at odd sizes too', () => {
    const bytes = file(['LIST', [1, 2, 3]], ['fmt ', format(1, 1, 8_000, 16)], ['junk', []], ['data', [1, 0, 2, 0, 9]]);
    const { channels, frequency, samples } = readWav(bytes);
    expect([channels, frequency, ...samples]).toEqual([1, 8_000, 1, 2]);
  });

  test('knows the extensible form', () => {
    const more = [...le(22, 2), ...le(16, 2), ...le(3, 4), ...le(1, 2), ...Array(14).fill(0)];
    expect(readWav(file(['fmt ', format(0xfffe, 2, 44_100, 16, more)], ['data', [1, 0, 2, 0]])).channels).toBe(2);
  });

  test('that was cut off ends with its bytes', () => {
    const bytes = file(['fmt ', format(1, 2, 48_000, 16)], ['data', [1, 0, 2, 0, 3, 0], 0xffff_ffff]);
    expect([...readWav(bytes).samples]).toEqual([1, 2]);
  });

  test.each([
    ['nothing', new Uint8Array()],
    ['other bytes', new Uint8Array(100)],
    ['no chunk', file()],
    ['no samples', file(['fmt ', format(1, 2, 48_000, 16)])],
    ['no format', file(['data', [1, 0]])],
    ['a short format', file(['fmt ', [1, 0]], ['data', [1, 0]])],
    ['eight bits', file(['fmt ', format(1, 2, 48_000, 8)], ['data', [1, 0]])],
    ['another coding', file(['fmt ', format(3, 2, 48_000, 16)], ['data', [1, 0]])],
    ['no channels', file(['fmt ', format(1, 0, 48_000, 16)], ['data', [1, 0]])],
    ['many channels', file(['fmt ', format(1, 60_000, 48_000, 16)], ['data', [1, 0]])],
    ['no rate', file(['fmt ', format(1, 2, 0, 16)], ['data', [1, 0]])],
    ['a vast chunk', file(['junk', [1], 0xffff_ffff])],
  ])('is refused with a WavError: %s', (_, bytes) => {
    expect(() => readWav(bytes)).toThrow(WavError);
  });

  test('does nothing but read or throw WavError, whatever its bytes', () => {
    const good = one();
    const spoilt = fc.tuple(fc.nat(good.length - 1), fc.nat(255), fc.nat(good.length)).map(([at, value, length]) => {
      const bytes = good.slice(0, Math.max(at, length));
      bytes[at] = value;
      return bytes;
    });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), spoilt), (bytes) => {
        try {
          expect(readWav(bytes).samples.length).toBeLessThanOrEqual(bytes.length / 2);
        } catch (error) {
          expect(error).toBeInstanceOf(WavError);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('is not written in a format that cannot be read', () => {
    expect(() => writeWav({ channels: 0, frequency: 1, samples: new Int16Array() })).toThrow(WavError);
    expect(() => writeWav({ channels: 1, frequency: 0.5, samples: new Int16Array() })).toThrow(WavError);
  });
});
