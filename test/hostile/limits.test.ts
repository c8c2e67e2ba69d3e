/** Limits of a server: one address that asks for too much is turned away, and no other one notices. */
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import type { ServerOptions } from '../../src/server/server.ts';
import { Visitors } from '../../src/server/visitors.ts';
import { originOf } from '../../src/transport/origin.ts';
import { link, linkMessage, readReply, session, tryLink } from '../support/raw-client.ts';
import { Hung, RawSocket } from '../support/raw-wire.ts';
import { Stage, until } from './stage.ts';

describe('the table of limits in the README', () => {
  const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
  const [, table = ''] = /## Limits\n([\s\S]*?)\n## /.exec(read('README.md')) ?? [];
  const rows = [...table.matchAll(/^\| `(\w+)` \| ([^|]+) \|/gm)].map(
    ([, name, usual]) => [name!, usual!.trim()] as const,
  );
  const sources = ['server/server', 'server/visitors', 'transport/listen', 'engine/channel-host'].map((name) =>
    read(`src/${name}.ts`),
  );
  // The comment right in front of each option.
  const comments = new Map(
    sources.flatMap((source) =>
      [...source.matchAll(/\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*readonly (\w+)\?:/g)].map(([, text, name]) => [
        name!,
        text!,
      ]),
    ),
  );

  it.each(rows)('says of %s that it is %s, and so do the options', (name, usual) => {
    const same = usual === '1,800,000' ? '30 minutes' : usual;
    expect(comments.get(name)).toContain(`Default ${same}`);
  });

  /** Where the numbers stand that are none of `name ?? 1_000` or `name = 1_000`. */
  const elsewhere: Record<string, [file: string, before: string]> = {
    linkMs: ['machines/link/server.ts', "'link deadline':"],
    arrivalMs: ['machines/migration/target.ts', "'arrival deadline':"],
    maxMessagesPerSecond: ['src/engine/pace.ts', 'usualRate ='],
    maxUnsentBytes: ['src/engine/outgoing.ts', 'usualOverdraft ='],
  };
  const product = (text: string) => text.split('*').reduce((all, one) => all * Number(one.replaceAll('_', '')), 1);

  it.each(rows)('says of %s that it is %s, and so does the code', (name, usual) => {
    const [file, before] = elsewhere[name] ?? [];
    const code = (file === undefined ? sources : [read(file)]).join('\n');
    const start = before?.replace(/[.*+?^${}()|[\]\\]/g, '\\$&') ?? `${name} (?:\\?\\?|=)`;
    const found = [...code.matchAll(new RegExp(`${start} ([\\d_][\\d_ *]*)`, 'g'))].map(([, text]) => product(text!));
    const said = product(usual.replaceAll(',', '').replace(' MiB', ' * 1024 * 1024'));
    expect(found.length).toBeGreaterThan(0);
    expect(found).toEqual(found.map(() => said));
  });

  it('names all that there are', () => {
    expect(rows).toHaveLength(12);
    const limits = [...comments.keys()].filter((name) => /^(max|most)[A-Z]|^(hello|link|arrival|return)Ms$/.test(name));
    expect(rows.map(([name]) => name).toSorted()).toEqual(limits.toSorted());
  });
});

