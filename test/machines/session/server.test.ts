/** A server's session: its channels, the client's arrival and departure (spec §2.10, §3.0, §5.1–5.3, §5.6–5.9). */
import { describe, expect, test } from 'vitest';
import type { Agreed, ChannelEvent, Scheme } from '../../../machines/contract.ts';
import type { MigrationSourceOutcome } from '../../../machines/migration/source.ts';
import type { MigrationTargetOutcome } from '../../../machines/migration/target.ts';
import { type SessionServerEvent, type SessionServerInput, sessionServer } from '../../../machines/session/server.ts';
import { caps, hasCap, MainCap } from '../../../src/protocol/capabilities.ts';
import { LinkErrorCode } from '../../../src/protocol/link.ts';
import type { MainReceived } from '../../../src/protocol/main.ts';
import { begins, done, elapsed, ends, failed, given, tells } from '../../support/given.ts';
import { untouched } from '../../support/touched.ts';
import { agreedOn } from '../words.ts';

const { semiSeamlessMigrate, agentConnectedTokens, seamlessMigrate, earlyLink, mayReturn } = MainCap;
const able = caps(semiSeamlessMigrate, agentConnectedTokens, seamlessMigrate);
const all: readonly Scheme[] = ['seamless', 'early-link', 'semi-seamless', 'switch-host'];
const destination = { host: 'there', port: 5900 };
const input = (more: Partial<SessionServerInput> = {}, mainCaps = able): SessionServerInput => ({
  session: 'session:1',
  connectionId: 7,
  offered: ['display:0', 'inputs:0', 'playback:0'],
  schemes: all,
  arriving: false,
  main: { link: 'link:1', agreed: agreedOn(mainCaps) },
  ...more,
});

// ----------------------------------------------------------------------------------------------------------- words

const asks = (channel: string, link: string): SessionServerEvent => ({ type: 'session.asks', channel, link });
const linked = (channel: string, link: string): SessionServerEvent => ({
  type: 'session.linked',
  channel,
  link,
  agreed: agreedOn(),
});
const lost = (channel: string, link: string): SessionServerEvent => ({ type: 'link.lost', channel, link });
const beginParked = (channel: string, link: string, beginning: 'fresh' | 'migrate data'): SessionServerEvent => ({
  type: 'target.begin',
  parked: { channel, link, agreed: agreedOn() },
  beginning,
});
const up = (channel: string): SessionServerEvent => ({ type: 'channel.up', channel });
const down = (channel: string): SessionServerEvent => ({ type: 'channel.down', channel, reason: 'the peer hung up' });
const offer = (scheme: Scheme, to = destination): SessionServerEvent => ({
  type: 'migration.offer',
  destination: to,
  scheme,
});
const end = (completed: boolean): SessionServerEvent => ({ type: 'migration.end', completed, destination });
const close: SessionServerEvent = { type: 'api.close', reason: 'enough' };
const answers: MainReceived<'server'>[] = [
  { type: 'msgc.migrate_connected', body: {} },
  { type: 'msgc.migrate_connected_seamless', body: {} },
  { type: 'msgc.migrate_connect_error', body: {} },
];
const counted: SessionServerEvent = { type: 'source.answer_counted' };

const attaching = (channel: string, link: string, beginning: string, agreed: Agreed = agreedOn()) =>
  tells(channel, { type: 'link.attach', link, agreed, beginning } as { type: string });
const beginning = (channel: string) =>
  begins(channel, { as: channel.slice(0, channel.indexOf(':')), input: { channel, connectionId: 7 } });
const decides = (link: string, code: number, reason = '') =>
  tells('parent', { type: 'session.decides', link, code, reason } as { type: string });
const denied = (link: string) =>
  decides(link, LinkErrorCode.channelNotAvailable, 'this channel is not served, or is linked already');
const noReturn = (link: string) =>
  decides(link, LinkErrorCode.badConnectionId, 'there is no returning to this session');
