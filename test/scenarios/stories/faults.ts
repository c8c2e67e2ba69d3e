/** Hand-overs in which something goes wrong: the client is where the guest is in the end, and nothing is left anywhere else. */
import assert from 'node:assert/strict';
import type { Scheme } from '../../../machines/contract.ts';
import type { ClientOptions } from '../../../src/client/client.ts';
import type { ServerOptions } from '../../../src/server/server.ts';
import type { Scenario } from '../play.ts';
import type { Guest, Host, Stage } from '../stage.ts';

const eager: readonly Scheme[] = ['seamless', 'early-link', 'semi-seamless'];

interface Cast {
  readonly stage: Stage;
  readonly a: Host;
  readonly b: Host;
  readonly client: Guest;
  readonly scheme: Scheme;
}

interface With {
  readonly client?: Partial<ClientOptions>;
  readonly a?: ServerOptions;
  readonly b?: ServerOptions;
  /** Which schemes it is told of. Default: all but switch-host. */
  readonly schemes?: readonly Scheme[];
}

/** Who has the client in the end; 'nobody' if it is closed. */
type End = 'a' | 'b' | 'nobody';

const goes = (
  name: string,
  about: string,
  end: End | ((scheme: Scheme) => End),
  story: (cast: Cast) => Promise<void>,
  options: With = {},
): Scenario[] =>
  (options.schemes ?? eager).map((scheme) => ({
    name: `${scheme}-${name}`,
    about: `${scheme}: ${about}`,
    story: async (stage) => {
      const { client: more, a: forA, b: forB } = options;
      const cast = await stage.pair({
        client: { channels: ['display', 'inputs'], ...more },
        ...(forA && { a: forA }),
        ...(forB && { b: forB }),
      });
      const { a, b, client } = cast;
      await story({ stage, ...cast, scheme });
      await stage.for(1_000);
      const where = typeof end === 'string' ? end : end(scheme);
      if (where === 'nobody') stage.endsClosed(client, /./);
      else await stage.endsAt(client, where === 'a' ? a : b);
      await stage.for(70_000);
    },
  }));

const linked = async ({ stage, a, b, scheme }: Cast) => {
  a.announce(b, scheme);
  await stage.for(100);
};

const unreachable = (how: 'refuses' | 'is silent' | 'takes a connection and never opens it'): Scenario[] => {
  const word = how.replaceAll(' ', '-');
  return [
    ...goes(
      `target-${word}-and-it-is-given-up`,
      `the target ${how}, and the move is given up.`,
      'a',
      async ({ stage, a, b, scheme }) => {
        b.become(how);
        a.announce(b, scheme);
        await stage.for(12_000);
        a.giveUp();
      },
    ),
    ...goes(
      `target-${word}-and-is-there-in-the-end`,
      `the target ${how}, and is there when the guest is.`,
      'b',
      async ({ stage, a, b, scheme }) => {
        b.become(how);
        a.announce(b, scheme);
        await stage.for(12_000);
        b.become('serves');
        a.complete(b);
        await stage.for(20_000);
      },
    ),
    ...goes(
      `target-${word}-and-it-is-over-soon`,
      `the target ${how}, and the guest has moved there already.`,
      'b',
      async ({ stage, a, b, scheme }) => {
        b.become(how);
        a.announce(b, scheme);
        await stage.for(20);
        a.complete(b);
        await stage.for(1_000);
        b.become('serves');
        await stage.for(60_000);
      },
    ),
  ];
};

