/** A server's root: taking links in, sessions, and a move of the guest (spec §1.7, §3.0, §4, §5.2, §5.5, §5.7). */
import { describe, expect, test } from 'vitest';
import type { Destination, LinkAsks, LinkFate, Scheme } from '../../machines/contract.ts';
import { type SupervisorEvent, type SupervisorInput, supervisor } from '../../machines/supervisor.ts';
import { caps, MainCap } from '../../src/protocol/capabilities.ts';
import { LinkErrorCode } from '../../src/protocol/link.ts';
import { begins, done, elapsed, ends, failed, given, type Story, tells } from '../support/given.ts';
import { untouched } from '../support/touched.ts';
import { agreedOn } from './words.ts';

const input: SupervisorInput = { offered: ['display:0'], schemes: ['seamless', 'switch-host'], mostSessions: 2 };
const there: Destination = { host: 'there', port: 5900 };

// ----------------------------------------------------------------------------------------------------------- words

const accepted = (link: string, nonce = 1000): SupervisorEvent => ({ type: 'link.accepted', link, nonce });
const asks = (link: string, channel: string, connectionId: number, nonce = 1000): LinkAsks => ({
  type: 'link.asks',
  link,
  channel,
  connectionId,
  agreed: agreedOn(),
  nonce,
});
const up = (link: string, channel: string): LinkFate => ({ type: 'link.up', link, channel, agreed: agreedOn() });
const linkFailed = (link: string, channel: string): LinkFate => ({
  type: 'link.failed',
  link,
  channel,
  reason: 'the peer hung up',
});
const lost = (link: string, channel: string): LinkFate => ({ type: 'link.lost', link, channel });
const decides = (link: string, code: number): SupervisorEvent => ({
  type: 'session.decides',
  link,
  code,
  reason: code === 0 ? '' : 'not here',
});
const over = (session: string): SupervisorEvent => ({ type: 'session.over', session, reason: 'the peer hung up' });
const answered = (session: string, linked: boolean): SupervisorEvent => ({
  type: 'session.answered',
  session,
  linked,
  scheme: linked ? 'seamless' : 'switch-host',
});
const departed = (session: string, outcome: 'departed' | 'overdue' | 'stayed' = 'departed'): SupervisorEvent => ({
  type: 'session.departed',
  session,
  outcome,
});
const connect = (scheme: Scheme = 'seamless', destination = there): SupervisorEvent => ({
  type: 'api.migrate_connect',
  destination,
  scheme,
});
const end = (completed: boolean): SupervisorEvent => ({ type: 'api.migrate_end', completed });
const guestArrived: SupervisorEvent = { type: 'api.guest_arrived' };

const to = (child: string, event: object) => tells(child, event as { type: string });
const admits = (link: string) => to(link, { type: 'link.admit' });
const denies = (link: string, code: number, reason: string) => to(link, { type: 'link.deny', code, reason });
const noSession = (link: string) => denies(link, LinkErrorCode.badConnectionId, 'no session has this connection id');
const drops = (link: string) => to(link, { type: 'link.drop', reason: 'its session is over' });
const offers = (session: string, scheme: Scheme = 'seamless', destination = there) =>
  to(session, { type: 'migration.offer', destination, scheme });
const tellsEnd = (session: string, completed: boolean) =>
  to(session, { type: 'migration.end', completed, destination: there });
const report = (news: object) => ({ type: 'report', news });
const sessionNews = (
  session: string,
  state: 'up' | 'waiting' | 'back' | 'over',
  connectionId: number,
  reason?: string,
) => report({ event: 'session', session, state, connectionId, ...(reason === undefined ? {} : { reason }) });
const mayMove = (linked: number, clients: number) => report({ event: 'migrate_connect_complete', linked, clients });
const haveLeft = (overdue = 0) => report({ event: 'migrate_end_complete', completed: true, overdue });
const sessionInput = (session: string, connectionId: number, link: string, arriving = false) => ({
  session,
  connectionId,
  offered: ['display:0'],
  schemes: ['seamless', 'switch-host'],
  arriving,
  main: { link, agreed: agreedOn() },
});

// --------------------------------------------------------------------------------------------------------- stories

