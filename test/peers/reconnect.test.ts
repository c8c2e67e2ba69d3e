/**
 * The Sumac client on a real QEMU whose connections break: libspice knows of no returning, so the client comes back as a new
 * one, never names its old session there, and lives on with every channel.
 */
import { afterEach, expect, test } from 'vitest';
import { type Client, type ClientEvent, connect } from '../../src/client/client.ts';
import { dialTcp } from '../../src/transport/tcp.ts';
import { first } from '../support/network.ts';
import { keyWord } from '../support/peers/boot-sector.ts';
import { openChannels } from '../support/peers/live-migrate.ts';
import { peerSuite } from '../support/peers/present.ts';
import { type Qemu, startQemu } from '../support/peers/qemu.ts';
import { startProxy, type TcpProxy } from '../support/proxy.ts';

const ended: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end();
});

const channels = ['main:0', 'display:0', 'inputs:0', 'cursor:0', 'playback:0'];

const whole = async (client: Client): Promise<void> => {
  const up = () => channels.every((channel) => client.channels.has(channel));
  if (!up()) await first(client.events, up, 20_000);
};

async function begin(): Promise<{ qemu: Qemu; proxy: TcpProxy; client: Client; news: ClientEvent[]; log: string[] }> {
  const qemu = await startQemu({ image: 'moving', password: 'secret' });
  ended.push(() => qemu.stop());
  const proxy = await startProxy(qemu.spicePort!);
  ended.push(() => proxy.close());
  const log: string[] = [];
  const client = connect({
    destination: { host: '127.0.0.1', port: proxy.port },
    password: 'secret',
    dial: (destination, _secure, signal) => dialTcp(destination, { signal }),
    log: (line) => log.push(line),
  });
  ended.push(() => client.close());
  const news: ClientEvent[] = [];
  client.events.subscribe((event) => news.push(event));
  await whole(client);
  return { qemu, proxy, client, news, log };
}

const ids = (news: readonly ClientEvent[]) =>
  news.flatMap((event) => (event.event === 'session' ? [event.connectionId] : []));
const phases = (news: readonly ClientEvent[]) =>
  news.flatMap((event) => (event.event === 'reconnect' ? [event.phase] : []));
const back = (client: Client) =>
  first(client.events, (event) => event.event === 'reconnect' && event.phase === 'back', 30_000);

/** Its keys reach the guest, and the picture moves. */
async function lives(client: Client, qemu: Qemu, key: number): Promise<void> {
  const since = qemu.process.mark();
  expect(client.input.keyDown(key)).toBe(true);
  client.input.keyUp(key | 0x80);
  await qemu.waitForGuest(keyWord(key), since);
  expect(await openChannels(qemu)).toBe(channels.length);
  const screen = client.screens.get('display:0')!;
  const picture = () => screen.primary()?.data.slice();
  const before = picture();
  await expect
    .poll(() => Buffer.compare(Buffer.from(picture() ?? []), Buffer.from(before ?? [])), { timeout: 10_000 })
    .not.toBe(0);
}

peerSuite('the Sumac client on a QEMU that it loses', ['qemu-system-x86_64'], () => {
  test('comes back with a new session when its connections are cut', async () => {
    const { qemu, proxy, client, news, log } = await begin();
    await lives(client, qemu, 0x1e);
    const again = back(client);
    proxy.cut();
    expect(await again).toMatchObject({ returned: false });
    await whole(client);
    await lives(client, qemu, 0x30);
    expect(phases(news)).toEqual(['waiting', 'back']);
    const [before, after] = ids(news);
    expect(after).not.toBe(before);
    // A number would make it a hand-over's (spec §1.7).
    expect(proxy.hellos.filter(({ channelType }) => channelType === 1)).toEqual([
      { connectionId: 0, channelType: 1 },
      { connectionId: 0, channelType: 1 },
    ]);
    expect(log).toEqual([]);
  });

  test('takes the place of its own dead connection, which QEMU has not noticed', async () => {
    const { qemu, proxy, client, news } = await begin();
    await lives(client, qemu, 0x1e);
    const again = back(client);
    proxy.lose();
    await again;
    await whole(client);
    await lives(client, qemu, 0x30);
    expect(phases(news)).toEqual(['waiting', 'back']);
  });

  test('gives up when it is turned away for good', async () => {
    const { qemu, proxy, client, news } = await begin();
    await qemu.qmp('set_password', { protocol: 'spice', password: 'another' });
    const closed = first(client.events, (event) => event.event === 'closed', 20_000);
    proxy.cut();
    expect(await closed).toMatchObject({ reason: 'permissionDenied' });
    expect(phases(news)).toEqual(['waiting']);
  });

  test('tries again while nothing is there', async () => {
    const { qemu, proxy, client, news } = await begin();
    const again = back(client);
    proxy.refuse(true);
    proxy.cut();
    const tries = () => phases(news).filter((phase) => phase === 'waiting').length;
    await first(client.events, () => tries() === 3, 20_000);
    proxy.refuse(false);
    await again;
    await whole(client);
    await lives(client, qemu, 0x30);
  });
});
