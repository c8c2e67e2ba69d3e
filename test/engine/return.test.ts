/** A client whose connection breaks comes back by itself, and has its session back where the server knows it still. */
import { afterEach, describe, expect, it } from 'vitest';
import type { Server } from '../../src/server/server.ts';
import { closingPatience } from '../../src/transport/pipe.ts';
import { everyChannel, type Host, isWhole, ReturnWorld, reconnects, sessionIds, shown } from './return-world.ts';

let world: ReturnWorld;
afterEach(async () => {
  await world.close();
  expect(world.clock.waiting).toBe(0);
});

const whole = { left: 0, top: 0, right: 16, bottom: 16 };
const states = (host: Host) =>
  host.news.flatMap((event) => (event.event === 'session' ? [`${event.session} ${event.state}`] : []));

async function begin(options: Parameters<ReturnWorld['client']>[1] = {}, of: Parameters<ReturnWorld['host']>[1] = {}) {
  world = new ReturnWorld();
  const host = world.host('a', of);
  host.server.display.fill(whole, 0x112233);
  const { client, news } = world.client('a', options);
  await world.clock.until(() => isWhole(client));
  await world.clock.advance(200);
  expect(shown(client)).toBe(0x112233);
  return { host, client, news };
}

const backAgain = async ({ client, news }: Pick<Awaited<ReturnType<typeof begin>>, 'client' | 'news'>, times = 1) => {
  await world.clock.until(
    () => reconnects(news).filter(({ phase }) => phase === 'back').length === times && isWhole(client),
  );
  await world.clock.advance(300);
};

