/**
 * What strangers may cost, counted: keys that are made, steps of links in one turn, lines of the log. All in virtual time, or by
 * counting work: `npm run bench -- abuse` tells what it comes to in milliseconds.
 */
import { describe, expect, it } from 'vitest';
import { Deframer } from '../../src/engine/deframe.ts';
import { cost, Pace } from '../../src/engine/pace.ts';
import type { Journal } from '../../src/journal/journal.ts';
import { KeyStore, type TicketKey } from '../../src/server/keys.ts';
import { Refusals } from '../../src/server/refusals.ts';
import { price, type Rank, Turns } from '../../src/server/turns.ts';
import { Visitors } from '../../src/server/visitors.ts';
import { memoryPair } from '../../src/transport/memory.ts';
import { framed } from '../fuzz/samples.ts';
import { draw, freeServer, sessionOf } from '../fuzz/servers.ts';
import { type Stranger, settle } from '../fuzz/wires.ts';
import { encryptTicket, linkMessage } from '../support/raw-client.ts';
import { join, u32 } from '../support/raw-wire.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

describe('keys', () => {
  /** Each takes 10 ms. */
  const slow = (ahead: number) => {
    const clock = new VirtualClock();
    let made = 0;
    const make = () =>
      new Promise<TicketKey>((resolve) => {
        clock.setTimeout(() => {
          const pubKey = Uint8Array.of(++made);
          resolve({ pubKey, decrypt: async (ticket) => ticket });
        }, 10);
      });
    const store = new KeyStore({ ahead, make, clock });
    store.stock();
    return { clock, store, made: () => made };
  };

  it.each([
    { times: 'a quarter', links: 'that come often', each: 10, most: 100 },
    { times: 'a sixteenth', links: 'in a crowd', each: 1, most: 26 },
  ])('are made for $times of the time at most for links $links', async ({ each, most }) => {
    const { clock, store, made } = slow(8);
    await clock.advance(1_000);
    expect(made()).toBe(8);
    let given = 0;
    for (let ms = 0; ms < 4_000; ms += each) {
      for (let i = 0; i < 3; i++) void store.take().then(() => given++);
      await clock.advance(each);
    }
    expect(made() - 8).toBeLessThanOrEqual(most);
    expect(made() - 8).toBeGreaterThan(most * 0.9);
    // And nobody waits.
    expect(given).toBe(12_000 / each);
  });

  it('are each link its own while there are some, and shared until there are more', async () => {
    const { clock, store } = slow(3);
    await clock.advance(1_000);
    const take = async () => (await store.take()).pubKey[0];
    expect([await take(), await take(), await take(), await take(), await take()]).toEqual([1, 2, 3, 3, 3]);
    await clock.advance(1_000);
    expect([await take(), await take(), await take(), await take()]).toEqual([4, 5, 6, 6]);
  });

  it('are given to all who were there before the first one, and not to those who have left', async () => {
    const { clock, store, made } = slow(1);
    const left = new AbortController();
    const gone = store.take(left.signal).catch((reason) => reason);
    const all = Promise.all(Array.from({ length: 50 }, () => store.take()));
    left.abort('left');
    expect(await gone).toBe('left');
    await clock.advance(10);
    expect(new Set(await all).size).toBe(1);
    expect(made()).toBe(1);
  });

  it('are shared by a thousand links at most', async () => {
    const { clock, store, made } = slow(1);
    await clock.advance(100);
    for (let i = 0; i < 1_000; i++) await store.take();
    let more = false;
    void store.take().then(() => {
      more = true;
    });
    await Promise.resolve();
    expect(more).toBe(false);
    expect(made()).toBe(1);
    await clock.advance(100);
    expect(more).toBe(true);
  });

  it('are tried again when one could not be made', async () => {
    const clock = new VirtualClock();
    let tries = 0;
    const make = async (): Promise<TicketKey> => {
      if (++tries === 1) throw new Error('no chance');
      return { pubKey: Uint8Array.of(1), decrypt: async (ticket) => ticket };
    };
    const store = new KeyStore({ make, clock, ahead: 1 });
    await expect(store.take()).rejects.toThrow('no chance');
    await clock.advance(100);
    expect((await store.take()).pubKey[0]).toBe(1);
  });

  it('open no ticket twice: who has overheard one has nothing', async () => {
    const key = await new KeyStore({ ahead: 1 }).take();
    expect(key.pubKey).toHaveLength(162);
    const [one, other] = [encryptTicket(key.pubKey, 'right'), encryptTicket(key.pubKey, 'right')];
    expect(new TextDecoder().decode(await key.decrypt(one))).toBe('right\0');
    expect(new TextDecoder().decode(await key.decrypt(other))).toBe('right\0');
    await expect(key.decrypt(one)).rejects.toThrow('this ticket has come before');
    await expect(key.decrypt(new Uint8Array(128))).rejects.toThrow();
  });
});

