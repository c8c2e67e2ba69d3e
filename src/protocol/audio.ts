/**
 * The two sound channels: playback, from the guest, and record, from the client's microphone (spec §2.7, §2.8).
 * Times are milliseconds of the session's clock; formats are `AudioFmt`, modes `AudioDataMode`.
 */
import { array, bool, rest, u8, u16, u32 } from '../wire/codec.ts';
import { BaseChannel } from './base.ts';
import { channel, data, message, type Received, type Sent } from './channel.ts';

/** Volume of each channel of sound, 0 to 65,535. */
const volume = { volume: array(u8, u16) };
const mute = { mute: bool };

export const PlaybackChannel = channel('playback', 5, BaseChannel, {
  server: {
    data: data(101, { time: u32, data: rest }, 'Sound, to be heard at that time.'),
    mode: message(102, { time: u32, mode: u16, data: rest }, 'How the data are encoded from now on.'),
    start: message(103, { channels: u32, format: u16, frequency: u32, time: u32 }, 'Sound begins.'),
    stop: message(104, {}, 'Sound ends.'),
    volume: data(105, volume, 'How loud.'),
    mute: data(106, mute, 'Whether to be silent.'),
    latency: data(107, { latencyMs: u32 }, 'How long sound should be held back, to fit a video.'),
  },
  client: {},
});

export const RecordChannel = channel('record', 6, BaseChannel, {
  server: {
    start: message(101, { channels: u32, format: u16, frequency: u32 }, 'The guest listens: send sound.'),
    stop: message(102, {}, 'The guest does not listen any more.'),
    volume: data(103, volume, 'How loud.'),
    mute: data(104, mute, 'Whether to be silent.'),
  },
  client: {
    data: data(101, { time: u32, data: rest }, 'Sound from the microphone.'),
    mode: message(102, { time: u32, mode: u16, data: rest }, 'How the data are encoded from now on.'),
    start_mark: message(103, { time: u32 }, 'The time of the first data that follow.'),
  },
});

export type PlaybackReceived<S extends 'client' | 'server'> = Received<typeof PlaybackChannel, S, 'control'>;
export type PlaybackSent<S extends 'client' | 'server'> = Sent<typeof PlaybackChannel, S>;
export type RecordReceived<S extends 'client' | 'server'> = Received<typeof RecordChannel, S, 'control'>;
export type RecordSent<S extends 'client' | 'server'> = Sent<typeof RecordChannel, S>;