const isUp = (channel: string) => ({ type: 'report', news: { event: 'channel', channel, state: 'up' } });
const isDown = (channel: string) => ({
  type: 'report',
  news: { event: 'channel', channel, state: 'down', reason: 'the peer hung up' },
});
const toParent = (type: string, more: object) =>
  tells('parent', { type, session: 'session:1', ...more } as { type: string });
const isOver = (reason: string) => toParent('session.over', { reason });
const departed = (outcome: string) => toParent('session.departed', { outcome });
const hangUp = (channel: string, reason: string) => tells(channel, { type: 'api.close', reason } as { type: string });
const say = (message: object) => tells('main:0', { type: 'session.say', message } as { type: string });
const cancels = say({ type: 'msg.migrate_cancel', body: {} });
const channelsList = say({
  type: 'msg.channels_list',
  body: {
    channels: [
      { type: 2, id: 0 },
      { type: 3, id: 0 },
      { type: 5, id: 0 },
    ],
  },
});
const source = (scheme: Scheme, more: object = {}) =>
  begins('source', {
    as: 'source',
    input: { destination, scheme, gone: false, earlyLink: false, answersOwed: 1, ...more },
  });
const over = (reason: string) => ({ in: 'over', output: { reason }, waits: [], runs: [] });

// --------------------------------------------------------------------------------------------------------- stories

const begun = given(sessionServer, input());
const serving = begun.after(asks('display:0', 'link:2'), linked('display:0', 'link:2'));
const arriving = given(sessionServer, input({ arriving: true }));
const parked = arriving.after(asks('display:0', 'link:2'), linked('display:0', 'link:2'));
const parkedTwice = parked.after(asks('inputs:0', 'link:3'), linked('inputs:0', 'link:3'));
const moving = serving.after(offer('seamless'));
const stayed: MigrationSourceOutcome = { outcome: 'stayed', scheme: 'seamless' };

describe('a session begins', () => {
  test('with main, on the link that it came by', () => {
    begun.expect({
      in: { serving: 'staying' },
      does: [beginning('main:0'), attaching('main:0', 'link:1', 'fresh', agreedOn(able))],
      context: { linked: ['main:0'], mainCaps: able },
      waits: [],
    });
    begun.when(up('main:0')).expect({ does: [isUp('main:0')] });
  });

  test('with main waiting, when the client has come ahead of the guest', () => {
    arriving.expect({
      in: { arriving: 'in company' },
      waits: [],
      does: [
        beginning('main:0'),
        attaching('main:0', 'link:1', 'arrived', agreedOn(able)),
        begins('target', { as: 'target', input: { seamless: true, earlyLink: false } }),
      ],
    });
    const plain = given(sessionServer, input({ arriving: true, schemes: ['semi-seamless'] }, caps(earlyLink)));
    plain.expect({
      does: [
        ...arriving.acts.slice(0, 1),
        attaching('main:0', 'link:1', 'arrived', agreedOn(caps(earlyLink))),
        begins('target', { input: { seamless: false, earlyLink: false } }),
      ],
    });
    given(sessionServer, input({ arriving: true }, caps(earlyLink))).expect({
      does: [
        beginning('main:0'),
        attaching('main:0', 'link:1', 'arrived', agreedOn(caps(earlyLink))),
        begins('target', { input: { seamless: true, earlyLink: true } }),
      ],
    });
  });
});

