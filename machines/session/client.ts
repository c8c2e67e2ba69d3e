/**
 * A client's session: links main, then every channel that it wants, keeps them up within bounds, follows the guest when it
 * moves, and looks for its server again when that is lost (client-reconnect.ts). A hand-over is a child that leads the
 * channels; the session passes events between them.
 */
import { sentOn, tooEarly } from './client-greeting.ts';
import { asNewcomer, begunAgain, reconnecting, reconnectingSetup, toReconnecting } from './client-reconnect.ts';
import { type Afresh, type Announcement, handover, type Lost, type Moved } from './client-setup.ts';

export * from './client-setup.ts';

/** Said of the move that is followed, or by the target of its next one. */
const ofTheMove = [
  { guard: 'target says it', actions: 'keep it for later' },
  { actions: 'pass it on to the hand-over' },
] as const;

/** The guest is not where it was looked for first. */
const elsewhere = [
  {
    guard: 'there is another known place',
    target: '#session/client.switching host.linking main',
    reenter: true,
    actions: 'look at the other place',
  },
  {
    guard: 'there is another place',
    target: '#session/client.switching host.resolving',
    actions: 'look at the other place',
  },
] as const;

/** It is in none of the places that are known, or not yet again. */
const notFound = { guard: 'it may be found again', target: '#session/client.reconnecting' } as const;

