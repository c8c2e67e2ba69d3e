/** The verbs for journals, on journals of real sessions: what they print, what they write, and what they say of damage. */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runSumac } from '../../src/cli/run.ts';
import type { Retention } from '../../src/journal/retention.ts';
import { Shelf } from '../../src/journal/shelf.ts';
import { openJournal, openStore } from '../../src/open-journal.ts';
import { Captured, readPng, start } from '../cli/captured.ts';
import { always, pause, record, stories, up } from '../replay/recorded.ts';
import { Network } from '../support/network.ts';

let folder: string;
let place: string;
let counts: Readonly<Record<'source' | 'target' | 'client', number>>;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sumac-verbs-'));
  place = join(folder, 'journal');
  const journals = await openJournal({ place, program: 'sumac test' });
  const [source, target, client] = ['source', 'target', 'client'].map((name) => journals.journal(name));
  const { happen, ...options } = stories.seamless!;
  const recorded = await record(happen, {
    ...options,
    journals: { source: source!, target: target!, client: client! },
  });
  counts = { source: recorded.source.length, target: recorded.target.length, client: recorded.client.length };
  await journals.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function sumac(...args: readonly string[]) {
  const terminal = new Captured();
  const code = await runSumac(args, terminal);
  return { code, lines: terminal.lines, errors: terminal.errors, events: () => terminal.events };
}

/** The last pixel: nothing but the ground is drawn there. */
function cornerOf(file: string): number {
  const { width, height, rgb } = readPng(readFileSync(file));
  expect([width, height]).toEqual([64, 48]);
  const [r, g, b] = rgb.subarray(-3) as unknown as [number, number, number];
  return (r << 16) | (g << 8) | b;
}

describe('sumac journal', () => {
  it('ls lists the sessions, oldest first', async () => {
    const { code, lines } = await sumac('journal', 'ls', place);
    expect(code).toBe(0);
    expect(lines.map((line) => /-(\w+\/\S+)/.exec(line)![1])).toEqual([
      'source/server',
      'target/server',
      'client/client',
      'source/session:1',
      'target/session:1',
    ]);
    const { events } = await sumac('journal', 'ls', place, '--json');
    expect(events()[2]).toMatchObject({
      session: expect.stringMatching(/^\d{8}-\d{6}-\w{4}-client\/client$/),
      records: counts.client,
      state: 'finished',
      secrets: false,
      program: 'sumac test',
    });
    const [server, , , session] = events() as { records: number }[];
    expect(server!.records + session!.records).toBe(counts.source);
  });

  it('show tells the records of one', async () => {
    const all = await sumac('journal', 'show', place, 'client/client');
    expect([all.code, all.lines.length]).toEqual([0, counts.client]);
    expect(all.lines[0]).toMatch(/^ {6}1 {5}0\.000 s {2}client {23}event {3}\[session\/client] xstate\.init /);
    const some = await sumac('journal', 'show', place, 'client/client', '--from', '20', '--to', '29', '--json');
    expect(some.events().map(({ seq }) => seq)).toEqual([20, 21, 22, 23, 24, 25, 26, 27, 28, 29]);
    const display = await sumac('journal', 'show', place, 'session:1', '--actor', 'display:0', '--json');
    expect(display.code).toBe(1);
    expect(display.errors[0]).toMatch(/there are 2 sessions session:1 in .*: .*session:1, .*session:1$/);
    const { events } = await sumac('journal', 'show', place, 'target/session:1', '--actor', 'display:0', '--json');
    expect(new Set(events().map(({ actor }) => actor))).toEqual(new Set(['server/session:1/display:0']));
    expect(events().some(({ kind, bytes }) => kind === 'wire' && /^2e01/.test(bytes))).toBe(true);
  });

  it('verify proves all sessions, or one', async () => {
    const { code, lines } = await sumac('journal', 'verify', place);
    expect(code).toBe(0);
    expect(lines).toHaveLength(5);
    for (const line of lines) {
      expect(line).toMatch(
        /: \d+ events, \d+ commands, \d+ bytes compared, 0 mismatches( \(\d+ bytes are left out of it\))?$/,
      );
    }
    const { events } = await sumac('journal', 'verify', place, 'client/client', '--json');
    expect(events()).toMatchObject([{ records: counts.client, unfinished: [], owed: [] }]);
    expect(events()[0]).not.toHaveProperty('mismatch');
  });

  it('export writes packets', async () => {
    const file = join(folder, 'session.pcap');
    const { code, lines } = await sumac('journal', 'export', place, 'source/session:1', '--pcap', file);
    expect([code, lines]).toEqual([0, [expect.stringMatching(/session\.pcap: \d+ packets$/)]]);
    const bytes = readFileSync(file);
    expect(bytes.readUInt32LE(0)).toBe(0xa1b2c3d4);
    let at = 24;
    let packets = 0;
    let syn = 0;
    for (; at < bytes.length; packets++) {
      const size = bytes.readUInt32LE(at + 8);
      expect(bytes[at + 16]).toBe(0x45);
      if (bytes[at + 16 + 33] === 0x02) syn++;
      at += 16 + size;
    }
    expect(at).toBe(bytes.length);
    expect(lines[0]).toContain(`: ${packets} packets`);
    expect(syn).toBe(6);
  });
});

