/** Charts that run together in XState itself: what a fold of one chart cannot show about mailboxes and children. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type AnyActorRef, createActor, fromPromise } from 'xstate';
import { linkClient } from '../../machines/link/client.ts';
import { linkServer } from '../../machines/link/server.ts';
import { mainServer } from '../../machines/main/server.ts';
import { linkName, migrationClient } from '../../machines/migration/client.ts';
import { sessionClient } from '../../machines/session/client.ts';
import { sessionServer } from '../../machines/session/server.ts';
import { supervisor } from '../../machines/supervisor.ts';
import { CommonCap, caps, MainCap } from '../../src/protocol/capabilities.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const children = (actor: AnyActorRef): Record<string, AnyActorRef> => actor.getSnapshot().children;
const child = (actor: AnyActorRef, id: string): AnyActorRef => {
  const found = children(actor)[id];
  if (found === undefined) throw new Error(`no ${id} among ${Object.keys(children(actor))}`);
  return found;
};
/** All actors under one, at any depth. */
const family = (actor: AnyActorRef): AnyActorRef[] =>
  Object.values((actor.getSnapshot().children ?? {}) as Record<string, AnyActorRef>).flatMap((one) => [
    one,
    ...family(one),
  ]);

const warnings = vi.spyOn(console, 'warn').mockImplementation(() => {});
afterEach(() => {
  // "sent to stopped actor": harmless to XState, but a sign that somebody talks to nobody.
  expect(warnings.mock.calls).toEqual([]);
  warnings.mockClear();
});

const facts = {
  displayChannels: 1,
  supportedMouseModes: 3,
  currentMouseMode: 1,
  agentConnected: false,
  agentTokens: 10,
  multiMediaTime: 0,
  name: 'a guest',
  uuid: new Uint8Array(16),
};

describe('a server', () => {
  const answers = {
    link: linkServer.provide({
      actors: {
        'make key': fromPromise(async () => new Uint8Array(162)) as never,
        'check ticket': fromPromise(async () => 'good' as const) as never,
      },
    }),
    session: sessionServer.provide({
      actors: {
        main: mainServer.provide({ actors: { 'ask the guest': fromPromise(async () => facts) } }),
      },
    }),
  };
  const serve = () => {
    const clock = new VirtualClock();
    const server = createActor(supervisor.provide({ actors: answers as never }), {
      input: { offered: ['cursor:0'], schemes: ['semi-seamless', 'switch-host'], mostSessions: 5 },
      clock,
    });
    server.start();
    let links = 0;
    const accept = async (channel: string, connectionId: number, channelCaps = caps(MainCap.semiSeamlessMigrate)) => {
      const link = `link:${++links}`;
      server.send({ type: 'link.accepted', link, nonce: 1000 + links });
      const actor = child(server, link);
      const taken = actor as unknown as { on(type: string, go: () => void): void };
      // A parked link is taken as soon as a channel attaches it; here nobody carries bytes, so at once.
      taken.on('link.park', () => setImmediate(() => actor.send({ type: 'link.taken' })));
      actor.send({ type: 'link.mess', connectionId, channel, commonCaps: caps(CommonCap.miniHeader), channelCaps });
      await clock.advance(0);
      actor.send({ type: 'link.ticket', ticket: new Uint8Array(128) });
      await clock.advance(0);
      await new Promise((resolve) => setImmediate(resolve));
      return link;
    };
    return { server, clock, accept };
  };

  test('keeps no link that has failed, been taken, or run out of time', async () => {
    const { server, clock, accept } = serve();
    for (let n = 0; n < 50; n++) {
      server.send({ type: 'link.accepted', link: `failing:${n}`, nonce: 1 });
      child(server, `failing:${n}`).send({ type: 'link.closed', reason: 'the peer hung up' });
      server.send({ type: 'link.accepted', link: `silent:${n}`, nonce: 1 });
    }
    expect(Object.keys(children(server)).length).toBe(50);
    await clock.advance(10_000);
    expect(children(server)).toEqual({});
    const link = await accept('main:0', 0);
    expect(Object.keys(children(server))).toEqual(['session:1']);
    expect(link).toBe('link:1');
    server.stop();
  });

  test('ends a session with its main, and everything under it', async () => {
    const { server, accept } = serve();
    await accept('main:0', 0);
    await accept('cursor:0', 1001);
    const session = child(server, 'session:1');
    const everybody = family(session);
    expect(everybody.map(({ id }) => id)).toContain('cursor:0');
    child(session, 'main:0').send({ type: 'plane.closed', link: 'link:1', reason: 'the peer hung up' });
    expect(children(server)).toEqual({});
    expect(server.getSnapshot().context.sessions).toEqual([]);
    expect(everybody.map((one) => one.getSnapshot().status)).not.toContain('active');
    server.stop();
  });

  test('leads a client out: announced, answered, let go, departed', async () => {
    const { server, accept } = serve();
    const news: string[] = [];
    server.on('report', ({ news: one }) => news.push(one.event));
    await accept('main:0', 0);
    const session = child(server, 'session:1');
    const main = child(session, 'main:0');
    const said: string[] = [];
    main.on('*', (command: any) => command.type === 'send' && said.push(command.message.type));
    server.send({ type: 'api.migrate_connect', destination: { host: 'there', port: 1 }, scheme: 'seamless' });
    main.send({ type: 'msgc.migrate_connected', body: {} });
    expect(server.getSnapshot().value).toMatchObject({ move: 'clients are linked' });
    server.send({ type: 'api.migrate_end', completed: true });
    expect(said).toEqual(['msg.migrate_begin', 'msg.migrate_end']);
    main.send({ type: 'plane.closed', link: 'link:1', reason: 'the peer hung up' });
    expect(news).toEqual(['session', 'migrate_connect_complete', 'migrate_end_complete', 'session']);
    expect(children(server)).toEqual({});
    server.stop();
  });
});

