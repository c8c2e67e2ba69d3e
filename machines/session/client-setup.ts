/** The words of a client's session: what it hears, knows, does and asks. The picture that they make is in client.ts. */
import { assign, emit, enqueueActions, fromPromise, raise, sendTo, setup, stopChild } from 'xstate';
import { type Caps, hasCap, MainCap } from '../../src/protocol/capabilities.ts';
import { ChannelType } from '../../src/protocol/constants.ts';
import { LinkErrorCode } from '../../src/protocol/link.ts';
import type { MainReceived } from '../../src/protocol/main.ts';
import {
  type ActorDone,
  type Address,
  type ChannelNews,
  type Destination,
  destinationName,
  type HandoverPhase,
  type LinkFate,
  type MigrationTell,
  type Scheme,
  type SessionCommand,
} from '../contract.ts';
import { cursorClient } from '../cursor/client.ts';
import { displayClient } from '../display/client.ts';
import { inputsClient } from '../inputs/client.ts';
import { linkClient } from '../link/client.ts';
import { mainClient } from '../main/client.ts';
import {
  destinationOf,
  linkName,
  type MigrationClientInput,
  type MigrationClientOutcome,
  migrationClient,
  resolveDestination,
} from '../migration/client.ts';
import { playbackClient } from '../playback/client.ts';
import { recordClient } from '../record/client.ts';

/** The channels that a client can take part in. */
export const clientChannels = ['display', 'inputs', 'cursor', 'playback', 'record'] as const;
export type ClientChannel = (typeof clientChannels)[number];

/** How a client looks for a server that it has lost. */
export interface ReconnectPolicy {
  /** Tries in a row, none of which has led to a session that held. */
  readonly tries: number;
  /** The longest wait before the first try, in milliseconds; it doubles from try to try, up to `mostMs`. */
  readonly firstMs: number;
  readonly mostMs: number;
  /** Milliseconds from the loss on after which it is given up, however many tries are left. */
  readonly forMs: number;
  /** Also while it was never reached. */
  readonly atStart: boolean;
}

export interface SessionClientInput {
  readonly destination: Destination;
  /** Channels to link when the server offers them. */
  readonly wanted: readonly ClientChannel[];
  /** Hand-over schemes that this client admits to. */
  readonly schemes: readonly Scheme[];
  /** Null, and undefined: a server that is lost is not looked for. */
  readonly reconnect?: ReconnectPolicy | null;
  /** How often a hand-over links a target again that was lost; left to it if undefined. */
  readonly mostRelinks?: number;
}

export type SessionClientEvent =
  | LinkFate
  | ChannelNews
  | MainReceived<'client'>
  | MigrationTell
  | { type: 'channel.relink'; channel: Address }
  | { type: 'channel.stranded'; channel: Address }
  /** It has been up for a while, `tries` tries after it was. */
  | { type: 'channel.steady'; channel: Address; tries: number }
  | { type: 'api.close'; reason: string }
  /** Another program goes on with it: whatever was being linked is gone. How that one looks for a server that is lost. */
  | { type: 'api.resumed'; reconnect: ReconnectPolicy | null }
  | ActorDone;

export interface SessionClientContext extends SessionClientInput {
  readonly connectionId: number;
  /** Numbers links and hand-overs, so that no two have one name. */
  readonly attempt: number;
  /** What the server's main link can do. */
  readonly mainCaps: Caps;
  readonly up: readonly Address[];
  /** Channels that the source has let go before it was told where to. */
  readonly letGo: readonly Address[];
  /** Channels that the hand-over has led to the target: what they say of a move is said by the target. */
  readonly moved: readonly Address[];
  /** What the target has said of its own move, until this one is over. */
  readonly heard: readonly SessionClientEvent[];
  /** How often each channel was linked again, since it was last steady. */
  readonly tries: Readonly<Record<Address, number>>;
  /**
   * Tries to find the server, since main was last steady. A server that lets the client in and sends it on to one that does
   * not would have it go round for ever, if coming that far counted.
   */
  readonly searches: number;
  /** The server that would give the session back; null if there is none. */
  readonly home: Destination | null;
  /** Until the next try to find the server, in milliseconds. */
  readonly waitMs: number;
  /** Where the guest may be if it is not where the client looks for it now. */
  readonly otherwise: { readonly destination: Destination; readonly resolved: boolean } | null;
  /** The server that was left the old way, until the target greets. */
  readonly left: { readonly destination: Destination; readonly channels: readonly Address[] } | null;
  readonly reason: string;
}