describe('sumac replay', () => {
  it('draws what the client saw, at any moment', async () => {
    const shown = await sumac('journal', 'show', place, 'client/client', '--actor', 'display:0', '--json');
    const records = shown.events() as { seq: number; kind: string; bytes: string; link: string; at: number }[];
    const first = records.find(({ kind, bytes }) => kind === 'wire' && /^6600/.test(bytes))!;
    const colourAt = async (...at: readonly string[]) => {
      const file = join(folder, 'then.png');
      const { code, errors } = await sumac('replay', place, 'client/client', '--screenshot', file, ...at);
      expect([code, errors]).toEqual([0, []]);
      return cornerOf(file);
    };
    expect(await colourAt('--at', String(first.seq))).toBe(0x112233);
    expect(await colourAt()).toBe(0x445566);
    const [zero] = (await sumac('journal', 'show', place, 'client/client', '--to', '1', '--json')).events();
    expect(await colourAt('--at', `${(first.at - zero.at + 0.01).toFixed(3)}ms`)).toBe(0x112233);
  });

  it('draws what a server had sent', async () => {
    const file = join(folder, 'sent.png');
    const { code } = await sumac('replay', place, 'source/session:1', '--screenshot', file);
    expect(code).toBe(0);
    expect(cornerOf(file)).toBe(0x112233);
  });

  it('tells where the charts were', async () => {
    const { lines } = await sumac('replay', place, 'client/client', '--at', '1');
    expect(lines).toEqual([
      expect.stringMatching(/client\/client after record 1, 0\.000 s, 20/),
      expect.stringMatching(/^ {2}client {26} +linking main$/),
    ]);
    const { events } = await sumac('replay', place, 'client/client', '--at', String(counts.client - 12), '--json');
    expect(events()).toEqual(
      expect.arrayContaining([expect.objectContaining({ actor: 'client/display:0', status: 'active' })]),
    );
  });

  it('says when there was no picture, or no such moment', async () => {
    const file = join(folder, 'none.png');
    const none = await sumac('replay', place, 'client/client', '--at', '3', '--screenshot', file);
    expect([none.code, none.errors]).toEqual([1, [expect.stringContaining('shows no picture after record 3')]]);
    const late = await sumac('replay', place, 'client/client', '--at', '999999');
    expect([late.code, late.errors]).toEqual([2, [expect.stringContaining(`has ${counts.client} records`)]]);
    const odd = await sumac('replay', place, 'client/client', '--at', 'noon');
    expect(odd.code).toBe(2);
  });
});