export const sessionClient = reconnectingSetup.createMachine({
  id: 'session/client',
  context: ({ input }) => ({
    ...input,
    connectionId: 0,
    attempt: 0,
    mainCaps: [],
    up: [],
    letGo: [],
    moved: [],
    heard: [],
    otherwise: null,
    tries: {},
    searches: 0,
    home: null,
    waitMs: 0,
    left: null,
    reason: '',
  }),
  output: ({ context }) => ({ reason: context.reason }),
  initial: 'linking main',
  on: {
    'xstate.done.actor.*': { actions: 'forget the child' },
    'api.resumed': { actions: 'look for its server as it is told now' },
    'channel.steady': { guard: 'it has been up since', actions: 'forget its tries' },
    'api.close': {
      target: '.closed',
      actions: [{ type: 'remember the reason', params: ({ event }) => event }, 'say goodbye'],
    },
    'xstate.error.actor.*': {
      target: '.closed',
      actions: { type: 'remember the reason', params: { reason: 'a fault of this program' } },
    },
  },
  states: {
    'linking main': {
      entry: 'link main',
      on: {
        ...begunAgain,
        'link.up': { target: 'awaiting init', actions: 'begin the channel' },
        'link.failed': [
          {
            guard: 'it may be found later',
            target: 'reconnecting',
            actions: { type: 'remember the reason', params: ({ event }) => event },
          },
          { target: 'closed', actions: { type: 'remember the reason', params: ({ event }) => event } },
        ],
      },
    },
    'awaiting init': {
      on: {
        ...begunAgain,
        'channel.up': { actions: ['remember that it is up', 'report the channel'] },
        'msg.init': { target: 'up', actions: ['remember the session', 'report the session', 'hear what was kept'] },
        ...tooEarly,
        'channel.down': [
          { ...toReconnecting, guard: 'it may be found later' },
          { target: 'closed', actions: { type: 'remember the reason', params: ({ event }) => event } },
        ],
      },
      after: {
        'init deadline': [
          {
            guard: 'it may be found later',
            target: 'reconnecting',
            actions: [{ type: 'remember the reason', params: { reason: 'no init in time' } }, 'leave everything'],
          },
          { target: 'closed', actions: { type: 'remember the reason', params: { reason: 'no init in time' } } },
        ],
      },
    },
    up: {
      initial: 'staying',
      on: {
        'link.up': { actions: 'begin the channel' },
        'link.failed': [
          { guard: 'it may be tried again', actions: 'try again soon' },
          { actions: 'report that the link failed' },
        ],
        'link.lost': [
          { guard: 'it may be tried again', actions: 'try again soon' },
          { actions: 'report that the link failed' },
        ],
        'channel.up': { actions: ['remember that it is up', 'report the channel'] },
        'channel.down': [
          toReconnecting,
          {
            guard: 'it is main',
            target: 'closed',
            actions: ['report the channel', { type: 'remember the reason', params: ({ event }) => event }],
          },
          {
            guard: 'it may be tried again',
            actions: ['remember that it is down', 'report the channel', 'try again soon'],
          },
          { actions: ['remember that it is down', 'report the channel'] },
        ],
        'channel.relink': { guard: 'it is still down', actions: 'link the channel again' },
        'msg.channels_list': { actions: 'link the channels that are wanted' },
      },
      states: {
        staying: {
          initial: 'settled',
          on: {
            /** Nobody leads it over: hung up here it is at least linked again, or missed (spec §5.9). */
            'channel.left': [
              {
                guard: 'both speak early-link',
                actions: ['remember that it was let go', 'wait for word of the move'],
              },
              { actions: 'hang up the channel that was let go' },
            ],
            'channel.stranded': { guard: 'it is still let go', actions: 'hang up the channel that was let go' },
            'msg.migrate_begin': 'following',
            'msg.migrate_begin_seamless': 'following',
            'msg.migrate_switch_host': [{ guard: 'both speak early-link', target: 'following' }, sentOn],
          },
          states: {
            settled: {},
            /** A target may have been lost, or have refused, before the client went over: the loss is noticed only there. */
            settling: {
              on: {
                'channel.down': {
                  guard: 'it is main',
                  target: '#session/client.switching host.linking main',
                  actions: [
                    { type: 'report the hand-over', params: { phase: 'fell-back' } },
                    { type: 'leave the source for', params: ({ context }) => context.destination },
                  ],
                },
              },
              after: { 'settling time': 'settled' },
            },
          },
        },
        following: {
          entry: 'count the attempt',
          exit: 'forget who was let go',
          invoke: {
            src: 'migration',
            id: 'migration',
            input: ({ context, event }) => handover(context, event as Announcement),
            onDone: [
              {
                guard: { type: 'it switched', params: ({ event }) => event.output },
                target: 'staying.settling',
                actions: [
                  'link at the target what is not linked',
                  { type: 'live at the target', params: ({ event }) => event.output as Moved },
                  { type: 'hang up those left behind', params: ({ event }) => event.output as Moved },
                  'hear what was kept',
                ],
              },
              {
                guard: { type: 'it is to begin afresh at a known place', params: ({ event }) => event.output },
                target: '#session/client.switching host.linking main',
                actions: [
                  {
                    type: 'report the hand-over',
                    params: ({ event }) => ({ phase: 'fell-back', to: (event.output as Afresh).destination }),
                  },
                  { type: 'leave the source for', params: ({ event }) => (event.output as Afresh).destination },
                ],
              },
              {
                guard: { type: 'it is to begin afresh', params: ({ event }) => event.output },
                target: '#session/client.switching host',
                actions: [
                  {
                    type: 'report the hand-over',
                    params: ({ event }) => ({ phase: 'fell-back', to: (event.output as Afresh).destination }),
                  },
                  { type: 'leave the source for', params: ({ event }) => (event.output as Afresh).destination },
                ],
              },
              {
                guard: { type: 'it lost the source', params: ({ event }) => event.output },
                target: '#session/client.switching host.linking main',
                actions: [
                  {
                    type: 'report the hand-over',
                    params: ({ event }) => ({ phase: 'fell-back', to: (event.output as Lost).source }),
                  },
                  { type: 'leave the source for', params: ({ event }) => (event.output as Lost).source },
                  { type: 'look there first', params: ({ event }) => event.output as Lost },
                ],
              },
              { target: 'staying' },
            ],
          },
          on: {
            /**
             * The source has another target in mind; the links to the first one go with the child. A target that has
             * a move of its own in mind is heard when this one is over (spec §5.3).
             */
            'msg.migrate_begin': [
              { guard: 'target says it', actions: 'keep it for later' },
              { target: 'following', reenter: true },
            ],
            'msg.migrate_begin_seamless': [
              { guard: 'target says it', actions: 'keep it for later' },
              { target: 'following', reenter: true },
            ],
            'msg.migrate_cancel': ofTheMove,
            'msg.migrate_end': ofTheMove,
            'msg.migrate_switch_host': ofTheMove,
            'channel.left': ofTheMove,
            'msg.init': { actions: ['remember the session', 'pass it on to the hand-over'] },
            'migration.tell': { actions: 'pass it on to the channel' },
            'channel.switched': { actions: ['remember that it has moved', 'pass it on to the hand-over'] },
            'channel.down': [
              { guard: 'it is main', actions: 'pass it on to the hand-over' },
              {
                guard: 'it may be tried again',
                actions: [
                  'remember that it is down',
                  'report the channel',
                  'try again soon',
                  'pass it on to the hand-over',
                ],
              },
              { actions: ['remember that it is down', 'report the channel', 'pass it on to the hand-over'] },
            ],
          },
        },
      },
    },
    /** The old way (spec §3a): nothing is kept but the picture, until the target sends its own. */
    'switching host': {
      initial: 'resolving',
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
              target: '#session/client.closed',
              actions: [
                { type: 'remember the reason', params: { reason: 'no destination' } },
                { type: 'report the hand-over', params: { phase: 'failed' } },
              ],
            },
          },
          after: {
            'resolve deadline': {
              target: '#session/client.closed',
              actions: [
                { type: 'remember the reason', params: { reason: 'no destination in time' } },
                { type: 'report the hand-over', params: { phase: 'failed' } },
              ],
            },
          },
        },
        'linking main': {
          entry: 'link main',
          on: {
            'link.up': { target: 'awaiting init', actions: 'begin the channel' },
            'link.failed': [
              asNewcomer,
              ...elsewhere,
              {
                ...notFound,
                actions: [{ type: 'remember the reason', params: ({ event }) => event }, 'leave everything'],
              },
              { guard: 'it may be tried again', target: 'waiting', actions: 'count the try' },
              {
                target: '#session/client.closed',
                actions: [
                  { type: 'remember the reason', params: ({ event }) => event },
                  { type: 'report the hand-over', params: { phase: 'failed' } },
                ],
              },
            ],
          },
        },
        waiting: { after: { 'relink delay': 'linking main' } },
        'awaiting init': {
          on: {
            'channel.up': { actions: ['remember that it is up', 'report the channel'] },
            'msg.init': {
              target: '#session/client.up',
              actions: [
                'remember the session',
                'report the session',
                { type: 'report the hand-over', params: { phase: 'switched' } },
                'forget the source',
                'hear what was kept',
              ],
            },
            ...tooEarly,
            'channel.down': [
              ...elsewhere,
              {
                ...notFound,
                actions: [{ type: 'remember the reason', params: ({ event }) => event }, 'leave everything'],
              },
              {
                target: '#session/client.closed',
                actions: { type: 'remember the reason', params: ({ event }) => event },
              },
            ],
          },
          after: {
            'init deadline': [
              ...elsewhere,
              {
                ...notFound,
                actions: [{ type: 'remember the reason', params: { reason: 'no init in time' } }, 'leave everything'],
              },
              {
                target: '#session/client.closed',
                actions: [
                  { type: 'remember the reason', params: { reason: 'no init in time' } },
                  { type: 'report the hand-over', params: { phase: 'failed' } },
                ],
              },
            ],
          },
        },
      },
    },
    reconnecting,
    closed: { type: 'final', entry: 'report the end' },
  },
});