export const mainAddress = 'main:0';
const mostTries = 3;
/** Channels of one session. A server may list 65,536. */
const mostChannels = 32;
/** Messages of the next move that are kept. A target has at most two or three to say. */
const mostHeard = 8;

const word = (channel: Address) => channel.slice(0, channel.indexOf(':')) as ClientChannel | 'main';

export const sessionClientSetup = setup({
  types: {} as {
    input: SessionClientInput;
    context: SessionClientContext;
    events: SessionClientEvent;
    emitted: SessionCommand;
    output: { reason: string };
  },
  actors: {
    link: linkClient,
    migration: migrationClient,
    'resolve destination': resolveDestination,
    /** A number from 0 up to 1, by chance. */
    'draw a number': fromPromise<{ chance: number }, void>(async () => {
      throw new Error('draw a number is provided by the engine');
    }),
    main: mainClient,
    display: displayClient,
    inputs: inputsClient,
    cursor: cursorClient,
    playback: playbackClient,
    record: recordClient,
  },
  actions: {
    'link main': enqueueActions(({ context, enqueue }) => {
      const attempt = context.attempt + 1;
      const link = linkName(mainAddress, attempt);
      enqueue.assign({ attempt });
      enqueue.spawnChild('link', {
        id: link,
        input: {
          link,
          channel: mainAddress,
          destination: context.destination,
          ...(isHome(context) ? { connectionId: context.connectionId, returning: true } : { connectionId: 0 }),
        },
      });
    }),
    'link the channels that are wanted': enqueueActions(({ context, event, enqueue, self }) => {
      if (event.type !== 'msg.channels_list') return;
      const { children } = self.getSnapshot();
      const channels = event.body.channels
        .map(({ type, id }) => ({ name: clientChannels.find((name) => ChannelType[name] === type), id }))
        .filter(({ name }) => name !== undefined && context.wanted.includes(name))
        .map(({ name, id }) => `${name}:${id}`)
        .filter((channel) => !context.up.includes(channel) && !isBeingLinked(children, channel));
      const attempt = context.attempt + 1;
      const room = Math.max(0, mostChannels - Object.keys(children).length);
      enqueue.assign({ attempt });
      for (const channel of [...new Set(channels)].slice(0, room)) {
        enqueue.spawnChild('link', { id: linkName(channel, attempt), input: linkInput(context, channel, attempt) });
      }
    }),
    'link the channel again': enqueueActions(({ context, event, enqueue, self }) => {
      if (!('channel' in event) || isBeingLinked(self.getSnapshot().children, event.channel)) return;
      const { channel } = event;
      const attempt = context.attempt + 1;
      enqueue.assign({ attempt, tries: { ...context.tries, [channel]: (context.tries[channel] ?? 0) + 1 } });
      enqueue.spawnChild('link', { id: linkName(channel, attempt), input: linkInput(context, channel, attempt) });
    }),
    'begin the channel': enqueueActions(({ event, enqueue, self }) => {
      if (event.type !== 'link.up') return;
      const { channel, link, agreed } = event;
      if (self.getSnapshot().children[channel] === undefined) {
        enqueue.spawnChild(word(channel), { id: channel, input: { channel } });
      }
      if (channel === mainAddress) enqueue.assign({ mainCaps: agreed.channelCaps });
      enqueue.sendTo(channel, { type: 'link.attach', link, agreed, beginning: 'fresh' });
    }),
    /** INVARIANT: what is up is a child. News of one that was left at another host may still be under way. */
    'remember that it is up': enqueueActions(({ context, event, enqueue, self }) => {
      if (event.type !== 'channel.up' || self.getSnapshot().children[event.channel] === undefined) return;
      const { channel } = event;
      enqueue.assign({ up: [...context.up.filter((c) => c !== channel), channel] });
      const tries = triesOf(context, channel);
      if (tries > 0) enqueue.raise({ type: 'channel.steady', channel, tries }, { delay: 'steady time' });
    }),
    'forget its tries': assign(({ context, event }) => {
      const { channel } = event as { channel: Address };
      const { [channel]: _, ...tries } = context.tries;
      return channel === mainAddress ? { tries, searches: 0 } : { tries };
    }),
    'remember that it is down': assign(({ context, event }) =>
      event.type === 'channel.down'
        ? {
            up: context.up.filter((c) => c !== event.channel),
            moved: context.moved.filter((c) => c !== event.channel),
          }
        : {},
    ),
    'try again soon': raise(
      ({ event }) => ({ type: 'channel.relink', channel: (event as { channel: Address }).channel }),
      { delay: 'relink delay' },
    ),
    'report the channel': emit(
      ({ event }): SessionCommand => ({
        type: 'report',
        news:
          event.type === 'channel.down'
            ? { event: 'channel', channel: event.channel, state: 'down', reason: event.reason }
            : { event: 'channel', channel: (event as { channel: Address }).channel, state: 'up' },
      }),
    ),
    'report that the link failed': emit(
      ({ event }): SessionCommand => ({
        type: 'report',
        news: {
          event: 'channel',
          channel: (event as { channel: Address }).channel,
          state: 'down',
          reason: (event as { reason?: string }).reason ?? '',
        },
      }),
    ),
    'remember the session': assign(({ context, event }) =>
      event.type === 'msg.init'
        ? { connectionId: event.body.sessionId, home: homeAt(context, context.destination, context.mainCaps) }
        : {},
    ),
    'report the session': emit(
      ({ context }): SessionCommand => ({
        type: 'report',
        news: { event: 'session', connectionId: context.connectionId },
      }),
    ),
    'pass it on to the channel': enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'migration.tell') return;
      const to = event.channel === 'every' ? context.up.filter((c) => c !== mainAddress) : [event.channel];
      for (const channel of to) if (context.up.includes(channel)) enqueue.sendTo(channel, event.event);
    }),
    'pass it on to the hand-over': sendTo('migration', ({ event }) => event as never),
    'live at the target': assign(({ context }, { destination, mainCaps }: Moved) => ({
      destination,
      mainCaps,
      tries: {},
      home: homeAt(context, destination, mainCaps),
    })),
    'remember that it has moved': assign(({ context, event }) =>
      event.type === 'channel.switched' ? { moved: [...context.moved, event.channel] } : {},
    ),
    'keep it for later': assign(({ context, event }) => ({ heard: [...context.heard, event].slice(0, mostHeard) })),
    'hear what was kept': enqueueActions(({ context, enqueue }) => {
      for (const event of context.heard) enqueue.raise(event);
      enqueue.assign({ moved: [], heard: [] });
    }),
    /** Channels that had no part in the hand-over among them: they were linked at the source while it went on. */
    'hang up those left behind': enqueueActions(({ context, enqueue }, { switched }: Moved) => {
      for (const channel of context.up.filter((c) => !switched.includes(c))) {
        enqueue.sendTo(channel, { type: 'api.close', reason: 'it did not switch in time' });
      }
    }),
    /** A link that is still being made to the source would bring its channel up there; others were given up there. */
    'link at the target what is not linked': enqueueActions(({ context, enqueue, self }) => {
      const missing = new Set(Object.keys(context.tries).filter((channel) => !context.up.includes(channel)));
      for (const child of Object.keys(self.getSnapshot().children)) {
        const channel = /^link:(.*)@/.exec(child)?.[1];
        if (channel === undefined) continue;
        enqueue.stopChild(child);
        missing.add(channel);
      }
      for (const channel of missing) enqueue.raise({ type: 'channel.relink', channel }, { delay: 'relink delay' });
    }),
    /** Channels are connections of their own: one may be let go before main has heard of the move. */
    'remember that it was let go': assign(({ context, event }) =>
      event.type === 'channel.left' ? { letGo: [...context.letGo, event.channel] } : {},
    ),
    'wait for word of the move': enqueueActions(({ event, enqueue }) => {
      const { channel } = event as { channel: Address };
      enqueue.raise({ type: 'channel.stranded', channel }, { delay: 'word deadline', id: waitingFor(channel) });
    }),
    'hang up the channel that was let go': enqueueActions(({ context, event, enqueue }) => {
      if (!('channel' in event) || event.type === 'migration.tell' || !context.up.includes(event.channel)) return;
      enqueue.assign({ letGo: context.letGo.filter((channel) => channel !== event.channel) });
      enqueue.sendTo(event.channel, { type: 'api.close', reason: 'the server let it go, but to nowhere' });
    }),
    /** Nothing of the source stays: no channel, up or not, and no link that is still being made. */
    'leave the source for': enqueueActions(({ context, event, enqueue, self }, destination: Destination) => {
      enqueue.assign({
        destination,
        // A server that has let its client go keeps nothing for it; one that was lost may.
        home: event.type !== 'msg.migrate_switch_host' && isHome({ ...context, destination }) ? context.home : null,
        up: [],
        moved: [],
        heard: [],
        otherwise: null,
        tries: {},
        left: { destination: context.destination, channels: context.up },
      });
      for (const child of Object.keys(self.getSnapshot().children)) enqueue.stopChild(child);
    }),
    'remember where it goes': assign((_, params: { destination: Destination }) => ({
      destination: params.destination,
    })),
    'look there first': assign((_, { target, resolved }: Lost) => ({ otherwise: { destination: target, resolved } })),
    /** What the first place has said before its greeting is of no account at the other. */
    'look at the other place': enqueueActions(({ context, enqueue, self }) => {
      enqueue.assign({ destination: context.otherwise!.destination, otherwise: null, up: [], heard: [] });
      for (const child of Object.keys(self.getSnapshot().children)) enqueue.stopChild(child);
    }),
    'forget the source': assign({ left: null, otherwise: null }),
    'report the hand-over': emit(({ context }, params: { phase: HandoverPhase; to?: Destination }) =>
      handoverNews(context, params),
    ),
    'forget the child': stopChild(({ event }) => (event as ActorDone).actorId),
    'count the attempt': assign({ attempt: ({ context }) => context.attempt + 1 }),
    'forget who was let go': enqueueActions(({ context, enqueue }) => {
      for (const channel of context.letGo) enqueue.cancel(waitingFor(channel));
      enqueue.assign({ letGo: [] });
    }),
    'count the try': assign(({ context, event }) =>
      'channel' in event
        ? { tries: { ...context.tries, [event.channel]: (context.tries[event.channel] ?? 0) + 1 } }
        : {},
    ),
    'remember the reason': assign((_, params: { reason: string }) => ({ reason: params.reason })),
    /** A server that would wait for the client's return need not. */
    'say goodbye': enqueueActions(({ context, enqueue }) => {
      if (!context.up.includes(mainAddress) || homeAt(context, context.destination, context.mainCaps) === null) return;
      const message = { type: 'msgc.disconnecting', body: { timeStamp: 0n, reason: LinkErrorCode.ok } };
      enqueue.sendTo(mainAddress, { type: 'session.say', message });
    }),
    'report the end': emit(
      ({ context }): SessionCommand => ({
        type: 'report',
        news: { event: 'closed', reason: context.reason },
      }),
    ),
  },
  guards: {
    'it is main': ({ event }) => 'channel' in event && event.channel === mainAddress,
    'target says it': ({ context, event }) => context.moved.includes('channel' in event ? event.channel : mainAddress),
    'it has been up since': ({ context, event }) =>
      event.type === 'channel.steady' &&
      context.up.includes(event.channel) &&
      triesOf(context, event.channel) === event.tries,
    'it is still down': ({ context, event }) => 'channel' in event && !context.up.includes(event.channel),
    'it is still let go': ({ context, event }) => 'channel' in event && context.letGo.includes(event.channel),
    'both speak early-link': ({ context }) =>
      context.schemes.includes('early-link') && hasCap(context.mainCaps, MainCap.earlyLink),
    'it switched': (_, outcome: MigrationClientOutcome) => outcome.outcome === 'switched',
    'it is to begin afresh': (_, outcome: MigrationClientOutcome) => outcome.outcome === 'begin afresh',
    'it is to begin afresh at a known place': (_, outcome: MigrationClientOutcome) =>
      outcome.outcome === 'begin afresh' && outcome.resolved,
    'it lost the source': (_, outcome: MigrationClientOutcome) => outcome.outcome === 'look for the guest',
    'there is another known place': ({ context }) => context.otherwise?.resolved === true,
    'there is another place': ({ context }) => context.otherwise !== null,
    'it may be tried again': ({ context, event }) =>
      'channel' in event && (context.tries[event.channel] ?? 0) < mostTries,
  },
  delays: {
    'relink delay': 500,
    'word deadline': 10_000,
    /** Up so long, a channel has its tries again. */
    'steady time': 30_000,
    /** A server that has let a client in greets it at once (spec §2.10). */
    'init deadline': 15_000,
    'resolve deadline': 8_000,
    /** In which a target that goes away is looked for once more; as long as it may take to switch. */
    'settling time': 10_000,
  },
});

