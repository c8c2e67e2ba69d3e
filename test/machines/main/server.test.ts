/** The main channel at a server: greeting, arrival, and what it passes on (spec §2.3, §2.10, §3, §5.8, §5.9). */
import { describe, expect, test } from 'vitest';
import type { MainFacts } from '../../../machines/contract.ts';
import { mainServer } from '../../../machines/main/server.ts';
import type { MainReceived } from '../../../src/protocol/main.ts';
import { begins, done, ends, failed, given, tells } from '../../support/given.ts';
import { untouched } from '../../support/touched.ts';
import { serverFlowContract } from '../channel/server-flow.ts';
import { attach, close, closed, goesDown, greet, move, news, ready, send, stray, unexpected } from '../words.ts';

const question = begins('ask the guest', { input: { what: 'main facts' } });

serverFlowContract({
  chart: mainServer,
  channel: 'main:0',
  travels: 'state',
  onAttach: (beginning) => (beginning === 'arrived' ? [] : [question]),
  asks: (beginning) => (beginning === 'arrived' ? [] : ['ask the guest']),
});

const facts: MainFacts = {
  displayChannels: 1,
  supportedMouseModes: 3,
  currentMouseMode: 2,
  agentConnected: true,
  agentTokens: 10,
  multiMediaTime: 4_000,
  name: 'a guest',
  uuid: new Uint8Array(16).fill(6),
};
const init = (agentConnected = 1) =>
  send('msg.init', {
    sessionId: 77,
    displayChannelsHint: 1,
    supportedMouseModes: 3,
    currentMouseMode: 2,
    agentConnected,
    agentTokens: 10,
    multiMediaTime: 4_000,
    ramHint: 0,
  });
const passedOn = (event: { type: string; body: object }) => tells('parent', event);

const begun = given(mainServer, { channel: 'main:0', connectionId: 77 });
const linked = begun.after(attach());
const greeted = linked.after(done('ask the guest', facts));
const arrived = begun.after(attach('link:1', 'arrived'));

describe('the greeting at a server', () => {
  test('tells what is true of the guest at that moment', () => {
    linked.expect({ in: { greeting: 'asking for facts' } });
    linked.when(done('ask the guest', facts)).expect({
      in: { greeting: 'greeted' },
      does: [init(), send('msg.name', { name: 'a guest' }), send('msg.uuid', { uuid: facts.uuid }), ready(true)],
    });
    linked.when(done('ask the guest', { ...facts, agentConnected: false })).expect({
      does: [init(0), send('msg.name', { name: 'a guest' }), send('msg.uuid', { uuid: facts.uuid }), ready(true)],
    });
  });

  test('ends the channel when the guest does not answer', () => {
    const reason = 'the guest does not answer';
    for (const story of [linked, arrived.after(greet('semi-seamless')), arrived.after(greet('early-link'))]) {
      story.when(failed('ask the guest')).expect({
        in: { flow: 'down', greeting: 'not linked' },
        does: [close(reason), news.down('main:0', reason)],
      });
    }
  });

  test('is told to no link that is gone', () => {
    linked.when(closed()).expect({
      in: { flow: 'down', greeting: 'not linked' },
      does: [ends('ask the guest'), news.gone('main:0', 'the peer hung up')],
      runs: [],
    });
  });

  test('is followed by the list of channels when the client asks', () => {
    const asked: MainReceived<'server'> = { type: 'msgc.attach_channels', body: {} };
    greeted.when(asked).expect({ does: [passedOn(asked)] });
    linked
      .when(asked)
      .expect({ does: [ends('ask the guest'), ...goesDown('main:0', unexpected('msgc.attach_channels'))] });
  });
});

