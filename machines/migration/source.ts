/**
 * A hand-over at its source, for one client: announce the target, wait for the client's answer, and when the guest has moved
 * let the client go by the best scheme that was agreed on (spec §3). An end that comes before the answer is held back.
 *
 *   announcing → awaiting the answer → linked | not linked → letting go → departed
 */
import { assign, enqueueActions, sendParent, setup } from 'xstate';
import type { MainReceived } from '../../src/protocol/main.ts';
import { migrationProtocolVersion } from '../../src/protocol/main.ts';
import type { Address, ChannelEvent, Destination, MigrationTell, Scheme } from '../contract.ts';

export interface MigrationSourceInput {
  readonly destination: Destination;
  /** The best scheme that this client and we are capable of. */
  readonly scheme: Scheme;
  /** The guest has moved already: there is nothing left to announce. */
  readonly gone: boolean;
  /** This client takes switch_host for the announcement of an early link: it leaves when each channel is let go. */
  readonly earlyLink: boolean;
  /** Announcements, this one included, that the client has not answered yet; answers come in order, one each. */
  readonly answersOwed: number;
}

export type MigrationSourceEvent =
  | MainReceived<'server'>
  /** The guest has moved, or will not. */
  | { type: 'migration.end'; completed: boolean }
  /** The client has hung up. */
  | { type: 'session.empty' };

export type MigrationSourceNews =
  /** Told once: the client is linked at the target, or never will be. */
  { type: 'source.answered'; linked: boolean; scheme: Scheme } | { type: 'source.answer_counted' };

/** `lost`: the client has hung up before it was let go. */
export type MigrationSourceOutcome = { outcome: 'departed' | 'overdue' | 'stayed' | 'lost'; scheme: Scheme };

export interface MigrationSourceContext extends MigrationSourceInput {
  /** What was announced; `scheme` is what it came down to. */
  readonly announced: Scheme;
}

/** Each announcement is answered once, in order; only the answer to the last one counts. */
const answers = <Linked extends string, Refused extends string>(linked: Linked, refused: Refused) =>
  ({
    'msgc.migrate_connected': [
      { guard: 'an earlier answer is owed', actions: 'count the answer' },
      { target: linked, actions: ['count the answer', { type: 'settle for', params: { scheme: 'semi-seamless' } }] },
    ],
    'msgc.migrate_connected_seamless': [
      { guard: 'an earlier answer is owed', actions: 'count the answer' },
      { guard: 'was offered seamless', target: linked, actions: 'count the answer' },
    ],
    'msgc.migrate_connect_error': [
      { guard: 'an earlier answer is owed', actions: 'count the answer' },
      { target: refused, actions: 'count the answer' },
    ],
  }) as const;

