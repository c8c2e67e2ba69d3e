/**
 * A hand-over at a client, from the source's announcement to the last channel's switch. It links every channel at the target
 * while the source still runs, answers, waits for the end, and leads the channels over. It never touches a pipe.
 *
 *   resolving → linking (channels, and asking for seamless) → linked → switching → switched
 *                  ↘ refused           cancelled ↙  ↘ target lost
 */
import { assign, emit, enqueueActions, fromPromise, sendParent, setup } from 'xstate';
import { type Caps, hasCap, MainCap } from '../../src/protocol/capabilities.ts';
import type { MainReceived } from '../../src/protocol/main.ts';
import {
  type Address,
  type Agreed,
  type ChannelEvent,
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
}

export type MigrationClientEvent =
  | LinkFate
  | HandshakeNews
  | MainReceived<'client'>
  | { type: 'channel.left'; channel: Address }
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
  | { outcome: 'stay' };

export interface MigrationClientContext extends MigrationClientInput {
  readonly links: Readonly<Record<Address, { link: LinkName; agreed: Agreed | null }>>;
  readonly switched: readonly Address[];
  /** The destination is where the announced one resolved to. */
  readonly resolved: boolean;
  readonly answered: boolean;
  readonly reason: string;
}

const mainAddress = 'main:0';

/** Where a hand-over really goes: the embedding program may know better than the announcement. Rejects to refuse it. */
export const resolveDestination = fromPromise<Destination, { destination: Destination }>(
  async ({ input }) => input.destination,
);

