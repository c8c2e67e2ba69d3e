/** A client's session: linking, keeping channels up, following the guest (spec §2.10, §3a, §5.1–5.4, §5.7, §5.9). */
import { describe, expect, test } from 'vitest';
import type { ChannelEvent, Destination, HandoverPhase } from '../../../machines/contract.ts';
import { linkName, type MigrationClientOutcome } from '../../../machines/migration/client.ts';
import { type SessionClientEvent, type SessionClientInput, sessionClient } from '../../../machines/session/client.ts';
import { caps, MainCap } from '../../../src/protocol/capabilities.ts';
import { ChannelType } from '../../../src/protocol/constants.ts';
import type { MainReceived } from '../../../src/protocol/main.ts';
import { begins, done, elapsed, ends, failed, given, tells } from '../../support/given.ts';
import { untouched } from '../../support/touched.ts';
import { agreedOn } from '../words.ts';

const here: Destination = { host: 'here', port: 5900 };
const there: Destination = { host: 'there', port: 5900, tlsPort: undefined, certSubject: '' };
const dstInfo = { host: 'there', port: 5900, sport: 0, certSubject: '' };
const input: SessionClientInput = {
  destination: here,
  wanted: ['display', 'inputs'],
  schemes: ['seamless', 'early-link', 'semi-seamless', 'switch-host'],
};

// ----------------------------------------------------------------------------------------------------------- words

const linkUp = (channel: string, attempt: number, channelCaps = caps(MainCap.seamlessMigrate)): SessionClientEvent => ({
  type: 'link.up',
  link: linkName(channel, attempt),
  channel,
  agreed: agreedOn(channelCaps),
});
const linkFailed = (channel: string, attempt: number): SessionClientEvent => ({
  type: 'link.failed',
  link: linkName(channel, attempt),
  channel,
  reason: 'refused',
});
const linkLost = (channel: string, attempt: number): SessionClientEvent => ({
  type: 'link.lost',
  link: linkName(channel, attempt),
  channel,
});
const up = (channel: string): SessionClientEvent => ({ type: 'channel.up', channel });
const down = (channel: string): SessionClientEvent => ({ type: 'channel.down', channel, reason: 'the peer hung up' });
const lost = (channel: string): SessionClientEvent => ({ ...down(channel), lost: true }) as SessionClientEvent;
const left = (channel: string): SessionClientEvent => ({ type: 'channel.left', channel, data: true });
const switched = (channel: string): SessionClientEvent => ({ type: 'channel.switched', channel });
const close: SessionClientEvent = { type: 'api.close', reason: 'enough' };
const init = (sessionId: number): MainReceived<'client'> => ({
  type: 'msg.init',
  body: {
    sessionId,
    displayChannelsHint: 1,
    supportedMouseModes: 3,
    currentMouseMode: 1,
    agentConnected: 0,
    agentTokens: 10,
    multiMediaTime: 0,
    ramHint: 0,
  },
});
const list = (...channels: [keyof typeof ChannelType, number][]): MainReceived<'client'> => ({
  type: 'msg.channels_list',
  body: { channels: channels.map(([name, id]) => ({ type: ChannelType[name], id })) },
});
const switchHost: MainReceived<'client'> = { type: 'msg.migrate_switch_host', body: dstInfo };
const begin: MainReceived<'client'> = { type: 'msg.migrate_begin', body: dstInfo };
const beginSeamless: MainReceived<'client'> = {
  type: 'msg.migrate_begin_seamless',
  body: { ...dstInfo, srcMigVersion: 1 },
};
const cancel: MainReceived<'client'> = { type: 'msg.migrate_cancel', body: {} };
const end: MainReceived<'client'> = { type: 'msg.migrate_end', body: {} };

const linking = (channel: string, attempt: number, connectionId: number, destination = here) =>
  begins(linkName(channel, attempt), {
    as: 'link',
    input: { link: linkName(channel, attempt), channel, connectionId, destination },
  });
const beginning = (channel: string) =>
  begins(channel, { as: channel.slice(0, channel.indexOf(':')), input: { channel } });
const attaching = (channel: string, attempt: number, channelCaps = caps(MainCap.seamlessMigrate)) =>
  tells(channel, {
    type: 'link.attach',
    link: linkName(channel, attempt),
    agreed: agreedOn(channelCaps),
    beginning: 'fresh',
  } as { type: string });
const report = (news: object) => ({ type: 'report', news });
const isUp = (channel: string) => report({ event: 'channel', channel, state: 'up' });
const isDown = (channel: string, reason = 'the peer hung up') =>
  report({ event: 'channel', channel, state: 'down', reason });
const handover = (
  phase: HandoverPhase,
  attempt: number,
  channels: readonly string[],
  more: { from?: string; to?: string } = {},
) =>
  report({
    event: 'handover',
    phase,
    scheme: 'switch-host',
    attempt,
    from: 'here:5900',
    to: 'there:5900',
    channels,
    ...more,
  });
const over = (reason: string) => report({ event: 'closed', reason });
const hangUp = (channel: string, reason: string) => tells(channel, { type: 'api.close', reason } as { type: string });
const toHandover = (event: { type: string }) => tells('migration', event);
const tell = (channel: string, event: ChannelEvent): SessionClientEvent => ({ type: 'migration.tell', channel, event });

// --------------------------------------------------------------------------------------------------------- stories

const all = ['main:0', 'display:0', 'inputs:0'];
const begun = given(sessionClient, input);
const greeting = begun.after(linkUp('main:0', 1), done(linkName('main:0', 1)), up('main:0'));
const staying = greeting.after(init(7));
const whole = staying.after(
  list(['display', 0], ['inputs', 0]),
  linkUp('display:0', 2),
  done(linkName('display:0', 2)),
  up('display:0'),
  linkUp('inputs:0', 2),
  done(linkName('inputs:0', 2)),
  up('inputs:0'),
);
const early = caps(MainCap.earlyLink);
const wholeEarly = begun.after(
  linkUp('main:0', 1, early),
  done(linkName('main:0', 1)),
  up('main:0'),
  init(7),
  list(['display', 0]),
  linkUp('display:0', 2),
  done(linkName('display:0', 2)),
  up('display:0'),
);
const following = whole.after(begin);
const stay: MigrationClientOutcome = { outcome: 'stay' };
const gone: MigrationClientOutcome = {
  outcome: 'switched',
  scheme: 'semi-seamless',
  destination: there,
  mainCaps: early,
  switched: all,
};
const afresh: MigrationClientOutcome = { outcome: 'begin afresh', destination: there, resolved: true };
const resolving = (destination: Destination = there) => begins('resolve destination', { input: { destination } });
const resolved = (destination: Destination = there) => done('resolve destination', destination);
const closed = (reason: string) => ({ output: { reason }, waits: [], runs: [] });

