/**
 * The two faces that a server has for what stands behind it, as types only: the console, which a guest is plugged into, and
 * the SPICE server as its hypervisor knows it. A guest sees no client, no channel and no wire; a hypervisor sees no pixel.
 */
import type { Observable } from 'rxjs';
import type { Scheme } from '../../machines/contract.ts';
import type { SupervisorNews } from '../../machines/supervisor.ts';

/** Pixels; `right` and `bottom` are the first column and row outside. */
export interface Rect {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** Rows from the top, 4 bytes a pixel: blue, green, red and one without meaning. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

/** What a guest sees of the SPICE server: its screen, speaker, microphone, keyboard and mouse. */
export interface Console {
  readonly display: ConsoleDisplay;
  readonly cursor: ConsoleCursor;
  readonly playback: ConsolePlayback;
  readonly record: ConsoleRecord;
  /** What clients do with keyboard and mouse. Never errors; may complete. */
  readonly input: Observable<GuestInput>;
  /** `supported` is a sum of `MouseMode`s (src/protocol/main.ts), `current` one of them. */
  setMouseModes(modes: { supported: number; current: number }): void;
  /** The MouseMode that clients use now: the one that was set, or another supported one that a client has asked for. */
  readonly mouseMode: number;
  /** The clock that sound and video follow: milliseconds modulo 2^32. It runs by itself; a guest that arrives sets it. */
  multiMediaTime: number;
  /** The lock keys whose lamps are lit: a sum of `KeyboardModifierFlags` (src/protocol/constants.ts). */
  setModifiers(modifiers: number): void;
}

export interface ConsoleDisplay {
  /** A new primary surface, black. */
  resize(width: number, height: number): void;
  /**
   * `pixels` are the rows of `rect` and nothing else, 4 bytes a pixel (BGRX). Without `release` they are copied; with it the
   * array is the server's until `release` is called, which may be before this returns.
   */
  draw(rect: Rect, pixels: Uint8Array, options?: { readonly release?: (() => void) | undefined }): void;
  /** `color` is 0xRRGGBB. */
  fill(rect: Rect, color: number): void;
  /** Copies what is at `from` to `rect`; the two may overlap. */
  copy(rect: Rect, from: { x: number; y: number }): void;
}

export interface CursorShape {
  readonly width: number;
  readonly height: number;
  readonly hotX: number;
  readonly hotY: number;
  /** width × height × 4 bytes. */
  readonly bgra: Uint8Array;
}

export interface ConsoleCursor {
  set(shape: CursorShape): void;
  move(x: number, y: number): void;
  hide(): void;
}

export interface ConsolePlayback {
  /** `frequency` in hertz. */
  start(format: { channels: number; frequency: number }): void;
  /** Signed 16-bit samples, interleaved. The array is the server's from then on. */
  write(pcm: Int16Array): void;
  stop(): void;
  /** One value a channel, 0 to 65535. */
  volume(volume: number[]): void;
  mute(mute: boolean): void;
}

export interface ConsoleRecord {
  start(format: { channels: number; frequency: number }): void;
  stop(): void;
  /** What clients' microphones say while it is started: signed 16-bit samples, interleaved. */
  readonly heard: Observable<Int16Array>;
}

export type GuestInput =
  /** `code`: PC scan codes of set 1, the first byte lowest; the release has bit 7 of its last byte set, or not. */
  | { readonly type: 'key'; readonly code: number; readonly down: boolean }
  /** The client's lock keys, a sum of `KeyboardModifierFlags`. */
  | { readonly type: 'modifiers'; readonly modifiers: number }
  /** `buttons`: a sum of `MouseButtonMask`. */
  | { readonly type: 'motion'; readonly dx: number; readonly dy: number; readonly buttons: number }
  | {
      readonly type: 'position';
      readonly x: number;
      readonly y: number;
      readonly buttons: number;
      readonly display: number;
    }
  /** `button`: a `MouseButton`. */
  | { readonly type: 'button'; readonly button: number; readonly down: boolean; readonly buttons: number };

/** What runs behind a console, as its hypervisor knows it. */
export interface Guest {
  run(): void;
  stop(): void;
  /** All that the guest is, as plain JSON. May be asked for while it runs. */
  save(): unknown;
  /** Becomes what `state` says. Throws a SumacError, and stays as it is, when the state is not one of its own. */
  load(state: unknown): void;
}

/** One end of a connection. `family` is "ipv4", "ipv6" or "unix". */
export interface SocketEnd {
  readonly host: string;
  readonly port: number | string;
  readonly family: string;
}

/** A channel that a client has open. */
export interface OpenChannel extends SocketEnd {
  readonly connectionId: number;
  readonly channelType: number;
  readonly channelId: number;
  readonly tls: boolean;
}

export type SpiceEvent =
  | {
      readonly event: 'connected' | 'initialized' | 'disconnected';
      readonly client: SocketEnd;
      readonly server: SocketEnd & { readonly auth?: string };
      readonly connectionId?: number;
      readonly channelType?: number;
      readonly channelId?: number;
      readonly tls?: boolean;
    }
  | SupervisorNews;

/** The hypervisor's side of a SPICE server (spec §4). */
export interface Spice {
  /** Throws with `ifConnected: 'fail'` while a client is connected. */
  setPassword(password: string, options?: { ifConnected?: 'keep' | 'disconnect' | 'fail' }): void;
  /** `at` in milliseconds since 1970. */
  expirePassword(at: number | 'now' | 'never'): void;
  /** Tells the clients where the guest is about to move. Throws when that is no place to go to. */
  migrateConnect(
    to: { host: string; port?: number; tlsPort?: number; certSubject?: string },
    options?: { scheme?: Scheme | undefined },
  ): void;
  migrateStart(): void;
  migrateEnd(completed: boolean): void;
  /** At a target: the guest is here and about to run. */
  guestArrived(): void;
  /** At a target: the guest will not come. */
  guestLost(): void;
  readonly addresses: { readonly host: string; readonly port?: number; readonly tlsPort?: number };
  channels(): readonly OpenChannel[];
  readonly events: Observable<SpiceEvent>;
}
