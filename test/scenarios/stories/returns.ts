/** Servers that are lost and found again: by a client that goes on, by one that gives up, with the session or without it. */
import assert from 'node:assert/strict';
import type { Scheme } from '../../../machines/contract.ts';
import { type ClientOptions, resume } from '../../../src/client/client.ts';
import { takeUp } from '../../../src/engine/past.ts';
import { MemoryJournal } from '../../../src/journal/memory.ts';
import type { ServerOptions } from '../../../src/server/server.ts';
import { linkMessage } from '../../support/raw-client.ts';
import { u32 } from '../../support/raw-wire.ts';
import type { Scenario } from '../play.ts';
import type { Guest, Host, Stage } from '../stage.ts';

interface Options {
  readonly client?: Partial<ClientOptions> & { ticket?: string };
  readonly a?: ServerOptions;
}

/** One host, and a client that is up there. Ends there, unless the story says how it closes. */
const alone = (
  name: string,
  about: string,
  story: (stage: Stage, a: Host, client: Guest) => Promise<string | RegExp | undefined>,
  options: Options = {},
): Scenario => ({
  name,
  about,
  story: async (stage) => {
    const a = stage.host('a', options.a);
    const client = stage.client({ to: 'a', channels: ['inputs'], ...options.client });
    await stage.up(client);
    await stage.for(40_000);
    stage.begin();
    const reason = await story(stage, a, client);
    if (reason !== undefined) stage.endsClosed(client, reason);
    else await stage.endsAt(client, a);
    await stage.for(70_000);
  },
});

const returned = (client: Guest): (boolean | undefined)[] =>
  client.news.flatMap((one) => (one.event === 'reconnect' && one.phase === 'back' ? [one.returned] : []));

