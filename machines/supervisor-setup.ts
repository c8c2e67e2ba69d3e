/** The words of a server's root: what it hears, knows, does and asks. The picture that they make is in supervisor.ts. */
import { type AnyActorRef, assign, emit, enqueueActions, setup } from 'xstate';
import { hasCap, MainCap } from '../src/protocol/capabilities.ts';
import { LinkErrorCode } from '../src/protocol/link.ts';
import type { ActorDone, Address, Agreed, Destination, LinkAsks, LinkFate, LinkName, Scheme } from './contract.ts';
import { linkServer } from './link/server.ts';
import { type SessionReport, sessionServer } from './session/server.ts';

export interface SupervisorInput {
  readonly offered: readonly Address[];
  readonly schemes: readonly Scheme[];
  readonly mostSessions: number;
  /** How long a session waits for a client that is lost, and that may return, in milliseconds. 0, and undefined: not at all. */
  readonly returnMs?: number;
}

/** What a server's guest is like, as far as it must be the same when the server has to start again. */
export interface GuestFacts {
  readonly supportedMouseModes: number;
  readonly currentMouseMode: number;
  /** What the clock of sound and video says when the server's own stands at 0, in milliseconds. */
  readonly multiMediaTimeAtZero: number;
}

export type SupervisorEvent =
  | LinkAsks
  | LinkFate
  | SessionReport
  /** The engine has taken a connection in; `nonce` is a random number that is not 0. */
  | { type: 'link.accepted'; link: LinkName; nonce: number }
  | { type: 'link.spoke'; link: LinkName }
  /** client_migrate_info: the guest is about to move there. `scheme` is the best that may be used. */
  | { type: 'api.migrate_connect'; destination: Destination; scheme: Scheme }
  | { type: 'api.migrate_start' }
  | { type: 'api.migrate_end'; completed: boolean }
  /** The guest runs here, after a move or at the start. */
  | { type: 'api.guest_arrived' }
  /** Where clients reach this server, "127.0.0.1:5900": for whoever reads the journal. */
  | { type: 'api.listening'; addresses: readonly string[] }
  /** The guest is different from what it was. */
  | { type: 'api.guest_told'; guest: GuestFacts }
  /** The guest that clients are linked ahead of will not come. */
  | { type: 'api.guest_lost' }
  | { type: 'api.disconnect'; reason: string }
  /** A client has arrived, and the guest is still not here. */
  | { type: 'session.astray'; session: string }
  | ActorDone;

export type SupervisorCommand = { type: 'report'; news: SupervisorNews };

export type SupervisorNews =
  /** Every client has answered, or will not: the guest may move now. */
  | { event: 'migrate_connect_complete'; linked: number; clients: number }
  /** Every client has left, or had to. */
  | { event: 'migrate_end_complete'; completed: boolean; overdue: number }
  /** `waiting`: its client is lost, and may return. */
  | {
      event: 'session';
      session: string;
      state: 'up' | 'waiting' | 'back' | 'over';
      connectionId: number;
      reason?: string;
    }
  | { event: 'arrived'; session: string; scheme: Scheme };

interface Known {
  readonly session: string;
  readonly connectionId: number;
}

export interface SupervisorContext extends SupervisorInput {
  /** Null until it is different from what a new one is like. */
  readonly guest: GuestFacts | null;
  readonly sessions: readonly Known[];
  readonly counted: number;
  /** Links that name a session, until a channel uses them. */
  readonly waiting: Readonly<Record<LinkName, { readonly session: string | null; readonly asked: LinkAsks }>>;
  readonly destination: Destination | null;
  /** Sessions that take part in the move and have not answered. */
  readonly unanswered: readonly string[];
  /** Sessions that take part in the move and have not left. */
  readonly undeparted: readonly string[];
  readonly clients: number;
  readonly linkedClients: number;
  readonly overdue: number;
  readonly completed: boolean;
}

