/**
 * What the guest plays and what it wants to hear, as samples: 16 bits, interleaved. Raw on the wire, or Opus where both sides
 * have it. INVARIANT: all that was played comes out in the order in which it came in, also while the codec is still loading.
 */
import { BehaviorSubject, type Observable, Subject } from 'rxjs';
import { AudioError } from '../audio/error.ts';
import { type Opus, type OpusDecoder, type OpusEncoder, suitsOpus } from '../audio/opus.ts';
import { bytesOf, samplesOf } from '../audio/pcm.ts';
import type { ChannelHost } from '../engine/channel-host.ts';
import { hasCap, RecordCap } from '../protocol/capabilities.ts';
import { AudioDataMode } from '../protocol/constants.ts';
import { keep } from './backlog.ts';

export interface SoundFormat {
  readonly channels: number;
  /** Frames a second. */
  readonly frequency: number;
}

export type Played =
  | ({ readonly type: 'start' } & SoundFormat)
  /** `time`: when it is to be heard, on the session's clock in milliseconds. */
  | { readonly type: 'samples'; readonly samples: Int16Array; readonly time: number }
  | { readonly type: 'stop' }
  /** `volume`: 0 to 65,535 for each channel of sound. */
  | { readonly type: 'volume'; readonly volume: readonly number[] }
  | { readonly type: 'mute'; readonly mute: boolean }
  /** How long sound should be held back, in milliseconds, to fit a video. */
  | { readonly type: 'latency'; readonly latencyMs: number };

/** Messages that may wait for the codec: some seconds of sound. */
const mostWaiting = 1_000;

/** The Opus codec of a session, which is loaded when the first channel of sound is linked. */
export class SoundCodec {
  /** The library, once it is there. */
  opus: Opus | undefined;
  private readonly load: (() => Promise<Opus>) | undefined;
  private loading: Promise<void> | undefined;

  /** Without `load` there is only raw sound. */
  constructor(load?: () => Promise<Opus>) {
    this.load = load;
  }

  /** Whether Opus can be offered. */
  get offered(): boolean {
    return this.load !== undefined;
  }

  /** Resolves when the library is there or cannot be had; never rejects. Undefined when there is nothing to wait for. */
  ready(): Promise<void> | undefined {
    if (this.load === undefined || this.opus !== undefined) return undefined;
    this.loading ??= this.load().then(
      (opus) => {
        this.opus = opus;
      },
      () => {},
    );
    return this.loading;
  }
}

export class ClientPlayback {
  private readonly all = new Subject<Played>();
  readonly played: Observable<Played> = this.all.asObservable();
  /** Packets that could not be decoded, by the number of their mode. */
  readonly undecoded = new Map<number, number>();
  private readonly codec: SoundCodec;
  private mode: number = AudioDataMode.raw;
  private format: SoundFormat | undefined;
  private decoder: OpusDecoder | undefined;
  private waiting: (() => void)[] | undefined;

  constructor(codec = new SoundCodec()) {
    this.codec = codec;
  }

  /** How sound comes now. */
  get compression(): 'raw' | 'opus' | 'other' {
    return this.mode === AudioDataMode.raw ? 'raw' : this.mode === AudioDataMode.opus ? 'opus' : 'other';
  }

  attach(host: ChannelHost): void {
    const loading = this.codec.ready();
    if (loading !== undefined && this.waiting === undefined) {
      this.waiting = [];
      loading.then(() => this.release());
    }
    host.states.subscribe((state) => {
      // A new server says its own mode, and starts what it plays.
      if (state.type === 'reset' && state.keep !== 'everything') this.soon(() => this.forget());
      else if (state.type === 'ended') this.soon(() => this.forget());
    });
    host.messages.subscribe(({ type, body }) => {
      if (this.waiting === undefined) this.take(type, body);
      else {
        const own = keep(body);
        this.soon(() => this.take(type, own));
      }
    });
  }

  private soon(act: () => void): void {
    if (this.waiting === undefined) act();
    else if (this.waiting.push(act) > mostWaiting) this.release();
  }

  private release(): void {
    const waiting = this.waiting ?? [];
    this.waiting = undefined;
    for (const act of waiting) act();
  }

