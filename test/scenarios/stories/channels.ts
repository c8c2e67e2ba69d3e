/** Each channel by itself: greetings, the words of its application, what ends it, what is a violation, and its deadlines. */
import assert from 'node:assert/strict';
import type { ClientChannel } from '../../../machines/session/client.ts';
import type { AnyMessage } from '../../../src/protocol/index.ts';
import type { Scenario } from '../play.ts';
import type { Stage } from '../stage.ts';

const words = ['main', 'display', 'inputs', 'cursor', 'playback', 'record'] as const;
type Word = (typeof words)[number];

/** A client with this channel alone, beside main. */
const alone = (stage: Stage, word: Word) =>
  stage.pair({ client: { channels: word === 'main' ? ['inputs'] : [word as ClientChannel] } });

const greeted: Scenario = {
  name: 'greeted',
  about: 'A client links a session, all of it, and closes it again.',
  closely: true,
  story: async (stage) => {
    const a = stage.host('a');
    stage.begin();
    const client = stage.client({ to: 'a' });
    await stage.up(client);
    await stage.for(1_000);
    await stage.endsAt(client, a);
    await stage.for(60_000);
    stage.say('the client is closed');
    client.client.close();
    await stage.for(1_000);
    stage.endsClosed(client, 'closed by this program');
  },
};

/** A channel's connection ends in one of the ways that there are; the client links it again, or looks for its server. */
const ended = (
  word: Word,
  how: string,
  act: (stage: Stage, it: Awaited<ReturnType<typeof alone>>) => void,
): Scenario => ({
  name: `${word}-${how}`,
  about: `The ${word} channel ends: ${how.replaceAll('-', ' ')}.`,
  story: async (stage) => {
    const it = await alone(stage, word);
    const { a, client } = it;
    act(stage, it);
    await stage.for(5_000);
    if (word === 'main' && client.closed !== undefined) stage.endsClosed(client, /./);
    // A server that has not noticed holds the channel to be linked: it is given up, and that is told.
    else if (word !== 'main' && how === 'is-lost-at-the-client')
      assert.deepEqual([...client.client.channels], ['main:0']);
    else await stage.endsAt(client, a);
    await stage.for(90_000);
    assert.equal(stage.log.filter((line) => /closed: /.test(line)).length, /violat|nonsense/.test(how) ? 1 : 0);
  },
});

const garbage = (type: string): AnyMessage => ({
  type,
  body: type.endsWith('data') ? { data: new Uint8Array(4) } : {},
});

const endings = (word: Word): Scenario[] => {
  const channel = `${word}:0`;
  return [
    ended(word, 'is-cut', (_, { a }) => a.cut(channel)),
    ended(word, 'is-lost-at-the-client', (_, { a }) => a.lose(channel)),
    ended(word, 'is-violated-by-the-server', (stage, { a }) =>
      stage.inject(a.connection(channel), 'server', garbage('msg.migrate_data')),
    ),
    ended(word, 'is-violated-by-the-client', (stage, { a }) =>
      stage.inject(a.connection(channel), 'client', garbage('msgc.migrate_flush_mark')),
    ),
    ended(word, 'has-nonsense-from-the-server', (stage, { a }) => {
      stage.say('the server says something that cannot be read');
      a.connection(channel).pair.right.write(Uint8Array.of(1, 0, 255, 255, 255, 255));
    }),
    ended(word, 'has-nonsense-from-the-client', (stage, { a }) => {
      stage.say('the client says something that cannot be read');
      a.connection(channel).pair.left.write(Uint8Array.of(1, 0, 255, 255, 255, 255));
    }),
    ended(word, 'is-dropped-by-the-server', (stage, { a }) => {
      stage.say('the server drops the channel');
      a.server.dropChannel(channel, 'as it pleases');
    }),
    ended(word, 'is-left-with-a-goodbye-of-the-server', (stage, { a }) => {
      stage.inject(a.connection(channel), 'server', { type: 'msg.disconnecting', body: { timeStamp: 0n, reason: 0 } });
      a.connection(channel).pair.right.close();
    }),
    ended(word, 'is-left-with-a-goodbye-of-the-client', (stage, { a }) => {
      stage.inject(a.connection(channel), 'client', { type: 'msgc.disconnecting', body: { timeStamp: 0n, reason: 0 } });
      a.connection(channel).pair.left.close();
    }),
  ];
};

