/** Charts that look like those of a hand-over, with every kind of state and transition that a chart may have. */
import { setup } from 'xstate';

/** The client's part of a hand-over; plain config, every behaviour a name, as our own charts are written. */
export const handOverChart = setup({
  types: { events: {} as { type: string }, context: {} as { attempt: number } },
  actions: {
    'remember the target': () => {},
    'close the links to the target': () => {},
    'swap the pipe': () => {},
    send: (_, _params: { message: string }) => {},
    report: (_, _params: { phase: string }) => {},
  },
  guards: { 'target can be seamless': () => true, 'every channel is linked': () => true, 'may retry': () => false },
  delays: { 'link deadline': 9_000, 'switch deadline': 5_000 },
}).createMachine({
  id: 'migration client',
  context: { attempt: 0 },
  type: 'parallel',
  on: { 'msg.*': { actions: { type: 'report', params: { phase: 'violation' } } } },
  states: {
    attempt: {
      initial: 'idle',
      description: 'One hand-over at a time; a newer one replaces it.',
      states: {
        idle: {
          tags: ['flowing'],
          on: {
            'msg.migrate_begin': { target: 'linking.semi-seamless', actions: 'remember the target' },
            'msg.migrate_begin_seamless': { target: 'linking.seamless', actions: 'remember the target' },
            'msg.migrate_switch_host': { target: 'leaving', actions: 'remember the target' },
          },
        },
        linking: {
          initial: 'semi-seamless',
          after: { 'link deadline': { target: 'failed', actions: { type: 'report', params: { phase: 'failed' } } } },
          on: {
            'msg.migrate_cancel': {
              target: 'idle',
              actions: ['close the links to the target', { type: 'report', params: { phase: 'cancelled' } }],
            },
            'migration.link_failed': [
              { target: '.again', guard: 'may retry' },
              { target: 'failed', actions: { type: 'send', params: { message: 'msgc.migrate_connect_error' } } },
            ],
            'migration.linked': {
              target: 'linked',
              guard: 'every channel is linked',
              actions: { type: 'send', params: { message: 'msgc.migrate_connected' } },
            },
          },
          states: {
            'semi-seamless': {},
            seamless: {
              initial: 'linking main',
              states: {
                'linking main': {
                  on: { 'migration.main_linked': { target: 'asking', guard: 'target can be seamless' } },
                },
                asking: {
                  entry: { type: 'send', params: { message: 'msgc.migrate_dst_do_seamless' } },
                  on: {
                    'msg.migrate_dst_seamless_ack': 'agreed',
                    'msg.migrate_dst_seamless_nack': '#migration client.attempt.linking.semi-seamless',
                  },
                },
                agreed: { type: 'final' },
              },
              onDone: 'waiting for the others',
            },
            'waiting for the others': {},
            again: { always: 'semi-seamless' },
            hist: { type: 'history', history: 'deep' },
          },
        },
        linked: {
          tags: ['flowing'],
          on: {
            'msg.migrate_end': {
              target: 'switching',
              actions: ['swap the pipe', { type: 'send', params: { message: 'msgc.migrate_end' } }],
            },
            'msg.migrate_cancel': { target: 'idle', actions: 'close the links to the target' },
            'msg.migrate': 'switching',
            'migration.tick': { actions: 'swap the pipe' },
          },
        },
        switching: {
          after: { 'switch deadline': 'failed' },
          on: { 'migration.switched': { target: 'idle', actions: { type: 'report', params: { phase: 'switched' } } } },
          exit: 'close the links to the target',
        },
        leaving: { on: { 'migration.closed': 'idle' } },
        failed: {
          on: { 'msg.migrate_switch_host': 'leaving', 'migration.resume': 'linking.hist' },
          always: { target: 'idle', guard: 'may retry' },
        },
      },
    },
    watch: {
      initial: 'quiet',
      states: {
        quiet: { on: { 'migration.*': 'busy' } },
        busy: { after: { 1000: 'quiet' }, on: { 'migration.tick': { target: 'busy', reenter: true } } },
      },
    },
  },
});