describe('turns', () => {
  const make = () => {
    const clock = new VirtualClock();
    const looks: (() => void)[] = [];
    const turns = new Turns(clock, (look) => looks.push(look));
    const done: string[] = [];
    const ask = (origin: string, cost = 2, rank: Rank = 'new') => turns.do(origin, rank, cost, () => done.push(origin));
    /** The network was looked at so many times, or until nothing more is done. */
    const look = (times = Number.POSITIVE_INFINITY) => {
      for (; times > 0 && looks.length > 0; times--) for (const one of looks.splice(0)) one();
    };
    /** And so many times there was a rest. */
    const rest = async (times: number) => {
      for (; times > 0; times--) {
        await clock.advance(3);
        look();
      }
    };
    return { clock, turns, done, ask, look, rest };
  };

  it('do what comes alone at once', () => {
    const { done, ask, turns, look } = make();
    for (const step of ['accept', 'message', 'ticket'] as const) {
      ask('a', price[step]);
      look();
    }
    expect(done).toHaveLength(3);
    expect(turns.size).toBe(0);
  });

  it('do one thing between two looks at the network', () => {
    const { done, ask, look } = make();
    for (let i = 0; i < 5; i++) ask('flood', 1);
    for (let looks = 0; looks < 5; looks++) {
      expect(done).toHaveLength(looks + 1);
      look(1);
    }
    look(1);
    ask('flood');
    expect(done).toHaveLength(6);
  });

  it('do only so much, and as much again three milliseconds later', async () => {
    const { clock, turns, done, ask, look, rest } = make();
    for (let i = 0; i < 100; i++) ask('flood');
    look();
    expect(done).toHaveLength(4);
    await clock.advance(2);
    look();
    expect(done).toHaveLength(4);
    await clock.advance(1);
    look();
    expect(done).toHaveLength(8);
    await rest(23);
    expect(done).toHaveLength(100);
    expect(turns.size).toBe(0);
    expect(clock.waiting).toBe(0);
  });

  it('count what a step costs', async () => {
    const { done, ask, look, rest } = make();
    for (let i = 0; i < 8; i++) ask('flood', price.ticket);
    look();
    expect(done).toHaveLength(2);
    await rest(3);
    expect(done).toHaveLength(8);
    done.length = 0;
    for (let i = 0; i < 6; i++) ask('sessions', price.session);
    for (let turn = 1; turn <= 3; turn++) {
      await rest(1);
      expect(done).toHaveLength(turn);
    }
  });

  it('stop when the time is up, whatever was counted', async () => {
    const clock = new VirtualClock();
    let now = 0;
    const turns = new Turns(
      {
        now: () => now,
        setTimeout: (fn, ms) => clock.setTimeout(fn, ms),
        clearTimeout: (id) => clock.clearTimeout(id),
      },
      (look) => queueMicrotask(look),
    );
    let done = 0;
    for (let i = 0; i < 6; i++) {
      turns.do('slow', 'new', 1, () => {
        done++;
        now += 0.8;
      });
    }
    await clock.advance(2);
    expect(done).toBe(2);
    await clock.advance(1);
    expect(done).toBe(4);
  });

  it('go round among addresses, the known first and the suspected last', async () => {
    const { done, ask, look, rest } = make();
    for (let i = 0; i < 4; i++) ask('first');
    look();
    done.length = 0;
    for (let i = 0; i < 50; i++) ask('bad', 2, 'suspected');
    for (let i = 0; i < 50; i++) ask('greedy');
    ask('modest');
    ask('friend', 2, 'known');
    ask('friend', 2, 'known');
    await rest(1);
    expect(done.slice(0, 2)).toEqual(['friend', 'friend']);
    expect(done).toContain('modest');
    expect(done).not.toContain('bad');
    await rest(25);
    expect(done).toHaveLength(103);
    expect(done.indexOf('bad')).toBe(53);
  });

  it('drop what waits when all is over', async () => {
    const { clock, turns, done, ask, look, rest } = make();
    for (let i = 0; i < 20; i++) ask('flood');
    look();
    turns.close();
    await rest(50);
    expect(done).toHaveLength(4);
    expect(clock.waiting).toBe(0);
  });
});