describe('a command that cannot be carried out', () => {
  it.each<[readonly string[], number, RegExp]>([
    [['journal', 'look', 'x'], 2, /"look" is none of ls, show, verify and export/],
    [['journal', 'ls'], 2, /PLACE is missing/],
    [['journal', 'show', '.'], 1, /there is no journal in \./],
    [['journal', 'ls', '/no/such/place'], 1, /there is no journal in \/no\/such\/place/],
    [['journal', 'ls', 'http://x'], 2, /is no place for journals/],
    [['journal', 'ls', '.', '--from', '3'], 2, /--from is of no use to ls/],
  ])('%j', async (args, code, message) => {
    const found = await sumac(...args);
    expect(found.code).toBe(code);
    expect(found.errors).toEqual([expect.stringMatching(message)]);
  });

  it('for want of a session, or of a file', async () => {
    expect((await sumac('journal', 'show', place)).errors[0]).toMatch(/show needs a session/);
    expect((await sumac('journal', 'show', place, 'session:7')).errors[0]).toMatch(/there is no session session:7/);
    expect((await sumac('journal', 'export', place, 'client/client')).errors[0]).toMatch(/--pcap FILE\.pcap/);
    expect((await sumac('journal', 'export', place, 'client/client', '--pcap', '/no/x.pcap')).code).toBe(2);
  });
});

describe('a journal that is damaged', () => {
  it('is told by every verb in one line, with what came before it, and never changed', async () => {
    const copy = join(folder, 'damaged');
    mkdirSync(copy);
    const path = join(copy, 'sumac-journal.mdb');
    copyFileSync(join(place, 'sumac-journal.mdb'), path);
    const { events } = await sumac('journal', 'show', place, 'client/client', '--json');
    // Where the time of a record in the middle is written: it is like no other.
    const { at, seq } = events()[Math.floor(counts.client / 2)];
    const bytes = readFileSync(path);
    const time = Buffer.alloc(8);
    time.writeDoubleLE(at);
    const where = bytes.indexOf(time);
    expect(where).toBeGreaterThan(0);
    bytes[where + 3]! ^= 16;
    writeFileSync(path, bytes);
    const why = `record ${seq} is not as it was written`;
    const verified = await sumac('journal', 'verify', copy);
    expect(verified.code).toBe(1);
    expect(verified.lines.filter((line) => !/0 mismatches/.test(line))).toEqual([
      `  damaged: ${why}; what comes before it was looked at`,
    ]);
    const shown = await sumac('journal', 'show', copy, 'client/client');
    expect([shown.code, shown.errors]).toEqual([1, [`sumac: ${why}`]]);
    expect(shown.lines).toHaveLength(seq - 1);
    const file = join(folder, 'damaged.pcap');
    const exported = await sumac('journal', 'export', copy, 'client/client', '--pcap', file);
    expect([exported.code, exported.errors]).toEqual([1, [`sumac: ${why}`]]);
    expect((await sumac('replay', copy, 'client/client')).errors).toEqual([`sumac: ${why}`]);
    expect((await sumac('replay', copy, 'client/client', '--at', String(seq - 1))).code).toBe(0);
    expect(readFileSync(path).equals(bytes)).toBe(true);
  });
});