describe('channels of a session', () => {
  test('are told to a client that asks', () => {
    begun.when({ type: 'msgc.attach_channels', body: {} }).expect({ does: [channelsList] });
  });

  test('are admitted if they are served, once', () => {
    begun
      .when(asks('display:0', 'link:2'))
      .expect({ does: [decides('link:2', LinkErrorCode.ok)], context: { reserved: { 'link:2': 'display:0' } } });
    begun.when(asks('display:9', 'link:2')).expect({ does: [denied('link:2')] });
    begun
      .after(asks('display:0', 'link:2'))
      .when(asks('display:0', 'link:3'))
      .expect({ does: [denied('link:3')] });
    serving.when(asks('display:0', 'link:3')).expect({ does: [denied('link:3')] });
  });

  test('are free again when the link that was admitted is lost, and only then', () => {
    const admitted = begun.after(asks('display:0', 'link:2'));
    admitted
      .after(asks('display:0', 'link:3'), lost('display:0', 'link:3'))
      .when(asks('display:0', 'link:4'))
      .expect({ does: [denied('link:4')] });
    admitted
      .after(lost('display:0', 'link:2'))
      .when(asks('display:0', 'link:4'))
      .expect({ does: [decides('link:4', LinkErrorCode.ok)] });
  });

  test('begin on their links', () => {
    begun
      .after(asks('display:0', 'link:2'))
      .when(linked('display:0', 'link:2'))
      .expect({
        does: [beginning('display:0'), attaching('display:0', 'link:2', 'fresh')],
        context: { linked: ['main:0', 'display:0'], reserved: {} },
      });
  });

  // Spec §5.7: losing one is that one's business.
  test('end alone, and can be linked again in the chart that they have', () => {
    const alone = serving.when(down('display:0'));
    alone.expect({ in: { serving: 'staying' }, does: [isDown('display:0')], context: { linked: ['main:0'] } });
    alone.when(asks('display:0', 'link:5')).expect({ does: [decides('link:5', LinkErrorCode.ok)] });
    alone
      .after(asks('display:0', 'link:5'))
      .when(linked('display:0', 'link:5'))
      .expect({ does: [attaching('display:0', 'link:5', 'fresh')], runs: ['main:0', 'display:0'] });
  });
});

describe('a session ends', () => {
  test('with main, and takes the others along', () => {
    serving.when(down('main:0')).expect({
      ...over('the peer hung up'),
      does: [
        isDown('main:0'),
        hangUp('main:0', 'the peer hung up'),
        hangUp('display:0', 'the peer hung up'),
        isOver('the peer hung up'),
        ends('main:0'),
        ends('display:0'),
      ],
    });
    parked.when(down('main:0')).expect({
      ...over('the peer hung up'),
      does: [
        ends('target'),
        isDown('main:0'),
        hangUp('main:0', 'the peer hung up'),
        isOver('the peer hung up'),
        ends('main:0'),
      ],
    });
  });

  test('when it is told to', () => {
    moving.when(close).expect({
      ...over('enough'),
      does: [
        ends('source'),
        hangUp('main:0', 'enough'),
        hangUp('display:0', 'enough'),
        isOver('enough'),
        ends('main:0'),
        ends('display:0'),
      ],
    });
  });

  test('when one of its own charts breaks', () => {
    const reason = 'a fault of this program';
    serving.when(failed('display:0')).expect({
      ...over(reason),
      does: [hangUp('main:0', reason), hangUp('display:0', reason), isOver(reason), ends('main:0')],
    });
  });
});

