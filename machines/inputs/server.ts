/** An inputs channel at a server: says which locks are on, then takes keyboard and mouse. */
import type { InputsChannel } from '../../src/protocol/inputs.ts';
import { serverFlow, serverRoot } from '../channel/flow.ts';
import { channelContext, channelSetup } from '../channel/setup.ts';

export const inputsServer = channelSetup<typeof InputsChannel, 'server'>().createMachine({
  id: 'inputs/server',
  type: 'parallel',
  context: channelContext,
  on: serverRoot,
  states: {
    flow: serverFlow,
    locks: {
      initial: 'not linked',
      on: { 'link.attach': '.asked' },
      states: {
        'not linked': {},
        asked: {
          invoke: {
            src: 'ask the guest',
            input: { what: 'keyboard modifiers' },
            onDone: {
              target: 'told',
              actions: {
                type: 'send',
                params: ({ event }) => ({ type: 'msg.init', body: { keyboardModifiers: event.output } }),
              },
            },
            onError: {
              target: 'not linked',
              actions: { type: 'give up', params: { reason: 'the guest does not answer' } },
            },
          },
        },
        told: { entry: { type: 'open to the application', params: { afresh: true } } },
      },
    },
  },
});
