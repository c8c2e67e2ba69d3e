/** The QMP client, against our own server and against servers that no client deserves. */
import { createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { QmpClient } from '../../src/qmp/client.ts';
import { QmpError, type QmpEvent } from '../../src/qmp/protocol.ts';
import { createQmpServer } from '../../src/qmp/server.ts';
import { startHost } from './hosts.ts';

const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

async function sumac() {
  const host = await startHost({ name: 'tester' });
  opened.push(() => host.close());
  const server = await createQmpServer({ listen: { host: '127.0.0.1', port: 0 }, machine: host.machine });
  opened.push(() => server.close());
  const client = await QmpClient.connect(server.address);
  opened.push(() => client.close());
  return { host, server, client };
}

/** A server that treats its clients as the test says, and where it is. */
async function serving(treat: (socket: Socket) => void): Promise<{ host: string; port: number }> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    opened.push(() => socket.destroy());
    treat(socket);
  });
  opened.push(() => new Promise((resolve) => server.close(resolve)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { host: '127.0.0.1', port: (server.address() as { port: number }).port };
}

const greeting =
  '{"QMP":{"version":{"qemu":{"major":8,"minor":0,"micro":1},"package":"p"},"capabilities":["oob"]}}\r\n';

/** Greets, and answers each command by what `answers` has for it. */
const scripted = (answers: Record<string, (id: number) => string>) =>
  serving((socket) => {
    socket.write(greeting);
    socket.setEncoding('utf8').on('data', (text) => {
      for (const line of String(text).split('\r\n').filter(Boolean)) {
        const { execute, id } = JSON.parse(line);
        socket.write(execute === 'qmp_capabilities' ? `{"return":{},"id":${id}}` : (answers[execute]?.(id) ?? ''));
      }
    });
  });

describe('a QMP client', () => {
  test('runs commands and hears events', async () => {
    const { client, host } = await sumac();
    expect(client.version?.qemu.major).toBe(7);
    expect(await client.execute('query-name')).toEqual({ name: 'tester' });
    const events: QmpEvent[] = [];
    client.events.subscribe((event) => events.push(event));
    const before = Date.now();
    await client.execute('stop');
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({ event: 'STOP', data: {} });
    expect(Math.abs(events[0]!.at - before)).toBeLessThan(5_000);
    expect(host.card.running).toBe(false);
    await expect(client.execute('migrate', { uri: 'x' })).rejects.toThrow(
      new QmpError('GenericError', "Parameter 'uri' expects a valid migration protocol"),
    );
    await expect(client.execute('nonsense')).rejects.toMatchObject({
      class: 'CommandNotFound',
      code: 'qmp.CommandNotFound',
    });
    const many = await Promise.all(Array.from({ length: 50 }, () => client.execute<{ name: string }>('query-name')));
    expect(many.every(({ name }) => name === 'tester')).toBe(true);
  });

  test('ends with its server: what waits fails, events complete, and no timer is left', async () => {
    const address = await scripted({});
    const timers = new Set<unknown>();
    const clock = {
      now: () => performance.now(),
      setTimeout: (fn: () => void, ms: number) => {
        const timer = setTimeout(fn, ms);
        timers.add(timer);
        return timer;
      },
      clearTimeout: (timer: any) => {
        clearTimeout(timer);
        timers.delete(timer);
      },
    };
    const client = await QmpClient.connect(address, { clock });
    let completed = false;
    client.events.subscribe({ complete: () => (completed = true) });
    const waits = client.execute('query-status').catch((error: QmpError) => error.class);
    client.close();
    expect(await waits).toBe('Disconnected');
    expect([completed, client.connected, timers.size]).toEqual([true, false, 0]);
    await expect(client.execute('query-status')).rejects.toMatchObject({ class: 'Disconnected' });
  });

  test('matches answers by their ids, in any order, and ignores what it did not ask', async () => {
    let first = 0;
    const address = await scripted({
      one: (id) => {
        first = id;
        return '';
      },
      two: (id) =>
        `{"return":{"x":1}} {"return":5,"id":"${id}"} {"return":2,"id":${id}}\n{"id":${first},"return":1}\r\n`,
    });
    const client = await QmpClient.connect(address);
    opened.push(() => client.close());
    expect(await Promise.all([client.execute('one'), client.execute('two')])).toEqual([1, 2]);
  });

  test('waits no longer than it was told', async () => {
    const address = await scripted({});
    const client = await QmpClient.connect(address);
    opened.push(() => client.close());
    await expect(client.execute('query-status', {}, { answerMs: 20 })).rejects.toMatchObject({ class: 'TimedOut' });
    expect(client.connected).toBe(true);
  });

  test('takes events in every form', async () => {
    const address = await scripted({
      go: (id) =>
        '{"event":"A","timestamp":{"seconds":2,"microseconds":500}}{"event":"B","data":[1],"timestamp":5}' +
        `{"event":5}{"return":{},"id":${id}}`,
    });
    const client = await QmpClient.connect(address);
    opened.push(() => client.close());
    const events: QmpEvent[] = [];
    client.events.subscribe((event) => events.push(event));
    await client.execute('go');
    expect(events).toEqual([
      { event: 'A', data: {}, at: 2000.5 },
      { event: 'B', data: {}, at: Number.NaN },
    ]);
  });
});

describe('no QMP server', () => {
  test.each([
    ['closes', (socket: Socket) => socket.end(), 'Disconnected'],
    ['is silent', () => {}, 'TimedOut'],
    ['greets and is silent', (socket: Socket) => socket.write(greeting), 'TimedOut'],
    ['speaks HTTP', (socket: Socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'), 'Disconnected'],
    ['sends a list', (socket: Socket) => socket.write('[1]'), 'Disconnected'],
    [
      'refuses negotiation',
      (socket: Socket) => socket.write(`${greeting}{"id":1,"error":{"class":"X","desc":"no"}}`),
      'X',
    ],
  ])('that %s', async (_, treat, errorClass) => {
    const address = await serving(treat);
    await expect(QmpClient.connect(address, { connectMs: 100 })).rejects.toMatchObject({ class: errorClass });
  });

  test('is there', async () => {
    await expect(QmpClient.connect({ path: '/nonexistent/socket' })).rejects.toMatchObject({ class: 'Disconnected' });
  });

  test('may send without end', async () => {
    const address = await serving((socket) => {
      socket.write(greeting);
      socket.write(`"${'x'.repeat(17 * 1024 * 1024)}`);
    });
    await expect(QmpClient.connect(address)).rejects.toMatchObject({ class: 'Disconnected' });
  });
});
