/**
 * Pictures whose memory the application hands over: whatever else is drawn and whoever comes, clients show what was drawn, and
 * the memory comes back when nobody needs it. Each is written over as soon as it is released, so that who looks later is found.
 */
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Caches } from '../../src/client/caches.ts';
import { type Client, connect } from '../../src/client/client.ts';
import { UsageError } from '../../src/errors.ts';
import { type JpegCodec, loadJpeg } from '../../src/image/jpeg.ts';
import { caps, DisplayCap } from '../../src/protocol/capabilities.ts';
import { ServerDisplay } from '../../src/server/display.ts';
import { imageCompressions } from '../../src/server/picture-encoder.ts';
import { createServer, type Server } from '../../src/server/server.ts';
import { wallClock } from '../../src/transport/clock.ts';
import { dialTcp } from '../../src/transport/tcp.ts';
import { naturalPicture, screenPicture, xorshift } from '../bench/image-pictures.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { turns, Watcher } from './watcher.ts';

let jpeg: JpegCodec;
beforeAll(async () => {
  jpeg = await loadJpeg();
});

const rect = (left: number, top: number, right: number, bottom: number) => ({ left, top, right, bottom });
const [width, height] = [320, 240];
const all = rect(0, 0, width, height);
const photo = naturalPicture(400, 400);
const desktop = screenPicture(400, 400);

/** A piece of a picture, the fourth bytes anything. */
function piece(picture: { data: Uint8Array }, { left, top, right, bottom }: typeof all, number = 0): Uint8Array {
  const rows = new Uint8Array((right - left) * (bottom - top) * 4);
  for (let y = 0; y < bottom - top; y++) {
    const from = (((y + number) % 400) * 400 + ((number * 2) % 80)) * 4;
    rows.set(picture.data.subarray(from, from + (right - left) * 4), y * (right - left) * 4);
  }
  for (let i = 3; i < rows.length; i += 4) rows[i] = i * 31;
  return rows;
}

/** Draws on one display by handing memory over, and on another by copying: both are to show the same. */
class Twins {
  readonly display: ServerDisplay;
  readonly plain: ServerDisplay;
  out = 0;

  constructor(
    options: ConstructorParameters<typeof ServerDisplay>[2] = {},
    clock: VirtualClock | undefined = undefined,
  ) {
    const tools = { clock: clock ?? wallClock, jpeg };
    this.display = new ServerDisplay(width, height, options, tools);
    this.plain = new ServerDisplay(width, height, options, tools);
  }

  draw(area: typeof all, pixels: Uint8Array): void {
    this.plain.draw(area, pixels);
    this.out++;
    let released = false;
    this.display.draw(area, pixels, {
      release: () => {
        expect(released).toBe(false);
        released = true;
        this.out--;
        pixels.fill(0xdb);
      },
    });
  }

  both(act: (display: ServerDisplay) => void): void {
    act(this.display);
    act(this.plain);
  }
}

const scribble = (twins: Twins, random: () => number): void => {
  const some = (most: number) => random() % most;
  const [left, top] = [some(width) - 10, some(height) - 10];
  const place = some(3) === 0 ? all : rect(left, top, left + 1 + some(200), top + 1 + some(150));
  const from = { x: some(width) - 5, y: some(height) - 5 };
  const color = random();
  switch (some(8)) {
    case 0:
      twins.both((display) => display.fill(place, color));
      break;
    case 1:
      twins.both((display) => display.copy(place, from));
      break;
    case 2: {
      const pixels = piece(desktop, place, some(100));
      twins.both((display) => display.draw(place, pixels));
      break;
    }
    default:
      twins.draw(place, piece(some(2) ? photo : desktop, place, some(100)));
      break;
  }
};

describe.each(imageCompressions)('with image-compression %s', (imageCompression) => {
  it.each([1, 2, 3])('clients show what was drawn, however slow they are and whenever they come (%i)', async (seed) => {
    const twins = new Twins({ imageCompression });
    const random = xorshift(seed * 104_729);
    const watchers = [new Watcher(twins.display).begin()];
    for (let step = 0; step < 120; step++) {
      scribble(twins, random);
      if (step % 40 === 20) watchers.push(new Watcher(twins.display).begin());
      if (random() % 4 === 0) watchers[random() % watchers.length]!.makeRoom(random() % 3 === 0 ? 1_000 : random() % 6);
      if (random() % 8 === 0) await turns(1);
    }
    for (const watcher of watchers) watcher.makeRoom(1_000);
    await turns();
    for (const watcher of watchers) expect(await watcher.differs(twins.plain)).toBe(0);
    twins.both((display) => display.fill(all, 0));
    expect(twins.out).toBe(0);
  });
});

