/** The words of a client's hand-over: what it hears, knows, does and asks. The picture that they make is in client.ts. */
import { assign, emit, enqueueActions, fromPromise, raise, sendParent, setup } from 'xstate';
import { type Caps, hasCap, MainCap } from '../../src/protocol/capabilities.ts';
import type { MainReceived } from '../../src/protocol/main.ts';
import {
  type Address,
  type Agreed,
  type ChannelEvent,
  carriesState,
  type Destination,
  destinationName,
  type HandoverPhase,
  type LinkFate,
  type LinkName,
  type MigrationTell,
  type Scheme,
  type SessionCommand,
} from '../contract.ts';
import { linkClient } from '../link/client.ts';
import { type HandshakeNews, migrationHandshake } from './handshake.ts';

export interface MigrationClientInput {
  readonly attempt: number;
  /** What the source announced; it can only go down from here (spec §3.0). */
  readonly scheme: Exclude<Scheme, 'switch-host'>;
  readonly srcVersion: number;
  readonly from: Destination;
  readonly destination: Destination;
  readonly connectionId: number;
  /** The channels that are up at the source, main among them. */
  readonly channels: readonly Address[];
  /** Those of them that the source has let go already. */
  readonly left: readonly Address[];
  /** How often a target is linked again that was lost. Default 6: a quarter of a minute, if each comes to nothing at once. */
  readonly mostRelinks?: number;
}

export type MigrationClientEvent =
  | LinkFate
  | HandshakeNews
  | MainReceived<'client'>
  | { type: 'channel.left'; channel: Address; data: boolean }
  /** The guest has moved, and the target is still not linked again. */
  | { type: 'relink.late' }
  | { type: 'channel.switched'; channel: Address }
  | { type: 'channel.down'; channel: Address; reason: string };

export type MigrationClientOutcome =
  | {
      outcome: 'switched';
      scheme: Scheme;
      destination: Destination;
      /** What the target's main link can do. */
      mainCaps: Caps;
      switched: readonly Address[];
    }
  /** The source has let the client go, but the target was not linked: begin there afresh, where it `resolved` to or not. */
  | { outcome: 'begin afresh'; destination: Destination; resolved: boolean }
  /** The source is lost, and it is not known where the guest is: look there first, and at the target otherwise. */
  | { outcome: 'look for the guest'; source: Destination; target: Destination; resolved: boolean }
  | { outcome: 'stay' };

export interface MigrationClientContext extends MigrationClientInput {
  readonly links: Readonly<Record<Address, { link: LinkName; agreed: Agreed | null }>>;
  readonly switched: readonly Address[];
  /** Channels that the source has let go with data for the target. */
  readonly withData: readonly Address[];
  /** The destination is where the announced one resolved to. */
  readonly resolved: boolean;
  readonly answered: boolean;
  /** How often the target was linked again. */
  readonly relinks: number;
  /** The source has said that the guest has moved, while the target was being linked again. */
  readonly ended: boolean;
  readonly reason: string;
}

export const mainAddress = 'main:0';

/** Where a hand-over really goes: the embedding program may know better than the announcement. Rejects to refuse it. */
export const resolveDestination = fromPromise<Destination, { destination: Destination }>(
  async ({ input }) => input.destination,
);

