/**
 * Journals against other people's programs: of their sessions, which must prove themselves; kept by a NATS cluster that loses
 * a node; and read by Wireshark's dissector.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { runSumac } from '../../src/cli/run.ts';
import { connect as openClient } from '../../src/connect.ts';
import { Deframer } from '../../src/engine/deframe.ts';
import { NatsStore } from '../../src/journal/nats.ts';
import type { JournalRecord } from '../../src/journal/record.ts';
import { openJournal } from '../../src/open-journal.ts';
import { type ChannelName, channels, decodeMessage } from '../../src/protocol/index.ts';
import { Captured } from '../cli/captured.ts';
import { all, birthAt, Chunks, storeContract } from '../journal/contract.ts';
import { phase, type Recorded, record, stories, up } from '../replay/recorded.ts';
import { beginMove, linkClients } from '../support/peers/live-migrate.ts';
import { peerSuite } from '../support/peers/present.ts';
import { freePort, PeerProcess } from '../support/peers/process.ts';
import { startQemuPair } from '../support/peers/qemu.ts';
import { SAID, startViewer } from '../support/peers/spicy.ts';
import { startSumacPair } from '../support/peers/sumac.ts';
import { startXvfb } from '../support/peers/xvfb.ts';
import { compile, endAll, sumac } from '../support/sumac-command.ts';

const now = () => Date.now();

/** Three nodes of NATS on the loopback address, each with a folder of its own. */
class Cluster {
  readonly servers: string[] = [];
  private readonly folder = mkdtempSync(join(tmpdir(), 'sumac-nats-'));
  private readonly nodes: PeerProcess[] = [];
  private routes: number[] = [];

  async start(): Promise<void> {
    const clients = await Promise.all([freePort(), freePort(), freePort()]);
    this.routes = await Promise.all([freePort(), freePort(), freePort()]);
    for (const [i, port] of clients.entries()) {
      this.servers.push(`127.0.0.1:${port}`);
      const config = join(this.folder, `${i}.conf`);
      const store = join(this.folder, `node-${i}`);
      const routes = this.routes.map((route) => `nats-route://127.0.0.1:${route}`).join(', ');
      writeFileSync(
        config,
        `server_name: node-${i}\nlisten: 127.0.0.1:${port}\n` +
          `jetstream { store_dir: "${store}", max_mem: 64M, max_file: 2G }\n` +
          `cluster { name: sumac, listen: 127.0.0.1:${this.routes[i]}, routes: [${routes}] }\n`,
      );
      this.nodes.push(this.run(i));
    }
    await this.settled();
  }

  /** Kills a node at once, as a power cut would. */
  async kill(i: number): Promise<void> {
    await this.nodes[i]!.stop('SIGKILL');
  }

  async restart(i: number): Promise<void> {
    this.nodes[i] = this.run(i);
    await this.nodes[i]!.waitForLine(/Server is ready/, { timeoutMs: 20_000 });
  }

  /** The node that leads a stream. */
  async leaderOf(stream: string): Promise<number> {
    const connection = await connect({ servers: this.servers });
    try {
      const info = await (await jetstreamManager(connection)).streams.info(stream);
      return Number(info.cluster!.leader!.slice('node-'.length));
    } finally {
      await connection.close();
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop('SIGKILL')));
    rmSync(this.folder, { recursive: true, force: true });
  }

  private run(i: number): PeerProcess {
    return new PeerProcess(`nats ${i}`, 'nats-server', ['-c', join(this.folder, `${i}.conf`)]);
  }

  /** Waits until the three have found each other and a leader for what they keep. */
  private async settled(): Promise<void> {
    for (const node of this.nodes) await node.waitForLine(/Server is ready/, { timeoutMs: 20_000 });
    const until = Date.now() + 40_000;
    for (;;) {
      try {
        const connection = await connect({ servers: this.servers, timeout: 2_000 });
        try {
          await (await jetstreamManager(connection, { timeout: 2_000 })).getAccountInfo();
          return;
        } finally {
          await connection.close();
        }
      } catch (error) {
        if (Date.now() > until) throw error;
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    }
  }
}

