/** A playback channel at a client: sound is heard between start and stop; a hand-over that begins afresh stops it. */
import type { PlaybackChannel } from '../../src/protocol/audio.ts';
import { clientFlow, clientRoot } from '../channel/flow.ts';
import { channelContext, channelSetup } from '../channel/setup.ts';

export const playbackClient = channelSetup<typeof PlaybackChannel, 'client'>().createMachine({
  id: 'playback/client',
  type: 'parallel',
  context: channelContext,
  on: clientRoot,
  states: {
    flow: clientFlow,
    sound: {
      initial: 'silent',
      on: {
        'link.attach': '.silent',
        'migration.leave': '.silent',
        'migration.switch': [{ guard: 'scheme is seamless' }, { target: '.silent' }],
        'msg.mode': {},
        'msg.start': '.playing',
        'msg.stop': '.silent',
      },
      states: { silent: {}, playing: {} },
    },
  },
});