const begun = given(supervisor, input);
/** A link that comes up as main and is taken by its session. */
const withMain = (story: Story<typeof supervisor>, link: string, connectionId = 0, nonce = 1000) =>
  story.after(accepted(link, nonce), asks(link, 'main:0', connectionId, nonce), up(link, 'main:0'), done(link));
const one = withMain(begun, 'link:1');
const two = withMain(one, 'link:2', 0, 2000);
const admitted = one.after(accepted('link:3'), asks('link:3', 'display:0', 1000), decides('link:3', LinkErrorCode.ok));

describe('links', () => {
  test('are taken in', () => {
    begun.expect({ in: { links: {}, sessions: {}, move: 'guest is here' } as object, waits: [], runs: [] });
    begun
      .when(accepted('link:1', 1000))
      .expect({ does: [begins('link:1', { as: 'link', input: { link: 'link:1', nonce: 1000 } })] });
  });

  test('begin a session when they are main, by a number that was drawn for them', () => {
    const asking = begun.after(accepted('link:1', 1000));
    asking.when(asks('link:1', 'main:0', 0)).expect({ does: [admits('link:1')] });
    asking
      .after(asks('link:1', 'main:0', 0))
      .when(up('link:1', 'main:0'))
      .expect({
        does: [
          begins('session:1', { as: 'session', input: sessionInput('session:1', 1000, 'link:1') }),
          sessionNews('session:1', 'up', 1000),
        ],
        context: { sessions: [{ session: 'session:1', connectionId: 1000 }], waiting: {} },
      });
  });

  test('begin a session that waits for its client when they bring a number', () => {
    begun
      .after(accepted('link:1'), asks('link:1', 'main:0', 77))
      .when(up('link:1', 'main:0'))
      .expect({
        does: [
          begins('session:1', { as: 'session', input: sessionInput('session:1', 77, 'link:1', true) }),
          sessionNews('session:1', 'up', 77),
        ],
      });
  });

  test('begin no more sessions than there may be', () => {
    two
      .after(accepted('link:9'))
      .when(asks('link:9', 'main:0', 0))
      .expect({
        does: [denies('link:9', LinkErrorCode.error, 'the server has as many sessions as it may have')],
      });
  });

  test('belong to the session that they name', () => {
    const asking = one.after(accepted('link:3'));
    asking
      .when(asks('link:3', 'display:0', 1000))
      .expect({ does: [to('session:1', { type: 'session.asks', channel: 'display:0', link: 'link:3' })] });
    asking.when(asks('link:3', 'display:0', 4)).expect({ does: [noSession('link:3')] });
    asking.when(asks('link:3', 'display:0', 0)).expect({ does: [noSession('link:3')] });
    // Of two sessions with one number the newest: the other is what is left of an earlier try.
    withMain(withMain(begun, 'link:1', 77), 'link:2', 77)
      .after(accepted('link:3'))
      .when(asks('link:3', 'display:0', 77))
      .expect({ does: [to('session:2', { type: 'session.asks', channel: 'display:0', link: 'link:3' })] });
  });

  test('are admitted or denied as their session decides', () => {
    const asking = one.after(accepted('link:3'), asks('link:3', 'display:0', 1000));
    asking.when(decides('link:3', LinkErrorCode.ok)).expect({ does: [admits('link:3')] });
    asking
      .when(decides('link:3', LinkErrorCode.channelNotAvailable))
      .expect({ does: [denies('link:3', LinkErrorCode.channelNotAvailable, 'not here')] });
    asking
      .after(linkFailed('link:3', 'display:0'), done('link:3'))
      .when(decides('link:3', LinkErrorCode.ok))
      .expect({});
  });

  test('are given to their session when they are up', () => {
    admitted.when(up('link:3', 'display:0')).expect({
      does: [to('session:1', { type: 'session.linked', channel: 'display:0', link: 'link:3', agreed: agreedOn() })],
    });
  });

  test('tell their session that they have something to say, or that they are no more', () => {
    const parked = admitted.after(up('link:3', 'display:0'));
    const spoke: SupervisorEvent = { type: 'link.spoke', link: 'link:3' };
    parked.when(spoke).expect({ does: [to('session:1', spoke)] });
    const gone = to('session:1', lost('link:3', 'display:0'));
    parked.when(lost('link:3', 'display:0')).expect({ does: [gone] });
    admitted.when(linkFailed('link:3', 'display:0')).expect({ does: [gone] });
  });

  test('reach nobody before they have named anybody', () => {
    const unnamed = one.after(accepted('link:3'));
    unnamed.when(linkFailed('link:3', '')).expect({});
    unnamed.when({ type: 'link.spoke', link: 'link:3' }).expect({});
    one
      .after(accepted('link:3'), asks('link:3', 'main:0', 0))
      .when(linkFailed('link:3', 'main:0'))
      .expect({});
  });

  test('leave nothing behind, however they end', () => {
    const used = admitted.after(up('link:3', 'display:0')).when(done('link:3'));
    used.expect({ context: { waiting: {} }, runs: ['session:1'] });
    expect(Object.keys(used.snapshot.children)).toEqual(['session:1']);
    const broken = admitted.when(failed('link:3'));
    broken.expect({ context: { waiting: {} }, runs: ['session:1'] });
    expect(Object.keys(broken.snapshot.children)).toEqual(['session:1']);
  });
});

