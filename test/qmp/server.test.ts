/** The QMP server over real sockets, asked by the rig's own client, with a SPICE server that only writes down. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { UsageError } from '../../src/errors.ts';
import type { SocketAddress } from '../../src/qmp/address.ts';
import { encodePpm } from '../../src/qmp/ppm.ts';
import { createQmpServer, type QmpServer } from '../../src/qmp/server.ts';
import { parsePpm } from '../support/peers/qemu.ts';
import { type QmpData, QmpError, QmpPeer } from '../support/peers/qmp-peer.ts';
import { type Host, startHost, until } from './hosts.ts';

let folder: string;
let host: Host;
let server: QmpServer;
let peer: QmpPeer;
let quits: number;
const log: string[] = [];
const epoch = () => 1_700_000_000_123.456;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sumac-qmp-'));
  quits = 0;
  log.length = 0;
  host = await startHost({
    name: 'tester',
    mouseMode: () => host.card.mouseMode,
    screendump: (format) => (format === 'ppm' ? encodePpm(host.card.picture()) : Uint8Array.of(1, 2, 3)),
    onQuit: () => quits++,
  });
  server = await createQmpServer({
    listen: { path: join(folder, 'qmp') },
    machine: host.machine,
    package: 'sumac 1.2.3',
    epoch,
    log: (line) => log.push(line),
  });
  peer = await QmpPeer.connect(server.address);
});

afterEach(async () => {
  peer.close();
  await server.close();
  await host.close();
  await rm(folder, { recursive: true, force: true });
});

const refusal = async (command: string, args?: QmpData): Promise<[string, string]> => {
  const error = await peer.execute(command, args).then(
    () => undefined,
    (reason: QmpError) => reason,
  );
  expect(error).toBeInstanceOf(QmpError);
  return [error!.class, error!.message.replace(/^[^:]*: (.*) \([^()]*\)$/s, '$1')];
};

/** A connection of bytes and lines, to say what no client would. */
class Raw {
  readonly lines: string[] = [];
  closed = false;
  readonly socket: Socket;

  constructor(address: SocketAddress) {
    this.socket = connect({ ...address });
    let rest = '';
    this.socket.setEncoding('utf8').on('data', (text) => {
      const parts = (rest + String(text)).split('\r\n');
      rest = parts.pop()!;
      this.lines.push(...parts);
    });
    this.socket
      .on('error', () => {})
      .on('close', () => {
        this.closed = true;
      });
  }

  async ask(text: string | Uint8Array): Promise<any> {
    await until(() => this.lines.length > 0, 'the greeting');
    const before = this.lines.length;
    this.socket.write(text);
    await until(() => this.lines.length > before, 'an answer');
    return JSON.parse(this.lines[before]!);
  }
}

describe('negotiation', () => {
  test('goes as with QEMU', async () => {
    const raw = new Raw(server.address);
    await until(() => raw.lines.length === 1);
    expect(JSON.parse(raw.lines[0]!)).toEqual({
      QMP: { version: { qemu: { major: 7, minor: 2, micro: 0 }, package: 'sumac 1.2.3' }, capabilities: [] },
    });
    expect(await raw.ask('{"execute":"query-status","id":1}\n')).toEqual({
      id: 1,
      error: { class: 'CommandNotFound', desc: "Expecting capabilities negotiation with 'qmp_capabilities'" },
    });
    expect(await raw.ask('{"execute":"qmp_capabilities","arguments":{"enable":["oob"]}}')).toMatchObject({
      error: { class: 'GenericError' },
    });
    // Nothing that happens is told before.
    host.machine.stop();
    expect(await raw.ask('{"execute":"qmp_capabilities","id":{"a":[1]}}')).toEqual({ return: {}, id: { a: [1] } });
    expect(await raw.ask('{"execute":"qmp_capabilities"}')).toEqual({
      error: {
        class: 'CommandNotFound',
        desc: 'Capabilities negotiation is already complete, command ignored',
      },
    });
    raw.socket.destroy();
  });
});

