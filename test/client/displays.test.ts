/** The displays of a session: what they offer and ask for, the caches that they share over hand-overs, and the clock. */
import { Subject } from 'rxjs';
import { afterEach, describe, expect, it } from 'vitest';
import { offeredCaches } from '../../machines/display/client.ts';
import { usualGlzPixels, usualImagePixels } from '../../src/client/caches.ts';
import { type DisplayOptions, Displays, displayCaps } from '../../src/client/displays.ts';
import type { ChannelHost, ChannelState } from '../../src/engine/channel-host.ts';
import type { System } from '../../src/engine/system.ts';
import { caps, DisplayCap, hasCap } from '../../src/protocol/capabilities.ts';
import { first, Network } from '../support/network.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { create, words } from './pictures-support.ts';

const able = caps(DisplayCap.prefCompression, DisplayCap.prefVideoCodecType, DisplayCap.streamReport);

/** Displays without an engine: each channel is told by hand what becomes of it. */
function stage(options: DisplayOptions = {}) {
  const clock = new VirtualClock(1_000);
  const waiters = new Set<{ satisfied(): boolean; go(): void }>();
  const progress = new Map<string, number>();
  const marked: unknown[] = [];
  const displays = new Displays({
    ...options,
    clock,
    mmTime: () => clock.now(),
    marked: (...what) => marked.push(what),
  });
  const open = (channel: string, peerCaps = able) => {
    const states = new Subject<ChannelState>();
    const messages = new Subject<{ type: string; body: any }>();
    const snapshots = new Subject<{ context: { link: string | null } }>();
    const sent: { type: string; body: any }[] = [];
    const send = (message: { type: string; body: any }) => sent.push(message);
    const host = { channel, peerCaps, states, messages, actor: snapshots, send } as unknown as ChannelHost;
    displays.attach(host, { progress, waiters } as unknown as System);
    const screen = displays.screens.get(channel)!;
    const link = (name: string | null) => snapshots.next({ context: { link: name } });
    const hear = (type: string, body: object = {}) => messages.next({ type: `msg.${type}`, body });
    return {
      ...{ states, sent, screen, link, hear },
      switchTo(name: string) {
        states.next({ type: 'switched', link: name });
        link(name);
      },
      /** A primary surface of one pixel, marked. */
      show(color: number, more: object = {}) {
        messages.next(create(0, 1, 1, 32, 1));
        const box = { left: 0, top: 0, right: 1, bottom: 1 };
        const base = { surfaceId: 0, box, clip: { type: 'none' } };
        const rest = { srcArea: box, ropDescriptor: 8, scaleMode: 0, mask: { flags: 0, pos: {}, bitmap: null } };
        hear('draw_copy', { base, srcBitmap: words([[color]], more), ...rest });
        hear('mark');
      },
    };
  };
  return { displays, clock, waiters, progress, marked, open };
}

const cacheMe = { id: 77n, flags: 1 };

describe('what displays offer', () => {
  it('is room for as much as they keep', () => {
    expect(Number(offeredCaches.pixmapCacheSize)).toBe(usualImagePixels);
    expect(offeredCaches.glzDictionaryWindowSize).toBe(usualGlzPixels);
  });

  it('is what there are decoders for', () => {
    const plain = displayCaps({});
    const decoder = { decode: () => undefined };
    const more = displayCaps({ videoDecoders: { vp8: () => decoder } });
    for (const bit of [DisplayCap.lz4Compression, DisplayCap.codecMjpeg, DisplayCap.streamReport]) {
      expect(hasCap(plain, bit)).toBe(true);
    }
    expect([plain, more].map((words) => hasCap(words, DisplayCap.codecVp8))).toEqual([false, true]);
    expect([plain, more].map((words) => hasCap(words, DisplayCap.glScanout))).toEqual([false, false]);
  });
});

describe('what displays ask for', () => {
  const options = { preferredCompression: 'lz4', preferredVideoCodecs: ['mjpeg', 'vp9'] } as const;
  const wishes = [
    { type: 'msgc.preferred_compression', body: { imageCompression: 7 } },
    { type: 'msgc.preferred_video_codec_type', body: { codecs: [1, 4] } },
  ];

  it('is asked on every link, of every server that lets itself be told', () => {
    const { open } = stage(options);
    const display = open('display:0');
    expect(display.sent).toEqual([]);
    display.link('link:1');
    expect(display.sent).toEqual(wishes);
    display.link('link:1');
    expect(display.sent).toEqual(wishes);
    display.switchTo('link:2');
    expect(display.sent).toEqual([...wishes, ...wishes]);
    const other = open('display:1', caps());
    other.link('link:3');
    expect(other.sent).toEqual([]);
  });

  it('is nothing by default', () => {
    const display = stage().open('display:0');
    display.link('link:1');
    expect(display.sent).toEqual([]);
  });
});

