/** A playback channel at a server: the application starts and stops the sound; what is heard takes the fast path. */
import { emit } from 'xstate';
import type { PlaybackChannel } from '../../src/protocol/audio.ts';
import type { Sent } from '../../src/protocol/channel.ts';
import { serverFlowWithout, serverRoot } from '../channel/flow.ts';
import { channelContext, channelSetup } from '../channel/setup.ts';
import type { ChannelCommand } from '../contract.ts';

/** What the application says: messages that change what may follow. */
export type PlaybackApi = {
  type: 'api.say';
  message: Extract<Sent<typeof PlaybackChannel, 'server'>, { type: 'msg.mode' | 'msg.start' | 'msg.stop' }>;
};

export const playbackServer = channelSetup<typeof PlaybackChannel, 'server', PlaybackApi>()
  .extend({
    actions: {
      'say it': emit(
        ({ event }): ChannelCommand<Sent<typeof PlaybackChannel, 'server'>> => ({
          type: 'send',
          message: (event as PlaybackApi).message,
        }),
      ),
    },
    guards: {
      'sound begins': ({ event }) => event.type === 'api.say' && event.message.type === 'msg.start',
      'sound ends': ({ event }) => event.type === 'api.say' && event.message.type === 'msg.stop',
      'mode is told': ({ event }) => event.type === 'api.say' && event.message.type === 'msg.mode',
    },
  })
  .createMachine({
    id: 'playback/server',
    type: 'parallel',
    context: channelContext,
    on: serverRoot,
    states: {
      flow: serverFlowWithout,
      sound: {
        initial: 'not linked',
        on: {
          'link.attach': { target: '.silent', actions: { type: 'open to the application', params: { afresh: true } } },
          'migration.move': '.not linked',
        },
        states: {
          'not linked': {},
          silent: {
            on: {
              'api.say': [
                { guard: 'sound begins', target: 'playing', actions: 'say it' },
                { guard: 'mode is told', actions: 'say it' },
              ],
            },
          },
          playing: {
            on: { 'api.say': { guard: 'sound ends', target: 'silent', actions: 'say it' } },
          },
        },
      },
    },
  });