describe('memory that is handed over', () => {
  it('is not copied, and comes back when something is drawn over all of it', async () => {
    const twins = new Twins();
    const watcher = new Watcher(twins.display).begin();
    twins.draw(all, piece(photo, all, 1));
    twins.draw(rect(0, 0, 100, 100), piece(photo, rect(0, 0, 100, 100), 2));
    expect(twins.out).toBe(2);
    twins.draw(all, piece(photo, all, 3));
    expect(twins.out).toBe(1);
    twins.both((display) => display.fill(rect(10, 10, 20, 20), 0xff0000));
    expect(twins.out).toBe(1);
    await turns();
    expect(await watcher.differs(twins.plain)).toBe(0);
    twins.both((display) => display.fill(all, 0xff00));
    expect(twins.out).toBe(0);
    await turns();
    expect(await watcher.differs(twins.plain)).toBe(0);
  });

  it('comes back when the pixels are asked for, moved, compared, or the screen is another one', () => {
    const twins = new Twins();
    const acts: ((display: ServerDisplay) => void)[] = [
      (display) => void display.pixels,
      (display) => display.copy(rect(10, 10, 50, 50), { x: 200, y: 200 }),
      (display) => display.draw(rect(5, 5, 9, 9), piece(desktop, rect(5, 5, 9, 9), 9)),
      (display) => display.resize(width, height),
    ];
    for (const act of acts) {
      twins.draw(all, piece(photo, all, 4));
      expect(twins.out).toBe(1);
      twins.both(act);
      expect(twins.out).toBe(0);
      expect(twins.display.pixels.filter((_, i) => i % 4 !== 3)).toEqual(
        twins.plain.pixels.filter((_, i) => i % 4 !== 3),
      );
    }
  });

  it('is never more than 32 MiB while nobody needs it drawn', () => {
    const display = new ServerDisplay(2_048, 2_048, {}, { clock: wallClock });
    let [out, most] = [0, 0];
    const size = 2_000 * 1_000 * 4;
    for (let i = 0; i < 20; i++) {
      out++;
      // None covers another.
      const area = rect(i, i * 2, i + 2_000, i * 2 + 1_000);
      display.draw(area, new Uint8Array(size).fill(i), { release: () => out-- });
      most = Math.max(most, out);
    }
    expect(most).toBe(Math.floor((32 * 1024 * 1024) / size));
    expect(out).toBe(most);
    const { pixels } = display;
    expect(out).toBe(0);
    for (const i of [0, 5, 19]) expect(pixels[(i * 2 * 2_048 + i) * 4]).toBe(i);
  });

  it('comes back at once where none of it is on the screen, and is not taken where it is too little', () => {
    const display = new ServerDisplay(width, height, {}, { clock: wallClock });
    let released = 0;
    display.draw(rect(400, 0, 500, 10), new Uint8Array(4_000), { release: () => released++ });
    expect(released).toBe(1);
    const draw = () => display.draw(rect(0, 0, 10, 10), new Uint8Array(399), { release: () => released++ });
    expect(draw).toThrow(UsageError);
    expect(released).toBe(1);
  });
});

