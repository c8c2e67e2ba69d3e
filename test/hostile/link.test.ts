/**
 * The link stage as a stranger may begin it: every error code of spec §1.3, all fields lied about, links that stop halfway or
 * go on by a byte a second. Nobody gets further than his password carries him, and nobody else notices.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { ServerOptions } from '../../src/server/server.ts';
import { encryptTicket, type Lies, link, linkMessage, readReply, session, tryLink } from '../support/raw-client.ts';
import { ascii, Hung, join, RawSocket, readU32, u16, u32 } from '../support/raw-wire.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { pem, Stage, until } from './stage.ts';

let stage: Stage;
afterEach(async () => {
  await stage.goesOn();
  await stage.close();
});

const begin = async (options: ServerOptions = {}) => {
  stage = await Stage.open(options);
  return stage;
};

/** Sends bytes on a new connection, and returns the error of the reply: undefined if there is none before the end. */
async function say(bytes: Uint8Array, options: { thenEnd?: boolean } = {}): Promise<number | undefined> {
  const raw = await RawSocket.dial(stage.port);
  raw.write(bytes);
  if (options.thenEnd) raw.socket.end();
  try {
    const header = await raw.read(16);
    expect(readU32(header)).toBe(0x51444552);
    expect(readU32(header, 4)).toBe(2);
    const body = await raw.read(readU32(header, 12));
    const error = readU32(body);
    if (error !== 0) {
      expect(body).toHaveLength(178);
      expect(body.subarray(4, 166)).toEqual(new Uint8Array(162));
      await raw.hungUp();
      expect(raw.unread).toBe(0);
    } else raw.end();
    return error;
  } catch (error) {
    expect(error).toBeInstanceOf(Hung);
    expect(raw.unread).toBe(0);
    return undefined;
  }
}

describe('a first message that does not fit', () => {
  it('has its code of spec §1.3', async () => {
    await begin();
    const lie = (lies: Lies) => say(linkMessage({}, lies));
    expect(await say(linkMessage())).toBe(0);
    expect(await lie({ magic: ascii('QDER') })).toBe(2);
    expect(await lie({ magic: ascii('RED!') })).toBe(2);
    expect(await say(ascii('HELO mail.example.org\r\n'))).toBe(2);
    expect(await say(new Uint8Array(4))).toBe(2);
    expect(await lie({ major: 0 })).toBeUndefined();
    expect(await lie({ major: 1 })).toBe(4);
    expect(await lie({ major: 3 })).toBe(4);
    expect(await lie({ major: 9 })).toBe(4);
    expect(await lie({ major: 0xffffffff })).toBe(4);
    // A newer minor version is none of our business.
    expect(await lie({ minor: 99 })).toBe(0);
    for (const size of [0, 1, 17, 4097, 65_536, 0x7fffffff, 0x80000000, 0xffffffff]) {
      expect(await lie({ size })).toBe(3);
    }
    for (const words of [2, 1019, 1024, 1025, 0x40000000, 0x40000001, 0xffffffff]) {
      expect(await lie({ commonWords: words })).toBe(3);
      expect(await lie({ channelWords: words })).toBe(3);
      expect(await lie({ commonWords: words, channelWords: words })).toBe(3);
    }
    for (const capsOffset of [19, 26, 27, 4096, 0x7fffffff, 0xfffffffc, 0xffffffff]) {
      expect(await lie({ capsOffset })).toBe(3);
    }
    // No capabilities at all are fine wherever they are said to be, as long as that is inside.
    expect(await lie({ commonWords: 0, channelWords: 0 })).toBe(0);
    expect(await lie({ commonWords: 0, channelWords: 0, capsOffset: 27 })).toBe(3);
    // As long as a message may be.
    expect(await lie({ commonWords: 509, channelWords: 510, tail: new Uint8Array(1019 * 4) })).toBe(0);
    expect(await lie({ tail: join(u32(1, 0), new Uint8Array(4096 - 26)) })).toBe(0);
  });

  it('is answered as soon as it is clear what it is', async () => {
    await begin();
    expect(await say(ascii('XXXX'))).toBe(2);
    expect(await say(join(ascii('REDQ'), u32(9, 0, 0)))).toBe(4);
    expect(await say(join(ascii('REDQ'), u32(2, 2, 5_000)))).toBe(3);
  });

  it('may end in the middle', async () => {
    await begin();
    const whole = linkMessage();
    for (const cut of [1, 3, 4, 15, 16, 17, 33, 34, 41]) {
      expect(await say(whole.subarray(0, cut), { thenEnd: true })).toBeUndefined();
    }
    await until(() => stage.server.channels().length === 6, 'nobody is left but the healthy client');
  });
});