  private take(type: string, body: any): void {
    switch (type) {
      case 'msg.mode':
        this.mode = body.mode;
        this.renewDecoder();
        break;
      case 'msg.start':
        this.format = { channels: body.channels, frequency: body.frequency };
        this.renewDecoder();
        this.all.next({ type: 'start', ...this.format });
        break;
      case 'msg.data':
        this.hear(body.time, body.data);
        break;
      case 'msg.stop':
        this.stop();
        break;
      case 'msg.volume':
        this.all.next({ type: 'volume', volume: body.volume });
        break;
      case 'msg.mute':
        this.all.next({ type: 'mute', mute: body.mute });
        break;
      case 'msg.latency':
        this.all.next({ type: 'latency', latencyMs: body.latencyMs });
        break;
    }
  }

  private hear(time: number, data: Uint8Array): void {
    if (this.format === undefined) return;
    const samples = this.decoded(data);
    if (samples === undefined) this.undecoded.set(this.mode, (this.undecoded.get(this.mode) ?? 0) + 1);
    else this.all.next({ type: 'samples', samples, time });
  }

  private decoded(data: Uint8Array): Int16Array | undefined {
    if (this.mode === AudioDataMode.raw) return samplesOf(data);
    if (this.mode !== AudioDataMode.opus || this.decoder === undefined) return undefined;
    try {
      return this.decoder.decode(data);
    } catch (error) {
      if (error instanceof AudioError) return undefined;
      throw error;
    }
  }

  private renewDecoder(): void {
    this.decoder?.close();
    this.decoder = undefined;
    const { format } = this;
    if (this.mode !== AudioDataMode.opus || format === undefined || !suitsOpus(format)) return;
    this.decoder = this.codec.opus?.decoder(format);
  }

  private stop(): void {
    const playing = this.format !== undefined;
    this.format = undefined;
    this.renewDecoder();
    if (playing) this.all.next({ type: 'stop' });
  }

  private forget(): void {
    this.stop();
    this.mode = AudioDataMode.raw;
  }
}

export class ClientRecord {
  /** What the guest wants to hear; undefined while it does not listen. */
  readonly wanted = new BehaviorSubject<SoundFormat | undefined>(undefined);
  /** How loud the guest has set the microphone: 0 to 65,535 for each channel of sound, once it has said so. */
  volume: readonly number[] | undefined;
  muted = false;
  private host: ChannelHost | undefined;
  private encoder: OpusEncoder | undefined;
  private readonly mmTime: () => number;
  private readonly codec: SoundCodec;

  constructor(mmTime: () => number, codec = new SoundCodec()) {
    this.mmTime = mmTime;
    this.codec = codec;
  }

  attach(host: ChannelHost): void {
    this.host = host;
    this.codec.ready();
    host.states.subscribe((state) => {
      if (state.type === 'reset' || state.type === 'ended') this.stop();
    });
    host.messages.subscribe(({ type, body }) => {
      if (type === 'msg.start') this.start(host, { channels: body.channels, frequency: body.frequency });
      else if (type === 'msg.stop') this.stop();
      else if (type === 'msg.volume') this.volume = body.volume;
      else if (type === 'msg.mute') this.muted = body.mute;
    });
  }

  /** In the format that is wanted. False: nobody listens. */
  write(samples: Int16Array): boolean {
    if (this.wanted.value === undefined || this.host === undefined) return false;
    const time = this.mmTime();
    if (this.encoder === undefined) return this.say(time, bytesOf(samples).slice());
    const packets = this.encoder.encode(samples);
    // Like raw samples, a packet has the time of its end.
    let at = time - this.encoder.waiting - 10 * packets.length;
    let said = true;
    for (const packet of packets) {
      at += 10;
      said = this.say(Math.round(at) >>> 0, packet) && said;
    }
    return said;
  }

  private say(time: number, data: Uint8Array): boolean {
    return this.host?.send({ type: 'msgc.data', body: { time, data } }) ?? false;
  }

  private start(host: ChannelHost, format: SoundFormat): void {
    this.encoder?.close();
    const opus = hasCap(host.peerCaps, RecordCap.opus) && suitsOpus(format) ? this.codec.opus : undefined;
    this.encoder = opus?.encoder(format);
    const time = this.mmTime();
    const mode = opus === undefined ? AudioDataMode.raw : AudioDataMode.opus;
    host.send({ type: 'msgc.mode', body: { time, mode, data: new Uint8Array() } });
    host.send({ type: 'msgc.start_mark', body: { time } });
    this.wanted.next(format);
  }

  private stop(): void {
    this.encoder?.close();
    this.encoder = undefined;
    this.wanted.next(undefined);
  }
}