peerSuite('on a NATS cluster of three', ['nats-server'], () => {
  const cluster = new Cluster();
  let shards = 0;
  const stores: NatsStore[] = [];
  beforeAll(() => cluster.start());
  afterAll(() => cluster.stop());
  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close();
  });

  const open = async (shard: string, who = 'one', readOnly = false) => {
    const store = await NatsStore.open({ servers: cluster.servers, shard, replicas: 3, now, who, readOnly });
    stores.push(store);
    return store;
  };

  describe('a store', () => {
    storeContract(async () => {
      const shard = `shard-${++shards}`;
      const store = await open(shard);
      return {
        store,
        again: () => open(shard, 'other', true),
        dispose: async () => {
          for (const one of stores.splice(0)) await one.close();
        },
      };
    }, 2_000_000);
  });

  it('refuses a second writer of a shard, until the first has gone', async () => {
    const first = await open('fence', 'first');
    const second = await open('fence', 'second');
    const writer = await first.write('run/client', birthAt(1));
    const chunks = new Chunks();
    await writer.append(chunks.next(3));
    await expect(second.write('run/other', birthAt(1))).rejects.toMatchObject({
      fault: 'locked',
      message: expect.stringContaining('is being written to by first'),
    });
    expect(await second.head('run/client')).toMatchObject({ open: true, last: 3 });
    await writer.close();
    await first.close();
    stores.splice(stores.indexOf(first), 1);
    const next = await second.write('run/client', birthAt(1));
    await next.append(chunks.next(2));
    await next.close();
    expect((await all(second, 'run/client')).length).toBe(5);
  });

  it('shuts out whoever held a shard and was away too long', async () => {
    // The clock of the second is an hour ahead: to it, the first has been silent for that long.
    const first = await open('lease', 'first');
    const writer = await first.write('run/client', birthAt(1));
    const chunks = new Chunks();
    await writer.append(chunks.next(3));
    const second = await NatsStore.open({
      ...{ servers: cluster.servers, shard: 'lease', who: 'second' },
      now: () => Date.now() + 3_600_000,
    });
    stores.push(second);
    const other = await second.write('run/other', birthAt(1));
    await expect(writer.append(chunks.next(3))).rejects.toMatchObject({ fault: 'locked' });
    await other.append(new Chunks().next(1));
    await other.close();
    expect((await all(second, 'run/client')).length).toBe(3);
  });

  it.each(['a follower', 'the leader'])(
    'loses nothing that was kept, and keeps nothing twice, when %s is killed in the middle of writing',
    async (which) => {
      const shard = which.replace(' ', '-');
      const store = await open(shard);
      const writer = await store.write('run/client', birthAt(1));
      const leader = await cluster.leaderOf(`SUMAC_JOURNAL_${shard}`);
      const victim = which === 'the leader' ? leader : (leader + 1) % 3;
      const chunks = new Chunks();
      let kept = 0;
      let stop = false;
      const underWay: Promise<void>[] = [];
      const writing = (async () => {
        while (!stop) {
          const chunk = chunks.next(20, 200);
          underWay.push(
            writer.append(chunk).then(() => {
              // They are kept in their order.
              expect(chunk.first).toBe(kept + 1);
              kept = chunk.last;
            }),
          );
          await new Promise((resolve) => setTimeout(resolve, 2));
        }
      })();
      await new Promise((resolve) => setTimeout(resolve, 500));
      const before = kept;
      await cluster.kill(victim);
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      stop = true;
      await writing;
      await Promise.all(underWay);
      await writer.close();
      await cluster.restart(victim);
      expect(before).toBeGreaterThan(100);
      expect(kept).toBeGreaterThan(before);
      expect(kept).toBe(underWay.length * 20);
      const other = await open(shard, 'other', true);
      const records = await all(other, 'run/client');
      expect(records.map(({ seq }) => seq)).toEqual(Array.from({ length: kept }, (_, i) => i + 1));
      expect(records.every(({ seq, at }) => at === seq / 2)).toBe(true);
    },
  );

  it('says so when there is nobody to write to', async () => {
    const port = await freePort();
    await expect(
      NatsStore.open({ servers: [`127.0.0.1:${port}`], shard: 'none', now, who: 'one' }),
    ).rejects.toMatchObject({ fault: 'unwritable', message: expect.stringContaining('does not answer') });
    await expect(open('absent', 'one', true)).rejects.toMatchObject({ fault: 'absent' });
  });
});

