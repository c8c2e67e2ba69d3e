/**
 * The guest's speaker and microphone, for every client that has opened them: samples of 16 bits, interleaved, as they are or
 * as Opus. INVARIANT: sound is never queued; a client that is behind misses some.
 */
import { type Observable, Subject } from 'rxjs';
import { AudioError } from '../audio/error.ts';
import { type Opus, type OpusDecoder, type OpusEncoder, suitsOpus } from '../audio/opus.ts';
import { bytesOf, samplesOf } from '../audio/pcm.ts';
import type { ChannelHost } from '../engine/channel-host.ts';
import { caps, hasCap, PlaybackCap, RecordCap } from '../protocol/capabilities.ts';
import { AudioDataMode, AudioFmt } from '../protocol/constants.ts';
import type { Part } from './part.ts';

export interface SoundFormat {
  readonly channels: number;
  /** Frames a second. */
  readonly frequency: number;
}

abstract class Sound implements Part {
  abstract readonly caps: readonly number[];
  protected readonly hosts = new Set<ChannelHost>();
  protected format: SoundFormat | undefined;
  protected level: readonly number[] | undefined;
  protected muted: boolean | undefined;
  /** Without it all sound is raw. */
  opus: Opus | undefined;

  attach(host: ChannelHost): void {
    host.states.subscribe((state) => {
      if (state.type === 'ready') {
        this.hosts.add(host);
        this.begin(host);
      } else if (state.type === 'ended') this.hosts.delete(host);
    });
  }

  /** `level`: 0 to 65,535 for each channel of sound. */
  volume(level: readonly number[]): void {
    this.level = level;
    for (const host of this.hosts) this.tellVolume(host);
  }

  mute(muted: boolean): void {
    this.muted = muted;
    for (const host of this.hosts) this.tellMute(host);
  }

  protected abstract begin(host: ChannelHost): void;
  protected abstract volumeCap: number;

  protected tellVolume(host: ChannelHost): void {
    if (this.level === undefined || !hasCap(host.peerCaps, this.volumeCap)) return;
    host.send({ type: 'msg.volume', body: { volume: [...this.level] } });
  }

  protected tellMute(host: ChannelHost): void {
    if (this.muted === undefined || !hasCap(host.peerCaps, this.volumeCap)) return;
    host.send({ type: 'msg.mute', body: { mute: this.muted } });
  }
}

export class Playback extends Sound {
  protected volumeCap = PlaybackCap.volume;

  get caps(): readonly number[] {
    return caps(PlaybackCap.volume, PlaybackCap.latency, ...(this.opus === undefined ? [] : [PlaybackCap.opus]));
  }

  private heldBack: number | undefined;
  private readonly mmTime: () => number;
  /** What each client was told that it gets. */
  private readonly modes = new WeakMap<ChannelHost, number>();
  /** When each client's sound began: no packet may be older (spice-gtk takes that for a fault of the clock). */
  private readonly begun = new WeakMap<ChannelHost, number>();
  private encoder: OpusEncoder | undefined;

  /** `mmTime`: the session's clock in milliseconds. */
  constructor(mmTime: () => number) {
    super();
    this.mmTime = mmTime;
  }

  start(format: SoundFormat): void {
    this.finish();
    this.format = format;
    for (const host of this.hosts) {
      this.tellMode(host);
      this.tellStart(host);
    }
  }

  stop(): void {
    this.finish();
    this.format = undefined;
    for (const host of this.hosts) host.tell({ type: 'api.say', message: { type: 'msg.stop', body: {} } });
  }

  /** How long clients should hold sound back, to fit a video that is shown late: milliseconds, 0 or more (spec §2.7). */
  latency(latencyMs: number): void {
    this.heldBack = Math.max(0, Math.round(latencyMs));
    for (const host of this.hosts) this.tellLatency(host);
  }

  /** What was played until now. A client that is behind misses sound; it is never queued. */
  write(samples: Int16Array): void {
    const time = this.mmTime();
    const hearing = [...this.hosts].filter((host) => host.writable);
    const packed = hearing.filter((host) => this.modes.get(host) === AudioDataMode.opus);
    for (const host of hearing) if (!packed.includes(host)) say(host, time, bytesOf(samples));
    if (packed.length === 0 || this.opus === undefined || this.format === undefined) return;
    this.encoder ??= this.opus.encoder(this.format);
    const packets = this.encoder.encode(samples);
    // Like raw samples, a packet has the time of its end.
    let at = time - this.encoder.waiting - 10 * packets.length;
    for (const packet of packets) {
      at += 10;
      for (const host of packed) say(host, Math.max(at, this.begun.get(host) ?? at), packet);
    }
  }