describe('--journal', () => {
  const uriOf = async (serving: ReturnType<typeof start>): Promise<string> => {
    const line = await serving.terminal.line((one) => /remote-viewer spice:/.test(one));
    return /spice:\S+/.exec(line)![0];
  };

  it('keeps what a server and a client do, and both prove themselves', async () => {
    const both = join(folder, 'kept');
    const serving = start(['serve', '--port', '0', '--password', 'swordfish', '--journal', both]);
    const client = await sumac(
      ...['connect', await uriOf(serving), '--password', 'swordfish', '--until', 'frame', '--journal', both],
    );
    expect(client.code).toBe(0);
    expect(client.errors).toEqual([`journal: ${both}`]);
    serving.terminal.interrupt();
    expect(await serving.code).toBe(0);
    const { code, lines } = await sumac('journal', 'verify', both);
    expect(code).toBe(0);
    expect(lines.map((line) => /\/(\S+):/.exec(line)![1]).sort()).toEqual(['client', 'server', 'session:1']);
    const { events } = await sumac('journal', 'ls', both, '--json');
    expect(events().map(({ state }) => state)).toEqual(['finished', 'finished', 'finished']);
  });

  it.each([
    [true, ['--journal-secrets']],
    [false, []],
  ] as const)(
    'keeps what is personal when it is asked for, and else says what it leaves out: %s',
    async (asked, more) => {
      const at = join(folder, `secrets-${asked}`);
      const serving = start(['serve', '--port', '0', '--password', 'swordfish', '--journal', at, ...more]);
      const words = ['connect', await uriOf(serving), '--password', 'swordfish', '--until', 'frame', '--journal', at];
      expect((await sumac(...words, ...more)).code).toBe(0);
      serving.terminal.interrupt();
      expect(await serving.code).toBe(0);
      const { events } = await sumac('journal', 'ls', at, '--json');
      expect(events().map(({ secrets }) => secrets)).toEqual([asked, asked, asked]);
      for (const session of ['server', 'client']) {
        const { lines } = await sumac('journal', 'show', at, session);
        expect(lines.filter((line) => /left out: ticket$/.test(line)).length > 0).toBe(!asked);
        expect(lines.filter((line) => /"leftOut":"ticket","size":128/.test(line)).length > 0).toBe(!asked);
      }
    },
  );

  it('is kept in a temporary folder by the demo, which says where', async () => {
    const demo = start(['demo', '--json']);
    const { place: at } = JSON.parse(await demo.terminal.line((line) => /"event":"journal"/.test(line)));
    expect(at.startsWith(join(tmpdir(), 'sumac-journal-'))).toBe(true);
    await demo.terminal.line((line) => /"event":"handover"/.test(line));
    demo.terminal.interrupt();
    expect(await demo.code).toBe(0);
    const { code, lines } = await sumac('journal', 'verify', at);
    expect([code, lines.every((line) => / 0 mismatches/.test(line))]).toEqual([0, true]);
    expect(new Set(lines.map((line) => /\/([a-z]+)/.exec(line)![1]))).toEqual(new Set(['client', 'server', 'session']));
    rmSync(at, { recursive: true });
  }, 60_000);

  it('goes on without one, loudly, when it cannot be had; or does not start when it must be', async () => {
    const file = join(folder, 'a file');
    writeFileSync(file, '');
    const serving = start(['serve', '--port', '0', '--journal', file]);
    const uri = await uriOf(serving);
    expect(serving.terminal.errors[0]).toMatch(/cannot be written: it is no folder; it goes on WITHOUT A JOURNAL$/);
    const must = await sumac('serve', '--port', '0', '--journal', file, '--journal-required');
    expect([must.code, must.lines]).toEqual([1, []]);
    expect(must.errors).toEqual([
      expect.stringMatching(/^sumac: the journal in .* cannot be written: it is no folder$/),
    ]);
    const client = await sumac('connect', uri, '--until', 'frame', '--journal', file, '--journal-required');
    expect(client.code).toBe(1);
    serving.terminal.interrupt();
    expect(await serving.code).toBe(0);
  });

  it.each([
    ['--journal-keep', '7', 'an age is a number with its unit'],
    ['--journal-max', '10', 'a size is a number with its unit'],
  ])('%s wants to know the unit', async (name, value, message) => {
    const { code, errors } = await sumac('serve', '--journal', 'x', name, value);
    expect([code, errors]).toEqual([2, [expect.stringContaining(message)]]);
  });
});