const found: readonly Scenario[] = [
  alone(
    'return-after-a-cut',
    'All connections break, and the client has its session back.',
    async (stage, a, client) => {
      a.cut();
      await stage.for(3_000);
      assert.deepEqual(returned(client), [true]);
      return undefined;
    },
  ),
  alone(
    'return-twice',
    'The connections break once more before the session has held for half a minute.',
    async (stage, a, client) => {
      a.cut();
      await stage.for(10_000);
      a.cut();
      await stage.for(40_000);
      a.cut();
      await stage.for(5_000);
      assert.deepEqual(returned(client), [true, true, true]);
      return undefined;
    },
  ),
  alone(
    'return-unnoticed',
    'The server has not noticed that the client is lost when it comes back.',
    async (stage, a, client) => {
      a.lose();
      await stage.for(3_000);
      assert.deepEqual(returned(client), [true]);
      return undefined;
    },
  ),
  alone(
    'return-too-late',
    'The client is back only after its session was given up: it begins another one.',
    async (stage, a, client) => {
      a.become('refuses');
      a.cut();
      await stage.for(65_000);
      a.become('serves');
      await stage.for(20_000);
      assert.deepEqual(returned(client), [false]);
      assert(client.reconnects.includes('session lost'));
      return undefined;
    },
    { client: { reconnect: { tries: 30, mostMs: 5_000 } } },
  ),
  alone(
    'return-to-another-program',
    'The server was started again: it knows nothing of the session.',
    async (stage, a, client) => {
      await a.restart();
      await stage.for(5_000);
      assert.deepEqual(returned(client), [false]);
      return undefined;
    },
  ),
  alone(
    'return-where-none-is-given-back',
    'The server was started again, and gives no sessions back now.',
    async (stage, a, client) => {
      a.kill();
      (a as any).options = { returnMs: 0 };
      a.behaviour = 'serves';
      a.start();
      await stage.for(5_000);
      assert.deepEqual(returned(client), [false]);
      return undefined;
    },
  ),
  alone(
    'return-to-one-that-never-gives-back',
    'The server gives no sessions back: the client begins another one.',
    async (stage, a, client) => {
      a.cut();
      await stage.for(5_000);
      assert.deepEqual(returned(client), [false]);
      return undefined;
    },
    { a: { returnMs: 0 } },
  ),
  alone(
    'return-of-none',
    'A client that looks for nobody ends when its server is lost.',
    async (stage, a) => {
      a.cut();
      await stage.for(1_000);
      return 'The connection was cut';
    },
    { client: { reconnect: false } },
  ),
  alone(
    'return-to-nobody',
    'The server is gone for good: ten tries, and the client ends.',
    async (stage, a, client) => {
      a.become('refuses');
      a.cut();
      await stage.for(130_000);
      assert.equal(client.reconnects.filter((phase) => phase === 'waiting').length, 10);
      assert.equal(client.reconnects.at(-1), 'given up');
      return 'a refuses';
    },
  ),
  alone(
    'return-not-in-time',
    'The server is silent: the client gives up when its time is over.',
    async (stage, a, client) => {
      a.become('is silent');
      a.cut();
      await stage.for(130_000);
      assert.equal(client.reconnects.at(-1), 'given up');
      return 'no answer in time';
    },
  ),
  alone(
    'return-with-few-tries',
    'A client with two tries, between which it waits as it was told.',
    async (stage, a, client) => {
      a.become('refuses');
      a.cut();
      await stage.for(20_000);
      assert.equal(client.reconnects.filter((phase) => phase === 'waiting').length, 2);
      return 'a refuses';
    },
    { client: { reconnect: { tries: 2, firstMs: 3_000, mostMs: 4_000, forMs: 60_000 } } },
  ),
  alone('return-refused', 'The password is another one now: no second try is made.', async (stage, a, client) => {
    a.server.setPassword('another');
    a.cut();
    await stage.for(5_000);
    assert.equal(client.reconnects.filter((phase) => phase === 'waiting').length, 1);
    return /permission/i;
  }),
  alone(
    'return-never-greeted',
    'The server lets the client in again, but does not greet it at first.',
    async (stage, a) => {
      const { main } = (a.server as any).parts;
      const ask = main.ask.bind(main);
      main.ask = () => new Promise(() => {});
      a.cut();
      await stage.for(10_000);
      main.ask = ask;
      await stage.for(30_000);
      return undefined;
    },
  ),
  alone(
    'return-hung-up-before-the-greeting',
    'The server lets the client in again, and is lost before it greets it.',
    async (stage, a) => {
      const { main } = (a.server as any).parts;
      const ask = main.ask.bind(main);
      main.ask = () => new Promise(() => {});
      a.cut();
      await stage.for(3_000);
      main.ask = ask;
      a.cut();
      await stage.for(10_000);
      return undefined;
    },
  ),
  alone(
    'return-and-goodbye',
    'The server lets the client in again, and says goodbye before it greets it.',
    async (stage, a) => {
      (a.server as any).parts.main.ask = () => new Promise(() => {});
      a.cut();
      await stage.for(3_000);
      stage.inject(a.connection('main:0'), 'server', { type: 'msg.disconnecting', body: { timeStamp: 0n, reason: 0 } });
      await stage.for(10);
      a.connection('main:0').pair.right.close();
      await stage.for(1_000);
      return 'the peer hung up';
    },
  ),
  ...(['waiting', 'linking', 'greeting'] as const).map((when) =>
    alone(
      `closed-while-${when}`,
      `The client is closed while it looks for its server: ${when}.`,
      async (stage, a, client) => {
        if (when === 'greeting') (a.server as any).parts.main.ask = () => new Promise(() => {});
        a.cut();
        await stage.for(when === 'waiting' ? 100 : when === 'linking' ? 752 : 2_000);
        client.client.close('enough');
        await stage.for(1_000);
        return 'enough';
      },
    ),
  ),
  alone('disconnected', 'The server disconnects everybody: that is a goodbye.', async (stage, a) => {
    stage.say('the server disconnects everybody');
    a.server.disconnectAll('maintenance');
    await stage.for(2_000);
    return /./;
  }),
  alone(
    'disconnected-of-one-that-looks-for-nobody',
    'The server disconnects a client that would not return.',
    async (stage, a) => {
      stage.say('the server disconnects everybody');
      a.server.disconnectAll('maintenance');
      await stage.for(2_000);
      return /./;
    },
    { client: { reconnect: false } },
  ),
  alone(
    'closed-by-one-that-looks-for-nobody',
    'A client that would not return is closed.',
    async (stage, _a, client) => {
      client.client.close('enough');
      await stage.for(2_000);
      return 'enough';
    },
    { client: { reconnect: false } },
  ),
  alone('away-and-others', 'While a client is away, others take nothing of its session.', async (stage, a) => {
    a.become('refuses');
    a.cut();
    await stage.for(100);
    a.behaviour = 'serves';
    const { connectionId } = a.heard('session')[0]!;
    for (const channel of ['inputs', 'cursor'] as const) {
      const { pipe } = await stage.stranger('a');
      pipe.write(linkMessage({ channel, connectionId }));
      await stage.for(10);
      pipe.write(new Uint8Array([...u32(1), ...new Uint8Array(128)]));
      await stage.for(10);
    }
    await stage.for(5_000);
    return undefined;
  }),
  alone('away-and-disconnected', 'While a client is away, the server disconnects everybody.', async (stage, a) => {
    a.become('refuses');
    a.cut();
    await stage.for(100);
    a.server.disconnectAll('maintenance');
    await stage.for(100);
    a.become('serves');
    await stage.for(5_000);
    return undefined;
  }),
];

