/** What a client's session does about words that come before the server's greeting, wherever it waits for that. */
import type { MainReceived } from '../../src/protocol/main.ts';
import { destinationOf } from '../migration/client.ts';

type SwitchHost = Extract<MainReceived<'client'>, { type: 'msg.migrate_switch_host' }>;

/** The guest is not here, or not for long: the client is sent after it the old way. */
export const sentOn = {
  target: '#session/client.switching host',
  reenter: true,
  actions: [
    {
      type: 'report the hand-over',
      params: ({ event }: { event: SwitchHost }) => ({ phase: 'begun' as const, to: destinationOf(event.body) }),
    },
    { type: 'leave the source for', params: ({ event }: { event: SwitchHost }) => destinationOf(event.body) },
  ],
} as const;

/** Said before the greeting: each announcement is answered once, so none may be overheard. */
export const tooEarly = {
  'msg.migrate_begin': { actions: 'keep it for later' },
  'msg.migrate_begin_seamless': { actions: 'keep it for later' },
  'msg.migrate_cancel': { actions: 'keep it for later' },
  'channel.left': { actions: 'keep it for later' },
  'msg.migrate_switch_host': [{ guard: 'both speak early-link', actions: 'keep it for later' }, sentOn],
} as const;