describe('a client that returns', () => {
  const returning = (link: string, connectionId: number, channel = 'main:0'): LinkAsks => ({
    ...asks(link, channel, connectionId),
    agreed: agreedOn(caps(MainCap.mayReturn, MainCap.returns)),
  });
  const asking = two.after(accepted('link:9'));

  test('asks the session that it names, also where there is no room for another', () => {
    const asked = asking.when(returning('link:9', 1000));
    asked.expect({ does: [to('session:1', { type: 'session.asks', channel: 'main:0', link: 'link:9' })] });
    const welcome = asked.when(decides('link:9', LinkErrorCode.ok));
    welcome.expect({ does: [admits('link:9')] });
    welcome.when(up('link:9', 'main:0')).expect({
      does: [to('session:1', { type: 'session.linked', channel: 'main:0', link: 'link:9', agreed: agreedOn() })],
      context: { counted: 2 },
    });
  });

  test('is told when its session is over, and begins none by mistake', () => {
    const reason = 'the session that it returns to is over';
    const noReturn = { does: [denies('link:9', LinkErrorCode.badConnectionId, reason)] };
    asking.when(returning('link:9', 4)).expect(noReturn);
    asking.when(returning('link:9', 0)).expect(noReturn);
    begun.after(accepted('link:9')).when(returning('link:9', 1000)).expect(noReturn);
    // The word is of use on main alone.
    asking.when(returning('link:9', 4, 'display:0')).expect({ does: [noSession('link:9')] });
  });

  test('is waited for, which is told, and that it is back', () => {
    two
      .when({ type: 'session.waits', session: 'session:1', reason: 'the peer hung up' })
      .expect({ does: [sessionNews('session:1', 'waiting', 1000, 'the peer hung up')] });
    two
      .when({ type: 'session.returned', session: 'session:1' })
      .expect({ does: [sessionNews('session:1', 'back', 1000)] });
    begun.when({ type: 'session.returned', session: 'session:1' }).expect({});
  });

  test('gets its session a limit of time from the server', () => {
    given(supervisor, { ...input, returnMs: 5_000 })
      .after(accepted('link:1', 1000), asks('link:1', 'main:0', 0))
      .when(up('link:1', 'main:0'))
      .expect({
        does: [
          begins('session:1', { input: { ...sessionInput('session:1', 1000, 'link:1'), returnMs: 5_000 } }),
          sessionNews('session:1', 'up', 1000),
        ],
      });
  });
});