export type Announcement = Extract<
  MainReceived<'client'>,
  { type: 'msg.migrate_begin' | 'msg.migrate_begin_seamless' | 'msg.migrate_switch_host' }
>;
export type Moved = Extract<MigrationClientOutcome, { outcome: 'switched' }>;
export type Lost = Extract<MigrationClientOutcome, { outcome: 'look for the guest' }>;
export type Afresh = Extract<MigrationClientOutcome, { outcome: 'begin afresh' }>;

export const handover = (context: SessionClientContext, announced: Announcement): MigrationClientInput => ({
  attempt: context.attempt,
  scheme:
    announced.type === 'msg.migrate_begin_seamless'
      ? 'seamless'
      : announced.type === 'msg.migrate_begin'
        ? 'semi-seamless'
        : 'early-link',
  srcVersion: announced.type === 'msg.migrate_begin_seamless' ? announced.body.srcMigVersion : 0,
  from: context.destination,
  destination: destinationOf(announced.body),
  connectionId: context.connectionId,
  channels: context.up,
  left: context.letGo,
  ...(context.mostRelinks === undefined ? {} : { mostRelinks: context.mostRelinks }),
});

/** What is forgotten when it has been up for a while. */
const triesOf = ({ tries, searches }: SessionClientContext, channel: Address): number =>
  channel === mainAddress ? searches : (tries[channel] ?? 0);

