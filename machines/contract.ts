/**
 * The words that charts, and the engine that hosts them, say to each other. What goes in is an event, what comes out is a
 * command (emitted) or an invoked actor (awaited). Never a byte of the wire, a socket, a clock or a random number.
 */
import type { Caps } from '../src/protocol/capabilities.ts';
import type { AnyMessage } from '../src/protocol/channel.ts';

/** A channel's SPICE address: its word and id, "display:0". */
export type Address = string;

/** The name of a link within its session, "link:display:0@2" at a client, "link:17" at a server. */
export type LinkName = string;

/** Where a server is. Ports are undefined where there is none. `certSubject` '' means: check the host's name instead. */
export interface Destination {
  readonly host: string;
  readonly port?: number | undefined;
  readonly tlsPort?: number | undefined;
  readonly certSubject?: string | undefined;
}

export const destinationName = (to: Destination): string => `${to.host}:${to.port ?? to.tlsPort ?? '-'}`;

/** How a hand-over is done (spec §3), best first. */
export const schemes = ['seamless', 'early-link', 'semi-seamless', 'switch-host'] as const;
export type Scheme = (typeof schemes)[number];

/** What a channel keeps of what it shows when it goes on at another server (spec §3f). */
export type Keep = 'nothing' | 'primary' | 'everything';

/** What both ends of a link have agreed on. Capabilities are the peer's. */
export interface Agreed {
  readonly commonCaps: Caps;
  readonly channelCaps: Caps;
  readonly miniHeader: boolean;
}

/** What a server's main channel tells a client about the guest; asked for at the moment it is told. */
export interface MainFacts {
  readonly displayChannels: number;
  readonly supportedMouseModes: number;
  readonly currentMouseMode: number;
  readonly agentConnected: boolean;
  readonly agentTokens: number;
  /** Milliseconds. */
  readonly multiMediaTime: number;
  readonly name: string;
  /** 16 bytes. */
  readonly uuid: Uint8Array;
}

/** What a chart may ask the guest. */
export type GuestQuestion = { what: 'main facts' } | { what: 'keyboard modifiers' };

/** A child has reached its end. XState keeps it among the children until its parent stops it. */
export type ActorDone = { type: `xstate.done.actor.${string}`; actorId: string };

// ------------------------------------------------------------------------------------------------- events of links

export type LinkUp = { type: 'link.up'; link: LinkName; channel: Address; agreed: Agreed };
/** `code` is SPICE_LINK_ERR_* where the peer gave one. */
export type LinkFailed = {
  type: 'link.failed';
  link: LinkName;
  channel: Address;
  reason: string;
  code?: number | undefined;
};
/** A link that was up, and that no channel had taken yet, is gone. */
export type LinkLost = { type: 'link.lost'; link: LinkName; channel: Address };
export type LinkFate = LinkUp | LinkFailed | LinkLost;

/** What a server's link tells its supervisor when the ticket was good. */
export type LinkAsks = {
  type: 'link.asks';
  link: LinkName;
  channel: Address;
  connectionId: number;
  agreed: Agreed;
  /** Drawn by the engine: the connection id of the session, if this link begins one. */
  nonce: number;
};

// ---------------------------------------------------------------------------------------------- events of channels

/**
 * How a server's channel begins on a link: from nothing, at the target of a hand-over that kept nothing (`arrived`), with
 * the state that the client brings from the source, or where the source left off without any state (`kept`).
 */
export type Beginning = 'fresh' | 'arrived' | 'migrate data' | 'kept';

export type ChannelEvent =
  | { type: 'link.attach'; link: LinkName; agreed: Agreed; beginning: Beginning }
  /** The hand-over says: stop using the source and forget what depends on it. */
  | { type: 'migration.leave' }
  /** The hand-over says: go on over this link. `afresh` tells whether the target starts from nothing. */
  | { type: 'migration.switch'; link: LinkName; agreed: Agreed; scheme: Scheme }
  /** The hand-over says: every channel has switched, the links to the source may go. */
  | { type: 'migration.settled' }
  /** The source's hand-over says: the guest has moved, let the client go. */
  | { type: 'migration.move'; scheme: Scheme }
  /** The session, or its hand-over, says something to the peer through the main channel. */
  | { type: 'session.say'; message: AnyMessage }
  /** A target's hand-over says: the client is here to stay. */
  | { type: 'migration.greet'; scheme: Scheme }
  | { type: 'plane.closed'; link: LinkName; reason: string }
  | { type: 'plane.violation'; reason: string }
  | { type: 'api.close'; reason: string };