describe('a session begins', () => {
  test('by linking main', () => {
    begun.expect({ in: 'linking main', does: [linking('main:0', 1, 0)], waits: [] });
    begun.when(linkUp('main:0', 1)).expect({
      in: 'awaiting init',
      does: [beginning('main:0'), attaching('main:0', 1)],
      context: { mainCaps: caps(MainCap.seamlessMigrate) },
    });
    begun
      .after(linkUp('main:0', 1))
      .when(done(linkName('main:0', 1)))
      .expect({ in: 'awaiting init', runs: ['main:0'] });
    begun
      .after(linkUp('main:0', 1))
      .when(up('main:0'))
      .expect({ does: [isUp('main:0')] });
  });

  test('with the greeting', () => {
    greeting.when(init(7)).expect({ in: { up: 'staying' }, does: [report({ event: 'session', connectionId: 7 })] });
  });

  test('not, when main cannot be linked, or dies before it has greeted', () => {
    begun.when(linkFailed('main:0', 1)).expect({
      ...closed('refused'),
      does: [over('refused'), ends(linkName('main:0', 1))],
    });
    greeting
      .when(down('main:0'))
      .expect({ ...closed('the peer hung up'), does: [over('the peer hung up'), ends('main:0')] });
  });

  // A server whose guest has gone sends a client that comes late after it, before the greeting.
  test('elsewhere, when the guest is not here any more', () => {
    greeting.when(switchHost).expect({
      in: { 'switching host': 'resolving' },
      does: [handover('begun', 1, ['main:0']), ends('main:0'), resolving()],
    });
  });

  // A server that counts on one answer to each announcement must not wait in vain for this one.
  test('and hears afterwards what was announced before the greeting', () => {
    for (const announced of [begin, beginSeamless]) {
      const kept = greeting.when(announced);
      kept.expect({ in: 'awaiting init', does: [], context: { heard: [announced] } });
      kept.when(init(7)).expect({
        in: { up: 'following' },
        does: [report({ event: 'session', connectionId: 7 }), begins('migration')],
        context: { heard: [] },
      });
    }
    greeting
      .after(begin, cancel)
      .when(init(7))
      .expect({ does: [report({ event: 'session', connectionId: 7 }), begins('migration'), toHandover(cancel)] });
    const able = begun.after(linkUp('main:0', 1, early), done(linkName('main:0', 1)), up('main:0'));
    able.when(switchHost, left('main:0')).expect({ in: 'awaiting init', does: [] });
    able
      .after(switchHost, left('main:0'))
      .when(init(7))
      .expect({
        in: { up: 'following' },
        does: [report({ event: 'session', connectionId: 7 }), begins('migration'), toHandover(left('main:0'))],
      });
  });

  test('not, when the server does not greet', () => {
    greeting.expect({ waits: ['init deadline'] });
    greeting
      .when(elapsed('init deadline'))
      .expect({ ...closed('no init in time'), does: [over('no init in time'), ends('main:0')] });
  });
});

describe('channels', () => {
  test('are no more than a client has use for', () => {
    const many = Array.from({ length: 200 }, (_, id): ['display', number] => ['display', id]);
    const linked = many.slice(0, 31).map(([, id]) => linkName(`display:${id}`, 2));
    staying.after(list(...many)).expect({ runs: ['main:0', ...linked] });
  });

  test('are linked if they are wanted and known, each once', () => {
    staying
      .when(list(['display', 0], ['display', 0], ['display', 1], ['playback', 0], ['main', 0], ['inputs', 0]))
      .expect({
        in: { up: 'staying' },
        does: ['display:0', 'display:1', 'inputs:0'].map((channel) => linking(channel, 2, 7)),
      });
    staying
      .when({ type: 'msg.channels_list', body: { channels: [{ type: 99, id: 0 }] } })
      .expect({ in: { up: 'staying' } });
  });

  test('are not linked again when the list comes again, up or not', () => {
    const first = staying.after(list(['display', 0], ['inputs', 0]));
    first.when(list(['display', 0], ['inputs', 0])).expect({});
    whole.when(list(['display', 0], ['inputs', 0], ['display', 1])).expect({ does: [linking('display:1', 3, 7)] });
  });

  test('begin on their links', () => {
    const first = staying.after(list(['display', 0]));
    first.when(linkUp('display:0', 2)).expect({
      does: [beginning('display:0'), attaching('display:0', 2)],
      context: { mainCaps: caps(MainCap.seamlessMigrate) },
    });
    first
      .after(linkUp('display:0', 2))
      .when(up('display:0'))
      .expect({ does: [isUp('display:0')] });
    expect(whole.snapshot.context.up).toEqual(all);
  });

  test('are linked again soon when they die, in the chart that they have', () => {
    const dead = whole.when(down('display:0'));
    dead.expect({ in: { up: 'staying' }, does: [isDown('display:0')], waits: ['relink delay'] });
    const again = dead.when(elapsed('relink delay'));
    again.expect({ does: [linking('display:0', 3, 7)], waits: [] });
    again
      .when(linkUp('display:0', 3))
      .expect({ does: [attaching('display:0', 3)], runs: [...all, linkName('display:0', 3)] });
  });

  test('are not linked again when they have come up, or are being linked, in the meantime', () => {
    const dead = whole.after(down('display:0'));
    const listed = dead.after(list(['display', 0]));
    listed.when(elapsed('relink delay')).expect({ waits: [] });
    listed
      .after(linkUp('display:0', 3), done(linkName('display:0', 3)), up('display:0'))
      .when(elapsed('relink delay'))
      .expect({ waits: [] });
  });

  test('are given up after three tries', () => {
    let story = whole.after(down('display:0'));
    for (let attempt = 3; attempt <= 5; attempt++) {
      story = story.when(elapsed('relink delay'));
      story.expect({ does: [linking('display:0', attempt, 7)] });
      if (attempt < 5) story = story.after(linkFailed('display:0', attempt), done(linkName('display:0', attempt)));
    }
    story
      .when(linkFailed('display:0', 5))
      .expect({ in: { up: 'staying' }, does: [isDown('display:0', 'refused')], waits: [] });
    story.when(linkLost('display:0', 5)).expect({ does: [isDown('display:0', '')], waits: [] });
    story
      .after(linkUp('display:0', 5), done(linkName('display:0', 5)), up('display:0'))
      .when(down('display:0'))
      .expect({ in: { up: 'staying' }, does: [isDown('display:0')], waits: ['steady time'] });
  });

  test('have all their tries again when they have been up for a while', () => {
    const again = whole
      .after(down('display:0'), elapsed('relink delay'), linkUp('display:0', 3), done(linkName('display:0', 3)))
      .when(up('display:0'));
    again.expect({ does: [isUp('display:0')], context: { tries: { 'display:0': 1 } }, waits: ['steady time'] });
    again.when(elapsed('steady time')).expect({ context: { tries: {} }, waits: [] });
    again
      .after(down('display:0'))
      .when(elapsed('steady time'))
      .expect({ context: { tries: { 'display:0': 1 } } });
  });

  test('are tried again when their link fails or is lost before they use it', () => {
    const first = staying.after(list(['display', 0]));
    first.when(linkFailed('display:0', 2)).expect({ waits: ['relink delay'] });
    first.when(linkLost('display:0', 2)).expect({ waits: ['relink delay'] });
  });

  test('end the session when main is the one that dies', () => {
    whole.when(down('main:0')).expect({
      ...closed('the peer hung up'),
      does: [isDown('main:0'), over('the peer hung up'), ...all.map(ends)],
    });
  });

  // Spec §5.9: a migrate where there is no hand-over.
  test('that are let go to nowhere are hung up', () => {
    whole.when(left('display:0')).expect({
      in: { up: 'staying' },
      does: [hangUp('display:0', 'the server let it go, but to nowhere')],
    });
    whole.after(down('display:0')).when(left('display:0')).expect({});
  });
});