describe('a client whose connections are cut', () => {
  it('has its session back: its id, its mouse mode, its clock; the old picture until the new one is there', async () => {
    const { host, client, news } = await begin();
    const [id] = sessionIds(news);
    host.server.setMouseModes({ supported: 3, current: 2 });
    host.server.multiMediaTime = 5_000_000;
    await world.clock.advance(10);
    expect(client.mouseMode.current).toBe(2);
    world.cut(host);
    await world.clock.advance(5);
    host.server.display.fill(whole, 0x445566);
    expect(states(host)).toEqual(['session:1 up', 'session:1 waiting']);
    expect(client.channels.size).toBe(0);
    expect(shown(client)).toBe(0x112233);
    await backAgain({ client, news });
    expect(states(host)).toEqual(['session:1 up', 'session:1 waiting', 'session:1 back']);
    expect(sessionIds(news)).toEqual([id, id]);
    expect(client.mouseMode).toEqual({ supported: 3, current: 2 });
    expect(Math.abs(client.multiMediaTime - (host.server.multiMediaTime - 400))).toBeLessThan(5);
    expect(shown(client)).toBe(0x445566);
    expect(reconnects(news)).toEqual([
      {
        event: 'reconnect',
        phase: 'waiting',
        try: 1,
        tries: 10,
        inMs: expect.any(Number),
        reason: 'The connection was cut',
      },
      { event: 'reconnect', phase: 'back', try: 1, returned: true },
    ]);
    const [wait] = reconnects(news);
    expect(wait).toMatchObject({ inMs: expect.toSatisfy((ms: number) => ms >= 500 && ms <= 1_000) });
    expect(client.input.keyDown(30)).toBe(true);
    await world.clock.advance(10);
    expect(host.input).toContainEqual({ type: 'key', code: 30, down: true });
    expect(host.server.channels().map(({ connectionId }) => connectionId)).toEqual(everyChannel.map(() => id));
    expect(world.log).toEqual([]);
  });

  it('has both of its displays back, each with the picture of now', async () => {
    world = new ReturnWorld();
    const host = world.host('a');
    const channels = [...everyChannel, 'display:1'];
    // No server of ours has a second display by itself.
    Object.assign(host.server.system.root.getSnapshot().context, { offered: channels.slice(1) });
    host.server.display.fill(whole, 0x112233);
    const { client, news } = world.client('a');
    await world.clock.until(() => isWhole(client, channels));
    await world.clock.advance(200);
    const pictures = () => ['display:0', 'display:1'].map((display) => shown(client, display));
    expect(pictures()).toEqual([0x112233, 0x112233]);
    const [id] = sessionIds(news);
    world.cut(host);
    await world.clock.advance(5);
    host.server.display.fill(whole, 0x445566);
    expect(pictures()).toEqual([0x112233, 0x112233]);
    await backAgain({ client, news });
    await world.clock.until(() => isWhole(client, channels));
    await world.clock.advance(300);
    expect(pictures()).toEqual([0x445566, 0x445566]);
    expect(sessionIds(news)).toEqual([id, id]);
    const open = host.server.channels();
    expect(open).toHaveLength(channels.length);
    expect(new Set(open.map(({ connectionId }) => connectionId))).toEqual(new Set([id]));
    const frames = news.flatMap((event) => (event.event === 'frame' ? [event.channel] : []));
    expect(frames.sort()).toEqual(['display:0', 'display:0', 'display:1', 'display:1']);
    expect(world.log).toEqual([]);
  });

  it('has it back each time', async () => {
    const { host, client, news } = await begin();
    const [id] = sessionIds(news);
    for (let time = 1; time <= 4; time++) {
      world.cut(host);
      await backAgain({ client, news }, time);
      host.server.display.fill(whole, 0x010101 * time);
      await world.clock.advance(200);
      expect(shown(client)).toBe(0x010101 * time);
    }
    expect(new Set(sessionIds(news))).toEqual(new Set([id]));
    // Half a minute in peace, and the tries count from one again.
    const tries = () => reconnects(news).flatMap((event) => (event.phase === 'waiting' ? [event.try] : []));
    expect(tries()).toEqual([1, 2, 3, 4]);
    await world.clock.advance(31_000);
    world.cut(host);
    await backAgain({ client, news }, 5);
    expect(tries()).toEqual([1, 2, 3, 4, 1]);
  });

  it('takes the place of its own dead connection, which the server has not noticed', async () => {
    const { host, client, news } = await begin();
    const [id] = sessionIds(news);
    world.lose(host);
    expect(states(host)).toEqual(['session:1 up']);
    await backAgain({ client, news });
    expect(sessionIds(news)).toEqual([id, id]);
    expect(states(host)).toEqual(['session:1 up', 'session:1 waiting', 'session:1 back']);
    await world.clock.advance(closingPatience);
    expect(host.server.channels()).toHaveLength(everyChannel.length);
    expect(reconnects(news).at(-1)).toMatchObject({ returned: true });
  });

  it('releases the keys and buttons that it held', async () => {
    const { host, client, news } = await begin();
    client.input.keyDown(30);
    client.input.keyDown(0x1d);
    client.input.keyUp(0x1d | 0x80);
    client.input.press(1, 1);
    await world.clock.advance(10);
    host.input.splice(0);
    world.cut(host);
    await world.clock.advance(5);
    expect(host.input).toEqual([
      { type: 'key', code: 30 | 0x80, down: false },
      { type: 'button', button: 1, down: false, buttons: 0 },
    ]);
    await backAgain({ client, news });
    expect(host.input).toHaveLength(2);
  });

  it('is a new client to a server that has forgotten it, and says so', async () => {
    const { host, client, news } = await begin({}, { returnMs: 300 });
    world.cut(host);
    await backAgain({ client, news });
    expect(states(host)).toEqual(['session:1 up', 'session:1 waiting', 'session:1 over', 'session:2 up']);
    expect(reconnects(news).map(({ phase }) => phase)).toEqual(['waiting', 'session lost', 'back']);
    expect(reconnects(news).at(-1)).toMatchObject({ returned: false });
    const [before, after] = sessionIds(news);
    expect(after).not.toBe(before);
  });

  it('is a new client to a server that gives no session back, and never names the old one there', async () => {
    const { host, client, news } = await begin({}, { returnMs: 0 });
    world.cut(host);
    await backAgain({ client, news });
    expect(states(host)).toEqual(['session:1 up', 'session:1 over', 'session:2 up']);
    expect(reconnects(news).map(({ phase }) => phase)).toEqual(['waiting', 'back']);
    expect(reconnects(news).at(-1)).toMatchObject({ returned: false });
  });

  it('does not name its session to another server that stands there meanwhile', async () => {
    const { host, client, news } = await begin();
    world.kill(host);
    await world.clock.advance(10);
    world.host('a', { returnMs: 0 });
    host.down = false;
    host.news.splice(0);
    await backAgain({ client, news });
    // Not a session that waits for a hand-over.
    expect(states(host)).toEqual(['session:1 up']);
    expect(reconnects(news).map(({ phase }) => phase)).toEqual(['waiting', 'session lost', 'back']);
    await world.clock.until(() => isWhole(client));
  });

  it('finds a server again that was killed and started anew, with a new session', async () => {
    const { host, client, news } = await begin();
    world.kill(host);
    await world.clock.advance(4_000);
    world.host('a');
    host.down = false;
    host.server.display.fill(whole, 0x778899);
    await backAgain({ client, news });
    const phases = reconnects(news).map(({ phase }) => phase);
    expect(phases.slice(-2)).toEqual(['session lost', 'back']);
    expect(phases.filter((phase) => phase === 'waiting').length).toBeGreaterThan(1);
    expect(shown(client)).toBe(0x778899);
  });
});

