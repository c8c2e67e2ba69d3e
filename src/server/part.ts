/** What the server's side of each channel has in common: it is attached to every client's channel, and knows its guest. */
import type { ChannelHost } from '../engine/channel-host.ts';

export interface Part {
  /** What we can do on this channel, as capability words. */
  readonly caps: readonly number[];
  /** A client's channel begins. */
  attach(host: ChannelHost): void;
  /** What is true of the guest at this moment; the chart asks before it greets. */
  ask?(host: ChannelHost): unknown;
  /** The channel's state for the target of a seamless hand-over. */
  collect?(host: ChannelHost): Uint8Array;
  /** Takes over the state that came from the source. Throws WireError when it is not of this channel. */
  load?(host: ChannelHost, data: Uint8Array): void;
}
