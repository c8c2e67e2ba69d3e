/** An inputs channel at a client: open to keyboard and mouse once the server has said which locks are on. */
import type { InputsChannel } from '../../src/protocol/inputs.ts';
import { clientFlow, clientRoot } from '../channel/flow.ts';
import { channelContext, channelSetup } from '../channel/setup.ts';

export const inputsClient = channelSetup<typeof InputsChannel, 'client'>().createMachine({
  id: 'inputs/client',
  type: 'parallel',
  context: channelContext,
  on: clientRoot,
  states: {
    flow: clientFlow,
    locks: {
      initial: 'unknown',
      on: {
        'link.attach': '.unknown',
        'migration.switch': [{ guard: 'scheme is seamless', target: '.awaited again' }, { target: '.unknown' }],
      },
      states: {
        unknown: {
          on: {
            'msg.init': { target: 'known', actions: { type: 'open to the application', params: { afresh: true } } },
          },
        },
        /** A seamless target has said init while the client was not reading it (spec §3d 3). */
        'awaited again': { on: { 'msg.init': 'known' } },
        known: {},
      },
    },
  },
});