describe('what is no command', () => {
  test.each([
    ['[1,2]', 'QMP input must be a JSON object'],
    ['1 ', 'QMP input must be a JSON object'],
    ['{}', "QMP input lacks member 'execute'"],
    ['{"execute":1}', "QMP input member 'execute' must be a string"],
    ['{"execute":"query-status","foo":1}', "QMP input member 'foo' is unexpected"],
    ['{"exec-oob":"query-status"}', "QMP input member 'exec-oob' is unexpected"],
    ['{"execute":"query-status","arguments":[]}', "QMP input member 'arguments' must be an object"],
    ['{"execute":"query-status","arguments":null}', "QMP input member 'arguments' must be an object"],
    ['{"execute":"query-status","arguments":{"x":1}}', "Parameter 'x' is unexpected"],
    ['{"execute" "query-status"}', 'JSON parse error, invalid JSON'],
    ['garbage ', "JSON parse error, invalid keyword 'garbage'"],
    ['{"__proto__":1}', "QMP input member '__proto__' is unexpected"],
  ])('%s', async (text, desc) => {
    const raw = new Raw(server.address);
    await raw.ask('{"execute":"qmp_capabilities"}');
    expect(await raw.ask(text)).toEqual({ error: { class: 'GenericError', desc } });
    expect(await raw.ask('{"execute":"query-name","id":null}')).toEqual({ return: { name: 'tester' }, id: null });
    raw.socket.destroy();
  });

  test('an unknown command, whatever it is called', async () => {
    for (const name of ['nonsense', '__proto__', 'constructor', 'toString']) {
      expect(await refusal(name)).toEqual(['CommandNotFound', `The command ${name} has not been found`]);
    }
  });

  test('a line beyond a megabyte is refused and ends the connection, and no other', async () => {
    const raw = new Raw(server.address);
    await raw.ask('{"execute":"qmp_capabilities"}');
    const answer = await raw.ask(`{"execute":"${'x'.repeat(1024 * 1024)}"}`);
    expect(answer.error.class).toBe('GenericError');
    await until(() => raw.closed);
    expect(await peer.execute('query-name')).toEqual({ name: 'tester' });
  });

  test('brackets without end, noise, and a client that leaves halfway', async () => {
    const deep = new Raw(server.address);
    await deep.ask('{"execute":"qmp_capabilities"}');
    expect(await deep.ask('['.repeat(100_000))).toEqual({
      error: { class: 'GenericError', desc: 'JSON nesting depth limit exceeded' },
    });
    expect(await deep.ask('\n{"execute":"query-name"}')).toEqual({ return: { name: 'tester' } });
    deep.socket.destroy();
    const noise = new Raw(server.address);
    expect(await noise.ask(Uint8Array.from({ length: 5_000 }, (_, i) => (i * 7919) & 0xff))).toHaveProperty('error');
    noise.socket.destroy();
    const half = new Raw(server.address);
    await until(() => half.lines.length === 1);
    half.socket.end('{"execute":"qmp_capab');
    await until(() => half.closed);
    expect(await peer.execute('query-name')).toEqual({ name: 'tester' });
    await until(() => server.clients === 1);
  });

  test('a client that asks and never reads is made to wait, not served from memory', async () => {
    const socket = connect({ ...server.address });
    socket.on('error', () => {});
    socket.pause();
    const question = '{"execute":"query-commands"}'.repeat(1_000);
    socket.write('{"execute":"qmp_capabilities"}');
    let taken = 0;
    for (let i = 0; i < 2_000; i++) socket.write(question, () => taken++);
    await new Promise((resolve) => setTimeout(resolve, 300));
    // Some of two million questions were taken in; the rest stays where it came from.
    expect(taken).toBeLessThan(1_000);
    expect(await peer.execute('query-name')).toEqual({ name: 'tester' });
    socket.destroy();
  });

  test('answers come in the order of the questions', async () => {
    const raw = new Raw(server.address);
    await raw.ask('{"execute":"qmp_capabilities"}');
    const file = join(folder, 'x.ppm');
    const slow = JSON.stringify({ execute: 'screendump', arguments: { filename: file }, id: 0 });
    raw.socket.write(slow + [1, 2, 3].map((id) => `{"execute":"query-name","id":${id}}`).join('\n'));
    await until(() => raw.lines.length === 6);
    expect(raw.lines.slice(2).map((line) => JSON.parse(line).id)).toEqual([0, 1, 2, 3]);
    raw.socket.destroy();
  });
});

