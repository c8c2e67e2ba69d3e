/**
 * A client without an engine: it takes a server's display messages through the protocol's bytes into a screen of ours, as fast
 * as the test lets it, and counts what was sent.
 */
import { Subject } from 'rxjs';
import { Screen, type ScreenOptions } from '../../src/client/screen.ts';
import type { ChannelHost, ChannelState } from '../../src/engine/channel-host.ts';
import { type Caps, caps, DisplayCap } from '../../src/protocol/capabilities.ts';
import { type AnyMessage, decodeMessage, encodeMessage } from '../../src/protocol/channel.ts';
import { DisplayChannel } from '../../src/protocol/display.ts';
import type { ServerDisplay } from '../../src/server/display.ts';

export interface WatcherOptions extends ScreenOptions {
  readonly pixmapCacheSize?: bigint;
  readonly glzDictionaryWindowSize?: number;
  readonly peerCaps?: Caps;
}

let watchers = 0;

export class Watcher {
  readonly screen: Screen;
  readonly host: ChannelHost;
  readonly states = new Subject<ChannelState>();
  readonly messages = new Subject<AnyMessage>();
  /** How many of each came: "draw_copy glz_rgb". */
  readonly counts = new Map<string, number>();
  bytes = 0;
  sent = 0;
  /** Pings that were sent: told of as come back by `answer`. */
  pings = 0;
  /** Messages that the client takes before it must be told that there is room; none are lost. */
  room = Number.POSITIVE_INFINITY;
  onMessage: ((message: AnyMessage) => void) | undefined;

  constructor(display: ServerDisplay, options: WatcherOptions = {}) {
    this.screen = new Screen(options);
    const watcher = this;
    this.host = {
      address: `server/session:${++watchers}/display:0`,
      states: this.states,
      messages: this.messages,
      peerCaps: options.peerCaps ?? caps(DisplayCap.monitorsConfig, DisplayCap.lz4Compression),
      plane: {
        openWindow() {},
        ping() {
          watcher.pings++;
        },
        onRoundTrip: undefined,
        get sent() {
          return watcher.sent;
        },
        set sent(serial: number) {
          watcher.sent = serial;
        },
      },
      get writable() {
        return watcher.room > 0;
      },
      send: (message: AnyMessage) => this.take(message),
    } as unknown as ChannelHost;
    display.attach(this.host);
  }

  /** Says init, as a new client. */
  begin(options: WatcherOptions = {}): this {
    const { pixmapCacheSize = 20_971_520n, glzDictionaryWindowSize = 6_291_456 } = options;
    const body = { pixmapCacheId: 1, pixmapCacheSize, glzDictionaryId: 1, glzDictionaryWindowSize };
    // As the engine tells it: the chart has taken it before anybody else is told.
    this.states.next({ type: 'ready', afresh: true });
    this.messages.next({ type: 'msgc.init', body });
    return this;
  }

  makeRoom(messages: number): void {
    this.room = messages;
    if (messages > 0) this.states.next({ type: 'writable' });
  }

  /** The last ping comes back after so many milliseconds. */
  answer(ms: number): void {
    this.host.plane.onRoundTrip?.(ms * 1_000);
  }

  end(): void {
    this.states.next({ type: 'ended' });
  }

  /** Pixels in which the screen differs from the framebuffer, or -1 when it has another size. */
  async differs(display: ServerDisplay, tolerance = 0): Promise<number> {
    await this.screen.settled();
    const shown = this.screen.primary();
    if (shown === undefined || shown.width !== display.width || shown.height !== display.height) return -1;
    let count = 0;
    for (let i = 0; i < display.pixels.length; i += 4) {
      const off = (part: number) => Math.abs(shown.data[i + part]! - display.pixels[i + part]!) > tolerance;
      if (off(0) || off(1) || off(2)) count++;
    }
    return count;
  }

  private take(message: AnyMessage): boolean {
    this.room--;
    this.sent++;
    const { number, body } = encodeMessage(DisplayChannel, 'server', message);
    this.bytes += body.length + 6;
    const what = [message.type.slice(4), message.body.srcBitmap?.type].filter(Boolean).join(' ');
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
    const decoded = decodeMessage(DisplayChannel, 'server', number, body);
    this.onMessage?.(decoded);
    this.screen.apply(decoded);
    return true;
  }
}

/** Lets what waits for its turn have it. */
export const turns = async (count = 20): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setTimeout(resolve, 1));
};