peerSuite('sumac serve with a journal on NATS', ['nats-server'], () => {
  beforeAll(compile, 120_000);
  afterEach(endAll);

  it('that is killed comes back with --resume, and its client has the session that it had', async () => {
    const folder = newPlace();
    const [port, at] = [await freePort(), await freePort()];
    const nats = keep(new PeerProcess('nats', 'nats-server', ['-js', '-a', '127.0.0.1', '-p', `${at}`, '-sd', folder]));
    await nats.waitForLine(/Server is ready/, { timeoutMs: 20_000 });
    const place = `nats://127.0.0.1:${at}/guests`;
    const serve = async (...more: string[]) => {
      const words = ['serve', '--json', '--port', `${port}`, '--password', 'right', '--journal', place, ...more];
      const server = sumac(...words);
      await server.waitForLine(/"event":"listening"/, { stream: 'out', timeoutMs: 30_000 });
      return server;
    };
    const told = (one: PeerProcess, event: string) =>
      one.lines
        .filter(({ stream, text }) => stream === 'out' && text.startsWith('{'))
        .map(({ text }) => JSON.parse(text))
        .filter((line) => line.event === event);
    const first = await serve();
    const client = sumac('connect', `spice://127.0.0.1:${port}`, '--json', '--password', 'right');
    await client.waitForLine(/"frame"/, { timeoutMs: 25_000 });
    const [{ connectionId }] = told(client, 'session');
    await first.stop('SIGKILL');
    const second = await serve('--resume');
    await client.waitForLine(/"phase":"back"/, { timeoutMs: 40_000 });
    expect(told(client, 'reconnect').at(-1)).toMatchObject({ phase: 'back', returned: true });
    await client.waitUntil(() => told(client, 'frame').length > 1, 'a picture', 25_000);
    expect(told(client, 'session').map((one) => one.connectionId)).toEqual([connectionId, connectionId]);
    expect(told(second, 'log').map(({ line }) => line)).toContain('resumed: 1 session');
    await client.stop('SIGINT');
    await second.waitForLine(/"state":"over"/, { timeoutMs: 10_000 });
    await second.stop('SIGINT');
    expect(first.text() + second.text()).not.toMatch(/WITHOUT A JOURNAL/);
    expect(await proved(place)).toEqual({ server: 1, session: 1 });
  });

  it('waits for a writer on another machine to show that it lives, and no longer than its claim holds', async () => {
    const [folder, at] = [newPlace(), await freePort()];
    const nats = keep(new PeerProcess('nats', 'nats-server', ['-js', '-a', '127.0.0.1', '-p', `${at}`, '-sd', folder]));
    await nats.waitForLine(/Server is ready/, { timeoutMs: 20_000 });
    const options = { servers: [`127.0.0.1:${at}`], shard: 'one', now };
    const gone = await NatsStore.open({ ...options, who: 'gone' });
    const writer = await gone.write('run/server', birthAt(1));
    await writer.append(new Chunks().next(3));
    // Its time goes on, and it says nothing more.
    clearInterval((gone as unknown as { timer: NodeJS.Timeout }).timer);
    const began = Date.now();
    const other = await NatsStore.open({ ...options, who: 'other' });
    expect(await other.head('run/server')).toMatchObject({ open: true });
    await other.settled();
    expect(await other.head('run/server')).toMatchObject({ open: false, last: 3 });
    expect(Date.now() - began).toBeLessThan(20_000);
    await other.close();
    await gone.close();
  });
});

