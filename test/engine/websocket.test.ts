/** A client as a browser runs it: over WebSockets to the port that SPICE clients use, moved between two servers. */
import { expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { connect } from '../../src/client/client.ts';
import { createServer } from '../../src/server/server.ts';
import { dialWebSocket } from '../../src/transport/ws.ts';
import { first } from '../support/network.ts';

test('every channel of a session, and its hand-over, goes over WebSockets on the SPICE port', async () => {
  const source = await createServer({ host: '127.0.0.1', port: 0, password: 'secret' });
  const target = await createServer({ host: '127.0.0.1', port: 0, password: 'secret' });
  source.display.fill({ left: 0, top: 0, right: 640, bottom: 480 }, 0x102030);
  target.display.fill({ left: 0, top: 0, right: 640, bottom: 480 }, 0x405060);
  const client = connect({
    destination: { host: '127.0.0.1', port: source.addresses.port },
    password: 'secret',
    dial: ({ host, port }, _secure, signal) =>
      dialWebSocket(`ws://${host}:${port}/`, {
        signal,
        open: (url, protocols) => new WebSocket(url, protocols, { perMessageDeflate: false }) as never,
      }),
  });
  const colour = async () => {
    const screen = client.screens.get('display:0');
    await screen?.settled();
    return screen?.shown()?.data.slice(0, 3);
  };
  try {
    await vi.waitFor(() => expect(client.channels.size).toBe(6), 5_000);
    await vi.waitFor(async () => expect(await colour()).toEqual(Uint8Array.of(0x30, 0x20, 0x10)));
    const linked = first(source.events, (event) => event.event === 'migrate_connect_complete');
    source.migrateConnect({ host: '127.0.0.1', port: target.addresses.port });
    expect(await linked).toMatchObject({ linked: 1, clients: 1 });
    const switched = first(client.events, (event) => event.event === 'handover' && event.phase === 'switched');
    target.guestArrived();
    source.migrateEnd(true);
    expect(await switched).toMatchObject({ scheme: 'seamless' });
    await vi.waitFor(async () => expect(await colour()).toEqual(Uint8Array.of(0x60, 0x50, 0x40)));
  } finally {
    client.close();
    await source.close();
    await target.close();
  }
});
