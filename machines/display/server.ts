/**
 * A display channel at a server: silent until the client has introduced its caches, then open to whoever draws. A seamless
 * target knows the caches from the migrate data instead; an introduction there is a violation.
 */
import type { DisplayChannel } from '../../src/protocol/display.ts';
import { serverFlow, serverRoot } from '../channel/flow.ts';
import { channelContext, channelSetup } from '../channel/setup.ts';

export const displayServer = channelSetup<typeof DisplayChannel, 'server'>().createMachine({
  id: 'display/server',
  type: 'parallel',
  context: channelContext,
  on: serverRoot,
  states: {
    flow: serverFlow,
    introduction: {
      initial: 'not linked',
      on: {
        'link.attach': [{ guard: 'begins with migrate data', target: '.done' }, { target: '.awaited' }],
      },
      states: {
        'not linked': {},
        awaited: {
          on: {
            'msgc.init': { target: 'done', actions: { type: 'open to the application', params: { afresh: true } } },
          },
          after: {
            'init deadline': {
              target: 'not linked',
              actions: { type: 'give up', params: { reason: 'no init in time' } },
            },
          },
        },
        done: {},
      },
    },
  },
});