describe('the caches that displays share', () => {
  const has = ({ screen }: { screen: { caches: { images: { size: number } } } }) => screen.caches.images.size;

  it('are kept by a seamless hand-over', () => {
    const display = stage().open('display:0');
    display.link('link:1');
    display.show(1, cacheMe);
    display.states.next({ type: 'reset', keep: 'everything' });
    display.switchTo('link:2');
    expect([has(display), display.screen.primary()!.width]).toEqual([1, 1]);
  });

  it('are forgotten once by each of the others, and before the target fills them', () => {
    const { open } = stage();
    const [a, b] = [open('display:0'), open('display:1')];
    a.link('a1');
    b.link('b1');
    expect(a.screen.caches).toBe(b.screen.caches);
    for (const [i, [one, other]] of [
      [a, b],
      [a, b],
      [b, a],
    ].entries()) {
      a.show(i, cacheMe);
      one!.states.next({ type: 'reset', keep: 'primary' });
      expect(has(a)).toBe(0);
      one!.switchTo(`first:${i}`);
      one!.show(1, cacheMe);
      other!.states.next({ type: 'reset', keep: 'primary' });
      other!.switchTo(`second:${i}`);
      expect(has(a)).toBe(1);
    }
  });

  it('are forgotten by a new session, while the old picture is shown', () => {
    const { open } = stage();
    const before = [open('display:0'), open('display:1')];
    for (const [i, one] of before.entries()) one.link(`link:${i}`);
    before[0]!.show(0xff, cacheMe);
    for (const one of before) one.states.next({ type: 'ended' });
    const after = [open('display:0'), open('display:1')];
    expect(after[0]!.screen).toBe(before[0]!.screen);
    after[0]!.link('link:2');
    expect([has(after[0]!), after[0]!.screen.primary()]).toEqual([0, undefined]);
    expect(after[0]!.screen.shown()!.data[0]).toBe(0xff);
    after[0]!.show(1, cacheMe);
    after[1]!.link('link:3');
    expect(has(after[0]!)).toBe(1);
  });

  it('are kept where one of two displays is linked again', () => {
    const { open } = stage();
    const [a, b] = [open('display:0'), open('display:1')];
    a.link('a1');
    b.link('b1');
    a.show(1, cacheMe);
    b.link(null);
    b.link('b2');
    expect(has(a)).toBe(1);
    b.link(null);
    a.link(null);
    a.link('a2');
    expect(has(a)).toBe(0);
  });

  it('are cleared by the server when other channels have come far enough', async () => {
    const { open, progress, waiters } = stage();
    const display = open('display:0');
    display.link('link:1');
    display.show(1, cacheMe);
    progress.set('display:1', 4);
    display.hear('inval_all_pixmaps', { waitList: [{ type: 2, id: 1, serial: 5n }] });
    expect([has(display), waiters.size]).toEqual([1, 1]);
    progress.set('display:1', 5);
    const [waiter] = waiters;
    expect(waiter!.satisfied()).toBe(true);
    waiter!.go();
    await display.screen.settled();
    expect(has(display)).toBe(0);
    display.show(1, cacheMe);
    display.hear('inval_all_pixmaps', { waitList: [{ type: 2, id: 9, serial: 5n }] });
    expect(has(display)).toBe(0);
  });
});

describe('videos', () => {
  const place = { dest: { left: 0, top: 0, right: 1, bottom: 1 }, clip: { type: 'none' } };
  const begin = { surfaceId: 0, id: 0, flags: 1, codecType: 2, stamp: 0n, streamWidth: 1, streamHeight: 1, ...place };

  it('are shown at their time by the decoder of the host, and reported', async () => {
    const data = new Uint8Array(Uint32Array.of(0x123456).buffer);
    const decoder = { decode: () => ({ width: 1, height: 1, data, alpha: false }) };
    const { open, clock } = stage({ videoDecoders: { vp8: () => decoder } });
    const display = open('display:0');
    display.link('link:1');
    display.show(0);
    display.hear('stream_create', begin);
    display.hear('stream_activate_report', { streamId: 0, uniqueId: 3, maxWindowSize: 1, timeoutMs: 1_000 });
    display.hear('stream_data', { base: { id: 0, multiMediaTime: 1_400 }, data: Uint8Array.of(1) });
    const seen = () => new Uint32Array(display.screen.primary()!.data.slice().buffer)[0]! & 0xffffff;
    await clock.advance(399);
    expect(seen()).toBe(0);
    await clock.advance(2);
    expect(seen()).toBe(0x123456);
    expect(display.sent).toMatchObject([
      {
        type: 'msgc.stream_report',
        body: { streamId: 0, uniqueId: 3, numFrames: 1, numDrops: 0, lastFrameDelay: 400 },
      },
    ]);
  });
});

describe('with a server', () => {
  let network: Network;
  afterEach(() => network.close());

  it('the pointer is the one that the guest has set', async () => {
    network = new Network();
    const server = network.server('host');
    const bgra = Uint8Array.of(1, 2, 3, 255);
    server.cursor.set({ width: 1, height: 1, hotX: 0, hotY: 0, bgra });
    const client = network.client('host');
    await first(client.pointer.changes, (change) => change === 'visible');
    expect(client.pointer.shape).toEqual({ width: 1, height: 1, hotX: 0, hotY: 0, bgra });
    server.cursor.move(12, 34);
    await first(client.pointer.changes, (change) => change === 'position');
    expect(client.pointer.position).toEqual({ x: 12, y: 34 });
  });

  it('the preferred compression comes after the init and is no violation', async () => {
    network = new Network();
    network.server('host');
    const client = network.client('host', { preferredCompression: 'lz' });
    const frame = await first(client.events, (event) => event.event === 'frame');
    expect(frame).toMatchObject({ channel: 'display:0', width: 640, height: 480 });
    expect(network.log).toEqual([]);
  });
});
