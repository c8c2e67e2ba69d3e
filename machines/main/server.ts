/**
 * The main channel at a server: greets the client, says what the session wants said, and passes the client's answers on to
 * the session. At a target it is silent until the hand-over says that the client is here to stay.
 */
import { emit, sendParent } from 'xstate';
import type { MainChannel, MainReceived, MainSent } from '../../src/protocol/main.ts';
import { serverFlow, serverRoot } from '../channel/flow.ts';
import { channelContext, channelSetup } from '../channel/setup.ts';
import type { ChannelCommand, MainFacts } from '../contract.ts';

/** What a session hears from its main channel besides `channel.*`. */
export type MainAnswers = MainReceived<'server'>;

type Command = ChannelCommand<MainSent<'server'>>;

const noAnswer = {
  target: 'not linked',
  actions: { type: 'give up', params: { reason: 'the guest does not answer' } },
} as const;

/** Asks the guest, and says to the client what these actions make of its answer. */
const answering = <
  Says extends 'send init' | 'send name' | 'send uuid' | 'send clock' | 'send mouse mode' | 'send agent',
>(
  ...says: readonly Says[]
) =>
  ({
    invoke: {
      src: 'ask the guest',
      input: { what: 'main facts' },
      onDone: {
        target: 'greeted',
        actions: [
          ...says.map((type) => ({ type, params: ({ event }: { event: { output: MainFacts } }) => event.output })),
          { type: 'open to the application', params: { afresh: true } },
        ],
      },
      onError: noAnswer,
    },
  }) as const;

export const mainServer = channelSetup<typeof MainChannel, 'server'>()
  .extend({
    actions: {
      'pass it on to the session': sendParent(({ event }) => event),
      'send init': emit(
        ({ context }, facts: MainFacts): Command => ({
          type: 'send',
          message: {
            type: 'msg.init',
            body: {
              sessionId: context.connectionId,
              displayChannelsHint: facts.displayChannels,
              supportedMouseModes: facts.supportedMouseModes,
              currentMouseMode: facts.currentMouseMode,
              agentConnected: facts.agentConnected ? 1 : 0,
              agentTokens: facts.agentTokens,
              multiMediaTime: facts.multiMediaTime,
              ramHint: 0,
            },
          },
        }),
      ),
      'send name': emit(
        (_, facts: MainFacts): Command => ({ type: 'send', message: { type: 'msg.name', body: { name: facts.name } } }),
      ),
      'send uuid': emit(
        (_, facts: MainFacts): Command => ({ type: 'send', message: { type: 'msg.uuid', body: { uuid: facts.uuid } } }),
      ),
      'send clock': emit(
        (_, facts: MainFacts): Command => ({
          type: 'send',
          message: { type: 'msg.multi_media_time', body: { time: facts.multiMediaTime } },
        }),
      ),
      'send mouse mode': emit(
        (_, facts: MainFacts): Command => ({
          type: 'send',
          message: {
            type: 'msg.mouse_mode',
            body: { supportedModes: facts.supportedMouseModes, currentMode: facts.currentMouseMode },
          },
        }),
      ),
      'send agent': emit(
        (_, { agentConnected, agentTokens }: MainFacts): Command => ({
          type: 'send',
          message: agentConnected
            ? { type: 'msg.agent_connected_tokens', body: { numTokens: agentTokens } }
            : { type: 'msg.agent_disconnected', body: { errorCode: 0 } },
        }),
      ),
    },
    guards: {
      'begins at a target': ({ event }) => event.type === 'link.attach' && event.beginning === 'arrived',
      'client came by an early link': ({ event }) => event.type === 'migration.greet' && event.scheme === 'early-link',
      'client came seamlessly': ({ event }) => event.type === 'migration.greet' && event.scheme === 'seamless',
    },
  })
  .createMachine({
    id: 'main/server',
    type: 'parallel',
    context: channelContext,
    on: serverRoot,
    states: {
      flow: serverFlow,
      greeting: {
        initial: 'not linked',
        on: {
          'link.attach': [
            { guard: 'begins at a target', target: '.waiting for the client' },
            { target: '.asking for facts' },
          ],
        },
        states: {
          'not linked': {},
          'asking for facts': answering('send init', 'send name', 'send uuid'),
          /** Spec §3c 4: a target says nothing on main until the client has left the source. */
          'waiting for the client': {
            on: {
              'migration.greet': [
                { guard: 'client came seamlessly', target: 'greeted' },
                { guard: 'client came by an early link', target: 'asking for what has changed' },
                { target: 'asking for facts at the target' },
              ],
              'msgc.migrate_end': { actions: 'pass it on to the session' },
              'msgc.migrate_dst_do_seamless': { actions: 'pass it on to the session' },
              'msgc.attach_channels': { actions: 'pass it on to the session' },
            },
          },
          'asking for facts at the target': answering('send init'),
          /** Spec §3b 3: an early link hears no init, only what may be different here. */
          'asking for what has changed': {
            ...answering('send clock', 'send mouse mode', 'send agent'),
            on: {
              /** Another channel may have shown that the client has come, before main did. */
              'msgc.attach_channels': { actions: 'pass it on to the session' },
              /** It goes on before the guest has answered: a client that is let go would take the clock for an offence. */
              'migration.move': 'greeted',
            },
          },
          greeted: {
            on: { 'msgc.attach_channels': { actions: 'pass it on to the session' } },
          },
        },
      },
      requests: {
        on: {
          'msgc.mouse_mode_request': {},
          'msgc.agent_start': {},
          'session.say': { actions: 'say what the session says' },
        },
      },
      'hand-over': {
        on: {
          'msgc.migrate_connected': { actions: 'pass it on to the session' },
          'msgc.migrate_connected_seamless': { actions: 'pass it on to the session' },
          'msgc.migrate_connect_error': { actions: 'pass it on to the session' },
        },
      },
    },
  });
