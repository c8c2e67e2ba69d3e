/**
 * A hand-over at its target, for one client that came with the connection id it has at the source. Its links are parked,
 * unread and unanswered, until the client arrives; how it arrives decides what each channel begins with.
 *
 *   parked → arrived (semi-seamless, early-link)
 *          → awaiting migrate data → arrived (seamless)
 */
import { assign, enqueueActions, sendParent, setup } from 'xstate';
import type { MainReceived } from '../../src/protocol/main.ts';
import { migrationProtocolVersion } from '../../src/protocol/main.ts';
import {
  type Address,
  type Agreed,
  type Beginning,
  type ChannelEvent,
  carriesState,
  type LinkName,
  type MigrationTell,
  type Scheme,
} from '../contract.ts';

export interface MigrationTargetInput {
  readonly seamless: boolean;
  /** Both ends speak the 2011 scheme. */
  readonly earlyLink: boolean;
}

export interface ParkedLink {
  readonly channel: Address;
  readonly link: LinkName;
  readonly agreed: Agreed;
}

export type MigrationTargetEvent =
  | MainReceived<'server'>
  | ({ type: 'target.park' } & ParkedLink)
  | { type: 'link.lost'; link: LinkName; channel: Address }
  | { type: 'channel.loaded'; channel: Address }
  | { type: 'channel.down'; channel: Address; reason: string }
  /** A parked link has something to say. */
  | { type: 'link.spoke'; link: LinkName };

/** Asks the session to begin a channel on a link that was parked. */
export type BeginParked = { type: 'target.begin'; parked: ParkedLink; beginning: Beginning };

export type MigrationTargetOutcome = { outcome: 'arrived'; scheme: Scheme } | { outcome: 'abandoned'; reason: string };

export interface MigrationTargetContext extends MigrationTargetInput {
  readonly scheme: Scheme;
  readonly parked: readonly ParkedLink[];
  /** Channels that were begun by the hand-over: one that is linked anew has left its state behind. */
  readonly begun: readonly Address[];
  /** Channels whose migrate data have not come yet. */
  readonly awaited: readonly Address[];
}

export const migrationTarget = setup({
  types: {} as {
    input: MigrationTargetInput;
    context: MigrationTargetContext;
    events: MigrationTargetEvent;
    output: MigrationTargetOutcome;
  },
  actions: {
    park: assign(({ context, event }) =>
      event.type !== 'target.park'
        ? {}
        : { parked: [...context.parked, { channel: event.channel, link: event.link, agreed: event.agreed }] },
    ),
    'forget the link': assign(({ context, event }) =>
      event.type !== 'link.lost' ? {} : { parked: context.parked.filter(({ link }) => link !== event.link) },
    ),
    'arrive by': assign((_, params: { scheme: Scheme }) => ({ scheme: params.scheme })),
    'agree to seamless': sendParent((): MigrationTell => say({ type: 'msg.migrate_dst_seamless_ack', body: {} })),
    'decline seamless': sendParent((): MigrationTell => say({ type: 'msg.migrate_dst_seamless_nack', body: {} })),
    'greet the client': sendParent(
      ({ context }): MigrationTell => tell('main:0', { type: 'migration.greet', scheme: context.scheme }),
    ),
    'begin what is parked': enqueueActions(({ context, enqueue }) => {
      for (const parked of context.parked) {
        enqueue.sendTo(({ self }) => self._parent!, begin(parked, context.scheme));
      }
      const awaited = context.parked.map(({ channel }) => channel).filter(carriesState);
      enqueue.assign({
        parked: [],
        begun: context.parked.map(({ channel }) => channel),
        awaited: context.scheme === 'seamless' ? ['main:0', ...awaited] : [],
      });
    }),
    'begin it at once': enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'target.park') return;
      const { channel } = event;
      const again = context.begun.includes(channel);
      enqueue.sendTo(({ self }) => self._parent!, begin(event, again ? 'semi-seamless' : context.scheme));
      enqueue.assign({
        begun: again ? context.begun : [...context.begun, channel],
        awaited: carriesState(channel) && !again ? [...context.awaited, channel] : context.awaited,
      });
    }),
    'wait for it no more': assign(({ context, event }) =>
      'channel' in event ? { awaited: context.awaited.filter((channel) => channel !== event.channel) } : {},
    ),
  },
  guards: {
    'it can be seamless': ({ context, event }) =>
      context.seamless &&
      event.type === 'msgc.migrate_dst_do_seamless' &&
      event.body.srcVersion <= migrationProtocolVersion,
    'it is an early link': ({ context }) => context.earlyLink,
    'all data are there': ({ context }) => context.awaited.length === 0,
  },
  delays: {
    /** A client that was linked must arrive, or make room: moves of large guests take their time. */
    'arrival deadline': 30 * 60_000,
  },
}).createMachine({
  id: 'migration/target',
  context: ({ input }) => ({ ...input, scheme: 'semi-seamless', parked: [], begun: [], awaited: [] }),
  output: ({ event }) => (event as unknown as { output: MigrationTargetOutcome }).output,
  initial: 'parked',
  states: {
    parked: {
      on: {
        'target.park': { actions: 'park' },
        'link.lost': { actions: 'forget the link' },
        'msgc.migrate_end': 'arriving',
        'msgc.migrate_dst_do_seamless': [
          {
            guard: 'it can be seamless',
            target: 'awaiting migrate data',
            actions: [
              { type: 'arrive by', params: { scheme: 'seamless' } },
              'agree to seamless',
              'greet the client',
              'begin what is parked',
            ],
          },
          { actions: 'decline seamless' },
        ],
        'msgc.attach_channels': {
          guard: 'it is an early link',
          target: 'arriving',
          actions: { type: 'arrive by', params: { scheme: 'early-link' } },
        },
        'link.spoke': {
          guard: 'it is an early link',
          target: 'arriving',
          actions: { type: 'arrive by', params: { scheme: 'early-link' } },
        },
      },
      after: { 'arrival deadline': 'overdue' },
    },
    arriving: {
      entry: ['greet the client', 'begin what is parked'],
      always: 'arrived',
    },
    'awaiting migrate data': {
      always: { guard: 'all data are there', target: 'arrived' },
      on: {
        /** The client links the others while we answer. */
        'target.park': { actions: 'begin it at once' },
        'channel.loaded': { actions: 'wait for it no more' },
        'channel.down': { actions: 'wait for it no more' },
      },
      after: { 'arrival deadline': 'overdue' },
    },
    arrived: { type: 'final', output: ({ context }) => ({ outcome: 'arrived', scheme: context.scheme }) },
    overdue: { type: 'final', output: { outcome: 'abandoned', reason: 'the client did not arrive in time' } },
  },
});

const tell = (channel: Address | 'every', event: ChannelEvent): MigrationTell => ({
  type: 'migration.tell',
  channel,
  event,
});
const say = (message: { type: string; body: object }): MigrationTell =>
  tell('main:0', { type: 'session.say', message });

const begin = ({ channel, link, agreed }: ParkedLink, scheme: Scheme): BeginParked => ({
  type: 'target.begin',
  parked: { channel, link, agreed },
  beginning: scheme !== 'seamless' ? 'fresh' : carriesState(channel) ? 'migrate data' : 'kept',
});
