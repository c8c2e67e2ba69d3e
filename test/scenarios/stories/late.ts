/** What comes late, twice, or at the worst moment: answers, announcements, losses in the middle of a switch. */
import assert from 'node:assert/strict';
import type { Scheme } from '../../../machines/contract.ts';
import type { Scenario } from '../play.ts';
import type { Guest, Host, Stage } from '../stage.ts';

const eager: readonly Scheme[] = ['seamless', 'early-link', 'semi-seamless'];
const words = ['display', 'inputs', 'cursor', 'playback', 'record'] as const;
type Channels = readonly (typeof words)[number][];

type Story = (stage: Stage, it: { a: Host; b: Host; client: Guest; scheme: Scheme }) => Promise<void>;

/** Ends where the guest is, with everything; and then the guest moves once more, which must go as if nothing had been. */
const late = (
  name: string,
  about: string,
  end: 'a' | 'b',
  story: Story,
  {
    schemes = eager,
    channels = ['inputs'],
    again = true,
  }: { schemes?: readonly Scheme[]; channels?: Channels; again?: boolean } = {},
): Scenario[] =>
  schemes.map((scheme) => ({
    name: `late-${scheme}-${name}`,
    about: `${scheme}: ${about}`,
    story: async (stage) => {
      const it = await stage.pair({ client: { channels } });
      await story(stage, { ...it, scheme });
      await stage.for(1_000);
      const [here, there] = end === 'a' ? [it.a, it.b] : [it.b, it.a];
      if (!again) {
        await stage.endsAt(it.client, here);
        await stage.for(40_000);
        return;
      }
      stage.curtain('the guest moves once more');
      await stage.for(35_000);
      here.announce(there, scheme);
      await stage.for(200);
      here.complete(there);
      await stage.for(2_000);
      assert.equal(it.client.phases().at(-1), `switched ${scheme}`);
      await stage.endsAt(it.client, there);
    },
  }));

/** The client hears of the move and links; its answer is under way for as long as the story likes. */
const unheard = async (stage: Stage, a: Host, to: Host, scheme: Scheme) => {
  a.announce(to, scheme);
  await stage.for(3);
  a.stall('main:0');
};