describe('sessions', () => {
  test('end, and take the links along that wait for them', () => {
    const waiting = admitted.after(up('link:3', 'display:0'));
    waiting.when(over('session:1')).expect({
      does: [drops('link:3'), sessionNews('session:1', 'over', 1000, 'the peer hung up')],
      context: { sessions: [] },
    });
    const ended = waiting.after(over('session:1')).when(done('session:1'));
    expect(Object.keys(ended.snapshot.children)).toEqual(['link:3']);
    ended.when(lost('link:3', 'display:0')).expect({});
    two.when(over('session:1')).expect({
      does: [sessionNews('session:1', 'over', 1000, 'the peer hung up')],
      context: { sessions: [{ session: 'session:2', connectionId: 2000 }] },
    });
  });

  test('are over for links that come up too late', () => {
    admitted
      .after(over('session:1'), done('session:1'))
      .when(up('link:3', 'display:0'))
      .expect({ does: [drops('link:3')] });
    one
      .after(over('session:1'), done('session:1'), accepted('link:3'))
      .when(asks('link:3', 'display:0', 1000))
      .expect({ does: [noSession('link:3')] });
  });

  test('that break do not break the server', () => {
    admitted.when(failed('session:1')).expect({
      does: [drops('link:3'), sessionNews('session:1', 'over', 1000, 'a fault of this program')],
      context: { sessions: [] },
      runs: ['link:3'],
    });
    two
      .after(failed('session:1'), accepted('link:9'))
      .when(asks('link:9', 'main:0', 0))
      .expect({ does: [admits('link:9')] });
  });

  test('are told to end', () => {
    const event: SupervisorEvent = { type: 'api.disconnect', reason: 'the password has changed' };
    two.when(event).expect({
      does: ['session:1', 'session:2'].map((session) =>
        to(session, { type: 'api.close', reason: 'the password has changed' }),
      ),
    });
  });

  test('tell when their client has arrived', () => {
    one
      .when({ type: 'session.arrived', session: 'session:1', scheme: 'seamless' })
      .expect({ does: [report({ event: 'arrived', session: 'session:1', scheme: 'seamless' })] });
  });
});

test('nothing else stirs the server', () => {
  one.when({ type: 'api.migrate_start' }, end(true), guestArrived).expect({ in: { move: 'guest is here' } });
});

describe('the guest', () => {
  test('is remembered as it was told last', () => {
    const guest = { supportedMouseModes: 3, currentMouseMode: 2, multiMediaTimeAtZero: 17.5 };
    given(supervisor, input).when({ type: 'api.guest_told', guest }).expect({ context: { guest } });
  });
});

describe('a move', () => {
  const moving = two.after(connect());

  test('is offered to every session, and may begin when all have answered', () => {
    two.when(connect()).expect({
      in: { move: 'linking clients' },
      does: [offers('session:1'), offers('session:2')],
      waits: ['answer deadline'],
    });
    moving.when(answered('session:1', true)).expect({ in: { move: 'linking clients' } });
    moving
      .after(answered('session:1', true))
      .when(answered('session:2', false))
      .expect({ in: { move: 'clients are linked' }, does: [mayMove(1, 2)], waits: [] });
  });

  // Spec §5.7, §6.28: the reference does not subtract a client that vanishes.
  test('does not wait for a session that is over', () => {
    moving
      .after(answered('session:1', true))
      .when(over('session:2'))
      .expect({
        in: { move: 'clients are linked' },
        does: [sessionNews('session:2', 'over', 2000, 'the peer hung up'), mayMove(1, 2)],
      });
    moving
      .after(answered('session:1', true))
      .when(failed('session:2'))
      .expect({
        in: { move: 'clients are linked' },
        does: [sessionNews('session:2', 'over', 2000, 'a fault of this program'), mayMove(1, 2)],
      });
  });

  test('waits for no answer for ever', () => {
    expect(moving.pending('answer deadline').delay).toBeGreaterThan(10_000);
    moving
      .when(elapsed('answer deadline'))
      .expect({ in: { move: 'clients are linked' }, does: [mayMove(0, 2)], waits: [] });
  });

  test('may begin at once where there is no client', () => {
    begun.when(connect()).expect({ in: { move: 'clients are linked' }, does: [mayMove(0, 0)], waits: [] });
  });

  test('may get another target, at any time before its end', () => {
    const elsewhere = { host: 'elsewhere', port: 1 };
    for (const story of [moving, moving.after(answered('session:1', true), answered('session:2', true))]) {
      story.when(connect('semi-seamless', elsewhere)).expect({
        in: { move: 'linking clients' },
        does: ['session:1', 'session:2'].map((session) => offers(session, 'semi-seamless', elsewhere)),
        context: { unanswered: ['session:1', 'session:2'], linkedClients: 0 },
        waits: ['answer deadline'],
      });
    }
  });

  test('ends when every client has left', () => {
    for (const story of [moving, moving.after(answered('session:1', true), answered('session:2', true))]) {
      const leaving = story.when(end(true));
      leaving.expect({
        in: { move: 'letting clients go' },
        does: [tellsEnd('session:1', true), tellsEnd('session:2', true)],
        waits: ['departure deadline'],
      });
      leaving.when(departed('session:1')).expect({ in: { move: 'letting clients go' } });
      leaving
        .after(departed('session:1'))
        .when(departed('session:2', 'overdue'))
        .expect({ in: { move: 'guest is away' }, does: [haveLeft(1)], waits: [] });
      leaving
        .after(departed('session:1'))
        .when(over('session:2'))
        .expect({
          in: { move: 'guest is away' },
          does: [sessionNews('session:2', 'over', 2000, 'the peer hung up'), haveLeft()],
        });
    }
  });

  test('ends however long they take, and at once where there is none', () => {
    const leaving = moving.after(end(true));
    // A source may hold the end back for 10 s, and then wait 10 s for its client to leave.
    expect(leaving.pending('departure deadline').delay).toBeGreaterThan(20_000);
    leaving
      .when(elapsed('departure deadline'))
      .expect({ in: { move: 'guest is away' }, does: [haveLeft(2)], waits: [] });
    begun
      .after(connect())
      .when(end(true))
      .expect({ in: { move: 'guest is away' }, does: [haveLeft()] });
  });

  // Spec §5.1.
  test('is taken back', () => {
    for (const story of [moving, moving.after(answered('session:1', true), answered('session:2', true))]) {
      story.when(end(false)).expect({
        in: { move: 'guest is here' },
        does: [tellsEnd('session:1', false), tellsEnd('session:2', false)],
        context: { destination: null, unanswered: [], undeparted: [] },
        waits: [],
      });
    }
    moving
      .after(end(false))
      .when(departed('session:1', 'stayed'), departed('session:2', 'stayed'))
      .expect({ in: { move: 'guest is here' } });
  });

  // Spec §5.7: it was not told of the move, and is sent after the guest at the end.
  test('takes along a client that came after the offer', () => {
    withMain(one.after(connect()), 'link:2', 0, 2000)
      .when(end(true))
      .expect({
        in: { move: 'letting clients go' },
        does: [tellsEnd('session:1', true), tellsEnd('session:2', true)],
      });
  });
});