const targets: readonly Scenario[] = [
  ...unreachable('refuses'),
  ...unreachable('is silent'),
  ...unreachable('takes a connection and never opens it'),
  ...[2, 4, 6, 8].flatMap((ms) =>
    goes(
      `target-is-lost-after-${ms}-ms`,
      `the target loses its connections ${ms} ms after the announcement; the guest moves there all the same.`,
      'b',
      async ({ stage, a, b, scheme }) => {
        a.announce(b, scheme);
        await stage.for(ms);
        b.cut();
        await stage.for(1_000);
        a.complete(b);
        await stage.for(20_000);
      },
    ),
  ),
  ...goes(
    'target-is-lost-and-linked-again',
    'the target loses its connections once the client is linked: it is linked again.',
    'b',
    async (cast) => {
      const { stage, a, b } = cast;
      await linked(cast);
      b.cut();
      await stage.for(3_000);
      a.complete(b);
      await stage.for(3_000);
    },
  ),
  ...goes(
    'target-restarts',
    'the target is started again once the client is linked: it is linked again.',
    'b',
    async (cast) => {
      const { stage, a, b } = cast;
      await linked(cast);
      await b.restart();
      await stage.for(3_000);
      a.complete(b);
      await stage.for(3_000);
    },
  ),
  ...goes(
    'target-is-lost-and-it-is-given-up',
    'the target is lost, is being linked again, and the move is given up.',
    'a',
    async (cast) => {
      const { stage, a, b } = cast;
      await linked(cast);
      b.cut();
      await stage.for(100);
      a.giveUp();
      await stage.for(3_000);
    },
  ),
  ...goes(
    'target-is-lost-and-it-is-over',
    'the target is lost, and the guest has moved before it is linked again.',
    'b',
    async (cast) => {
      const { stage, a, b } = cast;
      await linked(cast);
      b.cut();
      await stage.for(100);
      a.complete(b);
      await stage.for(20_000);
    },
  ),
  ...goes(
    'target-is-gone-too-long',
    'the target is lost, and is back only when the client has waited long enough.',
    'b',
    async (cast) => {
      const { stage, a, b } = cast;
      await linked(cast);
      b.become('refuses');
      b.cut();
      await stage.for(100);
      a.complete(b);
      await stage.for(8_000);
      b.become('serves');
      await stage.for(40_000);
    },
  ),
  ...goes('target-is-silent-again', 'the target is lost and silent then; the move is given up.', 'a', async (cast) => {
    const { stage, a, b } = cast;
    await linked(cast);
    b.become('is silent');
    b.cut();
    await stage.for(80_000);
    a.giveUp();
    await stage.for(3_000);
  }),
  ...goes(
    'target-is-gone-for-good',
    'the target is lost and not to be linked again; the move is given up.',
    'a',
    async (cast) => {
      const { stage, a, b } = cast;
      await linked(cast);
      b.become('refuses');
      b.cut();
      await stage.for(30_000);
      a.giveUp();
      await stage.for(3_000);
    },
  ),
  ...goes(
    'target-is-back-late',
    'the target is lost and not to be linked again; it is there when the guest is.',
    'b',
    async (cast) => {
      const { stage, a, b } = cast;
      await linked(cast);
      b.become('refuses');
      b.cut();
      await stage.for(30_000);
      b.become('serves');
      a.complete(b);
      await stage.for(20_000);
    },
  ),
  ...goes(
    'target-can-do-less-when-it-is-back',
    'the target is started again and can do less: the client goes there afresh.',
    'b',
    async (cast) => {
      const { stage, a, b } = cast;
      await linked(cast);
      b.kill();
      (b as any).options = { schemes: ['switch-host'] };
      b.behaviour = 'serves';
      b.start();
      await stage.for(3_000);
      a.complete(b);
      await stage.for(10_000);
    },
  ),
  ...goes(
    'target-is-lost-in-the-switch',
    'the target loses its connections while the client goes over.',
    'b',
    async (cast) => {
      const { stage, a, b } = cast;
      await linked(cast);
      a.complete(b);
      await stage.for(2);
      b.cut();
      await stage.for(30_000);
    },
  ),
  ...goes('target-loses-main-in-the-switch', 'the target loses main while the client goes over.', 'b', async (cast) => {
    const { stage, a, b } = cast;
    await linked(cast);
    a.complete(b);
    await stage.for(1);
    b.cut('main:0');
    await stage.for(30_000);
  }),
  ...goes(
    'target-loses-inputs-in-the-switch',
    'the target loses inputs while the client goes over.',
    'b',
    async (cast) => {
      const { stage, a, b } = cast;
      await linked(cast);
      a.complete(b);
      await stage.for(2);
      b.cut('inputs:0');
      await stage.for(30_000);
    },
  ),
  ...goes(
    'target-is-silent-in-the-switch',
    'the target takes nothing any more when the client goes over.',
    'b',
    async (cast) => {
      const { stage, a, b } = cast;
      await linked(cast);
      a.complete(b);
      await stage.for(1);
      b.stall();
      await stage.for(15_000);
      b.cut();
      await stage.for(60_000);
    },
  ),
  ...goes(
    'target-dies-just-after-the-switch',
    'the target loses its connections just after the switch.',
    'b',
    async (cast) => {
      const { stage, a, b } = cast;
      await linked(cast);
      a.complete(b);
      await stage.for(3_000);
      b.cut();
      await stage.for(30_000);
    },
  ),
  ...goes(
    'target-declines',
    'the target says that it can be asked for seamless, and declines.',
    'b',
    async (cast) => {
      const { stage, a, b } = cast;
      (b.server.system.root.getSnapshot() as any).context.schemes = ['semi-seamless', 'switch-host'];
      await linked(cast);
      a.complete(b);
      await stage.for(10_000);
    },
    { schemes: ['seamless'] },
  ),
  ...goes(
    'guest-does-not-come',
    'the target hears that its guest will not come, and lets the client go; the move is given up.',
    'a',
    async (cast) => {
      const { stage, a, b } = cast;
      await linked(cast);
      stage.say('b hears that the guest will not come');
      b.server.guestLost();
      await stage.for(200);
      a.giveUp();
      await stage.for(3_000);
    },
  ),
  ...goes(
    'arrival-deadline',
    'the client is linked and never comes: after half an hour the target lets it go.',
    'a',
    async (cast) => {
      const { stage, a, b } = cast;
      await linked(cast);
      b.stall();
      await stage.for(31 * 60_000);
      a.giveUp();
      await stage.for(8_000);
    },
  ),
  ...goes(
    'password-expires',
    'the password expires once the client is linked: it goes over all the same.',
    'b',
    async (cast) => {
      const { stage, a, b } = cast;
      await linked(cast);
      stage.say('the password of b expires');
      b.server.setPassword('another');
      a.complete(b);
      await stage.for(3_000);
    },
  ),
  ...goes(
    'password-is-another',
    'the target has another password: the client is refused there, and stays.',
    'a',
    async ({ stage, a, b, scheme }) => {
      b.server.setPassword('another');
      a.announce(b, scheme);
      await stage.for(3_000);
      a.giveUp();
    },
  ),
  ...goes(
    'password-is-another-and-it-is-over',
    'the target has another password: the client cannot follow its guest.',
    'nobody',
    async ({ stage, a, b, scheme }) => {
      b.server.setPassword('another');
      a.announce(b, scheme);
      await stage.for(3_000);
      a.complete(b);
      await stage.for(60_000);
    },
  ),
  ...goes(
    'parked-links-are-lost-at-the-target',
    'the target loses the parked links but main, and the client does not notice; then it goes back.',
    'a',
    async (cast) => {
      const { stage, a, b } = cast;
      await linked(cast);
      b.loseHere('display:0');
      await stage.for(100);
      b.loseHere('inputs:0');
      await stage.for(11_000);
      a.giveUp();
      await stage.for(8_000);
    },
  ),
  ...goes('a-parked-link-is-lost', 'a parked link of inputs is lost: all is linked again.', 'b', async (cast) => {
    const { stage, a, b } = cast;
    await linked(cast);
    b.cut('inputs:0');
    await stage.for(3_000);
    a.complete(b);
    await stage.for(3_000);
  }),
];