const starts: readonly Scenario[] = [
  ...(['refuses', 'is silent'] as const).flatMap((how) =>
    [true, false].map(
      (atStart): Scenario => ({
        name: `start-where-the-server-${how.replaceAll(' ', '-')}${atStart ? '-and-it-waits' : ''}`,
        about: `The server ${how} when the client begins, which ${atStart ? 'waits for it' : 'does not wait'}.`,
        story: async (stage) => {
          const a = stage.host('a');
          stage.begin();
          a.become(how);
          const client = stage.client({ to: 'a', channels: ['inputs'], reconnect: { atStart } });
          await stage.for(10_000);
          if (!atStart) {
            stage.endsClosed(client, /./);
            return;
          }
          a.become('serves');
          await stage.for(30_000);
          await stage.endsAt(client, a);
        },
      }),
    ),
  ),
  ...[true, false].flatMap((atStart) =>
    (['never', 'hangs up'] as const).map(
      (how): Scenario => ({
        name: `start-greeting-${how.replaceAll(' ', '-')}${atStart ? '-and-it-waits' : ''}`,
        about: `The server ${how === 'never' ? 'never greets' : 'hangs up before it greets'} a client, which ${atStart ? 'waits' : 'does not wait'} for it.`,
        story: async (stage) => {
          const a = stage.host('a');
          stage.begin();
          const { main } = (a.server as any).parts;
          const ask = main.ask.bind(main);
          main.ask = () => new Promise(() => {});
          const client = stage.client({ to: 'a', channels: ['inputs'], reconnect: { atStart } });
          await stage.for(1_000);
          if (how === 'hangs up') a.cut();
          await stage.for(14_500);
          main.ask = ask;
          await stage.for(30_000);
          if (!atStart) stage.endsClosed(client, /./);
          else await stage.endsAt(client, a);
        },
      }),
    ),
  ),
];

const words = (port = 1) => ({ port, sport: 0, host: 'b', certSubject: '' });

/** Words of a move that come before the greeting: at the start, on a return, and where the client was sent. */
const early = (name: string, type: string, end: 'a' | 'b', schemes?: readonly Scheme[]): Scenario[] =>
  (['start', 'return', 'sent'] as const).map((when) => ({
    name: `${when}-early-${name}`,
    about: `The server speaks of a move before its greeting (${when}): ${name.replaceAll('-', ' ')}.`,
    story: async (stage) => {
      const a = stage.host('a');
      const b = stage.host('b');
      const c = stage.host('c');
      const first = when === 'sent' ? c : a;
      const client = stage.client({
        to: first.name,
        channels: ['inputs'],
        ...(schemes === undefined ? {} : { schemes }),
        ...(when === 'sent' ? { schemes: ['switch-host'] } : {}),
      });
      const { main } = (a.server as any).parts;
      const ask = main.ask.bind(main);
      let answer = () => {};
      const hold = () => {
        main.ask = () =>
          new Promise((resolve) => {
            answer = () => resolve(ask());
          });
      };
      if (when === 'start') hold();
      else {
        await stage.up(client);
        await stage.for(1_000);
        hold();
      }
      stage.begin();
      if (when === 'return') a.cut();
      if (when === 'sent') {
        c.announce(a, 'switch-host');
        c.complete(a);
      }
      await stage.for(2_000);
      const body =
        type === 'msg.migrate_begin_seamless'
          ? { ...words(), srcMigVersion: 1 }
          : type === 'msg.migrate_cancel'
            ? {}
            : type === 'msg.migrate'
              ? { flags: 0 }
              : words();
      stage.inject(a.connection('main:0'), 'server', { type, body });
      await stage.for(100);
      main.ask = ask;
      answer();
      await stage.for(5_000);
      if (type === 'msg.migrate_switch_host' && end === 'a' && when !== 'sent') {
        stage.inject(a.connection('main:0'), 'server', { type: 'msg.migrate_cancel', body: {} });
      }
      await stage.for(15_000);
      if (end === 'b' || (when === 'sent' && type === 'msg.migrate_switch_host')) await stage.endsAt(client, b);
      else if (client.closed === undefined) await stage.endsAt(client, a);
      await stage.for(40_000);
    },
  }));

const heard: readonly Scenario[] = [
  ...early('begin', 'msg.migrate_begin', 'a'),
  ...early('begin-seamless', 'msg.migrate_begin_seamless', 'a'),
  ...early('cancel', 'msg.migrate_cancel', 'a'),
  ...early('let-go', 'msg.migrate', 'a'),
  ...early('switch-host', 'msg.migrate_switch_host', 'a'),
  ...early('switch-host-of-old', 'msg.migrate_switch_host', 'b', ['seamless', 'semi-seamless', 'switch-host']),
];