describe('a client', () => {
  const link = linkClient.provide({
    actors: {
      dial: fromPromise(async () => {}) as never,
      'encrypt ticket': fromPromise(async () => new Uint8Array(128)) as never,
    },
  });
  const go = async () => {
    const clock = new VirtualClock();
    const session = createActor(
      sessionClient.provide({ actors: { link, migration: migrationClient.provide({ actors: { link } }) } as never }),
      {
        input: {
          destination: { host: 'here', port: 1 },
          wanted: ['cursor'],
          schemes: ['seamless', 'semi-seamless', 'switch-host'],
        },
        clock,
      },
    );
    session.start();
    const linkUp = async (parent: AnyActorRef, name: string) => {
      await clock.advance(0);
      const actor = child(parent, name);
      actor.send({
        type: 'link.reply',
        error: 0,
        pubKey: new Uint8Array(162),
        commonCaps: caps(CommonCap.miniHeader),
        channelCaps: caps(MainCap.semiSeamlessMigrate),
      });
      await clock.advance(0);
      actor.send({ type: 'link.result', code: 0 });
      actor.send({ type: 'link.taken' });
    };
    const init = { type: 'msg.init', body: { sessionId: 7, agentConnected: 0 } };
    await linkUp(session, linkName('main:0', 1));
    child(session, 'main:0').send(init);
    child(session, 'main:0').send({ type: 'msg.channels_list', body: { channels: [{ type: 4, id: 0 }] } });
    await linkUp(session, linkName('cursor:0', 2));
    return { clock, session, linkUp, init };
  };
  const dstInfo = { host: 'there', port: 2, sport: 0, certSubject: '' };

  test('keeps the channels that it has, and no link', async () => {
    const { session } = await go();
    expect(Object.keys(children(session))).toEqual(['main:0', 'cursor:0']);
    expect(session.getSnapshot().context.up).toEqual(['main:0', 'cursor:0']);
    session.stop();
  });

  test('follows the guest, and leaves nothing of the hand-over', async () => {
    const { session, linkUp, init } = await go();
    const main = child(session, 'main:0');
    const said: string[] = [];
    main.on('*', (command: any) => said.push(command.message?.type ?? command.type));
    main.send({ type: 'msg.migrate_begin', body: dstInfo });
    const migration = child(session, 'migration');
    await linkUp(migration, linkName('main:0', 3));
    await linkUp(migration, linkName('cursor:0', 3));
    expect(said).toEqual(['msgc.migrate_connected']);
    main.send({ type: 'msg.migrate_end', body: {} });
    expect(said.slice(1)).toEqual(['reset', 'switch', 'close previous', 'msgc.migrate_end']);
    expect(child(session, 'cursor:0').getSnapshot().value).toMatchObject({ flow: 'handing over' });
    main.send(init);
    expect(Object.keys(children(session))).toEqual(['main:0', 'cursor:0']);
    expect(session.getSnapshot().value).toEqual({ up: { staying: 'settling' } });
    expect(session.getSnapshot().context.destination).toMatchObject({ host: 'there' });
    expect(family(migration).map((one) => one.getSnapshot().status)).not.toContain('active');
    session.stop();
  });

  test('switches host with everything that it has, and what is half done', async () => {
    const { session, linkUp, init } = await go();
    const old = family(session);
    child(session, 'main:0').send({ type: 'msg.channels_list', body: { channels: [{ type: 4, id: 1 }] } });
    const half = child(session, linkName('cursor:1', 3));
    child(session, 'main:0').send({ type: 'msg.migrate_switch_host', body: dstInfo });
    expect(Object.keys(children(session))).toHaveLength(1);
    // Where that is was resolved meanwhile.
    await new Promise((resolve) => setImmediate(resolve));
    expect(Object.keys(children(session))).toEqual([linkName('main:0', 4)]);
    expect([...old, half].map((one) => one.getSnapshot().status)).not.toContain('active');
    await linkUp(session, linkName('main:0', 4));
    child(session, 'main:0').send(init);
    expect(session.getSnapshot().value).toEqual({ up: { staying: 'settled' } });
    expect(session.getSnapshot().context.up).toEqual(['main:0']);
    session.stop();
  });

  test('stops what it waits for when it is closed in the middle of a hand-over', async () => {
    const { session } = await go();
    child(session, 'main:0').send({ type: 'msg.migrate_begin', body: dstInfo });
    const everybody = family(session);
    expect(everybody.map(({ id }) => id)).toContain('migration');
    session.send({ type: 'api.close', reason: 'enough' });
    expect(session.getSnapshot().status).toBe('done');
    expect(everybody.map((one) => one.getSnapshot().status)).not.toContain('active');
  });
});