  protected begin(host: ChannelHost): void {
    this.modes.delete(host);
    this.tellMode(host);
    this.tellVolume(host);
    this.tellMute(host);
    this.tellLatency(host);
    this.tellStart(host);
  }

  private tellLatency(host: ChannelHost): void {
    if (this.heldBack === undefined || !hasCap(host.peerCaps, PlaybackCap.latency)) return;
    host.send({ type: 'msg.latency', body: { latencyMs: this.heldBack } });
  }

  /** The mode may only change while nothing is played; it is told when it is another one. */
  private tellMode(host: ChannelHost): void {
    const able = this.opus !== undefined && hasCap(host.peerCaps, PlaybackCap.opus);
    const mode = able && (this.format === undefined || suitsOpus(this.format)) ? AudioDataMode.opus : AudioDataMode.raw;
    if (this.modes.get(host) === mode) return;
    this.modes.set(host, mode);
    const body = { time: this.mmTime() >>> 0, mode, data: new Uint8Array() };
    host.tell({ type: 'api.say', message: { type: 'msg.mode', body } });
  }

  private tellStart(host: ChannelHost): void {
    if (this.format === undefined) return;
    const time = this.mmTime() >>> 0;
    this.begun.set(host, time);
    const body = { ...this.format, format: AudioFmt.s16, time };
    host.tell({ type: 'api.say', message: { type: 'msg.start', body } });
  }

  /** Sends what of the sound is less than a packet. */
  private finish(): void {
    const last = this.encoder?.flush();
    if (last !== undefined) {
      for (const host of this.hosts) {
        if (host.writable && this.modes.get(host) === AudioDataMode.opus) say(host, this.mmTime(), last);
      }
    }
    this.encoder?.close();
    this.encoder = undefined;
  }
}

const say = (host: ChannelHost, time: number, data: Uint8Array) =>
  host.send({ type: 'msg.data', body: { time: Math.round(time) >>> 0, data } });

export class Record extends Sound {
  protected volumeCap = RecordCap.volume;

  get caps(): readonly number[] {
    return caps(RecordCap.volume, ...(this.opus === undefined ? [] : [RecordCap.opus]));
  }

  private readonly samples = new Subject<Int16Array>();
  /** What the microphones say. */
  readonly heard: Observable<Int16Array> = this.samples.asObservable();

  /**
   * Nothing travels but the message: it comes when all that the client had said here was heard. It is not empty, for spice-gtk
   * takes an empty one for none, and its channel would stay behind.
   */
  collect(): Uint8Array {
    return Uint8Array.of(0);
  }

  load(): void {}

  override attach(host: ChannelHost): void {
    super.attach(host);
    let mode: number = AudioDataMode.raw;
    let decoder: OpusDecoder | undefined;
    const forget = () => {
      decoder?.close();
      decoder = undefined;
    };
    host.states.subscribe((state) => {
      if (state.type === 'ended' || state.type === 'ready') forget();
      if (state.type === 'ready') mode = AudioDataMode.raw;
    });
    const decoded = (data: Uint8Array): Int16Array | undefined => {
      const { format, opus } = this;
      if (mode === AudioDataMode.raw) return samplesOf(data);
      if (mode !== AudioDataMode.opus || opus === undefined || format === undefined || !suitsOpus(format)) return;
      decoder ??= opus.decoder(format);
      try {
        return decoder.decode(data);
      } catch (error) {
        // What cannot be heard is as if it had not been said.
        if (error instanceof AudioError) return;
        throw error;
      }
    };
    host.messages.subscribe(({ type, body }) => {
      if (type === 'msgc.mode') {
        mode = body.mode;
        forget();
      } else if (type === 'msgc.data') {
        const samples = decoded(body.data);
        if (samples !== undefined) this.samples.next(samples);
      }
    });
  }

  start(format: SoundFormat): void {
    this.format = format;
    for (const host of this.hosts) this.tellStart(host);
  }

  stop(): void {
    this.format = undefined;
    for (const host of this.hosts) host.tell({ type: 'api.say', message: { type: 'msg.stop', body: {} } });
  }

  protected begin(host: ChannelHost): void {
    this.tellVolume(host);
    this.tellMute(host);
    this.tellStart(host);
  }

  private tellStart(host: ChannelHost): void {
    if (this.format === undefined) return;
    host.tell({ type: 'api.say', message: { type: 'msg.start', body: { ...this.format, format: AudioFmt.s16 } } });
  }
}