const sources: readonly Scenario[] = [
  ...[3, 100].flatMap((ms) =>
    goes(
      `source-loses-main-after-${ms}-ms`,
      `the source loses main ${ms} ms after the announcement, and the guest stays.`,
      'a',
      async ({ stage, a, b, scheme }) => {
        a.announce(b, scheme);
        await stage.for(ms);
        a.cut('main:0');
        await stage.for(5_000);
        a.giveUp();
        await stage.for(10_000);
      },
    ),
  ),
  ...[3, 100].flatMap((ms) =>
    goes(
      `source-loses-all-after-${ms}-ms-and-it-is-over`,
      `the source loses its connections ${ms} ms after the announcement, and the guest moves.`,
      'b',
      async ({ stage, a, b, scheme }) => {
        a.announce(b, scheme);
        await stage.for(ms);
        a.cut();
        await stage.for(100);
        a.complete(b);
        await stage.for(30_000);
      },
    ),
  ),
  ...[3, 100].flatMap((ms) =>
    goes(
      `source-dies-after-${ms}-ms`,
      `the source dies ${ms} ms after the announcement; the guest is at the target.`,
      'b',
      async ({ stage, a, b, scheme }) => {
        a.announce(b, scheme);
        await stage.for(ms);
        a.kill();
        stage.say('the guest is at b');
        b.server.guestArrived();
        await stage.for(60_000);
      },
    ),
  ),
  ...[1, 3, 100].flatMap((ms) =>
    goes(
      `source-loses-inputs-after-${ms}-ms`,
      `the source loses inputs ${ms} ms after the announcement: it is linked again, where the guest is then.`,
      'b',
      async ({ stage, a, b, scheme }) => {
        a.announce(b, scheme);
        await stage.for(ms);
        a.cut('inputs:0');
        await stage.for(200);
        a.complete(b);
        await stage.for(20_000);
      },
    ),
  ),
  ...goes(
    'source-loses-inputs-in-the-switch',
    'the source loses inputs while it lets the client go.',
    'b',
    async (cast) => {
      const { stage, a, b } = cast;
      await linked(cast);
      a.complete(b);
      a.cut('inputs:0');
      await stage.for(20_000);
    },
  ),
  ...goes(
    'source-loses-main-in-the-switch',
    'the source loses main while it lets the client go.',
    'b',
    async (cast) => {
      const { stage, a, b } = cast;
      await linked(cast);
      a.complete(b);
      a.cut('main:0');
      await stage.for(30_000);
    },
  ),
  ...goes(
    'source-loses-all-while-relinking',
    'the target is lost, and while it is linked again the source loses its connections too.',
    'a',
    async (cast) => {
      const { stage, a, b } = cast;
      await linked(cast);
      b.cut();
      await stage.for(50);
      a.cut();
      await stage.for(5_000);
      a.giveUp();
      await stage.for(10_000);
    },
  ),
  ...goes(
    'source-loses-main-after-the-target',
    'the target is lost for good, and the source loses main.',
    'a',
    async (cast) => {
      const { stage, a, b } = cast;
      await linked(cast);
      b.become('refuses');
      b.cut();
      await stage.for(30_000);
      a.cut('main:0');
      await stage.for(10_000);
      a.giveUp();
      await stage.for(10_000);
    },
  ),
  ...goes(
    'source-loses-inputs-after-the-target',
    'the target is lost, and the source loses inputs; then the guest moves.',
    'b',
    async (cast) => {
      const { stage, a, b } = cast;
      await linked(cast);
      b.become('refuses');
      b.cut();
      await stage.for(1_100);
      a.cut('inputs:0');
      await stage.for(29_000);
      a.cut('display:0');
      await stage.for(100);
      b.become('serves');
      a.complete(b);
      await stage.for(20_000);
    },
  ),
  ...goes(
    'client-is-silent',
    'nothing comes from the client until it is too late to answer; the guest moves then.',
    'b',
    async ({ stage, a, b, scheme }) => {
      a.announce(b, scheme);
      a.stall('main:0');
      await stage.for(15_000);
      a.flow('main:0');
      await stage.for(3_000);
      a.complete(b);
      await stage.for(20_000);
    },
  ),
  ...goes(
    'client-answers-late-and-it-is-given-up',
    'nothing comes from the client until it is too late to answer; the move is given up.',
    'a',
    async ({ stage, a, b, scheme }) => {
      a.announce(b, scheme);
      a.stall('main:0');
      await stage.for(15_000);
      a.giveUp();
      await stage.for(100);
      a.flow('main:0');
      await stage.for(5_000);
    },
  ),
  ...goes(
    'client-answers-late-with-an-end-held-back',
    'nothing comes from the client until the end has been held back long enough.',
    'b',
    async ({ stage, a, b, scheme }) => {
      a.announce(b, scheme);
      a.stall('main:0');
      await stage.for(100);
      a.complete(b);
      await stage.for(15_000);
      a.flow('main:0');
      await stage.for(30_000);
    },
  ),
  ...goes(
    'client-never-leaves',
    'the client hears nothing of the end, and is hung up on after 10 s.',
    'b',
    async (cast) => {
      const { stage, a, b } = cast;
      await linked(cast);
      a.stall();
      a.complete(b);
      await stage.for(15_000);
      a.cut();
      await stage.for(40_000);
    },
  ),
  ...goes(
    'display-is-not-let-go',
    'what the source says on display is held up when it lets the client go.',
    'b',
    async (cast) => {
      const { stage, a, b } = cast;
      await linked(cast);
      a.stall('display:0');
      a.complete(b);
      await stage.for(25_000);
      a.flow('display:0');
      await stage.for(30_000);
    },
  ),
  ...goes(
    'main-is-not-let-go',
    'what the source says on main is held up when it lets the client go.',
    'b',
    async (cast) => {
      const { stage, a, b } = cast;
      await linked(cast);
      a.stall('main:0');
      a.complete(b);
      await stage.for(25_000);
      a.flow('main:0');
      await stage.for(60_000);
    },
  ),
  ...goes(
    'data-are-not-collected',
    'the state of display cannot be collected at the source.',
    'b',
    async (cast) => {
      const { stage, a, b } = cast;
      await linked(cast);
      (a.server as any).parts.display.collect = () => {
        throw new Error('it cannot be collected');
      };
      a.complete(b);
      await stage.for(40_000);
    },
    { schemes: ['seamless'] },
  ),
  ...goes(
    'main-data-are-not-collected',
    'the state of main cannot be collected at the source.',
    'b',
    async (cast) => {
      const { stage, a, b } = cast;
      await linked(cast);
      (a.server as any).parts.main.collect = () => {
        throw new Error('it cannot be collected');
      };
      a.complete(b);
      await stage.for(60_000);
    },
    { schemes: ['seamless'] },
  ),
  ...['display', 'inputs', 'main'].flatMap((word) =>
    goes(
      `data-of-${word}-do-not-fit`,
      `the target cannot take over the state of ${word}.`,
      'b',
      async (cast) => {
        const { stage, a, b } = cast;
        await linked(cast);
        const part = (b.server as any).parts[word];
        part.load = () => {
          throw new Error('this does not fit');
        };
        a.complete(b);
        await stage.for(30_000);
      },
      { schemes: ['seamless'] },
    ),
  ),
];

