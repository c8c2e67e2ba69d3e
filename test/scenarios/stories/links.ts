/** The link stage, with peers that are not ours: what they may say, what they may not, and what they never get round to. */
import assert from 'node:assert/strict';
import type { ClientOptions } from '../../../src/client/client.ts';
import { LinkErrorCode } from '../../../src/protocol/link.ts';
import { linkMessage, type RawLinkOptions } from '../../support/raw-client.ts';
import { linkReply } from '../../support/raw-server.ts';
import { u32 } from '../../support/raw-wire.ts';
import type { Scenario } from '../play.ts';
import type { Stage } from '../stage.ts';

/** What a server that is not ours does with each piece that a client sends: says something, says nothing, or hangs up. */
type Answer = Uint8Array | 'nothing' | 'hangs up';

/** A client of a server that answers so, which does not look for it again. */
const answered = (
  name: string,
  about: string,
  answers: readonly Answer[],
  reason: string | RegExp,
  options: Partial<ClientOptions> = {},
  later?: (stage: Stage) => Promise<void>,
): Scenario => ({
  name: `link-${name}`,
  about,
  story: async (stage) => {
    stage.begin();
    let left = [...answers];
    stage.strangers.set('x', (pipe) => {
      pipe.take({
        onChunk: () => {
          const answer = left.shift() ?? 'nothing';
          if (answer === 'hangs up') pipe.close();
          else if (answer !== 'nothing') pipe.write(answer.slice());
        },
        onClosed: () => {
          left = answers.slice(1);
        },
      });
    });
    const client = stage.client({ to: 'x', channels: ['inputs'], reconnect: false, ...options });
    await stage.for(100);
    await later?.(stage);
    await stage.for(30_000);
    stage.endsClosed(client, reason);
  },
});

const good = linkReply();
/** A server that has no choice of mechanisms, and headers of the old kind. */
const old = linkReply({ tail: u32(0, 0x0f) });
const error = (code: number) => linkReply({ error: code });
const result = (code: number) => u32(code);

const fromServers: readonly Scenario[] = [
  answered('no-answer', 'A server that says nothing is given 8 s.', [], 'no answer in time'),
  answered('hung-up-at-once', 'A server hangs up when it has heard who comes.', ['hangs up'], 'the peer hung up'),
  answered('nonsense', 'A server answers with something else.', [new Uint8Array(64).fill(7)], /magic|not/),
  answered('refused', 'A server refuses the link.', [error(LinkErrorCode.invalidData)], /./),
  answered(
    'secured-only',
    'A server wants a secured link, and has no such port.',
    [error(LinkErrorCode.needSecured)],
    /./,
  ),
  answered(
    'secured-then',
    'A server wants a secured link: it is dialled again, secured, and then it hangs up.',
    [error(LinkErrorCode.needSecured), 'hangs up'],
    'the peer hung up',
    { destination: { host: 'x', port: 1, tlsPort: 2 } },
  ),
  answered(
    'secured-still',
    'A server that wants a secured link although it is one is refused in turn.',
    [error(LinkErrorCode.needSecured), error(LinkErrorCode.needSecured)],
    /./,
    { destination: { host: 'x', port: 1, tlsPort: 2 } },
  ),
  answered(
    'secured-first',
    'A destination with nothing but a TLS port is dialled secured.',
    ['hangs up'],
    'the peer hung up',
    {
      destination: { host: 'x', tlsPort: 2 },
    },
  ),
  answered(
    'old-server',
    'A server that has no choice of mechanisms gets the ticket alone.',
    [old, result(7)],
    /permission/i,
  ),
  answered(
    'old-server-silent',
    'A server that has no choice of mechanisms says nothing after the ticket.',
    [old],
    'no answer in time',
  ),
  answered('denied', 'A server takes the ticket for a bad one.', [good, 'nothing', result(7)], /permission/i),
  answered('silent-after-ticket', 'A server never says what it thinks of the ticket.', [good], 'no answer in time'),
  answered(
    'hung-up-after-ticket',
    'A server hangs up on the ticket.',
    [good, 'nothing', 'hangs up'],
    'the peer hung up',
  ),
  answered(
    'never-greeted',
    'A server lets the client in and never greets it.',
    [good, 'nothing', result(0)],
    'no init in time',
  ),
  answered(
    'hung-up-before-the-greeting',
    'A server lets the client in, and then it hangs up.',
    [good, 'nothing', result(0)],
    /./,
    {},
    async (stage) => {
      stage.say('the server hangs up');
      for (const { client } of stage.guests) assert.equal(client.channels.size, 1);
      stage.strangerPipes.at(-1)!.close();
      await stage.for(100);
    },
  ),
  {
    name: 'link-no-ticket',
    about: 'The key of a server is none: there is no ticket.',
    story: async (stage) => {
      stage.begin();
      stage.host('a');
      const client = stage.client({ to: 'a', reconnect: false });
      (client.client as any).linkServices.encryptTicket = async () => {
        throw new Error('this key is none');
      };
      await stage.for(1_000);
      stage.endsClosed(client, 'this key is none');
    },
  },
  ...(['refuses', 'is silent', 'takes a connection and never opens it'] as const).map(
    (behaviour): Scenario => ({
      name: `link-the-host-${behaviour.replaceAll(' ', '-')}`,
      about: `A host that ${behaviour} when a client comes.`,
      story: async (stage) => {
        const a = stage.host('a');
        stage.begin();
        a.become(behaviour);
        const client = stage.client({ to: 'a', reconnect: false });
        await stage.for(20_000);
        stage.endsClosed(client, behaviour === 'refuses' ? 'a refuses' : 'no answer in time');
      },
    }),
  ),
  {
    name: 'link-closed-while-dialling',
    about: 'A client is closed while it is linking.',
    story: async (stage) => {
      stage.host('a');
      stage.begin();
      const client = stage.client({ to: 'a' });
      await stage.for(2);
      client.client.close('enough');
      await stage.for(20_000);
      stage.endsClosed(client, 'enough');
    },
  },
];

