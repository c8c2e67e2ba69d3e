/**
 * The root of a server: takes links in, gives each to the session that it names, and leads all sessions through a move of
 * the guest. A session's end is its own; nothing that a session or a link does ends the server.
 */
import { LinkErrorCode } from '../src/protocol/link.ts';
import type { ActorDone } from './contract.ts';
import { supervisorSetup } from './supervisor-setup.ts';

export * from './supervisor-setup.ts';

const lookingForIt = { guard: 'it looks for the guest', actions: 'send it after the guest' } as const;

/** Clients that come late are sent after the guest; so are those who followed it here when it had gone on already. */
const stragglers = {
  'link.up': lookingForIt,
  'session.arrived': { actions: 'wait for the guest a little' },
  'session.astray': { guard: 'it is still there', actions: 'send it after the guest' },
} as const;

export const supervisor = supervisorSetup.createMachine({
  id: 'supervisor',
  type: 'parallel',
  context: ({ input }) => ({
    ...input,
    guest: null,
    sessions: [],
    counted: 0,
    waiting: {},
    destination: null,
    unanswered: [],
    undeparted: [],
    clients: 0,
    linkedClients: 0,
    overdue: 0,
    completed: false,
  }),
  /** Whatever a child dies of, the server goes on. */
  on: { '*': {} },
  states: {
    links: {
      on: {
        'link.accepted': { actions: 'take the link in' },
        'link.asks': [
          { guard: 'it returns to a session', actions: 'ask the session that it names' },
          {
            guard: 'it is to return',
            actions: {
              type: 'deny the link',
              params: { code: LinkErrorCode.badConnectionId, reason: 'the session that it returns to is over' },
            },
          },
          { guard: 'it is main and there is room', actions: 'admit a main link' },
          {
            guard: 'it is main',
            actions: {
              type: 'deny the link',
              params: { code: LinkErrorCode.error, reason: 'the server has as many sessions as it may have' },
            },
          },
          { guard: 'it names a session', actions: 'ask the session that it names' },
          {
            actions: {
              type: 'deny the link',
              params: { code: LinkErrorCode.badConnectionId, reason: 'no session has this connection id' },
            },
          },
        ],
        'session.decides': { actions: 'pass the decision on' },
        'link.up': [
          { guard: 'it begins a session', actions: 'begin a session' },
          { actions: 'give the link to its session' },
        ],
        'link.spoke': { actions: 'pass it on to its session' },
        'link.lost': { actions: 'pass it on to its session' },
        'link.failed': { actions: 'pass it on to its session' },
        'xstate.done.actor.*': { actions: 'forget the child' },
        'xstate.error.actor.*': { actions: 'forget the child' },
      },
    },
    sessions: {
      on: {
        'session.over': { actions: { type: 'forget the session', params: ({ event }) => event } },
        'xstate.error.actor.*': {
          actions: {
            type: 'forget the session',
            params: ({ event }: { event: unknown }) => ({
              session: (event as ActorDone).actorId,
              reason: 'a fault of this program',
            }),
          },
        },
        'session.arrived': { actions: 'report the arrival' },
        'session.waits': { guard: 'it is known', actions: 'report the session' },
        'session.returned': { guard: 'it is known', actions: 'report the session' },
        'api.disconnect': { actions: 'end every session' },
        'api.guest_told': { actions: 'remember the guest' },
        'api.guest_lost': { actions: 'tell every session that the guest is lost' },
      },
    },
    /** Where the guest is, and the clients with it (spec §4). */
    move: {
      initial: 'guest is here',
      on: {
        'session.answered': { actions: 'count the answer' },
        'session.departed': { actions: 'count the departure' },
      },
      states: {
        'guest is here': {
          on: {
            'api.migrate_connect': 'linking clients',
          },
        },
        'linking clients': {
          entry: 'offer the move to every session',
          always: { guard: 'every session has answered', target: 'clients are linked' },
          on: {
            'api.migrate_connect': { target: 'linking clients', reenter: true },
            'api.migrate_end': [
              { guard: 'guest has moved', target: 'letting clients go' },
              { target: 'taking it back' },
            ],
          },
          after: { 'answer deadline': 'clients are linked' },
        },
        'clients are linked': {
          entry: 'report that the guest may move',
          on: {
            'api.migrate_connect': 'linking clients',
            'api.migrate_end': [
              { guard: 'guest has moved', target: 'letting clients go' },
              { target: 'taking it back' },
            ],
          },
        },
        'letting clients go': {
          entry: 'tell every session how it ended',
          always: { guard: 'every session has departed', target: 'guest is away' },
          on: {
            ...stragglers,
            'link.up': [lookingForIt, { guard: 'it begins a session', actions: 'wait for it too' }],
            /** It is back before the last client has left: those who are still leaving have a deadline of their own. */
            'api.guest_arrived': {
              target: 'guest is here',
              actions: [
                'report that every client has left',
                'forget the destination',
                'tell every session that the guest is back',
              ],
            },
          },
          after: { 'departure deadline': 'guest is away' },
        },
        'taking it back': {
          entry: ['tell every session how it ended', 'forget the destination'],
          always: 'guest is here',
        },
        'guest is away': {
          entry: 'report that every client has left',
          on: {
            ...stragglers,
            'api.guest_arrived': {
              target: 'guest is here',
              actions: ['forget the destination', 'tell every session that the guest is back'],
            },
          },
        },
      },
    },
  },
});