describe('a picture that was handed over', () => {
  it('is sent whole, in one message where nothing is compressed', async () => {
    const twins = new Twins({ imageCompression: 'off' });
    const watcher = new Watcher(twins.display).begin();
    await turns();
    watcher.counts.clear();
    for (let i = 0; i < 3; i++) twins.draw(all, piece(photo, all, i >> 1));
    expect([...watcher.counts]).toEqual([['draw_copy bitmap', 3]]);
  });

  it('that a slow client has not been sent is left out, and the last one is not', async () => {
    const twins = new Twins({ imageCompression: 'off' });
    const [fast, slow] = [new Watcher(twins.display).begin(), new Watcher(twins.display).begin()];
    slow.makeRoom(0);
    const { sent } = slow;
    for (let i = 0; i < 50; i++) twins.draw(all, piece(photo, all, i));
    expect(twins.out).toBe(1);
    expect(slow.sent).toBe(sent);
    slow.makeRoom(1_000);
    expect(slow.sent - sent).toBe(1);
    expect([await fast.differs(twins.plain), await slow.differs(twins.plain)]).toEqual([0, 0]);
  });

  it('waits at the target of a hand-over as at its source', async () => {
    const [from, to] = [new Twins({ imageCompression: 'glz' }), new Twins({ imageCompression: 'glz' })];
    const watcher = new Watcher(from.display).begin();
    from.draw(all, piece(desktop, all, 1));
    to.draw(all, piece(desktop, all, 1));
    to.both((display) => display.fill(rect(30, 30, 60, 60), 0x123456));
    const arrived = new Watcher(to.display);
    arrived.onMessage = (message) => watcher.screen.apply(message);
    to.display.load(arrived.host, from.display.collect(watcher.host));
    to.draw(rect(40, 40, 90, 90), piece(photo, rect(40, 40, 90, 90), 2));
    arrived.states.next({ type: 'ready', afresh: false });
    await turns();
    expect(await watcher.differs(to.plain)).toBe(0);
    expect([...watcher.screen.undrawn]).toEqual([]);
  });

  it('again and again is a video, which is exact when it rests', async () => {
    const clock = new VirtualClock(5_000);
    const twins = new Twins({ streamingVideo: 'filter' }, clock);
    const peerCaps = caps(DisplayCap.monitorsConfig, DisplayCap.multiCodec, DisplayCap.codecMjpeg);
    const watcher = new Watcher(twins.display, { peerCaps, caches: new Caches({}, async () => jpeg) }).begin();
    const place = rect(40, 40, 200, 160);
    for (let i = 0; i < 50; i++) {
      twins.draw(place, piece(photo, place, i));
      await clock.advance(40);
    }
    expect([watcher.counts.get('stream_create'), watcher.counts.get('stream_data')]).toEqual([1, 31]);
    expect(await watcher.differs(twins.plain)).toBeGreaterThan(1_000);
    await clock.advance(1_000);
    expect(watcher.counts.get('stream_destroy')).toBe(1);
    expect(await watcher.differs(twins.plain)).toBe(0);
  });
});

describe('over a network', () => {
  let server: Server;
  const clients: Client[] = [];
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await server.close();
  });

  const stage = async () => {
    server = await createServer({ host: '127.0.0.1', port: 0, width, height, imageCompression: 'off' });
    const open = async () => {
      const client = connect({
        destination: { host: '127.0.0.1', port: server.addresses.port! },
        channels: ['display'],
        dial: (to, _secure, signal) => dialTcp(to, { signal }),
      });
      clients.push(client);
      await expect.poll(() => client.screens.get('display:0')?.primary()?.width).toBe(width);
      return client;
    };
    return { open };
  };

  it('what is sent from where it lies comes back when it is on its way, and arrives as it was', async () => {
    const { open } = await stage();
    const [one, other] = [await open(), await open()];
    const oracle = new ServerDisplay(width, height, {}, { clock: wallClock });
    let out = 0;
    for (let i = 0; i < 40; i++) {
      const pixels = piece(photo, all, i);
      oracle.draw(all, pixels);
      out++;
      const release = () => {
        out--;
        pixels.fill(0xdb);
      };
      server.display.draw(all, pixels, { release });
      if (i % 3 === 0) await turns(1);
    }
    const colors = (pixels: Uint8Array) => Buffer.from(pixels.filter((_, i) => i % 4 !== 3));
    for (const client of [one, other]) {
      const shown = () => colors(client.screens.get('display:0')!.primary()!.data);
      await expect.poll(() => shown().equals(colors(oracle.pixels))).toBe(true);
    }
    expect(out).toBe(1);
    server.display.fill(all, 0);
    await expect.poll(() => out).toBe(0);
  });

  it('what was on its way to a client that breaks off comes back too', async () => {
    const { open } = await stage();
    const client = await open();
    let out = 0;
    const big = rect(0, 0, 2_000, 2_000);
    server.display.resize(2_000, 2_000);
    await expect.poll(() => client.screens.get('display:0')?.primary()?.width).toBe(2_000);
    // The network takes nothing while this very loop is busy.
    for (let i = 0; i < 5; i++) {
      out++;
      const pixels = new Uint8Array(2_000 * 2_000 * 4).fill(i);
      pixels[0] = 255;
      server.display.draw(big, pixels, { release: () => out-- });
    }
    expect(out).toBe(2);
    void server.display.pixels;
    expect(out).toBe(1);
    client.close();
    await expect.poll(() => out).toBe(0);
  });

  it('nothing is kept by a server that is closed', async () => {
    const { open } = await stage();
    await open();
    let out = 0;
    for (let i = 0; i < 4; i++) {
      out++;
      const area = rect(0, i * 60, 320, i * 60 + 60);
      server.display.draw(area, piece(photo, area, i), { release: () => out-- });
    }
    expect(out).toBe(4);
    await server.close();
    await expect.poll(() => out).toBe(0);
  });
});
