/** Sound and files: recordings, other formats, and the pace at which a microphone speaks. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BehaviorSubject, Subject } from 'rxjs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { convertSound, Microphone, readSound, SoundRecorder } from '../../src/cli/sound-file.ts';
import type { ClientRecord, Played, SoundFormat } from '../../src/client/sound.ts';
import { UsageError } from '../../src/errors.ts';
import { readWav, type Wav, writeWav } from '../../src/sources/wav.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { firstChannel, shareOfPitch } from './captured.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sumac-cli-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const sine = (pitch: number, seconds: number, frequency: number, channels: number): Wav => ({
  channels,
  frequency,
  samples: Int16Array.from({ length: Math.round(seconds * frequency) * channels }, (_, i) =>
    Math.round(8_000 * Math.sin((2 * Math.PI * pitch * Math.floor(i / channels)) / frequency)),
  ),
});

describe('a recording', () => {
  test('holds what was played, across stops and starts', () => {
    const file = join(folder, 'a.wav');
    const played = new Subject<Played>();
    const recorder = new SoundRecorder(file);
    recorder.follow(played);
    played.next({ type: 'samples', samples: Int16Array.of(9, 9), time: 0 });
    played.next({ type: 'start', channels: 2, frequency: 44_100 });
    played.next({ type: 'samples', samples: Int16Array.of(1, -2), time: 0 });
    played.next({ type: 'stop' });
    played.next({ type: 'start', channels: 2, frequency: 44_100 });
    played.next({ type: 'samples', samples: Int16Array.of(3, -32_768, 7), time: 0 });
    recorder.close();
    recorder.close();
    played.next({ type: 'samples', samples: Int16Array.of(5, 5), time: 0 });
    expect(readWav(readFileSync(file))).toEqual({
      channels: 2,
      frequency: 44_100,
      samples: Int16Array.of(1, -2, 3, -32_768),
    });
    expect(recorder.seconds).toBeCloseTo(2 / 44_100);
    expect(recorder.trouble).toBeUndefined();
  });

  test('without sound is an empty sound', () => {
    const file = join(folder, 'b.wav');
    new SoundRecorder(file).close();
    expect(readWav(readFileSync(file)).samples).toHaveLength(0);
  });

  test('ends, and says so, where the format changes', () => {
    const file = join(folder, 'c.wav');
    const played = new Subject<Played>();
    const recorder = new SoundRecorder(file);
    recorder.follow(played);
    played.next({ type: 'start', channels: 1, frequency: 48_000 });
    played.next({ type: 'samples', samples: Int16Array.of(1), time: 0 });
    played.next({ type: 'start', channels: 2, frequency: 48_000 });
    played.next({ type: 'samples', samples: Int16Array.of(2, 2), time: 0 });
    recorder.close();
    expect(readWav(readFileSync(file)).samples).toEqual(Int16Array.of(1));
    expect(recorder.trouble).toContain('format');
  });

  test('of a format that no file can have is none', () => {
    const file = join(folder, 'd.wav');
    const played = new Subject<Played>();
    const recorder = new SoundRecorder(file);
    recorder.follow(played);
    played.next({ type: 'start', channels: 0, frequency: 0xffff_ffff });
    played.next({ type: 'samples', samples: Int16Array.of(2, 2), time: 0 });
    recorder.close();
    expect(recorder.trouble).toContain('channels');
  });

  test('is refused where nothing can be written', () => {
    expect(() => new SoundRecorder(join(folder, 'none', 'a.wav'))).toThrow(UsageError);
    expect(() => new SoundRecorder(folder)).toThrow(UsageError);
  });
});

describe('a sound to play', () => {
  test('is refused when it is none', () => {
    writeFileSync(join(folder, 'text.wav'), 'hello');
    for (const name of ['text.wav', 'none.wav', '.']) {
      expect(() => readSound(join(folder, name))).toThrow(UsageError);
    }
  });

  test('keeps its pitch in another format', () => {
    const mono = sine(440, 0.5, 22_050, 1);
    const stereo = convertSound(mono, { channels: 2, frequency: 48_000 }, 0, 24_000);
    expect(shareOfPitch(firstChannel(stereo, 2), 48_000, 440)).toBeGreaterThan(0.98);
    expect(shareOfPitch(firstChannel(stereo, 2), 48_000, 480)).toBeLessThan(0.02);
    const back = convertSound(
      { channels: 2, frequency: 48_000, samples: stereo },
      { channels: 1, frequency: 8_000 },
      0,
      4_000,
    );
    expect(shareOfPitch(back, 8_000, 440)).toBeGreaterThan(0.98);
  });
});

/** A guest that wants to hear, with what it has heard. */
class Listener {
  readonly wanted = new BehaviorSubject<SoundFormat | undefined>(undefined);
  heard: number[] = [];
  packets = 0;
  deaf = false;
  write(samples: Int16Array): boolean {
    if (this.deaf) return false;
    this.packets++;
    this.heard.push(...samples);
    return true;
  }
}

describe('a microphone', () => {
  const sound: Wav = { channels: 1, frequency: 8_000, samples: Int16Array.from({ length: 8_000 }, (_, i) => i) };
  const speak = () => {
    const clock = new VirtualClock();
    const listener = new Listener();
    const microphone = new Microphone(listener as unknown as ClientRecord, sound, clock);
    return { clock, listener, microphone };
  };

  test('says all of it once, at the pace of the clock', async () => {
    const { clock, listener } = speak();
    await clock.advance(500);
    expect(listener.heard).toHaveLength(0);
    listener.wanted.next({ channels: 1, frequency: 8_000 });
    await clock.advance(500);
    expect(listener.heard.length / 8_000).toBeCloseTo(0.5, 1);
    await clock.advance(2_000);
    expect(listener.heard).toEqual([...sound.samples]);
  });

  test('goes on where it was when it is asked again', async () => {
    const { clock, listener } = speak();
    listener.wanted.next({ channels: 1, frequency: 8_000 });
    await clock.advance(300);
    listener.wanted.next(undefined);
    const { length } = listener.heard;
    await clock.advance(5_000);
    expect(listener.heard).toHaveLength(length);
    listener.wanted.next({ channels: 1, frequency: 8_000 });
    await clock.advance(2_000);
    expect(listener.heard).toEqual([...sound.samples]);
  });

  test('loses nothing while nothing can be sent, and says no more than a little at once after it', async () => {
    const { clock, listener } = speak();
    listener.wanted.next({ channels: 1, frequency: 8_000 });
    listener.deaf = true;
    await clock.advance(700);
    listener.deaf = false;
    const before = listener.heard.length;
    await clock.advance(20);
    expect(listener.heard.length - before).toBeLessThanOrEqual(1_600);
    await clock.advance(2_000);
    expect(listener.heard).toEqual([...sound.samples]);
  });

  test('says nothing in a format that no guest can want, and nothing once it is closed', async () => {
    const { clock, listener, microphone } = speak();
    listener.wanted.next({ channels: 255, frequency: 0xffff_ffff });
    await clock.advance(500);
    listener.wanted.next({ channels: 1, frequency: 8_000 });
    microphone.close();
    const { length } = listener.heard;
    await clock.advance(500);
    expect(listener.heard).toHaveLength(length);
    expect(length).toBeLessThan(400);
  });
});

test('a file that is written is read again', () => {
  writeFileSync(join(folder, 'w.wav'), writeWav(sine(440, 0.1, 48_000, 2)));
  expect(readSound(join(folder, 'w.wav')).samples).toHaveLength(9_600);
});