describe('where an address is from', () => {
  it('is the address itself, or the /64 of an IPv6 address', () => {
    expect(originOf('192.0.2.7')).toBe('192.0.2.7');
    expect(originOf('::ffff:192.0.2.7')).toBe('192.0.2.7');
    expect(originOf('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2::/64');
    expect(originOf('2001:0DB8:0001:0002::6')).toBe('2001:db8:1:2::/64');
    expect(originOf('2001:db8::5')).toBe('2001:db8:0:0::/64');
    expect(originOf('::1')).toBe('0:0:0:0::/64');
    expect(originOf('fe80::1%eth0')).toBe('fe80:0:0:0::/64');
    for (const other of [undefined, '', 'client', '/run/spice.sock', 'unix:/run/x', 'memory:left']) {
      expect(originOf(other)).toBeUndefined();
    }
  });
});

describe('visitors', () => {
  const make = (limits = {}) => {
    const log: string[] = [];
    const time = { now: 0 };
    return {
      log,
      time,
      visitors: new Visitors(
        limits,
        () => time.now,
        (line) => log.push(line),
      ),
    };
  };

  it('may have so many links under way, each address for itself', () => {
    const { visitors, log, time } = make({ maxUnfinishedLinks: 2 });
    expect(visitors.enter('a', '192.0.2.1')).toBe(true);
    expect(visitors.enter('b', '192.0.2.1')).toBe(true);
    expect(visitors.enter('c', '192.0.2.1')).toBe(false);
    expect(visitors.enter('d', '192.0.2.1')).toBe(false);
    expect(visitors.enter('e', '192.0.2.2')).toBe(true);
    expect(visitors.enter('f', undefined)).toBe(true);
    visitors.finished('a');
    visitors.finished('a');
    visitors.finished('c');
    expect(visitors.enter('g', '192.0.2.1')).toBe(true);
    expect(visitors.enter('h', '192.0.2.1')).toBe(false);
    expect(log).toEqual(['192.0.2.1 has 2 links that are not finished: more are turned away']);
    time.now += 1_000;
    for (const link of ['b', 'e', 'f', 'g']) visitors.finished(link);
    expect(visitors.size).toBe(0);
  });

  it('may send so many wrong passwords, and one more every six seconds', () => {
    const { visitors, log, time } = make({ maxWrongPasswords: 3 });
    visitors.enter('a', '192.0.2.1');
    visitors.enter('b', '192.0.2.2');
    for (let i = 0; i < 3; i++) {
      expect(visitors.isRefused('a')).toBe(false);
      visitors.wrongPassword('a');
    }
    expect(visitors.isRefused('a')).toBe(true);
    expect(visitors.isRefused('b')).toBe(false);
    time.now += 5_999;
    expect(visitors.isRefused('a')).toBe(true);
    time.now += 2;
    expect(visitors.isRefused('a')).toBe(false);
    visitors.wrongPassword('a');
    expect(visitors.isRefused('a')).toBe(true);
    expect(log).toEqual(['192.0.2.1 sends wrong passwords: it is refused for a while']);
    // Leaving and coming back does not help.
    visitors.finished('a');
    visitors.enter('c', '192.0.2.1');
    expect(visitors.isRefused('c')).toBe(true);
    time.now += 18_000;
    visitors.finished('c');
    visitors.finished('b');
    expect(visitors.size).toBe(0);
  });

  it('may begin so many links a second, and ten times as many at once', () => {
    const { visitors, log, time } = make({ maxLinksPerSecond: 5 });
    const tries = (count: number, from: string) => {
      let taken = 0;
      for (let i = 0; i < count; i++) {
        if (!visitors.enter(`${from} ${time.now} ${i}`, from)) continue;
        visitors.finished(`${from} ${time.now} ${i}`);
        taken++;
      }
      return taken;
    };
    expect(tries(80, '192.0.2.1')).toBe(50);
    expect(tries(80, '192.0.2.2')).toBe(50);
    time.now += 1_000;
    expect(tries(80, '192.0.2.1')).toBe(5);
    expect(log).toHaveLength(2);
    expect(log[0]).toBe('192.0.2.1 begins too many links: more are turned away for a while');
    time.now += 60_000;
    expect(tries(80, '192.0.2.1')).toBe(50);
  });

  it('are known for ten minutes after a good ticket, unless a wrong one comes', () => {
    const { visitors, time } = make({});
    visitors.enter('first', '192.0.2.1');
    expect(visitors.rankOf('first')).toBe('new');
    visitors.proven('first');
    visitors.finished('first');
    time.now += 599_000;
    visitors.enter('second', '192.0.2.1');
    visitors.enter('other', '192.0.2.2');
    expect(visitors.rankOf('second')).toBe('known');
    expect(visitors.rankOf('other')).toBe('new');
    visitors.wrongPassword('second');
    expect(visitors.rankOf('second')).toBe('suspected');
    time.now += 6_000;
    expect(visitors.rankOf('second')).toBe('new');
    for (const link of ['second', 'other']) visitors.finished(link);
    time.now += 600_000;
    visitors.enter('third', '192.0.2.1');
    expect(visitors.rankOf('third')).toBe('new');
  });

  it('are not remembered without end', () => {
    const { visitors } = make({ maxWrongPasswords: 1 });
    for (let i = 0; i < 30_000; i++) {
      visitors.enter(`${i}`, `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
      visitors.wrongPassword(`${i}`);
      visitors.finished(`${i}`);
    }
    expect(visitors.size).toBeLessThanOrEqual(10_000);
    visitors.enter('last', '10.0.117.47');
    expect(visitors.isRefused('last')).toBe(true);
  });
});

describe('a server', () => {
  let stage: Stage;
  const strangers: { end(): void }[] = [];
  afterEach(async () => {
    for (const stranger of strangers.splice(0)) stranger.end();
    await stage.goesOn();
    await stage.close();
  });
  const open = async (options: ServerOptions) => {
    stage = await Stage.open(options);
  };

  it('closes the links of an address that has too many unfinished ones, and takes all others', async () => {
    await open({ maxUnfinishedLinks: 5 });
    const half: RawSocket[] = [];
    const before = stage.log.length;
    for (let i = 0; i < 8; i++) {
      const raw = await RawSocket.dial(stage.port, '127.0.0.2');
      strangers.push(raw);
      raw.write(linkMessage());
      half.push(raw);
    }
    for (const raw of half.slice(5)) await raw.hungUp();
    for (const raw of half.slice(0, 5)) expect((await readReply(raw)).error).toBe(0);
    expect(stage.log.slice(before)).toEqual(['127.0.0.2 has 5 links that are not finished: more are turned away']);
    strangers.push((await session(stage.port, { from: '127.0.0.3' })).main);
    half[0]!.end();
    await until(() => stage.server.system.population === 8 + 4 + 2, 'one of them is over');
    (await link(stage.port, { from: '127.0.0.2' })).end();
  });

  it('refuses an address that has sent too many wrong passwords, even the right one, and nobody else', async () => {
    await open({ password: 'right', maxWrongPasswords: 4 });
    const before = stage.log.length;
    for (let i = 0; i < 4; i++) {
      expect(await tryLink(stage.port, { from: '127.0.0.2', password: `guess ${i}` })).toMatchObject({ result: 7 });
    }
    for (let i = 0; i < 3; i++) {
      expect(await tryLink(stage.port, { from: '127.0.0.2', password: 'right' })).toMatchObject({ reply: 7 });
    }
    (await link(stage.port, { from: '127.0.0.3', password: 'right' })).end();
    (await link(stage.port, { password: 'right' })).end();
    const counted = () => stage.log.slice(before).findLast((line) => line.includes('is refused: permissionDenied'));
    // One line at once, and one that counts the others, a second later at most.
    await until(() => /\(and \d more like it within a second\)$/.test(counted() ?? ''), 'the others are counted');
    const lines = stage.log.slice(before);
    expect(lines.filter((line) => line.includes('127.0.0.2 sends wrong passwords'))).toHaveLength(1);
    expect(lines.filter((line) => line.includes('is refused: permissionDenied')).length).toBeLessThanOrEqual(4);
  });

  it('looks at no more passwords than that, however many links have come as far as the ticket', async () => {
    await open({ password: 'right', maxWrongPasswords: 4 });
    const tries = Array.from({ length: 12 }, (_, i) =>
      tryLink(stage.port, { from: '127.0.0.2', password: i < 6 ? 'guess' : 'right' }).catch((error) => error),
    );
    const results = await Promise.all(tries);
    for (const one of results) expect(one instanceof Hung || one.reply === 7 || one.result !== undefined).toBe(true);
    // Whatever their order was: four wrong ones, and nothing that came after.
    expect(await tryLink(stage.port, { from: '127.0.0.2', password: 'right' })).toMatchObject({ reply: 7 });
    for (const one of results) if (one.result === 0) one.raw.end();
  });

  it('takes so many connections of one address', async () => {
    await open({ maxConnectionsPerAddress: 7 });
    const all: RawSocket[] = [];
    for (let i = 0; i < 9; i++) all.push(await RawSocket.dial(stage.port, '127.0.0.2'));
    strangers.push(...all);
    for (const raw of all.slice(7)) await raw.hungUp();
    expect(all.slice(0, 7).map(({ over }) => over)).toEqual(Array.from({ length: 7 }, () => false));
    const other = await RawSocket.dial(stage.port, '127.0.0.3');
    strangers.push(other);
    other.write(linkMessage());
    expect((await readReply(other)).error).toBe(0);
    all[0]!.end();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const next = await RawSocket.dial(stage.port, '127.0.0.2');
    strangers.push(next);
    next.write(linkMessage());
    expect((await readReply(next)).error).toBe(0);
  });

  it('takes so many sessions', async () => {
    await open({ mostSessions: 3 });
    strangers.push((await session(stage.port)).main, (await session(stage.port)).main);
    expect(await tryLink(stage.port)).toMatchObject({ result: 1 });
    strangers.shift()!.end();
    await new Promise((resolve) => setTimeout(resolve, 50));
    strangers.push((await session(stage.port)).main);
  });
});
