/**
 * The tone of a guest in a real QEMU, as our client hears it: raw, and through QEMU's Opus encoder. Its pitch is the one that
 * the guest's timer was set to. And sound both ways with libspice-server, whose guest knows each sample that it plays.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, expect, test } from 'vitest';
import type { Client } from '../../src/client/client.ts';
import type { Played } from '../../src/client/sound.ts';
import { connect } from '../../src/connect.ts';
import { readWav } from '../../src/sources/wav.ts';
import { pitchOf, sine } from '../audio/tones.ts';
import { first } from '../support/network.ts';
import { TONE_HZ } from '../support/peers/boot-sector.ts';
import { peerSuite } from '../support/peers/present.ts';
import { type Qemu, startQemu } from '../support/peers/qemu.ts';
import { guestNeeds, type SpiceGuest, startGuest } from './c/guest.ts';

const run = promisify(execFile);
const sumac = fileURLToPath(new URL('../../dist/src/cli/sumac.js', import.meta.url));

const ended: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end();
});

async function singing(playbackCompression: boolean): Promise<Qemu> {
  const qemu = await startQemu({ image: 'moving', playbackCompression });
  ended.push(() => qemu.stop());
  return qemu;
}

peerSuite('the tone of a QEMU', ['qemu-system-x86_64'], () => {
  test.each([
    ['raw, as QEMU is told', false, false, 'raw'],
    ['raw, as the client wants it', true, true, 'raw'],
    ['Opus', true, false, 'opus'],
  ] as const)('is heard at its pitch: %s', async (_, playbackCompression, rawSound, expected) => {
    const qemu = await singing(playbackCompression);
    const client = connect({ destination: { host: qemu.host, port: qemu.spicePort }, rawSound });
    ended.push(() => client.close());
    const heard: Extract<Played, { type: 'samples' }>[] = [];
    let format = { channels: 0, frequency: 0 };
    let frames = 0;
    await first(client.playback.played, (what) => {
      if (what.type === 'start') format = what;
      if (what.type !== 'samples') return false;
      heard.push(what);
      frames += what.samples.length / format.channels;
      return frames > format.frequency * 1.5;
    });
    expect(client.playback.compression).toBe(expected);
    expect([...client.playback.undecoded]).toEqual([]);
    const all = Int16Array.from(heard.flatMap(({ samples }) => [...samples]));
    // What comes first may be from before the guest's picture stood.
    const { pitch, peak } = pitchOf(all.subarray(all.length >> 1), format);
    expect(pitch).toBeCloseTo(TONE_HZ, -0.5);
    expect(peak).toBeGreaterThan(1_000);
    // An emulated guest on a busy machine may stop for a while, but no sound that QEMU has sent is missing.
    for (let i = 1; i < heard.length; i++) expect((heard[i]!.time - heard[i - 1]!.time) | 0).toBeGreaterThanOrEqual(0);
  });

  test('is what sumac connect records', async () => {
    const qemu = await singing(true);
    const folder = await mkdtemp(join(tmpdir(), 'sumac-sound-'));
    ended.push(() => rm(folder, { recursive: true, force: true }));
    const file = join(folder, 'heard.wav');
    await run('node', [sumac, 'connect', `spice://127.0.0.1:${qemu.spicePort}`, '--for', '2s', '--record', file]);
    const { samples, ...format } = readWav(await readFile(file));
    expect(samples.length / format.channels).toBeGreaterThan(format.frequency);
    expect(pitchOf(samples.subarray(samples.length >> 1), format).pitch).toBeCloseTo(TONE_HZ, -0.5);
  });
});

peerSuite('sound with libspice-server', guestNeeds, () => {
  const format = { channels: 2, frequency: 48_000 };

  async function listen(playbackCompression: boolean, rawSound: boolean) {
    const guest = await startGuest({ playbackCompression });
    ended.push(() => guest.stop());
    const client = connect({ destination: { host: guest.host, port: guest.spicePort }, rawSound });
    ended.push(() => client.close());
    await up(client, 'playback:0');
    await up(client, 'record:0');
    return { guest, client };
  }
  const up = async (client: Client, channel: string) => {
    if (!client.channels.has(channel)) await first(client.events, () => client.channels.has(channel));
  };
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

  /** Samples of silence before a tone. */
  const leadIn = 960 * 20;
  /** Plays that first: while links are being made the library drops a period now and then. */
  async function perform(guest: SpiceGuest, tone: Int16Array): Promise<void> {
    guest.play(tone.subarray(0, 0), format.frequency);
    await pause(100);
    const whole = Int16Array.of(...new Int16Array(leadIn), ...tone);
    for (let at = 0; at < whole.length; at += 960) {
      guest.play(whole.subarray(at, at + 960));
      await pause(8);
    }
    await pause(200);
    guest.silence();
  }
  /** What was heard from the tone's first frame on, which is silent itself. */
  const toneIn = (heard: Int16Array) => heard.subarray(heard.findIndex((sample) => sample !== 0) - format.channels);

  test.each([
    ['raw', false, false],
    ['raw, as the client wants it', true, true],
    ['Opus', true, false],
  ])('a tone is heard as it was played: %s', async (name, playbackCompression, rawSound) => {
    const { guest, client } = await listen(playbackCompression, rawSound);
    const parts: Int16Array[] = [];
    const words: string[] = [];
    client.playback.played.subscribe((what) => {
      if (what.type === 'samples') parts.push(what.samples);
      else words.push(what.type);
    });
    const tone = sine(660, 1, format);
    const all = () => Int16Array.from(parts.flatMap((part) => [...part]));
    await perform(guest, tone);
    await first(client.playback.played, ({ type }) => type === 'stop');
    expect(words).toEqual(['start', 'stop']);
    expect(client.playback.compression).toBe(name === 'Opus' ? 'opus' : 'raw');
    if (name === 'Opus') {
      expect(all().length).toBeGreaterThan(leadIn + tone.length * 0.8);
      expect(pitchOf(all().subarray(leadIn + 9_600), format).pitch).toBeCloseTo(660, 0);
    } else {
      // The library sends a period when the next one is full: the last may be missing.
      const heard = toneIn(all());
      expect(heard.length).toBeGreaterThan(tone.length * 0.9);
      expect(heard).toEqual(tone.subarray(0, heard.length));
    }
  });

  test('what sumac connect records are the very samples', async () => {
    const guest = await startGuest({ playbackCompression: true });
    ended.push(() => guest.stop());
    const folder = await mkdtemp(join(tmpdir(), 'sumac-sound-'));
    ended.push(() => rm(folder, { recursive: true, force: true }));
    const file = join(folder, 'heard.wav');
    // Channel type 5 is playback.
    const linked = guest.answer(({ words }) => words[0] === 'client' && words[1] === '5');
    const words = ['connect', `spice://127.0.0.1:${guest.spicePort}`, '--for', '4s', '--raw-sound', '--record', file];
    const recording = run('node', [sumac, ...words]);
    await linked;
    const tone = sine(660, 1, format);
    await perform(guest, tone);
    await recording;
    const { samples, ...recorded } = readWav(await readFile(file));
    expect(recorded).toEqual(format);
    const heard = toneIn(samples);
    expect(heard.length).toBeGreaterThan(tone.length * 0.9);
    expect(heard).toEqual(tone.subarray(0, heard.length));
  });

  test.each([
    ['raw', true],
    ['Opus', false],
  ])('a tone that we say is heard: %s', async (_, rawSound) => {
    const { guest, client } = await listen(true, rawSound);
    const wanted = first(client.record.wanted, (value) => value !== undefined);
    guest.listen(48_000);
    expect(await wanted).toEqual(format);
    const tone = sine(520, 1.5, format);
    for (let at = 0; at < tone.length; at += 960) {
      client.record.write(tone.subarray(at, at + 960));
      await pause(9);
    }
    await pause(100);
    guest.deafen();
    await first(client.record.wanted, (value) => value === undefined);
    const heard = Int16Array.from(guest.heard.flatMap((part) => [...part]));
    expect(heard.length).toBeGreaterThan(tone.length / 2);
    // The library leaves something out here and there, to keep up with its own clock.
    expect(pitchOf(heard.slice(heard.length >> 1), format).pitch).toBeCloseTo(520, -1);
    expect(guest.errors).not.toMatch(/CRITICAL/);
  });
});