const announcements: readonly Scenario[] = [
  ...[0, 5, 100].flatMap((ms) =>
    goes(
      `another-target-after-${ms}-ms`,
      `another target is announced after ${ms} ms, and the guest moves there.`,
      'b',
      async ({ stage, a, b, scheme }) => {
        const c = stage.host('c');
        a.announce(c, scheme);
        await stage.for(ms);
        a.announce(b, scheme);
        await stage.for(3_000);
        a.complete(b);
        await stage.for(5_000);
      },
    ),
  ),
  ...goes(
    'the-same-target-twice',
    'the same target is announced twice, and the guest stays.',
    'a',
    async ({ stage, a, b, scheme }) => {
      a.announce(b, scheme);
      await stage.for(5);
      a.announce(b, scheme);
      await stage.for(3_000);
      a.giveUp();
      await stage.for(3_000);
    },
  ),
  ...goes(
    'another-target-and-it-is-over',
    'another target is announced and the guest has moved there at once.',
    'b',
    async ({ stage, a, b, scheme }) => {
      const c = stage.host('c');
      a.announce(c, scheme);
      await stage.for(5);
      a.announce(b, scheme);
      a.complete(b);
      await stage.for(10_000);
    },
  ),
  ...goes(
    'another-target-while-relinking',
    'the first target is lost, and another one is announced while it is linked again.',
    'b',
    async (cast) => {
      const { stage, a, b, scheme } = cast;
      const c = stage.host('c');
      a.announce(c, scheme);
      await stage.for(100);
      c.become('refuses');
      c.cut();
      await stage.for(1_000);
      a.announce(b, scheme);
      await stage.for(3_000);
      a.complete(b);
      await stage.for(10_000);
    },
  ),
  ...eager.flatMap((second) =>
    goes(
      `then-${second}`,
      `another target is announced, ${second} at best, while the client has not answered the first.`,
      'b',
      async ({ stage, a, b, scheme }) => {
        const c = stage.host('c');
        a.stall('main:0');
        a.announce(c, scheme);
        await stage.for(11_000);
        a.announce(b, second);
        await stage.for(100);
        a.flow('main:0');
        await stage.for(12_000);
        a.complete(b);
        await stage.for(30_000);
      },
    ),
  ),
  ...goes(
    'cancelled-and-announced-before-the-answer',
    'it is given up before the client has answered, and announced again at once.',
    'b',
    async ({ stage, a, b, scheme }) => {
      a.stall('main:0');
      a.announce(b, scheme);
      await stage.for(100);
      a.giveUp();
      await stage.for(100);
      a.announce(b, scheme);
      await stage.for(100);
      a.flow('main:0');
      await stage.for(5_000);
      a.complete(b);
      await stage.for(10_000);
    },
  ),
  ...goes(
    'no-destination',
    'the embedding program knows no destination; the move is given up.',
    'a',
    async ({ stage, a, b, scheme }) => {
      a.announce(b, scheme);
      await stage.for(3_000);
      a.giveUp();
      await stage.for(3_000);
    },
    {
      client: {
        resolveDestination: () => {
          throw new Error('nobody knows');
        },
      },
    },
  ),
  ...goes(
    'no-destination-and-it-is-over',
    'the embedding program knows no destination, and the guest moves.',
    'nobody',
    async ({ stage, a, b, scheme }) => {
      a.announce(b, scheme);
      await stage.for(3_000);
      a.complete(b);
      await stage.for(60_000);
    },
    {
      client: {
        resolveDestination: () => {
          throw new Error('nobody knows');
        },
      },
      schemes: [...eager, 'switch-host'],
    },
  ),
  ...goes(
    'no-destination-in-time',
    'the embedding program never says where to go, and the guest moves.',
    'nobody',
    async ({ stage, a, b, scheme }) => {
      a.announce(b, scheme);
      await stage.for(20_000);
      a.complete(b);
      await stage.for(60_000);
    },
    { client: { resolveDestination: () => new Promise(() => {}) }, schemes: [...eager, 'switch-host'] },
  ),
  ...goes(
    'goes-elsewhere',
    'the embedding program knows better where to go.',
    'b',
    async ({ stage, a, scheme }) => {
      a.announce('ticket-4711', scheme);
      await stage.for(1_000);
      a.complete(stage.hosts.get('b'));
      await stage.for(5_000);
    },
    { client: { resolveDestination: async () => ({ host: 'b', port: 1 }) } },
  ),
  ...goes(
    'target-is-gone-elsewhere',
    'the target, known by another name, is lost in the switch.',
    'b',
    async ({ stage, a, b, scheme }) => {
      a.announce('ticket-4711', scheme);
      await stage.for(1_000);
      a.complete(b);
      await stage.for(1);
      b.cut();
      await stage.for(40_000);
    },
    { client: { resolveDestination: async () => ({ host: 'b', port: 1 }) } },
  ),
  ...goes(
    'source-is-gone-elsewhere',
    'the source dies when the target, known by another name, was linked.',
    'b',
    async ({ stage, a, b, scheme }) => {
      a.announce('ticket-4711', scheme);
      await stage.for(1_000);
      a.kill();
      b.server.guestArrived();
      await stage.for(60_000);
    },
    { client: { resolveDestination: async () => ({ host: 'b', port: 1 }) } },
  ),
];

