/**
 * What somebody who looks on is told of a running system: an inspector. Looking on changes nothing; a watch that throws is
 * our own fault and ends nothing.
 */
import type { AnyEventObject } from 'xstate';
import type { Side } from '../protocol/channel.ts';

export interface Watch {
  /** `actor`: its address, "server/session:3/display:0". `chart`: its name in machines/index.ts. */
  born(actor: string, chart: string, input?: unknown): void;
  /** A chart is about to take an event in. */
  event(actor: string, event: AnyEventObject): void;
  /** A chart has taken an event in; `snapshot` is where it is now. */
  stepped(actor: string, event: AnyEventObject, snapshot: unknown): void;
  command(actor: string, command: AnyEventObject): void;
  ended(actor: string): void;
  /** What a channel's messages are to be told to. `side` is ours. */
  channel(actor: string, channel: string, side: Side): ChannelWatch;
}

export interface ChannelWatch {
  /** `body` is valid until this returns. */
  message(direction: 'in' | 'out', number: number, body: Uint8Array): void;
  /** From now on messages go over this link, to this address. */
  over(link: string, address: string): void;
}
