/**
 * The Sumac client follows a guest that moves between two real QEMUs: every scheme that QEMU has, a cancelled move and a
 * failed one. After each the client is on the right host, every channel is up, and its picture is that QEMU's own.
 */
import { afterEach, expect, test } from 'vitest';
import { type Client, type ClientEvent, connect } from '../../src/client/client.ts';
import { dialTcp } from '../../src/transport/tcp.ts';
import { first } from '../support/network.ts';
import { keyWord } from '../support/peers/boot-sector.ts';
import { beginMove, linkClients, liveMigrate, openChannels } from '../support/peers/live-migrate.ts';
import { peerSuite } from '../support/peers/present.ts';
import { freePort } from '../support/peers/process.ts';
import { type Qemu, type QemuOptions, startQemuPair } from '../support/peers/qemu.ts';

const ended: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end();
});

const channels = ['main:0', 'display:0', 'inputs:0', 'cursor:0', 'playback:0'];

async function watch(options: Omit<QemuOptions, 'name' | 'incoming'>) {
  const pair = await startQemuPair({ password: 'secret', ...options });
  ended.push(
    () => pair.source.stop(),
    () => pair.target.stop(),
  );
  const log: string[] = [];
  const events: ClientEvent[] = [];
  const client = connect({
    destination: { host: '127.0.0.1', port: pair.source.spicePort },
    password: 'secret',
    dial: (destination, secure, signal) => dialTcp(destination, { signal, ...(secure ? { tls: {} } : {}) }),
    log: (line) => log.push(line),
  });
  client.events.subscribe((event) => events.push(event));
  ended.push(async () => client.close());
  await everyChannelUp(client);
  return { ...pair, client, log, events };
}

const everyChannelUp = (client: Client) => {
  const left = new Set(channels);
  return first(client.events, (event) => {
    if (event.event === 'channel' && event.state === 'up') left.delete(event.channel);
    return left.size === 0;
  });
};

type Handover = Extract<ClientEvent, { event: 'handover' }>;
const phase = (client: Client, wanted: Handover['phase']) =>
  first(client.events, (event): event is Handover => event.event === 'handover' && event.phase === wanted, 15_000);

/** The client lives on this QEMU: it shows that guest's picture, and a key that it sends reaches that guest. */
async function livesOn(client: Client, qemu: Qemu, key: number): Promise<void> {
  const since = qemu.process.mark();
  expect(client.input.keyDown(key)).toBe(true);
  client.input.keyUp(key | 0x80);
  await qemu.waitForGuest(keyWord(key), since);
  expect(await openChannels(qemu)).toBe(channels.length);
  await samePicture(client, qemu);
}

/** Byte for byte: the guest is halted while the two are compared. */
async function samePicture(client: Client, qemu: Qemu): Promise<void> {
  await qemu.qmp('stop');
  const own = await qemu.screendump();
  let differing = -1;
  for (let tries = 0; tries < 100 && differing !== 0; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    const screen = client.screens.get('display:0')!;
    await screen.settled();
    const shown = screen.primary();
    if (shown === undefined || shown.width !== own.width || shown.height !== own.height) continue;
    differing = 0;
    for (let i = 0, at = 0; at < own.rgb.length; i += 4, at += 3) {
      if (
        shown.data[i + 2] !== own.rgb[at] ||
        shown.data[i + 1] !== own.rgb[at + 1] ||
        shown.data[i] !== own.rgb[at + 2]
      ) {
        differing++;
      }
    }
  }
  expect(differing, 'differing pixels').toBe(0);
  expect([...client.screens.get('display:0')!.undrawn]).toEqual([]);
  await qemu.qmp('cont');
}

peerSuite('the Sumac client on two QEMUs', ['qemu-system-x86_64'], () => {
  test.each([
    ['seamless', true],
    ['semi-seamless', false],
  ] as const)('%s, though the ticket expires once it has linked', async (scheme, seamless) => {
    const { source, target, client, log } = await watch({ image: 'moving', seamless });
    await livesOn(client, source, 0x1e);
    const linked = phase(client, 'linked');
    const switched = phase(client, 'switched');
    const report = await liveMigrate(source, target, { expireTarget: true, until: () => linked });
    expect(report.outcome).toBe('completed');
    const { scheme: done, channels: moved, gapMs } = await switched;
    expect(done).toBe(scheme);
    expect([...moved].sort()).toEqual([...channels].sort());
    console.log(`${scheme}: gap ${gapMs?.toFixed(1)} ms`);
    await source.stop();
    await livesOn(client, target, 0x30);
    expect(log).toEqual([]);
  });

  test('switch-host, when the target could not be linked', async () => {
    const { source, target, client } = await watch({ image: 'moving', seamless: true });
    await livesOn(client, source, 0x1e);
    const failed = phase(client, 'failed');
    const switched = phase(client, 'switched');
    await linkClients(source, target, { link: 'refused', until: () => failed });
    const up = everyChannelUp(client);
    const move = await beginMove(source, target);
    expect((await move.finish()).outcome).toBe('completed');
    expect(await switched).toMatchObject({ scheme: 'switch-host', to: `127.0.0.1:${target.spicePort}` });
    await up;
    await livesOn(client, target, 0x30);
  });

  test.each([true, false])('a cancel after it has linked (seamless %s)', async (seamless) => {
    const { source, target, client } = await watch({ image: 'dirtying', seamless });
    const linked = phase(client, 'linked');
    await linkClients(source, target, { until: () => linked });
    const cancelled = phase(client, 'cancelled');
    const move = await beginMove(source, target, { bandwidth: 4_096 });
    expect((await move.cancel()).outcome).toBe('cancelled');
    await cancelled;
    await samePicture(client, source);
    expect(await openChannels(source)).toBe(channels.length);
    // The session and its channels, and nothing of the attempt.
    expect(client.system.population).toBe(1 + channels.length);
  });

  test('a move that fails', async () => {
    const { source, target, client } = await watch({ image: 'moving', seamless: true });
    const linked = phase(client, 'linked');
    await linkClients(source, target, { until: () => linked });
    const cancelled = phase(client, 'cancelled');
    const move = await beginMove(source, target, { uri: `tcp:127.0.0.1:${await freePort()}` });
    expect((await move.finish()).outcome).toBe('failed');
    await cancelled;
    await livesOn(client, source, 0x30);
  });
});