/** The old way, and what can go wrong in it. */
const old: readonly Scenario[] = [
  ...goes(
    'target-is-down',
    'the target is not there when the client is sent, and comes later.',
    'b',
    async ({ stage, a, b, scheme }) => {
      a.announce(b, scheme);
      b.become('refuses');
      await stage.for(100);
      a.complete(b);
      await stage.for(3_000);
      b.become('serves');
      await stage.for(60_000);
    },
    { schemes: ['switch-host'], client: { schemes: ['switch-host'] } },
  ),
  ...goes(
    'target-is-down-for-good',
    'the target is not there when the client is sent, and never comes.',
    'nobody',
    async ({ stage, a, b, scheme }) => {
      a.announce(b, scheme);
      b.become('refuses');
      await stage.for(100);
      a.complete(b);
      await stage.for(200_000);
    },
    { schemes: ['switch-host'], client: { schemes: ['switch-host'] } },
  ),
  ...goes(
    'target-is-down-and-it-is-not-looked-for',
    'the target is not there, and a client that looks for nobody tries three times more.',
    'nobody',
    async ({ stage, a, b, scheme }) => {
      a.announce(b, scheme);
      b.become('refuses');
      await stage.for(100);
      a.complete(b);
      await stage.for(60_000);
    },
    { schemes: ['switch-host'], client: { schemes: ['switch-host'], reconnect: false } },
  ),
  ...goes(
    'target-never-greets',
    'the target lets the client in and never greets it.',
    'nobody',
    async ({ stage, a, b, scheme }) => {
      (b.server as any).parts.main.ask = () => new Promise(() => {});
      a.announce(b, scheme);
      await stage.for(100);
      a.complete(b);
      await stage.for(60_000);
    },
    { schemes: ['switch-host'], client: { schemes: ['switch-host'], reconnect: false } },
  ),
  ...goes(
    'target-never-greets-and-is-looked-for',
    'the target lets the client in and does not greet it at first.',
    'b',
    async ({ stage, a, b, scheme }) => {
      const { main } = (b.server as any).parts;
      const ask = main.ask.bind(main);
      main.ask = () => new Promise(() => {});
      a.announce(b, scheme);
      await stage.for(100);
      a.complete(b);
      await stage.for(14_000);
      main.ask = ask;
      await stage.for(20_000);
    },
    { schemes: ['switch-host'], client: { schemes: ['switch-host'] } },
  ),
  ...goes(
    'target-hangs-up-before-it-greets',
    'the target hangs up on main before it greets, and nobody looks for it.',
    'nobody',
    async ({ stage, a, b, scheme }) => {
      (b.server as any).parts.main.ask = () => new Promise(() => {});
      a.announce(b, scheme);
      await stage.for(100);
      a.complete(b);
      await stage.for(1_000);
      b.cut();
      await stage.for(1_000);
    },
    { schemes: ['switch-host'], client: { schemes: ['switch-host'], reconnect: false } },
  ),
  ...goes(
    'target-hangs-up-before-it-greets-and-is-looked-for',
    'the target hangs up on main before it greets, and is looked for.',
    'b',
    async ({ stage, a, b, scheme }) => {
      const { main } = (b.server as any).parts;
      const ask = main.ask.bind(main);
      main.ask = () => new Promise(() => {});
      a.announce(b, scheme);
      await stage.for(100);
      a.complete(b);
      await stage.for(1_000);
      main.ask = ask;
      b.cut();
      await stage.for(5_000);
    },
    { schemes: ['switch-host'], client: { schemes: ['switch-host'] } },
  ),
];

export const faultStories: readonly Scenario[] = [...targets, ...sources, ...announcements, ...old];

assert(new Set(faultStories.map(({ name }) => name)).size === faultStories.length);