describe('openJournal', () => {
  const session = async (at: string, options: { keepMs?: number; mostBytes?: number } = {}) => {
    const told: string[] = [];
    const journals = await openJournal({ place: at, ...options, onFailure: ({ message }) => told.push(message) });
    await record(stories.seamless!.happen, { journals: { client: journals.journal() } });
    await journals.close();
    return told;
  };

  it('removes what is too old, or too much, when it begins', async () => {
    const at = join(folder, 'pruned');
    for (let i = 0; i < 3; i++) await session(at);
    const heads = async () => (await sumac('journal', 'ls', at, '--json')).events();
    const [one] = await heads();
    expect(await heads()).toHaveLength(3);
    await session(at, { mostBytes: one.bytes * 2.5, keepMs: 86_400_000 });
    expect(await heads()).toHaveLength(3);
    await session(at, { keepMs: 0 });
    expect(await heads()).toHaveLength(1);
  });

  it('cuts the journal of a server that lasts, and what is left of it proves itself', async () => {
    const at = join(folder, 'lasting');
    const journals = await openJournal({ place: at, keepMs: 0, checkpoints: always });
    const journal = journals.journal();
    const root = async () => {
      const reading = await openStore(at);
      const heads = await reading.list();
      await reading.close();
      return heads.find(({ name }) => name.endsWith('/server'))!;
    };
    const network = new Network();
    network.server('one', { width: 16, height: 16, journal });
    const firsts: number[] = [];
    try {
      for (let i = 0; i < 6; i++) {
        const client = network.client('one');
        await up(client);
        client.close();
        await pause(100);
        await journal.durable();
        await journals.prune();
        firsts.push((await root()).first ?? 1);
        expect((await sumac('journal', 'verify', at)).code).toBe(0);
      }
    } finally {
      await network.close();
      await journals.close();
    }
    const { first, last, name } = await root();
    expect(firsts[0]).toBeGreaterThan(1);
    expect(new Set(firsts).size).toBeGreaterThan(3);
    expect(last).toBeGreaterThan(500);
    expect(first).toBeGreaterThan(last / 2);
    const verified = await sumac('journal', 'verify', at, name);
    expect(verified.lines).toEqual([expect.stringMatching(/ 0 mismatches/)]);
    const shown = await sumac('journal', 'show', at, name);
    expect([shown.code, shown.lines.length]).toEqual([0, last - first! + 1]);
    expect(shown.lines[0]).toMatch(/ server +checkpoint /);
    expect((await sumac('replay', at, name, '--at', '1s')).code).toBe(0);
  });

  it('counts the pictures that are kept beside a session, drops them before any session, and with theirs', async () => {
    const at = join(folder, 'pictured');
    for (let i = 0; i < 2; i++) await session(at);
    const store = await openStore(at);
    const [old, young] = await store.list();
    await store.close();
    const shelf = new Shelf(join(at, 'pictures'));
    const kept = () => [old!, young!].map((head) => [10, 20].filter((seq) => shelf.has(head, seq)));
    for (const head of [old!, young!]) for (const seq of [10, 20]) shelf.put(head, seq, new Uint8Array(100_000));
    for (const [i, head] of [old!, young!].entries()) {
      const file = join(at, 'pictures', Buffer.from(head.name).toString('base64url'));
      for (const seq of [10, 20]) utimesSync(`${file}.${seq}`, 1, i * 100 + seq);
    }
    const sessions = old!.bytes + young!.bytes;
    const look = async (options: Retention) => {
      const opened = await openJournal({ place: at, ...options });
      await opened.close();
    };
    await look({ mostBytes: sessions + 401_000 });
    expect(kept()).toEqual([
      [10, 20],
      [10, 20],
    ]);
    await look({ mostBytes: sessions + 301_000 });
    expect(kept()).toEqual([[20], [10, 20]]);
    await look({ mostBytes: sessions });
    expect([kept(), shelf.bytes]).toEqual([[[], []], 0]);
    for (const head of [old!, young!]) shelf.put(head, 10, new Uint8Array(100_000));
    shelf.put({ ...old!, name: 'gone/client' }, 10, new Uint8Array(100_000));
    const writing = await openStore(at, { who: 'test' });
    await writing.remove(old!.name);
    await writing.close();
    expect([kept(), shelf.bytes]).toEqual([[[], [10]], 200_032]);
    await look({ mostBytes: 10_000_000 });
    expect([kept(), shelf.bytes]).toEqual([[[], [10]], 100_016]);
  });
});