describe('a client that came ahead of the guest', () => {
  test('has its links parked', () => {
    arriving
      .after(asks('display:0', 'link:2'))
      .when(linked('display:0', 'link:2'))
      .expect({
        in: 'arriving',
        does: [
          tells('target', {
            type: 'target.park',
            channel: 'display:0',
            link: 'link:2',
            agreed: agreedOn(),
          } as { type: string }),
        ],
        context: { reserved: { 'link:2': 'display:0' }, linked: ['main:0'] },
      });
  });

  test('cannot park a channel twice, however often it tries', () => {
    parked.when(asks('display:0', 'link:3')).expect({ does: [denied('link:3')] });
    const tried = parked.when(asks('display:0', 'link:3'), lost('display:0', 'link:3'));
    tried.expect({ does: [denied('link:3'), tells('target', lost('display:0', 'link:3'))] });
    tried.when(asks('display:0', 'link:4')).expect({ does: [denied('link:4')] });
    parkedTwice
      .after(lost('display:0', 'link:2'))
      .when(asks('display:0', 'link:4'))
      .expect({ does: [decides('link:4', LinkErrorCode.ok)] });
  });

  test('has gone back when only its main link is left for a while, whether it says so or not', () => {
    const back = 'the client went back to the source';
    const one = parkedTwice.when(lost('display:0', 'link:2'));
    one.expect({ in: { arriving: 'in company' }, does: [tells('target', lost('display:0', 'link:2'))], waits: [] });
    const alone = one.when(lost('inputs:0', 'link:3'));
    alone.expect({
      in: { arriving: 'alone' },
      does: [tells('target', lost('inputs:0', 'link:3'))],
      context: { reserved: {} },
      waits: ['company deadline'],
    });
    alone
      .when(elapsed('company deadline'))
      .expect({ ...over(back), does: [ends('target'), hangUp('main:0', back), isOver(back), ends('main:0')] });
    const begunOne = parked.after(beginParked('display:0', 'link:2', 'migrate data'));
    begunOne.when(down('display:0')).expect({
      in: { arriving: 'alone' },
      does: [isDown('display:0'), tells('target', down('display:0'))],
      context: { linked: ['main:0'] },
    });
  });

  test('is told the channels when it has arrived, if it asks', () => {
    const asking = parked.when({ type: 'msgc.attach_channels', body: {} });
    asking.expect({ does: [tells('target', { type: 'msgc.attach_channels', body: {} })] });
    const has = toParent('session.arrived', { scheme: 'early-link' });
    asking
      .when(done('target', { outcome: 'arrived', scheme: 'early-link' }))
      .expect({ in: { serving: 'staying' }, does: [has, channelsList] });
    parked.when(done('target', { outcome: 'arrived', scheme: 'early-link' })).expect({ does: [has] });
  });

  test('has not gone back when it arrives on main after all, or links again', () => {
    const alone = parked.after(lost('display:0', 'link:2'));
    alone.when(done('target', { outcome: 'arrived', scheme: 'semi-seamless' })).expect({
      in: { serving: 'staying' },
      does: [toParent('session.arrived', { scheme: 'semi-seamless' })],
      waits: [],
    });
    alone
      .after(asks('display:0', 'link:4'), linked('display:0', 'link:4'))
      .expect({ in: { arriving: 'in company' }, waits: [] });
  });

  test('is let go when the guest will not come', () => {
    const why = 'the guest did not come';
    parked
      .when({ type: 'guest.lost' })
      .expect({ ...over(why), does: [ends('target'), hangUp('main:0', why), isOver(why), ends('main:0')] });
    serving.when({ type: 'guest.lost' }).expect({ in: { serving: 'staying' } });
  });

  test('is led by its hand-over', () => {
    const words: SessionServerEvent[] = [
      { type: 'link.spoke', link: 'link:2' },
      { type: 'msgc.attach_channels', body: {} },
      { type: 'msgc.migrate_end', body: {} },
      { type: 'msgc.migrate_dst_do_seamless', body: { srcVersion: 1 } },
      { type: 'channel.loaded', channel: 'display:0' },
    ];
    for (const event of words) parked.when(event).expect({ in: 'arriving', does: [tells('target', event)] });
    const greet: ChannelEvent = { type: 'migration.greet', scheme: 'seamless' };
    parked.when({ type: 'migration.tell', channel: 'main:0', event: greet }).expect({ does: [tells('main:0', greet)] });
    parked.when({ type: 'migration.tell', channel: 'display:0', event: greet }).expect({});
  });

  test('has its channels begun as the hand-over says, also after the arrival', () => {
    parked.when(beginParked('display:0', 'link:2', 'migrate data')).expect({
      does: [beginning('display:0'), attaching('display:0', 'link:2', 'migrate data')],
      context: { linked: ['main:0', 'display:0'], reserved: {} },
    });
    parked
      .after(done('target', { outcome: 'arrived', scheme: 'semi-seamless' } satisfies MigrationTargetOutcome))
      .when(beginParked('display:0', 'link:2', 'fresh'))
      .expect({ does: [beginning('display:0'), attaching('display:0', 'link:2', 'fresh')] });
  });

  test('may lose a channel and link it again before its state has come', () => {
    const lone = parkedTwice.after(beginParked('display:0', 'link:2', 'migrate data')).when(down('display:0'));
    lone.expect({
      in: { arriving: 'in company' },
      does: [isDown('display:0'), tells('target', down('display:0'))],
      context: { linked: ['main:0'] },
    });
    lone
      .after(asks('display:0', 'link:6'), linked('display:0', 'link:6'))
      .when(beginParked('display:0', 'link:6', 'migrate data'))
      .expect({
        does: [attaching('display:0', 'link:6', 'migrate data')],
        runs: ['main:0', 'target', 'display:0'],
      });
  });

  test('arrives, or does not', () => {
    parked
      .when(done('target', { outcome: 'arrived', scheme: 'seamless' } satisfies MigrationTargetOutcome))
      .expect({ in: { serving: 'staying' }, does: [toParent('session.arrived', { scheme: 'seamless' })] });
    const reason = 'the client did not arrive in time';
    parked
      .when(done('target', { outcome: 'abandoned', reason } satisfies MigrationTargetOutcome))
      .expect({ ...over(reason), does: [hangUp('main:0', reason), isOver(reason), ends('main:0')] });
  });

  // Spec §5.3, chained moves.
  test('is told of the next move when this one is over', () => {
    const waiting = parked.when(offer('seamless'));
    waiting.expect({ in: 'arriving' });
    waiting.when(done('target', { outcome: 'arrived', scheme: 'seamless' })).expect({
      in: { serving: 'moving' },
      does: [toParent('session.arrived', { scheme: 'seamless' }), source('seamless')],
    });
    waiting.when(end(false)).expect({ in: 'arriving', does: [departed('stayed')], context: { offer: null } });
    waiting
      .after(end(true))
      .when(done('target', { outcome: 'arrived', scheme: 'seamless' }))
      .expect({
        in: { serving: 'moving' },
        does: [
          toParent('session.arrived', { scheme: 'seamless' }),
          source('switch-host', { gone: true, answersOwed: 0 }),
        ],
      });
  });
});