export const migrationSource = setup({
  types: {} as {
    input: MigrationSourceInput;
    context: MigrationSourceContext;
    events: MigrationSourceEvent;
    output: MigrationSourceOutcome;
  },
  actions: {
    announce: sendParent(({ context }): MigrationTell => say(announcement(context))),
    'count the answer': enqueueActions(({ context, enqueue }) => {
      enqueue.assign({ answersOwed: Math.max(0, context.answersOwed - 1) });
      enqueue.sendTo(({ self }) => self._parent!, { type: 'source.answer_counted' } satisfies MigrationSourceNews);
    }),
    'settle for': assign((_, params: { scheme: Scheme }) => ({ scheme: params.scheme })),
    'tell that it is linked': sendParent(
      ({ context }): MigrationSourceNews => ({ type: 'source.answered', linked: true, scheme: context.scheme }),
    ),
    'tell that it is not linked': sendParent(
      (): MigrationSourceNews => ({ type: 'source.answered', linked: false, scheme: 'switch-host' }),
    ),
    'say that the move is cancelled': sendParent((): MigrationTell => say({ type: 'msg.migrate_cancel', body: {} })),
    'say that the guest has moved': sendParent((): MigrationTell => say({ type: 'msg.migrate_end', body: {} })),
    'send the client to the target': sendParent(
      ({ context }): MigrationTell => say({ type: 'msg.migrate_switch_host', body: dstInfo(context.destination) }),
    ),
    'let every channel go': sendParent(
      ({ context }): MigrationTell => tell('every', { type: 'migration.move', scheme: context.scheme }),
    ),
  },
  guards: {
    'an answer is owed': ({ context }) => context.answersOwed > 0,
    'an earlier answer is owed': ({ context }) => context.answersOwed > 1,
    'guest has moved': ({ event }) => event.type === 'migration.end' && event.completed,
    'guest has gone': ({ context }) => context.gone,
    'client takes it for an early link': ({ context }) => context.earlyLink,
    'nothing can be announced': ({ context }) => context.scheme === 'switch-host',
    'nothing will be answered': ({ context }) => context.scheme === 'early-link',
    'scheme is semi-seamless': ({ context }) => context.scheme === 'semi-seamless',
    'was offered seamless': ({ context }) => context.announced === 'seamless',
  },
  delays: {
    'answer deadline': 10_000,
    'departure deadline': 10_000,
  },
}).createMachine({
  id: 'migration/source',
  context: ({ input }) => ({
    ...input,
    announced: input.scheme,
  }),
  output: ({ context, event }) => ({
    outcome: (event as unknown as { output: MigrationSourceOutcome['outcome'] }).output,
    scheme: context.scheme,
  }),
  initial: 'announcing',
  on: { 'session.empty': '.lost' },
  states: {
    announcing: {
      always: [
        { guard: 'guest has gone', target: 'sending away' },
        { guard: 'nothing can be announced', target: 'not linked' },
        { guard: 'nothing will be answered', target: 'linked', actions: 'announce' },
        { target: 'awaiting the answer', actions: 'announce' },
      ],
    },
    'awaiting the answer': {
      on: {
        ...answers('linked', 'not linked'),
        'migration.end': [
          { guard: 'guest has moved', target: 'holding the end back' },
          { target: 'stayed', actions: 'say that the move is cancelled' },
        ],
      },
      after: { 'answer deadline': 'not linked' },
    },
    /** The client hears of the end when it can follow, or when it is clear that it cannot. */
    'holding the end back': {
      on: answers('letting go', 'sending away'),
      after: { 'answer deadline': 'sending away' },
    },
    linked: {
      entry: 'tell that it is linked',
      on: {
        /** An early link is not answered; what comes now answers an announcement before it. */
        'msgc.migrate_connected': { actions: 'count the answer' },
        'msgc.migrate_connected_seamless': { actions: 'count the answer' },
        'msgc.migrate_connect_error': { actions: 'count the answer' },
        'migration.end': [
          { guard: 'guest has moved', target: 'letting go' },
          { target: 'stayed', actions: 'say that the move is cancelled' },
        ],
      },
    },
    'not linked': {
      entry: 'tell that it is not linked',
      on: {
        /** A client that has not answered yet is still linking: it is to stop, and to answer that before it hears of another move. */
        'migration.end': [
          { guard: 'guest has moved', target: 'sending away' },
          { guard: 'an answer is owed', target: 'stayed', actions: 'say that the move is cancelled' },
          { target: 'stayed' },
        ],
        'msgc.migrate_connected': { actions: ['count the answer', 'say that the move is cancelled'] },
        'msgc.migrate_connected_seamless': { actions: ['count the answer', 'say that the move is cancelled'] },
        'msgc.migrate_connect_error': { actions: 'count the answer' },
      },
    },
    'letting go': {
      always: [
        {
          guard: 'scheme is semi-seamless',
          target: 'departing',
          actions: ['say that the guest has moved', 'let every channel go'],
        },
        { target: 'departing', actions: 'let every channel go' },
      ],
    },
    'sending away': {
      always: [
        {
          guard: 'client takes it for an early link',
          target: 'departing',
          actions: [
            'send the client to the target',
            { type: 'settle for', params: { scheme: 'early-link' } },
            'let every channel go',
          ],
        },
        {
          target: 'departing',
          actions: [
            'send the client to the target',
            { type: 'settle for', params: { scheme: 'switch-host' } },
            'let every channel go',
          ],
        },
      ],
    },
    departing: { on: { 'session.empty': 'departed' }, after: { 'departure deadline': 'overdue' } },
    departed: { type: 'final', output: 'departed' },
    overdue: { type: 'final', output: 'overdue' },
    stayed: { type: 'final', output: 'stayed' },
    lost: { type: 'final', output: 'lost' },
  },
});

const tell = (channel: Address | 'every', event: ChannelEvent): MigrationTell => ({
  type: 'migration.tell',
  channel,
  event,
});
const say = (message: { type: string; body: object }): MigrationTell =>
  tell('main:0', { type: 'session.say', message });

/** 0 stands for "no port". */
const dstInfo = (to: Destination) => ({
  port: to.port ?? 0,
  sport: to.tlsPort ?? 0,
  host: to.host,
  certSubject: to.certSubject ?? '',
});

const announcement = ({ scheme, destination }: MigrationSourceContext): { type: string; body: object } =>
  scheme === 'seamless'
    ? {
        type: 'msg.migrate_begin_seamless',
        body: { ...dstInfo(destination), srcMigVersion: migrationProtocolVersion },
      }
    : scheme === 'semi-seamless'
      ? { type: 'msg.migrate_begin', body: dstInfo(destination) }
      : { type: 'msg.migrate_switch_host', body: dstInfo(destination) };