interface Said {
  readonly from: 'client' | 'server';
  readonly name: string;
  readonly number: number;
  readonly size: number;
  readonly body: any;
}

/** Fields that the dissector knows, and where they are in our own decoding of a message. */
const known: Readonly<Record<string, (one: Said) => number | undefined>> = {
  'spice.red_set_ack_generation': ({ body }) => body.generation,
  'spice.red_set_ack_window': ({ name, body }) => (name === 'SET_ACK' ? body.window : undefined),
  'spice.ping_id': ({ name, body }) => (/^P[IO]NG$/.test(name) ? body.id : undefined),
  'spice.surface_width': ({ name, body }) => (name === 'SURFACE_CREATE' ? body.width : undefined),
  'spice.surface_height': ({ name, body }) => (name === 'SURFACE_CREATE' ? body.height : undefined),
  'spice.brush_rgb': ({ name, body }) => (name === 'DRAW_FILL' ? body.brush.color : undefined),
  'spice.keyboard_key_code': ({ name, body }) => (/^KEY_(DOWN|UP)$/.test(name) ? body.code : undefined),
  // It reads this one with its bytes the other way round.
  'spice.main_session_id': ({ body }) => (body.sessionId === undefined ? undefined : swapped(body.sessionId)),
};

const swapped = (value: number): number => {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, value, true);
  return view.getUint32(0);
};

/** What tshark makes of a file: messages of each connection as "from number size name", and the fields that it knows. */
function dissected(file: string, port: number) {
  const names = Object.keys(known);
  const columns = ['tcp.stream', 'ip.src', '_ws.col.Info', 'spice.message_type', 'spice.message_size', ...names];
  // It takes migrate data for shorter than they are; if packets are not joined, it has lost its way only in that one.
  const how = ['-d', `tcp.port==${port},spice`, '-o', 'tcp.desegment_tcp_streams:FALSE', '-Y', 'spice'];
  const text = execFileSync(
    'tshark',
    ['-r', file, ...how, '-T', 'fields', ...columns.flatMap((name) => ['-e', name])],
    { encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'ignore'] },
  );
  const streams = new Map<string, string[]>();
  const fields: Record<string, number[]> = Object.fromEntries(names.map((name) => [name, []]));
  for (const line of text.split('\n')) {
    const [stream, source, info = '', types = '', sizes = '', ...values] = line.split('\t');
    for (const [i, value] of values.entries()) {
      for (const word of value.split(',')) if (word !== '') fields[names[i]!]!.push(Number(word));
    }
    if (types === '') continue;
    const said = streams.get(stream!) ?? [];
    streams.set(stream!, said);
    const [words, lengths] = [info.replaceAll('[Malformed Packet]', '').split(','), sizes.split(',')];
    for (const [i, number] of types.split(',').entries()) {
      const name = /^\s*(?:Server|Client) (.+)$/.exec(words[i] ?? '')?.[1]?.trim() ?? '';
      said.push(`${source === '10.0.0.1' ? 'client' : 'server'} ${number} ${lengths[i]} ${name}`);
      // It passes over the body of a farewell, and takes it for further messages. Nothing of ours is behind it in that packet:
      // what is read of the others is all that there is, or the comparison fails.
      if (name === 'MIGRATE_DATA' || name === 'DISCONNECTING') break;
    }
  }
  return { streams: [...streams.values()], fields };
}

