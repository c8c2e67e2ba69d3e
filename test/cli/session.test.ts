/**
 * The verbs against each other, within this process: what `connect` and `screenshot` tell and write of a server that `serve`
 * or the host behind it runs.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createTestCardHost, type TestCardHost, type TestCardHostOptions } from '../../src/cli/test-card-host.ts';
import { QmpClient } from '../../src/qmp/client.ts';
import { readTestCard } from '../../src/sources/read-test-card.ts';
import { readWav, writeWav } from '../../src/sources/wav.ts';
import { type Captured, finish, firstChannel, type Running, readPng, rgbOf, shareOfPitch, start } from './captured.ts';

const certs = new URL('../support/certs/', import.meta.url).pathname;
const all = ['cursor:0', 'display:0', 'inputs:0', 'main:0', 'playback:0', 'record:0'];

let folder: string;
const closing: (() => unknown)[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sumac-cli-'));
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  rmSync(folder, { recursive: true });
});

const at = (name: string) => join(folder, name);

async function host(options: TestCardHostOptions = {}): Promise<TestCardHost & { uri: string }> {
  const made = await createTestCardHost({ port: 0, ...options });
  closing.push(() => made.close());
  return { ...made, uri: `spice://127.0.0.1:${made.server.addresses.port}` };
}

/** Starts `serve` and waits until it listens. */
async function serve(...args: string[]): Promise<Running & { listening: any }> {
  const running = start(['serve', '--json', ...args]);
  closing.push(async () => {
    running.terminal.interrupt();
    expect(await running.code).toBe(0);
  });
  const listening = await running.terminal.event(({ event }) => event === 'listening');
  return { ...running, listening };
}

const upChannels = (terminal: Captured) =>
  terminal.events
    .flatMap(({ event, state, channel }) => (event === 'channel' && state === 'up' ? [channel] : []))
    .sort();