/** Channels whose state travels with a seamless hand-over (spec §3d 6). */
export const carriesState = (channel: Address): boolean => /^(main|display|inputs):/.test(channel);

/** What a channel tells its session. */
export type ChannelNews =
  | { type: 'channel.up'; channel: Address }
  /** The source has let this channel go, and given it `data` for the target or none; it waits for `migration.switch`. */
  | { type: 'channel.left'; channel: Address; data: boolean }
  | { type: 'channel.switched'; channel: Address }
  /** The migrate data from the source was taken over. */
  | { type: 'channel.loaded'; channel: Address }
  /** `lost`: its connection is gone, and nobody has meant it to be: neither end has said goodbye, or that the other erred. */
  | { type: 'channel.down'; channel: Address; reason: string; lost?: true };

// -------------------------------------------------------------------------------------------- events of a hand-over

/** A hand-over asks its session to pass an event on to a channel; 'every' goes to all of them but main. */
export type MigrationTell = { type: 'migration.tell'; channel: Address | 'every'; event: ChannelEvent };

/** `relinking`: the target that was linked is gone, and is linked again. */
export type HandoverPhase = 'begun' | 'linked' | 'relinking' | 'switched' | 'cancelled' | 'failed' | 'fell-back';

/** News of a hand-over, for people and programs. */
export interface HandoverReport {
  readonly phase: HandoverPhase;
  readonly scheme: Scheme;
  readonly attempt: number;
  readonly from: string;
  readonly to: string;
  readonly channels: readonly Address[];
  readonly reason?: string;
}

// ------------------------------------------------------------------------------------------------------- commands

export type LinkCommand =
  /** `returning`: the connection id names a session to have back. */
  | { type: 'link.send_mess'; connectionId: number; channel: Address; returning?: true }
  | { type: 'link.send_mechanism'; mechanism: number }
  | { type: 'link.send_ticket'; ticket: Uint8Array }
  | { type: 'link.send_reply'; error: number; pubKey: Uint8Array }
  | { type: 'link.send_result'; code: number }
  /** Hang up. At once drops what is queued. */
  | { type: 'link.close'; reason: string }
  /** The link stage is over: keep the pipe, unread, until a channel takes it. */
  | { type: 'link.park' };

export type ChannelCommand<Out extends AnyMessage = AnyMessage> =
  | { type: 'send'; message: Out }
  /** Take this link's pipe and read it. */
  | { type: 'attach'; link: LinkName }
  /** Send the peer's migrate data, kept by `carry`, on to the target. */
  | { type: 'carry'; data: Uint8Array }
  | { type: 'send carried' }
  /** Go on over this link; the one used until now is kept open, unread. */
  | { type: 'switch'; link: LinkName; serials: 'restart' | 'go on' }
  /** Stop reading the link in use and park it again, for the channel that it belongs to. */
  | { type: 'give back' }
  /** Close the link that was used before the switch. */
  | { type: 'close previous' }
  /** Close the link that is in use. */
  | { type: 'close'; reason: string }
  | { type: 'reset'; keep: Keep }
  /** The application may use the channel. `afresh`: the peer knows nothing of what was sent before. */
  | { type: 'ready'; afresh: boolean }
  | { type: 'violation'; reason: string };

export type SessionCommand = { type: 'report'; news: SessionNews } | { type: 'log'; line: string };

export type SessionNews =
  | { event: 'channel'; channel: Address; state: 'up' | 'down'; reason?: string }
  | ({ event: 'handover' } & HandoverReport)
  | { event: 'session'; connectionId: number }
  | ({ event: 'reconnect' } & ReconnectReport)
  | { event: 'closed'; reason: string };

/** News of a client that has lost its server. `try` counts from 1. */
export type ReconnectReport =
  | {
      readonly phase: 'waiting';
      readonly try: number;
      readonly tries: number;
      readonly inMs: number;
      readonly reason: string;
    }
  /** The server is there, and the session is not: a new one is begun. */
  | { readonly phase: 'session lost'; readonly reason: string }
  /** `returned`: with the session that it had. */
  | { readonly phase: 'back'; readonly try: number; readonly returned: boolean }
  | { readonly phase: 'given up'; readonly try: number; readonly reason: string };

/** The gate: data messages are let in (`flowing`), let out (`speaking`), or dropped without a word (`deaf`). */
export type Tag = 'flowing' | 'speaking' | 'deaf';
