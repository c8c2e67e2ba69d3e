/** A cursor channel at a client: shapes and moves count once the server has said init; afresh after a hand-over. */
import type { CursorChannel } from '../../src/protocol/cursor.ts';
import { clientFlow, clientRoot } from '../channel/flow.ts';
import { channelContext, channelSetup } from '../channel/setup.ts';

export const cursorClient = channelSetup<typeof CursorChannel, 'client'>().createMachine({
  id: 'cursor/client',
  type: 'parallel',
  context: channelContext,
  on: clientRoot,
  states: {
    flow: clientFlow,
    pointer: {
      initial: 'unknown',
      on: {
        'link.attach': '.unknown',
        'migration.switch': [{ guard: 'scheme is seamless' }, { target: '.unknown' }],
        'msg.reset': '.unknown',
        'msg.init': '.known',
      },
      states: { unknown: {}, known: {} },
    },
  },
});
