/**
 * The region that every channel shares: is a link in use, may data pass, is the channel on its way to another server?
 * Its tags are the gate of the fast path: `flowing` lets in what the peer says, `speaking` lets out what the application
 * says, `deaf` drops what the peer still says. The region comes first in each chart, so that its commands come first.
 */

/** What no state expects is a violation: only this channel goes down. Stands at the root of every chart. */
const violation = {
  target: '.flow.down',
  actions: ['remember why', 'report the violation', 'hang up', 'tell that it is down'],
} as const;

/**
 * What ends a channel. It stands at the root too, because all regions begin anew then: nothing that was asked for on a
 * link that is gone may be answered on the next one.
 */
const endings = {
  'plane.closed': {
    guard: 'it concerns the link in use',
    target: '.flow.down',
    actions: ['remember why', 'tell that it is gone'],
  },
  'api.close': { target: '.flow.down', actions: ['remember why', 'hang up', 'tell that it is down'] },
  'plane.violation': violation,
} as const;

export const clientRoot = { 'msg.*': violation, ...endings } as const;
export const serverRoot = { 'msgc.*': violation, ...endings } as const;

/** The root takes it from there. What does not come in time is nobody's offence: the guest, or the way, may be slow. */
const unfit = { type: 'take offence', params: { reason: 'the migrate data do not fit' } } as const;
const late = { type: 'give up', params: { reason: 'no migrate data in time' } } as const;

const leftWith = <D extends boolean>(data: D) =>
  ({ type: 'tell that the source has left it', params: { data } }) as const;

/** A client's channel: down → flowing → (flushing →) handing over → flowing. */
export const clientFlow = {
  initial: 'down',
  on: { 'migration.settled': { actions: 'close the source' } },
  states: {
    down: {
      on: {
        'link.attach': {
          target: 'flowing',
          actions: ['remember the link', 'attach the link', 'tell that it is up'],
        },
        'plane.closed': {},
        'plane.violation': {},
        'api.close': {},
        /** What was under way when it went down is no second violation. */
        'msg.*': {},
      },
    },
    flowing: {
      tags: ['flowing', 'speaking'],
      on: {
        'msg.migrate': [
          {
            guard: 'migrate asks only for a flush',
            target: 'handing over',
            actions: ['send flush mark', leftWith(false)],
          },
          { guard: 'migrate asks for a flush', target: 'flushing', actions: 'send flush mark' },
          { guard: 'migrate brings data', target: 'flushing' },
          { target: 'handing over', actions: leftWith(false) },
        ],
        'msg.disconnecting': { actions: 'remember the goodbye' },
        'migration.leave': { target: 'handing over', actions: ['keep the primary', 'stop using the source'] },
        'migration.switch': {
          actions: [
            'remember the target',
            'keep the primary',
            'switch to the target',
            'close the source',
            'tell that it has switched',
          ],
        },
      },
    },
    flushing: {
      on: {
        'msg.migrate_data': {
          target: 'handing over',
          actions: ['carry the migrate data', leftWith(true)],
        },
      },
      after: { 'flush deadline': { actions: late } },
    },
    /** A source may still say something after it has let go (spec §5.8); it does not count. */
    'handing over': {
      tags: 'deaf',
      on: {
        'plane.closed': {},
        'migration.switch': [
          {
            guard: 'scheme is seamless',
            target: 'flowing',
            actions: [
              'remember the target',
              'switch to the target',
              'send what was carried',
              'tell that it has switched',
            ],
          },
          {
            guard: 'scheme is early-link',
            target: 'flowing',
            actions: ['remember the target', 'keep the primary', 'switch to the target', 'tell that it has switched'],
          },
          {
            target: 'flowing',
            actions: ['remember the target', 'switch to the target', 'tell that it has switched'],
          },
        ],
      },
    },
  },
} as const;

/** Where a server's channel begins, and comes back to with each link that ends. */
const serverDown = {
  'plane.closed': {},
  'plane.violation': {},
  'api.close': {},
  'msgc.*': {},
} as const;

