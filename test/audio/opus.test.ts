/** Opus on both of its ways to libopus: tones keep their pitch, sound may be cut up anyhow, and bad packets do no harm. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { beforeAll, describe, expect, it } from 'vitest';
import { AudioError } from '../../src/audio/error.ts';
import { loadOpus, type Opus, suitsOpus } from '../../src/audio/opus.ts';
import { pitchOf, sine } from './tones.ts';

const wasm = readFileSync(createRequire(import.meta.url).resolve('@evan/opus/wasm/opus.wasm'));

describe.each([
  ['as Node finds it', undefined],
  ['as a browser is given it', new Uint8Array(wasm)],
])('Opus, %s', (_, given) => {
  let opus: Opus;
  beforeAll(async () => {
    opus = await loadOpus({ wasm: given });
  });

  it.each([
    [2, 48_000],
    [1, 48_000],
    [2, 24_000],
    [2, 16_000],
    [1, 12_000],
    [1, 8_000],
  ])('keeps the pitch of a tone: %i channels at %i Hz', (channels, frequency) => {
    const format = { channels, frequency };
    const [encoder, decoder] = [opus.encoder(format), opus.decoder(format)];
    const packets = encoder.encode(sine(440, 1, format));
    expect(packets.length).toBe(100);
    expect(Math.max(...packets.map((packet) => packet.length))).toBeLessThanOrEqual(480);
    const heard = packets.map((packet) => decoder.decode(packet));
    for (const part of heard) expect(part.length).toBe((frequency / 100) * channels);
    const all = Int16Array.from(heard.flatMap((part) => [...part]));
    for (let channel = 0; channel < channels; channel++) {
      const { pitch, peak } = pitchOf(all.subarray(frequency / 5), format, channel);
      expect(pitch).toBeCloseTo(440, 0);
      expect(peak).toBeGreaterThan(5_000);
    }
    encoder.close();
    decoder.close();
  });

  it('makes the same packets however the sound is cut up', () => {
    const format = { channels: 2, frequency: 48_000 };
    const sound = sine(300, 0.105, format);
    const whole = opus.encoder(format).encode(sound);
    const encoder = opus.encoder(format);
    const cut: Uint8Array[] = [];
    for (let at = 0, size = 2; at < sound.length; at += size, size += 62) {
      cut.push(...encoder.encode(sound.subarray(at, at + size)));
    }
    expect(cut).toEqual(whole);
    expect(encoder.waiting).toBeCloseTo(5);
    const last = encoder.flush()!;
    expect(opus.decoder(format).decode(last).length).toBe(960);
    expect([encoder.waiting, encoder.flush()]).toEqual([0, undefined]);
  });

  it('refuses what is no packet, and decodes the next one', () => {
    const format = { channels: 2, frequency: 48_000 };
    const [good] = opus.encoder(format).encode(sine(440, 0.01, format));
    const decoder = opus.decoder(format);
    // A frame count of 63 in a packet that is too short for it, one byte more than is looked at, and nothing at all.
    for (const bad of [Uint8Array.of(0xff, 0x3f, 0xff), new Uint8Array(4_097), new Uint8Array()]) {
      expect(() => decoder.decode(bad)).toThrow(AudioError);
    }
    expect(decoder.decode(good!).length).toBe(960);
    let refused = 0;
    for (let seed = 1; seed <= 2_000; seed++) {
      const noise = Uint8Array.from({ length: 1 + (seed % 97) }, (_, i) => (seed * 2_654_435_761 * (i + 3)) >>> 11);
      try {
        expect(decoder.decode(noise).length).toBeLessThanOrEqual(5_760 * 2);
      } catch (error) {
        expect(error).toBeInstanceOf(AudioError);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(100);
    expect(decoder.decode(good!).length).toBe(960);
  });

  it('knows which sound it can take', () => {
    expect(suitsOpus({ channels: 2, frequency: 44_100 })).toBe(false);
    expect(suitsOpus({ channels: 3, frequency: 48_000 })).toBe(false);
    expect(() => opus.encoder({ channels: 2, frequency: 44_100 })).toThrow(RangeError);
    expect(() => opus.decoder({ channels: 0, frequency: 48_000 })).toThrow(RangeError);
  });
});

it('says so when there is no library', async () => {
  await expect(loadOpus({ wasm: Uint8Array.of(0, 1, 2) })).rejects.toThrow();
});