/** A client that was killed goes on from its journal. */
const resumed = (
  name: string,
  about: string,
  story: (stage: Stage, a: Host, kill: (at: string) => Promise<Guest>) => Promise<Guest>,
): Scenario => ({
  name: `resumed-${name}`,
  about,
  story: async (stage) => {
    const journal = new MemoryJournal();
    const a = stage.host('a');
    const first = stage.client({ to: 'a', channels: ['inputs'], journal });
    const kill = async (): Promise<Guest> => {
      stage.say('the client is killed, and another one goes on from its journal');
      const past = MemoryJournal.after([...journal.read()]);
      first.client.system.stop();
      for (const { pair } of a.live()) pair.cut();
      await stage.for(100);
      return stage.again(first, await resume({ ...first.options, journal: past }));
    };
    const client = await story(stage, a, kill);
    await stage.endsAt(client, a);
    await stage.for(40_000);
  },
});

const revived: readonly Scenario[] = [
  resumed('when-up', 'A client that was up is killed, and goes on with its session.', async (stage, _a, kill) => {
    await stage.for(5_000);
    stage.begin();
    const client = await kill('up');
    await stage.for(5_000);
    return client;
  }),
  resumed(
    'while-linking',
    'A client is killed while it links for the first time: it begins again.',
    async (stage, _a, kill) => {
      await stage.for(3);
      stage.begin();
      const client = await kill('linking');
      await stage.for(5_000);
      return client;
    },
  ),
  resumed(
    'before-the-greeting',
    'A client is killed before it was greeted: it begins again.',
    async (stage, a, kill) => {
      const { main } = (a.server as any).parts;
      const ask = main.ask.bind(main);
      main.ask = () => new Promise(() => {});
      await stage.for(100);
      stage.begin();
      main.ask = ask;
      const client = await kill('greeting');
      await stage.for(5_000);
      return client;
    },
  ),
  resumed('while-it-waits', 'A client is killed while it looks for its server.', async (stage, a, kill) => {
    await stage.for(5_000);
    stage.begin();
    a.become('refuses');
    a.cut();
    await stage.for(2_000);
    const client = await kill('waiting');
    await stage.for(1_000);
    a.become('serves');
    await stage.for(20_000);
    return client;
  }),
  {
    name: 'resumed-server',
    about: 'A server is killed and goes on from its journal: its client has its session back, and no other one.',
    story: async (stage) => {
      const journal = new MemoryJournal();
      const a = stage.host('a', { journal });
      const client = stage.client({ to: 'a', channels: ['inputs'] });
      await stage.up(client);
      client.client.requestMouseMode(2);
      await stage.for(40_000);
      stage.begin();
      const past = MemoryJournal.after([...journal.read()]);
      a.kill();
      stage.say('a goes on from its journal');
      a.goOn(await takeUp(past, 'server', stage.clock), { journal: past });
      await stage.for(5_000);
      assert.deepEqual(returned(client), [true]);
      assert.equal(a.server.mouseMode, 2);
      await stage.endsAt(client, a);
      await stage.for(70_000);
    },
  },
];

const few: readonly Scenario[] = [
  {
    name: 'resumed-when-up-and-looks-for-nobody-then',
    about: 'A client that was up is killed; the one that goes on looks for no server that it loses: it ends.',
    story: async (stage) => {
      const journal = new MemoryJournal();
      const a = stage.host('a');
      const first = stage.client({ to: 'a', channels: ['inputs'], journal });
      await stage.for(5_000);
      stage.begin();
      const past = MemoryJournal.after([...journal.read()]);
      first.client.system.stop();
      for (const { pair } of a.live()) pair.cut();
      await stage.for(100);
      const client = stage.again(first, await resume({ ...first.options, journal: past, reconnect: false }));
      await stage.for(30_000);
      assert.equal(client.client.system.population, 0);
      assert.deepEqual(a.live(), []);
    },
  },
  {
    name: 'resumed-that-looks-for-nobody',
    about: 'A client is killed while it links; the one that goes on waits for no server, and there is none.',
    story: async (stage) => {
      const journal = new MemoryJournal();
      const a = stage.host('a');
      const first = stage.client({ to: 'a', channels: ['inputs'], journal, reconnect: { atStart: true } });
      await stage.for(3);
      stage.begin();
      a.become('refuses');
      const past = MemoryJournal.after([...journal.read()]);
      first.client.system.stop();
      for (const { pair } of a.live()) pair.cut();
      await stage.for(100);
      const client = stage.again(first, await resume({ ...first.options, journal: past, reconnect: false }));
      await stage.for(30_000);
      assert.equal(client.client.system.population, 0);
    },
  },
];

export const returnStories: readonly Scenario[] = [...found, ...starts, ...heard, ...revived, ...few];
