/**
 * A server's session with one client: its main channel, the channels that the client links, and the hand-overs into and out
 * of this server. Losing another channel ends only that channel. Losing main ends the session, unless the client may return:
 * then the session waits, and goes on over the main link with which the client comes back.
 */
import { hasCap, MainCap } from '../../src/protocol/capabilities.ts';
import type { Scheme } from '../contract.ts';
import { sessionServerSetup } from './server-setup.ts';

export * from './server-setup.ts';

export const sessionServer = sessionServerSetup.createMachine({
  id: 'session/server',
  context: ({ input }) => ({
    ...input,
    linked: [],
    asked: false,
    reserved: {},
    mainCaps: input.main.agreed.channelCaps,
    offer: null,
    answersOwed: 0,
    lost: false,
    back: null,
    reason: '',
  }),
  output: ({ context }) => ({ reason: context.reason }),
  entry: 'begin main',
  initial: 'deciding',
  on: {
    'channel.up': { actions: 'report the channel' },
    'channel.down': [
      {
        guard: 'it is main',
        target: '.over',
        actions: ['report the channel', { type: 'remember the reason', params: ({ event }) => event }],
      },
      { actions: ['forget the channel', 'report the channel'] },
    ],
    'session.asks': [
      { guard: 'it is main', actions: 'deny the return' },
      { guard: 'channel is free', actions: 'admit the link' },
      { actions: 'deny the link' },
    ],
    'link.lost': { actions: 'forget the link' },
    'msgc.attach_channels': { actions: 'tell the channels' },
    'migration.tell': { actions: 'pass it on to the channel' },
    'api.close': {
      target: '.over',
      actions: [{ type: 'remember the reason', params: ({ event }) => event }, 'say goodbye'],
    },
    'xstate.error.actor.*': {
      target: '.over',
      actions: { type: 'remember the reason', params: { reason: 'a fault of this program' } },
    },
  },
  states: {
    deciding: {
      always: [{ guard: 'client is arriving', target: 'arriving' }, { target: 'serving' }],
    },
    /** The target's side of a hand-over. */
    arriving: {
      initial: 'in company',
      invoke: {
        src: 'target',
        id: 'target',
        input: ({ context }) => ({
          seamless: context.schemes.includes('seamless'),
          earlyLink: context.schemes.includes('early-link') && hasCap(context.mainCaps, MainCap.earlyLink),
        }),
        onDone: [
          {
            guard: { type: 'it arrived', params: ({ event }) => event.output },
            target: 'serving',
            actions: [
              {
                type: 'tell the supervisor that it has arrived',
                params: ({ event }) => ({ scheme: (event.output as { scheme: Scheme }).scheme }),
              },
              'tell the channels that were asked for',
            ],
          },
          {
            target: 'over',
            actions: {
              type: 'remember the reason',
              params: ({ event }) => ({ reason: (event.output as { reason: string }).reason }),
            },
          },
        ],
      },
      on: {
        'session.linked': { target: '.in company', actions: 'park the link' },
        'target.begin': { actions: 'begin the parked channel' },
        'link.lost': [
          {
            guard: 'only main would be left',
            target: '.alone',
            actions: ['forget the link', 'pass it on to the target'],
          },
          { actions: ['forget the link', 'pass it on to the target'] },
        ],
        'link.spoke': { actions: 'pass it on to the target' },
        'guest.lost': {
          target: 'over',
          actions: { type: 'remember the reason', params: { reason: 'the guest did not come' } },
        },
        /** The next move is told when this one is over (spec §5.3). */
        'migration.offer': { actions: 'remember the move' },
        'migration.end': [
          { guard: 'guest has moved', actions: 'remember that the guest has gone' },
          {
            actions: [
              'forget the move',
              { type: 'tell the supervisor that it has departed', params: { outcome: 'stayed' } },
            ],
          },
        ],
        'msgc.attach_channels': { actions: ['remember that it asks for the channels', 'pass it on to the target'] },
        'msgc.migrate_end': { actions: 'pass it on to the target' },
        'msgc.migrate_dst_do_seamless': { actions: 'pass it on to the target' },
        'channel.loaded': { actions: 'pass it on to the target' },
        'channel.down': [
          {
            guard: 'it is main',
            target: 'over',
            actions: ['report the channel', { type: 'remember the reason', params: ({ event }) => event }],
          },
          {
            guard: 'only main would be left',
            target: '.alone',
            actions: ['forget the channel', 'report the channel', 'pass it on to the target'],
          },
          { actions: ['forget the channel', 'report the channel', 'pass it on to the target'] },
        ],
      },
      states: {
        'in company': {},
        /**
         * spice-gtk forgets its main link to a target when it stays at the source. Another client may have lost its last
         * channel on the way, and be about to arrive on main.
         */
        alone: {
          after: {
            'company deadline': {
              target: '#session/server.over',
              actions: { type: 'remember the reason', params: { reason: 'the client went back to the source' } },
            },
          },
        },
      },
    },
    serving: {
      on: {
        'session.asks': { guard: 'it returns to main', actions: 'admit the link' },
        /** The connection that the client has lost may still look alive here. */
        'session.linked': [
          { guard: 'it is main', actions: ['remember that it is back', 'hang up every channel'] },
          { actions: 'begin the channel' },
        ],
        'channel.down': {
          guard: 'main is lost and may return',
          target: 'awaiting return',
          actions: [
            'forget the channel',
            'report the channel',
            { type: 'remember the reason', params: ({ event }) => event },
          ],
        },
        'target.begin': { actions: 'begin the parked channel' },
      },
      initial: 'staying',
      states: {
        staying: {
          always: { guard: 'a move waits to be told', target: 'moving' },
          on: {
            'migration.offer': { actions: 'remember the move' },
            'migration.end': [
              { guard: 'guest has moved', actions: 'remember that the guest has gone' },
              { actions: { type: 'tell the supervisor that it has departed', params: { outcome: 'stayed' } } },
            ],
            'msgc.migrate_connected': { actions: ['count an answer', 'say that the move is cancelled'] },
            'msgc.migrate_connected_seamless': { actions: ['count an answer', 'say that the move is cancelled'] },
            'msgc.migrate_connect_error': { actions: 'count an answer' },
          },
        },
        /** The source's side of a hand-over. */
        moving: {
          entry: 'owe an answer',
          invoke: {
            src: 'source',
            id: 'source',
            input: ({ context }) => ({
              ...context.offer!,
              answersOwed: context.answersOwed,
              earlyLink: context.schemes.includes('early-link') && hasCap(context.mainCaps, MainCap.earlyLink),
            }),
            onDone: [
              {
                guard: { type: 'it stayed', params: ({ event }) => event.output },
                target: 'staying',
                actions: [
                  'forget the move',
                  { type: 'tell the supervisor that it has departed', params: ({ event }) => event.output },
                ],
              },
              /** It has not heard how the move went: told again when it is back, or sent after the guest. */
              {
                guard: { type: 'client may come back', params: ({ event }) => event.output },
                target: '#session/server.awaiting return',
                actions: [
                  'tell the supervisor that it is not linked',
                  { type: 'tell the supervisor that it has departed', params: ({ event }) => event.output },
                ],
              },
              {
                target: '#session/server.over',
                actions: [
                  {
                    type: 'tell the supervisor that it has departed',
                    params: ({ event }) => event.output,
                  },
                  { type: 'remember the reason', params: { reason: 'the guest has moved' } },
                ],
              },
            ],
          },
          on: {
            /** Another target: the first one is taken back before it is announced. */
            'migration.offer': {
              target: 'moving',
              reenter: true,
              actions: ['say that the move is cancelled', 'remember the move'],
            },
            'migration.end': [
              { guard: 'guest has moved', actions: ['remember that the guest has gone', 'pass it on to the source'] },
              { actions: 'pass it on to the source' },
            ],
            'msgc.migrate_connected': { actions: 'pass it on to the source' },
            'msgc.migrate_connected_seamless': { actions: 'pass it on to the source' },
            'msgc.migrate_connect_error': { actions: 'pass it on to the source' },
            'source.answer_counted': { actions: 'count an answer' },
            'source.answered': { actions: 'tell the supervisor that it is answered' },
            'channel.down': {
              guard: 'it is main',
              actions: [
                'forget the channel',
                'report the channel',
                'remember how it was lost',
                { type: 'remember the reason', params: ({ event }) => event },
                'tell the source that the client is gone',
              ],
            },
          },
        },
      },
    },
    /** Main is lost, and with it all else. Who has the connection id, and the password again, goes on with this session. */
    'awaiting return': {
      entry: ['hang up every channel', 'tell the supervisor that it waits'],
      always: {
        guard: 'client is back',
        target: 'serving',
        actions: ['begin main again', 'tell the supervisor that it is back'],
      },
      on: {
        'session.asks': [{ guard: 'it returns to main', actions: 'admit the link' }, { actions: 'deny the link' }],
        'session.linked': { guard: 'it is main', actions: 'remember that it is back' },
        /** Nobody can be told: it need not be waited for, and is told when it is back. */
        'migration.offer': { actions: ['remember the move', 'tell the supervisor that it is not linked'] },
        'migration.end': [
          {
            guard: 'guest has moved',
            actions: [
              'remember that the guest has gone',
              { type: 'tell the supervisor that it has departed', params: { outcome: 'lost' } },
            ],
          },
          {
            actions: [
              'forget the move',
              { type: 'tell the supervisor that it has departed', params: { outcome: 'stayed' } },
            ],
          },
        ],
        'guest.back': { actions: 'forget the move' },
      },
      after: {
        'return deadline': {
          target: 'over',
          actions: { type: 'remember the reason', params: { reason: 'the client did not return in time' } },
        },
      },
    },
    over: { type: 'final', entry: ['hang up every channel', 'tell the supervisor that it is over'] },
  },
});
