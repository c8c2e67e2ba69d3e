/**
 * The main channel at a client: the greeting, the channel list, and what the server announces about a hand-over, which it
 * passes on to its session. It stays responsive all through a hand-over: linking happens elsewhere.
 */
import { sendParent } from 'xstate';
import type { MainChannel, MainReceived } from '../../src/protocol/main.ts';
import { clientFlow, clientRoot } from '../channel/flow.ts';
import { channelContext, channelSetup } from '../channel/setup.ts';

/** What a session hears from its main channel besides `channel.*`. */
export type MainNews = MainReceived<'client'>;

export const mainClient = channelSetup<typeof MainChannel, 'client'>()
  .extend({
    actions: {
      'pass it on to the session': sendParent(({ event }) => event),
    },
    guards: {
      'agent is there': ({ event }) => event.type === 'msg.init' && event.body.agentConnected !== 0,
      'scheme is semi-seamless': ({ event }) => event.type === 'migration.switch' && event.scheme === 'semi-seamless',
    },
  })
  .createMachine({
    id: 'main/client',
    type: 'parallel',
    context: channelContext,
    on: clientRoot,
    states: {
      flow: clientFlow,
      greeting: {
        initial: 'awaiting init',
        on: {
          'link.attach': '.awaiting init',
          'migration.switch': [
            {
              guard: 'scheme is semi-seamless',
              target: '.awaiting init at the target',
              actions: { type: 'send', params: { type: 'msgc.migrate_end', body: {} } },
            },
            /** The target of an early link knows by this that the client has come (spec §3b 4). */
            {
              guard: 'scheme is early-link',
              actions: { type: 'send', params: { type: 'msgc.attach_channels', body: {} } },
            },
          ],
        },
        states: {
          'awaiting init': {
            on: {
              'msg.init': {
                target: 'greeted',
                actions: [
                  'pass it on to the session',
                  { type: 'send', params: { type: 'msgc.attach_channels', body: {} } },
                ],
              },
            },
          },
          'awaiting init at the target': {
            on: { 'msg.init': { target: 'greeted', actions: 'pass it on to the session' } },
          },
          greeted: {},
        },
      },
      /** A client that moves before it was told of any channels asks again where it comes to. */
      channels: {
        initial: 'unknown',
        on: {
          'link.attach': '.unknown',
          'msg.channels_list': { target: '.known', actions: 'pass it on to the session' },
        },
        states: {
          unknown: {
            on: {
              'migration.switch': [
                {
                  guard: 'scheme is seamless',
                  actions: { type: 'send', params: { type: 'msgc.attach_channels', body: {} } },
                },
                { guard: 'scheme is semi-seamless', target: 'unknown at the target' },
              ],
            },
          },
          'unknown at the target': {
            on: {
              'msg.init': {
                target: 'unknown',
                actions: { type: 'send', params: { type: 'msgc.attach_channels', body: {} } },
              },
            },
          },
          known: {},
        },
      },
      news: {
        on: {
          'msg.mouse_mode': { actions: 'pass it on to the session' },
          'msg.name': { actions: 'pass it on to the session' },
          'msg.uuid': { actions: 'pass it on to the session' },
          'msg.disconnecting': {},
        },
      },
      agent: {
        initial: 'absent',
        on: {
          'link.attach': '.absent',
          'msg.init': [{ guard: 'agent is there', target: '.connected' }, { target: '.absent' }],
          'msg.agent_connected': '.connected',
          'msg.agent_connected_tokens': '.connected',
          'msg.agent_disconnected': '.absent',
        },
        states: {
          absent: {},
          connected: {
            entry: { type: 'send', params: { type: 'msgc.agent_start', body: { numTokens: 0xffffffff } } },
          },
        },
      },
      'hand-over': {
        on: {
          'msg.migrate_begin': { actions: 'pass it on to the session' },
          'msg.migrate_begin_seamless': { actions: 'pass it on to the session' },
          'msg.migrate_cancel': { actions: 'pass it on to the session' },
          'msg.migrate_end': { actions: 'pass it on to the session' },
          'msg.migrate_switch_host': { actions: 'pass it on to the session' },
          'session.say': { actions: 'say what the session says' },
        },
      },
    },
  });