const begun = { target: 'flowing', actions: ['remember the link', 'attach the link', 'tell that it is up'] } as const;

/** Let go, by a scheme in which nothing of this channel travels. */
const letGo = [
  {
    guard: 'scheme is early-link',
    target: 'handing over',
    actions: { type: 'send migrate', params: { flags: 0 } },
  },
  { target: 'handing over' },
] as const;

/** Let go seamlessly: the client marks the end of what it says, and is given the state for the target (spec §3d 6-8). */
const leavingWithState = {
  flushing: {
    on: { 'msgc.migrate_flush_mark': 'collecting' },
    tags: 'flowing',
    after: { 'flush deadline': 'handing over' },
  },
  collecting: {
    invoke: {
      src: 'collect migrate data',
      input: ({ context }: { context: { channel: string } }) => ({ channel: context.channel }),
      onDone: {
        target: 'handing over',
        actions: {
          type: 'send migrate data',
          params: ({ event }: { event: { output: Uint8Array } }) => ({ data: event.output }),
        },
      },
      onError: 'handing over',
    },
  },
} as const;

/** The guest has moved: the client leaves on its own, what it still says does not count. */
const handedOver = { 'handing over': { tags: 'deaf', on: { 'msgc.*': {} } } } as const;

const withFlush = {
  guard: 'scheme is seamless',
  target: 'flushing',
  actions: { type: 'send migrate', params: { flags: 3 } },
} as const;

/**
 * A server's channel whose state travels. At a source: flowing → (flushing → collecting →) handing over. At a target it may
 * begin by waiting.
 */
export const serverFlow = {
  initial: 'down',
  states: {
    down: {
      on: {
        'link.attach': [{ guard: 'begins with migrate data', ...begun, target: 'awaiting migrate data' }, begun],
        ...serverDown,
      },
    },
    'awaiting migrate data': {
      on: { 'msgc.migrate_data': 'loading migrate data' },
      after: {
        'migrate data deadline': { actions: late },
      },
    },
    'loading migrate data': {
      tags: 'flowing',
      invoke: {
        src: 'load migrate data',
        input: ({ context, event }: { context: { channel: string }; event: any }) => ({
          channel: context.channel,
          data: event.body.data as Uint8Array,
        }),
        onDone: {
          target: 'flowing',
          actions: ['tell that it is loaded', { type: 'open to the application', params: { afresh: false } }],
        },
        onError: { actions: unfit },
      },
    },
    flowing: {
      tags: ['flowing', 'speaking'],
      on: {
        'msgc.disconnecting': { actions: 'remember the goodbye' },
        'migration.move': [withFlush, ...letGo],
        'migration.greet': { guard: 'scheme is seamless', target: 'awaiting migrate data' },
      },
    },
    ...leavingWithState,
    ...handedOver,
  },
} as const;

/** One that only makes sure that all the client has said was heard; a target has nothing to wait for. */
export const serverFlowWithMark = {
  initial: 'down',
  states: {
    down: { on: { 'link.attach': begun, ...serverDown } },
    flowing: {
      tags: ['flowing', 'speaking'],
      on: { 'msgc.disconnecting': { actions: 'remember the goodbye' }, 'migration.move': [withFlush, ...letGo] },
    },
    ...leavingWithState,
    ...handedOver,
  },
} as const;

/** One that has nothing to take along: flowing → handing over. */
export const serverFlowWithout = {
  initial: 'down',
  states: {
    down: { on: { 'link.attach': begun, ...serverDown } },
    flowing: {
      tags: ['flowing', 'speaking'],
      on: {
        'msgc.disconnecting': { actions: 'remember the goodbye' },
        'migration.move': [
          {
            guard: 'scheme is seamless',
            target: 'handing over',
            actions: { type: 'send migrate', params: { flags: 0 } },
          },
          ...letGo,
        ],
      },
    },
    ...handedOver,
  },
} as const;