describe('a client gives up', () => {
  it('when all tries are used up', async () => {
    const { host, news } = await begin({ reconnect: { tries: 4, firstMs: 100, mostMs: 300 } });
    world.kill(host);
    await world.clock.until(() => news.at(-1)!.event === 'closed');
    const waits = reconnects(news).flatMap((event) => (event.phase === 'waiting' ? [event.inMs] : []));
    expect(waits).toHaveLength(4);
    for (const [n, most] of [100, 200, 300, 300].entries()) {
      expect(waits[n]).toBeGreaterThanOrEqual(most / 2);
      expect(waits[n]).toBeLessThanOrEqual(most);
    }
    expect(news.slice(-2)).toEqual([
      { event: 'reconnect', phase: 'given up', try: 4, reason: 'a refuses' },
      { event: 'closed', reason: 'a refuses' },
    ]);
  });

  it('when its time is over', async () => {
    const { host, news } = await begin({ reconnect: { tries: 1_000, forMs: 5_000 } });
    const lost = world.clock.now();
    world.kill(host);
    await world.clock.until(() => news.at(-1)!.event === 'closed');
    expect(world.clock.now() - lost).toBeGreaterThanOrEqual(5_000);
    expect(world.clock.now() - lost).toBeLessThan(5_100);
    expect(news.at(-2)).toMatchObject({ event: 'reconnect', phase: 'given up' });
  });

  it('at once when the password is not good any more', async () => {
    const { host, news } = await begin({ password: 'secret' }, { password: 'secret' });
    host.server.setPassword('another');
    world.cut(host);
    await world.clock.until(() => news.at(-1)!.event === 'closed');
    expect(reconnects(news)).toHaveLength(1);
    expect(news.at(-1)).toEqual({ event: 'closed', reason: 'permissionDenied' });
    expect(states(host)).toEqual(['session:1 up', 'session:1 waiting']);
  });

  const endings: [string, (host: Host, server: Server) => unknown][] = [
    ['says goodbye', (_, server) => server.disconnectAll('enough')],
    ['is closed', (_, server) => server.close()],
    ['breaks the rules', (_, server) => sayNonsense(server)],
  ];
  it.each(endings)('at once when the server %s', async (_, end) => {
    const { host, news } = await begin();
    await end(host, host.server);
    await world.clock.until(() => news.at(-1)!.event === 'closed');
    expect(reconnects(news)).toEqual([]);
  });

  it('at once when it is told not to look at all, or has never been there', async () => {
    const { host, news } = await begin({ reconnect: false });
    world.cut(host);
    await world.clock.until(() => news.at(-1)!.event === 'closed');
    expect(reconnects(news)).toEqual([]);
    expect(states(host)).toEqual(['session:1 up', 'session:1 over']);
    const never = world.client('nowhere');
    await world.clock.until(() => never.news.at(-1)?.event === 'closed');
    expect(never.news).toEqual([{ event: 'closed', reason: 'nowhere refuses' }]);
  });

  it('not, if it was asked to wait for a server that was never there', async () => {
    world = new ReturnWorld();
    const { client, news } = world.client('later', { reconnect: { atStart: true } });
    await world.clock.advance(3_000);
    world.host('later');
    await backAgain({ client, news });
    expect(reconnects(news).at(-1)).toMatchObject({ phase: 'back', returned: false });
  });

  it('at once when it is closed by its program while it waits', async () => {
    const { host, client, news } = await begin();
    world.kill(host);
    await world.clock.advance(100);
    client.close('enough');
    expect(news.at(-1)).toEqual({ event: 'closed', reason: 'enough' });
  });
});