describe('a session ends', () => {
  test('when it is told to, and nothing of it is left', () => {
    begun.when(close).expect({ ...closed('enough'), does: [over('enough'), ends(linkName('main:0', 1))] });
    whole.when(close).expect({ ...closed('enough'), does: [over('enough'), ...all.map(ends)] });
    following.when(close).expect({ ...closed('enough'), does: [ends('migration'), over('enough'), ...all.map(ends)] });
  });

  test('when one of its own charts breaks', () => {
    whole.when(failed('display:0')).expect({
      ...closed('a fault of this program'),
      does: [over('a fault of this program'), ends('main:0'), ends('inputs:0')],
    });
  });
});

describe('a client that is told of a move', () => {
  const toFollow = (attempt: number, scheme: string, srcVersion: number, destination = there, from = here) =>
    begins('migration', {
      as: 'migration',
      input: { attempt, scheme, srcVersion, from, destination, connectionId: 7, channels: all, left: [] },
    });

  test('follows, by the scheme that was announced', () => {
    whole.when(begin).expect({ in: { up: 'following' }, does: [toFollow(3, 'semi-seamless', 0)] });
    whole.when(beginSeamless).expect({ in: { up: 'following' }, does: [toFollow(3, 'seamless', 1)] });
  });

  // Spec §5.3: the C client keeps the first and is linked to the wrong host.
  test('follows the last one when there are two', () => {
    for (const second of [begin, beginSeamless]) {
      following.when(second).expect({
        in: { up: 'following' },
        does: [
          ends('migration'),
          toFollow(4, second === begin ? 'semi-seamless' : 'seamless', second === begin ? 0 : 1),
        ],
      });
    }
  });

  // Spec §5.9.
  test('minds no other word about moves while there is none', () => {
    whole.when(cancel, end).expect({ in: { up: 'staying' } });
  });

  test('lets the hand-over know all that concerns it', () => {
    for (const event of [cancel, end, switchHost, left('display:0'), switched('display:0'), down('main:0')]) {
      following.when(event).expect({ in: { up: 'following' }, does: [toHandover(event)] });
    }
    following.when(init(8)).expect({ does: [toHandover(init(8))], context: { connectionId: 8 } });
  });

  test('passes on what the hand-over tells channels, to those that are up', () => {
    const leave = { type: 'migration.leave' } as const;
    following.when(tell('every', leave)).expect({ does: [tells('display:0', leave), tells('inputs:0', leave)] });
    following.when(tell('main:0', leave)).expect({ does: [tells('main:0', leave)] });
    following.after(down('display:0')).when(tell('display:0', leave)).expect({});
    following
      .after(down('display:0'))
      .when(tell('every', leave))
      .expect({ does: [tells('inputs:0', leave)] });
  });

  test('keeps its other channels up meanwhile, within bounds', () => {
    const dead = following.when(down('display:0'));
    dead.expect({ does: [isDown('display:0'), toHandover(down('display:0'))], waits: ['relink delay'] });
    dead.when(elapsed('relink delay')).expect({ in: { up: 'following' }, does: [linking('display:0', 4, 7)] });
    let story = following;
    for (let attempt = 4; attempt <= 6; attempt++) {
      story = story.after(
        down('display:0'),
        elapsed('relink delay'),
        linkUp('display:0', attempt),
        done(linkName('display:0', attempt)),
        up('display:0'),
      );
    }
    story.when(down('display:0')).expect({
      does: [isDown('display:0'), toHandover(down('display:0'))],
      waits: ['steady time', 'steady time', 'steady time'],
    });
  });
});