describe('main at a target', () => {
  // Spec §3c 4: nothing is said until the client has left the source.
  test('is silent, and passes on how the client comes', () => {
    arrived.expect({ in: { flow: 'flowing', greeting: 'waiting for the client' }, runs: [] });
    const words: MainReceived<'server'>[] = [
      { type: 'msgc.migrate_end', body: {} },
      { type: 'msgc.migrate_dst_do_seamless', body: { srcVersion: 1 } },
      { type: 'msgc.attach_channels', body: {} },
    ];
    for (const event of words) {
      arrived.when(event).expect({ in: { greeting: 'waiting for the client' }, does: [passedOn(event)] });
    }
  });

  test('greets a semi-seamless client with init and nothing else', () => {
    const asking = arrived.when(greet('semi-seamless'));
    asking.expect({ in: { greeting: 'asking for facts at the target' }, does: [question] });
    asking.when(done('ask the guest', facts)).expect({ in: { greeting: 'greeted' }, does: [init(), ready(true)] });
  });

  test('tells an early client only what may be different here', () => {
    const asking = arrived.when(greet('early-link'));
    asking.expect({ in: { greeting: 'asking for what has changed' }, does: [question] });
    asking.when(done('ask the guest', facts)).expect({
      in: { greeting: 'greeted' },
      does: [
        send('msg.multi_media_time', { time: 4_000 }),
        send('msg.mouse_mode', { supportedModes: 3, currentMode: 2 }),
        send('msg.agent_connected_tokens', { numTokens: 10 }),
        ready(true),
      ],
    });
    asking.when(done('ask the guest', { ...facts, agentConnected: false })).expect({
      does: [
        send('msg.multi_media_time', { time: 4_000 }),
        send('msg.mouse_mode', { supportedModes: 3, currentMode: 2 }),
        send('msg.agent_disconnected', { errorCode: 0 }),
        ready(true),
      ],
    });
  });

  test('lets an early client say that it has come after another channel has shown it', () => {
    arrived
      .after(greet('early-link'))
      .when(stray('msgc.attach_channels'))
      .expect({
        in: { flow: 'flowing', greeting: 'asking for what has changed' },
        does: [tells('parent', { type: 'msgc.attach_channels', body: {} })],
      });
  });

  /** Found by the model: the clock, told to a client that had been let go, was an offence, and cost it its session. */
  test('asks no more when the client is let go before the guest has answered', () => {
    const asking = arrived.after(greet('early-link'));
    asking.when(move('seamless')).expect({
      in: { flow: 'flushing', greeting: 'greeted' },
      does: [ends('ask the guest'), send('msg.migrate', { flags: 3 })],
      runs: [],
    });
  });

  test('waits for the state of a seamless client', () => {
    const data = new Uint8Array([1]);
    const waiting = arrived.when(greet('seamless'));
    waiting.expect({
      in: { flow: 'awaiting migrate data', greeting: 'greeted' },
      does: [],
      waits: ['migrate data deadline'],
    });
    waiting
      .after(stray('msgc.migrate_data', { data }))
      .when(done('load migrate data'))
      .expect({ in: { flow: 'flowing' }, does: [news.loaded('main:0'), ready(false)], waits: [] });
  });

  test('tells its greeting to no link that is gone', () => {
    for (const scheme of ['semi-seamless', 'early-link'] as const) {
      arrived
        .after(greet(scheme))
        .when(closed())
        .expect({ does: [ends('ask the guest'), news.gone('main:0', 'the peer hung up')], runs: [] });
    }
  });
});

describe('what the client says on main', () => {
  const answers: MainReceived<'server'>[] = [
    { type: 'msgc.migrate_connected', body: {} },
    { type: 'msgc.migrate_connected_seamless', body: {} },
    { type: 'msgc.migrate_connect_error', body: {} },
  ];

  // Asked for or not: the session knows which answers are owed (spec §5.9).
  test.each(answers)('$type is passed on', (event) => {
    greeted.when(event).expect({ in: { flow: 'flowing' }, does: [passedOn(event)] });
  });

  test('may be that it speaks to the agent, or would like another mouse', () => {
    const words = [stray('msgc.mouse_mode_request', { mode: 2 }), stray('msgc.agent_start', { numTokens: 9 })];
    greeted.when(...words).expect({ in: { flow: 'flowing', greeting: 'greeted' } });
    // Spec §5.8: at a target they are carried out, before the client is here to stay.
    arrived.when(...words).expect({ in: { flow: 'flowing', greeting: 'waiting for the client' } });
    greeted
      .after(move('seamless'))
      .when(...words)
      .expect({ in: { flow: 'flushing' } });
  });

  // Spec §5.9: the first is ignored by libspice-server, the others end its program.
  test.each([
    'msgc.migrate_end',
    'msgc.migrate_dst_do_seamless',
    'msgc.migrate_flush_mark',
    'msgc.migrate_data',
  ] as const)('is not %s, for a client that has not come from elsewhere', (type) => {
    greeted.when(stray(type)).expect({ in: { flow: 'down' }, does: goesDown('main:0', unexpected(type)) });
  });

  test('is not migrate_end after it has been told that the move is seamless', () => {
    arrived
      .after(greet('seamless'))
      .when(stray('msgc.migrate_end'))
      .expect({ in: { flow: 'down' }, does: goesDown('main:0', unexpected('msgc.migrate_end')), waits: [] });
  });
});

test('what the session says is said', () => {
  greeted
    .when({ type: 'session.say', message: { type: 'msg.migrate_cancel', body: {} } })
    .expect({ does: [send('msg.migrate_cancel')] });
});

test('nothing of the chart is left untested', () => {
  expect(untouched(mainServer)).toEqual([]);
});