describe('the machine', () => {
  test('tells its name, version and commands', async () => {
    expect(await peer.execute('query-name')).toEqual({ name: 'tester' });
    expect(await peer.execute('query-version')).toEqual({
      qemu: { major: 7, minor: 2, micro: 0 },
      package: 'sumac 1.2.3',
    });
    const names = (await peer.execute<{ name: string }[]>('query-commands')).map(({ name }) => name);
    for (const name of names) {
      const error = await peer.execute(name, { 'no-such-argument': 1 }).catch((reason: QmpError) => reason);
      expect(error).toBeInstanceOf(QmpError);
      if (name !== 'qmp_capabilities') expect((error as QmpError).class).toBe('GenericError');
    }
    expect(names).toEqual(
      expect.arrayContaining(['qmp_capabilities', 'query-spice', 'client_migrate_info', 'migrate', 'migrate_cancel']),
    );
  });

  test('is stopped and run, once each, and says so to everybody', async () => {
    const other = await QmpPeer.connect(server.address);
    expect(await peer.execute('query-status')).toEqual({ status: 'running', singlestep: false, running: true });
    await peer.execute('stop');
    await peer.execute('stop');
    expect(host.card.running).toBe(false);
    expect(await peer.execute('query-status')).toEqual({ status: 'paused', singlestep: false, running: false });
    await peer.execute('cont');
    await peer.execute('cont');
    expect(host.card.running).toBe(true);
    await other.waitFor('RESUME');
    expect([peer, other].map(({ events }) => events.map(({ event }) => event))).toEqual([
      ['STOP', 'RESUME'],
      ['STOP', 'RESUME'],
    ]);
    expect(peer.events[0]?.at).toBeCloseTo(1_700_000_000_123.456, 2);
    other.close();
  });

  test('is drawn into a file', async () => {
    const [ppm, png] = [join(folder, 'a.ppm'), join(folder, 'a.png')];
    expect(await peer.execute('screendump', { filename: ppm })).toEqual({});
    const picture = parsePpm(await readFile(ppm));
    expect([picture.width, picture.height]).toEqual([640, 480]);
    expect([...picture.rgb.subarray((8 * 640 + 8) * 3, (8 * 640 + 8) * 3 + 3)]).toEqual([255, 0, 0]);
    await peer.execute('screendump', { filename: png, format: 'png' });
    expect([...(await readFile(png))]).toEqual([1, 2, 3]);
    expect(await refusal('screendump', { filename: join(folder, 'no/a.png') })).toEqual([
      'GenericError',
      `failed to open file '${join(folder, 'no/a.png')}': No such file or directory`,
    ]);
    expect(await refusal('screendump', { filename: ppm, format: 'bmp' })).toEqual([
      'GenericError',
      "Parameter 'format' does not accept value 'bmp'",
    ]);
    expect(await refusal('screendump', { filename: ppm, device: 'foo' })).toEqual([
      'DeviceNotFound',
      "Device 'foo' not found",
    ]);
  });

  test('quits after its answer', async () => {
    expect(await peer.execute('quit')).toEqual({});
    await until(() => quits > 0);
    expect(quits).toBe(1);
    expect(peer.events.map(({ event, data }) => [event, data])).toEqual([
      ['SHUTDOWN', { guest: false, reason: 'host-qmp-quit' }],
    ]);
  });

  test('quits although nobody waits for the answer', async () => {
    const raw = new Raw(server.address);
    await raw.ask('{"execute":"qmp_capabilities"}');
    raw.socket.write('{"execute":"quit"}', () => raw.socket.destroy());
    await until(() => quits > 0);
    expect(quits).toBe(1);
  });
});