/** A server that lets one channel go by itself, as no server should: with these flags, and with data or without. */
const letGo = (word: Word, flags: number, data: boolean, schemes?: 'no early link'): Scenario => ({
  name: `${word}-let-go-${flags}${data ? '-with-data' : ''}${schemes === undefined ? '' : '-without-early-link'}`,
  about: `The server lets the ${word} channel go with flags ${flags}${data ? ' and data' : ''}, without a move: it is hung up.`,
  story: async (stage) => {
    const { a, client } = await stage.pair({
      client: {
        channels: word === 'main' ? ['inputs'] : [word as ClientChannel],
        ...(schemes === undefined ? {} : { schemes: ['seamless', 'semi-seamless', 'switch-host'] as const }),
      },
    });
    const connection = a.connection(`${word}:0`);
    stage.inject(connection, 'server', { type: 'msg.migrate', body: { flags } });
    await stage.for(10);
    if (data) stage.inject(connection, 'server', { type: 'msg.migrate_data', body: { data: new Uint8Array(8) } });
    await stage.for(10);
    stage.inject(connection, 'server', { type: 'msg.disconnecting', body: { timeStamp: 0n, reason: 0 } });
    await stage.for(30_000);
    if (client.closed !== undefined) stage.endsClosed(client, /./);
    else await stage.endsAt(client, a);
  },
});

/** Words after a channel was let go, or before it was begun, count for nothing. */
const said = (
  name: string,
  word: Word,
  about: string,
  tell: (stage: Stage, it: Awaited<ReturnType<typeof alone>>) => Promise<void>,
): Scenario => ({
  name,
  about,
  story: async (stage) => {
    const it = await alone(stage, word);
    await tell(stage, it);
    await stage.for(2_000);
    if (it.client.closed === undefined) await stage.endsAt(it.client, it.a);
  },
});

