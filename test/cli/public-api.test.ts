/** What a program gets that imports the package, and connect() as it is for Node. */
import { readFileSync } from 'node:fs';
import { filter, firstValueFrom } from 'rxjs';
import { describe, expect, test } from 'vitest';
import * as sumac from '../../src/index.ts';

const pem = (name: string) => readFileSync(new URL(`../support/certs/${name}`, import.meta.url), 'utf8');

describe('the package', () => {
  test('exports what its README is about', () => {
    expect(Object.keys(sumac)).toEqual(
      expect.arrayContaining([
        'connect',
        'connectWith',
        'createServer',
        'createTestCard',
        'charts',
        'protocol',
        'MemoryJournal',
        'UsageError',
        'readSpiceUri',
      ]),
    );
    expect(sumac.protocol.channels.main.type).toBe(1);
    expect(sumac.charts['session/client'].id).toBe('session/client');
  });

  test('serves, connects and shows, in a dozen lines', async () => {
    const server = await sumac.createServer({ port: 0, password: 'secret' });
    const card = sumac.createTestCard({ clock: sumac.wallClock });
    card.plug(server);
    const client = sumac.connect({ uri: `spice://127.0.0.1:${server.addresses.port}`, password: 'secret' });
    const { width } = await firstValueFrom(client.events.pipe(filter((event) => event.event === 'frame')));
    expect(width).toBe(640);
    const { data, stride } = client.screens.get('display:0')!.shown()!;
    const { pixels } = card.picture();
    for (let i = 0; i < pixels.length; i++) {
      if (i % 4 !== 3 && data[i] !== pixels[i]) throw new Error(`byte ${i} of the picture differs`);
    }
    expect(stride).toBe(640 * 4);
    const closed = firstValueFrom(client.events.pipe(filter((event) => event.event === 'closed')));
    await server.close();
    await closed;
  });
});

describe('connect refuses, before it dials,', () => {
  test.each<[string, sumac.ConnectOptions]>([
    ['no address', {}],
    ['two addresses', { uri: 'spice://h:1', destination: { host: 'h', port: 1 } }],
    ['an address that is none', { uri: 'http://h' }],
    ['a destination without a port', { destination: { host: 'h' } }],
    ['a destination without a TLS port that must be secure', { destination: { host: 'h', port: 1 }, secure: true }],
    ['a CA that is none', { uri: 'spice+tls://h:1', ca: 'nonsense' }],
    [
      'a CA that is cut off',
      { uri: 'spice+tls://h:1', ca: '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----' },
    ],
    ['a subject that is none', { uri: 'spice+tls://h:1', hostSubject: 'nobody' }],
  ])('%s', (_what, options) => {
    expect(() => sumac.connect(options)).toThrow(sumac.UsageError);
  });
});

describe('how it dials', () => {
  const dialled = async (options: sumac.ConnectOptions) => {
    const asked: unknown[] = [];
    const client = sumac.connect({
      ...options,
      dial: async (destination, secure) => {
        asked.push({ ...destination, secure });
        throw new Error('not today');
      },
    });
    const { reason } = await firstValueFrom(client.events.pipe(filter((event) => event.event === 'closed')));
    return { asked, reason };
  };

  test('the plain port first, the TLS port where there is no other, with the subject to expect', async () => {
    expect(await dialled({ uri: 'spice://h?port=1&tls-port=2' })).toEqual({
      asked: [{ host: 'h', port: 1, tlsPort: 2, secure: false }],
      reason: 'not today',
    });
    expect((await dialled({ uri: 'spice+tls://h:2', hostSubject: 'CN=x' })).asked).toEqual([
      { host: 'h', tlsPort: 2, certSubject: 'CN=x', secure: true },
    ]);
    expect((await dialled({ uri: 'spice://h?port=1&tls-port=2', secure: true })).asked).toEqual([
      { host: 'h', tlsPort: 2, secure: true },
    ]);
  });

  test('the TLS port for the channels that a server wants secured, and the plain one for the others', async () => {
    const server = await sumac.createServer({
      port: 0,
      tlsPort: 0,
      tls: { cert: pem('server.pem'), key: pem('server.key') },
      secureChannels: ['main', 'inputs'],
    });
    const secured: Record<number, boolean> = {};
    server.events.subscribe((event) => {
      if (event.event === 'initialized') secured[event.channelType] = event.tls;
    });
    const { port, tlsPort } = server.addresses;
    const client = sumac.connect({ uri: `spice://127.0.0.1?port=${port}&tls-port=${tlsPort}`, ca: pem('ca.pem') });
    const up = new Set<string>();
    await firstValueFrom(
      client.events.pipe(
        filter((event) => {
          if (event.event === 'closed') throw new Error(event.reason);
          return event.event === 'channel' && event.state === 'up' && up.add(event.channel).size === 6;
        }),
      ),
    );
    expect(secured).toEqual({ 1: true, 2: false, 3: true, 4: false, 5: false, 6: false });
    client.close();
    await server.close();
  });

  test('never a plain port once the session is secure, even where the guest moves to a server that has one', async () => {
    const source = await sumac.createServer({ tlsPort: 0, tls: { cert: pem('server.pem'), key: pem('server.key') } });
    const target = await sumac.createServer({
      port: 0,
      tlsPort: 0,
      tls: { cert: pem('server.pem'), key: pem('server.key') },
    });
    const seen: boolean[] = [];
    target.events.subscribe((event) => {
      if (event.event === 'initialized') seen.push(event.tls);
    });
    const client = sumac.connect({ uri: `spice+tls://127.0.0.1:${source.addresses.tlsPort}`, ca: pem('ca.pem') });
    const handover = (phase: string) =>
      firstValueFrom(client.events.pipe(filter((event) => event.event === 'handover' && event.phase === phase)));
    await firstValueFrom(
      client.events.pipe(filter((event) => event.event === 'channel' && event.channel === 'record:0')),
    );
    const [linked, switched] = [handover('linked'), handover('switched')];
    const { port, tlsPort } = target.addresses;
    source.migrateConnect({ host: '127.0.0.1', port, tlsPort, certSubject: 'O=Sumac,CN=localhost' });
    source.migrateStart();
    await linked;
    target.guestArrived();
    source.migrateEnd(true);
    await switched;
    expect(seen).toEqual([true, true, true, true, true, true]);
    const closed = firstValueFrom(client.events.pipe(filter((event) => event.event === 'closed')));
    client.close();
    await closed.catch(() => {});
    await source.close();
    await target.close();
  });
});