describe('SPICE', () => {
  const client = { host: '127.0.0.1', port: 4242, family: 'ipv4' };
  const at = { host: '127.0.0.1', port: '5900', family: 'ipv4' };
  const channel = { connectionId: 7, channelType: 2, channelId: 0, tls: true };
  const words = { 'connection-id': 7, 'channel-type': 2, 'channel-id': 0, tls: true };

  test('is described', async () => {
    expect(await peer.execute('query-spice')).toEqual({
      enabled: true,
      migrated: false,
      host: '127.0.0.1',
      port: 5900,
      auth: 'none',
      'mouse-mode': 'client',
      channels: [],
    });
    host.spice.open = [{ ...client, ...channel }];
    await peer.execute('set_password', { protocol: 'spice', password: 'x' });
    expect(await peer.execute('query-spice')).toMatchObject({
      auth: 'spice',
      channels: [{ ...client, port: '4242', ...words }],
    });
  });

  test('tells of its clients in QEMU’s words', async () => {
    const server = { host: '127.0.0.1', port: 5900, family: 'ipv4' };
    host.spice.events.next({ event: 'connected', client, server });
    host.spice.events.next({ event: 'initialized', client, server: { ...server, auth: 'spice' }, ...channel });
    host.spice.events.next({ event: 'migrate_connect_complete', linked: 1, clients: 1 });
    host.spice.events.next({ event: 'migrate_end_complete', completed: false, overdue: 0 });
    host.spice.events.next({ event: 'disconnected', client, server, ...channel });
    host.spice.events.next({ event: 'migrate_end_complete', completed: true, overdue: 1 });
    await peer.waitFor('SPICE_MIGRATE_COMPLETED');
    expect(peer.events.map(({ event, data }) => [event, data])).toEqual([
      ['SPICE_CONNECTED', { server: at, client: { ...client, port: '4242' } }],
      ['SPICE_INITIALIZED', { server: { ...at, auth: 'spice' }, client: { ...client, port: '4242', ...words } }],
      ['SPICE_DISCONNECTED', { server: at, client: { ...client, port: '4242' } }],
      ['SPICE_MIGRATE_COMPLETED', {}],
    ]);
    expect(await peer.execute('query-spice')).toMatchObject({ migrated: true });
  });

  test('is told where clients will go', async () => {
    const info = { protocol: 'spice', hostname: 'h', port: 5, 'tls-port': 6, 'cert-subject': 'CN=x' };
    expect(await peer.execute('client_migrate_info', info)).toEqual({});
    await peer.execute('client_migrate_info', { protocol: 'spice', hostname: 'h', port: 0, 'tls-port': 6 });
    expect(host.spice.told).toEqual([
      'migrate_connect {"host":"h","port":5,"tlsPort":6,"certSubject":"CN=x"}',
      'migrate_connect {"host":"h","tlsPort":6}',
    ]);
    host.spice.objection = new UsageError('no');
    expect(await refusal('client_migrate_info', info)).toEqual([
      'GenericError',
      'Could not set up display for migration',
    ]);
    expect(await refusal('client_migrate_info')).toEqual(['GenericError', "Parameter 'protocol' is missing"]);
    expect(await refusal('client_migrate_info', { protocol: 'vnc', hostname: 'h' })).toEqual([
      'GenericError',
      "Parameter 'protocol' expects 'spice'",
    ]);
    expect(await refusal('client_migrate_info', { protocol: 'spice', hostname: 'h' })).toEqual([
      'GenericError',
      "Parameter 'port/tls-port' is missing",
    ]);
    expect(await refusal('client_migrate_info', { protocol: 'spice', hostname: 'h', port: '5' })).toEqual([
      'GenericError',
      "Invalid parameter type for 'port', expected: integer",
    ]);
  });

  test('takes passwords and their ends', async () => {
    const password = { protocol: 'spice', password: 'x' };
    await peer.execute('set_password', password);
    await peer.execute('set_password', { ...password, connected: 'disconnect' });
    for (const time of ['now', 'never', '+120', '1000']) {
      await peer.execute('expire_password', { protocol: 'spice', time });
    }
    expect(host.spice.told).toEqual([
      'password x keep',
      'password x disconnect',
      'expire now',
      'expire never',
      `expire ${epoch() + 120_000}`,
      'expire 1000000',
    ]);
    host.spice.objection = new UsageError('somebody is connected');
    expect(await refusal('set_password', { ...password, connected: 'fail' })).toEqual([
      'GenericError',
      'Could not set password',
    ]);
    expect(await refusal('set_password', { ...password, connected: 'bogus' })).toEqual([
      'GenericError',
      "Parameter 'connected' does not accept value 'bogus'",
    ]);
    expect(await refusal('set_password', { protocol: 'foo', password: 'x' })).toEqual([
      'GenericError',
      "Parameter 'protocol' does not accept value 'foo'",
    ]);
    expect(await refusal('set_password', { protocol: 'vnc', password: 'x' })).toEqual([
      'GenericError',
      'Could not set password',
    ]);
    for (const time of ['', '+', '-5', 'soon', '5x']) {
      expect((await refusal('expire_password', { protocol: 'spice', time }))[0]).toBe('GenericError');
    }
  });

  test('that fails in a way nobody foresaw is a GenericError and a line in the log', async () => {
    host.machine.spice.channels = () => {
      throw new TypeError('a fault of ours');
    };
    expect(await refusal('query-spice')).toEqual(['GenericError', 'query-spice failed']);
    expect(log).toEqual(['query-spice failed: TypeError: a fault of ours']);
  });
});