describe('authentication', () => {
  it('refuses an unknown mechanism', async () => {
    await begin();
    for (const mechanism of [0, 2, 3, 0xffffffff]) {
      const raw = await RawSocket.dial(stage.port);
      raw.write(linkMessage());
      await readReply(raw);
      raw.write(u32(mechanism));
      expect((await readReply(raw)).error).toBe(3);
      await raw.hungUp();
    }
  });

  it('takes a ticket without a mechanism from those who cannot choose', async () => {
    await begin({ password: 'right' });
    (await link(stage.port, { noSelection: true, password: 'right' })).end();
    expect(await tryLink(stage.port, { noSelection: true, password: 'wrong' })).toMatchObject({ result: 7 });
  });

  it('refuses each password but the right one, with PERMISSION_DENIED', async () => {
    await begin({ password: 'right' });
    for (const password of ['', 'wrong', 'righ', 'right ', 'RIGHT', 'right\u0000more'.slice(0, 4)]) {
      const { raw, result } = await tryLink(stage.port, { password });
      expect(result).toBe(7);
      await raw.hungUp();
    }
    (await link(stage.port, { password: 'right' })).end();
  });

  it('refuses what is no ticket at all', async () => {
    await begin({ password: 'right' });
    for (const ticket of [new Uint8Array(128), new Uint8Array(128).fill(0xff)]) {
      const raw = await RawSocket.dial(stage.port);
      raw.write(linkMessage());
      await readReply(raw);
      raw.write(u32(1), ticket);
      expect(readU32(await raw.read(4))).toBe(7);
      await raw.hungUp();
    }
  });

  it('takes a ticket once, whatever key another link has', async () => {
    await begin({ password: 'right', maxWrongPasswords: 20 });
    let replay: Uint8Array | undefined;
    for (let i = 0; i < 12; i++) {
      const raw = await RawSocket.dial(stage.port);
      raw.write(linkMessage());
      const { pubKey } = await readReply(raw);
      replay ??= encryptTicket(pubKey, 'right');
      raw.write(u32(1), replay);
      expect(readU32(await raw.read(4))).toBe(i === 0 ? 0 : 7);
      raw.end();
    }
  });

  it('refuses an expired ticket, and everybody when the password is empty', async () => {
    await begin({ password: 'right' });
    stage.server.expirePassword('now');
    expect(await tryLink(stage.port, { password: 'right' })).toMatchObject({ result: 7 });
    stage.server.expirePassword(Date.now() - 1);
    expect(await tryLink(stage.port, { password: 'right' })).toMatchObject({ result: 7 });
    stage.server.expirePassword(Date.now() + 60_000);
    (await link(stage.port, { password: 'right' })).end();
    stage.server.setPassword('');
    expect(await tryLink(stage.port, { password: '' })).toMatchObject({ result: 7 });
  });

  it('needs a ticket that decrypts even where there is no password', async () => {
    await begin();
    const raw = await RawSocket.dial(stage.port);
    raw.write(linkMessage());
    await readReply(raw);
    raw.write(u32(1), new Uint8Array(128).fill(1));
    expect(readU32(await raw.read(4))).toBe(7);
  });

  it('reaches nothing before it is proven: messages behind a wrong ticket go nowhere', async () => {
    await begin({ password: 'right' });
    const { connectionId, main } = await session(stage.port, { password: 'right' });
    const keys: unknown[] = [];
    const watch = stage.server.input.subscribe((event) => keys.push(event));
    const raw = await RawSocket.dial(stage.port);
    raw.write(linkMessage({ channel: 'inputs', connectionId }));
    const { pubKey } = await readReply(raw);
    raw.write(u32(1), encryptTicket(pubKey, 'wrong'), u16(101), u32(4, 0x999));
    await raw.hungUp();
    watch.unsubscribe();
    expect(keys).toEqual([]);
    main.end();
  });
});