export const migrationClientSetup = setup({
  types: {} as {
    input: MigrationClientInput;
    context: MigrationClientContext;
    events: MigrationClientEvent;
    output: MigrationClientOutcome;
    emitted: SessionCommand;
  },
  actors: {
    link: linkClient,
    handshake: migrationHandshake,
    'resolve destination': resolveDestination,
  },
  actions: {
    'remember where it goes': assign((_, params: { destination: Destination }) => ({
      destination: params.destination,
      resolved: true,
    })),
    'link main': enqueueActions(({ context, enqueue }) => {
      const link = nameOf(context, mainAddress);
      enqueue.assign({ links: { [mainAddress]: { link, agreed: null } } });
      enqueue.spawnChild('link', { id: link, input: linkInput(context, mainAddress) });
    }),
    'link the other channels': enqueueActions(({ context, enqueue }) => {
      const others = context.channels.filter((channel) => channel !== mainAddress);
      enqueue.assign({
        links: {
          ...context.links,
          ...Object.fromEntries(others.map((channel) => [channel, { link: nameOf(context, channel), agreed: null }])),
        },
      });
      for (const channel of others) {
        enqueue.spawnChild('link', {
          id: nameOf(context, channel),
          input: linkInput(context, channel),
        });
      }
    }),
    'remember the link': assign(({ context, event }) =>
      event.type !== 'link.up'
        ? {}
        : { links: { ...context.links, [event.channel]: { link: event.link, agreed: event.agreed } } },
    ),
    'ask for seamless': enqueueActions(({ context, enqueue }) => {
      const { link, agreed } = context.links[mainAddress]!;
      enqueue.spawnChild('handshake', {
        id: `handshake@${context.attempt}${again(context)}`,
        input: { link, agreed: agreed!, srcVersion: context.srcVersion },
      });
    }),
    'settle for semi-seamless': assign({ scheme: 'semi-seamless' as const }),
    'answer that it is linked': enqueueActions(({ context, enqueue }) => {
      if (!context.answered && context.scheme !== 'early-link') {
        const type = context.scheme === 'seamless' ? 'msgc.migrate_connected_seamless' : 'msgc.migrate_connected';
        enqueue.sendTo(({ self }) => self._parent!, say({ type, body: {} }));
      }
      enqueue.assign({ answered: true });
    }),
    'answer that it cannot link': enqueueActions(({ context, enqueue }) => {
      if (!context.answered && context.scheme !== 'early-link') {
        enqueue.sendTo(({ self }) => self._parent!, say({ type: 'msgc.migrate_connect_error', body: {} }));
      }
      enqueue.assign({ answered: true });
    }),
    /** Links that are up or being made, and the question that may be asked over one. */
    'let the target go': enqueueActions(({ enqueue, self }) => {
      enqueue.assign({ links: {} });
      for (const child of Object.keys(self.getSnapshot().children)) enqueue.stopChild(child);
    }),
    'count the try': assign({ relinks: ({ context }) => context.relinks + 1 }),
    'remember the end': assign({ ended: true }),
    'wait no longer than that': raise({ type: 'relink.late' }, { delay: 'late deadline' }),
    'remember the reason': assign((_, params: { reason: string }) => ({ reason: params.reason })),
    'remember who left': assign(({ context, event }) =>
      event.type === 'channel.left' && context.channels.includes(event.channel)
        ? {
            left: [...context.left, event.channel],
            withData: event.data ? [...context.withData, event.channel] : context.withData,
          }
        : {},
    ),
    'remember who switched': assign(({ context, event }) =>
      event.type === 'channel.switched' ? { switched: [...context.switched, event.channel] } : {},
    ),
    'forget a channel': assign(({ context, event }) =>
      event.type === 'channel.down'
        ? {
            channels: context.channels.filter((c) => c !== event.channel),
            left: context.left.filter((c) => c !== event.channel),
            switched: context.switched.filter((c) => c !== event.channel),
          }
        : {},
    ),
    'lead the channels away from the source': sendParent(
      (): MigrationTell => ({ type: 'migration.tell', channel: 'every', event: { type: 'migration.leave' } }),
    ),
    'lead main over': sendParent(({ context }): MigrationTell => leadOver(context, mainAddress)),
    'lead the other channels over': enqueueActions(({ context, enqueue }) => {
      for (const channel of context.channels.filter((c) => c !== mainAddress)) {
        enqueue.sendTo(({ self }) => self._parent!, leadOver(context, channel));
      }
    }),
    'lead over those who left': enqueueActions(({ context, enqueue }) => {
      for (const channel of context.left.filter((left) => isReleased(context, left))) {
        enqueue.sendTo(({ self }) => self._parent!, leadOver(context, channel));
      }
    }),
    'lead it over': sendParent(
      ({ context, event }): MigrationTell => leadOver(context, (event as { channel: Address }).channel),
    ),
    'let the source go': enqueueActions(({ context, enqueue }) => {
      for (const channel of context.switched) {
        enqueue.sendTo(({ self }) => self._parent!, tell(channel, { type: 'migration.settled' }));
      }
    }),
    report: emit(
      ({ context }, params: { phase: HandoverPhase }): SessionCommand => ({
        type: 'report',
        news: {
          event: 'handover',
          phase: params.phase,
          scheme: context.scheme,
          attempt: context.attempt,
          from: destinationName(context.from),
          to: destinationName(context.destination),
          channels: params.phase === 'switched' ? context.switched : context.channels,
          ...(context.reason === '' ? {} : { reason: context.reason }),
        },
      }),
    ),
  },
  guards: {
    'target may be asked for seamless': ({ context }) =>
      context.scheme === 'seamless' &&
      hasCap(context.links[mainAddress]?.agreed?.channelCaps ?? [], MainCap.seamlessMigrate),
    'target knows no early link': ({ context }) =>
      context.scheme === 'early-link' &&
      !hasCap(context.links[mainAddress]?.agreed?.channelCaps ?? [], MainCap.earlyLink),
    'it may be linked again': ({ context }) => context.relinks < (context.mostRelinks ?? 6),
    'the source has said the end': ({ context }) => context.ended,
    'main is lost after the end': ({ context, event }) =>
      'channel' in event && event.channel === mainAddress && (context.ended || context.left.length > 0),
    'scheme is seamless': ({ context }) => context.scheme === 'seamless',
    'scheme is semi-seamless': ({ context }) => context.scheme === 'semi-seamless',
    'scheme is early-link': ({ context }) => context.scheme === 'early-link',
    'it is main': ({ event }) => 'channel' in event && event.channel === mainAddress,
    'it is let go by the scheme': ({ context, event }) =>
      event.type === 'channel.left' && isReleased(context, event.channel, event.data),
    'every channel is linked': ({ context }) => context.channels.every((channel) => isLinked(context, channel)),
    'some channel has left': ({ context }) => context.left.length > 0,
    'main has left': ({ context }) => context.left.includes(mainAddress),
    'main would be lost at the target': ({ context, event }) =>
      'channel' in event && event.channel === mainAddress && context.switched.includes(mainAddress),
    'main has switched': ({ context }) => context.switched.includes(mainAddress),
    'every channel has switched': ({ context }) =>
      context.channels.every((channel) => context.switched.includes(channel)),
  },
  delays: {
    /** Shorter than the 10 s that a source waits (spec §3g), so that it hears of a failure before it gives up. */
    'link deadline': 8_000,
    'switch deadline': 10_000,
    'relink delay': ({ context }) => Math.min(4_000, 500 * 2 ** (context.relinks - 1)),
    /** Shorter than the 10 s that a source waits for its client to leave. */
    'late deadline': 7_500,
  },
});