const ticket = new Uint8Array(128);

/** A client that is not ours says these things, some milliseconds apart. */
const asked = (
  name: string,
  about: string,
  says: (stage: Stage) => readonly (Uint8Array | 'waits' | 'hangs up')[],
  options: { password?: string; secureChannels?: readonly string[]; mostSessions?: number; linkMs?: number } = {},
  before?: (stage: Stage) => Promise<void>,
  stays = false,
): Scenario => ({
  name: `stranger-${name}`,
  about,
  story: async (stage) => {
    const a = stage.host('a', options);
    await before?.(stage);
    stage.begin();
    const { pipe, closed } = await stage.stranger('a');
    for (const what of says(stage)) {
      if (what === 'waits') await stage.for(20_000);
      else if (what === 'hangs up') pipe.close();
      else pipe.write(what.slice());
      await stage.for(10);
    }
    await stage.for(100);
    assert.equal(closed(), !stays, 'the stranger is hung up on');
    if (!stays) assert.equal(a.live().length, stage.guests.length === 0 ? 0 : stage.guests[0]!.wanted.length);
    if (stays) pipe.close();
    await stage.for(100_000);
  },
});

const message = (options: RawLinkOptions = {}) => linkMessage(options);
const mechanism = (number = 1) => u32(number);

const one = async (stage: Stage) => {
  const client = stage.client({ to: 'a', channels: ['inputs'] });
  await stage.up(client);
  await stage.for(1_000);
};
const sessionId = (stage: Stage) => stage.hosts.get('a')!.heard('session')[0]!.connectionId;