describe('connect', () => {
  test('tells each channel, the session, the picture and the end, a line of JSON each', async () => {
    const { uri } = await host();
    const { code, terminal } = start(['connect', uri, '--json', '--for', '1s']);
    expect(await code).toBe(0);
    expect(upChannels(terminal)).toEqual(all);
    const { events } = terminal;
    expect(events[0]).toEqual({ at: expect.any(Number), event: 'channel', channel: 'main:0', state: 'up' });
    expect(events).toContainEqual({
      at: expect.any(Number),
      event: 'frame',
      channel: 'display:0',
      width: 640,
      height: 480,
    });
    expect(events.at(-1)).toEqual({ at: expect.any(Number), event: 'closed', reason: 'closed by this program' });
    expect(events.at(-1).at).toBeGreaterThan(990);
    expect(events.map(({ at }) => at)).toEqual(events.map(({ at }) => at).sort((a, b) => a - b));
    expect(terminal.errors).toEqual([]);
  });

  test('ends with the first picture, and has only the channels that it was to have', async () => {
    const { uri } = await host();
    const { code, terminal } = await finish([
      'connect',
      uri,
      '--json',
      '--until',
      'frame',
      '--channels',
      'main,display',
    ]);
    expect(code).toBe(0);
    expect(upChannels(terminal)).toEqual(['display:0', 'main:0']);
  });

  test('speaks in sentences to people', async () => {
    const { uri } = await host();
    const { terminal } = await finish(['connect', uri, '--until', 'frame']);
    expect(terminal.lines.join('\n')).toMatch(/\d\.\d{3} s {2}main:0 is up\n[\s\S]*display:0 shows 640 × 480/);
  });

  test('follows a hand-over that QMP has the server make, and takes a picture there', async () => {
    const target = await serve('--port', '0', '--name', 'target', '--incoming', 'tcp:127.0.0.1:0');
    const source = await serve('--port', '0', '--name', 'source', '--qmp', `unix:${at('qmp')}`, '--migrate-ms', '100');
    const [from, to] = [source.listening.port, target.listening.port];
    const client = start([
      'connect',
      `spice://127.0.0.1:${from}`,
      ...['--json', '--until', 'handover', '--screenshot', at('after.png'), '--record', at('after.wav')],
    ]);
    await client.terminal.event(({ channel, state }) => channel === 'record:0' && state === 'up');

    const qmp = await QmpClient.connect({ path: at('qmp') });
    closing.push(() => qmp.close());
    await qmp.execute('client_migrate_info', { protocol: 'spice', hostname: '127.0.0.1', port: to });
    await qmp.execute('migrate', { uri: target.listening.incoming });

    expect(await client.code).toBe(0);
    const phases = client.terminal.events.filter(({ event }) => event === 'handover');
    expect(phases.map(({ phase }) => phase)).toEqual(['begun', 'linked', 'switched']);
    for (const one of phases) {
      expect(one).toMatchObject({ scheme: 'seamless', from: `127.0.0.1:${from}`, to: `127.0.0.1:${to}` });
      expect([...one.channels].sort()).toEqual(all);
    }
    const { gapMs, gaps } = phases.at(-1);
    expect(gapMs).toBeLessThan(1_000);
    expect(Object.keys(gaps)).toEqual(expect.arrayContaining(['main:0', 'display:0']));
    const { width, height, rgb } = readPng(readFileSync(at('after.png')));
    const color = (x: number, y: number) => {
      const i = (y * width + x) * 3;
      return (rgb[i]! << 16) | (rgb[i + 1]! << 8) | rgb[i + 2]!;
    };
    expect(readTestCard(width, height, color)!.ticks).toBeGreaterThan(2);
    expect(readWav(readFileSync(at('after.wav'))).samples.length).toBeGreaterThan(0);
    expect(target.terminal.events).toContainEqual(expect.objectContaining({ event: 'arrived', scheme: 'seamless' }));
    expect(source.terminal.events).toContainEqual(expect.objectContaining({ event: 'migration', status: 'completed' }));
  });

  test('has no hand-over where none comes', async () => {
    const { uri } = await host();
    const { code, terminal } = await finish(['connect', uri, '--until', 'handover', '--for', '300ms']);
    expect(code).toBe(1);
    expect(terminal.errors).toEqual([`sumac: ${uri}: a hand-over was not reached`]);
  });

  test.each([
    ['as samples', ['--raw-sound'], 0],
    // A codec takes some milliseconds to find its way in.
    ['through Opus', [], 2_400],
  ] as const)('records the tone that the guest plays: %s', async (_, flags, settling) => {
    const { uri } = await host();
    expect((await finish(['connect', uri, '--for', '1200ms', '--record', at('tone.wav'), ...flags])).code).toBe(0);
    const { channels, frequency, samples } = readWav(readFileSync(at('tone.wav')));
    expect([channels, frequency]).toEqual([2, 48_000]);
    const heard = firstChannel(samples, 2).subarray(settling, settling + 24_000);
    expect(heard).toHaveLength(24_000);
    expect(shareOfPitch(heard, frequency, 440)).toBeGreaterThan(0.99);
    expect(shareOfPitch(heard, frequency, 445)).toBeLessThan(0.5);
  });

  test('says a sound into the microphone, and the guest hears it', async () => {
    const { uri, server, card } = await host();
    const frequency = 16_000;
    const samples = Int16Array.from({ length: frequency / 2 }, (_, i) =>
      Math.round(9_000 * Math.sin((2 * Math.PI * 1_000 * i) / frequency)),
    );
    writeFileSync(at('say.wav'), writeWav({ channels: 1, frequency, samples }));
    const heard: number[] = [];
    server.record.heard.subscribe((pcm) => heard.push(...pcm));
    expect((await finish(['connect', uri, '--for', '3s', '--play', at('say.wav')])).code).toBe(0);
    const left = firstChannel(Int16Array.from(heard), 2);
    expect(left.length / 48_000).toBeCloseTo(0.5, 1);
    expect(shareOfPitch(left, 48_000, 1_000)).toBeGreaterThan(0.98);
    expect(card.state.heard.samples).toBe(left.length);
  });

  test('is interrupted without a fault, and still writes what it has', async () => {
    const { uri } = await host();
    const { code, terminal } = start(['connect', uri, '--json', '--screenshot', at('a.png'), '--record', at('a.wav')]);
    await terminal.event(({ event }) => event === 'frame');
    terminal.interrupt();
    expect(await code).toBe(0);
    expect(terminal.errors).toEqual([]);
    expect(readPng(readFileSync(at('a.png'))).width).toBe(640);
    readWav(readFileSync(at('a.wav')));
  });

  test('tells that the server has gone: a fault, unless that was awaited', async () => {
    const first = await host();
    const args = ['connect', first.uri, '--json', '--screenshot', at('last.png')];
    const unawaited = start(args.slice(0, 3));
    const awaited = start([...args, '--until', 'closed']);
    for (const { terminal } of [unawaited, awaited]) await terminal.event(({ event }) => event === 'frame');
    await first.close();
    expect(await unawaited.code).toBe(1);
    expect(unawaited.terminal.errors.at(-1)).toContain('the session has ended');
    expect(await awaited.code).toBe(0);
    expect(awaited.terminal.events.at(-1)).toEqual({
      at: expect.any(Number),
      event: 'closed',
      reason: expect.any(String),
    });
    // What it showed last.
    expect(readPng(readFileSync(at('last.png'))).width).toBe(640);
  });
});