const answers: readonly Scenario[] = [
  ...late(
    'answer-and-it-is-given-up',
    'the answer comes when the source has given the client up, and the guest stays.',
    'a',
    async (stage, { a, b, scheme }) => {
      await unheard(stage, a, b, scheme);
      await stage.for(15_000);
      a.flow('main:0');
      await stage.for(1_000);
      a.giveUp();
    },
  ),
  ...late(
    'answer-after-it-was-given-up',
    'the move is given up while the answer is under way.',
    'a',
    async (stage, { a, b, scheme }) => {
      await unheard(stage, a, b, scheme);
      await stage.for(1_000);
      a.giveUp();
      await stage.for(100);
      a.flow('main:0');
    },
  ),
  ...late(
    'answer-after-the-deadline-and-it-was-given-up',
    'the source has given the client up, and the move was given up, when the answer comes.',
    'a',
    async (stage, { a, b, scheme }) => {
      await unheard(stage, a, b, scheme);
      await stage.for(15_000);
      a.giveUp();
      await stage.for(100);
      a.flow('main:0');
    },
  ),
  ...late(
    'answer-and-it-is-over',
    'the answer comes when the source has given the client up, and the guest moves.',
    'b',
    async (stage, { a, b, scheme }) => {
      await unheard(stage, a, b, scheme);
      await stage.for(15_000);
      a.flow('main:0');
      await stage.for(1_000);
      a.complete(b);
      await stage.for(5_000);
    },
  ),
  ...late(
    'answer-when-it-is-over',
    'the guest has moved when the answer comes: the end was held back.',
    'b',
    async (stage, { a, b, scheme }) => {
      await unheard(stage, a, b, scheme);
      await stage.for(1_000);
      a.complete(b);
      await stage.for(1_000);
      a.flow('main:0');
      await stage.for(5_000);
    },
  ),
  ...late(
    'answer-too-late',
    'the end was held back for long enough when the answer comes: the client was sent away.',
    'b',
    async (stage, { a, b, scheme }) => {
      await unheard(stage, a, b, scheme);
      await stage.for(1_000);
      a.complete(b);
      await stage.for(15_000);
      a.flow('main:0');
      await stage.for(10_000);
    },
  ),
  ...late(
    'answer-too-late-of-main-alone',
    'the end was held back for long enough when the answer comes: the client, which has main alone, was sent away.',
    'b',
    async (stage, { a, b, scheme }) => {
      await unheard(stage, a, b, scheme);
      await stage.for(1_000);
      a.complete(b);
      await stage.for(15_000);
      a.flow('main:0');
      await stage.for(10_000);
    },
    { channels: [] },
  ),
  ...(['refuses', 'is silent'] as const).flatMap((how) => [
    ...late(
      `no-of-a-target-that-${how.replaceAll(' ', '-')}-and-it-is-given-up`,
      `the target ${how}; the answer comes when the source has given the client up.`,
      'a',
      async (stage, { a, b, scheme }) => {
        b.become(how);
        await unheard(stage, a, b, scheme);
        await stage.for(15_000);
        a.flow('main:0');
        b.become('serves');
        await stage.for(1_000);
        a.giveUp();
      },
    ),
    ...late(
      `no-of-a-target-that-${how.replaceAll(' ', '-')}-when-it-is-over`,
      `the target ${how}; the answer comes when the end is held back.`,
      'b',
      async (stage, { a, b, scheme }) => {
        b.become(how);
        await unheard(stage, a, b, scheme);
        await stage.for(1_000);
        a.complete(b);
        await stage.for(8_500);
        b.become('serves');
        a.flow('main:0');
        await stage.for(10_000);
      },
    ),
  ]),
  ...eager.flatMap((second) =>
    late(
      `answer-to-the-first-of-two-then-${second}`,
      `the answer comes when another target was announced, ${second} at best.`,
      'b',
      async (stage, { a, b, scheme }) => {
        const c = stage.host('c');
        await unheard(stage, a, c, scheme);
        await stage.for(1_000);
        a.announce(b, second);
        await stage.for(1_000);
        a.flow('main:0');
        await stage.for(1_000);
        a.complete(b);
        await stage.for(10_000);
      },
    ),
  ),
  ...eager.flatMap((second) =>
    late(
      `answer-to-the-first-of-two-and-over-then-${second}`,
      `the answer comes when another target was announced, ${second} at best, and the guest is there.`,
      'b',
      async (stage, { a, b, scheme }) => {
        const c = stage.host('c');
        await unheard(stage, a, c, scheme);
        await stage.for(1_000);
        a.announce(b, second);
        await stage.for(100);
        a.complete(b);
        await stage.for(100);
        a.flow('main:0');
        await stage.for(15_000);
      },
    ),
  ),
  ...late(
    'no-to-the-first-of-two',
    'the first target refuses, and the answer comes when another one was announced, and the guest is there.',
    'b',
    async (stage, { a, b, scheme }) => {
      const c = stage.host('c');
      c.become('refuses');
      await unheard(stage, a, c, scheme);
      await stage.for(1_000);
      a.announce(b, scheme);
      await stage.for(100);
      a.complete(b);
      await stage.for(100);
      a.flow('main:0');
      await stage.for(15_000);
    },
  ),
  ...late(
    'answers-to-two-that-are-both-given-up',
    'two targets are announced and given up before the client has answered.',
    'a',
    async (stage, { a, b, scheme }) => {
      const c = stage.host('c');
      await unheard(stage, a, c, scheme);
      await stage.for(1_000);
      a.giveUp();
      await stage.for(100);
      a.announce(b, scheme);
      await stage.for(100);
      a.giveUp();
      await stage.for(100);
      a.flow('main:0');
      await stage.for(10_000);
    },
  ),
];

const all: Channels = words;

