/** A guest's move between two machines over real sockets: to the end, given up, and spoilt in every way. */
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { UsageError } from '../../src/errors.ts';
import { parseAddress } from '../../src/qmp/address.ts';
import { maxLine } from '../../src/qmp/move-line.ts';
import { createQmpServer } from '../../src/qmp/server.ts';
import { tone } from '../../src/sources/tone.ts';
import { createTestConsole } from '../sources/test-console.ts';
import { beginMove, liveMigrate, type MigrationHost } from '../support/peers/live-migrate.ts';
import { QmpPeer } from '../support/peers/qmp-peer.ts';
import { type Host, startHost, until } from './hosts.ts';

/** What a test has opened, newest last; closed in the opposite order even when the test fails. */
const opened: (() => unknown)[] = [];
const keep = <T extends Host>(host: T): T => {
  opened.push(() => host.close());
  return host;
};
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sumac-move-'));
});
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
  await rm(folder, { recursive: true, force: true });
});

const anywhere = 'tcp:127.0.0.1:0';

async function pair(options: Parameters<typeof startHost>[0] = {}, incoming = anywhere) {
  const source = keep(await startHost({ name: 'source', ...options }));
  const target = keep(await startHost({ name: 'target', ...options, incoming }));
  return { source, target, uri: target.machine.incoming! };
}

const ended = (host: Host) => host.said().some((line) => /MIGRATION (completed|failed|cancelled)/.test(line));

