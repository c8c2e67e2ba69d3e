/**
 * A hand-over at a client, from the source's announcement to the last channel's switch. It links every channel at the target
 * while the source still runs, answers, waits for the end, and leads the channels over. It never touches a pipe.
 *
 *   resolving → linking (channels, and asking for seamless) → linked → switching → switched
 *                  ↘ refused           cancelled ↙  ↘ relinking → linked | target lost
 */
import { destinationOf, type MigrationClientOutcome, mainAddress, migrationClientSetup } from './client-setup.ts';

export * from './client-setup.ts';

/** A channel that was let go shows that the guest has moved: it is only this target that does not count any more. */
const unlessGone = [{ guard: 'some channel has left' }, { target: '#migration/client.cancelled' }] as const;

const stranded = (reason: string) =>
  [
    { type: 'remember the reason', params: { reason } },
    { type: 'report', params: { phase: 'failed' } },
  ] as const;

/** The source counts on what was answered when the target was linked first. */
const unequal = {
  target: '#migration/client.target lost',
  actions: stranded('the target that was linked again cannot do what the first one could'),
} as const;

/**
 * From a target that is known to one that is linked: main first, which makes room for the others there. What follows when it
 * cannot take the client over seamlessly is given.
 */
const linkingSteps = <Early, Lacking, Declined>(early: Early, lacking: Lacking, declined: Declined) =>
  ({
    'linking main': {
      entry: 'link main',
      on: { 'link.up': { target: 'main is linked', actions: 'remember the link' } },
    },
    'main is linked': {
      always: [
        { guard: 'target may be asked for seamless', target: 'linking seamlessly' },
        early,
        lacking,
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
                'handshake.declined': declined,
              },
            },
            answered: { type: 'final' },
          },
        },
      },
    },
  }) as const;

/** The next try, or none. */
const again = [
  { guard: 'it may be linked again', target: '.waiting' },
  { target: 'target lost', actions: stranded('the target cannot be linked again') },
] as const;

export const migrationClient = migrationClientSetup.createMachine({
  id: 'migration/client',
  context: ({ input }) => ({
    ...input,
    links: {},
    switched: [],
    withData: [],
    resolved: false,
    answered: false,
    relinks: 0,
    ended: false,
    reason: '',
  }),
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
        ...linkingSteps(
          /** It would never notice that the client has come. */
          {
            guard: 'target knows no early link',
            target: '#migration/client.refused',
            actions: { type: 'remember the reason', params: { reason: 'the target knows no early link' } },
          } as const,
          { guard: 'scheme is seamless', target: 'linking', actions: 'settle for semi-seamless' } as const,
          { target: 'answered', actions: 'settle for semi-seamless' } as const,
        ),
      },
    },
    linked: {
      entry: ['answer that it is linked', { type: 'report', params: { phase: 'linked' } }],
      always: [
        { guard: 'some channel has left', target: 'switching', actions: 'lead over those who left' },
        { guard: 'the source has said the end', target: 'switching main' },
      ],
      on: {
        'msg.migrate_end': { guard: 'scheme is semi-seamless', target: 'switching main' },
        /** What was linked at the source only after the announcement has no link to go on with. */
        'channel.left': { actions: 'remember who left' },
        'channel.down': [{ guard: 'it is main', target: 'source lost' }, { actions: 'forget a channel' }],
        'msg.migrate_cancel': 'cancelled',
        'msg.migrate_switch_host': 'overtaken',
        'link.lost': [
          {
            guard: 'it may be linked again',
            target: 'relinking',
            actions: [
              { type: 'remember the reason', params: { reason: 'the target hung up' } },
              { type: 'report', params: { phase: 'relinking' } },
            ],
          },
          { target: 'target lost', actions: stranded('the target hung up') },
        ],
      },
    },
    /**
     * The target may have been started again: it is linked anew, all of it, as it knows nothing of what was. The move may
     * end meanwhile; then there is only a little time left for that.
     */
    relinking: {
      initial: 'waiting',
      on: {
        'link.failed': again,
        'link.lost': again,
        'handshake.lost': again,
        'msg.migrate_end': {
          guard: 'scheme is semi-seamless',
          actions: ['remember the end', 'wait no longer than that'],
        },
        'channel.left': { actions: ['remember who left', 'wait no longer than that'] },
        'relink.late': 'begun afresh',
        'msg.migrate_cancel': unlessGone,
        'msg.migrate_switch_host': 'overtaken',
        'channel.down': [
          { guard: 'main is lost after the end', target: 'begun afresh' },
          { guard: 'it is main', target: 'source lost' },
          { actions: 'forget a channel' },
        ],
      },
      states: {
        waiting: {
          entry: ['let the target go', 'count the try'],
          after: { 'relink delay': 'trying' },
        },
        trying: {
          initial: 'linking main',
          after: {
            'link deadline': [
              { guard: 'it may be linked again', target: 'waiting' },
              {
                target: '#migration/client.target lost',
                actions: stranded('the target does not answer in time'),
              },
            ],
          },
          states: linkingSteps(
            { ...unequal, guard: 'target knows no early link' } as const,
            { ...unequal, guard: 'scheme is seamless' } as const,
            unequal,
          ),
        },
      },
    },
    /**
     * The target is gone, the source is not: stay with it until it says how the move went. Main hears that there is another
     * target before it is let go; other channels may be let go before (early-link).
     */
    'target lost': {
      always: [
        { guard: 'main has left', target: 'begun afresh' },
        { guard: 'the source has said the end', target: 'begun afresh' },
      ],
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
        'channel.left': { guard: 'it is let go by the scheme', actions: ['remember who left', 'lead it over'] },
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
      /** As long as main has not heard that it may go, it is not known where to: the source knows, if it can be asked. */
      after: {
        'switch deadline': [
          { guard: 'main has switched', target: 'switched' },
          { guard: 'main has left', target: 'begun afresh' },
          { target: 'source lost' },
        ],
      },
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
