/**
 * What every channel's chart is set up with: the context, and the actions, guards and actors by the names that the flow
 * region (flow.ts) uses. A channel adds its own with `.extend`.
 */
import { assign, emit, fromPromise, raise, sendParent, setup } from 'xstate';
import { MigrateFlags } from '../../src/protocol/base.ts';
import type { AnyMessage, Channel, Received, Sent, Side } from '../../src/protocol/channel.ts';
import type {
  Address,
  Agreed,
  ChannelCommand,
  ChannelEvent,
  ChannelNews,
  GuestQuestion,
  LinkName,
  Scheme,
  Tag,
} from '../contract.ts';

export interface ChannelInput {
  readonly channel: Address;
  /** The session's; a client's charts have no use for it. */
  readonly connectionId?: number;
}

export interface ChannelContext {
  readonly channel: Address;
  readonly connectionId: number;
  /** The link in use; null before the first and after the last. */
  readonly link: LinkName | null;
  readonly agreed: Agreed;
  /** The peer has said goodbye on this link. */
  readonly farewell: boolean;
  /** Why the channel went down. */
  readonly reason: string;
}

export const channelContext = ({ input }: { input: ChannelInput }): ChannelContext => ({
  channel: input.channel,
  connectionId: input.connectionId ?? 0,
  link: null,
  agreed: { commonCaps: [], channelCaps: [], miniHeader: false },
  farewell: false,
  reason: '',
});

/** Narrows an event to those of one type; a chart only runs its actions on events that it names. */
const of = <E extends { type: string }, T extends E['type']>(event: E, _type: T) => event as Extract<E, { type: T }>;

type Anything = ChannelEvent | (AnyMessage & { type: `msg.${string}` | `msgc.${string}` });

/** Schemes in which the target knows nothing of the client and begins anew. */
const afresh = (scheme: Scheme): boolean => scheme !== 'seamless';

export const flagsOf = (event: AnyMessage): number => (event.body as { flags: number }).flags;