const switches: readonly Scenario[] = [
  ...late(
    'cut-after-the-switch',
    'each channel breaks after the switch: it is linked again where the guest is.',
    'b',
    async (stage, { a, b, client, scheme }) => {
      a.announce(b, scheme);
      await stage.for(200);
      a.complete(b);
      await stage.for(200);
      for (const word of words) {
        b.cut(`${word}:0`);
        await stage.for(1_000);
        assert(client.has(`${word}:0`));
      }
      b.cut('main:0');
      await stage.for(3_000);
    },
    { channels: all },
  ),
  ...late(
    'violated-after-the-switch',
    'each channel is violated after the switch, by one end and by the other.',
    'b',
    async (stage, { a, b, client, scheme }) => {
      a.announce(b, scheme);
      await stage.for(200);
      a.complete(b);
      await stage.for(200);
      for (const word of words) {
        stage.inject(b.connection(`${word}:0`), 'server', {
          type: 'msg.migrate_data',
          body: { data: new Uint8Array(4) },
        });
        await stage.for(1_000);
        stage.inject(b.connection(`${word}:0`), 'client', { type: 'msgc.migrate_flush_mark', body: {} });
        await stage.for(1_000);
        assert(client.has(`${word}:0`));
      }
    },
    { channels: all, again: false },
  ),
  ...late(
    'typed-in-the-switch',
    'keys are typed and sound is recorded all through the switch: nothing is doubled or reordered.',
    'b',
    async (stage, { a, b, client, scheme }) => {
      a.server.record.start({ channels: 1, frequency: 48_000 });
      await stage.for(100);
      a.announce(b, scheme);
      await stage.for(100);
      a.complete(b);
      const typed: number[] = [];
      for (let key = 100; key < 116; key++) {
        if (client.key(key)) typed.push(key);
        client.client.record.write(new Int16Array(4));
        await stage.for(1);
      }
      await stage.for(3_000);
      const heard = [...a.keys, ...b.keys];
      assert.deepEqual(
        heard,
        typed.filter((key) => heard.includes(key)),
        'in order, none twice',
      );
      if (scheme === 'seamless') assert.deepEqual(heard, typed, 'all of them');
    },
    { channels: all },
  ),
  ...(['migrate_begin', 'migrate_begin_seamless'] as const).flatMap((word) =>
    late(
      `${word.replaceAll('_', '-')}-without-a-cancel`,
      'the source announces another target without taking the first one back, as others do: the client drops the first.',
      'a',
      async (stage, { a, b, client, scheme }) => {
        const c = stage.host('c');
        a.announce(c, scheme);
        await stage.for(100);
        const to = { host: 'b', port: 1, sport: 0, certSubject: '' };
        const body = word === 'migrate_begin' ? to : { ...to, srcMigVersion: 1 };
        stage.inject(a.connection('main:0'), 'server', { type: `msg.${word}`, body });
        await stage.for(1_000);
        assert.deepEqual([c.live().length, b.live().length], [0, client.wanted.length]);
        stage.inject(a.connection('main:0'), 'server', { type: 'msg.migrate_cancel', body: {} });
        await stage.for(1_000);
        a.giveUp();
      },
      { again: false },
    ),
  ),
  ...late(
    'said-when-it-was-let-go',
    'what clients say on a channel that was let go does not count, and is no offence.',
    'b',
    async (stage, { a, b, scheme }) => {
      a.announce(b, scheme);
      await stage.for(200);
      a.complete(b);
      for (const { channel } of a.live()) {
        stage.inject(a.connection(channel), 'client', { type: 'msgc.migrate_flush_mark', body: {} });
      }
      await stage.for(3_000);
      assert.deepEqual(
        stage.log.filter((line) => /closed: /.test(line)),
        [],
      );
    },
    { schemes: ['early-link', 'semi-seamless'], channels: words, again: false },
  ),
  ...late(
    'let-go-before-the-word',
    'channels are let go before main has heard of the move, and their connections break.',
    'b',
    async (stage, { a, b, scheme }) => {
      a.stall('main:0');
      a.announce(b, scheme);
      await stage.for(100);
      a.complete(b);
      await stage.for(1_000);
      for (const word of words) a.cut(`${word}:0`);
      await stage.for(1_000);
      a.flow('main:0');
      await stage.for(15_000);
    },
    { schemes: ['early-link'], channels: all },
  ),
  ...late(
    'let-go-and-main-never-hears',
    'channels are let go and main hears of no move for too long: they are hung up.',
    'b',
    async (stage, { a, b, scheme }) => {
      a.stall('main:0');
      a.announce(b, scheme);
      await stage.for(100);
      a.complete(b);
      await stage.for(14_000);
      a.flow('main:0');
      await stage.for(15_000);
    },
    { schemes: ['early-link'], channels: ['display', 'inputs'] },
  ),
  ...(['announces', 'announces-and-cancels', 'announces-and-ends'] as const).flatMap((how) =>
    late(
      `target-${how}-in-the-switch`,
      `the target ${how.replaceAll('-', ' ')} a move of its own before the client has left the source.`,
      'b',
      async (stage, { a, b, client, scheme }) => {
        const c = stage.host('c');
        a.announce(b, scheme);
        await stage.for(200);
        a.stall('display:0');
        a.complete(b);
        await stage.for(50);
        b.announce(c, scheme);
        await stage.for(50);
        if (how === 'announces-and-cancels') b.giveUp();
        if (how === 'announces-and-ends') b.complete(c);
        await stage.for(50);
        a.flow('display:0');
        await stage.for(15_000);
        if (how === 'announces') b.giveUp();
        if (how === 'announces-and-ends') {
          assert.equal(client.client.system.root.getSnapshot().context.destination.host, 'c');
          c.announce(b, scheme);
          await stage.for(200);
          c.complete(b);
          await stage.for(5_000);
        }
      },
      { channels: ['display', 'inputs'], again: false },
    ),
  ),
  ...late(
    'parked-display-is-lost-unnoticed',
    'the target loses display before the client comes, which does not notice until then.',
    'b',
    async (stage, { a, b, scheme }) => {
      a.announce(b, scheme);
      await stage.for(200);
      b.loseHere('display:0');
      await stage.for(100);
      a.complete(b);
      await stage.for(3_000);
      assert.equal(b.heard('arrived').length, 1);
      b.cut('display:0');
      await stage.for(3_000);
    },
    { channels: ['display', 'inputs'] },
  ),
  ...late(
    'parked-links-are-lost-and-linked-again',
    'the target loses all but main unnoticed; the client comes all the same.',
    'b',
    async (stage, { a, b, scheme }) => {
      a.announce(b, scheme);
      await stage.for(200);
      b.loseHere('display:0');
      await stage.for(100);
      b.loseHere('inputs:0');
      await stage.for(5_000);
      a.complete(b);
      await stage.for(3_000);
      assert.equal(b.heard('arrived').length, 1);
      b.cut('display:0');
      b.cut('inputs:0');
      await stage.for(3_000);
    },
    { channels: ['display', 'inputs'] },
  ),
  ...late(
    'target-cannot-say-how-its-guest-is',
    'the guest does not answer at the target when the client comes.',
    'b',
    async (stage, { a, b, scheme }) => {
      a.announce(b, scheme);
      await stage.for(200);
      const { main, inputs } = (b.server as any).parts;
      const asked = [main.ask, inputs.ask];
      main.ask = () => {
        throw new Error('it says nothing');
      };
      inputs.ask = main.ask;
      a.complete(b);
      await stage.for(500);
      [main.ask, inputs.ask] = asked;
      await stage.for(15_000);
    },
    { again: false },
  ),
];