/** Where the session can be had back, if it lives at this server: both ends must be willing. */
const homeAt = ({ reconnect = null }: SessionClientContext, server: Destination, mainCaps: Caps): Destination | null =>
  reconnect !== null && hasCap(mainCaps, MainCap.mayReturn) ? server : null;

/** Whether the place where the client links now is the one that has its session. */
export const isHome = ({ home, destination }: SessionClientContext): boolean =>
  home !== null &&
  home.host === destination.host &&
  home.port === destination.port &&
  home.tlsPort === destination.tlsPort;

/** Of a hand-over in which nothing is kept but the picture. */
export const handoverNews = (
  { attempt, destination, left, up }: SessionClientContext,
  { phase, to = destination }: { phase: HandoverPhase; to?: Destination },
): SessionCommand => ({
  type: 'report',
  news: {
    event: 'handover',
    phase,
    scheme: 'switch-host',
    attempt,
    from: destinationName(left?.destination ?? destination),
    to: destinationName(to),
    channels: left?.channels ?? up,
  },
});

const waitingFor = (channel: Address): string => `word of the move of ${channel}`;

const isBeingLinked = (children: object, channel: Address): boolean =>
  Object.keys(children).some((child) => child.startsWith(`link:${channel}@`));

const linkInput = (context: SessionClientContext, channel: Address, attempt: number) => ({
  link: linkName(channel, attempt),
  channel,
  connectionId: context.connectionId,
  destination: context.destination,
});
