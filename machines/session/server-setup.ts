/** The words of a server's session: what it hears, knows, does and asks. The picture that they make is in server.ts. */
import { assign, emit, enqueueActions, sendParent, sendTo, setup } from 'xstate';
import { type Caps, hasCap, MainCap } from '../../src/protocol/capabilities.ts';
import { ChannelType } from '../../src/protocol/constants.ts';
import { LinkErrorCode } from '../../src/protocol/link.ts';
import type { MainReceived } from '../../src/protocol/main.ts';
import {
  type Address,
  type Agreed,
  type ChannelEvent,
  type ChannelNews,
  type Destination,
  type LinkName,
  type MigrationTell,
  type Scheme,
  type SessionCommand,
  schemes,
} from '../contract.ts';
import { cursorServer } from '../cursor/server.ts';
import { displayServer } from '../display/server.ts';
import { inputsServer } from '../inputs/server.ts';
import { mainServer } from '../main/server.ts';
import { type MigrationSourceNews, type MigrationSourceOutcome, migrationSource } from '../migration/source.ts';
import { type BeginParked, type MigrationTargetOutcome, migrationTarget } from '../migration/target.ts';
import { playbackServer } from '../playback/server.ts';
import { recordServer } from '../record/server.ts';

export const serverChannels = ['display', 'inputs', 'cursor', 'playback', 'record'] as const;
export type ServerChannel = (typeof serverChannels)[number];

export interface SessionServerInput {
  readonly session: string;
  readonly connectionId: number;
  /** Channels that the application serves, "display:0" and so on. */
  readonly offered: readonly Address[];
  /** Schemes that may be used, whatever both ends are capable of. */
  readonly schemes: readonly Scheme[];
  /** The client came with the connection id that it has at a source. */
  readonly arriving: boolean;
  /** How long it waits for a client that is lost, and that may return, in milliseconds. 0, and undefined: not at all. */
  readonly returnMs?: number;
  readonly main: { readonly link: LinkName; readonly agreed: Agreed };
}

export type SessionServerEvent =
  | ChannelNews
  | MainReceived<'server'>
  | MigrationTell
  | MigrationSourceNews
  | BeginParked
  /** A link that has proved itself names this session: may it come in? */
  | { type: 'session.asks'; channel: Address; link: LinkName }
  /** A link that was admitted is up. */
  | { type: 'session.linked'; channel: Address; link: LinkName; agreed: Agreed }
  | { type: 'link.lost'; link: LinkName; channel: Address }
  | { type: 'link.spoke'; link: LinkName }
  /** The guest will not come here; a client that waits for it may hold its links for ever. */
  | { type: 'guest.lost' }
  /** The guest that had gone from here is back. */
  | { type: 'guest.back' }
  /** The guest is about to move: `scheme` is the best that may be used. */
  | { type: 'migration.offer'; destination: Destination; scheme: Scheme }
  | { type: 'migration.end'; completed: boolean; destination: Destination }
  | { type: 'api.close'; reason: string };

/** What a session tells its supervisor. */
export type SessionReport =
  | { type: 'session.decides'; link: LinkName; code: number; reason: string }
  | { type: 'session.answered'; session: string; linked: boolean; scheme: Scheme }
  | { type: 'session.departed'; session: string; outcome: MigrationSourceOutcome['outcome'] }
  | { type: 'session.arrived'; session: string; scheme: Scheme }
  /** Its client is lost, and may return. */
  | { type: 'session.waits'; session: string; reason: string }
  | { type: 'session.returned'; session: string }
  | { type: 'session.over'; session: string; reason: string };

export interface SessionServerContext extends SessionServerInput {
  readonly linked: readonly Address[];
  /** A client that arrives has asked for the channels. */
  readonly asked: boolean;
  /** Links that were admitted but are not used yet, and their channels: each comes up, or is parked until the client arrives. */
  readonly reserved: Readonly<Record<LinkName, Address>>;
  readonly mainCaps: Caps;
  /** The move that this client is to be told of. */
  readonly offer: { readonly destination: Destination; readonly scheme: Scheme; readonly gone: boolean } | null;
  readonly answersOwed: number;
  /** Main was lost without a goodbye. */
  readonly lost: boolean;
  /** The link over which the client has come back to main, until the old one is closed. */
  readonly back: SessionServerInput['main'] | null;
  readonly reason: string;
}