export function channelSetup<C extends Channel, S extends Side, Own extends { type: string } = never>() {
  type Event = Received<C, S, 'control'> | ChannelEvent | Own;
  type Out = Sent<C, S>;
  return setup({
    types: {} as {
      input: ChannelInput;
      context: ChannelContext;
      events: Event;
      emitted: ChannelCommand<Out>;
      tags: Tag;
    },
    actors: {
      /** Server: what is true of the guest at this moment. */
      'ask the guest': fromPromise<any, GuestQuestion>(async () => {
        throw new Error('ask the guest is provided by the engine');
      }),
      /** Server: gathers this channel's state for the target. */
      'collect migrate data': fromPromise<Uint8Array, { channel: Address }>(async () => {
        throw new Error('collect migrate data is provided by the engine');
      }),
      /** Server: takes over the state that came from the source. Rejects when it does not fit. */
      'load migrate data': fromPromise<void, { channel: Address; data: Uint8Array }>(async () => {
        throw new Error('load migrate data is provided by the engine');
      }),
    },
    actions: {
      send: emit((_, message: Out): ChannelCommand<Out> => ({ type: 'send', message })),
      'attach the link': emit(({ context }): ChannelCommand<Out> => ({ type: 'attach', link: context.link! })),
      'remember the link': assign(({ context, event }) => {
        const { link, agreed } = of(event as Anything, 'link.attach');
        return { ...context, link, agreed, farewell: false, reason: '' };
      }),
      'tell that it is up': sendParent(
        ({ context }): ChannelNews => ({ type: 'channel.up', channel: context.channel }),
      ),
      'tell that the source has left it': sendParent(
        ({ context }, { data }: { data: boolean }): ChannelNews => ({
          type: 'channel.left',
          channel: context.channel,
          data,
        }),
      ),
      'tell that it has switched': sendParent(
        ({ context }): ChannelNews => ({ type: 'channel.switched', channel: context.channel }),
      ),
      'tell that it is loaded': sendParent(
        ({ context }): ChannelNews => ({ type: 'channel.loaded', channel: context.channel }),
      ),
      'tell that it is down': sendParent(
        ({ context }): ChannelNews => ({ type: 'channel.down', channel: context.channel, reason: context.reason }),
      ),
      'tell that it is gone': sendParent(
        ({ context: { channel, reason, farewell } }): ChannelNews => ({
          type: 'channel.down',
          channel,
          reason,
          ...(farewell ? {} : { lost: true }),
        }),
      ),
      'remember the goodbye': assign(({ context }) => ({ ...context, farewell: true })),
      'send flush mark': emit(
        (): ChannelCommand<Out> => ({
          type: 'send',
          message: { type: 'msgc.migrate_flush_mark', body: {} } as unknown as Out,
        }),
      ),
      'carry the migrate data': emit(
        ({ event }): ChannelCommand<Out> => ({
          type: 'carry',
          data: (event as unknown as { body: { data: Uint8Array } }).body.data,
        }),
      ),
      'send what was carried': emit((): ChannelCommand<Out> => ({ type: 'send carried' })),
      'switch to the target': emit(({ event }): ChannelCommand<Out> => {
        const { link, scheme } = of(event as Anything, 'migration.switch');
        return { type: 'switch', link, serials: afresh(scheme) ? 'restart' : 'go on' };
      }),
      'remember the target': assign(({ context, event }) => {
        const { link, agreed } = of(event as Anything, 'migration.switch');
        return { ...context, link, agreed, farewell: false };
      }),
      'close the source': emit((): ChannelCommand<Out> => ({ type: 'close previous' })),
      'stop using the source': emit((): ChannelCommand<Out> => ({ type: 'close', reason: 'the guest has moved' })),
      'keep the primary': emit((): ChannelCommand<Out> => ({ type: 'reset', keep: 'primary' })),
      'say what the session says': emit(
        ({ event }): ChannelCommand<Out> => ({
          type: 'send',
          message: of(event as Anything, 'session.say').message as Out,
        }),
      ),
      'open to the application': emit(
        (_, params: { afresh: boolean }): ChannelCommand<Out> => ({
          type: 'ready',
          afresh: params.afresh,
        }),
      ),
      'send migrate': emit(
        (_, params: { flags: number }): ChannelCommand<Out> => ({
          type: 'send',
          message: { type: 'msg.migrate', body: { flags: params.flags } } as unknown as Out,
        }),
      ),
      'send migrate data': emit(
        (_, params: { data: Uint8Array }): ChannelCommand<Out> => ({
          type: 'send',
          message: { type: 'msg.migrate_data', body: { data: params.data } } as unknown as Out,
        }),
      ),
      'remember why': assign(({ context, event }) => ({
        ...context,
        link: null,
        reason: (event as { reason?: string }).reason ?? `${event.type} is not expected now`,
      })),
      'give up': raise(
        (_, params: { reason: string }) => ({ type: 'api.close' as const, reason: params.reason }) as never,
      ),
      'take offence': raise(
        (_, params: { reason: string }) => ({ type: 'plane.violation' as const, reason: params.reason }) as never,
      ),
      'report the violation': emit(
        ({ context }): ChannelCommand<Out> => ({ type: 'violation', reason: context.reason }),
      ),
      'hang up': emit(({ context }): ChannelCommand<Out> => ({ type: 'close', reason: context.reason })),
    },
    guards: {
      'it concerns the link in use': ({ context, event }) =>
        of(event as Anything, 'plane.closed').link === context.link,
      'migrate asks for a flush': ({ event }) =>
        (flagsOf(event as unknown as AnyMessage) & MigrateFlags.needFlush) !== 0,
      'migrate asks only for a flush': ({ event }) =>
        (flagsOf(event as unknown as AnyMessage) & 3) === MigrateFlags.needFlush,
      'migrate brings data': ({ event }) =>
        (flagsOf(event as unknown as AnyMessage) & MigrateFlags.needDataTransfer) !== 0,
      'scheme is seamless': ({ event }) => (event as { scheme?: Scheme }).scheme === 'seamless',
      'scheme is early-link': ({ event }) => (event as { scheme?: Scheme }).scheme === 'early-link',
      'begins with migrate data': ({ event }) => of(event as Anything, 'link.attach').beginning === 'migrate data',
    },
    delays: {
      /** Spec §3g: what the reference waits for ever for. */
      'flush deadline': 10_000,
      'init deadline': 30_000,
      /** As long as a target waits for its client: the waiting begins when the client has linked, not when the guest moves. */
      'migrate data deadline': 30 * 60_000,
    },
  });
}