const relinks: readonly Scenario[] = [
  ...[2, 4, 5, 6, 7].flatMap((ms) =>
    late(
      `target-is-lost-again-and-again-${ms}`,
      `the target is lost ${ms} ms after each time that it is linked, and the move is given up.`,
      'a',
      async (stage, { a, b, scheme }) => {
        a.announce(b, scheme);
        await stage.for(200);
        b.cut();
        for (let times = 0; times < 8; times++) {
          await stage.clock.until(() => b.live().length > 0, 20_000).catch(() => {});
          await stage.for(ms);
          b.cut();
        }
        await stage.for(1_000);
        a.giveUp();
      },
    ),
  ),
  ...late(
    'target-declines-when-it-is-back',
    'the target was started again, and declines now what it agreed to first.',
    'b',
    async (stage, { a, b, scheme }) => {
      a.announce(b, scheme);
      await stage.for(200);
      await b.restart();
      (b.server.system.root.getSnapshot() as any).context.schemes = ['semi-seamless', 'switch-host'];
      await stage.for(5_000);
      a.complete(b);
      await stage.for(15_000);
    },
    { schemes: ['seamless'], again: false },
  ),
  ...late(
    'target-and-then-channels-are-lost',
    'the target is lost for good, then a channel of the source; then the guest is at the target.',
    'b',
    async (stage, { a, b, scheme }) => {
      a.announce(b, scheme);
      await stage.for(200);
      b.become('refuses');
      b.cut();
      await stage.for(30_000);
      a.cut('inputs:0');
      await stage.for(200);
      b.become('serves');
      a.complete(b);
      await stage.for(15_000);
    },
  ),
  ...late(
    'end-while-the-target-is-gone-for-good',
    'the end is said while the target is linked again, which it cannot be.',
    'b',
    async (stage, { a, b, scheme }) => {
      a.announce(b, scheme);
      await stage.for(200);
      b.become('refuses');
      b.cut();
      await stage.for(12_000);
      a.complete(b);
      await stage.for(9_000);
      b.become('serves');
      await stage.for(15_000);
    },
  ),
];

