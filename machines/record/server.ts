/**
 * A record channel at a server: the application says when the guest listens. Its state does not travel, but the round trip for
 * it holds the client back until all that it has said here was heard (spec §3d 7-8). What a client brings to a target is no
 * news then, and no offence.
 */
import { emit } from 'xstate';
import type { RecordChannel } from '../../src/protocol/audio.ts';
import type { Sent } from '../../src/protocol/channel.ts';
import { serverFlowWithMark, serverRoot } from '../channel/flow.ts';
import { channelContext, channelSetup } from '../channel/setup.ts';
import type { ChannelCommand } from '../contract.ts';

export type RecordApi = {
  type: 'api.say';
  message: Extract<Sent<typeof RecordChannel, 'server'>, { type: 'msg.start' | 'msg.stop' }>;
};

export const recordServer = channelSetup<typeof RecordChannel, 'server', RecordApi>()
  .extend({
    actions: {
      'say it': emit(
        ({ event }): ChannelCommand<Sent<typeof RecordChannel, 'server'>> => ({
          type: 'send',
          message: (event as RecordApi).message,
        }),
      ),
    },
    guards: {
      'guest listens': ({ event }) => event.type === 'api.say' && event.message.type === 'msg.start',
      'guest listens no more': ({ event }) => event.type === 'api.say' && event.message.type === 'msg.stop',
    },
  })
  .createMachine({
    id: 'record/server',
    type: 'parallel',
    context: channelContext,
    on: serverRoot,
    states: {
      flow: serverFlowWithMark,
      microphone: {
        initial: 'not linked',
        on: {
          'link.attach': { target: '.closed', actions: { type: 'open to the application', params: { afresh: true } } },
          'migration.move': '.not linked',
        },
        states: {
          'not linked': {
            /** Said before the client heard that it is let go. */
            on: { 'msgc.mode': {}, 'msgc.start_mark': {} },
          },
          closed: {
            on: {
              'api.say': { guard: 'guest listens', target: 'open', actions: 'say it' },
              /** The client may still be talking when it has been told to stop. */
              'msgc.mode': {},
              'msgc.start_mark': {},
              'msgc.migrate_data': {},
            },
          },
          open: {
            on: {
              'api.say': { guard: 'guest listens no more', target: 'closed', actions: 'say it' },
              'msgc.mode': {},
              'msgc.start_mark': {},
              'msgc.migrate_data': {},
            },
          },
        },
      },
    },
  });