describe('a client that is told of a move', () => {
  test('may answer when the guest stays already, and each answer is counted', () => {
    const late = moving.after(done('source', stayed));
    late.expect({ in: { serving: 'staying' }, context: { answersOwed: 1 } });
    for (const answer of answers) {
      const does = answer.type === 'msgc.migrate_connect_error' ? [] : [cancels];
      late.when(answer).expect({ does, context: { answersOwed: 0 } });
    }
  });

  test('may lose a channel meanwhile', () => {
    moving.when(down('display:0')).expect({ does: [isDown('display:0')], context: { linked: ['main:0'] } });
  });

  test('has not heard that the guest is gone while that stays', () => {
    const offered = { destination, scheme: 'seamless', gone: false };
    moving.when(end(false)).expect({ does: [tells('source', end(false))], context: { offer: offered } });
  });

  // Spec §3.0, §5.6.
  test.each([
    ['seamless', 'seamless', able, all],
    ['seamless', 'semi-seamless', caps(semiSeamlessMigrate, seamlessMigrate), all],
    ['seamless', 'semi-seamless', caps(semiSeamlessMigrate, agentConnectedTokens), all],
    ['seamless', 'switch-host', [], all],
    ['seamless', 'early-link', caps(semiSeamlessMigrate, earlyLink), all],
    ['seamless', 'semi-seamless', able, ['semi-seamless', 'switch-host']],
    ['seamless', 'switch-host', able, ['switch-host']],
    ['early-link', 'semi-seamless', able, all],
    ['early-link', 'semi-seamless', able, ['seamless', 'semi-seamless', 'switch-host']],
    [
      'semi-seamless',
      'semi-seamless',
      caps(semiSeamlessMigrate, agentConnectedTokens, seamlessMigrate, earlyLink),
      all,
    ],
    ['switch-host', 'switch-host', able, all],
    ['seamless', 'switch-host', caps(semiSeamlessMigrate), []],
  ] as const)('no better than by %s, hears of %s', (best, scheme, mainCaps, schemes) => {
    given(sessionServer, input({ schemes }, mainCaps))
      .when(offer(best))
      .expect({
        in: { serving: 'moving' },
        does: [
          source(scheme, {
            answersOwed: scheme === 'seamless' || scheme === 'semi-seamless' ? 1 : 0,
            earlyLink: hasCap(mainCaps, earlyLink),
          }),
        ],
      });
  });

  test('answers, and the answer is passed on and counted', () => {
    for (const answer of answers) {
      moving.when(answer).expect({ in: { serving: 'moving' }, does: [tells('source', answer)] });
    }
    moving.when(counted).expect({ context: { answersOwed: 0 } });
    moving
      .when({ type: 'source.answered', linked: true, scheme: 'seamless' })
      .expect({ does: [toParent('session.answered', { linked: true, scheme: 'seamless' })] });
  });

  test('stays when the guest does', () => {
    moving.when(end(false)).expect({ does: [tells('source', end(false))] });
    moving.when(done('source', stayed)).expect({
      in: { serving: 'staying' },
      does: [departed('stayed')],
      context: { offer: null },
    });
  });

  test('leaves when the guest has moved', () => {
    moving.when(end(true)).expect({ does: [tells('source', end(true))] });
    const reason = 'the guest has moved';
    for (const outcome of ['departed', 'overdue'] as const) {
      moving.when(done('source', { outcome, scheme: 'seamless' } satisfies MigrationSourceOutcome)).expect({
        ...over(reason),
        does: [
          departed(outcome),
          hangUp('main:0', reason),
          hangUp('display:0', reason),
          isOver(reason),
          ends('main:0'),
          ends('display:0'),
        ],
      });
    }
  });

  // Spec §5.7: only main tells that the client is gone.
  test('has left when main hangs up', () => {
    moving.when(down('main:0')).expect({
      in: { serving: 'moving' },
      does: [isDown('main:0'), tells('source', { type: 'session.empty' })],
      context: { linked: ['display:0'] },
    });
    moving.when(down('display:0')).expect({ in: { serving: 'moving' }, does: [isDown('display:0')] });
  });

  test('has every channel led by the hand-over', () => {
    const go: ChannelEvent = { type: 'migration.move', scheme: 'seamless' };
    moving
      .when({ type: 'migration.tell', channel: 'every', event: go })
      .expect({ does: [tells('main:0', go), tells('display:0', go)] });
    moving.after(down('display:0')).when({ type: 'migration.tell', channel: 'display:0', event: go }).expect({});
  });

  test('may link another channel meanwhile', () => {
    moving
      .after(asks('inputs:0', 'link:8'))
      .when(linked('inputs:0', 'link:8'))
      .expect({ does: [beginning('inputs:0'), attaching('inputs:0', 'link:8', 'fresh')] });
  });

  // Spec §5.3: the reference takes the first answer for the second announcement.
  test('hears that the first move is cancelled before it hears of the second', () => {
    const elsewhere = { host: 'elsewhere', port: 1 };
    moving.when(offer('semi-seamless', elsewhere)).expect({
      in: { serving: 'moving' },
      does: [ends('source'), cancels, source('semi-seamless', { destination: elsewhere, answersOwed: 2 })],
    });
    moving
      .after(counted)
      .when(offer('semi-seamless'))
      .expect({ does: [ends('source'), cancels, source('semi-seamless', { answersOwed: 1 })] });
  });

  test('may owe an answer from a move that was given up', () => {
    const again = moving.after(done('source', stayed));
    again.when(offer('seamless')).expect({ does: [source('seamless', { answersOwed: 2 })] });
    again.when(offer('switch-host')).expect({ does: [source('switch-host', { answersOwed: 1 })] });
    again
      .after(answers[0]!)
      .when(offer('seamless'))
      .expect({ does: [source('seamless', { answersOwed: 1 })] });
  });
});

