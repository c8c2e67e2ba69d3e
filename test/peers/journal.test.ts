/** Journals against other people's programs: kept by a NATS cluster that loses a node. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { NatsStore } from '../../src/journal/nats.ts';
import { all, birthAt, Chunks, storeContract } from '../journal/contract.ts';
import { peerSuite } from '../support/peers/present.ts';
import { freePort, PeerProcess } from '../support/peers/process.ts';

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