describe('links that are gone before their turn', () => {
  it('are read no more, get no key, and leave nothing behind', async () => {
    const { clock, server } = freeServer();
    const { population } = server.system;
    let keys = 0;
    const take = async () => {
      keys++;
      return { pubKey: new Uint8Array(162), decrypt: async (ticket: Uint8Array) => ticket };
    };
    const jobs: (() => void)[] = [];
    const turns = {
      do: (_from: string, _rank: Rank, _cost: number, run: () => void) => jobs.push(run),
      close: () => {},
    };
    Object.assign((server as unknown as { door: object }).door, { keys: { take }, turns });
    /** Everybody who waits has a turn. */
    const turn = async () => {
      for (const run of jobs.splice(0)) run();
      await clock.advance(0);
      await settle(1);
    };
    const pairs = Array.from({ length: 40 }, (_, i) => {
      const pair = memoryPair({ clock, names: [`192.0.2.${i}:7`, 'here'] });
      server.accept(pair.right);
      pair.left.take({ onChunk: () => {}, onClosed: () => {} });
      pair.left.write(linkMessage());
      return pair;
    });
    await turn();
    expect(server.system.population).toBe(population + 40);
    expect(jobs).toHaveLength(40);
    for (const pair of pairs.slice(1)) pair.cut();
    await settle(1);
    await turn();
    expect(keys).toBe(1);
    expect(server.system.population).toBe(population + 1);
    expect(jobs).toHaveLength(0);
    pairs[0]!.cut();
    await settle(1);
    await turn();
    expect(server.system.population).toBe(population);
    await server.close();
  });
});

describe('lines about strangers', () => {
  const make = () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    return { clock, log, refusals: new Refusals(clock, (line) => log.push(line)) };
  };

  it('are one for each address and second, with a count', async () => {
    const { clock, log, refusals } = make();
    for (let i = 0; i < 1_000; i++) refusals.note('192.0.2.1', `refused ${i}`);
    refusals.note('192.0.2.2', 'refused, once');
    expect(log).toEqual(['refused 0', 'refused, once']);
    await clock.advance(1_000);
    expect(log.slice(2)).toEqual(['refused 999 (and 998 more like it within a second)']);
    refusals.note('192.0.2.1', 'again');
    refusals.note('192.0.2.1', 'and again');
    await clock.advance(1_000);
    expect(log.slice(3)).toEqual(['again', 'and again']);
    expect(clock.waiting).toBe(0);
  });

  it('are a hundred and one in a second, from however many addresses', async () => {
    const { clock, log, refusals } = make();
    for (let i = 0; i < 10_000; i++) refusals.note(`10.0.${i >> 8}.${i & 255}`, 'refused');
    expect(log).toHaveLength(101);
    await clock.advance(1_000);
    expect(log.slice(101)).toEqual(['refused (and 9898 more like it within a second)']);
    refusals.note('10.0.0.1', 'refused');
    refusals.close();
    expect(clock.waiting).toBe(0);
  });
});

describe('an address that has sent too many wrong passwords', () => {
  it('is let in to be told so a tenth as often, and others as ever', () => {
    let now = 0;
    const visitors = new Visitors(
      { maxWrongPasswords: 1, maxLinksPerSecond: 10 },
      () => now,
      () => {},
    );
    const tries = (count: number, from: string) => {
      let taken = 0;
      for (let i = 0; i < count; i++) {
        const welcome = visitors.welcomes(from);
        const link = `${from} ${now} ${i}`;
        expect(visitors.enter(link, from)).toBe(welcome);
        visitors.finished(link);
        if (welcome) taken++;
      }
      return taken;
    };
    visitors.enter('wrong', '192.0.2.1');
    expect(visitors.rankOf('wrong')).toBe('new');
    visitors.wrongPassword('wrong');
    expect(visitors.rankOf('wrong')).toBe('suspected');
    expect(tries(100, '192.0.2.1')).toBe(9);
    expect(tries(200, '192.0.2.2')).toBe(100);
    now += 2_000;
    expect(tries(100, '192.0.2.1')).toBe(2);
    now += 60_000;
    expect(tries(200, '192.0.2.1')).toBe(100);
    visitors.finished('wrong');
  });
});