const mainAddress = 'main:0';
const word = (channel: Address) => channel.slice(0, channel.indexOf(':')) as ServerChannel | 'main';

const mayReturn = ({ mainCaps, returnMs = 0 }: SessionServerContext): boolean =>
  returnMs > 0 && hasCap(mainCaps, MainCap.mayReturn);

/** The best scheme, no better than `best`, that both ends are capable of and that may be used (spec §3.0). */
const schemeFor = ({ mainCaps, schemes: allowed }: SessionServerContext, best: Scheme): Scheme => {
  const capable: Record<Scheme, boolean> = {
    seamless: hasCap(mainCaps, MainCap.seamlessMigrate) && hasCap(mainCaps, MainCap.agentConnectedTokens),
    'early-link': hasCap(mainCaps, MainCap.earlyLink),
    'semi-seamless': hasCap(mainCaps, MainCap.semiSeamlessMigrate),
    'switch-host': true,
  };
  const noBetter = schemes.slice(schemes.indexOf(best));
  return noBetter.find((scheme) => allowed.includes(scheme) && capable[scheme]) ?? 'switch-host';
};

const channelsList = ({ offered }: SessionServerContext): ChannelEvent => ({
  type: 'session.say',
  message: {
    type: 'msg.channels_list',
    body: {
      channels: offered.map((channel) => ({
        type: ChannelType[word(channel)],
        id: Number(channel.slice(channel.indexOf(':') + 1)),
      })),
    },
  },
});

const expectsAnswer = (scheme: Scheme) => scheme === 'seamless' || scheme === 'semi-seamless';