/** A host of no good: what it does with a source's connection is the test's. */
async function falseTarget(treat: (socket: Socket) => void): Promise<string> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => {});
    opened.push(() => socket.destroy());
    treat(socket);
  });
  opened.push(() => new Promise((resolve) => server.close(resolve)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `tcp:127.0.0.1:${(server.address() as { port: number }).port}`;
}

/** A false source: connects and says this, and keeps what it hears. */
function falseSource(
  uri: string,
  text: string | Uint8Array,
): { heard: () => string; closed: () => boolean; socket: Socket } {
  const socket = connect({ ...parseAddress(uri) }, () => socket.write(text));
  let [heard, closed] = ['', false];
  socket.setEncoding('utf8').on('data', (more) => {
    heard += String(more);
  });
  socket
    .on('error', () => {})
    .on('close', () => {
      closed = true;
    });
  opened.push(() => socket.destroy());
  return { heard: () => heard, closed: () => closed, socket };
}

const magic = 'SUMAC-MOVE 1\n';
const line = (frame: object) => `${JSON.stringify(frame)}\n`;
const hello = magic + line({ type: 'hello', name: 'x' });

describe('a guest that moves', () => {
  test.each([
    ['over TCP', false],
    ['over a unix socket', true],
  ])('%s runs on where it was', async (_, unix) => {
    const { source, target, uri } = await pair({}, unix ? `unix:${join(folder, 'm')}` : anywhere);
    expect([source.machine.runState, target.machine.runState]).toEqual(['running', 'inmigrate']);
    expect(target.card.running).toBe(false);
    const [heardAtSource, heardAtTarget] = [createTestConsole(), createTestConsole()];
    source.card.plug(heardAtSource);
    target.card.plug(heardAtTarget);
    const first = source.card.state.samplePosition;
    heardAtSource.input.next({ type: 'key', code: 0x1e, down: true });
    source.machine.migrate(uri);
    await until(() => ended(source));
    expect(source.said()).toEqual([
      'MIGRATION setup',
      'MIGRATION active',
      'STOP',
      'MIGRATION completed',
      'SPICE_MIGRATE_COMPLETED',
    ]);
    expect(target.said()).toEqual(['MIGRATION active', 'RESUME', 'MIGRATION completed']);
    expect(source.spice.told).toEqual(['migrate_start', 'migrate_end true']);
    expect(target.spice.told).toEqual(['guest_arrived']);
    expect([source.machine.runState, target.machine.runState]).toEqual(['postmigrate', 'running']);
    expect([source.machine.migrated, target.machine.migrated]).toEqual([true, false]);
    expect([source.card.running, target.card.running]).toEqual([false, true]);
    const left = source.card.state;
    await until(() => target.card.state.ticks > left.ticks + 2);
    target.machine.stop();
    expect(target.card.state).toMatchObject({ keys: [0x1e], name: 'target' });
    // The tone has no seam: what was heard here and there is one wave.
    const sound = [...heardAtSource.sound, ...heardAtTarget.sound];
    const { samplePosition } = target.card.state;
    expect(sound).toEqual([...tone(first, samplePosition - first)]);
    const { status, totalTime, setupTime, downtime } = source.machine.migration();
    expect(status).toBe('completed');
    expect(totalTime).toBeGreaterThanOrEqual(30);
    expect(setupTime).toBeLessThan(totalTime!);
    expect(downtime).toBeLessThan(2_000);
    expect(target.machine.migration()).toEqual({ status: 'completed' });
    expect(target.machine.incoming).toBeUndefined();
  });

  test('runs on at the source until the last moment', async () => {
    const { source, uri } = await pair({ moveMs: 300 });
    source.machine.migrate(uri);
    await until(() => source.said().includes('MIGRATION active'));
    const { ticks } = source.card.state;
    await until(() => source.said().includes('STOP'));
    expect(source.card.state.ticks).toBeGreaterThan(ticks + 3);
    await until(() => ended(source));
  });

  test('there and back again, ten times', async () => {
    const sockets = () => process.getActiveResourcesInfo().filter((one) => one.startsWith('TCP')).length;
    const before = sockets();
    const { source, target } = await pair({ moveMs: 1 });
    let [from, to] = [source, target];
    for (let i = 0; i < 10; i++) {
      from.machine.migrate(to.machine.incoming!);
      await until(() => ended(from));
      expect(from.said().at(-1)).toBe('SPICE_MIGRATE_COMPLETED');
      from.notices.length = 0;
      await from.machine.awaitGuest(anywhere);
      expect(from.machine.runState).toBe('inmigrate');
      expect(from.machine.migration()).toEqual({ status: 'none' });
      [from, to] = [to, from];
      from.notices.length = 0;
    }
    expect(source.card.running).toBe(true);
    expect(source.spice.told.filter((told) => told === 'guest_arrived')).toHaveLength(5);
    // One of them listens for the next; nothing else is left open.
    await until(() => sockets() === before + 1);
  });

  test('that stands arrives standing, and nobody is told that it stopped', async () => {
    const { source, target, uri } = await pair();
    source.machine.stop();
    source.notices.length = 0;
    source.machine.migrate(uri);
    await until(() => ended(source));
    expect(source.said()).not.toContain('STOP');
    expect(target.said()).toEqual(['MIGRATION active', 'MIGRATION completed']);
    expect([target.machine.runState, target.card.running]).toEqual(['paused', false]);
    expect(target.spice.told).toEqual(['guest_arrived']);
    target.machine.cont();
    expect(target.card.running).toBe(true);
  });

  test('to a target that was told to stop stands there', async () => {
    const { source, target, uri } = await pair();
    target.machine.stop();
    target.machine.cont();
    target.machine.stop();
    expect(target.machine.runState).toBe('inmigrate');
    source.machine.migrate(uri);
    await until(() => ended(source));
    expect([target.machine.runState, target.card.running]).toEqual(['paused', false]);
  });

  test('takes as long as the bandwidth lets it', async () => {
    const { source, uri } = await pair({ moveMs: 200 });
    source.machine.setBandwidth(3_000);
    source.machine.migrate(uri);
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(source.machine.migration().status).toBe('active');
    source.machine.setBandwidth(0);
    await until(() => ended(source));
    expect(source.machine.migration().status).toBe('completed');
  });

  test('can run again where it was, if its hypervisor says so', async () => {
    const { source, uri } = await pair({ moveMs: 0 });
    source.machine.migrate(uri);
    await until(() => ended(source));
    expect(() => source.machine.migrate(uri)).toThrow("Can't migrate the vm that was paused due to previous migration");
    source.machine.cont();
    expect([source.machine.runState, source.card.running]).toEqual(['running', true]);
    // Clients that come now are let in, and not sent after it.
    expect(source.spice.told).toEqual(['migrate_start', 'migrate_end true', 'guest_arrived']);
  });
});

describe('a move that is given up', () => {
  test('while it runs', async () => {
    const { source, target, uri } = await pair({ moveMs: 60_000 });
    source.machine.migrate(uri);
    await until(() => [source, target].every((host) => host.said().includes('MIGRATION active')));
    source.machine.cancel();
    expect(source.said()).toEqual([
      'MIGRATION setup',
      'MIGRATION active',
      'MIGRATION cancelling',
      'MIGRATION cancelled',
    ]);
    expect(source.spice.told).toEqual(['migrate_start', 'migrate_end false']);
    expect([source.machine.runState, source.card.running]).toEqual(['running', true]);
    await until(() => ended(target));
    expect(target.said()).toEqual(['MIGRATION active', 'MIGRATION failed']);
    expect([target.machine.runState, target.card.running]).toEqual(['inmigrate', false]);
    expect(target.spice.told).toEqual(['guest_lost']);
    source.machine.cancel();
    expect(source.said()).toHaveLength(4);
  });

  test('at once, and tried again', async () => {
    const { source, target, uri } = await pair();
    source.machine.migrate(uri);
    source.machine.cancel();
    expect(source.said()).toEqual(['MIGRATION setup', 'MIGRATION cancelling', 'MIGRATION cancelled']);
    source.machine.migrate(uri);
    await until(() => source.said().includes('MIGRATION completed'));
    expect([source.machine.runState, target.machine.runState]).toEqual(['postmigrate', 'running']);
  });

  test('when the guest stands already: it runs on', async () => {
    // This target takes the guest and never says that it could run it.
    const uri = await falseTarget((socket) => socket.write(magic + line({ type: 'welcome', name: 'x' })));
    const source = keep(await startHost({ moveMs: 0 }));
    source.machine.migrate(uri);
    await until(() => source.said().includes('STOP'));
    expect([source.machine.runState, source.card.running]).toEqual(['finish-migrate', false]);
    source.machine.cont();
    expect(source.card.running).toBe(false);
    source.machine.cancel();
    expect(source.said().slice(-3)).toEqual(['MIGRATION cancelling', 'MIGRATION cancelled', 'RESUME']);
    expect([source.machine.runState, source.card.running]).toEqual(['running', true]);
  });

  test('too late, when the guest is the target’s: it goes on', async () => {
    let gone = false;
    const uri = await falseTarget((socket) => {
      socket.write(magic + line({ type: 'welcome', name: 'x' }));
      socket.setEncoding('utf8').on('data', (text) => {
        if (String(text).includes('"stopped"')) socket.write(line({ type: 'loaded' }));
        if (String(text).includes('"go"')) {
          gone = true;
          setTimeout(() => socket.write(line({ type: 'running' })), 50);
        }
      });
    });
    const source = keep(await startHost({ moveMs: 0 }));
    source.machine.migrate(uri);
    await until(() => gone);
    source.machine.cancel();
    await until(() => ended(source));
    expect(source.machine.migration().status).toBe('completed');
    expect(source.card.running).toBe(false);
  });

  test('by closing the machine', async () => {
    const { source, target, uri } = await pair({ moveMs: 60_000 });
    source.machine.migrate(uri);
    await until(() => target.said().includes('MIGRATION active'));
    await source.close();
    await until(() => target.said().includes('MIGRATION failed'));
    expect(source.card.running).toBe(false);
  });
});

describe('a target that was told to run the guest, and is not heard of any more', () => {
  /** A guest that may run there runs nowhere else by itself. */
  test.each([
    ['dies', (socket: Socket) => socket.destroy(), /closed the connection|broke/],
    ['stays silent', () => {}, /did not run the guest within 100 ms/],
    ['says nothing of sense', (socket: Socket) => socket.write('{"type":"x"}\n'), /no part of a move/],
  ])('because it %s: the guest is the target’s', async (_, treat, reason) => {
    const uri = await falseTarget((socket) => {
      socket.write(magic + line({ type: 'welcome', name: 'x' }));
      socket.setEncoding('utf8').on('data', (text) => {
        if (String(text).includes('"stopped"')) socket.write(line({ type: 'loaded' }));
        if (String(text).includes('"go"')) treat(socket);
      });
    });
    const source = keep(await startHost({ patience: 100 }));
    source.machine.migrate(uri);
    await until(() => ended(source));
    expect(source.said()).not.toContain('RESUME');
    expect(source.machine.migration()).toMatchObject({ status: 'completed', reason: expect.stringMatching(reason) });
    expect([source.machine.runState, source.card.running]).toEqual(['postmigrate', false]);
    expect(source.spice.told).toEqual(['migrate_start', 'migrate_end true']);
    source.machine.cont();
    expect([source.machine.runState, source.card.running]).toEqual(['running', true]);
    expect(source.spice.told.at(-1)).toBe('guest_arrived');
  });
});

describe('a move that fails', () => {
  /** The source is as it was, and says why. */
  async function failsWith(source: Host, reason: RegExp): Promise<void> {
    await until(() => ended(source));
    expect(
      source
        .said()
        .filter((told) => told !== 'STOP' && told !== 'RESUME')
        .at(-1),
    ).toBe('MIGRATION failed');
    expect(source.machine.migration().reason).toMatch(reason);
    expect(source.spice.told).toEqual(['migrate_start', 'migrate_end false']);
    await until(() => source.card.running);
    expect(source.machine.runState).toBe('running');
  }

  test('where nobody listens', async () => {
    const { source, target, uri } = await pair();
    await target.close();
    source.machine.migrate(uri);
    await failsWith(source, /^Failed to connect to '127\.0\.0\.1:\d+': Connection refused$/);
  });

  test('to a target that accepts and stays silent', async () => {
    const source = keep(await startHost({ patience: 100 }));
    source.machine.migrate(await falseTarget(() => {}));
    await failsWith(source, /said nothing for 100 ms/);
    expect(source.said()).toEqual(['MIGRATION setup', 'MIGRATION failed']);
  });

  test.each([
    ['closes at once', (socket: Socket) => socket.end(), /closed the connection|broke/],
    [
      'speaks another protocol',
      (socket: Socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'),
      /another protocol/,
    ],
    ['speaks another version', (socket: Socket) => socket.write('SUMAC-MOVE 2\n'), /version 2, this one version 1/],
    ['says no', (socket: Socket) => socket.write(magic + line({ type: 'refused', reason: 'full' })), /refuses: full/],
    ['says what it may not', (socket: Socket) => socket.write(magic + line({ type: 'running' })), /not its turn/],
    ['says nothing of sense', (socket: Socket) => socket.write(`${magic}{"type":"x"}\n`), /no part of a move/],
    ['sends a line without end', (socket: Socket) => socket.write('x'.repeat(maxLine + 2)), /a line of more than/],
    [
      'is welcoming and then closes',
      (socket: Socket) => socket.end(magic + line({ type: 'welcome', name: 'x' })),
      /closed|broke/,
    ],
  ])('to a target that %s', async (_, treat, reason) => {
    const source = keep(await startHost({ patience: 2_000, moveMs: 500 }));
    source.machine.migrate(await falseTarget(treat));
    await failsWith(source, reason);
  });

  test('to a target that dies when the guest stands', async () => {
    const uri = await falseTarget((socket) => {
      socket.write(magic + line({ type: 'welcome', name: 'x' }));
      socket.setEncoding('utf8').on('data', (text) => {
        if (String(text).includes('"stopped"')) socket.destroy();
      });
    });
    const source = keep(await startHost());
    source.machine.migrate(uri);
    await failsWith(source, /closed the connection|broke/);
    expect(source.said()).toContain('STOP');
    expect(source.said()).toContain('RESUME');
  });

  test('to a target that never says that it could run the guest', async () => {
    const uri = await falseTarget((socket) => socket.write(magic + line({ type: 'welcome', name: 'x' })));
    const source = keep(await startHost({ patience: 100 }));
    source.machine.migrate(uri);
    await failsWith(source, /did not load the guest within 100 ms/);
  });

  test('to a target that cannot load such a guest, and can load the next', async () => {
    const target = keep(await startHost({ incoming: anywhere }));
    const strange = { run: () => {}, stop: () => {}, save: () => ({ version: 2 }), load: () => {} };
    const source = keep(await startHost({ guest: strange }));
    source.machine.migrate(target.machine.incoming!);
    await until(() => ended(source));
    expect(source.machine.migration().reason).toMatch(/^The target refuses: Not a guest's state: version/);
    await until(() => target.said().includes('MIGRATION failed'));
    const next = keep(await startHost());
    next.machine.migrate(target.machine.incoming!);
    await until(() => ended(next));
    expect(target.card.running).toBe(true);
  });

  test('is followed by one that does not', async () => {
    const { source, target, uri } = await pair();
    source.machine.migrate(await falseTarget((socket) => socket.end()));
    await until(() => ended(source));
    source.notices.length = 0;
    source.machine.migrate(uri);
    await until(() => ended(source));
    expect(source.machine.migration()).toMatchObject({ status: 'completed' });
    expect(source.machine.migration().reason).toBeUndefined();
    expect(target.card.running).toBe(true);
  });

  test('does not begin when it cannot', async () => {
    const { source, target, uri } = await pair({ moveMs: 60_000 });
    expect(() => target.machine.migrate(uri)).toThrow(new UsageError('Guest is waiting for an incoming migration'));
    expect(() => source.machine.migrate('exec:ls')).toThrow(UsageError);
    source.machine.migrate(uri);
    expect(() => source.machine.migrate(uri)).toThrow(new UsageError("There's a migration process in progress"));
    await expect(source.machine.awaitGuest(anywhere)).rejects.toThrow(UsageError);
    source.machine.cancel();
    await expect(source.machine.awaitGuest(anywhere)).rejects.toThrow('A guest runs here already');
  });

  test('leaves a SPICE server’s faults in the log', async () => {
    const log: string[] = [];
    const { source, uri } = await pair({ log: (text) => log.push(text) });
    source.spice.objection = new Error('no target');
    source.machine.migrate(uri);
    await until(() => ended(source));
    expect(log).toEqual(['migrate_start: no target']);
    expect(source.machine.migration().status).toBe('completed');
  });
});

describe('a target', () => {
  /** It still takes a guest. */
  async function stillWorks(target: Host): Promise<void> {
    expect([target.machine.runState, target.card.running]).toEqual(['inmigrate', false]);
    const source = keep(await startHost({ moveMs: 0 }));
    source.machine.migrate(target.machine.incoming!);
    await until(() => ended(source));
    expect(source.machine.migration().status).toBe('completed');
    expect(target.card.running).toBe(true);
  }

  test.each([
    ['nothing but noise', Uint8Array.from({ length: 3_000 }, (_, i) => (i * 7919) & 0xff), 'SUMAC-MOVE 1'],
    ['another protocol', 'GET / HTTP/1.1\r\n\r\n', '"refused"'],
    ['another version', 'SUMAC-MOVE 99\n', 'This host speaks SUMAC-MOVE 1'],
    ['a line without end', 'x'.repeat(maxLine * 2), 'SUMAC-MOVE 1'],
    ['no JSON', `${magic}hello\n`, 'SUMAC-MOVE 1'],
    ['brackets', `${magic}${'['.repeat(500_000)}\n`, 'SUMAC-MOVE 1'],
    ['a frame too many', `${hello}${line({ type: 'hello', name: 'y' })}`, "'hello' was not expected"],
    ['a name without end', magic + line({ type: 'hello', name: 'x'.repeat(2_000) }), 'SUMAC-MOVE 1'],
    ['a state before hello', magic + line({ type: 'state', state: {} }), "'state' was not expected"],
    ['go before the guest', hello + line({ type: 'go' }), "'go' was not expected"],
    ['a guest of nothing', hello + line({ type: 'stopped', state: null, running: true }), "Not a guest's state"],
    [
      'a deep guest',
      `${hello}{"type":"stopped","running":true,"state":${'['.repeat(9_000)}${']'.repeat(9_000)}}\n`,
      "Not a guest's",
    ],
    ['its end', hello + line({ type: 'refused', reason: 'changed my mind' }), 'welcome'],
  ])('outlives a source that says %s', async (_, text, answer) => {
    const target = keep(await startHost({ incoming: anywhere }));
    const source = falseSource(target.machine.incoming!, text);
    await until(() => source.closed());
    expect(source.heard()).toContain(answer);
    await stillWorks(target);
  });

  test('gives up a source that says nothing, at whatever point', async () => {
    const target = keep(await startHost({ incoming: anywhere, patience: 100 }));
    const uri = target.machine.incoming!;
    const loaded = line({ type: 'stopped', state: target.card.save(), running: true });
    for (const text of ['', 'SUMAC', magic, hello, hello + line({ type: 'state', state: {} }), hello + loaded]) {
      const source = falseSource(uri, text);
      await until(() => source.closed(), JSON.stringify(text));
    }
    expect(target.said().filter((told) => told === 'MIGRATION failed')).toHaveLength(3);
    await stillWorks(target);
  });

  test('never runs a guest that its source did not let go', async () => {
    const target = keep(await startHost({ incoming: anywhere }));
    const state = { ...target.card.save(), ticks: 5_000 };
    const source = falseSource(target.machine.incoming!, hello + line({ type: 'stopped', state, running: true }));
    await until(() => source.heard().includes('loaded'));
    expect([target.card.running, target.card.state.ticks]).toEqual([false, 5_000]);
    source.socket.destroy();
    await until(() => target.said().includes('MIGRATION failed'));
    expect(target.spice.told).toEqual(['guest_lost']);
    await stillWorks(target);
  });

  test('hears one source at a time', async () => {
    const { source, target, uri } = await pair({ moveMs: 60_000 });
    source.machine.migrate(uri);
    await until(() => target.said().includes('MIGRATION active'));
    const second = keep(await startHost());
    second.machine.migrate(uri);
    await until(() => ended(second));
    expect(second.machine.migration().reason).toBe('The target refuses: another host is moving a guest here');
    source.machine.setBandwidth(0);
    await until(() => ended(source));
    expect(target.card.running).toBe(true);
  });

  test('has a place of its own, or says that it cannot', async () => {
    const target = keep(await startHost({ incoming: anywhere }));
    await expect(startHost({ incoming: target.machine.incoming! })).rejects.toThrow(UsageError);
    await expect(startHost({ incoming: 'nowhere' })).rejects.toThrow(UsageError);
    const again = await target.machine.awaitGuest(target.machine.incoming!);
    expect(again).toBe(target.machine.incoming);
    await stillWorks(target);
  });
});

describe('the script that drives QEMU', () => {
  async function migrationHost(host: Host): Promise<MigrationHost> {
    const server = await createQmpServer({
      listen: { path: join(folder, `${host.machine.name}.qmp`) },
      machine: host.machine,
    });
    const peer = await QmpPeer.connect(server.address);
    opened.push(
      () => server.close(),
      () => peer.close(),
    );
    return {
      name: host.machine.name,
      peer,
      host: '127.0.0.1',
      spicePort: 5900,
      tlsPort: undefined,
      certSubject: undefined,
      password: 'secret',
      migrateUri: host.machine.incoming ?? 'tcp:nowhere:1',
    };
  }

  test('moves a Sumac’s guest', async () => {
    const pairOfHosts = await pair();
    const [source, target] = [await migrationHost(pairOfHosts.source), await migrationHost(pairOfHosts.target)];
    expect(await target.peer.execute('query-status')).toMatchObject({ status: 'inmigrate', running: false });
    expect(await target.peer.execute('query-migrate')).toEqual({
      'socket-address': [{ type: 'inet', host: '127.0.0.1', port: target.migrateUri.split(':')[2] }],
    });
    const report = await liveMigrate(source, target, { link: 'nothing' });
    expect(report.outcome).toBe('completed');
    expect(report.stoppedAt).toBeLessThanOrEqual(report.endedAt);
    expect(report.spiceDoneAt).toBeGreaterThanOrEqual(report.endedAt);
    expect(pairOfHosts.source.spice.told[0]).toBe('migrate_connect {"host":"127.0.0.1","port":5900}');
    expect(pairOfHosts.target.spice.told[0]).toBe('password secret keep');
    expect(await source.peer.execute('query-status')).toMatchObject({ status: 'postmigrate', running: false });
    expect(await target.peer.execute('query-status')).toMatchObject({ status: 'running', running: true });
    expect(await source.peer.execute('query-spice')).toMatchObject({ migrated: true });
    expect(await source.peer.execute('query-migrate')).toMatchObject({ status: 'completed' });
    expect(await target.peer.execute('query-migrate')).toEqual({ status: 'completed' });
  });

  test('cancels and hurries it', async () => {
    const pairOfHosts = await pair();
    const [source, target] = [await migrationHost(pairOfHosts.source), await migrationHost(pairOfHosts.target)];
    const held = await beginMove(source, target, { bandwidth: 3_000 });
    expect((await held.cancel()).outcome).toBe('cancelled');
    expect(await source.peer.execute('query-migrate')).toMatchObject({ status: 'cancelled' });
    const again = await beginMove(source, target, { bandwidth: 3_000 });
    await again.hurry();
    expect((await again.finish()).outcome).toBe('completed');
  });

  test('sees one fail', async () => {
    const pairOfHosts = await pair();
    const [source, target] = [await migrationHost(pairOfHosts.source), await migrationHost(pairOfHosts.target)];
    const report = await liveMigrate(source, target, { link: 'nothing', uri: `unix:${join(folder, 'nobody')}` });
    expect(report.outcome).toBe('failed');
    expect(report.error).toMatch(/^Failed to connect to '.*nobody': No such file or directory$/);
  });
});