const sayings: readonly Scenario[] = [
  said(
    'inputs-words',
    'inputs',
    'Keys, motion and locks go to the guest, and the guest says its locks.',
    async (stage, { a, client }) => {
      client.key(30);
      client.client.input.keyUp(30);
      client.client.input.move(3, 4, 0);
      client.client.input.press(1, 1);
      client.client.input.release(1, 0);
      await stage.for(100);
      a.server.setModifiers(2);
      await stage.for(100);
      assert.equal(client.client.input.modifiers, 2);
      assert.deepEqual(a.keys, [30]);
    },
  ),
  said(
    'main-words',
    'main',
    'Mouse modes, the clock, a name, and words of an agent that comes and goes.',
    async (stage, { a, client }) => {
      stage.say('the client asks for client mode');
      client.client.requestMouseMode(2);
      await stage.for(100);
      assert.equal(client.client.mouseMode.current, 2);
      stage.say('the guest has another clock');
      a.server.multiMediaTime = 5_000;
      await stage.for(100);
      const main = a.connection('main:0');
      for (const message of [
        { type: 'msg.agent_connected', body: {} },
        { type: 'msg.agent_token', body: { numTokens: 5 } },
        { type: 'msg.agent_data', body: { data: Uint8Array.of(1, 2, 3) } },
        { type: 'msg.agent_disconnected', body: { errorCode: 0 } },
        { type: 'msg.agent_connected_tokens', body: { numTokens: 7 } },
        { type: 'msg.name', body: { name: 'another' } },
        { type: 'msg.uuid', body: { uuid: new Uint8Array(16) } },
        { type: 'msg.notify', body: { timeStamp: 0n, severity: 0, visibility: 0, what: 0, message: 'hello' } },
      ]) {
        stage.inject(main, 'server', message);
        await stage.for(10);
      }
      assert.equal(client.client.name, 'another');
      client.channel('main:0').send({ type: 'msgc.attach_channels', body: {} });
      await stage.for(100);
    },
  ),
  said(
    'main-agent-greeted',
    'main',
    'A guest with an agent: the client hears of it in the greeting.',
    async (stage, { a, client }) => {
      const { main } = a.server as any;
      const ask = main.ask.bind(main);
      main.ask = () => ({ ...ask(), agentConnected: true, agentTokens: 3 });
      a.lose('main:0');
      await stage.for(3_000);
      assert(client.whole);
      main.ask = ask;
      a.lose('main:0');
      await stage.for(3_000);
      assert(client.whole);
    },
  ),
  said(
    'display-words',
    'display',
    'Surfaces come and go, and are marked, and the display is reset.',
    async (stage, { a }) => {
      const display = a.connection('display:0');
      const surface = { width: 8, height: 8, format: 32 };
      for (const message of [
        { type: 'msg.surface_create', body: { surfaceId: 3, ...surface, flags: 0 } },
        { type: 'msg.mark', body: {} },
        { type: 'msg.surface_destroy', body: { surfaceId: 3 } },
        { type: 'msg.surface_destroy', body: { surfaceId: 0 } },
        { type: 'msg.surface_create', body: { surfaceId: 0, ...surface, flags: 1 } },
        { type: 'msg.mark', body: {} },
        { type: 'msg.reset', body: {} },
        { type: 'msg.mode', body: { xRes: 16, yRes: 16, bits: 32 } },
        { type: 'msg.mark', body: {} },
      ]) {
        stage.inject(display, 'server', message);
        await stage.for(10);
      }
      stage.say('the screen has another size');
      a.server.display.resize(32, 32);
      await stage.for(100);
    },
  ),
  said('cursor-words', 'cursor', 'The pointer moves, changes its shape, hides, and is reset.', async (stage, { a }) => {
    stage.say('the pointer moves');
    a.server.cursor.set({ width: 1, height: 1, hotX: 0, hotY: 0, bgra: new Uint8Array(4) } as never);
    a.server.cursor.move(3, 4);
    a.server.cursor.hide();
    await stage.for(100);
    const cursor = a.connection('cursor:0');
    stage.inject(cursor, 'server', { type: 'msg.reset', body: {} });
    await stage.for(10);
  }),
  said('playback-words', 'playback', 'The guest plays, stops, plays again in another mode.', async (stage, { a }) => {
    stage.say('the guest plays');
    a.server.playback.start({ channels: 2, frequency: 44_100 });
    await stage.for(10);
    a.server.playback.write(new Int16Array(8));
    await stage.for(10);
    a.server.playback.start({ channels: 1, frequency: 48_000 });
    await stage.for(10);
    stage.say('the guest is silent');
    a.server.playback.stop();
    a.server.playback.stop();
    await stage.for(10);
    const host = a.channel('playback:0');
    stage.say('its program says start twice, and mode while it plays');
    const start = { type: 'msg.start', body: { channels: 1, format: 1, frequency: 48_000, time: 0 } };
    for (const message of [
      start,
      start,
      { type: 'msg.mode', body: { time: 0, mode: 1, data: new Uint8Array() } },
      { type: 'msg.stop', body: {} },
    ]) {
      host.tell({ type: 'api.say', message });
      await stage.for(10);
    }
  }),
  said(
    'record-words',
    'record',
    'The guest listens, and listens no more, and the client talks meanwhile.',
    async (stage, { a, client }) => {
      stage.say('the guest listens');
      a.server.record.start({ channels: 1, frequency: 48_000 });
      await stage.for(10);
      client.client.record.write?.(new Int16Array(8));
      await stage.for(10);
      const connection = a.connection('record:0');
      for (const type of ['msgc.mode', 'msgc.start_mark'] as const) {
        stage.inject(
          connection,
          'client',
          type === 'msgc.mode'
            ? { type, body: { time: 0, mode: 1, data: new Uint8Array() } }
            : { type, body: { time: 0 } },
        );
        await stage.for(10);
      }
      stage.inject(connection, 'client', { type: 'msgc.migrate_data', body: { data: new Uint8Array(1) } });
      await stage.for(10);
      const host = a.channel('record:0');
      const start = { type: 'msg.start', body: { channels: 1, format: 1, frequency: 48_000 } };
      host.tell({ type: 'api.say', message: start });
      await stage.for(10);
      stage.say('the guest listens no more');
      a.server.record.stop();
      await stage.for(10);
      host.tell({ type: 'api.say', message: { type: 'msg.stop', body: {} } });
      for (const type of ['msgc.mode', 'msgc.start_mark'] as const) {
        stage.inject(
          connection,
          'client',
          type === 'msgc.mode'
            ? { type, body: { time: 0, mode: 1, data: new Uint8Array() } }
            : { type, body: { time: 0 } },
        );
        await stage.for(10);
      }
      stage.inject(connection, 'client', { type: 'msgc.migrate_data', body: { data: new Uint8Array(1) } });
      await stage.for(10);
    },
  ),
  said(
    'down-words',
    'display',
    'What comes when a channel is down already is no second offence.',
    async (stage, { a, client }) => {
      a.cut('display:0');
      client.channel('display:0').actor.send({ type: 'msg.mark', body: {} } as never);
      client.channel('display:0').actor.send({ type: 'plane.violation', reason: 'late' } as never);
      client.channel('display:0').actor.send({ type: 'api.close', reason: 'late' } as never);
      a.channel('display:0').actor.send({ type: 'msgc.init', body: {} } as never);
      a.channel('display:0').actor.send({ type: 'plane.violation', reason: 'late' } as never);
      a.channel('display:0').actor.send({ type: 'api.close', reason: 'late' } as never);
      await stage.for(2_000);
    },
  ),
];