/** Said while the target is asked for seamless. */
const asked: readonly Scenario[] = (
  [
    [
      'something-else',
      (stage: Stage, b: Host) =>
        stage.inject(b.connection('main:0'), 'server', { type: 'msg.migrate_cancel', body: {} }),
    ],
    [
      'no',
      (stage: Stage, b: Host) =>
        stage.inject(b.connection('main:0'), 'server', { type: 'msg.migrate_dst_seamless_nack', body: {} }),
    ],
    [
      'nonsense',
      (stage: Stage, b: Host) => {
        stage.say('the target says something that cannot be read');
        b.connection('main:0').pair.right.write(Uint8Array.of(1, 0, 255, 255, 255, 255));
      },
    ],
    ['nothing', (stage: Stage, b: Host) => stage.say(`${b.name} is silent`)],
  ] as const
).flatMap(([what, act]) =>
  (['first', 'again'] as const).flatMap((when) =>
    late(
      `${what}-is-said-when-asked-for-seamless-${when}`,
      `the target says ${what.replaceAll('-', ' ')} when it is asked for seamless (${when}).`,
      'a',
      async (stage, { a, b, scheme }) => {
        a.announce(b, scheme);
        if (when === 'again') {
          await stage.for(200);
          b.cut();
          await stage.for(500);
        }
        await stage.clock.until(
          () =>
            b.live('main:0').length > 0 && b.heard('session').at(-1)?.state === 'up' && b.server.channels().length > 0,
        );
        await stage.for(0.5);
        act(stage, b);
        if (what === 'nothing') b.stall('main:0');
        await stage.for(40_000);
        a.giveUp();
        if (what === 'nothing') b.flow('main:0');
        await stage.for(8_000);
      },
      { schemes: ['seamless'], again: false },
    ),
  ),
);

