/** A cursor channel at a server: open to whoever moves the pointer as soon as it is linked. Its state does not travel. */
import type { CursorChannel } from '../../src/protocol/cursor.ts';
import { serverFlowWithout, serverRoot } from '../channel/flow.ts';
import { channelContext, channelSetup } from '../channel/setup.ts';

export const cursorServer = channelSetup<typeof CursorChannel, 'server'>()
  .extend({
    guards: {
      'begins where the source left off': ({ event }) => event.type === 'link.attach' && event.beginning === 'kept',
    },
  })
  .createMachine({
    id: 'cursor/server',
    type: 'parallel',
    context: channelContext,
    on: serverRoot,
    states: {
      flow: serverFlowWithout,
      pointer: {
        on: {
          'link.attach': [
            {
              guard: 'begins where the source left off',
              actions: { type: 'open to the application', params: { afresh: false } },
            },
            { actions: { type: 'open to the application', params: { afresh: true } } },
          ],
        },
      },
    },
  });