export const sessionServerSetup = setup({
  types: {} as {
    input: SessionServerInput;
    context: SessionServerContext;
    events: SessionServerEvent;
    emitted: SessionCommand;
    output: { reason: string };
  },
  actors: {
    source: migrationSource,
    target: migrationTarget,
    main: mainServer,
    display: displayServer,
    inputs: inputsServer,
    cursor: cursorServer,
    playback: playbackServer,
    record: recordServer,
  },
  actions: {
    'begin main': enqueueActions(({ context, enqueue }) => {
      enqueue.spawnChild('main', {
        id: mainAddress,
        input: { channel: mainAddress, connectionId: context.connectionId },
      });
      enqueue.sendTo(mainAddress, {
        type: 'link.attach',
        ...context.main,
        beginning: context.arriving ? 'arrived' : 'fresh',
      });
      enqueue.assign({ linked: [mainAddress] });
    }),
    'admit the link': enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'session.asks') return;
      enqueue.assign({ reserved: { ...context.reserved, [event.link]: event.channel } });
      enqueue.sendTo(({ self }) => self._parent!, {
        type: 'session.decides',
        link: event.link,
        code: LinkErrorCode.ok,
        reason: '',
      } satisfies SessionReport);
    }),
    'deny the link': sendParent(
      ({ event }): SessionReport => ({
        type: 'session.decides',
        link: (event as { link: LinkName }).link,
        code: LinkErrorCode.channelNotAvailable,
        reason: 'this channel is not served, or is linked already',
      }),
    ),
    'deny the return': sendParent(
      ({ event }): SessionReport => ({
        type: 'session.decides',
        link: (event as { link: LinkName }).link,
        code: LinkErrorCode.badConnectionId,
        reason: 'there is no returning to this session',
      }),
    ),
    'remember that it is back': assign(({ context, event }) =>
      event.type === 'session.linked'
        ? {
            back: { link: event.link, agreed: event.agreed },
            reserved: omit(context.reserved, event.link),
            reason: 'the client has come back over another connection',
          }
        : {},
    ),
    'remember how it was lost': assign(({ event }) => ({ lost: event.type === 'channel.down' && event.lost === true })),
    /** The client knows nothing any more but who it is: what it was told and has answered does not count. */
    'begin main again': enqueueActions(({ context, enqueue }) => {
      const { link, agreed } = context.back!;
      enqueue.sendTo(mainAddress, { type: 'link.attach', link, agreed, beginning: 'fresh' });
      enqueue.assign({
        main: { link, agreed },
        mainCaps: agreed.channelCaps,
        linked: [...context.linked, mainAddress],
        reserved: {},
        asked: false,
        answersOwed: 0,
        lost: false,
        back: null,
        reason: '',
      });
    }),
    'say goodbye': enqueueActions(({ context, enqueue }) => {
      if (!context.linked.includes(mainAddress) || !hasCap(context.mainCaps, MainCap.mayReturn)) return;
      const message = { type: 'msg.disconnecting', body: { timeStamp: 0n, reason: LinkErrorCode.ok } };
      enqueue.sendTo(mainAddress, { type: 'session.say', message });
    }),
    'begin the channel': enqueueActions(({ context, event, enqueue, self }) => {
      if (event.type !== 'session.linked') return;
      const { channel, link, agreed } = event;
      if (self.getSnapshot().children[channel] === undefined) {
        enqueue.spawnChild(word(channel), { id: channel, input: { channel, connectionId: context.connectionId } });
      }
      enqueue.sendTo(channel, { type: 'link.attach', link, agreed, beginning: 'fresh' });
      enqueue.assign({
        linked: [...context.linked, channel],
        reserved: omit(context.reserved, link),
      });
    }),
    'begin the parked channel': enqueueActions(({ context, event, enqueue, self }) => {
      if (event.type !== 'target.begin') return;
      const { channel, link, agreed } = event.parked;
      if (self.getSnapshot().children[channel] === undefined) {
        enqueue.spawnChild(word(channel), { id: channel, input: { channel, connectionId: context.connectionId } });
      }
      enqueue.sendTo(channel, { type: 'link.attach', link, agreed, beginning: event.beginning });
      enqueue.assign({
        linked: [...context.linked, channel],
        reserved: omit(context.reserved, link),
      });
    }),
    'park the link': enqueueActions(({ event, enqueue }) => {
      if (event.type !== 'session.linked') return;
      enqueue.sendTo('target', { type: 'target.park', channel: event.channel, link: event.link, agreed: event.agreed });
    }),
    'forget the link': assign(({ context, event }) =>
      event.type === 'link.lost' ? { reserved: omit(context.reserved, event.link) } : {},
    ),
    'tell the channels': sendTo(mainAddress, ({ context }) => channelsList(context)),
    'remember that it asks for the channels': assign({ asked: true }),
    'tell the channels that were asked for': enqueueActions(({ context, enqueue }) => {
      if (context.asked) enqueue.sendTo(mainAddress, channelsList(context));
    }),
    'report the channel': emit(
      ({ event }): SessionCommand => ({
        type: 'report',
        news:
          event.type === 'channel.down'
            ? { event: 'channel', channel: event.channel, state: 'down', reason: event.reason }
            : { event: 'channel', channel: (event as { channel: Address }).channel, state: 'up' },
      }),
    ),
    'forget the channel': assign(({ context, event }) =>
      event.type === 'channel.down' ? { linked: context.linked.filter((c) => c !== event.channel) } : {},
    ),
    'pass it on to the channel': enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'migration.tell') return;
      for (const channel of event.channel === 'every' ? context.linked : [event.channel]) {
        if (context.linked.includes(channel)) enqueue.sendTo(channel, event.event);
      }
    }),
    'pass it on to the source': sendTo('source', ({ event }) => event as never),
    'tell the source that the client is gone': sendTo('source', { type: 'session.empty' }),
    'pass it on to the target': sendTo('target', ({ event }) => event as never),
    'count an answer': assign({ answersOwed: ({ context }) => Math.max(0, context.answersOwed - 1) }),
    'remember the move': assign(({ context, event }) =>
      event.type !== 'migration.offer'
        ? {}
        : {
            offer: { destination: event.destination, scheme: schemeFor(context, event.scheme), gone: false },
          },
    ),
    'remember that the guest has gone': assign(({ event }) =>
      event.type !== 'migration.end'
        ? {}
        : { offer: { destination: event.destination, scheme: 'switch-host' as const, gone: true } },
    ),
    'forget the move': assign({ offer: null }),
    'owe an answer': assign(({ context }) =>
      context.offer !== null && expectsAnswer(context.offer.scheme) ? { answersOwed: context.answersOwed + 1 } : {},
    ),
    'tell the supervisor that it is answered': sendParent(
      ({ context, event }): SessionReport => ({
        type: 'session.answered',
        session: context.session,
        linked: (event as { linked: boolean }).linked,
        scheme: (event as { scheme: Scheme }).scheme,
      }),
    ),
    'tell the supervisor that it is not linked': sendParent(
      ({ context }): SessionReport => ({
        type: 'session.answered',
        session: context.session,
        linked: false,
        scheme: 'switch-host',
      }),
    ),
    'say that the move is cancelled': sendTo(mainAddress, {
      type: 'session.say',
      message: { type: 'msg.migrate_cancel', body: {} },
    }),
    'tell the supervisor that it has departed': sendParent(
      ({ context }, params: { outcome: MigrationSourceOutcome['outcome'] }): SessionReport => ({
        type: 'session.departed',
        session: context.session,
        outcome: params.outcome,
      }),
    ),
    'tell the supervisor that it has arrived': sendParent(
      ({ context }, params: { scheme: Scheme }): SessionReport => ({
        type: 'session.arrived',
        session: context.session,
        scheme: params.scheme,
      }),
    ),
    'tell the supervisor that it waits': sendParent(
      ({ context }): SessionReport => ({ type: 'session.waits', session: context.session, reason: context.reason }),
    ),
    'tell the supervisor that it is back': sendParent(
      ({ context }): SessionReport => ({ type: 'session.returned', session: context.session }),
    ),
    'hang up every channel': enqueueActions(({ context, enqueue }) => {
      for (const channel of context.linked) enqueue.sendTo(channel, { type: 'api.close', reason: context.reason });
    }),
    'remember the reason': assign((_, params: { reason: string }) => ({ reason: params.reason })),
    'tell the supervisor that it is over': sendParent(
      ({ context }): SessionReport => ({ type: 'session.over', session: context.session, reason: context.reason }),
    ),
  },
  guards: {
    'client is arriving': ({ context }) => context.arriving,
    'a move waits to be told': ({ context }) => context.offer !== null,
    'guest has moved': ({ event }) => event.type === 'migration.end' && event.completed,
    'only main would be left': ({ context, event }) => {
      const others = context.linked.length - 1 + Object.keys(context.reserved).length;
      const mattered =
        event.type === 'link.lost'
          ? context.reserved[event.link] !== undefined
          : event.type === 'channel.down' && context.linked.includes(event.channel);
      return mattered && others === 1;
    },
    'it is main': ({ event }) => 'channel' in event && event.channel === mainAddress,
    'channel is free': ({ context, event }) =>
      event.type === 'session.asks' &&
      context.offered.includes(event.channel) &&
      !context.linked.includes(event.channel) &&
      !Object.values(context.reserved).includes(event.channel),
    'it returns to main': ({ context, event }) =>
      event.type === 'session.asks' && event.channel === mainAddress && mayReturn(context),
    'main is lost and may return': ({ context, event }) =>
      event.type === 'channel.down' &&
      event.channel === mainAddress &&
      (event.lost === true || context.back !== null) &&
      mayReturn(context),
    'client is back': ({ context }) => context.back !== null,
    'client may come back': ({ context }, outcome: MigrationSourceOutcome) =>
      mayReturn(context) && (context.back !== null || (context.lost && outcome.outcome === 'lost')),
    'it arrived': (_, outcome: MigrationTargetOutcome) => outcome.outcome === 'arrived',
    'it stayed': (_, outcome: MigrationSourceOutcome) => outcome.outcome === 'stayed',
  },
  delays: {
    /** As long as a client takes to switch its channels. */
    'company deadline': 10_000,
    'return deadline': ({ context }) => context.returnMs ?? 0,
  },
});

function omit<T>(record: Readonly<Record<string, T>>, key: string): Readonly<Record<string, T>> {
  const { [key]: _, ...others } = record;
  return others;
}