export const migrationClient = setup({
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
      const link = linkName(mainAddress, context.attempt);
      enqueue.assign({ links: { [mainAddress]: { link, agreed: null } } });
      enqueue.spawnChild('link', { id: link, input: linkInput(context, mainAddress) });
    }),
    'link the other channels': enqueueActions(({ context, enqueue }) => {
      const others = context.channels.filter((channel) => channel !== mainAddress);
      enqueue.assign({
        links: {
          ...context.links,
          ...Object.fromEntries(
            others.map((channel) => [channel, { link: linkName(channel, context.attempt), agreed: null }]),
          ),
        },
      });
      for (const channel of others) {
        enqueue.spawnChild('link', {
          id: linkName(channel, context.attempt),
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
        id: `handshake@${context.attempt}`,
        input: { link, agreed: agreed!, srcVersion: context.srcVersion },
      });
    }),
    'settle for semi-seamless': assign({ scheme: 'semi-seamless' as const }),
    'answer that it is linked': enqueueActions(({ context, enqueue }) => {
      if (context.scheme !== 'early-link') {
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
    'remember the reason': assign((_, params: { reason: string }) => ({ reason: params.reason })),
    'remember who left': assign(({ context, event }) =>
      event.type === 'channel.left' && context.channels.includes(event.channel)
        ? { left: [...context.left, event.channel] }
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
      for (const channel of context.left.filter((left) => isLinked(context, left))) {
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
    'scheme is seamless': ({ context }) => context.scheme === 'seamless',
    'scheme is semi-seamless': ({ context }) => context.scheme === 'semi-seamless',
    'scheme is early-link': ({ context }) => context.scheme === 'early-link',
    'it is main': ({ event }) => 'channel' in event && event.channel === mainAddress,
    'it is linked at the target': ({ context, event }) => 'channel' in event && isLinked(context, event.channel),
    'every channel is linked': ({ context }) => context.channels.every((channel) => isLinked(context, channel)),
    'some channel has left': ({ context }) => context.left.length > 0,
    'main has switched': ({ context }) => context.switched.includes(mainAddress),
    'every channel has switched': ({ context }) =>
      context.channels.every((channel) => context.switched.includes(channel)),
  },
  delays: {
    /** Shorter than the 10 s that a source waits (spec §3g), so that it hears of a failure before it gives up. */
    'link deadline': 8_000,
    'switch deadline': 10_000,
  },
}).createMachine({
  id: 'migration/client',
  context: ({ input }) => ({ ...input, links: {}, switched: [], resolved: false, answered: false, reason: '' }),
  initial: 'preparing',
  output: ({ event }) => (event as unknown as { output: MigrationClientOutcome }).output,
  states: {
    preparing: {
      entry: { type: 'report', params: { phase: 'begun' } },
      initial: 'resolving',
      after: {
        'link deadline': {
          target: 'refused',
          actions: { type: 'remember the reason', params: { reason: 'the target does not answer in time' } },
        },
      },
      on: {
        'link.failed': {
          target: 'refused',
          actions: {
            type: 'remember the reason',
            params: ({ event }) => ({ reason: `${event.channel}: ${event.reason}` }),
          },
        },
        'link.lost': {
          target: 'refused',
          actions: { type: 'remember the reason', params: { reason: 'the target hung up' } },
        },
        'handshake.lost': {
          target: 'refused',
          actions: { type: 'remember the reason', params: { reason: 'the target hung up' } },
        },
        'msg.migrate_cancel': 'cancelled',
        'msg.migrate_switch_host': { target: 'overtaken' },
        'channel.left': { actions: 'remember who left' },
        'channel.down': [{ guard: 'it is main', target: 'begun afresh' }, { actions: 'forget a channel' }],
      },
      states: {
        resolving: {
          invoke: {
            src: 'resolve destination',
            input: ({ context }) => ({ destination: context.destination }),
            onDone: {
              target: 'linking main',
              actions: { type: 'remember where it goes', params: ({ event }) => ({ destination: event.output }) },
            },
            onError: {
              target: '#migration/client.refused',
              actions: { type: 'remember the reason', params: { reason: 'no destination' } },
            },
          },
        },
        'linking main': {
          entry: 'link main',
          on: { 'link.up': { target: 'main is linked', actions: 'remember the link' } },
        },
        'main is linked': {
          always: [
            { guard: 'target may be asked for seamless', target: 'linking seamlessly' },
            { guard: 'scheme is seamless', target: 'linking', actions: 'settle for semi-seamless' },
            { target: 'linking' },
          ],
        },
        linking: {
          entry: 'link the other channels',
          always: { guard: 'every channel is linked', target: '#migration/client.linked' },
          on: { 'link.up': { actions: 'remember the link' } },
        },
        'linking seamlessly': {
          type: 'parallel',
          onDone: '#migration/client.linked',
          states: {
            channels: {
              initial: 'linking',
              states: {
                linking: {
                  entry: 'link the other channels',
                  always: { guard: 'every channel is linked', target: 'linked' },
                  on: { 'link.up': { actions: 'remember the link' } },
                },
                linked: { type: 'final' },
              },
            },
            handshake: {
              initial: 'asking',
              states: {
                asking: {
                  entry: 'ask for seamless',
                  on: {
                    'handshake.agreed': 'answered',
                    'handshake.declined': { target: 'answered', actions: 'settle for semi-seamless' },
                  },
                },
                answered: { type: 'final' },
              },
            },
          },
        },
      },
    },
    linked: {
      entry: ['answer that it is linked', { type: 'report', params: { phase: 'linked' } }],
      always: [{ guard: 'some channel has left', target: 'switching', actions: 'lead over those who left' }],
      on: {
        'msg.migrate_end': { guard: 'scheme is semi-seamless', target: 'switching main' },
        /** What was linked at the source only after the announcement has no link to go on with. */
        'channel.left': {
          guard: 'it is linked at the target',
          target: 'switching',
          actions: ['remember who left', 'lead it over'],
        },
        'channel.down': [{ guard: 'it is main', target: 'begun afresh' }, { actions: 'forget a channel' }],
        'msg.migrate_cancel': 'cancelled',
        'msg.migrate_switch_host': 'overtaken',
        'link.lost': {
          target: 'target lost',
          actions: [
            { type: 'remember the reason', params: { reason: 'the target hung up' } },
            { type: 'report', params: { phase: 'failed' } },
          ],
        },
      },
    },
    /** The target is gone, the source is not: stay with it until it says how the move went. */
    'target lost': {
      on: {
        'msg.migrate_end': 'begun afresh',
        'channel.left': 'begun afresh',
        'msg.migrate_cancel': 'cancelled',
        'msg.migrate_switch_host': 'overtaken',
        'channel.down': [{ guard: 'it is main', target: 'begun afresh' }, { actions: 'forget a channel' }],
      },
    },
    'switching main': {
      entry: ['lead the channels away from the source', 'lead main over'],
      on: {
        'msg.init': { target: 'switching', actions: 'lead the other channels over' },
        'channel.switched': { actions: 'remember who switched' },
        'channel.down': [{ guard: 'it is main', target: 'begun afresh' }, { actions: 'forget a channel' }],
      },
      after: { 'switch deadline': 'begun afresh' },
    },
    switching: {
      always: { guard: 'every channel has switched', target: 'switched' },
      on: {
        'channel.left': { guard: 'it is linked at the target', actions: ['remember who left', 'lead it over'] },
        'channel.switched': { actions: 'remember who switched' },
        'channel.down': [{ guard: 'it is main', target: 'begun afresh' }, { actions: 'forget a channel' }],
      },
      after: { 'switch deadline': [{ guard: 'main has switched', target: 'switched' }, { target: 'begun afresh' }] },
    },
    switched: {
      type: 'final',
      entry: ['let the source go', { type: 'report', params: { phase: 'switched' } }],
      output: ({ context }): MigrationClientOutcome => ({
        outcome: 'switched',
        scheme: context.scheme,
        destination: context.destination,
        mainCaps: context.links[mainAddress]?.agreed?.channelCaps ?? [],
        switched: context.switched,
      }),
    },
    cancelled: {
      type: 'final',
      entry: ['answer that it cannot link', { type: 'report', params: { phase: 'cancelled' } }],
      output: { outcome: 'stay' },
    },
    /** A source that gets no answer (early-link) lets the channels go all the same, and some may have gone already. */
    refused: {
      entry: ['answer that it cannot link', { type: 'report', params: { phase: 'failed' } }],
      always: [
        { guard: 'some channel has left', target: 'begun afresh' },
        { guard: 'scheme is early-link', target: 'target lost' },
        { target: 'stayed' },
      ],
    },
    stayed: { type: 'final', output: { outcome: 'stay' } },
    /** The guest has moved before the target was linked: the source sends the client there the old way. */
    overtaken: {
      type: 'final',
      output: ({ context, event }): MigrationClientOutcome => ({
        outcome: 'begin afresh',
        destination: event.type === 'msg.migrate_switch_host' ? destinationOf(event.body) : context.destination,
        resolved: false,
      }),
    },
    'begun afresh': {
      type: 'final',
      output: ({ context }): MigrationClientOutcome => ({
        outcome: 'begin afresh',
        destination: context.destination,
        resolved: context.resolved,
      }),
    },
  },
});

export const linkName = (channel: Address, attempt: number): LinkName => `link:${channel}@${attempt}`;

const linkInput = (context: MigrationClientContext, channel: Address) => ({
  link: linkName(channel, context.attempt),
  channel,
  connectionId: context.connectionId,
  destination: context.destination,
});

const isLinked = ({ links }: MigrationClientContext, channel: Address) => (links[channel]?.agreed ?? null) !== null;

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