describe('a session that cannot be had is one line and exit code 1', () => {
  test('where nobody listens', async () => {
    const gone = await host();
    await gone.close();
    for (const args of [
      ['connect', gone.uri],
      ['screenshot', gone.uri, at('a.png')],
    ]) {
      const { code, terminal } = await finish(args);
      expect(code).toBe(1);
      expect(terminal.errors).toEqual([expect.stringMatching(/^sumac: spice:.*refused the connection$/)]);
    }
    expect(existsSync(at('a.png'))).toBe(false);
  });

  test('with a wrong password, or with none', async () => {
    const { uri } = await host({ password: 'right' });
    for (const args of [
      ['connect', uri, '--password', 'wrong'],
      ['connect', uri],
      ['screenshot', uri, at('a.png')],
    ]) {
      const { code, terminal } = await finish(args);
      expect(code).toBe(1);
      expect(terminal.errors).toEqual([expect.stringContaining('the password is wrong or has expired')]);
      expect(terminal.errors[0]).not.toContain('wrong or right');
    }
  });

  test('where somebody listens who says nothing', async () => {
    const silent = createServer((socket) => void socket.resume());
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    closing.push(() => new Promise((resolve) => silent.close(resolve)));
    const { port } = silent.address() as { port: number };
    const { code, terminal } = await finish(['connect', `spice://127.0.0.1:${port}`, '--for', '200ms']);
    expect(code).toBe(1);
    expect(terminal.errors).toEqual([`sumac: spice://127.0.0.1:${port}: no session within 200 ms`]);
  });

  test('where somebody speaks something else', async () => {
    const other = createServer((socket) => void socket.resume().end('HTTP/1.1 400 Bad Request\r\n\r\n\u001b[2J'));
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    closing.push(() => new Promise((resolve) => other.close(resolve)));
    const { port } = other.address() as { port: number };
    const { code, terminal } = await finish(['connect', `spice://127.0.0.1:${port}`]);
    expect(code).toBe(1);
    expect(terminal.errors).toHaveLength(1);
    expect(terminal.errors[0]).not.toContain('\u001b');
  });
});

describe('a password', () => {
  test('comes from a flag, the address, the environment or a connection file, in this order', async () => {
    const { uri, server } = await host({ password: 'right' });
    const { port } = server.addresses;
    const file = (password: string) => {
      const name = at(`${password}.vv`);
      writeFileSync(name, `[virt-viewer]\ntype=spice\nhost=127.0.0.1\nport=${port}\npassword=${password}\n`);
      return name;
    };
    const cases: [string[], Record<string, string>, number][] = [
      [[uri, '--password', 'right'], { SUMAC_PASSWORD: 'wrong' }, 0],
      [[`${uri}?password=right`], { SUMAC_PASSWORD: 'wrong' }, 0],
      [[`${uri}?password=wrong`, '--password', 'right'], {}, 0],
      [[uri], { SUMAC_PASSWORD: 'right' }, 0],
      [[file('right')], { SUMAC_PASSWORD: 'wrong' }, 0],
      [[file('wrong'), '--password', 'right'], {}, 0],
      [[uri], { SUMAC_PASSWORD: 'wrong' }, 1],
    ];
    for (const [args, env, wanted] of cases) {
      const { code } = await finish(['connect', ...args, '--json', '--until', 'frame'], env);
      expect([args, code]).toEqual([args, wanted]);
    }
  });

  test('of a server comes from the environment too', async () => {
    const running = start(['serve', '--json', '--port', '0'], { SUMAC_PASSWORD: 'right' });
    closing.push(() => running.terminal.interrupt());
    const { port } = await running.terminal.event(({ event }) => event === 'listening');
    expect((await finish(['connect', `spice://127.0.0.1:${port}`])).code).toBe(1);
    const { code } = await finish(['connect', `spice://127.0.0.1:${port}`, '--password', 'right', '--until', 'frame']);
    expect(code).toBe(0);
  });
});

