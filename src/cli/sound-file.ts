/**
 * Sound between a client and WAV files: what it hears is appended to one as it comes, and one is said into its microphone at
 * the pace of the clock. Nothing is held in memory but the file that is played.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import type { Observable, Subscription } from 'rxjs';
import type { ClientRecord, Played, SoundFormat } from '../client/sound.ts';
import { UsageError } from '../errors.ts';
import { readWav, type Wav, WavError, writeWav } from '../sources/wav.ts';
import { type Clock, wallClock } from '../transport/clock.ts';
import { readBytes, reasonOf } from './target.ts';

/** What a file without any sound claims to be. */
const silence: SoundFormat = { channels: 2, frequency: 48_000 };

const headerSize = 44;

/** Bytes of samples that a WAV file can hold. */
const mostBytes = 0xffff_ffff - headerSize;

/** Writes what is played into a file, as long as its format stays what it was at first. */
export class SoundRecorder {
  private readonly file: number;
  private format: SoundFormat | undefined;
  private fits = false;
  private bytes = 0;
  private subscription: Subscription | undefined;
  private fault: string | undefined;
  private closed = false;

  /** Throws UsageError when the file cannot be written. */
  constructor(name: string) {
    try {
      this.file = openSync(name, 'w');
    } catch (error) {
      throw new UsageError(`The recording ${name} cannot be written: ${reasonOf(error)}`, { cause: error });
    }
    this.write(writeWav({ ...silence, samples: new Int16Array() }));
  }

  /** Records from now on. */
  follow(played: Observable<Played>): void {
    this.subscription = played.subscribe((what) => this.hear(what));
  }

  /** Seconds that were recorded. */
  get seconds(): number {
    const { channels, frequency } = this.format ?? silence;
    return this.bytes / 2 / channels / frequency;
  }

  /** Why something is missing, if something is. */
  get trouble(): string | undefined {
    return this.fault;
  }

  /** Ends the file. May be called twice. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.subscription?.unsubscribe();
    const header = writeWav({ ...(this.format ?? silence), samples: new Int16Array() });
    const view = new DataView(header.buffer);
    view.setUint32(4, headerSize - 8 + this.bytes, true);
    view.setUint32(40, this.bytes, true);
    this.write(header, 0);
    closeSync(this.file);
  }

  private hear(what: Played): void {
    if (what.type === 'start') this.begin(what);
    else if (what.type === 'samples' && this.fits && this.fault === undefined) this.append(what.samples);
  }

  private begin(format: SoundFormat): void {
    const { channels, frequency } = format;
    if (this.bytes === 0) {
      try {
        writeWav({ channels, frequency, samples: new Int16Array() });
        this.format = { channels, frequency };
      } catch (error) {
        this.fault = error instanceof WavError ? error.message : String(error);
      }
    }
    this.fits = this.format?.channels === channels && this.format.frequency === frequency;
    if (!this.fits) this.fault ??= 'the format of the sound changed, and what came then is not in the recording';
  }

  private append(samples: Int16Array): void {
    const whole = samples.length - (samples.length % this.format!.channels);
    if (this.bytes + whole * 2 > mostBytes) {
      this.fault = 'the recording is full';
      return;
    }
    const little = new Uint8Array(whole * 2);
    const view = new DataView(little.buffer);
    for (let i = 0; i < whole; i++) view.setInt16(i * 2, samples[i]!, true);
    if (this.write(little)) this.bytes += little.length;
  }

  private write(bytes: Uint8Array, at?: number): boolean {
    try {
      for (let done = 0; done < bytes.length; ) {
        done += writeSync(this.file, bytes, done, bytes.length - done, at === undefined ? null : at + done);
      }
      return true;
    } catch (error) {
      this.fault ??= `the recording cannot be written: ${reasonOf(error)}`;
      return false;
    }
  }
}

const longestWav = 512 * 1024 * 1024;

/** Throws UsageError when it is no WAV file of 16-bit samples. */
export function readSound(name: string): Wav {
  try {
    return readWav(readBytes(name, longestWav, `The sound ${name}`));
  } catch (error) {
    if (error instanceof WavError) throw new UsageError(`The sound ${name} cannot be used: ${error.message}`);
    throw error;
  }
}

/** Frames of the sound as it is at another rate. */
const framesAt = ({ samples, channels, frequency }: Wav, rate: number): number =>
  Math.floor((samples.length / channels) * (rate / frequency));

/**
 * Frames `from` to `to` of the same sound with other channels and another rate: channels are mixed to one and spread, rates
 * are interpolated. Makes no more than what is asked for.
 */
export function convertSound(sound: Wav, { channels, frequency }: SoundFormat, from: number, to: number): Int16Array {
  if (sound.channels === channels && sound.frequency === frequency) {
    return sound.samples.subarray(from * channels, to * channels);
  }
  const frames = sound.samples.length / sound.channels;
  const at = (frame: number, channel: number): number => {
    const start = Math.min(frame, frames - 1) * sound.channels;
    if (sound.channels === channels) return sound.samples[start + channel]!;
    let sum = 0;
    for (let i = 0; i < sound.channels; i++) sum += sound.samples[start + i]!;
    return sum / sound.channels;
  };
  const samples = new Int16Array((to - from) * channels);
  for (let i = 0; i < samples.length; i++) {
    const place = ((from + Math.floor(i / channels)) * sound.frequency) / frequency;
    const frame = Math.floor(place);
    const [a, b] = [at(frame, i % channels), at(frame + 1, i % channels)];
    samples[i] = Math.round(a + (b - a) * (place - frame));
  }
  return samples;
}

/** Milliseconds from one packet to the next. */
const packetMs = 20;

/** The longest packet, seconds: what was missed while nothing could be sent is said faster, not all at once. */
const longestPacket = 0.2;

/** Says a sound into a client's microphone, once, whenever the guest listens; it goes on where it was when it is asked again. */
export class Microphone {
  private readonly record: ClientRecord;
  private readonly sound: Wav;
  private readonly clock: Clock;
  private readonly subscription: Subscription;
  /** Seconds of the sound that were said. */
  private said = 0;
  private timer: unknown;

  constructor(record: ClientRecord, sound: Wav, clock: Clock = wallClock) {
    this.record = record;
    this.sound = sound;
    this.clock = clock;
    this.subscription = record.wanted.subscribe((wanted) => {
      this.clock.clearTimeout(this.timer);
      if (wanted !== undefined && sane(wanted)) this.speak(wanted, this.clock.now() - this.said * 1000);
    });
  }

  close(): void {
    this.subscription.unsubscribe();
    this.clock.clearTimeout(this.timer);
  }

  /** `start`: when the sound began, or would have, if it had not been interrupted. */
  private speak(format: SoundFormat, start: number): void {
    const { frequency } = format;
    const end = framesAt(this.sound, frequency);
    const from = Math.round(this.said * frequency);
    if (from >= end) return;
    const due = Math.ceil(((this.clock.now() - start + packetMs) * frequency) / 1000);
    const to = Math.min(due, end, from + Math.ceil(longestPacket * frequency));
    if (to > from && this.record.write(convertSound(this.sound, format, from, to))) this.said = to / frequency;
    this.timer = this.clock.setTimeout(() => this.speak(format, start), packetMs);
  }
}

/** What a server may ask for; anything else is no sound. */
const sane = ({ channels, frequency }: SoundFormat): boolean =>
  channels >= 1 && channels <= 8 && frequency >= 4_000 && frequency <= 192_000;