// Spec §5.3: what a target has in mind comes after what is under way.
describe('a target that is a source already', () => {
  const half = following.after(switched('main:0'));

  test('is heard when the client has come over: its announcement is followed then', () => {
    for (const announced of [begin, beginSeamless]) {
      const kept = half.when(announced);
      kept.expect({ in: { up: 'following' }, does: [], context: { heard: [announced] } });
      const next = kept.when(done('migration', gone));
      next.expect({
        in: { up: 'following' },
        does: [begins('migration')],
        context: { destination: there, attempt: 4, moved: [], heard: [] },
      });
    }
    following
      .after(switched('display:0'))
      .when(begin)
      .expect({ does: [ends('migration'), begins('migration')] });
  });

  test('is heard in order: what it takes back was never followed for long', () => {
    for (const word of [cancel, end, switchHost]) {
      const kept = half.when(begin, word);
      kept.expect({ does: [] });
      kept
        .when(done('migration', gone))
        .expect({ in: { up: 'following' }, does: [begins('migration'), toHandover(word)], context: { heard: [] } });
    }
    half.when(...Array<SessionClientEvent>(9).fill(begin)).expect({ context: { heard: Array(8).fill(begin) } });
  });

  test('may let a channel go that has come over, and no other', () => {
    const partly = following.after(switched('display:0'));
    partly.when(left('inputs:0')).expect({ does: [toHandover(left('inputs:0'))] });
    const kept = partly.when(left('display:0'));
    kept.expect({ does: [], context: { heard: [left('display:0')] } });
    kept.when(done('migration', gone)).expect({ in: { up: 'staying' }, context: { letGo: ['display:0'] } });
    partly
      .after(down('display:0'))
      .when(left('display:0'))
      .expect({ does: [toHandover(left('display:0'))] });
  });

  test('is not heard when the client begins afresh', () => {
    half
      .after(begin)
      .when(done('migration', afresh))
      .expect({
        in: { 'switching host': 'linking main' },
        does: [handover('fell-back', 3, all), ...all.map(ends), linking('main:0', 4, 0, there)],
        context: { moved: [], heard: [] },
      });
  });
});

describe('a hand-over ends', () => {
  const atTarget = following.when(done('migration', gone));

  test('at the target: everything goes on there', () => {
    atTarget.expect({ in: { up: 'staying' }, context: { destination: there, mainCaps: early, tries: {} }, runs: all });
    atTarget
      .after(down('display:0'))
      .when(elapsed('relink delay'))
      .expect({ does: [linking('display:0', 4, 7, there)] });
  });

  test('at the target: it is looked for once more if it is gone at once, and not later', () => {
    atTarget.expect({ in: { up: { staying: 'settling' } }, waits: ['settling time'] });
    atTarget.when(down('main:0')).expect({
      in: { 'switching host': 'linking main' },
      does: [handover('fell-back', 3, all, { from: 'there:5900' }), ...all.map(ends), linking('main:0', 4, 0, there)],
      context: { destination: there, up: [], tries: {} },
      waits: [],
    });
    atTarget.when(down('display:0')).expect({ in: { up: { staying: 'settling' } }, does: [isDown('display:0')] });
    const settled = atTarget.when(elapsed('settling time'));
    settled.expect({ in: { up: { staying: 'settled' } }, waits: [] });
    settled.when(down('main:0')).expect({
      does: [isDown('main:0'), over('the peer hung up'), ...all.map(ends)],
      output: { reason: 'the peer hung up' },
    });
    atTarget.after(begin).expect({ in: { up: 'following' }, waits: [] });
  });

  test('at the target: those that did not come along are hung up, and linked there', () => {
    const reason = 'it did not switch in time';
    const partly = following.when(done('migration', { ...gone, switched: ['main:0', 'inputs:0'] }));
    partly.expect({ in: { up: 'staying' }, does: [hangUp('display:0', reason)] });
    partly
      .after(down('display:0'))
      .when(elapsed('relink delay'))
      .expect({ does: [linking('display:0', 4, 7, there)] });
    // Linked at the source while the hand-over went on.
    following
      .after(linkUp('display:1', 4), up('display:1'))
      .when(done('migration', gone))
      .expect({ does: [hangUp('display:1', reason)] });
    following
      .after(down('display:0'))
      .when(done('migration', { ...gone, switched: ['main:0', 'inputs:0'] }))
      .expect({});
  });

  test('at the target: what was being linked at the source is linked there instead', () => {
    const relinking = following.after(down('display:0'), elapsed('relink delay'));
    const moved = relinking.when(done('migration', { ...gone, switched: ['main:0', 'inputs:0'] }));
    moved.expect({
      in: { up: 'staying' },
      does: [ends(linkName('display:0', 4))],
      runs: all,
      waits: ['relink delay', 'settling time'],
    });
    moved.when(elapsed('relink delay')).expect({ does: [linking('display:0', 5, 7, there)] });
  });

  test('at the target: what was given up at the source is linked there', () => {
    let story = following.after(down('display:0'));
    for (let attempt = 4; attempt <= 6; attempt++) {
      story = story.after(
        elapsed('relink delay'),
        linkFailed('display:0', attempt),
        done(linkName('display:0', attempt)),
      );
    }
    const moved = story.when(done('migration', { ...gone, switched: ['main:0', 'inputs:0'] }));
    moved.expect({ in: { up: 'staying' }, waits: ['relink delay', 'settling time'], context: { tries: {} } });
    moved.when(elapsed('relink delay')).expect({ does: [linking('display:0', 7, 7, there)] });
  });

  test('at the source: nothing has happened', () => {
    following
      .when(done('migration', stay))
      .expect({ in: { up: 'staying' }, context: { destination: here, up: all }, runs: all });
  });

  // The guest may have moved or not: a source that is there knows, and sends the client after it.
  test('with a new session at the source, when its main was lost, or else at the target', () => {
    const lost = (resolved: boolean): MigrationClientOutcome => ({
      outcome: 'look for the guest',
      source: here,
      target: there,
      resolved,
    });
    const looking = following.when(done('migration', lost(true)));
    const back = { from: 'here:5900', to: 'here:5900' };
    looking.expect({
      in: { 'switching host': 'linking main' },
      does: [handover('fell-back', 3, all, back), ...all.map(ends), linking('main:0', 4, 0)],
      context: { destination: here, up: [], otherwise: { destination: there, resolved: true } },
    });
    const there2 = { does: [linking('main:0', 5, 0, there)], context: { destination: there, otherwise: null } };
    looking.when(linkFailed('main:0', 4)).expect({
      ...there2,
      in: { 'switching host': 'linking main' },
      does: [ends(linkName('main:0', 4)), ...there2.does],
    });
    const linked = looking.after(linkUp('main:0', 4), done(linkName('main:0', 4)), up('main:0'));
    linked.when(init(70)).expect({
      in: { up: 'staying' },
      does: [report({ event: 'session', connectionId: 70 }), handover('switched', 4, all, back)],
      context: { destination: here, otherwise: null },
    });
    for (const nothing of [down('main:0'), elapsed('init deadline')]) {
      linked.when(nothing).expect({ ...there2, does: [ends('main:0'), ...there2.does], waits: [] });
    }
    for (const nothing of [down('main:0'), elapsed('init deadline')]) {
      linked
        .after(begin)
        .when(nothing)
        .expect({ ...there2, does: [ends('main:0'), ...there2.does], context: { heard: [] } });
    }
    const unresolved = following.after(done('migration', lost(false)));
    unresolved.when(linkFailed('main:0', 4)).expect({
      in: { 'switching host': 'resolving' },
      does: [ends(linkName('main:0', 4)), resolving()],
      context: { otherwise: null },
    });
    unresolved
      .after(linkUp('main:0', 4), done(linkName('main:0', 4)))
      .when(down('main:0'))
      .expect({ does: [ends('main:0'), resolving()] });
    unresolved
      .after(linkUp('main:0', 4), done(linkName('main:0', 4)))
      .when(elapsed('init deadline'))
      .expect({ does: [ends('main:0'), resolving()] });
  });

  test('with a new session at the target, when the source is lost', () => {
    following.when(done('migration', afresh)).expect({
      in: { 'switching host': 'linking main' },
      does: [handover('fell-back', 3, all), ...all.map(ends), linking('main:0', 4, 0, there)],
      context: { destination: there, up: [], tries: {} },
      runs: [linkName('main:0', 4)],
    });
  });

  test('with a new session where the announced place really is, if that is not known yet', () => {
    following.when(done('migration', { ...afresh, resolved: false })).expect({
      in: { 'switching host': 'resolving' },
      does: [handover('fell-back', 3, all), ...all.map(ends), resolving()],
    });
  });

  test('and the next one is told by what the new server can do', () => {
    // The source did not speak early-link, the target does.
    atTarget.when(switchHost).expect({ in: { up: 'following' }, does: [begins('migration')] });
  });
});