const fromStrangers: readonly Scenario[] = [
  asked('says-nothing', 'A connection on which nothing comes is kept for 10 s.', () => ['waits']),
  asked('hangs-up', 'A connection that is hung up before anything was said.', () => ['hangs up']),
  asked('is-none', 'What comes is not SPICE: it is hung up.', () => [new Uint8Array(64).fill(65)]),
  asked('has-another-version', 'A peer of another version is told so.', () => [linkMessage({}, { major: 3 })]),
  asked('has-version-0', 'A peer of a version that there never was is hung up on, and told nothing.', () => [
    linkMessage({}, { major: 0 }),
  ]),
  asked('lies-about-its-size', 'A message that is too long is refused.', () => [linkMessage({}, { size: 1_000_000 })]),
  asked('stops-before-the-ticket', 'A peer that has its key and says no more.', () => [message(), 'waits']),
  asked('hangs-up-before-the-ticket', 'A peer that has its key and hangs up.', () => [message(), 'hangs up']),
  asked('wants-another-mechanism', 'A peer asks for SASL.', () => [
    message(),
    new Uint8Array([...mechanism(2), ...ticket]),
  ]),
  asked('stops-at-the-mechanism', 'A peer chooses and says no more.', () => [message(), mechanism(), 'waits']),
  asked(
    'has-no-choice',
    'An old client sends its ticket at once, is let in, and says no more.',
    () => [message({ noSelection: true }), ticket],
    {},
    undefined,
    true,
  ),
  asked(
    'has-a-choice',
    'A client that is not ours is let in and greeted.',
    () => [message(), mechanism(), ticket],
    {},
    undefined,
    true,
  ),
  asked('has-the-wrong-password', 'A wrong password.', () => [message(), mechanism(), ticket], { password: 'secret' }),
  asked(
    'has-a-ticket-of-nothing',
    'A ticket that cannot be opened.',
    () => [message(), mechanism(), ticket],
    {},
    async (stage) => {
      (stage.hosts.get('a')!.server as any).door.keys = {
        take: async () => ({
          pubKey: new Uint8Array(162),
          decrypt: async () => {
            throw new Error('no');
          },
        }),
      };
    },
  ),
  asked(
    'gets-no-key',
    'No key can be made.',
    () => [message()],
    {},
    async (stage) => {
      (stage.hosts.get('a')!.server as any).door.keys = {
        take: async () => {
          throw new Error('no key');
        },
      };
    },
  ),
  asked('needs-a-secured-link', 'Main is for secured links alone.', () => [message()], { secureChannels: ['main'] }),
  asked(
    'finds-no-room',
    'There are as many sessions as there may be.',
    () => [message(), mechanism(), ticket],
    { mostSessions: 1 },
    one,
  ),
  asked('names-no-session', 'A channel of a session that there is not.', () => [
    message({ channel: 'display', connectionId: 77 }),
    mechanism(),
    ticket,
  ]),
  asked(
    'takes-a-channel-twice',
    'A channel that is linked already is not linked again.',
    (stage) => [message({ channel: 'inputs', connectionId: sessionId(stage) }), mechanism(), ticket],
    {},
    one,
  ),
  asked(
    'takes-a-channel-that-is-not-served',
    'A channel that the server does not have.',
    (stage) => [message({ channel: 9, connectionId: sessionId(stage) }), mechanism(), ticket],
    {},
    one,
  ),
  asked(
    'takes-another-display',
    'A second display that the guest does not have.',
    (stage) => [message({ channel: 'display', id: 1, connectionId: sessionId(stage) }), mechanism(), ticket],
    {},
    one,
  ),
  asked(
    'takes-a-channel-that-is-free',
    'A channel of a session that its client has not linked.',
    (stage) => [message({ channel: 'cursor', connectionId: sessionId(stage) }), mechanism(), ticket],
    {},
    one,
    true,
  ),
  asked('returns-to-no-session', 'Main links return to a session that there is not.', () => [
    message({ connectionId: 77, caps: 0x0f | 0x60000000 }),
    mechanism(),
    ticket,
  ]),
  asked(
    'arrives-with-a-known-id',
    'A main link that does not say that it returns begins a session for a guest which is to come.',
    (stage) => [message({ connectionId: sessionId(stage) }), mechanism(), ticket],
    {},
    one,
    true,
  ),
  asked(
    'cannot-return',
    'Somebody returns to a session whose client had said that it would not.',
    (stage) => [message({ connectionId: sessionId(stage), caps: 0x0f | 0x60000000 }), mechanism(), ticket],
    {},
    async (stage) => {
      const client = stage.client({ to: 'a', channels: ['inputs'], reconnect: false });
      await stage.up(client);
    },
  ),
];

export const linkStories: readonly Scenario[] = [...fromServers, ...fromStrangers].map((one) => ({
  ...one,
  closely: true,
}));