describe('a server whose guest is away', () => {
  const away = one.after(connect(), end(true), departed('session:1'), over('session:1'), done('session:1'));
  const late = (connectionId: number) => away.after(accepted('link:5'), asks('link:5', 'main:0', connectionId));

  test('sends a client that comes late after it', () => {
    late(0)
      .when(up('link:5', 'main:0'))
      .expect({
        in: { move: 'guest is away' },
        does: [
          begins('session:2', { input: sessionInput('session:2', 1000, 'link:5') }),
          sessionNews('session:2', 'up', 1000),
          tellsEnd('session:2', true),
        ],
      });
  });

  test('sends a client after it that comes while the others are leaving, and waits for that one too', () => {
    const leaving = one.after(connect(), end(true), accepted('link:5'), asks('link:5', 'main:0', 0));
    const both = leaving.when(up('link:5', 'main:0'));
    both.expect({
      in: { move: 'letting clients go' },
      does: [
        begins('session:2', { input: sessionInput('session:2', 1000, 'link:5') }),
        sessionNews('session:2', 'up', 1000),
        tellsEnd('session:2', true),
      ],
      context: { undeparted: ['session:1', 'session:2'] },
    });
    both.when(departed('session:1')).expect({ in: { move: 'letting clients go' } });
    both
      .when(departed('session:1'), departed('session:2'))
      .expect({ in: { move: 'guest is away' }, does: [haveLeft()] });
  });

  // Spec §4: whoever is told that all have left may end this program, and the client would have nobody to send it on.
  test('waits for a client that is just following the guest here, while the others are leaving', () => {
    const leaving = one.after(connect(), end(true), accepted('link:5'), asks('link:5', 'main:0', 77));
    const both = leaving.when(up('link:5', 'main:0'));
    both.expect({
      in: { move: 'letting clients go' },
      does: [
        begins('session:2', { input: { ...sessionInput('session:2', 77, 'link:5'), arriving: true } }),
        sessionNews('session:2', 'up', 77),
      ],
      context: { undeparted: ['session:1', 'session:2'] },
    });
    both.when(departed('session:1')).expect({ in: { move: 'letting clients go' } });
    // Another channel of one that is known begins nothing.
    one
      .after(connect(), end(true), accepted('link:6'), asks('link:6', 'display:0', 1000))
      .when(up('link:6', 'display:0'))
      .expect({
        context: { undeparted: ['session:1'] },
        does: [to('session:1', { ...up('link:6', 'display:0'), type: 'session.linked' })],
      });
    both.when(departed('session:1'), over('session:2')).expect({
      in: { move: 'guest is away' },
      does: [sessionNews('session:2', 'over', 77, 'the peer hung up'), haveLeft()],
    });
  });

  // Two moves in a row, and a client that had not even linked when the second one was over.
  test('sends a client after it that has followed the guest here too late, unless the guest is back', () => {
    const arrival: SupervisorEvent = { type: 'session.arrived', session: 'session:2', scheme: 'seamless' };
    const arrivals = report({ event: 'arrived', session: 'session:2', scheme: 'seamless' });
    const follows = (story: Story<typeof supervisor>) =>
      story.after(accepted('link:5'), asks('link:5', 'main:0', 77), up('link:5', 'main:0'));
    for (const story of [away, one.after(connect(), end(true))]) {
      const arrived = follows(story).when(arrival);
      arrived.expect({ does: [arrivals] });
      arrived.when(elapsed('guest deadline')).expect({ does: [tellsEnd('session:2', true)] });
      arrived.after(over('session:2')).when(elapsed('guest deadline')).expect({});
      arrived
        .after(guestArrived)
        .when(elapsed('guest deadline'))
        .expect({ in: { move: 'guest is here' } });
    }
    const leaving = follows(one.after(connect(), end(true))).after(arrival);
    leaving.when(departed('session:1')).expect({ in: { move: 'letting clients go' } });
    leaving
      .when(departed('session:1'), departed('session:2'))
      .expect({ in: { move: 'guest is away' }, does: [haveLeft()] });
  });

  test('keeps a client that links ahead of the guest’s return', () => {
    late(77)
      .when(up('link:5', 'main:0'))
      .expect({
        in: { move: 'guest is away' },
        does: [
          begins('session:2', { input: sessionInput('session:2', 77, 'link:5', true) }),
          sessionNews('session:2', 'up', 77),
        ],
      });
  });

  test('is an ordinary server again when the guest has come back', () => {
    const back = away.when(guestArrived);
    back.expect({ in: { move: 'guest is here' }, context: { destination: null } });
    back
      .after(accepted('link:5'), asks('link:5', 'main:0', 0))
      .when(up('link:5', 'main:0'))
      .expect({ does: [begins('session:2'), sessionNews('session:2', 'up', 1000)] });
    // One whose client may return has not heard that the guest was away.
    one
      .after(connect(), end(true), departed('session:1'))
      .when(guestArrived)
      .expect({ in: { move: 'guest is here' }, does: [to('session:1', { type: 'guest.back' })] });
  });

  test('hears nothing of a session that is over', () => {
    for (const type of ['session.waits', 'session.returned'] as const) {
      away
        .when({ type, session: 'session:1', reason: '' } as SupervisorEvent)
        .expect({ in: { move: 'guest is away' } });
    }
  });

  test('knows that it is back also before the last client has left', () => {
    two
      .after(connect(), end(true), departed('session:1'))
      .when(guestArrived)
      .expect({
        in: { move: 'guest is here' },
        does: [haveLeft(1), to('session:1', { type: 'guest.back' }), to('session:2', { type: 'guest.back' })],
        context: { destination: null },
        waits: [],
      });
  });

  test('tells the clients that came ahead of a guest which will not come', () => {
    two.when({ type: 'api.guest_lost' }).expect({
      does: [tells('session:1', { type: 'guest.lost' }), tells('session:2', { type: 'guest.lost' })],
    });
  });

  test('is not moved again before that', () => {
    away.when(connect(), end(true)).expect({ in: { move: 'guest is away' } });
  });
});

test('no session, whatever it does, leaves a child behind', () => {
  const story = one.after(over('session:1'));
  story.when(done('session:1')).expect({ runs: [] });
  expect(story.after(done('session:1')).snapshot.children).toEqual({});
  expect(ends('session:1')).toEqual({ ends: 'session:1' });
});

test('nothing of the chart is left untested', () => expect(untouched(supervisor)).toEqual([]));
