/**
 * The server's side of the link stage of one connection (spec §1): read who it is, answer with a key, check the ticket,
 * ask the supervisor where the link belongs, send the result. An unproven link reaches nothing else.
 */
import { assign, emit, fromPromise, sendParent, setup } from 'xstate';
import { type Caps, CommonCap, hasCap } from '../../src/protocol/capabilities.ts';
import { AuthMechanism, LinkErrorCode } from '../../src/protocol/link.ts';
import type { Address, Agreed, LinkAsks, LinkCommand, LinkName } from '../contract.ts';
import { failed, lost, up } from './fate.ts';

export interface LinkServerInput {
  readonly link: LinkName;
  /** Drawn by the engine; becomes the connection id if this link begins a session. */
  readonly nonce: number;
}

export type LinkServerEvent =
  | { type: 'link.mess'; connectionId: number; channel: Address; commonCaps: Caps; channelCaps: Caps }
  /** The bytes are not a link message that we take; `code` is what the peer is told, undefined if nothing. */
  | { type: 'link.refused'; code: number | undefined; reason: string }
  | { type: 'link.mechanism'; mechanism: number }
  | { type: 'link.ticket'; ticket: Uint8Array }
  | { type: 'link.admit' }
  | { type: 'link.deny'; code: number; reason: string }
  | { type: 'link.closed'; reason: string }
  | { type: 'link.taken' }
  | { type: 'link.drop'; reason: string };

export interface LinkServerContext extends LinkServerInput {
  readonly channel: Address;
  readonly connectionId: number;
  readonly agreed: Agreed;
  readonly reason: string;
}

