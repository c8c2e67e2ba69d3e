/**
 * The tone of a guest in a real QEMU, as our client hears it: raw, and through QEMU's Opus encoder. Its pitch is the one that
 * the guest's timer was set to.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, expect, test } from 'vitest';
import type { Played } from '../../src/client/sound.ts';
import { connect } from '../../src/connect.ts';
import { readWav } from '../../src/sources/wav.ts';
import { pitchOf } from '../audio/tones.ts';
import { first } from '../support/network.ts';
import { TONE_HZ } from '../support/peers/boot-sector.ts';
import { peerSuite } from '../support/peers/present.ts';
import { type Qemu, startQemu } from '../support/peers/qemu.ts';

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
