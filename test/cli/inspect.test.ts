/** `sumac inspect`: a journal that a server and a client have written, in the page's feed as it was. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { type Picture, readPicture } from '../../inspector/feed.ts';
import { runSumac } from '../../src/cli/run.ts';
import { connect } from '../../src/connect.ts';
import { openJournal } from '../../src/open-journal.ts';
import { createServer } from '../../src/server/server.ts';
import { first } from '../support/network.ts';

const ended: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end();
});

/** Source, target and client, each with its own journal; two hand-overs. */
async function recorded(place: string): Promise<void> {
  const journals = await openJournal({ place });
  const one = await createServer({ host: '127.0.0.1', port: 0, journal: journals.journal('one') });
  const two = await createServer({ host: '127.0.0.1', port: 0, journal: journals.journal('two') });
  const { host, port } = one.addresses;
  for (const { display } of [one, two]) display.fill({ left: 0, top: 0, right: 4_000, bottom: 4_000 }, 0x306090);
  const client = connect({ uri: `spice://${host}:${port}`, journal: journals.journal('viewer') });
  await vi.waitFor(() => expect(client.channels.size).toBe(6), 10_000);
  for (const [from, to] of [
    [one, two],
    [two, one],
  ] as const) {
    const linked = first(from.events, (event) => event.event === 'migrate_connect_complete');
    from.migrateConnect({ host: '127.0.0.1', port: to.addresses.port });
    await linked;
    const switched = first(client.events, (event) => event.event === 'handover' && event.phase === 'switched');
    const left = first(from.events, (event) => event.event === 'migrate_end_complete');
    to.guestArrived();
    from.migrateEnd(true);
    await switched;
    await left;
  }
  client.close();
  await one.close();
  await two.close();
  await journals.close();
}

test('shows the hand-overs of a journal, each chart where it was', async () => {
  const place = await mkdtemp(join(tmpdir(), 'sumac-inspect-'));
  ended.push(() => rm(place, { recursive: true, force: true }));
  await recorded(place);
  const stop = new AbortController();
  const out: string[] = [];
  const err: string[] = [];
  const code = runSumac(['inspect', place], {
    out: (line) => out.push(line),
    err: (line) => err.push(line),
    env: {},
    stopped: stop.signal,
  });
  const url = await vi.waitFor(() => {
    const found = /http:\/\/\S+/.exec(out.join('\n'))?.[0];
    expect(found).toBeDefined();
    return found!;
  }, 10_000);
  const socket = new WebSocket(new URL('/feed', url.replace(/^http/, 'ws')));
  ended.push(() => socket.terminate());
  const hello = await new Promise<any>((resolve, reject) => {
    socket.on('message', (data, binary) => {
      if (!binary) resolve(JSON.parse(String(data)));
    });
    socket.on('error', reject);
  });
  expect(hello).toMatchObject({ t: 'hello', mode: 'journal' });
  expect(hello.parties.map(({ name, side }: { name: string; side: string }) => `${name} ${side}`).sort()).toEqual([
    'one server',
    'two server',
    'viewer client',
  ]);
  const phases = hello.records.filter((record: any) => record.kind === 'handover').map((record: any) => record.phase);
  expect(phases).toEqual(['begun', 'linked', 'switched', 'begun', 'linked', 'switched']);
  const departed = hello.records.filter((record: any) => record.kind === 'snapshot' && record.value === 'departed');
  expect(departed).toHaveLength(2);
  // What the client showed while it was handed over: its picture is drawn anew from the bytes that came.
  const shown = new Promise<Picture[]>((resolve) => {
    const pictures: Picture[] = [];
    socket.on('message', (data, binary) => {
      const picture = binary ? readPicture(new Uint8Array(data as Buffer)) : undefined;
      if (picture !== undefined) pictures.push(picture);
      else if (JSON.parse(String(data)).t === 'looked') resolve(pictures);
    });
  });
  const at = hello.records.findLast((record: any) => record.kind === 'handover').at;
  socket.send(JSON.stringify({ t: 'look', at }));
  const viewer = hello.parties.find(({ side }: { side: string }) => side === 'client').id;
  const picture = (await shown).find(({ party }) => party === viewer);
  expect(picture).toMatchObject({ at, width: 192 });
  expect(picture!.pixels.subarray(0, 4)).toEqual(Uint8Array.of(0x30, 0x60, 0x90, 255));
  stop.abort();
  expect(await code).toBe(0);
  expect(err).toEqual([]);
});

test('says in one line that there is nothing to show', async () => {
  const err: string[] = [];
  const code = await runSumac(['inspect', join(tmpdir(), 'sumac-no-such-journal')], {
    out: () => {},
    err: (line) => err.push(line),
    env: {},
    stopped: new AbortController().signal,
  });
  expect(code).not.toBe(0);
  expect(err).toHaveLength(1);
});