export const linkServer = setup({
  types: {} as { input: LinkServerInput; context: LinkServerContext; events: LinkServerEvent; emitted: LinkCommand },
  actors: {
    /** Makes a fresh RSA-1024 key for this link and keeps its private half. */
    'make key': fromPromise<Uint8Array, { link: LinkName }>(async () => {
      throw new Error('make key is provided by the engine');
    }),
    /** Decrypts the ticket and compares it with the password that is valid now. */
    'check ticket': fromPromise<'good' | 'bad', { link: LinkName; ticket: Uint8Array }>(async () => {
      throw new Error('check ticket is provided by the engine');
    }),
  },
  actions: {
    'remember who it is': assign(({ context, event }) =>
      event.type !== 'link.mess'
        ? context
        : {
            ...context,
            channel: event.channel,
            connectionId: event.connectionId,
            agreed: {
              commonCaps: event.commonCaps,
              channelCaps: event.channelCaps,
              miniHeader: hasCap(event.commonCaps, CommonCap.miniHeader),
            },
          },
    ),
    'remember the reason': assign((_, params: { reason: string }) => ({ reason: params.reason })),
    'send reply': emit((_, params: { pubKey: Uint8Array }) => ({
      type: 'link.send_reply',
      error: LinkErrorCode.ok,
      pubKey: params.pubKey,
    })),
    'send error reply': emit((_, params: { error: number }) => ({
      type: 'link.send_reply',
      error: params.error,
      pubKey: new Uint8Array(162),
    })),
    'send result': emit((_, params: { code: number }) => ({ type: 'link.send_result', code: params.code })),
    'ask where it belongs': sendParent(
      ({ context }): LinkAsks => ({
        type: 'link.asks',
        link: context.link,
        channel: context.channel,
        connectionId: context.connectionId,
        agreed: context.agreed,
        nonce: context.nonce,
      }),
    ),
    'tell that the link is up': sendParent(({ context }) => up(context)),
    'tell that the link failed': sendParent(({ context }) => failed(context)),
    'tell that the link is lost': sendParent(({ context }) => lost(context)),
    park: emit({ type: 'link.park' }),
    'hang up': emit(({ context }) => ({ type: 'link.close', reason: context.reason })),
  },
  guards: {
    'client selects by mechanism': ({ context }) => hasCap(context.agreed.commonCaps, CommonCap.authSelection),
    'mechanism is ours': ({ event }) => event.type === 'link.mechanism' && event.mechanism === AuthMechanism.spice,
    'peer is to be told': ({ event }) => event.type === 'link.refused' && event.code !== undefined,
    'ticket is good': (_, params: { verdict: 'good' | 'bad' }) => params.verdict === 'good',
  },
  delays: {
    /** The reference waits for ever (spec §3g); a link that says nothing must not be kept. */
    'link deadline': 10_000,
  },
}).createMachine({
  id: 'link/server',
  context: ({ input }) => ({
    ...input,
    channel: '',
    connectionId: 0,
    agreed: { commonCaps: [], channelCaps: [], miniHeader: false },
    reason: '',
  }),
  initial: 'linking',
  states: {
    linking: {
      initial: 'awaiting message',
      after: {
        'link deadline': {
          target: 'failed',
          actions: { type: 'remember the reason', params: { reason: 'the link was not finished in time' } },
        },
      },
      on: {
        'link.closed': {
          target: 'failed',
          actions: { type: 'remember the reason', params: ({ event }) => ({ reason: event.reason }) },
        },
        'link.refused': [
          {
            guard: 'peer is to be told',
            target: 'failed',
            actions: [
              { type: 'remember the reason', params: ({ event }) => ({ reason: event.reason }) },
              { type: 'send error reply', params: ({ event }) => ({ error: event.code ?? LinkErrorCode.error }) },
            ],
          },
          {
            target: 'failed',
            actions: { type: 'remember the reason', params: ({ event }) => ({ reason: event.reason }) },
          },
        ],
        'link.drop': {
          target: 'failed',
          actions: { type: 'remember the reason', params: ({ event }) => ({ reason: event.reason }) },
        },
      },
      states: {
        'awaiting message': {
          on: { 'link.mess': { target: 'making key', actions: 'remember who it is' } },
        },
        'making key': {
          invoke: {
            src: 'make key',
            input: ({ context }) => ({ link: context.link }),
            onDone: [
              {
                guard: 'client selects by mechanism',
                target: 'awaiting mechanism',
                actions: { type: 'send reply', params: ({ event }) => ({ pubKey: event.output }) },
              },
              {
                target: 'awaiting ticket',
                actions: { type: 'send reply', params: ({ event }) => ({ pubKey: event.output }) },
              },
            ],
            onError: {
              target: '#link/server.failed',
              actions: { type: 'remember the reason', params: { reason: 'no key could be made' } },
            },
          },
        },
        'awaiting mechanism': {
          on: {
            'link.mechanism': [
              { guard: 'mechanism is ours', target: 'awaiting ticket' },
              {
                target: '#link/server.failed',
                actions: [
                  {
                    type: 'remember the reason',
                    params: { reason: 'an authentication mechanism that is not offered' },
                  },
                  { type: 'send error reply', params: { error: LinkErrorCode.invalidData } },
                ],
              },
            ],
          },
        },
        'awaiting ticket': {
          on: { 'link.ticket': 'checking ticket' },
        },
        'checking ticket': {
          invoke: {
            src: 'check ticket',
            input: ({ context, event }) => ({
              link: context.link,
              ticket: event.type === 'link.ticket' ? event.ticket : new Uint8Array(),
            }),
            onDone: [
              {
                guard: { type: 'ticket is good', params: ({ event }) => ({ verdict: event.output }) },
                target: 'awaiting admission',
                actions: 'ask where it belongs',
              },
              {
                target: '#link/server.failed',
                actions: [
                  { type: 'remember the reason', params: { reason: 'the password is wrong or expired' } },
                  { type: 'send result', params: { code: LinkErrorCode.permissionDenied } },
                ],
              },
            ],
            onError: {
              target: '#link/server.failed',
              actions: [
                { type: 'remember the reason', params: { reason: 'the ticket cannot be decrypted' } },
                { type: 'send result', params: { code: LinkErrorCode.permissionDenied } },
              ],
            },
          },
        },
        'awaiting admission': {
          on: {
            'link.admit': {
              target: '#link/server.up',
              actions: { type: 'send result', params: { code: LinkErrorCode.ok } },
            },
            'link.deny': {
              target: '#link/server.failed',
              actions: [
                { type: 'remember the reason', params: ({ event }) => ({ reason: event.reason }) },
                { type: 'send result', params: ({ event }) => ({ code: event.code }) },
              ],
            },
          },
        },
      },
    },
    up: {
      entry: ['park', 'tell that the link is up'],
      on: {
        'link.taken': 'taken',
        'link.closed': { target: 'lost', actions: 'tell that the link is lost' },
        'link.drop': {
          target: 'lost',
          actions: [
            { type: 'remember the reason', params: ({ event }) => ({ reason: event.reason }) },
            'hang up',
            'tell that the link is lost',
          ],
        },
      },
    },
    taken: { type: 'final' },
    failed: { type: 'final', entry: ['hang up', 'tell that the link failed'] },
    lost: { type: 'final' },
  },
});
