/** Every layout reads what it writes, and takes no bytes that do not fit but with a WireError. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WireError } from '../../src/errors.ts';
import { agentMessages, type Channel, channels, migrateData } from '../../src/protocol/index.ts';
import { type Codec, decode, encode } from '../../src/wire/codec.ts';
import { explain } from '../../src/wire/explain.ts';
import { arbitraryOf } from '../support/arbitrary.ts';

const layouts: [string, Codec<any>][] = [];
for (const ch of Object.values(channels) as Channel[]) {
  for (const side of ['server', 'client'] as const) {
    for (const entry of ch.tables[side].byNumber.values()) layouts.push([`${ch.name} ${entry.type}`, entry.codec]);
  }
}
for (const [name, codec] of Object.entries(migrateData)) layouts.push([`migrate data of ${name}`, codec as Codec<any>]);
for (const clipboardSelection of [false, true]) {
  for (const clipboardGrabSerial of [false, true]) {
    for (const [name, [, codec]] of Object.entries(agentMessages({ clipboardSelection, clipboardGrabSerial }))) {
      layouts.push([`agent ${name} (selection ${clipboardSelection}, serial ${clipboardGrabSerial})`, codec]);
    }
  }
}

/** Runs `act`; a WireError is as good as no error, anything else is not. */
const onlyWireErrors = (act: () => unknown) => {
  try {
    act();
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    expect(error.offset).toBeGreaterThanOrEqual(0);
  }
};

describe.each(layouts)('%s', (_name, codec) => {
  const values = arbitraryOf(codec);

  it('reads what it writes', () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(decode(codec, encode(codec, value))).toEqual(value);
      }),
      { numRuns: 60 },
    );
  });

  it('refuses what is cut off or changed with a WireError only, and explains every byte of it', () => {
    fc.assert(
      fc.property(values, fc.nat(), fc.nat(), fc.nat(255), (value, cut, at, byte) => {
        const body = encode(codec, value);
        const short = body.subarray(0, cut % (body.length + 1));
        const wrong = body.slice();
        if (wrong.length > 0) wrong[at % wrong.length] = byte;
        for (const bytes of [body, short, wrong]) {
          onlyWireErrors(() => encode(codec, decode(codec, bytes)));
          const covered = new Uint8Array(bytes.length);
          for (const { offset, size } of explain(codec, bytes).fields) covered.fill(1, offset, offset + size);
          expect(covered.every((one) => one === 1)).toBe(true);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('survives noise', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => onlyWireErrors(() => decode(codec, noise))),
      { numRuns: 40 },
    );
  });
});
