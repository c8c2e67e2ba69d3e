/** Sound between a server and a client of ours: raw to the sample, Opus to the pitch, both ways, and over a hand-over. */
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { loadOpus, type Opus } from '../../src/audio/opus.ts';
import type { Client, ClientOptions } from '../../src/client/client.ts';
import type { Played } from '../../src/client/sound.ts';
import type { Server } from '../../src/server/server.ts';
import { createTestCard, type TestCard } from '../../src/sources/test-card.ts';
import { tone } from '../../src/sources/tone.ts';
import { first, Network } from '../support/network.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { pitchOf, sine } from './tones.ts';

const format = { channels: 2, frequency: 48_000 };

let opus: Opus;
beforeAll(async () => {
  opus = await loadOpus();
});

let network: Network;
let stopTicking: (() => Promise<void>) | undefined;
const cards: TestCard[] = [];
afterEach(async () => {
  for (const card of cards.splice(0)) card.stop();
  const closed = network.close();
  await stopTicking?.();
  stopTicking = undefined;
  await closed;
});

/**
 * A clock that goes on by a millisecond in each turn of the loop, and by no more in one that was long: it is never ahead of
 * the wall's, and stands still while the machine does something else.
 */
function tickingClock(): VirtualClock {
  const clock = new VirtualClock(1_000);
  let isOver = false;
  const tick = async () => {
    while (!isOver) {
      await clock.advance(1);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  const ticking = tick();
  stopTicking = () => {
    isOver = true;
    return ticking;
  };
  return clock;
}

/** Milliseconds of the longest silence in a sound of two channels. */
function longestSilence(samples: Int16Array): number {
  let [longest, silent] = [0, 0];
  for (let i = 0; i < samples.length; i += 2) {
    silent = Math.abs(samples[i]!) < 300 ? silent + 1 : 0;
    longest = Math.max(longest, silent);
  }
  return (longest * 1_000) / format.frequency;
}

function host(name: string, packs: boolean): Server {
  const server = network.server(name);
  server.playback.opus = packs ? opus : undefined;
  server.record.opus = packs ? opus : undefined;
  return server;
}

const up = async (client: Client, channel: string) => {
  if (!client.channels.has(channel)) await first(client.events, () => client.channels.has(channel));
};

/** What a client plays, as one sound with the times of its parts. */
class Heard {
  readonly parts: { readonly time: number; readonly samples: Int16Array }[] = [];
  readonly words: string[] = [];
  frames = 0;
  private readonly client: Client;

  constructor(client: Client) {
    this.client = client;
    client.playback.played.subscribe((what) => this.take(what));
  }

  get all(): Int16Array {
    const all = new Int16Array(this.frames * 2);
    let at = 0;
    for (const { samples } of this.parts) {
      all.set(samples, at);
      at += samples.length;
    }
    return all;
  }

  /**
   * Milliseconds of silence before each part but the first: a part comes when its last sample has been played, so the time
   * that went by since the part before is as long as the part, unless nothing was played.
   */
  get gaps(): number[] {
    return this.parts
      .slice(1)
      .map(({ time, samples }, i) => time - this.parts[i]!.time - samples.length / (format.frequency / 500));
  }

  async until(holds: (heard: this) => boolean): Promise<void> {
    if (!holds(this)) await first(this.client.playback.played, () => holds(this));
  }

  private take(what: Played): void {
    if (what.type !== 'samples') {
      this.words.push(what.type);
      return;
    }
    this.parts.push({ time: what.time, samples: what.samples });
    this.frames += what.samples.length / 2;
  }
}

async function stage(packs: { server: boolean; client: boolean }, more: Partial<ClientOptions> = {}) {
  network = new Network();
  const server = host('host', packs.server);
  const client = network.client('host', { ...(packs.client ? { loadOpus } : {}), ...more });
  const heard = new Heard(client);
  await up(client, 'playback:0');
  return { server, client, heard };
}

describe('playback', () => {
  it.each([
    [false, true],
    [true, false],
    [false, false],
  ])('is raw and exact unless both sides have Opus (server %s, client %s)', async (server, client) => {
    const { server: guest, heard, client: listener } = await stage({ server, client });
    guest.playback.start(format);
    for (let at = 0; at < 4_800; at += 480) guest.playback.write(tone(at, 480));
    guest.playback.stop();
    await heard.until(({ words }) => words.includes('stop'));
    expect(heard.words).toEqual(['start', 'stop']);
    expect(heard.all).toEqual(tone(0, 4_800));
    expect(listener.playback.compression).toBe('raw');
    expect([...listener.playback.undecoded]).toEqual([]);
  });

  it('is Opus where both sides have it, and ends with what was less than a packet', async () => {
    const { server, client, heard } = await stage({ server: true, client: true });
    server.playback.start(format);
    for (let at = 0; at < 48_000; at += 500) server.playback.write(tone(at, 500));
    server.playback.write(tone(48_000, 100));
    server.playback.stop();
    await heard.until(({ words }) => words.includes('stop'));
    expect(client.playback.compression).toBe('opus');
    expect(heard.frames).toBe(48_480);
    const { pitch, peak } = pitchOf(heard.all.subarray(9_600, 90_000), format);
    expect(pitch).toBeCloseTo(440, 0);
    expect(peak).toBeGreaterThan(5_000);
  });

  it('is raw where Opus does not suit the format, and Opus again after it', async () => {
    const { server, client, heard } = await stage({ server: true, client: true });
    const modes: string[] = [];
    client.playback.played.subscribe(({ type }) => type === 'start' && modes.push(client.playback.compression));
    for (const frequency of [44_100, 48_000]) {
      server.playback.start({ channels: 2, frequency });
      server.playback.write(tone(0, 480));
      server.playback.stop();
    }
    await heard.until(({ words }) => words.length === 4);
    expect(modes).toEqual(['raw', 'opus']);
    expect(heard.parts[0]!.samples).toEqual(tone(0, 480));
    expect(heard.frames).toBe(960);
  });

  it('loses nothing while the codec is being loaded, and keeps the order', async () => {
    let loaded = () => {};
    const slow = new Promise<void>((resolve) => {
      loaded = resolve;
    });
    const { server, heard } = await stage(
      { server: true, client: true },
      {
        loadOpus: async () => {
          await slow;
          return opus;
        },
      },
    );
    server.playback.start(format);
    server.playback.write(tone(0, 4_800));
    server.playback.stop();
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect([heard.words, heard.frames]).toEqual([[], 0]);
    loaded();
    await heard.until(({ words }) => words.includes('stop'));
    expect([heard.words, heard.frames]).toEqual([['start', 'stop'], 4_800]);
  });

  it('counts what it cannot decode when the codec cannot be had', async () => {
    const { server, client, heard } = await stage(
      { server: true, client: true },
      { loadOpus: () => Promise.reject(new Error('it is not there')) },
    );
    server.playback.start(format);
    server.playback.write(tone(0, 960));
    server.playback.stop();
    await heard.until(({ words }) => words.includes('stop'));
    expect([heard.frames, [...client.playback.undecoded]]).toEqual([0, [[3, 2]]]);
  });

  it('tells volume and mute', async () => {
    const { server, client } = await stage({ server: false, client: false });
    const told: Played[] = [];
    client.playback.played.subscribe((what) => told.push(what));
    const muted = first(client.playback.played, ({ type }) => type === 'mute');
    server.playback.volume([1, 65_535]);
    server.playback.mute(true);
    await muted;
    expect(told).toEqual([
      { type: 'volume', volume: [1, 65_535] },
      { type: 'mute', mute: true },
    ]);
  });

  it('tells how long sound is to be held back', async () => {
    const { server, client } = await stage({ server: false, client: false });
    const told = first(client.playback.played, ({ type }) => type === 'latency');
    server.playback.latency(180);
    expect(await told).toEqual({ type: 'latency', latencyMs: 180 });
  });
});

describe('record', () => {
  const listen = async (packs: { server: boolean; client: boolean }) => {
    const { server, client } = await stage(packs);
    await up(client, 'record:0');
    const parts: Int16Array[] = [];
    server.record.heard.subscribe((samples) => parts.push(samples));
    const wanted = first(client.record.wanted, (value) => value !== undefined);
    server.record.start(format);
    expect(await wanted).toEqual(format);
    const all = async (samples: number) => {
      const count = () => parts.reduce((sum, part) => sum + part.length, 0);
      const deadline = Date.now() + 5_000;
      while (count() < samples && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5));
      return Int16Array.from(parts.flatMap((part) => [...part]));
    };
    return { server, client, all };
  };

  it('is raw and exact unless both sides have Opus', async () => {
    const { client, all } = await listen({ server: true, client: false });
    const said = sine(500, 0.2, format);
    expect(client.record.write(said)).toBe(true);
    expect(await all(said.length)).toEqual(said);
  });

  it('is Opus where both sides have it', async () => {
    const { server, client, all } = await listen({ server: true, client: true });
    const said = sine(500, 1, format);
    for (let at = 0; at < said.length; at += 2_000) client.record.write(said.subarray(at, at + 2_000));
    const heard = await all(said.length);
    expect(heard.length).toBe(said.length);
    expect(pitchOf(heard.subarray(19_200), format).pitch).toBeCloseTo(500, 0);
    server.record.stop();
    await first(client.record.wanted, (value) => value === undefined);
    expect(client.record.write(said)).toBe(false);
  });
});

describe('a tone over a seamless hand-over', () => {
  it.each([
    ['raw', false],
    ['Opus', true],
  ])('goes on where it was, without a gap over 20 ms: %s', async (_, packs) => {
    // What the machine does besides is no part of a gap: see the clock.
    const clock = tickingClock();
    network = new Network(clock);
    const [source, target] = [host('source', packs), host('target', packs)];
    const [here, there] = [createTestCard({ clock, microphone: false }), createTestCard({ clock, microphone: false })];
    cards.push(here, there);
    here.plug(source);
    there.plug(target);
    here.run();
    const client = network.client('source', packs ? { loadOpus } : {});
    const heard = new Heard(client);
    await up(client, 'playback:0');
    await heard.until(({ frames }) => frames > 9_600);
    const move = async (from: Server, to: Server, leaving: TestCard, coming: TestCard, name: string) => {
      const linked = first(client.events, (event) => event.event === 'handover' && event.phase === 'linked');
      from.migrateConnect({ host: name, port: 1 }, { scheme: 'seamless' });
      await linked;
      const switched = first(client.events, (event) => event.event === 'handover' && event.phase === 'switched');
      leaving.stop();
      coming.load(leaving.save());
      to.multiMediaTime = from.multiMediaTime;
      to.guestArrived();
      from.migrateEnd(true);
      coming.run();
      expect(await switched).toMatchObject({ scheme: 'seamless' });
      const before = heard.frames;
      await heard.until(({ frames }) => frames > before + 14_400);
    };
    // There and back again.
    for (let turn = 0; turn < 4; turn++) {
      const since = heard.parts.length;
      await (turn % 2 === 0
        ? move(source, target, here, there, 'target')
        : move(target, source, there, here, 'source'));
      const gaps = heard.gaps.slice(since - 1).map(Math.abs);
      expect(Math.max(...gaps), `move ${turn}: ${gaps}`).toBeLessThanOrEqual(20);
      expect(client.playback.compression).toBe(packs ? 'opus' : 'raw');
    }
    expect(heard.words).toEqual(['start', ...Array(4).fill(['stop', 'start']).flat()]);
    expect(longestSilence(heard.all.subarray(4_800))).toBeLessThanOrEqual(20);
    if (packs) {
      // Before, and after: in between a codec begins anew.
      for (const part of [heard.all.slice(9_600, 19_200), heard.all.slice(-19_200)]) {
        expect(pitchOf(part, format).pitch).toBeCloseTo(440, 0);
      }
      return;
    }
    // The very samples of the tone, from wherever it was heard first: none is missing, none twice.
    const all = heard.all;
    const start = Array.from({ length: 1_200 }, (_, i) => i).find((at) => {
      const there = tone(at, 240);
      return there.every((sample, i) => sample === all[i]);
    });
    expect(start).toBeDefined();
    expect(all).toEqual(tone(start!, heard.frames));
  });
});
