/** Servers and clients as people run them, when one of them is killed: who comes back, to what, and what they are told. */
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { QmpClient } from '../../src/qmp/client.ts';
import { freePort, type PeerProcess } from '../support/peers/process.ts';
import { startProxy } from '../support/proxy.ts';
import { compile, endAll, sumac } from '../support/sumac-command.ts';

const ended: (() => unknown)[] = [];

beforeAll(compile, 120_000);
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end();
  await endAll();
});

const serve = async (...args: string[]): Promise<PeerProcess> => {
  const started = sumac('serve', '--json', ...args);
  await started.waitForLine(/"event":"listening"/);
  return started;
};

const kill = async (one: PeerProcess): Promise<void> => {
  process.kill(one.pid!, 'SIGKILL');
  await one.exited;
};

/** A client that is up, and what it says, as objects. */
async function watch(port: number, ...args: string[]) {
  const client = sumac('connect', `spice://127.0.0.1:${port}`, '--json', ...args);
  await client.waitForLine(/"frame"/);
  await client.waitForLine(/"record:0","state":"up"/);
  const told = () => client.lines.flatMap(({ text }) => (text.startsWith('{') ? [JSON.parse(text)] : []));
  return { client, told };
}

describe('sumac connect', { timeout: 60_000 }, () => {
  test('has its session back when its connections were cut', async () => {
    const port = await freePort();
    const server = await serve('--port', String(port), '--password', 'right');
    const between = await startProxy(port);
    ended.push(() => between.close());
    const { client, told } = await watch(between.port, '--password', 'right');
    between.cut();
    await client.waitForLine(/"phase":"back"/);
    await server.waitForLine(/"state":"back"/);
    expect(told().find(({ phase }) => phase === 'waiting')).toMatchObject({ event: 'reconnect', try: 1, tries: 10 });
    expect(told().find(({ phase }) => phase === 'back')).toMatchObject({ returned: true });
    await client.waitUntil(() => told().filter(({ event }) => event === 'session').length === 2, 'the session again');
    const ids = told().flatMap(({ event, connectionId }) => (event === 'session' ? [connectionId] : []));
    expect(ids).toHaveLength(2);
    expect(ids[0]).toBe(ids[1]);
    const links = between.hellos.filter(({ channelType }) => channelType === 1);
    expect(links.map(({ connectionId }) => connectionId)).toEqual([0, ids[0]]);
  });

  test('finds a server again that was killed and started anew', async () => {
    const port = await freePort();
    const first = await serve('--port', String(port));
    const { client, told } = await watch(port);
    await kill(first);
    await client.waitForLine(/"phase":"waiting"/);
    await serve('--port', String(port));
    await client.waitForLine(/"phase":"back"/, { timeoutMs: 20_000 });
    await client.waitUntil(() => told().filter(({ event }) => event === 'session').length === 2, 'a second session');
    expect(told().find(({ phase }) => phase === 'session lost')).toMatchObject({ event: 'reconnect' });
    expect(told().find(({ phase }) => phase === 'back')).toMatchObject({ returned: false });
    expect(await client.stop('SIGINT')).toEqual({ code: 0, signal: null });
  });

  test('gives up when it is told how often to try, in words for people', async () => {
    const port = await freePort();
    const server = await serve('--port', String(port));
    const client = sumac('connect', `spice://127.0.0.1:${port}`, '--reconnect', '2');
    await client.waitForLine(/shows 640 × 480/);
    await kill(server);
    expect(await client.exited).toEqual({ code: 1, signal: null });
    const text = client.text();
    expect(text).toMatch(/connection lost: .*; try 1 of 2 in 0\.[5-9] s|in 1\.0 s/);
    expect(text).toMatch(/connection lost: .*; try 2 of 2 in [12]\.\d s/);
    expect(text).toMatch(/given up after 2 tries/);
    expect(text).toMatch(/the session has ended: /);
  });

  test('ends at once where it is to', async () => {
    const port = await freePort();
    const server = await serve('--port', String(port));
    const { client, told } = await watch(port, '--reconnect', 'off');
    const other = await watch(port);
    await kill(server);
    expect(await client.exited).toEqual({ code: 1, signal: null });
    expect(told().filter(({ event }) => event === 'reconnect')).toEqual([]);
    await other.client.waitForLine(/"phase":"waiting"/);
  });

  test('waits for a server that is not there yet, if it is asked to', async () => {
    const port = await freePort();
    const client = sumac('connect', `spice://127.0.0.1:${port}`, '--json', '--wait-for-server', '--until', 'frame');
    await client.waitForLine(/"phase":"waiting"/);
    await serve('--port', String(port));
    expect(await client.exited).toEqual({ code: 0, signal: null });
  });
});

// Between "linked" and the end of the move, the target dies and is started again.
describe('a hand-over whose target is killed after it was linked', { timeout: 60_000 }, () => {
  test.each(['seamless', 'semi-seamless'] as const)('goes through: %s', async (scheme) => {
    const [from, to, sourceQmp, incoming] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
    const schemes = `${scheme},switch-host`;
    await serve('--port', String(from), '--qmp', `tcp:127.0.0.1:${sourceQmp}`, '--schemes', schemes);
    const target = () => serve('--port', String(to), '--incoming', `tcp:127.0.0.1:${incoming}`, '--schemes', schemes);
    const first = await target();
    const { client, told } = await watch(from);
    const [before] = told().flatMap(({ event, connectionId }) => (event === 'session' ? [connectionId] : []));
    const qmp = await QmpClient.connect({ host: '127.0.0.1', port: sourceQmp });
    ended.push(() => qmp.close());
    await qmp.execute('client_migrate_info', { protocol: 'spice', hostname: '127.0.0.1', port: to });
    await client.waitForLine(/"phase":"linked"/);
    await kill(first);
    await client.waitForLine(/"phase":"relinking"/);
    const second = await target();
    await client.waitUntil(() => told().filter(({ phase }) => phase === 'linked').length === 2, 'linked again');
    await qmp.execute('migrate', { uri: `tcp:127.0.0.1:${incoming}` });
    await client.waitForLine(/"phase":"switched"/);
    await second.waitForLine(/"event":"arrived"/);
    const phases = told().flatMap(({ event, phase }) => (event === 'handover' ? [phase] : []));
    expect(phases).toEqual(['begun', 'linked', 'relinking', 'linked', 'switched']);
    expect(told().findLast(({ event }) => event === 'handover')).toMatchObject({ scheme, to: `127.0.0.1:${to}` });
    // The same session, at the target that was started last.
    expect(second.text()).toContain(`"connectionId":${before}`);
    expect(await client.stop('SIGINT')).toEqual({ code: 0, signal: null });
  });
});