/** What our own decoding makes of the same session: the messages of each link, in the order in which they were written down. */
function decoded(records: readonly JournalRecord[]): Said[][] {
  const links = new Map<string, Said[]>();
  const cut = new Map<string, Deframer>();
  for (const one of records) {
    if (one.kind === 'link') {
      for (const direction of ['in', 'out'] as const) {
        const from = (direction === 'out') === one.actor.startsWith('client') ? 'client' : 'server';
        const channel = channels[(/(\w+):\d+$/.exec(one.actor)?.[1] ?? 'main') as ChannelName];
        const said = links.get(one.link) ?? [];
        links.set(one.link, said);
        const deframer = new Deframer(one.mini!, 1 << 26, (number, body) => {
          const { type, body: value } = decodeMessage(channel, from, number, body);
          const name = type.slice(type.indexOf('.') + 1).toUpperCase();
          said.push({ from, name, number, size: body.length, body: value });
        });
        cut.set(`${one.actor} ${one.link} ${direction}`, deframer);
      }
    } else if (one.kind === 'wire') cut.get(`${one.actor} ${one.link} ${one.direction}`)?.push(one.bytes);
  }
  return [...links.values()].filter((said) => said.length > 0);
}

peerSuite('as packets, by the word of Wireshark', ['tshark'], () => {
  const folder = mkdtempSync(join(tmpdir(), 'sumac-pcap-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const kept = async (name: string): Promise<{ recorded: Recorded; place: string }> => {
    const place = join(folder, name);
    const journals = await openJournal({ place, secrets: true });
    const sides = ['source', 'target', 'client'] as const;
    const each = Object.fromEntries(sides.map((side) => [side, journals.journal(side)]));
    const { happen, ...options } = stories[name]!;
    const recorded = await record(happen, { ...options, journals: each });
    await journals.close();
    return { recorded, place };
  };
  const ascending = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b);

  it.each(['seamless', 'early-link', 'semi-seamless', 'switch-host'])(
    'every message of a hand-over, by its name, its number, its size and the fields that it knows: %s',
    async (scheme) => {
      const { recorded, place } = await kept(scheme);
      for (const [side, session] of [
        ['client', 'client/client'],
        ['source', 'source/session:1'],
        ['target', 'target/session:1'],
      ] as const) {
        const file = join(folder, `${scheme}-${side}.pcap`);
        const terminal = new Captured();
        const code = await runSumac(['journal', 'export', place, session, '--pcap', file], terminal);
        expect([code, terminal.errors]).toEqual([0, []]);
        const seen = dissected(file, side === 'client' ? 1 : 5900);
        const own = decoded(recorded[side].filter(({ actor }) => side === 'client' || actor.includes('session:1')));
        const lines = own.map((said) =>
          said.map(({ from, number, size, name }) => `${from} ${number} ${size} ${name}`),
        );
        const bySize = (a: readonly string[], b: readonly string[]) => (a.join() < b.join() ? -1 : 1);
        expect(seen.streams.sort(bySize)).toEqual(lines.sort(bySize));
        for (const [field, of] of Object.entries(known)) {
          const values = own.flat().flatMap((one) => of(one) ?? []);
          expect([field, ...ascending(seen.fields[field]!)]).toEqual([field, ...ascending(values)]);
        }
      }
    },
  );
});

/** Every session in a folder proves itself; returns how many there are of each kind. */
async function proved(place: string): Promise<Record<string, number>> {
  const terminal = new Captured();
  const code = await runSumac(['journal', 'verify', place, '--json'], terminal);
  const kinds: Record<string, number> = {};
  let all = 0;
  for (const { session, mismatch, damage, owed, bytes } of terminal.events) {
    expect([session, mismatch, damage, owed]).toEqual([session, undefined, undefined, []]);
    all += bytes;
    const kind = /([a-z]+)(:\d+)?$/.exec(session)![1]!;
    kinds[kind] = (kinds[kind] ?? 0) + 1;
  }
  expect(code).toBe(0);
  expect(all).toBeGreaterThan(500);
  return kinds;
}

const started: { stop(): Promise<unknown> }[] = [];
const keep = <T extends { stop(): Promise<unknown> }>(one: T): T => {
  started.push(one);
  return one;
};
const places: string[] = [];
const newPlace = () => {
  const place = mkdtempSync(join(tmpdir(), 'sumac-proved-'));
  places.push(place);
  return place;
};
afterEach(async () => {
  for (const one of started.splice(0).reverse()) await one.stop();
  for (const place of places.splice(0)) rmSync(place, { recursive: true, force: true });
});

