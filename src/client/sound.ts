/** What the guest plays and what it wants to hear, as samples: 16 bits, interleaved. */
import { BehaviorSubject, type Observable, Subject } from 'rxjs';
import type { ChannelHost } from '../engine/channel-host.ts';
import { AudioDataMode } from '../protocol/constants.ts';

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
  | { readonly type: 'mute'; readonly mute: boolean };

export class ClientPlayback {
  private readonly all = new Subject<Played>();
  readonly played: Observable<Played> = this.all.asObservable();
  /** Packets that could not be decoded, by the number of their mode. */
  readonly undecoded = new Map<number, number>();
  private mode: number = AudioDataMode.raw;
  private playing = false;

  attach(host: ChannelHost): void {
    host.states.subscribe((state) => {
      if (state.type === 'reset' || state.type === 'ended') this.stop();
    });
    host.messages.subscribe(({ type, body }) => {
      switch (type) {
        case 'msg.mode':
          this.mode = body.mode;
          break;
        case 'msg.start':
          this.playing = true;
          this.all.next({ type: 'start', channels: body.channels, frequency: body.frequency });
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
      }
    });
  }

  private hear(time: number, data: Uint8Array): void {
    if (!this.playing) return;
    if (this.mode !== AudioDataMode.raw) {
      this.undecoded.set(this.mode, (this.undecoded.get(this.mode) ?? 0) + 1);
      return;
    }
    this.all.next({ type: 'samples', samples: new Int16Array(data.slice(0, data.length & ~1).buffer), time });
  }

  private stop(): void {
    if (this.playing) this.all.next({ type: 'stop' });
    this.playing = false;
  }
}

export class ClientRecord {
  /** What the guest wants to hear; undefined while it does not listen. */
  readonly wanted = new BehaviorSubject<SoundFormat | undefined>(undefined);
  private host: ChannelHost | undefined;
  private readonly mmTime: () => number;

  constructor(mmTime: () => number) {
    this.mmTime = mmTime;
  }

  attach(host: ChannelHost): void {
    this.host = host;
    host.states.subscribe((state) => {
      if (state.type === 'reset' || state.type === 'ended') this.wanted.next(undefined);
    });
    host.messages.subscribe(({ type, body }) => {
      if (type === 'msg.start') {
        const time = this.mmTime();
        host.send({ type: 'msgc.mode', body: { time, mode: AudioDataMode.raw, data: new Uint8Array() } });
        host.send({ type: 'msgc.start_mark', body: { time } });
        this.wanted.next({ channels: body.channels, frequency: body.frequency });
      } else if (type === 'msg.stop') this.wanted.next(undefined);
    });
  }

  /** In the format that is wanted. False: nobody listens. */
  write(samples: Int16Array): boolean {
    if (this.wanted.value === undefined || this.host === undefined) return false;
    const data = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength).slice();
    return this.host.send({ type: 'msgc.data', body: { time: this.mmTime(), data } });
  }
}