const places: readonly Scenario[] = [
  ...(['cut', 'deadline', 'refuses', 'serves'] as const).flatMap((how) =>
    [true, false].map(
      (resolved): Scenario => ({
        name: `late-source-is-lost-and-${how}${resolved ? '' : '-before-it-is-known-where'}`,
        about: `The source is lost in a move; it is looked for there first (${how}), and then at the target.`,
        story: async (stage) => {
          let known = (_: { host: string; port: number }) => {};
          let slow = !resolved;
          const { a, b, client } = await stage.pair({
            client: {
              channels: ['inputs'],
              resolveDestination: (to) => {
                if (!slow) return to;
                slow = false;
                return new Promise((done) => {
                  known = done;
                });
              },
            },
          });
          a.announce(b, 'semi-seamless');
          await stage.for(200);
          a.kill();
          if (how !== 'refuses') {
            a.behaviour = 'serves';
            a.start();
            if (how !== 'serves') (a.server as any).parts.main.ask = () => new Promise(() => {});
          }
          stage.say('the guest is at b');
          b.server.guestArrived();
          await stage.for(1_000);
          known({ host: 'b', port: 1 });
          if (how === 'cut') a.cut();
          await stage.for(20_000);
          await stage.endsAt(client, how === 'serves' ? a : b);
          await stage.for(40_000);
        },
      }),
    ),
  ),
  ...(['tries', 'time'] as const).flatMap((what) =>
    (['semi-seamless', 'switch-host'] as const).map(
      (scheme): Scenario => ({
        name: `late-nobody-is-found-${scheme}-${what}`,
        about: `The guest has gone by ${scheme} where nobody is: the client looks for it until its ${what} is over.`,
        story: async (stage) => {
          const { a, b, client } = await stage.pair({
            client: {
              channels: ['inputs'],
              schemes: ['semi-seamless', 'switch-host'],
              reconnect: what === 'tries' ? { tries: 2 } : { tries: 100, forMs: 20_000 },
            },
          });
          b.become('refuses');
          a.announce(b, scheme);
          await stage.for(200);
          a.complete();
          await stage.for(1_000);
          a.kill();
          await stage.for(60_000);
          assert.equal(client.phases().at(-1), 'failed switch-host');
          stage.endsClosed(client, 'b refuses');
        },
      }),
    ),
  ),
  {
    name: 'late-guest-is-back-while-one-is-leaving',
    about: 'The guest comes back while one client has not left yet and another one is away: that one finds it here.',
    story: async (stage) => {
      const { a, b, client } = await stage.pair({ client: { channels: ['inputs'] } });
      const other = stage.client({ to: 'a', channels: ['inputs'] });
      await stage.for(1_000);
      stage.say('the client is lost, and finds nobody');
      for (const { pair } of a.connections.slice(0, 2)) pair.cut();
      a.become('refuses');
      await stage.for(100);
      a.announce(b);
      await stage.for(100);
      a.stall();
      a.complete(b);
      await stage.for(100);
      stage.say('the guest is back');
      a.server.guestArrived();
      a.become('serves');
      await stage.for(5_000);
      assert.equal(client.client.system.root.getSnapshot().context.destination.host, 'a');
      assert(client.whole);
      a.flow();
      await stage.for(20_000);
      assert(other.whole);
    },
  },
];

/** What comes when a channel is down already is no second offence. */
const down: readonly Scenario[] = (['main', ...words] as const).map((word) => ({
  name: `late-words-on-${word}`,
  about: `What comes when ${word} is down already is no second offence.`,
  story: async (stage) => {
    const channels: Channels = word === 'main' ? ['inputs'] : [word];
    const { a, client } = await stage.pair({ client: { channels } });
    const address = `${word}:0`;
    const [ours, theirs] = [client.channel(address).actor, a.channel(address).actor];
    if (word === 'main') {
      a.become('refuses');
    }
    stage.say('the connection breaks, and what was under way inside of the programs comes after that');
    for (const { pair } of a.live(address)) pair.cut();
    await stage.for(0);
    for (const type of ['plane.violation', 'api.close', 'plane.closed']) {
      for (const actor of [ours, theirs]) actor.send({ type, reason: 'late', link: 'none' } as never);
    }
    ours.send({ type: 'msg.migrate', body: { flags: 0 } } as never);
    theirs.send({ type: 'msgc.migrate_flush_mark', body: {} } as never);
    await stage.for(2_000);
    if (word === 'main') a.become('serves');
    await stage.for(10_000);
    await stage.endsAt(client, a);
  },
}));

export const lateStories: readonly Scenario[] = [...answers, ...switches, ...relinks, ...asked, ...places, ...down];