export const linkName = (channel: Address, attempt: number): LinkName => `link:${channel}@${attempt}`;

/** Tells the links of one try from those of another. */
const again = ({ relinks }: MigrationClientContext): string => (relinks === 0 ? '' : `.${relinks}`);
const nameOf = (context: MigrationClientContext, channel: Address): LinkName =>
  `${linkName(channel, context.attempt)}${again(context)}`;

const linkInput = (context: MigrationClientContext, channel: Address) => ({
  link: nameOf(context, channel),
  channel,
  connectionId: context.connectionId,
  destination: context.destination,
});

const isLinked = ({ links }: MigrationClientContext, channel: Address) => (links[channel]?.agreed ?? null) !== null;

/**
 * A source that has given its client up as not linked lets the channels go by another scheme than the one that the target
 * was linked for, and a channel may hear of that before main does. A channel that is let go so has nowhere to go on: the
 * target waits for data that it does not bring.
 */
const isReleased = (
  context: MigrationClientContext,
  channel: Address,
  data: boolean = context.withData.includes(channel),
): boolean =>
  isLinked(context, channel) &&
  (context.scheme === 'early-link' || (context.scheme === 'seamless' && (data || !carriesState(channel))));

const tell = (channel: Address, event: ChannelEvent): MigrationTell => ({ type: 'migration.tell', channel, event });

const say = (message: { type: string; body: object }): MigrationTell =>
  tell(mainAddress, { type: 'session.say', message });

const leadOver = (context: MigrationClientContext, channel: Address): MigrationTell => {
  const { link, agreed } = context.links[channel]!;
  return tell(channel, { type: 'migration.switch', link, agreed: agreed!, scheme: context.scheme });
};

/** Ports 0 and 65535 mean "none": QEMU passes -1 for a missing port (spec §2.3). */
const port = (number: number): number | undefined => (number === 0 || number === 0xffff ? undefined : number);

export const destinationOf = (body: {
  host: string;
  port: number;
  sport: number;
  certSubject: string;
}): Destination => ({
  host: body.host,
  port: port(body.port),
  tlsPort: port(body.sport),
  certSubject: body.certSubject,
});