/** INVARIANT: nothing is sent to a child that is gone. XState ends the sender of such an event, and here that is the server. */
const isThere = (self: AnyActorRef, child: string): boolean => self.getSnapshot().children[child] !== undefined;

const without = <T>(list: readonly T[], one: T): readonly T[] => list.filter((other) => other !== one);

export const supervisorSetup = setup({
  types: {} as {
    input: SupervisorInput;
    context: SupervisorContext;
    events: SupervisorEvent;
    emitted: SupervisorCommand;
  },
  actors: { link: linkServer, session: sessionServer },
  actions: {
    'take the link in': enqueueActions(({ event, enqueue }) => {
      if (event.type !== 'link.accepted') return;
      enqueue.spawnChild('link', { id: event.link, input: { link: event.link, nonce: event.nonce } });
    }),
    'admit a main link': enqueueActions(({ context, event, enqueue, self }) => {
      if (event.type !== 'link.asks' || !isThere(self, event.link)) return;
      enqueue.assign({ waiting: { ...context.waiting, [event.link]: { session: null, asked: event } } });
      enqueue.sendTo(event.link, { type: 'link.admit' });
    }),
    'ask the session that it names': enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'link.asks') return;
      const { session } = sessionNamed(context, event.connectionId)!;
      enqueue.assign({ waiting: { ...context.waiting, [event.link]: { session, asked: event } } });
      enqueue.sendTo(session, { type: 'session.asks', channel: event.channel, link: event.link });
    }),
    'deny the link': enqueueActions(({ event, enqueue, self }, params: { code: number; reason: string }) => {
      if ('link' in event && isThere(self, event.link)) enqueue.sendTo(event.link, { type: 'link.deny', ...params });
    }),
    'pass the decision on': enqueueActions(({ event, enqueue, self }) => {
      if (event.type !== 'session.decides' || !isThere(self, event.link)) return;
      enqueue.sendTo(
        event.link,
        event.code === LinkErrorCode.ok
          ? { type: 'link.admit' }
          : { type: 'link.deny', code: event.code, reason: event.reason },
      );
    }),
    'begin a session': enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'link.up' || context.waiting[event.link] === undefined) return;
      const { asked } = context.waiting[event.link]!;
      const session = `session:${context.counted + 1}`;
      const connectionId = asked.connectionId || asked.nonce;
      enqueue.assign({
        counted: context.counted + 1,
        sessions: [...context.sessions, { session, connectionId }],
        waiting: omit(context.waiting, event.link),
      });
      enqueue.spawnChild('session', {
        id: session,
        input: {
          session,
          connectionId,
          offered: context.offered,
          schemes: context.schemes,
          arriving: asked.connectionId !== 0,
          ...(context.returnMs === undefined ? {} : { returnMs: context.returnMs }),
          main: { link: event.link, agreed: event.agreed as Agreed },
        },
      });
      enqueue.emit({ type: 'report', news: { event: 'session', session, state: 'up', connectionId } });
    }),
    'give the link to its session': enqueueActions(({ context, event, enqueue, self }) => {
      if (event.type !== 'link.up') return;
      const session = context.waiting[event.link]?.session ?? null;
      if (session !== null && context.sessions.some((known) => known.session === session)) {
        enqueue.sendTo(session, {
          type: 'session.linked',
          channel: event.channel,
          link: event.link,
          agreed: event.agreed,
        });
      } else if (isThere(self, event.link)) {
        enqueue.sendTo(event.link, { type: 'link.drop', reason: 'its session is over' });
      }
    }),
    'pass it on to its session': enqueueActions(({ context, event, enqueue }) => {
      if (!('link' in event)) return;
      const session = context.waiting[event.link]?.session ?? null;
      if (session === null || !context.sessions.some((known) => known.session === session)) return;
      if (event.type === 'link.lost') {
        enqueue.sendTo(session, { type: 'link.lost', link: event.link, channel: event.channel });
      }
      if (event.type === 'link.failed') {
        enqueue.sendTo(session, { type: 'link.lost', link: event.link, channel: event.channel });
      }
      if (event.type === 'link.spoke') enqueue.sendTo(session, { type: 'link.spoke', link: event.link });
    }),
    'forget the child': enqueueActions(({ context, event, enqueue }) => {
      const { actorId } = event as ActorDone;
      enqueue.stopChild(actorId);
      enqueue.assign({ waiting: omit(context.waiting, actorId) });
    }),
    'forget the session': enqueueActions(({ context, enqueue, self }, over: { session: string; reason: string }) => {
      const known = context.sessions.find(({ session }) => session === over.session);
      if (known === undefined) return;
      const orphans = Object.entries(context.waiting).filter(([, { session }]) => session === over.session);
      for (const [link] of orphans) {
        if (isThere(self, link)) enqueue.sendTo(link, { type: 'link.drop', reason: 'its session is over' });
      }
      enqueue.assign({
        sessions: context.sessions.filter(({ session }) => session !== over.session),
        unanswered: without(context.unanswered, over.session),
        undeparted: without(context.undeparted, over.session),
      });
      enqueue.emit({
        type: 'report',
        news: {
          event: 'session',
          session: over.session,
          state: 'over',
          connectionId: known.connectionId,
          reason: over.reason,
        },
      });
    }),
    'offer the move to every session': enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'api.migrate_connect') return;
      const all = context.sessions.map(({ session }) => session);
      enqueue.assign({
        destination: event.destination,
        unanswered: all,
        undeparted: all,
        clients: all.length,
        linkedClients: 0,
        overdue: 0,
      });
      for (const session of all) {
        enqueue.sendTo(session, {
          type: 'migration.offer',
          destination: event.destination,
          scheme: event.scheme,
        });
      }
    }),
    'count the answer': assign(({ context, event }) =>
      event.type === 'session.answered'
        ? {
            unanswered: without(context.unanswered, event.session),
            linkedClients: context.linkedClients + (event.linked ? 1 : 0),
          }
        : {},
    ),
    'tell every session how it ended': enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'api.migrate_end') return;
      const all = context.sessions.map(({ session }) => session);
      enqueue.assign({ undeparted: all, completed: event.completed });
      for (const session of all) {
        enqueue.sendTo(session, {
          type: 'migration.end',
          completed: event.completed,
          destination: context.destination!,
        });
      }
    }),
    'count the departure': assign(({ context, event }) =>
      event.type === 'session.departed'
        ? {
            undeparted: without(context.undeparted, event.session),
            overdue: context.overdue + (event.outcome === 'overdue' ? 1 : 0),
          }
        : {},
    ),
    /** The session that has begun last, or the one that is named. It counts among those that must leave. */
    'send it after the guest': enqueueActions(({ context, event, enqueue }) => {
      const session = event.type === 'session.astray' ? event.session : context.sessions.at(-1)!.session;
      enqueue.assign({ undeparted: [...without(context.undeparted, session), session] });
      enqueue.sendTo(session, { type: 'migration.end', completed: true, destination: context.destination! });
    }),
    /** The session that has begun last: a client that is on its way here can be sent on only while somebody is here to do that. */
    'wait for it too': assign(({ context }) => ({
      undeparted: [...context.undeparted, context.sessions.at(-1)!.session],
    })),
    'wait for the guest a little': enqueueActions(({ context, event, enqueue }) => {
      const { session } = event as Extract<SessionReport, { type: 'session.arrived' }>;
      enqueue.assign({ undeparted: [...without(context.undeparted, session), session] });
      enqueue.raise({ type: 'session.astray', session }, { delay: 'guest deadline' });
    }),
    'tell every session that the guest is lost': enqueueActions(({ context, enqueue }) => {
      for (const { session } of context.sessions) enqueue.sendTo(session, { type: 'guest.lost' });
    }),
    'tell every session that the guest is back': enqueueActions(({ context, enqueue }) => {
      for (const { session } of context.sessions) enqueue.sendTo(session, { type: 'guest.back' });
    }),
    'end every session': enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'api.disconnect') return;
      for (const { session } of context.sessions) {
        enqueue.sendTo(session, { type: 'api.close', reason: event.reason });
      }
    }),
    'report the session': emit(({ context, event }): SupervisorCommand => {
      const { type, session, ...why } = event as Extract<SessionReport, { type: 'session.waits' | 'session.returned' }>;
      const { connectionId } = context.sessions.find((known) => known.session === session)!;
      const state = type === 'session.waits' ? 'waiting' : 'back';
      return { type: 'report', news: { event: 'session', session, state, connectionId, ...why } };
    }),
    'report that the guest may move': emit(
      ({ context }): SupervisorCommand => ({
        type: 'report',
        news: { event: 'migrate_connect_complete', linked: context.linkedClients, clients: context.clients },
      }),
    ),
    'report that every client has left': emit(
      ({ context: { completed, overdue, undeparted } }): SupervisorCommand => ({
        type: 'report',
        news: { event: 'migrate_end_complete', completed, overdue: overdue + undeparted.length },
      }),
    ),
    'report the arrival': emit(({ event }): SupervisorCommand => {
      const { session, scheme } = event as Extract<SessionReport, { type: 'session.arrived' }>;
      return { type: 'report', news: { event: 'arrived', session, scheme } };
    }),
    'remember the guest': assign(({ event }) => (event.type === 'api.guest_told' ? { guest: event.guest } : {})),
    'forget the destination': assign({ destination: null, unanswered: [], undeparted: [] }),
  },
  delays: {
    /** Each session has its own 10 s; these only catch a session that does not say. */
    'answer deadline': 11_000,
    'departure deadline': 25_000,
    /** A guest that a client has followed here is here by then, or has gone on. */
    'guest deadline': 2_000,
  },
  guards: {
    /** Not one that links ahead of a guest which is to come back. */
    'it looks for the guest': ({ context, event }) =>
      event.type === 'link.up' && context.waiting[event.link]?.asked.connectionId === 0 && event.channel === 'main:0',
    'it is still there': ({ context, event }) =>
      event.type === 'session.astray' && context.sessions.some(({ session }) => session === event.session),
    'it is to return': ({ event }) =>
      event.type === 'link.asks' && event.channel === 'main:0' && hasCap(event.agreed.channelCaps, MainCap.returns),
    'it returns to a session': ({ context, event }) =>
      event.type === 'link.asks' &&
      event.channel === 'main:0' &&
      hasCap(event.agreed.channelCaps, MainCap.returns) &&
      sessionNamed(context, event.connectionId) !== undefined,
    'it begins a session': ({ context, event }) =>
      event.type === 'link.up' && event.channel === 'main:0' && (context.waiting[event.link]?.session ?? null) === null,
    'it is known': ({ context, event }) =>
      'session' in event && context.sessions.some(({ session }) => session === event.session),
    'it is main': ({ event }) => 'channel' in event && event.channel === 'main:0',
    'it is main and there is room': ({ context, event }) =>
      'channel' in event && event.channel === 'main:0' && context.sessions.length < context.mostSessions,
    'it names a session': ({ context, event }) =>
      event.type === 'link.asks' && sessionNamed(context, event.connectionId) !== undefined,
    'every session has answered': ({ context }) => context.unanswered.length === 0,
    'every session has departed': ({ context }) => context.undeparted.length === 0,
    'guest has moved': ({ event }) => event.type === 'api.migrate_end' && event.completed,
  },
});

/** The newest one: a client that links anew with its id may do so before the end of its last try is noticed. */
const sessionNamed = (context: SupervisorContext, connectionId: number): Known | undefined =>
  connectionId === 0 ? undefined : context.sessions.findLast((known) => known.connectionId === connectionId);

function omit<T>(record: Readonly<Record<string, T>>, key: string): Readonly<Record<string, T>> {
  const { [key]: _, ...others } = record;
  return others;
}