describe('a flood of messages', () => {
  /** How many of 100,000 are handled at once, and in the second after that. */
  async function flood(spent: number, rate?: number) {
    const clock = new VirtualClock();
    const pace = new Pace(
      { clock, waiters: new Set(), progress: new Map() } as never,
      (error) => {
        throw error;
      },
      () => {},
      rate,
    );
    let handled = 0;
    const deframer = new Deframer(true, 16, () => {
      handled++;
      pace.count(spent);
    });
    pace.begin({ deframer, pipe: { pause() {}, resume() {} } as never });
    deframer.push(new Uint8Array(6 * 100_000));
    const atOnce = handled;
    await clock.advance(1_000);
    return { atOnce, after: handled - atOnce };
  }

  it('is handled so fast and no faster', async () => {
    const control = await flood(cost.control);
    expect(control.atOnce).toBe(201);
    expect(control.after).toBeGreaterThan(450);
    expect(control.after).toBeLessThanOrEqual(501);
    const data = await flood(cost.data);
    expect(data.atOnce).toBe(4_001);
    expect(data.after).toBeLessThanOrEqual(10_001);
    expect((await flood(cost.control, 50)).after).toBeLessThanOrEqual(51);
  });
});

describe('a message of 4 GiB', () => {
  it.each([true, false])('is refused by its header, mini or not (%s), and nothing is kept for it', (mini) => {
    const deframer = new Deframer(mini, 1_000_000, () => {
      throw new Error('there is no message');
    });
    const header = new Uint8Array(mini ? 6 : 18);
    new DataView(header.buffer).setUint32(mini ? 2 : 10, 0xffffffff, true);
    expect(() => deframer.push(header)).toThrow(
      'a message of 4294967295 bytes, longer than the 1000000 that are taken',
    );
    expect((deframer as unknown as { body: unknown }).body).toBeNull();
  });

  it('that is allowed takes room only as it comes', () => {
    const deframer = new Deframer(true, 64 * 1024 * 1024, () => {});
    const header = new Uint8Array(6);
    new DataView(header.buffer).setUint32(2, 64 * 1024 * 1024, true);
    deframer.push(header);
    deframer.push(new Uint8Array(1_000));
    expect((deframer as unknown as { body: Uint8Array }).body.length).toBe(65_536);
  });
});

describe('links that are not finished', () => {
  it.each([
    ['as long as it says', { linkMs: 700 }, 700],
    ['ten seconds', {}, 10_000],
  ])('are kept %s, a byte a minute or nothing', async (_, options, ms) => {
    const { server, clock, dial } = freeServer(options);
    const before = server.system.population;
    const silent = dial();
    const slow = dial();
    slow.write(linkMessage().subarray(0, 1));
    await clock.advance(ms - 1);
    slow.write(linkMessage().subarray(1, 2));
    await clock.advance(0);
    expect(server.system.population).toBe(before + 2);
    await clock.advance(2);
    expect(server.system.population).toBe(before);
    expect([silent.closed, slow.closed]).toEqual([true, true]);
    await server.close();
  });
});

describe('many sessions', () => {
  const ticket = new Uint8Array(132);
  ticket[0] = 1;

  /** So many sessions with a display each, and what the charts were told since. */
  async function crowd(count: number) {
    const told: string[] = [];
    const journal: Journal = {
      checkpoints: { leastMs: 1e12, mostMs: 1e12, steps: 1e12, bytes: 1e15 },
      append: (entry) => {
        if (entry.kind === 'event') told.push(entry.event.type);
      },
      durable: () => Promise.resolve(),
    };
    const free = freeServer({ journal });
    const displays: Stranger[] = [];
    for (let i = 0; i < count; i++) {
      const main = free.dial();
      main.write(join(linkMessage(), ticket));
      await settle(3);
      const display = free.dial();
      display.write(join(linkMessage({ channel: 'display', connectionId: sessionOf(main, true) }), ticket));
      await settle(2);
      display.write(join(framed(101, new Uint8Array(14), true), framed(1, u32(1), true)));
      displays.push(display);
    }
    await free.clock.advance(31_000);
    expect(free.server.channels()).toHaveLength(2 * count);
    expect(told.length).toBeGreaterThan(10 * count);
    told.length = 0;
    return { ...free, displays, told };
  }

  it('that are idle cost the charts nothing, and no timer', async () => {
    const { server, clock, told } = await crowd(50);
    expect(clock.waiting).toBe(0);
    await clock.advance(3_600_000);
    expect(told).toEqual([]);
    await server.close();
  });

  it('that are drawn for cost the charts nothing either, and each gets the same', async () => {
    const { server, clock, displays, told } = await crowd(50);
    const before = displays.map(({ received }) => received);
    for (let i = 0; i < 10; i++) {
      draw(server, i * 0x010203);
      // Most are told when the network has been looked at, and their answers have to come.
      for (let looks = 0; looks < 50; looks++) {
        await clock.advance(2);
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(server.display.isBehind).toBe(false);
    }
    const got = displays.map(({ received }, i) => received - before[i]!);
    expect(new Set(got).size).toBe(1);
    expect(got[0]).toBeGreaterThan(10 * 50);
    expect(told).toEqual([]);
    await server.close();
  });
});
