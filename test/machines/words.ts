/** What the tests of charts say over and over: events by a short name, and what charts do by another. */
import type { Agreed, Beginning, ChannelNews, LinkName, Scheme } from '../../machines/contract.ts';
import { type Caps, CommonCap, caps } from '../../src/protocol/capabilities.ts';
import { type Happening, tells } from '../support/given.ts';

/** What both ends of a link agree on, given what the peer can do on this channel. */
export const agreedOn = (channelCaps: Caps = []): Agreed => ({
  commonCaps: caps(CommonCap.authSelection, CommonCap.authSpice, CommonCap.miniHeader),
  channelCaps,
  miniHeader: true,
});

// ------------------------------------------------------------------------------------------------------ events

export const attach = (link: LinkName = 'link:1', beginning: Beginning = 'fresh') =>
  ({ type: 'link.attach', link, agreed: agreedOn(), beginning }) as const;
export const switchTo = (scheme: Scheme, link: LinkName = 'link:2') =>
  ({ type: 'migration.switch', link, agreed: agreedOn(), scheme }) as const;
export const move = (scheme: Scheme) => ({ type: 'migration.move', scheme }) as const;
export const greet = (scheme: Scheme) => ({ type: 'migration.greet', scheme }) as const;
export const leave = { type: 'migration.leave' } as const;
export const settled = { type: 'migration.settled' } as const;
export const migrate = (flags: number) => ({ type: 'msg.migrate', body: { flags } }) as const;
export const closed = (link: LinkName = 'link:1') =>
  ({ type: 'plane.closed', link, reason: 'the peer hung up' }) as const;
export const nonsense = { type: 'plane.violation', reason: 'a surface of 4 GiB' } as const;
export const hangUp = { type: 'api.close', reason: 'enough' } as const;

/** A message with an empty body, whatever it should hold. */
export const stray =
  (type: `msg.${string}` | `msgc.${string}`, body: object = {}): Happening =>
  () => ({ type, body });

// ---------------------------------------------------------------------------------------------- what a chart does

export const send = (type: string, body: object = {}) => ({ type: 'send', message: { type, body } });
export const close = (reason: string) => ({ type: 'close', reason });
export const violation = (reason: string) => ({ type: 'violation', reason });
export const reset = (keep: 'nothing' | 'primary' | 'everything') => ({ type: 'reset', keep });
export const ready = (afresh: boolean) => ({ type: 'ready', afresh });
export const unexpected = (type: string) => `${type} is not expected now`;

/** What a channel tells its session. */
export const news = {
  up: (channel: string) => tells('parent', { type: 'channel.up', channel } satisfies ChannelNews),
  left: (channel: string, data: boolean) =>
    tells('parent', { type: 'channel.left', channel, data } satisfies ChannelNews),
  switched: (channel: string) => tells('parent', { type: 'channel.switched', channel } satisfies ChannelNews),
  loaded: (channel: string) => tells('parent', { type: 'channel.loaded', channel } satisfies ChannelNews),
  down: (channel: string, reason: string) =>
    tells('parent', { type: 'channel.down', channel, reason } satisfies ChannelNews),
  /** Its connection is gone, and nobody has meant it to be. */
  gone: (channel: string, reason: string) =>
    tells('parent', { type: 'channel.down', channel, reason, lost: true } satisfies ChannelNews),
};

/** What a channel does about a message, or bytes, that no state of it expects. */
export const goesDown = (channel: string, reason: string) => [
  violation(reason),
  close(reason),
  news.down(channel, reason),
];