/** A message that no client expects, on main. */
function sayNonsense(server: Server): void {
  const { hosts } = server as unknown as { hosts: Set<{ channel: string; obey(command: object): void }> };
  for (const host of hosts) {
    if (host.channel !== 'main:0') continue;
    host.obey({ type: 'send', message: { type: 'msg.migrate_data', body: { data: new Uint8Array() } } });
  }
}

describe('a server', () => {
  it('waits for no client that has said goodbye', async () => {
    const { host, client } = await begin();
    client.close();
    await world.clock.advance(100);
    expect(states(host)).toEqual(['session:1 up', 'session:1 over']);
  });

  it('waits no longer than it was told to', async () => {
    const { host, client } = await begin({
      reconnect: { tries: 1, firstMs: 300_000, mostMs: 300_000, forMs: 400_000 },
    });
    world.cut(host);
    await world.clock.advance(59_000);
    expect(states(host).at(-1)).toBe('session:1 waiting');
    await world.clock.advance(2_000);
    expect(states(host).at(-1)).toBe('session:1 over');
    client.close();
  });

  it('counts the sessions that wait, and lets their own clients in', async () => {
    const { host, client, news } = await begin({}, { mostSessions: 1 });
    world.cut(host);
    await world.clock.advance(5);
    const stranger = world.client('a', { reconnect: false });
    await world.clock.until(() => stranger.news.at(-1)?.event === 'closed');
    expect(stranger.news.at(-1)).toEqual({ event: 'closed', reason: 'error' });
    await backAgain({ client, news });
    expect(reconnects(news).at(-1)).toMatchObject({ returned: true });
  });
});