/** The guest is asked, and does not answer. */
const unanswered = (word: 'main' | 'inputs'): Scenario => ({
  name: `${word}-the-guest-does-not-answer`,
  about: `The guest does not answer when ${word} is to be greeted: the channel is hung up.`,
  story: async (stage) => {
    const { a, client } = await alone(stage, word);
    const part = (a.server as any).parts[word];
    const { ask } = part;
    part.ask = () => {
      throw new Error('the guest says nothing');
    };
    a.cut(`${word}:0`);
    await stage.for(4_000);
    part.ask = ask;
    await stage.for(40_000);
    if (client.closed === undefined && client.whole) await stage.endsAt(client, a);
    else assert(word === 'inputs' || client.closed !== undefined);
  },
});

const introduction: Scenario = {
  name: 'display-is-never-introduced',
  about: 'A display channel that the client does not introduce in time is hung up.',
  story: async (stage) => {
    const { a, client } = await alone(stage, 'display');
    a.cut('display:0');
    await stage.for(505);
    a.stall('display:0');
    await stage.for(31_000);
    a.flow('display:0');
    await stage.for(5_000);
    await stage.endsAt(client, a);
  },
};

export const channelStories: readonly Scenario[] = [
  greeted,
  ...words.flatMap(endings),
  ...words.flatMap((word) => [
    letGo(word, 0, false),
    letGo(word, 1, false),
    letGo(word, 2, true),
    letGo(word, 3, true),
    letGo(word, 3, false),
    letGo(word, 0, false, 'no early link'),
  ]),
  ...sayings,
  unanswered('main'),
  unanswered('inputs'),
  introduction,
];