// Spec §3a.
describe('switching host', () => {
  const switching = whole.after(switchHost, resolved());
  const linked = switching.after(linkUp('main:0', 3, early), done(linkName('main:0', 3)), up('main:0'));

  test('leaves everything behind, also what is half done', () => {
    const busy = whole.after(down('inputs:0'), list(['display', 1]));
    busy.when(switchHost).expect({
      in: { 'switching host': 'resolving' },
      does: [
        handover('begun', 3, ['main:0', 'display:0']),
        ...all.map(ends),
        ends(linkName('display:1', 3)),
        resolving(),
      ],
      runs: ['resolve destination'],
    });
    whole.after(switchHost).expect({ waits: ['resolve deadline'], runs: ['resolve destination'] });
  });

  // The place that is announced may be a ticket for a proxy.
  test('goes where the embedding program says', () => {
    const proxy = { host: 'proxy', port: 443 };
    whole
      .after(switchHost)
      .when(resolved(proxy))
      .expect({
        in: { 'switching host': 'linking main' },
        does: [linking('main:0', 3, 0, proxy)],
        context: { destination: proxy },
        waits: [],
      });
  });

  test('ends the session when there is no place to go, or none is told in time', () => {
    whole
      .after(switchHost)
      .when(failed('resolve destination'))
      .expect({ ...closed('no destination'), does: [handover('failed', 2, all), over('no destination')] });
    whole
      .after(switchHost)
      .when(elapsed('resolve deadline'))
      .expect({
        ...closed('no destination in time'),
        does: [ends('resolve destination'), handover('failed', 2, all), over('no destination in time')],
      });
  });

  test('ends the session when the target does not greet', () => {
    linked.expect({ waits: ['init deadline'] });
    linked.when(elapsed('init deadline')).expect({
      ...closed('no init in time'),
      does: [handover('failed', 3, all), over('no init in time'), ends('main:0')],
    });
  });

  test('is a new session there', () => {
    switching.when(linkUp('main:0', 3)).expect({
      in: { 'switching host': 'awaiting init' },
      does: [beginning('main:0'), attaching('main:0', 3)],
    });
    switching
      .after(linkUp('main:0', 3))
      .when(up('main:0'))
      .expect({ does: [isUp('main:0')] });
    linked.when(init(70)).expect({
      in: { up: 'staying' },
      does: [report({ event: 'session', connectionId: 70 }), handover('switched', 3, all)],
      context: { connectionId: 70, left: null, mainCaps: early },
    });
    linked
      .after(init(70))
      .when(list(['display', 0]))
      .expect({ does: [linking('display:0', 4, 70, there)] });
  });

  test('is tried a few times', () => {
    let story = switching;
    for (let attempt = 3; attempt <= 5; attempt++) {
      story = story.when(linkFailed('main:0', attempt));
      story.expect({ in: { 'switching host': 'waiting' }, waits: ['relink delay'] });
      story = story.after(done(linkName('main:0', attempt))).when(elapsed('relink delay'));
      story.expect({
        in: { 'switching host': 'linking main' },
        does: [linking('main:0', attempt + 1, 0, there)],
        waits: [],
      });
    }
    story.when(linkFailed('main:0', 6)).expect({
      ...closed('refused'),
      does: [handover('failed', 6, all), over('refused'), ends(linkName('main:0', 6))],
    });
  });

  test('ends the session when main dies before the greeting', () => {
    linked
      .when(down('main:0'))
      .expect({ ...closed('the peer hung up'), does: [over('the peer hung up'), ends('main:0')] });
  });

  test('goes on when the guest has gone on', () => {
    const onward: MainReceived<'client'> = { type: 'msg.migrate_switch_host', body: { ...dstInfo, host: 'beyond' } };
    switching
      .after(linkUp('main:0', 3), done(linkName('main:0', 3)), up('main:0'))
      .when(onward)
      .expect({
        in: { 'switching host': 'resolving' },
        does: [
          handover('begun', 3, all, { to: 'beyond:5900' }),
          ends('main:0'),
          resolving({ ...there, host: 'beyond' }),
        ],
      });
    // The announcement of an early link: it is followed from there, once the client is there.
    const kept = linked.when(onward);
    kept.expect({ in: { 'switching host': 'awaiting init' }, does: [], context: { heard: [onward] } });
    kept.when(init(70)).expect({
      in: { up: 'following' },
      does: [report({ event: 'session', connectionId: 70 }), handover('switched', 3, all), begins('migration')],
      context: { heard: [] },
    });
  });

  test('hears afterwards what is said there before the greeting', () => {
    for (const word of [begin, beginSeamless, cancel, left('main:0')]) {
      linked.when(word).expect({ in: { 'switching host': 'awaiting init' }, does: [], context: { heard: [word] } });
    }
  });

  test('comes from where the client was, each time', () => {
    linked
      .after(init(70))
      .when({ type: 'msg.migrate_switch_host', body: { ...dstInfo, host: 'beyond' } })
      .expect({ in: { up: 'following' }, does: [begins('migration')] });
    const plain = switching.after(linkUp('main:0', 3), done(linkName('main:0', 3)), up('main:0'), init(70));
    plain.when({ type: 'msg.migrate_switch_host', body: { ...dstInfo, host: 'beyond' } }).expect({
      does: [
        handover('begun', 3, ['main:0'], { from: 'there:5900', to: 'beyond:5900' }),
        ends('main:0'),
        resolving({ ...there, host: 'beyond' }),
      ],
    });
  });
});

