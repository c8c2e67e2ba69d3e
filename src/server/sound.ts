/** The guest's speaker and microphone, for every client that has opened them. Raw samples: 16 bits, interleaved. */
import { type Observable, Subject } from 'rxjs';
import type { ChannelHost } from '../engine/channel-host.ts';
import { hasCap, PlaybackCap, RecordCap } from '../protocol/capabilities.ts';
import { AudioDataMode, AudioFmt } from '../protocol/constants.ts';

export interface SoundFormat {
  readonly channels: number;
  /** Frames a second. */
  readonly frequency: number;
}

abstract class Sound {
  protected readonly hosts = new Set<ChannelHost>();
  protected format: SoundFormat | undefined;
  protected level: readonly number[] | undefined;
  protected muted: boolean | undefined;

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
    for (const host of this.hosts) this.tellVolume(host);
  }

  protected abstract begin(host: ChannelHost): void;
  protected abstract volumeCap: number;

  protected tellVolume(host: ChannelHost): void {
    if (!hasCap(host.peerCaps, this.volumeCap)) return;
    if (this.level !== undefined) host.send({ type: 'msg.volume', body: { volume: [...this.level] } });
    if (this.muted !== undefined) host.send({ type: 'msg.mute', body: { mute: this.muted } });
  }
}

export class Playback extends Sound {
  protected volumeCap = PlaybackCap.volume;
  private readonly mmTime: () => number;

  /** `mmTime`: the session's clock in milliseconds. */
  constructor(mmTime: () => number) {
    super();
    this.mmTime = mmTime;
  }

  start(format: SoundFormat): void {
    this.format = format;
    for (const host of this.hosts) this.tellStart(host);
  }

  stop(): void {
    this.format = undefined;
    for (const host of this.hosts) host.tell({ type: 'api.say', message: { type: 'msg.stop', body: {} } });
  }

  /** A client that is behind misses sound; it is never queued. */
  write(samples: Int16Array): void {
    const data = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
    for (const host of this.hosts) {
      if (host.writable) host.send({ type: 'msg.data', body: { time: this.mmTime() >>> 0, data } });
    }
  }

  protected begin(host: ChannelHost): void {
    const body = { time: this.mmTime() >>> 0, mode: AudioDataMode.raw, data: new Uint8Array() };
    host.tell({ type: 'api.say', message: { type: 'msg.mode', body } });
    this.tellVolume(host);
    this.tellStart(host);
  }

  private tellStart(host: ChannelHost): void {
    if (this.format === undefined) return;
    const body = { ...this.format, format: AudioFmt.s16, time: this.mmTime() >>> 0 };
    host.tell({ type: 'api.say', message: { type: 'msg.start', body } });
  }
}

export class Record extends Sound {
  protected volumeCap = RecordCap.volume;
  private readonly samples = new Subject<Int16Array>();
  /** What the microphones say. */
  readonly heard: Observable<Int16Array> = this.samples.asObservable();

  override attach(host: ChannelHost): void {
    super.attach(host);
    let raw = true;
    host.messages.subscribe(({ type, body }) => {
      if (type === 'msgc.mode') raw = body.mode === AudioDataMode.raw;
      else if (type === 'msgc.data' && raw) {
        const data = body.data as Uint8Array;
        this.samples.next(new Int16Array(data.slice(0, data.length & ~1).buffer));
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
    this.tellStart(host);
  }

  private tellStart(host: ChannelHost): void {
    if (this.format === undefined) return;
    host.tell({ type: 'api.say', message: { type: 'msg.start', body: { ...this.format, format: AudioFmt.s16 } } });
  }
}