describe('TLS policy', () => {
  it('asks for a secured connection before it looks at anything else', async () => {
    await begin({ secureChannels: ['inputs'], tlsPort: 0, tls: { key: pem('server.key'), cert: pem('server.pem') } });
    expect(await say(linkMessage({ channel: 'inputs', connectionId: 1 }))).toBe(5);
    expect(await say(linkMessage({ channel: 'inputs', id: 77, connectionId: 1 }))).toBe(5);
    expect(await say(linkMessage({ channel: 'display', connectionId: 1 }))).toBe(0);
    expect(await say(linkMessage({ channel: 'inputs' }, { capsOffset: 99 }))).toBe(3);
  });

  it('drops those who do not get through TLS', async () => {
    await begin({ helloMs: 200, tlsPort: 0, tls: { key: pem('server.key'), cert: pem('server.pem') } });
    const { tlsPort } = stage.server.addresses;
    const plain = await RawSocket.dial(tlsPort!);
    plain.write(linkMessage());
    await plain.hungUp();
    const silent = await RawSocket.dial(tlsPort!);
    await silent.hungUp();
  });
});

describe('links that are not finished', () => {
  it('end after the first deadline when they say nothing', async () => {
    await begin({ helloMs: 100 });
    const silent = await RawSocket.dial(stage.port);
    const three = await RawSocket.dial(stage.port);
    three.write(ascii('GET'));
    const endless = await RawSocket.dial(stage.port);
    endless.write(ascii('GET / HTTP/1.1\r\nX-Long: '));
    for (const raw of [silent, three, endless]) await raw.hungUp(2_000);
  });

  it('end after 10 s wherever they stop', async () => {
    const clock = new VirtualClock();
    await begin({ clock });
    const places: ((raw: RawSocket) => Promise<void>)[] = [
      async (raw) => raw.write(ascii('R')),
      async (raw) => raw.write(ascii('REDQ')),
      async (raw) => raw.write(linkMessage().subarray(0, 30)),
      async (raw) => {
        raw.write(linkMessage());
        await readReply(raw);
      },
      async (raw) => {
        raw.write(linkMessage());
        await readReply(raw);
        raw.write(u32(1));
      },
      async (raw) => {
        raw.write(linkMessage());
        await readReply(raw);
        raw.write(u32(1), new Uint8Array(127));
      },
    ];
    const stopped: RawSocket[] = [];
    for (const go of places) {
      const raw = await RawSocket.dial(stage.port);
      await go(raw);
      stopped.push(raw);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
    await clock.advance(9_000);
    expect(stopped.map(({ over }) => over)).toEqual(places.map(() => false));
    await clock.advance(1_001);
    for (const raw of stopped) await raw.hungUp();
  });

  it('end after 10 s, a byte a second or not', async () => {
    const clock = new VirtualClock();
    await begin({ clock });
    const raw = await RawSocket.dial(stage.port);
    const message = linkMessage();
    raw.write(message.subarray(0, 4));
    let sent = 4;
    while (!raw.over && sent < message.length) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      await clock.advance(1_000);
      raw.write(message.subarray(sent, ++sent));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(sent).toBeLessThan(17);
    await raw.hungUp();
  });

  it('hold no more than a little of what they send', async () => {
    await begin();
    const raw = await RawSocket.dial(stage.port);
    raw.write(linkMessage());
    await readReply(raw);
    // Neither a mechanism that is known nor an end to it.
    raw.socket.write(new Uint8Array(8 * 1024 * 1024).fill(2));
    expect((await readReply(raw)).error).toBe(3);
    raw.end();
  });
});