// Spec §3b.
describe('an early link', () => {
  test('is announced by switch_host where both speak it', () => {
    wholeEarly.when(switchHost).expect({
      in: { up: 'following' },
      does: [
        begins('migration', {
          input: {
            attempt: 3,
            scheme: 'early-link',
            srcVersion: 0,
            from: here,
            destination: there,
            connectionId: 7,
            channels: ['main:0', 'display:0'],
            left: [],
          },
        }),
      ],
    });
    given(sessionClient, { ...input, schemes: ['switch-host'] })
      .after(linkUp('main:0', 1, early), done(linkName('main:0', 1)), up('main:0'), init(7))
      .when(switchHost)
      .expect({
        in: { 'switching host': 'resolving' },
        does: [handover('begun', 1, ['main:0']), ends('main:0'), resolving()],
      });
  });

  test('may let a channel go before main has heard of it', () => {
    const stranded = wholeEarly.when(left('display:0'));
    stranded.expect({ in: { up: 'staying' }, waits: ['word deadline'], context: { letGo: ['display:0'] } });
    stranded.when(switchHost).expect({
      in: { up: 'following' },
      does: [
        begins('migration', {
          input: {
            attempt: 3,
            scheme: 'early-link',
            srcVersion: 0,
            from: here,
            destination: there,
            connectionId: 7,
            channels: ['main:0', 'display:0'],
            left: ['display:0'],
          },
        }),
      ],
    });
    stranded
      .after(switchHost, done('migration', stay))
      .expect({ in: { up: 'staying' }, context: { letGo: [] }, waits: [] });
    // It was let go, hung up, and let go again.
    wholeEarly.when({ type: 'channel.stranded', channel: 'display:0' }).expect({ in: { up: 'staying' } });
    stranded.when(elapsed('word deadline')).expect({
      in: { up: 'staying' },
      does: [hangUp('display:0', 'the server let it go, but to nowhere')],
      context: { letGo: [] },
      waits: [],
    });
  });
});

