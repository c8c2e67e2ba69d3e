/** A record channel at a client: the microphone is open between the server's start and stop. */
import type { RecordChannel } from '../../src/protocol/audio.ts';
import { clientFlow, clientRoot } from '../channel/flow.ts';
import { channelContext, channelSetup } from '../channel/setup.ts';

export const recordClient = channelSetup<typeof RecordChannel, 'client'>().createMachine({
  id: 'record/client',
  type: 'parallel',
  context: channelContext,
  on: clientRoot,
  states: {
    flow: clientFlow,
    microphone: {
      initial: 'closed',
      on: {
        'link.attach': '.closed',
        'migration.leave': '.closed',
        'migration.switch': [{ guard: 'scheme is seamless' }, { target: '.closed' }],
        'msg.start': { target: '.open', actions: { type: 'open to the application', params: { afresh: true } } },
        'msg.stop': '.closed',
      },
      states: { closed: {}, open: {} },
    },
  },
});