describe('TLS', () => {
  const tlsArgs = ['--tls-cert', `${certs}server.pem`, '--tls-key', `${certs}server.key`, '--tls-ca', `${certs}ca.pem`];
  const until = ['--json', '--until', 'frame'];

  test('goes over a port of its own, with a CA or without, and with a subject', async () => {
    const { listening, terminal } = await serve('--tls-port', '0', ...tlsArgs);
    expect(listening.port).toBeUndefined();
    const uri = `spice+tls://127.0.0.1:${listening.tlsPort}`;
    const ca = ['--ca', `${certs}ca.pem`];
    expect((await finish(['connect', uri, ...ca, ...until])).code).toBe(0);
    expect(terminal.events.find(({ event }) => event === 'initialized').tls).toBe(true);
    expect((await finish(['connect', uri, ...ca, '--host-subject', 'O=Sumac,CN=localhost', ...until])).code).toBe(0);
    expect((await finish(['screenshot', uri, at('a.png'), ...ca, '--settle', '0ms'])).code).toBe(0);

    const refused: [string[], string][] = [
      [[], 'not trusted'],
      [['--ca', `${certs}stranger.pem`], 'not trusted'],
      [[...ca, '--host-subject', 'O=Sumac,CN=other'], 'subject'],
    ];
    for (const [flags, why] of refused) {
      const { code, terminal } = await finish(['connect', uri, ...flags, ...until]);
      expect(code).toBe(1);
      expect(terminal.errors.at(-1)).toContain(why);
    }
  });

  test('is named in the command to watch with, with what the certificate needs', async () => {
    const one = await serve('--tls-port', '0', ...tlsArgs);
    expect(one.listening.watch).toEqual([
      `remote-viewer --spice-ca-file=${certs}ca.pem spice+tls://127.0.0.1:${one.listening.tlsPort}`,
    ]);
    const two = await serve('--tls-port', '0', '--port', '0', '--addr', '127.0.0.2', ...tlsArgs);
    expect(two.listening.watch).toEqual([
      `remote-viewer spice://127.0.0.2:${two.listening.port}`,
      `remote-viewer --spice-ca-file=${certs}ca.pem --spice-host-subject=O=Sumac,CN=localhost spice+tls://127.0.0.2:${two.listening.tlsPort}`,
    ]);
  });

  test('is never left: an address without a plain port does not go over one', async () => {
    const { listening } = await serve('--port', '0');
    const uri = `spice+tls://127.0.0.1:${listening.port}`;
    const { code, terminal } = await finish(['connect', uri, '--ca', `${certs}ca.pem`]);
    expect(code).toBe(1);
    expect(terminal.errors.at(-1)).toContain('does not speak TLS');
  });

  test('of a connection file, with its CA, its subject, and its wish to be removed', async () => {
    const { listening } = await serve('--tls-port', '0', '--port', '0', ...tlsArgs);
    const ca = readFileSync(`${certs}ca.pem`, 'utf8').replaceAll('\n', '\\n');
    const lines = [
      '[virt-viewer]',
      'type=spice',
      'host=127.0.0.1',
      `port=${listening.port}`,
      `tls-port=${listening.tlsPort}`,
      'host-subject=O=Sumac,CN=localhost',
      'secure-channels=main;inputs',
      `ca=${ca}`,
    ];
    writeFileSync(at('keep.vv'), lines.join('\n'));
    writeFileSync(at('drop.vv'), [...lines, 'delete-this-file=1'].join('\n'));
    expect((await finish(['connect', at('keep.vv'), ...until])).code).toBe(0);
    expect((await finish(['screenshot', at('drop.vv'), at('a.png'), '--settle', '0ms'])).code).toBe(0);
    expect([existsSync(at('keep.vv')), existsSync(at('drop.vv')), existsSync(at('a.png'))]).toEqual([
      true,
      false,
      true,
    ]);
  });
});

describe('a unix socket', () => {
  test('is served, connected to, named in the command, and removed at the end', async () => {
    const running = start(['serve', '--json', '--unix', at('spice.sock')]);
    const listening = await running.terminal.event(({ event }) => event === 'listening');
    expect(listening.port).toBeUndefined();
    expect(listening.watch).toEqual([`remote-viewer spice+unix://${at('spice.sock')}`]);
    const { code } = await finish(['connect', `spice+unix://${at('spice.sock')}`, '--until', 'frame']);
    expect(code).toBe(0);
    running.terminal.interrupt();
    expect(await running.code).toBe(0);
    expect(existsSync(at('spice.sock'))).toBe(false);
  });
});

