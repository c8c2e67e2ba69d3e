/**
 * The client's side of the link stage of one connection (spec §1): dial, say who we are, read the reply, prove the
 * password, read the result. Once up it waits, its pipe unread, until a channel takes the pipe.
 */
import { assign, emit, fromPromise, sendParent, setup } from 'xstate';
import { CommonCap, hasCap, MainCap } from '../../src/protocol/capabilities.ts';
import { AuthMechanism, LinkErrorCode, linkErrorName } from '../../src/protocol/link.ts';
import type { Address, Agreed, Destination, LinkCommand, LinkName } from '../contract.ts';
import { failed, lost, up } from './fate.ts';

export interface LinkClientInput {
  readonly link: LinkName;
  readonly channel: Address;
  readonly connectionId: number;
  readonly destination: Destination;
  /** The connection id names a session to have back, of a server that is known to give sessions back. */
  readonly returning?: true;
}

export type LinkClientEvent =
  | {
      type: 'link.reply';
      error: number;
      pubKey: Uint8Array;
      commonCaps: readonly number[];
      channelCaps: readonly number[];
    }
  | { type: 'link.result'; code: number }
  | { type: 'link.closed'; reason: string }
  | { type: 'link.violation'; reason: string }
  | { type: 'link.taken' };

export interface LinkClientContext extends LinkClientInput {
  readonly agreed: Agreed;
  readonly secure: boolean;
  readonly reason: string;
  readonly code: number | undefined;
}

const nothing: Agreed = { commonCaps: [], channelCaps: [], miniHeader: false };