describe('a move', () => {
  test('is refused as QEMU refuses it', async () => {
    expect(await refusal('migrate')).toEqual(['GenericError', "Parameter 'uri' is missing"]);
    expect(await refusal('migrate', { uri: 'foo:bar' })).toEqual([
      'GenericError',
      "Parameter 'uri' expects a valid migration protocol",
    ]);
    expect(await refusal('migrate', { uri: 'tcp:bar' })).toEqual(['GenericError', "error parsing address 'bar'"]);
    expect(await peer.execute('migrate_cancel')).toEqual({});
    expect(await peer.execute('query-migrate')).toEqual({});
  });

  test('to where nobody is fails by itself, and its reason is kept', async () => {
    expect(await peer.execute('migrate', { uri: `unix:${join(folder, 'nobody')}` })).toEqual({});
    await peer.waitFor('MIGRATION', ({ status }) => status === 'failed');
    expect(peer.events.map(({ data }) => data.status)).toEqual(['setup', 'failed']);
    expect(await peer.execute('query-migrate')).toMatchObject({
      status: 'failed',
      'error-desc': `Failed to connect to '${join(folder, 'nobody')}': No such file or directory`,
    });
    expect(host.spice.told).toEqual(['migrate_start', 'migrate_end false']);
    expect(await peer.execute('query-status')).toMatchObject({ status: 'running' });
  });

  test('takes QEMU’s parameters and the one capability that it has', async () => {
    expect(await peer.execute('migrate-set-parameters', { 'max-bandwidth': 1000, 'downtime-limit': 5 })).toEqual({});
    expect(await refusal('migrate-set-parameters', { foo: 1 })).toEqual([
      'GenericError',
      "Parameter 'foo' is unexpected",
    ]);
    expect(await refusal('migrate-set-parameters', { 'max-bandwidth': -1 })).toEqual([
      'GenericError',
      "Parameter 'max-bandwidth' expects uint64",
    ]);
    const set = (capability: unknown, state: unknown) => ({ capabilities: [{ capability, state }] });
    expect(await peer.execute('migrate-set-capabilities', set('events', true))).toEqual({});
    expect(await refusal('migrate-set-capabilities', set('bogus', true))).toEqual([
      'GenericError',
      "Parameter 'capability' does not accept value 'bogus'",
    ]);
    for (const one of [null, 1, [], { capability: 'events' }]) {
      expect((await refusal('migrate-set-capabilities', { capabilities: [one] }))[0]).toBe('GenericError');
    }
  });
});

describe('listening', () => {
  test('on a TCP port', async () => {
    const tcp = await createQmpServer({ listen: { host: '127.0.0.1', port: 0 }, machine: host.machine, maxClients: 1 });
    const other = await QmpPeer.connect(tcp.address);
    expect(await other.execute('query-name')).toEqual({ name: 'tester' });
    // The one beyond the limit is closed without a word.
    const crowd = new Raw(tcp.address);
    await until(() => crowd.closed);
    expect(crowd.lines).toEqual([]);
    await tcp.close();
    await until(() => !other.connected);
    await expect(QmpPeer.connect(tcp.address, 1)).rejects.toThrow();
  });

  test('twice at one place is a UsageError', async () => {
    await expect(createQmpServer({ listen: server.address, machine: host.machine })).rejects.toThrow(UsageError);
    expect(await peer.execute('query-name')).toEqual({ name: 'tester' });
  });
});
