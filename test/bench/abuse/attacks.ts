/**
 * What strangers do to a server: each attack is a loop that never ends, or a crowd that comes and stays. They use the hand-made
 * client, so that what they cost themselves is small, and behave no better than they must.
 */
import { link, linkMessage, readReply, session, tryLink } from '../../support/raw-client.ts';
import { RawSocket, u16, u32 } from '../../support/raw-wire.ts';

export interface Attack {
  readonly name: string;
  /** It is many sessions, which a server takes only if it was told to. */
  readonly crowd?: true;
  /** The server draws ten times a second for everybody. */
  readonly drawn?: true;
  /** Resolves when the crowd is there; a loop never does. `tell` counts what was tried. */
  run(port: number, tell: () => void): Promise<void>;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Addresses that a flood comes from: each has limits of its own. */
const few = 3;

/** An address of this machine, of which there are many. */
const from = (i: number) => `127.0.${1 + (i >> 7)}.${1 + (i & 127)}`;

/** So many at once, each beginning again as soon as it is over. */
async function forEver(act: (i: number) => Promise<void>, atOnce: number): Promise<void> {
  let i = 0;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (;;) await act(i++).catch(() => pause(1));
    }),
  );
}

async function crowd(count: number, tell: () => void, one: (i: number) => Promise<void>): Promise<void> {
  for (let done = 0; done < count; done += 20) {
    await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        await one(done + i);
        tell();
      }),
    );
  }
}

export const attacks: readonly Attack[] = [
  {
    name: '900 links that stop halfway',
    run: (port, tell) =>
      forEver(async (i) => {
        const raw = await RawSocket.dial(port, from(i % 20));
        tell();
        raw.write(linkMessage());
        await raw.closed;
      }, 900),
  },
  {
    name: '500 links by a byte a second',
    run: (port, tell) =>
      forEver(async (i) => {
        const raw = await RawSocket.dial(port, from(i % 20));
        tell();
        for (const byte of linkMessage()) {
          if (raw.over) return;
          raw.write(Uint8Array.of(byte));
          await pause(1_000);
        }
      }, 500),
  },
  {
    name: 'a flood of links',
    run: (port, tell) =>
      forEver(async (i) => {
        const raw = await RawSocket.dial(port, from(i % few));
        tell();
        raw.write(linkMessage());
        await readReply(raw).finally(() => raw.end());
      }, 50),
  },
  {
    name: 'a flood of links from 1,000 addresses',
    run: (port, tell) =>
      forEver(async (i) => {
        const raw = await RawSocket.dial(port, from(i % 1_000));
        tell();
        raw.write(linkMessage());
        await readReply(raw).finally(() => raw.end());
      }, 50),
  },
  {
    name: 'a flood of wrong passwords',
    run: (port, tell) =>
      forEver(async (i) => {
        tell();
        (await tryLink(port, { from: from(i % few), password: `guess ${i}` })).raw.end();
      }, 50),
  },
  {
    name: 'a flood of messages',
    run: (port, tell) =>
      forEver(async (i) => {
        const { main } = await session(port, { password: 'right', from: from(i % few) });
        const chunk = new Uint8Array(6 * 5_000);
        for (let at = 0; at < chunk.length; at += 6) chunk.set(u16(104), at);
        while (!main.raw.over) {
          // What is not taken must not pile up here.
          if (main.raw.socket.writableLength < 1e6) {
            main.raw.write(chunk);
            tell();
          }
          await pause(5);
        }
      }, 4),
  },
  {
    name: 'sizes of 4 GiB',
    run: (port, tell) =>
      forEver(async (i) => {
        const { main } = await session(port, { password: 'right', from: from(i % few) });
        tell();
        main.send(107, u32(0), { size: 0xffffffff });
        await main.raw.closed;
      }, 20),
  },
  {
    name: '1,000 sessions, idle',
    crowd: true,
    run: (port, tell) =>
      crowd(1_000, tell, async (i) => {
        const { main } = await session(port, { password: 'right', from: from(i % 100) });
        main.raw.socket.resume();
      }),
  },
  {
    name: '200 sessions, drawn for 10 times a second',
    crowd: true,
    drawn: true,
    run: (port, tell) =>
      crowd(200, tell, async (i) => {
        const { connectionId } = await session(port, { password: 'right', from: from(i % 100) });
        const display = await link(port, { channel: 'display', connectionId, password: 'right', from: from(i % 100) });
        // Acknowledges what it is drawn, as clients do.
        display.send(101, new Uint8Array(14));
        void (async () => {
          for (let seen = 0; ; seen++) {
            const { number, body } = await display.next(1e9);
            if (number === 3) display.send(1, body.subarray(0, 4));
            else if (seen % 20 === 19) display.send(2);
          }
        })().catch(() => {});
      }),
  },
];