describe('a client that has lost its server', () => {
  const reconnect = { tries: 3, firstMs: 1_000, mostMs: 3_000, forMs: 60_000, atStart: false };
  const returns = caps(MainCap.seamlessMigrate, MainCap.mayReturn);
  const why = 'the peer hung up';
  const told = (report: object) => ({ type: 'report', news: { event: 'reconnect', ...report } });
  const waits = (attempt: number, inMs: number, reason = why) =>
    told({ phase: 'waiting', try: attempt, tries: 3, inMs, reason });
  const givenUp = (attempt: number, reason: string) => told({ phase: 'given up', try: attempt, reason });
  const drawing = begins('draw a number');
  const drawn = (chance: number) => done('draw a number', { chance });
  const returning = (attempt: number, connectionId = 7, destination = here) =>
    begins(linkName('main:0', attempt), {
      as: 'link',
      input: { link: linkName('main:0', attempt), channel: 'main:0', connectionId, returning: true, destination },
    });
  const unknown = (attempt: number): SessionClientEvent =>
    ({ ...linkFailed('main:0', attempt), reason: 'badConnectionId', code: 8 }) as SessionClientEvent;
  const refused = (attempt: number): SessionClientEvent =>
    ({ ...linkFailed('main:0', attempt), reason: 'permissionDenied', code: 7 }) as SessionClientEvent;

  const able = (mainCaps: readonly number[], policy: Partial<typeof reconnect> = {}) =>
    given(sessionClient, { ...input, reconnect: { ...reconnect, ...policy } })
      .after(linkUp('main:0', 1, mainCaps), done(linkName('main:0', 1)), up('main:0'), init(7))
      .after(list(['display', 0]), linkUp('display:0', 2), done(linkName('display:0', 2)), up('display:0'));
  const there2 = able(returns);
  const waiting = there2.after(lost('main:0'), drawn(0.5));
  const linkingAgain = waiting.after(elapsed('retry delay'));
  const greetedAgain = linkingAgain.after(linkUp('main:0', 3, returns), done(linkName('main:0', 3)), up('main:0'));

  test('waits a little, by chance, and leaves nothing behind meanwhile', () => {
    const drawingLots = there2.when(lost('main:0'));
    drawingLots.expect({
      in: { reconnecting: 'drawing' },
      does: [isDown('main:0'), ends('main:0'), ends('display:0'), drawing],
      context: { up: [], connectionId: 7, home: here },
      waits: ['reconnect deadline'],
    });
    for (const [chance, ms] of [
      [0, 500],
      [0.5, 750],
      [0.999, 1_000],
    ] as const) {
      const story = drawingLots.when(drawn(chance));
      story.expect({
        in: { reconnecting: 'waiting' },
        does: [waits(1, ms)],
        waits: ['reconnect deadline', 'retry delay'],
        runs: [],
      });
      expect(story.pending('retry delay').delay).toBe(ms);
    }
    expect(drawingLots.pending('reconnect deadline').delay).toBe(60_000);
  });

  /** Found by random events: the wait was worked out from a policy that was no more, and the client broke. */
  test('gives up when the program that goes on with it looks for nobody, and goes on with another policy', () => {
    const resumed = (policy: typeof reconnect | null): SessionClientEvent => ({
      type: 'api.resumed',
      reconnect: policy,
    });
    for (const looking of [there2.after(lost('main:0')), waiting, linkingAgain, greetedAgain]) {
      const over = looking.when(resumed(null));
      expect(over.snapshot.status).toBe('done');
      expect(over.acts).toContainEqual(givenUp(1, why));
    }
    const longer = { ...reconnect, tries: 9 };
    waiting.when(resumed(longer)).expect({ in: { reconnecting: 'waiting' }, context: { reconnect: longer } });
  });

  test('asks for its session, where that can be had back', () => {
    waiting.when(elapsed('retry delay')).expect({ in: { reconnecting: 'linking main' }, does: [returning(3)] });
    able(caps(MainCap.seamlessMigrate))
      .after(lost('main:0'), drawn(0))
      .when(elapsed('retry delay'))
      .expect({ does: [linking('main:0', 3, 0)] });
  });

  test('is back when it is greeted, with its session or with another', () => {
    linkingAgain.when(linkUp('main:0', 3, returns)).expect({
      in: { reconnecting: 'awaiting init' },
      does: [beginning('main:0'), attaching('main:0', 3, returns)],
    });
    linkingAgain
      .after(linkUp('main:0', 3, returns))
      .when(up('main:0'))
      .expect({ does: [isUp('main:0')] });
    for (const id of [7, 8]) {
      const back = greetedAgain.when(init(id));
      back.expect({
        in: { up: 'staying' },
        does: [told({ phase: 'back', try: 1, returned: id === 7 }), report({ event: 'session', connectionId: id })],
        context: { connectionId: id, home: here },
        waits: ['steady time'],
      });
      back.when(list(['display', 0])).expect({ does: [linking('display:0', 4, id)] });
    }
  });

  test('has all its tries again only when it has been back for a while', () => {
    const back = greetedAgain.after(init(7));
    back
      .after(lost('main:0'))
      .when(drawn(0))
      .expect({ does: [waits(2, 1_000)], context: { searches: 2 } });
    const steady = back.when(elapsed('steady time'));
    steady.expect({ in: { up: 'staying' }, context: { searches: 0 }, waits: [] });
    steady
      .after(lost('main:0'))
      .when(drawn(0))
      .expect({ does: [waits(1, 500)] });
    // What is told of an earlier time of its life does not count.
    back.when({ type: 'channel.steady', channel: 'main:0', tries: 2 }).expect({ context: { searches: 1 } });
  });

  test('begins a new session where the old one is not known any more', () => {
    const afresh = linkingAgain.when(unknown(3));
    afresh.expect({
      in: { reconnecting: 'linking main' },
      does: [told({ phase: 'session lost', reason: 'badConnectionId' }), linking('main:0', 4, 0)],
      context: { home: null },
    });
    // It has no session there that could be unknown: then it is like any other refusal.
    afresh.when(unknown(4)).expect({ in: { reconnecting: 'drawing' }, does: [drawing] });
  });

  test('tries again and again, ever more slowly, until no try is left', () => {
    let story = linkingAgain;
    for (const [n, ms] of [
      [2, 2_000],
      [3, 3_000],
    ] as const) {
      story = story.when(linkFailed('main:0', n + 1));
      story.expect({ in: { reconnecting: 'drawing' }, does: [drawing] });
      story = story.when(drawn(1));
      story.expect({ does: [waits(n, ms, 'refused')] });
      story = story.after(done(linkName('main:0', n + 1)), elapsed('retry delay'));
    }
    story.when(linkFailed('main:0', 5)).expect({
      ...closed('refused'),
      does: [givenUp(3, 'refused'), over('refused'), ends(linkName('main:0', 5))],
    });
  });

  test('tries again when main is lost before the greeting, or no greeting comes', () => {
    greetedAgain.when(lost('main:0')).expect({
      in: { reconnecting: 'drawing' },
      does: [isDown('main:0'), ends('main:0'), drawing],
      context: { up: [], searches: 2 },
    });
    greetedAgain.when(elapsed('init deadline')).expect({
      in: { reconnecting: 'drawing' },
      does: [ends('main:0'), drawing],
      context: { reason: 'no init in time' },
    });
  });

  test('gives up when its time is over', () => {
    for (const story of [waiting, linkingAgain, greetedAgain]) {
      const over = story.when(elapsed('reconnect deadline'));
      expect(over.acts).toContainEqual(givenUp(1, why));
      over.expect({ ...closed(why), does: over.acts });
    }
  });

  test('gives up at once when it is refused for good, or somebody has erred', () => {
    linkingAgain.when(refused(3)).expect({
      ...closed('permissionDenied'),
      does: [over('permissionDenied'), ends(linkName('main:0', 3))],
    });
    greetedAgain.when(down('main:0')).expect({ ...closed(why), does: [over(why), ends('main:0')] });
    there2
      .when(down('main:0'))
      .expect({ ...closed(why), does: [isDown('main:0'), over(why), ends('main:0'), ends('display:0')] });
  });

  test('says goodbye to a server that would wait for it, and to no other', () => {
    const bye = tells('main:0', {
      type: 'session.say',
      message: { type: 'msgc.disconnecting', body: { timeStamp: 0n, reason: 0 } },
    } as { type: string });
    there2.when(close).expect({ ...closed('enough'), does: [bye, over('enough'), ends('main:0'), ends('display:0')] });
    able(caps(MainCap.seamlessMigrate))
      .when(close)
      .expect({ ...closed('enough'), does: [over('enough'), ends('main:0'), ends('display:0')] });
    waiting.when(close).expect({ ...closed('enough'), does: [over('enough')] });
  });

  test('was never there, may be waited for as well', () => {
    const patient = given(sessionClient, { ...input, reconnect: { ...reconnect, atStart: true } });
    const failing = patient.when(linkFailed('main:0', 1));
    failing.expect({ in: { reconnecting: 'drawing' }, does: [drawing] });
    patient.when(refused(1)).expect({
      ...closed('permissionDenied'),
      does: [over('permissionDenied'), ends(linkName('main:0', 1))],
    });
    const greeted = patient.after(linkUp('main:0', 1), done(linkName('main:0', 1)), up('main:0'));
    greeted.when(lost('main:0')).expect({
      in: { reconnecting: 'drawing' },
      does: [isDown('main:0'), ends('main:0'), drawing],
    });
    greeted.when(elapsed('init deadline')).expect({
      in: { reconnecting: 'drawing' },
      does: [ends('main:0'), drawing],
      context: { reason: 'no init in time' },
    });
    const hasty = given(sessionClient, { ...input, reconnect });
    hasty
      .when(linkFailed('main:0', 1))
      .expect({ ...closed('refused'), does: [over('refused'), ends(linkName('main:0', 1))] });
  });

  test('hears afterwards what is said before the greeting, and goes where it is sent', () => {
    for (const word of [begin, beginSeamless, cancel, left('main:0')]) {
      greetedAgain.when(word).expect({ in: { reconnecting: 'awaiting init' }, context: { heard: [word] } });
    }
    greetedAgain.when(switchHost).expect({
      in: { 'switching host': 'resolving' },
      does: [handover('begun', 3, ['main:0']), ends('main:0'), resolving()],
      context: { home: null },
      waits: ['steady time', 'resolve deadline'],
    });
    linkingAgain
      .after(linkUp('main:0', 3, caps(MainCap.mayReturn, MainCap.earlyLink)), up('main:0'))
      .when(switchHost)
      .expect({ in: { reconnecting: 'awaiting init' }, context: { heard: [switchHost] } });
  });

  describe('while it follows the guest', () => {
    const failedHere = (attempt: number, channels: readonly string[], more: object = {}) =>
      handover('failed', attempt, channels, more);
    const both = ['main:0', 'display:0'];
    const source: MigrationClientOutcome = {
      outcome: 'look for the guest',
      source: here,
      target: there,
      resolved: true,
    };

    test('asks the source for its session first', () => {
      const looking = there2.after(begin).when(done('migration', source));
      looking.expect({
        in: { 'switching host': 'linking main' },
        does: [handover('fell-back', 3, both, { from: 'here:5900', to: 'here:5900' }), ...both.map(ends), returning(4)],
      });
      looking.when(unknown(4)).expect({
        in: { 'switching host': 'linking main' },
        does: [told({ phase: 'session lost', reason: 'badConnectionId' }), linking('main:0', 5, 0)],
      });
      looking
        .when(linkFailed('main:0', 4))
        .expect({ does: [ends(linkName('main:0', 4)), linking('main:0', 5, 0, there)] });
    });

    test('has its session at the target when it is there', () => {
      const moved = { ...gone, mainCaps: returns, switched: both };
      const settled = there2.after(begin, done('migration', moved));
      settled.expect({ context: { home: there } });
      settled.when(lost('main:0')).expect({
        in: { 'switching host': 'linking main' },
        does: [handover('fell-back', 3, both, { from: 'there:5900' }), ...both.map(ends), returning(4, 7, there)],
      });
      settled
        .after(elapsed('settling time'), lost('main:0'), drawn(0))
        .when(elapsed('retry delay'))
        .expect({ does: [returning(4, 7, there)] });
    });

    test('looks for it in both places in turn, when it is in neither', () => {
      const atTarget = there2.after(begin, done('migration', source), linkFailed('main:0', 4));
      const inVain = atTarget.when(linkFailed('main:0', 5));
      inVain.expect({
        in: { reconnecting: 'drawing' },
        does: [ends(linkName('main:0', 5)), drawing],
        context: { tries: {}, searches: 1 },
      });
      const atSource = inVain.after(drawn(0)).when(elapsed('retry delay'));
      atSource.expect({ does: [returning(6)], context: { destination: here } });
      const atTargetAgain = atSource.after(linkFailed('main:0', 6), drawn(0)).when(elapsed('retry delay'));
      atTargetAgain.expect({ does: [linking('main:0', 7, 0, there)], context: { destination: there } });
      atTargetAgain
        .after(linkUp('main:0', 7, returns), done(linkName('main:0', 7)), up('main:0'))
        .when(init(9))
        .expect({
          in: { up: 'staying' },
          does: [
            told({ phase: 'back', try: 2, returned: false }),
            report({ event: 'session', connectionId: 9 }),
            handover('switched', 7, both),
          ],
          // A server that lets it in and sends it on does not begin the count anew.
          context: { left: null, otherwise: null, home: there, searches: 2 },
        });
      atTargetAgain.when(elapsed('reconnect deadline')).expect({
        ...closed('refused'),
        does: [
          givenUp(2, 'refused'),
          failedHere(7, both),
          over('refused'),
          ends(linkName('main:0', 6)),
          ends(linkName('main:0', 7)),
        ],
      });
      // A source that is there knows whether it has the session.
      atSource
        .after(unknown(6), linkFailed('main:0', 7), drawn(0))
        .when(elapsed('retry delay'))
        .expect({ does: [linking('main:0', 8, 0)], context: { destination: here, home: null } });
    });

    test('looks for it where it was sent, and nowhere else', () => {
      const sent = there2.after(switchHost, resolved());
      const inVain = sent.when(linkFailed('main:0', 3));
      inVain.expect({ in: { reconnecting: 'drawing' }, does: [ends(linkName('main:0', 3)), drawing] });
      inVain
        .after(drawn(0))
        .when(elapsed('retry delay'))
        .expect({ does: [linking('main:0', 4, 0, there)], context: { destination: there } });
    });

    // A source and a target that send it to and fro bring it no further.
    test('counts on when it is sent on in the middle of that', () => {
      greetedAgain.when(switchHost).expect({
        in: { 'switching host': 'resolving' },
        does: [handover('begun', 3, ['main:0']), ends('main:0'), resolving()],
        context: { searches: 1 },
      });
    });

    test('looks for it again when the target does not greet, or goes away before that', () => {
      const atTarget = there2
        .after(switchHost, resolved())
        .after(linkUp('main:0', 3, returns), done(linkName('main:0', 3)), up('main:0'));
      atTarget.when(lost('main:0')).expect({
        in: { reconnecting: 'drawing' },
        does: [ends('main:0'), drawing],
        context: { reason: why },
      });
      atTarget.when(elapsed('init deadline')).expect({
        in: { reconnecting: 'drawing' },
        does: [ends('main:0'), drawing],
        context: { reason: 'no init in time' },
      });
    });
  });
});

describe('taken up by another program', () => {
  const policy = { tries: 3, firstMs: 100, mostMs: 1_000, forMs: 10_000, atStart: false };
  const resumed: SessionClientEvent = { type: 'api.resumed', reconnect: policy };

  test('before it has a session, it begins again', () => {
    begun.when(resumed).expect({
      in: 'linking main',
      does: [ends(linkName('main:0', 1)), linking('main:0', 2, 0)],
      context: { reconnect: policy },
    });
    greeting.when(resumed).expect({
      in: 'linking main',
      does: [ends('main:0'), linking('main:0', 2, 0)],
      context: { reconnect: policy },
    });
  });

  test('with a session, it looks for its server as it is told', () => {
    whole.when(resumed).expect({ in: { up: 'staying' }, does: [], context: { reconnect: policy } });
  });
});

test('nothing of the chart is left untested', () => expect(untouched(sessionClient)).toEqual([]));