describe('a client that is not told of a move', () => {
  // Spec §5.9, and §5.1 for the one that is still linking when the move is given up.
  test('hears that there is none when it says that it is linked', () => {
    serving.when(answers[0]!).expect({ in: { serving: 'staying' }, does: [cancels], context: { answersOwed: 0 } });
    serving.when(answers[1]!).expect({ in: { serving: 'staying' }, does: [cancels] });
    serving.when(answers[2]!).expect({ in: { serving: 'staying' } });
  });

  // Spec §5.7: it came after the announcement.
  test('is sent after the guest', () => {
    serving.when(end(true)).expect({
      in: { serving: 'moving' },
      does: [source('switch-host', { gone: true, answersOwed: 0 })],
    });
    serving.when(end(false)).expect({ in: { serving: 'staying' }, does: [departed('stayed')] });
  });
});

describe('a client that is lost', () => {
  const faithful = caps(semiSeamlessMigrate, agentConnectedTokens, seamlessMigrate, mayReturn);
  const wanted = input({ returnMs: 60_000 }, faithful);
  const gone = (channel: string): SessionServerEvent => ({ ...down(channel), lost: true }) as SessionServerEvent;
  const returned: SessionServerEvent = {
    type: 'session.linked',
    channel: 'main:0',
    link: 'link:9',
    agreed: agreedOn(faithful),
  };
  const there = given(sessionServer, wanted).after(asks('display:0', 'link:2'), linked('display:0', 'link:2'));
  const waiting = there.after(gone('main:0'), down('display:0'));
  const waits = (reason: string) => toParent('session.waits', { reason });
  const backOn = [attaching('main:0', 'link:9', 'fresh', agreedOn(faithful)), toParent('session.returned', {})];
  const elsewhere = 'the client has come back over another connection';

  test('is waited for, if it may return', () => {
    there.when(gone('main:0')).expect({
      in: 'awaiting return',
      does: [isDown('main:0'), hangUp('display:0', 'the peer hung up'), waits('the peer hung up')],
      context: { linked: ['display:0'] },
      waits: ['return deadline'],
      runs: ['main:0', 'display:0'],
    });
    expect(waiting.pending('return deadline').delay).toBe(60_000);
    for (const [more, mainCaps] of [
      [{}, faithful],
      [{ returnMs: 0 }, faithful],
      [{ returnMs: 60_000 }, able],
    ] as const) {
      given(sessionServer, input(more, mainCaps))
        .when(gone('main:0'))
        .expect({ in: 'over', ended: true, does: expect.arrayContaining([isOver('the peer hung up')]) });
      given(sessionServer, input(more, mainCaps))
        .when(asks('main:0', 'link:9'))
        .expect({ does: [noReturn('link:9')] });
    }
  });

  test('is not waited for when it has said goodbye, or broken the rules', () => {
    there
      .when(down('main:0'))
      .expect({ in: 'over', ended: true, does: expect.arrayContaining([isOver('the peer hung up')]) });
  });

  test('is not waited for for ever, nor when everybody is to go', () => {
    const reason = 'the client did not return in time';
    waiting
      .when(elapsed('return deadline'))
      .expect({ ...over(reason), does: [isOver(reason), ends('main:0'), ends('display:0')] });
    waiting.when(close).expect({ ...over('enough'), does: [isOver('enough'), ends('main:0'), ends('display:0')] });
  });

  test('has its session back over a new main link, and its channels after that', () => {
    waiting.when(asks('main:0', 'link:9')).expect({ does: [decides('link:9', LinkErrorCode.ok)] });
    waiting.when(asks('display:0', 'link:9')).expect({ does: [denied('link:9')] });
    const back = waiting.after(asks('main:0', 'link:9')).when(returned);
    back.expect({
      in: { serving: 'staying' },
      does: backOn,
      context: { linked: ['main:0'], reserved: {}, back: null, lost: false, connectionId: 7 },
      waits: [],
    });
    back
      .after(asks('display:0', 'link:10'))
      .when(linked('display:0', 'link:10'))
      .expect({ does: [attaching('display:0', 'link:10', 'fresh')] });
    back.after(gone('main:0')).expect({ in: 'awaiting return', waits: ['return deadline'] });
    waiting.when(linked('inputs:0', 'link:9')).expect({ in: 'awaiting return' });
  });

  test('is not lost for the server yet when it returns: the old connection makes way', () => {
    there.when(asks('main:0', 'link:9')).expect({ does: [decides('link:9', LinkErrorCode.ok)] });
    const both = there.after(asks('main:0', 'link:9')).when(returned);
    both.expect({
      in: { serving: 'staying' },
      does: [hangUp('main:0', elsewhere), hangUp('display:0', elsewhere)],
    });
    both.when({ type: 'channel.down', channel: 'main:0', reason: elsewhere }).expect({
      in: { serving: 'staying' },
      does: [
        { type: 'report', news: { event: 'channel', channel: 'main:0', state: 'down', reason: elsewhere } },
        hangUp('display:0', elsewhere),
        waits(elsewhere),
        ...backOn,
      ],
      context: { linked: ['display:0', 'main:0'] },
    });
  });

  test('cannot return to a hand-over', () => {
    given(sessionServer, { ...wanted, arriving: true })
      .when(asks('main:0', 'link:9'))
      .expect({ in: 'arriving', does: [noReturn('link:9')] });
  });

  test('is let go with a goodbye when it is there', () => {
    const bye = say({ type: 'msg.disconnecting', body: { timeStamp: 0n, reason: 0 } });
    given(sessionServer, wanted)
      .when(close)
      .expect({ ...over('enough'), does: [bye, hangUp('main:0', 'enough'), isOver('enough'), ends('main:0')] });
  });

  describe('while the guest moves', () => {
    const notLinked = toParent('session.answered', { linked: false, scheme: 'switch-host' });
    const isLost: MigrationSourceOutcome = { outcome: 'lost', scheme: 'seamless' };
    const leaving = there.after(offer('seamless'));
    const goneInMove = leaving.after(gone('main:0'));

    test('does not hold the move up, and is told of it again when it is back', () => {
      const waitsOn = goneInMove.when(done('source', isLost));
      waitsOn.expect({
        in: 'awaiting return',
        does: [notLinked, departed('lost'), hangUp('display:0', 'the peer hung up'), waits('the peer hung up')],
      });
      waitsOn.when(returned).expect({
        in: { serving: 'moving' },
        does: [...backOn, source('seamless')],
      });
      waitsOn.when(end(false)).expect({ in: 'awaiting return', does: [departed('stayed')], context: { offer: null } });
      const after = waitsOn.when(end(true));
      after.expect({ in: 'awaiting return', does: [departed('lost')] });
      after.when(returned).expect({
        in: { serving: 'moving' },
        does: [...backOn, source('switch-host', { gone: true, answersOwed: 0 })],
      });
      after
        .after({ type: 'guest.back' })
        .when(returned)
        .expect({ in: { serving: 'staying' }, does: backOn });
    });

    test('is sent after the guest when it has missed the end', () => {
      leaving
        .after(end(true), gone('main:0'), done('source', isLost))
        .when(returned)
        .expect({
          in: { serving: 'moving' },
          does: [...backOn, source('switch-host', { gone: true, answersOwed: 0 })],
        });
      // The end was said on a connection that was dead already.
      leaving
        .after(end(true), returned, { type: 'channel.down', channel: 'main:0', reason: elsewhere })
        .when(done('source', { outcome: 'departed', scheme: 'seamless' }))
        .expect({
          in: { serving: 'moving' },
          does: [
            notLinked,
            departed('departed'),
            hangUp('display:0', elsewhere),
            waits(elsewhere),
            ...backOn,
            source('switch-host', { gone: true, answersOwed: 0 }),
          ],
        });
    });

    test('hears of a move that was announced while it was away', () => {
      const told = waiting.when(offer('seamless'));
      told.expect({ in: 'awaiting return', does: [notLinked] });
      told.when(returned).expect({ in: { serving: 'moving' }, does: [...backOn, source('seamless')] });
    });

    test('is not waited for when it has left on its own account', () => {
      leaving
        .after(down('main:0'))
        .when(done('source', isLost))
        .expect({ in: 'over', ended: true, does: expect.arrayContaining([isOver('the guest has moved')]) });
      leaving
        .after(gone('main:0'))
        .when(done('source', { outcome: 'departed', scheme: 'seamless' }))
        .expect({ in: 'over', ended: true, does: expect.arrayContaining([isOver('the guest has moved')]) });
    });
  });
});

test('nothing of the chart is left untested', () => expect(untouched(sessionServer)).toEqual([]));