describe('screenshot', () => {
  test('is the guest’s own picture, every pixel', async () => {
    const { uri, card, machine } = await host({ width: 800, height: 600 });
    await new Promise((resolve) => setTimeout(resolve, 150));
    machine.stop();
    expect((await finish(['screenshot', uri, at('a.png')])).code).toBe(0);
    const { width, height, rgb } = readPng(readFileSync(at('a.png')));
    expect([width, height]).toEqual([800, 600]);
    expect(Buffer.compare(rgb, rgbOf(card.picture()))).toBe(0);
  });

  test('comes to an end when the picture never rests', async () => {
    const { uri } = await host();
    const started = performance.now();
    expect((await finish(['screenshot', uri, at('a.png')])).code).toBe(0);
    expect(performance.now() - started).toBeLessThan(6_000);
    expect(existsSync(at('a.png'))).toBe(true);
  });
});

describe('serve', () => {
  test('prints where it is and how to watch', async () => {
    const running = start(['serve', '--port', '0', '--qmp', `unix:${at('q mp')}`, '--incoming', 'tcp:127.0.0.1:0']);
    await running.terminal.line((line) => line.includes('remote-viewer'));
    running.terminal.interrupt();
    expect(await running.code).toBe(0);
    expect(running.terminal.lines.join('\n')).toMatch(
      /^listening on 127\.0\.0\.1:(\d+)\nQMP on unix:.*\/q mp\nwaiting for a guest on tcp:127\.0\.0\.1:\d+\nwatch with:\n {2}remote-viewer spice:\/\/127\.0\.0\.1:\1$/,
    );
    expect(existsSync(at('q mp'))).toBe(false);
  });

  test('says that it is open to everybody, where it is', async () => {
    const running = start(['serve', '--port', '0', '--addr', '0.0.0.0', '--json']);
    const { watch, port } = await running.terminal.event(({ event }) => event === 'listening');
    running.terminal.interrupt();
    await running.code;
    expect(watch).toEqual([`remote-viewer spice://127.0.0.1:${port}`]);
    expect(running.terminal.errors).toEqual([expect.stringContaining('there is no password')]);
  });

  test('says that a port is taken', async () => {
    const { server } = await host();
    const { code, terminal } = await finish(['serve', '--port', `${server.addresses.port}`]);
    expect(code).toBe(2);
    expect(terminal.errors).toEqual([expect.stringContaining('in use already')]);
  });

  test('is ended by QMP, after the answer', async () => {
    const running = start(['serve', '--port', '0', '--json', '--qmp', `unix:${at('qmp')}`]);
    await running.terminal.event(({ event }) => event === 'listening');
    const qmp = await QmpClient.connect({ path: at('qmp') });
    expect(await qmp.execute('quit')).toEqual({});
    expect(await running.code).toBe(0);
    expect(running.terminal.events).toContainEqual(expect.objectContaining({ event: 'shutdown' }));
    qmp.close();
  });

  test.each([
    [['--seamless', 'off'], 'semi-seamless'],
    [['--schemes', 'switch-host'], 'switch-host'],
  ])('hands over as %j allows', async (flags, scheme) => {
    const target = await serve('--port', '0', '--incoming', 'tcp:127.0.0.1:0', ...flags);
    const source = await serve('--port', '0', '--qmp', `unix:${at('qmp')}`, '--migrate-ms', '50', ...flags);
    const client = start(['connect', `spice://127.0.0.1:${source.listening.port}`, '--json', '--until', 'handover']);
    await client.terminal.event(({ channel, state }) => channel === 'record:0' && state === 'up');
    const qmp = await QmpClient.connect({ path: at('qmp') });
    closing.push(() => qmp.close());
    const { port } = target.listening;
    await qmp.execute('client_migrate_info', { protocol: 'spice', hostname: '127.0.0.1', port });
    await qmp.execute('migrate', { uri: target.listening.incoming });
    expect(await client.code).toBe(0);
    const switched = client.terminal.events.find(({ phase }) => phase === 'switched');
    expect(switched.scheme).toBe(scheme);
  });
});
