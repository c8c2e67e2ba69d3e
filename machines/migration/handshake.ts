/**
 * Asks a target, over the main link that waits there, whether it can take the client over seamlessly (spec §3d 2). Nothing
 * else may be said on that link meanwhile. Ends with the answer; the link is given back as it was.
 */
import { emit, sendParent, setup } from 'xstate';
import { migrationProtocolVersion } from '../../src/protocol/main.ts';
import type { Agreed, ChannelCommand, LinkName, Tag } from '../contract.ts';

export type HandshakeNews = { type: 'handshake.agreed' } | { type: 'handshake.declined' } | { type: 'handshake.lost' };

export const migrationHandshake = setup({
  types: {} as {
    input: { link: LinkName; agreed: Agreed; srcVersion: number };
    context: { channel: 'main:0'; link: LinkName; agreed: Agreed; srcVersion: number };
    events:
      | { type: 'msg.migrate_dst_seamless_ack'; body: object }
      | { type: 'msg.migrate_dst_seamless_nack'; body: object }
      | { type: `msg.${string}` }
      | { type: 'plane.closed'; link: LinkName; reason: string }
      | { type: 'plane.violation'; reason: string };
    emitted: ChannelCommand;
    tags: Tag;
  },
  actions: {
    'attach the link': emit(({ context }): ChannelCommand => ({ type: 'attach', link: context.link })),
    'ask for seamless': emit(
      ({ context }): ChannelCommand => ({
        type: 'send',
        message: {
          type: 'msgc.migrate_dst_do_seamless',
          body: { srcVersion: Math.min(context.srcVersion, migrationProtocolVersion) },
        },
      }),
    ),
    'give the link back': emit({ type: 'give back' }),
    'tell that it agreed': sendParent({ type: 'handshake.agreed' }),
    'tell that it declined': sendParent({ type: 'handshake.declined' }),
    'tell that it is lost': sendParent({ type: 'handshake.lost' }),
  },
}).createMachine({
  id: 'migration/handshake',
  context: ({ input }) => ({ channel: 'main:0', ...input }),
  initial: 'awaiting the answer',
  states: {
    'awaiting the answer': {
      tags: 'flowing',
      entry: ['attach the link', 'ask for seamless'],
      on: {
        'msg.migrate_dst_seamless_ack': {
          target: 'answered',
          actions: ['give the link back', 'tell that it agreed'],
        },
        'msg.migrate_dst_seamless_nack': {
          target: 'answered',
          actions: ['give the link back', 'tell that it declined'],
        },
        'msg.*': { target: 'lost', actions: 'tell that it is lost' },
        'plane.closed': { target: 'lost', actions: 'tell that it is lost' },
        'plane.violation': { target: 'lost', actions: 'tell that it is lost' },
      },
    },
    answered: { type: 'final' },
    lost: { type: 'final' },
  },
});