peerSuite('sumac serve with a journal, watched by spicy', ['spicy', 'Xvfb', 'xdotool'], () => {
  const watch = async (seamless: 'on' | 'off') => {
    const screen = keep(await startXvfb());
    const place = newPlace();
    const more = ['--journal', place, '--migrate-ms', '2000', '--seamless', seamless];
    const { source, target } = await startSumacPair({ password: 'secret', more });
    keep(source);
    keep(target);
    const viewer = keep(await startViewer(screen, source, { program: 'spicy' }));
    await viewer.waitForChannels(6);
    await viewer.key('a');
    return { source, target, viewer, place };
  };

  it.each([
    ['seamless', 'on', 'linked', SAID.seamlessLinked, 'completed', SAID.allMoved],
    ['semi-seamless', 'off', 'linked', SAID.semiSeamlessLinked, 'completed', SAID.allMoved],
    ['switch-host, after the target has refused', 'on', 'refused', SAID.linkFailed, 'completed', SAID.switchHost],
    ['cancelled', 'on', 'linked', SAID.seamlessLinked, 'cancelled', SAID.cancel],
    ['failed', 'off', 'linked', SAID.semiSeamlessLinked, 'failed', SAID.cancel],
  ] as const)('proves a hand-over: %s', async (_what, seamless, link, said, outcome, saidAtLast) => {
    const { source, target, viewer, place } = await watch(seamless);
    const since = viewer.mark();
    await linkClients(source, target, { link, until: () => viewer.waitForLog(said, { since }) });
    const uri = outcome === 'failed' ? { uri: `tcp:127.0.0.1:${await freePort()}` } : {};
    const move = await beginMove(source, target, uri);
    expect((await (outcome === 'cancelled' ? move.cancel() : move.finish())).outcome).toBe(outcome);
    await viewer.waitForLog(saidAtLast, { since });
    if (link === 'refused') await viewer.waitForChannels(6, since);
    await viewer.key('b');
    await new Promise((resolve) => setTimeout(resolve, 500));
    await source.stop();
    await target.stop();
    expect(await proved(place)).toEqual({ server: 2, session: 2 });
  });
});

peerSuite('our client with a journal, on two QEMUs', ['qemu-system-x86_64'], () => {
  it.each([
    ['seamless', true, 'linked', 'completed'],
    ['semi-seamless', false, 'linked', 'completed'],
    ['switch-host, after the target has refused', false, 'refused', 'completed'],
    ['cancelled', true, 'linked', 'cancelled'],
    ['failed', false, 'linked', 'failed'],
  ] as const)('proves a hand-over: %s', async (_what, seamless, link, outcome) => {
    const place = newPlace();
    const { source, target } = await startQemuPair({ password: 'secret', image: 'moving', seamless });
    keep(source);
    keep(target);
    const journals = await openJournal({ place });
    const client = openClient({
      uri: `spice://127.0.0.1:${source.spicePort}`,
      password: 'secret',
      journal: journals.journal(),
    });
    keep({ stop: async () => client.close() });
    await up(client, ['main:0', 'display:0', 'inputs:0', 'cursor:0', 'playback:0']);
    client.input.keyDown(0x1e);
    client.input.keyUp(0x9e);
    const linked = phase(client, link === 'refused' ? 'failed' : 'linked');
    await linkClients(source, target, { link, until: () => linked });
    const over = phase(client, outcome === 'completed' ? 'switched' : 'cancelled');
    const uri = outcome === 'failed' ? { uri: `tcp:127.0.0.1:${await freePort()}` } : {};
    const move = await beginMove(source, target, outcome === 'cancelled' ? { bandwidth: 4_096 } : uri);
    expect((await (outcome === 'cancelled' ? move.cancel() : move.finish())).outcome).toBe(outcome);
    await over;
    await new Promise((resolve) => setTimeout(resolve, 300));
    client.close();
    await journals.close();
    expect(await proved(place)).toEqual({ client: 1 });
  });
});