export const linkClient = setup({
  types: {} as { input: LinkClientInput; context: LinkClientContext; events: LinkClientEvent; emitted: LinkCommand },
  actors: {
    /** Opens the pipe. Resolves when bytes may be written. */
    dial: fromPromise<void, { link: LinkName; destination: Destination; secure: boolean }>(async () => {
      throw new Error('dial is provided by the engine');
    }),
    /** Encrypts the password to the server's key; the password itself never enters a chart. */
    'encrypt ticket': fromPromise<Uint8Array, { pubKey: Uint8Array }>(async () => {
      throw new Error('encrypt ticket is provided by the engine');
    }),
  },
  actions: {
    'send link message': emit(({ context }) => ({
      type: 'link.send_mess',
      connectionId: context.connectionId,
      channel: context.channel,
      ...(context.returning === true ? { returning: true } : {}),
    })),
    'send mechanism': emit({ type: 'link.send_mechanism', mechanism: AuthMechanism.spice }),
    'send ticket': emit((_, params: { ticket: Uint8Array }) => ({ type: 'link.send_ticket', ticket: params.ticket })),
    'remember what was agreed': assign(({ context, event }) =>
      event.type !== 'link.reply'
        ? context
        : {
            ...context,
            agreed: {
              commonCaps: event.commonCaps,
              channelCaps: event.channelCaps,
              miniHeader: hasCap(event.commonCaps, CommonCap.miniHeader),
            },
          },
    ),
    'remember the reason': assign((_, params: { reason: string; code?: number }) => ({
      reason: params.reason,
      code: params.code,
    })),
    'go secure': assign({ secure: true }),
    'tell that the link is up': sendParent(({ context }) => up(context)),
    'tell that the link failed': sendParent(({ context }) => failed(context)),
    'tell that the link is lost': sendParent(({ context }) => lost(context)),
    park: emit({ type: 'link.park' }),
    'hang up': emit(({ context }) => ({ type: 'link.close', reason: context.reason })),
  },
  guards: {
    /** Another server stands there now: it would take the id for a hand-over's (spec §1.7). */
    'server gives no session back': ({ context, event }) =>
      context.returning === true &&
      event.type === 'link.reply' &&
      event.error === LinkErrorCode.ok &&
      !hasCap(event.channelCaps, MainCap.mayReturn),
    'reply is good': ({ event }) => event.type === 'link.reply' && event.error === LinkErrorCode.ok,
    'server selects by mechanism': ({ context }) => hasCap(context.agreed.commonCaps, CommonCap.authSelection),
    'server wants a secured link that we can dial': ({ context, event }) =>
      event.type === 'link.reply' &&
      event.error === LinkErrorCode.needSecured &&
      !context.secure &&
      context.destination.tlsPort !== undefined,
    'result is good': ({ event }) => event.type === 'link.result' && event.code === LinkErrorCode.ok,
  },
  delays: {
    /** A client that must answer before the source's 10 s are over cannot wait for ever (spec §3g). */
    'link deadline': 8_000,
  },
}).createMachine({
  id: 'link/client',
  context: ({ input }) => ({
    ...input,
    agreed: nothing,
    secure: input.destination.port === undefined && input.destination.tlsPort !== undefined,
    reason: '',
    code: undefined,
  }),
  initial: 'linking',
  states: {
    linking: {
      initial: 'dialling',
      after: {
        'link deadline': {
          target: 'failed',
          actions: { type: 'remember the reason', params: { reason: 'no answer in time' } },
        },
      },
      on: {
        'link.closed': {
          target: 'failed',
          actions: { type: 'remember the reason', params: ({ event }) => ({ reason: event.reason }) },
        },
        'link.violation': {
          target: 'failed',
          actions: {
            type: 'remember the reason',
            params: ({ event }) => ({ reason: event.reason, code: LinkErrorCode.invalidData }),
          },
        },
      },
      states: {
        dialling: {
          invoke: {
            src: 'dial',
            input: ({ context }) => ({
              link: context.link,
              destination: context.destination,
              secure: context.secure,
            }),
            onDone: { target: 'awaiting reply', actions: 'send link message' },
            onError: {
              target: '#link/client.failed',
              actions: {
                type: 'remember the reason',
                params: ({ event }) => ({ reason: sentence(event.error) }),
              },
            },
          },
        },
        'awaiting reply': {
          on: {
            'link.reply': [
              {
                guard: 'server gives no session back',
                target: '#link/client.failed',
                actions: {
                  type: 'remember the reason',
                  params: { reason: 'the server gives no session back', code: LinkErrorCode.badConnectionId },
                },
              },
              { guard: 'reply is good', target: 'encrypting ticket', actions: 'remember what was agreed' },
              {
                guard: 'server wants a secured link that we can dial',
                target: 'dialling',
                actions: ['go secure', { type: 'remember the reason', params: { reason: 'the link must be secured' } }],
              },
              {
                target: '#link/client.failed',
                actions: {
                  type: 'remember the reason',
                  params: ({ event }) => ({ reason: linkErrorName(event.error), code: event.error }),
                },
              },
            ],
          },
        },
        'encrypting ticket': {
          invoke: {
            src: 'encrypt ticket',
            input: ({ event }) => ({ pubKey: event.type === 'link.reply' ? event.pubKey : new Uint8Array() }),
            onDone: [
              {
                guard: 'server selects by mechanism',
                target: 'awaiting result',
                actions: ['send mechanism', { type: 'send ticket', params: ({ event }) => ({ ticket: event.output }) }],
              },
              {
                target: 'awaiting result',
                actions: { type: 'send ticket', params: ({ event }) => ({ ticket: event.output }) },
              },
            ],
            onError: {
              target: '#link/client.failed',
              actions: { type: 'remember the reason', params: ({ event }) => ({ reason: sentence(event.error) }) },
            },
          },
        },
        'awaiting result': {
          on: {
            'link.result': [
              { guard: 'result is good', target: '#link/client.up' },
              {
                target: '#link/client.failed',
                actions: {
                  type: 'remember the reason',
                  params: ({ event }) => ({ reason: linkErrorName(event.code), code: event.code }),
                },
              },
            ],
          },
        },
      },
    },
    up: {
      entry: ['park', 'tell that the link is up'],
      on: {
        'link.taken': 'taken',
        'link.closed': { target: 'lost', actions: 'tell that the link is lost' },
      },
    },
    taken: { type: 'final' },
    failed: { type: 'final', entry: ['hang up', 'tell that the link failed'] },
    lost: { type: 'final' },
  },
});

const sentence = (error: unknown): string => (error instanceof Error ? error.message : String(error));
