/** Servers that are killed, and started again with --resume: real processes, a real store, and a client that comes back. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { QmpClient } from '../../src/qmp/client.ts';
import { freePort, type PeerProcess } from '../support/peers/process.ts';
import { compile, endAll, program, sumac } from '../support/sumac-command.ts';

const run = promisify(execFile);

let folder: string;

beforeAll(compile, 120_000);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sumac-resume-'));
});
afterEach(async () => {
  await endAll();
  rmSync(folder, { recursive: true });
});

const at = (name: string) => join(folder, name);
const patience = { timeoutMs: 25_000 };

/** A server with a journal of its own, which is there when this resolves. */
async function serve(name: string, port: number, ...args: string[]): Promise<PeerProcess> {
  const own = [
    '--name',
    name,
    '--port',
    String(port),
    '--journal',
    at(`journal-${name}`),
    '--qmp',
    `unix:${at(`${name}.qmp`)}`,
  ];
  const started = sumac('serve', '--json', ...own, ...args);
  await started.waitForLine(/"event":"listening"/, { stream: 'out', ...patience });
  return started;
}

async function watch(port: number, ...args: string[]): Promise<PeerProcess> {
  const client = sumac('connect', `spice://127.0.0.1:${port}`, '--json', '--journal', at('journal-client'), ...args);
  await client.waitForLine(/"frame"/, patience);
  return client;
}

/** As `kill -9` does. */
const kill = (one: PeerProcess) => one.stop('SIGKILL');

const told = (one: PeerProcess, event: string): any[] =>
  one.lines.flatMap(({ stream, text }) => {
    if (stream !== 'out' || !text.startsWith('{')) return [];
    const line = JSON.parse(text);
    return line.event === event ? [line] : [];
  });

/** What every journal must be when all is over: proved, the records of both programs in it. */
async function prove(place: string): Promise<string> {
  const { stdout } = await run(process.execPath, [program, 'journal', 'verify', place]);
  expect(stdout).toMatch(/ 0 mismatches/);
  expect(stdout).not.toMatch(/[1-9]\d* mismatch/);
  return stdout;
}

async function listed(place: string): Promise<string> {
  const { stdout } = await run(process.execPath, [program, 'journal', 'ls', place]).catch(() => ({ stdout: '' }));
  return stdout;
}

const move = async (qmp: QmpClient, port: number, uri: string) => {
  await qmp.execute('client_migrate_info', { protocol: 'spice', hostname: '127.0.0.1', port });
  await qmp.execute('migrate', { uri });
};

describe('a server that is killed', () => {
  test('gives its client the session back, and its journal is one', async () => {
    const port = await freePort();
    const first = await serve('one', port, '--password', 'right');
    const client = await watch(port, '--password', 'right');
    const [{ connectionId }] = told(client, 'session');
    await kill(first);
    const second = await serve('one', port, '--password', 'right', '--resume');
    await client.waitForLine(/"phase":"back"/, patience);
    expect(told(client, 'reconnect').at(-1)).toMatchObject({ phase: 'back', returned: true });
    await client.waitUntil(() => told(client, 'frame').length > 1, 'a picture', 25_000);
    expect(told(client, 'session').map((one) => one.connectionId)).toEqual([connectionId, connectionId]);
    expect(told(second, 'log').map(({ line }) => line)).toContain('resumed: 1 session');
    const states = told(second, 'session').map(({ session, state }) => `${session} ${state}`);
    expect(states).toEqual(['session:1 waiting', 'session:1 back']);
    await client.stop('SIGINT');
    await second.waitForLine(/"state":"over"/, patience);
    await second.stop('SIGINT');
    expect((await prove(at('journal-one'))).trim().split('\n')).toHaveLength(2);
  }, 90_000);

  test('gives it to nobody without the password', async () => {
    const port = await freePort();
    const first = await serve('one', port, '--password', 'right');
    const client = await watch(port, '--password', 'right');
    await kill(first);
    const second = await serve('one', port, '--password', 'another', '--resume');
    expect(await client.exited).toEqual({ code: 1, signal: null });
    expect(told(second, 'session').map(({ state }) => state)).toEqual(['waiting']);
  }, 60_000);

  test('in the middle of a move keeps the session, and the client looks for the guest in both places', async () => {
    const [one, two, moving] = [await freePort(), await freePort(), await freePort()];
    const source = await serve('one', one, '--migrate-ms', '60000');
    const target = await serve('two', two, '--incoming', `tcp:127.0.0.1:${moving}`);
    const client = await watch(one);
    const [{ connectionId }] = told(client, 'session');
    const qmp = await QmpClient.connect({ path: at('one.qmp') });
    await move(qmp, two, `tcp:127.0.0.1:${moving}`);
    await client.waitForLine(/"phase":"linked"/, patience);
    qmp.close();
    await kill(source);
    // The source is not there, and may have lost the guest to the target: so it is looked for there.
    await client.waitForLine(/"phase":"switched"/, patience);
    const again = await serve('one', one, '--resume');
    expect(told(again, 'session')).toEqual([expect.objectContaining({ state: 'waiting', connectionId })]);
    // It goes back to where the guest is, with its old session, when the target is not there either.
    await kill(target);
    await client.waitForLine(/"phase":"waiting"/, patience);
    expect(client.alive).toBe(true);
    await client.stop('SIGINT');
    await again.stop('SIGINT');
    await prove(at('journal-one'));
  }, 90_000);

  test('while it waits for a guest is linked again, and the guest and its client come', async () => {
    const [one, two, moving] = [await freePort(), await freePort(), await freePort()];
    const source = await serve('one', one);
    const incoming = ['--incoming', `tcp:127.0.0.1:${moving}`];
    const target = await serve('two', two, ...incoming);
    const client = await watch(one);
    const qmp = await QmpClient.connect({ path: at('one.qmp') });
    await qmp.execute('client_migrate_info', { protocol: 'spice', hostname: '127.0.0.1', port: two });
    await client.waitForLine(/"phase":"linked"/, patience);
    await kill(target);
    const again = await serve('two', two, ...incoming, '--resume');
    await qmp.execute('migrate', { uri: `tcp:127.0.0.1:${moving}` });
    await client.waitForLine(/"phase":"switched"/, patience);
    qmp.close();
    expect([source.alive, again.alive, client.alive]).toEqual([true, true, true]);
    await again.waitUntil(() => told(again, 'initialized').length >= 6, 'every channel', 25_000);
    await client.stop('SIGINT');
  }, 90_000);
});

