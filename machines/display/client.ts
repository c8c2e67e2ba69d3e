/**
 * A display channel at a client: it introduces its caches, then follows which surface is the primary one. What is drawn
 * takes the fast path; a hand-over that begins afresh introduces itself again.
 */
import { emit } from 'xstate';
import type { Sent } from '../../src/protocol/channel.ts';
import type { DisplayChannel } from '../../src/protocol/display.ts';
import { clientFlow, clientRoot } from '../channel/flow.ts';
import { channelContext, channelSetup } from '../channel/setup.ts';
import type { ChannelCommand } from '../contract.ts';

/**
 * What a client offers to keep, in pixels of 4 bytes: images for the server to name again (80 MiB), and the GLZ window
 * (24 MiB).
 */
export const offeredCaches = {
  pixmapCacheId: 1,
  pixmapCacheSize: 20_971_520n,
  glzDictionaryId: 1,
  glzDictionaryWindowSize: 6_291_456,
} as const;

export const displayClient = channelSetup<typeof DisplayChannel, 'client'>()
  .extend({
    actions: {
      'introduce the caches': emit(
        (): ChannelCommand<Sent<typeof DisplayChannel, 'client'>> => ({
          type: 'send',
          message: { type: 'msgc.init', body: offeredCaches },
        }),
      ),
    },
    guards: {
      'surface is primary': ({ event }) => event.type === 'msg.surface_create' && (event.body.flags & 1) !== 0,
      'surface was the primary': ({ event }) => event.type === 'msg.surface_destroy' && event.body.surfaceId === 0,
    },
  })
  .createMachine({
    id: 'display/client',
    type: 'parallel',
    context: channelContext,
    on: clientRoot,
    states: {
      flow: clientFlow,
      picture: {
        initial: 'none',
        on: {
          'link.attach': { target: '.none', actions: 'introduce the caches' },
          'migration.switch': [{ guard: 'scheme is seamless' }, { target: '.none', actions: 'introduce the caches' }],
          'msg.surface_create': [{ guard: 'surface is primary', target: '.unmarked' }, {}],
          'msg.surface_destroy': [{ guard: 'surface was the primary', target: '.none' }, {}],
          'msg.mode': '.unmarked',
          'msg.mark': {},
          'msg.reset': '.none',
        },
        states: {
          none: {},
          unmarked: { on: { 'msg.mark': 'shown' } },
          shown: {},
        },
      },
    },
  });
