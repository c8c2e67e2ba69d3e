/**
 * How a client finds its server again: the words for it, and its part of the session's picture. It tries in growing
 * intervals, within bounds; with its session's id where the server gives sessions back, and as a new client where not.
 */
import { assign, emit, enqueueActions } from 'xstate';
import { LinkErrorCode } from '../../src/protocol/link.ts';
import type { HandoverPhase, SessionCommand } from '../contract.ts';
import { tooEarly } from './client-greeting.ts';
import { handoverNews, isHome, mainAddress, type SessionClientEvent, sessionClientSetup } from './client-setup.ts';

/** What no second try can change. */
const final: readonly (number | undefined)[] = [
  LinkErrorCode.permissionDenied,
  LinkErrorCode.invalidMagic,
  LinkErrorCode.invalidData,
  LinkErrorCode.versionMismatch,
];

/** Whether it is a loss that may pass: nobody has said goodbye, refused us for good, or broken the rules. */
const isLoss = (event: SessionClientEvent): boolean =>
  event.type === 'link.failed'
    ? !final.includes(event.code)
    : event.type !== 'channel.down' || (event.channel === mainAddress && event.lost === true);

export const reconnectingSetup = sessionClientSetup.extend({
  actions: {
    /** Nothing stays but the picture, and who the client is. */
    'leave everything': enqueueActions(({ enqueue, self }) => {
      enqueue.assign({ up: [], letGo: [], moved: [], heard: [], tries: {} });
      for (const child of Object.keys(self.getSnapshot().children)) enqueue.stopChild(child);
    }),
    'look for its server as it is told now': assign(({ context, event }) =>
      event.type === 'api.resumed' ? { reconnect: event.reconnect } : context,
    ),
    'count a try of main': assign({ searches: ({ context }) => context.searches + 1 }),
    /** Twice as long each time, and between half of that and all of it: many clients that were lost at once come apart. */
    'work out how long to wait': assign(({ context }, params: { chance: number }) => {
      const { firstMs, mostMs } = context.reconnect!;
      const longest = Math.min(mostMs, firstMs * 2 ** (context.searches - 1));
      return { waitMs: Math.round((longest * (1 + params.chance)) / 2) };
    }),
    /** A client that was on its way to another host, and has lost its session there: nobody knows who has the guest. */
    'look at each place in turn': assign(({ context }) =>
      context.left === null || context.home === null
        ? {}
        : {
            destination: context.left.destination,
            left: { ...context.left, destination: context.destination },
          },
    ),
    'tell what has become of the hand-over': enqueueActions(
      ({ context, enqueue }, params: { phase: HandoverPhase }) => {
        if (context.left !== null) enqueue.emit(handoverNews(context, params));
      },
    ),
    'forget its session': assign({ home: null }),
    'report that its session is lost': emit(
      ({ event }): SessionCommand => ({
        type: 'report',
        news: { event: 'reconnect', phase: 'session lost', reason: (event as { reason: string }).reason },
      }),
    ),
    'report that it waits': emit(
      ({ context }): SessionCommand => ({
        type: 'report',
        news: {
          event: 'reconnect',
          phase: 'waiting',
          try: context.searches,
          tries: context.reconnect!.tries,
          inMs: context.waitMs,
          reason: context.reason,
        },
      }),
    ),
    'report that it is back': emit(
      ({ context, event }): SessionCommand => ({
        type: 'report',
        news: {
          event: 'reconnect',
          phase: 'back',
          try: context.searches,
          returned: isHome(context) && event.type === 'msg.init' && event.body.sessionId === context.connectionId,
        },
      }),
    ),
    'report that it is given up': emit(
      ({ context }): SessionCommand => ({
        type: 'report',
        news: { event: 'reconnect', phase: 'given up', try: context.searches, reason: context.reason },
      }),
    ),
  },
  guards: {
    'it may be found again': ({ context, event }) => (context.reconnect ?? null) !== null && isLoss(event),
    'it may be found later': ({ context, event }) => context.reconnect?.atStart === true && isLoss(event),
    'its session is over there': ({ context, event }) =>
      event.type === 'link.failed' && event.code === LinkErrorCode.badConnectionId && isHome(context),
    'it is to look no more': ({ event }) => event.type === 'api.resumed' && (event.reconnect ?? null) === null,
    'tries are left': ({ context }) => context.searches < (context.reconnect?.tries ?? 0),
  },
  delays: {
    'retry delay': ({ context }) => context.waitMs,
    'reconnect deadline': ({ context }) => context.reconnect!.forMs,
  },
});

const why = { type: 'remember the reason', params: ({ event }: { event: { reason: string } }) => event } as const;

const givenUp = [
  'report that it is given up',
  { type: 'tell what has become of the hand-over', params: { phase: 'failed' } },
] as const;

/** Main was lost where it should not have been: what it takes to look for it. */
export const toReconnecting = {
  guard: 'it may be found again',
  target: '#session/client.reconnecting',
  actions: ['report the channel', why, 'leave everything'],
} as const;

/** The server has not kept the session: main is linked again, as a new client. */
export const asNewcomer = {
  guard: 'its session is over there',
  target: 'linking main',
  reenter: true,
  actions: ['report that its session is lost', 'forget its session'],
} as const;

/** There was no session yet that could be lost: the program that goes on begins as the first one did. */
export const begunAgain = {
  'api.resumed': {
    target: '#session/client.linking main',
    reenter: true,
    actions: ['look for its server as it is told now', 'leave everything'],
  },
} as const;

export const reconnecting = {
  initial: 'deciding',
  /** The program that goes on with it may have another mind. */
  on: { 'api.resumed': { guard: 'it is to look no more', target: '#session/client.closed', actions: givenUp } },
  after: {
    'reconnect deadline': { target: '#session/client.closed', actions: givenUp },
  },
  states: {
    deciding: {
      always: [
        { guard: 'tries are left', target: 'drawing', actions: 'count a try of main' },
        { target: '#session/client.closed', actions: givenUp },
      ],
    },
    drawing: {
      invoke: {
        src: 'draw a number',
        onDone: {
          target: 'waiting',
          actions: {
            type: 'work out how long to wait',
            params: ({ event }: { event: { output: { chance: number } } }) => event.output,
          },
        },
      },
    },
    waiting: {
      entry: 'report that it waits',
      after: { 'retry delay': { target: 'linking main', actions: 'look at each place in turn' } },
    },
    'linking main': {
      entry: 'link main',
      on: {
        'link.up': { target: 'awaiting init', actions: 'begin the channel' },
        'link.failed': [
          asNewcomer,
          { guard: 'it may be found again', target: 'deciding', actions: why },
          { target: '#session/client.closed', actions: why },
        ],
      },
    },
    'awaiting init': {
      on: {
        'channel.up': { actions: ['remember that it is up', 'report the channel'] },
        'msg.init': {
          target: '#session/client.up',
          actions: [
            'report that it is back',
            'remember the session',
            'report the session',
            { type: 'tell what has become of the hand-over', params: { phase: 'switched' } },
            'forget the source',
            'hear what was kept',
          ],
        },
        ...tooEarly,
        'channel.down': [
          {
            guard: 'it may be found again',
            target: 'deciding',
            actions: ['report the channel', why, 'leave everything'],
          },
          { target: '#session/client.closed', actions: why },
        ],
      },
      after: {
        'init deadline': {
          target: 'deciding',
          actions: [{ type: 'remember the reason', params: { reason: 'no init in time' } }, 'leave everything'],
        },
      },
    },
  },
} as const;