describe('a client that is killed', () => {
  test('asks for its session back where it was, and has it', async () => {
    const port = await freePort();
    const server = await serve('one', port, '--password', 'right');
    const first = await watch(port, '--password', 'right');
    const [{ connectionId }] = told(first, 'session');
    await kill(first);
    await server.waitForLine(/"state":"waiting"/, patience);
    // It goes where its journal says; nobody is at this address.
    const second = sumac(
      ...['connect', `spice://127.0.0.1:${await freePort()}`, '--json', '--password', 'right'],
      ...['--journal', at('journal-client'), '--resume'],
    );
    await second.waitForLine(/"frame"/, patience);
    expect(told(second, 'session').map((one) => one.connectionId)).toEqual([connectionId]);
    expect(told(second, 'reconnect').at(-1)).toMatchObject({ phase: 'back', returned: true });
    expect(told(server, 'session').map(({ state }) => state)).toEqual(['up', 'waiting', 'back']);
    await second.stop('SIGINT');
    expect((await prove(at('journal-client'))).trim().split('\n')).toHaveLength(1);
  }, 60_000);

  test('before it has a session goes on linking', async () => {
    const port = await freePort();
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(port, '127.0.0.1', resolve));
    const words = ['connect', `spice://127.0.0.1:${port}`, '--json', '--journal', at('journal-client')];
    const first = sumac(...words);
    await new Promise((resolve) => silent.once('connection', resolve));
    await expect.poll(() => listed(at('journal-client')), { timeout: 20_000 }).toMatch(/running/);
    await kill(first);
    silent.close();
    await serve('one', port);
    const second = sumac(...words, '--resume');
    await second.waitForLine(/"frame"/, patience);
    await second.stop('SIGINT');
    expect((await prove(at('journal-client'))).trim().split('\n')).toHaveLength(1);
  }, 60_000);

  test('and left nothing begins anew', async () => {
    const port = await freePort();
    await serve('one', port);
    const client = await watch(port, '--resume');
    expect(client.text()).toMatch(/there is nothing to resume/);
    await client.stop('SIGINT');
  }, 60_000);
});

describe('what cannot be resumed is told, and it serves all the same', () => {
  test.each([
    ['nothing', () => {}, /there is nothing to resume/],
    [
      'a journal of another program',
      () => {
        const place = at('journal-one');
        mkdirSync(place);
        writeFileSync(join(place, 'sumac-journal.mdb'), 'this is no journal at all'.repeat(1_000));
      },
      /is no journal/,
    ],
  ] as const)(
    '%s',
    async (_what, prepare, line) => {
      prepare();
      const port = await freePort();
      const server = await serve('one', port, '--resume');
      expect(server.text()).toMatch(line);
      expect(server.text()).not.toMatch(/\n\s+at /);
      const client = await watch(port);
      await client.stop('SIGINT');
    },
    60_000,
  );
});