describe('the guest moves', () => {
  it('while its client is away: the source sends it on when it is back', async () => {
    const { host, client, news } = await begin();
    const target = world.host('b');
    target.server.display.fill(whole, 0xabcdef);
    world.cut(host);
    await world.clock.advance(5);
    host.server.migrateConnect({ host: 'b', port: 1 });
    await world.clock.advance(5);
    expect(host.news.at(-1)).toEqual({ event: 'migrate_connect_complete', linked: 0, clients: 1 });
    target.server.guestArrived();
    host.server.migrateEnd(true);
    await world.clock.advance(5);
    expect(host.news.at(-1)).toMatchObject({ event: 'migrate_end_complete', overdue: 0 });
    await world.clock.until(() => news.some((event) => event.event === 'handover' && event.phase === 'switched'));
    await world.clock.until(() => isWhole(client));
    await world.clock.advance(300);
    expect(shown(client)).toBe(0xabcdef);
    expect(states(host).at(-1)).toBe('session:1 over');
  });

  it('or is about to, when its client is cut: it is told again when it is back', async () => {
    const { host, client, news } = await begin();
    const target = world.host('b');
    target.server.display.fill(whole, 0xabcdef);
    host.server.migrateConnect({ host: 'b', port: 1 });
    await world.clock.until(() => news.some((event) => event.event === 'handover' && event.phase === 'linked'));
    world.lose(host);
    const linked = () => news.filter((event) => event.event === 'handover' && event.phase === 'linked').length;
    await world.clock.until(() => linked() === 2);
    expect(states(host)).toEqual(['session:1 up', 'session:1 waiting', 'session:1 back']);
    target.server.guestArrived();
    host.server.migrateEnd(true);
    await world.clock.until(() => news.some((event) => event.event === 'handover' && event.phase === 'switched'));
    await world.clock.until(() => isWhole(client));
    await world.clock.advance(300);
    expect(shown(client)).toBe(0xabcdef);
    expect(sessionIds(news)).toEqual([sessionIds(news)[0], sessionIds(news)[0]]);
  });

  it('and its client is cut from it there: it has its session back at the target', async () => {
    for (const scheme of ['seamless', 'semi-seamless'] as const) {
      const { host, client, news } = await begin();
      const target = world.host('b');
      host.server.migrateConnect({ host: 'b', port: 1 }, { scheme });
      await world.clock.until(() => news.some((event) => event.event === 'handover' && event.phase === 'linked'));
      target.server.guestArrived();
      host.server.migrateEnd(true);
      await world.clock.until(() => news.some((event) => event.event === 'handover' && event.phase === 'switched'));
      await world.clock.advance(15_000);
      const id = sessionIds(news)[0];
      world.cut(target);
      await backAgain({ client, news });
      expect(sessionIds(news).at(-1)).toBe(id);
      expect(states(target)).toEqual(['session:1 up', 'session:1 waiting', 'session:1 back']);
      await world.close();
    }
  });

  it.each(['seamless', 'early-link', 'semi-seamless'] as const)(
    'and the target crashes and is started again before the end: the hand-over goes through, %s',
    async (scheme) => {
      const schemes = ['seamless', 'early-link', 'semi-seamless', 'switch-host'] as const;
      const { host, client, news } = await begin({ schemes }, { schemes });
      const phases = () => news.flatMap((event) => (event.event === 'handover' ? [event.phase] : []));
      let target = world.host('b', { schemes });
      host.server.migrateConnect({ host: 'b', port: 1 }, { scheme });
      await world.clock.until(() => phases().includes('linked'));
      world.kill(target);
      await world.clock.advance(1_200);
      target = world.host('b', { schemes });
      target.down = false;
      target.server.display.fill(whole, 0xabcdef);
      await world.clock.until(() => phases().at(-1) === 'linked');
      target.server.guestArrived();
      host.server.migrateEnd(true);
      await world.clock.until(() => phases().at(-1) === 'switched');
      await world.clock.until(() => isWhole(client));
      await world.clock.advance(300);
      expect(phases()).toEqual(['begun', 'linked', 'relinking', 'linked', 'switched']);
      expect(news.findLast((event) => event.event === 'handover')).toMatchObject({ scheme });
      expect(shown(client)).toBe(0xabcdef);
      expect(new Set(sessionIds(news)).size).toBe(1);
      expect(host.news).toContainEqual({ event: 'migrate_end_complete', completed: true, overdue: 0 });
    },
  );

  it.each(['seamless', 'early-link', 'semi-seamless'] as const)(
    'while the target is being started again: it is waited for, %s',
    async (scheme) => {
      const schemes = ['seamless', 'early-link', 'semi-seamless', 'switch-host'] as const;
      const { host, client, news } = await begin({ schemes }, { schemes });
      const phases = () => news.flatMap((event) => (event.event === 'handover' ? [event.phase] : []));
      let target = world.host('b', { schemes });
      host.server.migrateConnect({ host: 'b', port: 1 }, { scheme });
      await world.clock.until(() => phases().includes('linked'));
      world.kill(target);
      await world.clock.advance(200);
      target = world.host('b', { schemes });
      target.server.display.fill(whole, 0xabcdef);
      target.server.guestArrived();
      host.server.migrateEnd(true);
      await world.clock.advance(100);
      expect(phases()).toEqual(['begun', 'linked', 'relinking']);
      target.down = false;
      await world.clock.until(() => phases().at(-1) === 'switched');
      await world.clock.until(() => isWhole(client));
      await world.clock.advance(300);
      expect(news.findLast((event) => event.event === 'handover')).toMatchObject({ scheme });
      expect(shown(client)).toBe(0xabcdef);
      expect(new Set(sessionIds(news)).size).toBe(1);
    },
  );

  it.each(['seamless', 'early-link', 'semi-seamless'] as const)(
    'and the target stays away for too long: the client begins there afresh when it is back, %s',
    async (scheme) => {
      const schemes = ['seamless', 'early-link', 'semi-seamless', 'switch-host'] as const;
      const { host, client, news } = await begin({ schemes }, { schemes });
      const phases = () => news.flatMap((event) => (event.event === 'handover' ? [event.phase] : []));
      let target = world.host('b', { schemes });
      host.server.migrateConnect({ host: 'b', port: 1 }, { scheme });
      await world.clock.until(() => phases().includes('linked'));
      world.kill(target);
      await world.clock.advance(200);
      host.server.migrateEnd(true);
      await world.clock.advance(30_000);
      target = world.host('b', { schemes });
      target.server.display.fill(whole, 0xabcdef);
      target.server.guestArrived();
      target.down = false;
      await backAgain({ client, news });
      expect(shown(client)).toBe(0xabcdef);
    },
  );
});
