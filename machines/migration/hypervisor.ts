/**
 * What the hypervisor does about a move, and when SPICE hears of it: none → setup → active → completed | failed | cancelled,
 * as QEMU's notifier (spec §4). Drives a server through `migrateStart` and `migrateEnd` and nothing else.
 */
import { assign, emit, enqueueActions, fromPromise, setup } from 'xstate';

export type MigrationStatus = 'none' | 'setup' | 'active' | 'completed' | 'failed' | 'cancelling' | 'cancelled';

export type HypervisorEvent =
  | { type: 'api.migrate'; uri: string }
  | { type: 'api.migrate_cancel' }
  /** The guest is stopped for the last of its state. */
  | { type: 'move.stopped' }
  /** The target is about to be told to run it. */
  | { type: 'move.committed' }
  | { type: `xstate.error.actor.${string}`; error: unknown };

export type HypervisorCommand =
  | { type: 'migration status'; status: Exclude<MigrationStatus, 'none'> }
  | { type: 'migrate start' }
  | { type: 'migrate end'; completed: boolean }
  | { type: 'stop the guest' }
  | { type: 'run the guest' };

export interface HypervisorContext {
  readonly uri: string;
  readonly stopped: boolean;
  readonly reason: string;
}

export const hypervisor = setup({
  types: {} as { context: HypervisorContext; events: HypervisorEvent; emitted: HypervisorCommand },
  actors: {
    /** Opens the way to the target. */
    'reach the target': fromPromise<void, { uri: string }>(async () => {
      throw new Error('reach the target is provided by the program');
    }),
    /** Moves the guest while it runs, stops it (`move.stopped`), moves the rest. Resolves when the target runs it. */
    'move the guest': fromPromise<void, { uri: string }>(async () => {
      throw new Error('move the guest is provided by the program');
    }),
  },
  actions: {
    'remember where': assign(({ event }) => (event.type === 'api.migrate' ? { uri: event.uri, reason: '' } : {})),
    'remember why': assign((_, params: { reason: string }) => ({ reason: params.reason })),
    'remember that it stands': assign({ stopped: true }),
    'remember that it runs': assign({ stopped: false }),
    'tell the status': emit((_, params: { status: Exclude<MigrationStatus, 'none'> }) => ({
      type: 'migration status',
      status: params.status,
    })),
    'tell SPICE that it starts': emit({ type: 'migrate start' }),
    'tell SPICE that it has moved': emit({ type: 'migrate end', completed: true }),
    'tell SPICE that it stays': emit({ type: 'migrate end', completed: false }),
    'stop the guest': emit({ type: 'stop the guest' }),
    /** It was stopped for the last of its state, and stays after all. */
    'run the guest if it stands': enqueueActions(({ context, enqueue }) => {
      if (!context.stopped) return;
      enqueue.emit({ type: 'run the guest' });
      enqueue.assign({ stopped: false });
    }),
  },
}).createMachine({
  id: 'migration/hypervisor',
  context: { uri: '', stopped: false, reason: '' },
  initial: 'none',
  states: {
    none: { on: { 'api.migrate': 'setup' } },
    setup: {
      entry: ['remember where', { type: 'tell the status', params: { status: 'setup' } }, 'tell SPICE that it starts'],
      invoke: {
        src: 'reach the target',
        input: ({ context }) => ({ uri: context.uri }),
        onDone: 'active',
        onError: {
          target: 'failed',
          actions: { type: 'remember why', params: ({ event }) => ({ reason: (event.error as Error).message }) },
        },
      },
      on: { 'api.migrate_cancel': 'cancelling' },
    },
    active: {
      entry: { type: 'tell the status', params: { status: 'active' } },
      invoke: {
        src: 'move the guest',
        input: ({ context }) => ({ uri: context.uri }),
        onDone: 'completed',
        onError: {
          target: 'failed',
          actions: { type: 'remember why', params: ({ event }) => ({ reason: (event.error as Error).message }) },
        },
      },
      initial: 'moving',
      states: {
        moving: {
          on: {
            'move.stopped': { actions: ['stop the guest', 'remember that it stands'] },
            'move.committed': 'committed',
            'api.migrate_cancel': '#migration/hypervisor.cancelling',
          },
        },
        /** INVARIANT: it is the target's, whether the target is ever heard of again or not, or it would run at both. */
        committed: {
          on: {
            'xstate.error.actor.*': {
              target: '#migration/hypervisor.completed',
              actions: { type: 'remember why', params: ({ event }) => ({ reason: (event.error as Error).message }) },
            },
          },
        },
      },
    },
    completed: {
      entry: [
        { type: 'tell the status', params: { status: 'completed' } },
        'tell SPICE that it has moved',
        'remember that it runs',
      ],
      on: { 'api.migrate': 'setup' },
    },
    cancelling: {
      entry: { type: 'tell the status', params: { status: 'cancelling' } },
      always: 'cancelled',
    },
    cancelled: {
      entry: [
        { type: 'tell the status', params: { status: 'cancelled' } },
        'tell SPICE that it stays',
        'run the guest if it stands',
      ],
      on: { 'api.migrate': 'setup' },
    },
    failed: {
      entry: [
        { type: 'tell the status', params: { status: 'failed' } },
        'tell SPICE that it stays',
        'run the guest if it stands',
      ],
      on: { 'api.migrate': 'setup' },
    },
  },
});
