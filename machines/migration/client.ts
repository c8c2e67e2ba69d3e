/**
 * A hand-over at a client, from the source's announcement to the last channel's switch. It links every channel at the target
 * while the source still runs, answers, waits for the end, and leads the channels over. It never touches a pipe.
 *
 *   resolving → linking (channels, and asking for seamless) → linked → switching → switched
 *                  ↘ refused           cancelled ↙  ↘ target lost
 */
import { destinationOf, type MigrationClientOutcome, mainAddress, migrationClientSetup } from './client-setup.ts';

export * from './client-setup.ts';

/** A channel that was let go shows that the guest has moved: it is only this target that does not count any more. */
const unlessGone = [{ guard: 'some channel has left' }, { target: '#migration/client.cancelled' }] as const;

export const migrationClient = migrationClientSetup.createMachine({
  id: 'migration/client',
  context: ({ input }) => ({ ...input, links: {}, switched: [], resolved: false, answered: false, reason: '' }),
  initial: 'preparing',
  output: ({ event }) => (event as unknown as { output: MigrationClientOutcome }).output,
  states: {
    preparing: {
      entry: { type: 'report', params: { phase: 'begun' } },
      initial: 'resolving',
      after: {
        'link deadline': {
          target: 'refused',
          actions: { type: 'remember the reason', params: { reason: 'the target does not answer in time' } },
        },
      },
      on: {
        'link.failed': {
          target: 'refused',
          actions: {
            type: 'remember the reason',
            params: ({ event }) => ({ reason: `${event.channel}: ${event.reason}` }),
          },
        },
        'link.lost': {
          target: 'refused',
          actions: { type: 'remember the reason', params: { reason: 'the target hung up' } },
        },
        'handshake.lost': {
          target: 'refused',
          actions: { type: 'remember the reason', params: { reason: 'the target hung up' } },
        },
        'msg.migrate_cancel': unlessGone,
        'msg.migrate_switch_host': { target: 'overtaken' },
        'channel.left': { actions: 'remember who left' },
        'channel.down': [{ guard: 'it is main', target: 'source lost' }, { actions: 'forget a channel' }],
      },
      states: {
        resolving: {
          invoke: {
            src: 'resolve destination',
            input: ({ context }) => ({ destination: context.destination }),
            onDone: {
              target: 'linking main',
              actions: { type: 'remember where it goes', params: ({ event }) => ({ destination: event.output }) },
            },
            onError: {
              target: '#migration/client.refused',
              actions: { type: 'remember the reason', params: { reason: 'no destination' } },
            },
          },
        },
        'linking main': {
          entry: 'link main',
          on: { 'link.up': { target: 'main is linked', actions: 'remember the link' } },
        },
        'main is linked': {
          always: [
            { guard: 'target may be asked for seamless', target: 'linking seamlessly' },
            { guard: 'scheme is seamless', target: 'linking', actions: 'settle for semi-seamless' },
            { target: 'linking' },
          ],
        },
        linking: {
          entry: 'link the other channels',
          always: { guard: 'every channel is linked', target: '#migration/client.linked' },
          on: { 'link.up': { actions: 'remember the link' } },
        },
        'linking seamlessly': {
          type: 'parallel',
          onDone: '#migration/client.linked',
          states: {
            channels: {
              initial: 'linking',
              states: {
                linking: {
                  entry: 'link the other channels',
                  always: { guard: 'every channel is linked', target: 'linked' },
                  on: { 'link.up': { actions: 'remember the link' } },
                },
                linked: { type: 'final' },
              },
            },
            handshake: {
              initial: 'asking',
              states: {
                asking: {
                  entry: 'ask for seamless',
                  on: {
                    'handshake.agreed': 'answered',
                    'handshake.declined': { target: 'answered', actions: 'settle for semi-seamless' },
                  },
                },
                answered: { type: 'final' },
              },
            },
          },
        },
      },
    },
    linked: {
      entry: ['answer that it is linked', { type: 'report', params: { phase: 'linked' } }],
      always: [{ guard: 'some channel has left', target: 'switching', actions: 'lead over those who left' }],
      on: {
        'msg.migrate_end': { guard: 'scheme is semi-seamless', target: 'switching main' },
        /** What was linked at the source only after the announcement has no link to go on with. */
        'channel.left': {
          guard: 'it is linked at the target',
          target: 'switching',
          actions: ['remember who left', 'lead it over'],
        },
        'channel.down': [{ guard: 'it is main', target: 'source lost' }, { actions: 'forget a channel' }],
        'msg.migrate_cancel': 'cancelled',
        'msg.migrate_switch_host': 'overtaken',
        'link.lost': {
          target: 'target lost',
          actions: [
            { type: 'remember the reason', params: { reason: 'the target hung up' } },
            { type: 'report', params: { phase: 'failed' } },
          ],
        },
      },
    },
    /**
     * The target is gone, the source is not: stay with it until it says how the move went. Main hears that there is another
     * target before it is let go; other channels may be let go before (early-link).
     */
    'target lost': {
      always: { guard: 'main has left', target: 'begun afresh' },
      on: {
        'msg.migrate_end': 'begun afresh',
        'channel.left': { actions: 'remember who left' },
        'msg.migrate_cancel': unlessGone,
        'msg.migrate_switch_host': 'overtaken',
        'channel.down': [{ guard: 'it is main', target: 'source lost' }, { actions: 'forget a channel' }],
      },
    },
    'switching main': {
      entry: ['lead the channels away from the source', 'lead main over'],
      on: {
        'msg.init': { target: 'switching', actions: 'lead the other channels over' },
        'channel.switched': { actions: 'remember who switched' },
        'channel.down': [{ guard: 'it is main', target: 'begun afresh' }, { actions: 'forget a channel' }],
      },
      after: { 'switch deadline': 'begun afresh' },
    },
    switching: {
      always: { guard: 'every channel has switched', target: 'switched' },
      on: {
        'channel.left': { guard: 'it is linked at the target', actions: ['remember who left', 'lead it over'] },
        'channel.switched': { actions: 'remember who switched' },
        /** Main cannot go over; another channel whose link is gone is linked again when all is over. */
        'link.lost': {
          guard: 'it is main',
          target: 'target lost',
          actions: [
            { type: 'remember the reason', params: { reason: 'the target hung up' } },
            { type: 'report', params: { phase: 'failed' } },
          ],
        },
        /** A channel may be let go to another target (early-link) before main has heard of that. */
        'msg.migrate_switch_host': 'overtaken',
        'channel.down': [
          { guard: 'main would be lost at the target', target: 'begun afresh' },
          { guard: 'it is main', target: 'source lost' },
          { actions: 'forget a channel' },
        ],
      },
      after: { 'switch deadline': [{ guard: 'main has switched', target: 'switched' }, { target: 'begun afresh' }] },
    },
    switched: {
      type: 'final',
      entry: ['let the source go', { type: 'report', params: { phase: 'switched' } }],
      output: ({ context }): MigrationClientOutcome => ({
        outcome: 'switched',
        scheme: context.scheme,
        destination: context.destination,
        mainCaps: context.links[mainAddress]?.agreed?.channelCaps ?? [],
        switched: context.switched,
      }),
    },
    cancelled: {
      type: 'final',
      entry: ['answer that it cannot link', { type: 'report', params: { phase: 'cancelled' } }],
      output: { outcome: 'stay' },
    },
    /** A source that gets no answer (early-link) lets the channels go all the same, and some may have gone already. */
    refused: {
      entry: ['answer that it cannot link', { type: 'report', params: { phase: 'failed' } }],
      always: [
        { guard: 'some channel has left', target: 'target lost' },
        { guard: 'scheme is early-link', target: 'target lost' },
        { target: 'stayed' },
      ],
    },
    stayed: { type: 'final', output: { outcome: 'stay' } },
    /** The guest has moved before the target was linked: the source sends the client there the old way. */
    overtaken: {
      type: 'final',
      output: ({ context, event }): MigrationClientOutcome => ({
        outcome: 'begin afresh',
        destination: event.type === 'msg.migrate_switch_host' ? destinationOf(event.body) : context.destination,
        resolved: false,
      }),
    },
    'source lost': {
      type: 'final',
      output: ({ context }): MigrationClientOutcome => ({
        outcome: 'look for the guest',
        source: context.from,
        target: context.destination,
        resolved: context.resolved,
      }),
    },
    'begun afresh': {
      type: 'final',
      output: ({ context }): MigrationClientOutcome => ({
        outcome: 'begin afresh',
        destination: context.destination,
        resolved: context.resolved,
      }),
    },
  },
});
