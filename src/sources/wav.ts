/**
 * WAV files of signed 16-bit samples, read and written. A file is hostile until it is read: no size in it is believed beyond
 * the bytes that are there. Pure; runs anywhere.
 */

import { SumacError } from '../errors.ts';

export interface Wav {
  /** 1 to 8. */
  readonly channels: number;
  /** Hertz, 1 to 384,000. */
  readonly frequency: number;
  /** Interleaved; whole frames only. */
  readonly samples: Int16Array;
}

/** A file that is no WAV of 16-bit samples. `code` is `wav`. */
export class WavError extends SumacError {
  constructor(message: string) {
    super('wav', message);
  }
}

const headerSize = 44;
const pcm = 1;
const extensible = 0xfffe;
const maxChannels = 8;
const maxFrequency = 384_000;

/** Throws WavError for a format that cannot be written. The samples are cut to whole frames. */
export function writeWav({ channels, frequency, samples }: Wav): Uint8Array {
  checkFormat(channels, frequency);
  const count = samples.length - (samples.length % channels);
  if (headerSize + count * 2 > 0xffff_ffff) throw new WavError('More samples than a WAV file can hold');
  const bytes = new Uint8Array(headerSize + count * 2);
  const view = new DataView(bytes.buffer);
  const word = (at: number, text: string) => {
    for (let i = 0; i < 4; i++) bytes[at + i] = text.charCodeAt(i);
  };
  word(0, 'RIFF');
  view.setUint32(4, bytes.length - 8, true);
  word(8, 'WAVE');
  word(12, 'fmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, pcm, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, frequency, true);
  view.setUint32(28, frequency * channels * 2, true);
  view.setUint16(32, channels * 2, true);
  view.setUint16(34, 16, true);
  word(36, 'data');
  view.setUint32(40, count * 2, true);
  for (let i = 0; i < count; i++) view.setInt16(headerSize + i * 2, samples[i]!, true);
  return bytes;
}

/**
 * Reads a RIFF WAVE file. Chunks that are not known are passed over; a data chunk that claims more than is there (as files
 * do that were cut off, or written to a pipe) ends with the file. Throws WavError.
 */
export function readWav(bytes: Uint8Array): Wav {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = (at: number) => String.fromCharCode(...bytes.subarray(at, at + 4));
  if (bytes.length < 12 || word(0) !== 'RIFF' || word(8) !== 'WAVE') throw new WavError('Not a RIFF WAVE file');
  let format: { channels: number; frequency: number } | undefined;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const kind = word(at);
    const size = view.getUint32(at + 4, true);
    const start = at + 8;
    const end = Math.min(start + size, bytes.length);
    if (kind === 'fmt ') format = readFormat(view, start, end);
    else if (kind === 'data') {
      if (format === undefined) throw new WavError('The samples come before their format');
      return { ...format, samples: readSamples(view, start, end, format.channels) };
    }
    // Chunks begin at even places.
    at = start + size + (size % 2);
  }
  throw new WavError('A WAV file without samples');
}

function readFormat(view: DataView, start: number, end: number): { channels: number; frequency: number } {
  if (end - start < 16) throw new WavError('The format chunk is too short');
  let tag = view.getUint16(start, true);
  // The longer form names the real format in the first two bytes of its sub-format.
  if (tag === extensible && end - start >= 26) tag = view.getUint16(start + 24, true);
  const bits = view.getUint16(start + 14, true);
  if (tag !== pcm || bits !== 16) throw new WavError(`Only 16-bit PCM is known, not format ${tag} of ${bits} bits`);
  const channels = view.getUint16(start + 2, true);
  const frequency = view.getUint32(start + 4, true);
  checkFormat(channels, frequency);
  return { channels, frequency };
}

function readSamples(view: DataView, start: number, end: number, channels: number): Int16Array {
  const frames = Math.floor((end - start) / (channels * 2));
  const samples = new Int16Array(frames * channels);
  for (let i = 0; i < samples.length; i++) samples[i] = view.getInt16(start + i * 2, true);
  return samples;
}

function checkFormat(channels: number, frequency: number): void {
  if (!Number.isInteger(channels) || channels < 1 || channels > maxChannels) {
    throw new WavError(`1 to ${maxChannels} channels are known, not ${channels}`);
  }
  if (!Number.isInteger(frequency) || frequency < 1 || frequency > maxFrequency) {
    throw new WavError(`1 to ${maxFrequency} samples a second are known, not ${frequency}`);
  }
}
