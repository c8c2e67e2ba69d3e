/** A server's display as its clients see it: after anything that an application may draw, at any pace, with any encoding. */
import { beforeAll, describe, expect, it } from 'vitest';
import { Caches } from '../../src/client/caches.ts';
import { type JpegCodec, loadJpeg } from '../../src/image/jpeg.ts';
import { caps, DisplayCap } from '../../src/protocol/capabilities.ts';
import { ImageCompression } from '../../src/protocol/constants.ts';
import { readMigrateData } from '../../src/protocol/migrate-data.ts';
import { ServerDisplay } from '../../src/server/display.ts';
import { type EncodingOptions, imageCompressions } from '../../src/server/picture-encoder.ts';
import { wallClock } from '../../src/transport/clock.ts';
import { naturalPicture, screenPicture, xorshift } from '../bench/image-pictures.ts';
import { turns, Watcher } from './watcher.ts';

let jpeg: JpegCodec;
beforeAll(async () => {
  jpeg = await loadJpeg();
});

const rect = (left: number, top: number, right: number, bottom: number) => ({ left, top, right, bottom });
const [width, height] = [320, 240];
const all = rect(0, 0, width, height);
const photo = naturalPicture(width, height);
const desktop = screenPicture(width, height);
const shows = (display: ServerDisplay, picture: { data: Uint8Array }) => display.draw(all, picture.data.slice());

/** A display with a desktop on it, and one who watches. */
function watched(options: EncodingOptions = {}, more = {}) {
  const display = new ServerDisplay(width, height, options, { clock: wallClock, jpeg });
  shows(display, desktop);
  return { display, watcher: new Watcher(display, more).begin(more) };
}

/** What an application does at random: all that it can, some of it out of bounds. */
function scribble(display: ServerDisplay, random: () => number): void {
  const { width, height } = display;
  const some = (most: number) => random() % most;
  const area = () => {
    const [left, top] = [some(width + 20) - 10, some(height + 20) - 10];
    return rect(left, top, left + 1 + some(width >> 1), top + 1 + some(height >> 1));
  };
  const cut = (picture: { data: Uint8Array }, { left, top, right, bottom }: typeof all) => {
    const words = new Uint32Array(picture.data.buffer, picture.data.byteOffset, picture.data.byteLength >> 2);
    const pixels = new Uint32Array((right - left) * (bottom - top));
    for (let i = 0; i < pixels.length; i++) {
      const [x, y] = [left + (i % (right - left)), top + Math.floor(i / (right - left))];
      pixels[i] = words[(Math.abs(y) % 240) * 320 + (Math.abs(x) % 320)]! | (random() << 24);
    }
    return new Uint8Array(pixels.buffer);
  };
  const place = area();
  switch (some(8)) {
    case 0:
    case 1:
      display.fill(place, random());
      break;
    case 2:
      display.copy(place, { x: some(width) - 5, y: some(height) - 5 });
      break;
    case 3:
      if (some(12) === 0) display.resize(16 + some(320), 16 + some(240));
      break;
    case 4: {
      // The same few pictures again and again, as icons and menus come.
      const icon = rect(some(4) * 20, 10, some(4) * 20 + 40, 30);
      if (icon.right > icon.left) display.draw(icon, cut(desktop, rect(0, 0, icon.right - icon.left, 20)));
      break;
    }
    case 5: {
      const scrolled = new Uint8Array(width * height * 4);
      scrolled.set(display.pixels.subarray(some(height) * width * 4));
      display.draw(rect(0, 0, width, height), scrolled);
      break;
    }
    default:
      display.draw(place, cut(some(2) ? photo : desktop, place));
  }
}

describe.each(imageCompressions)('with image-compression %s', (imageCompression) => {
  it.each([1, 2, 3])('a client shows what was drawn, however slow it is (%i)', async (seed) => {
    const { display, watcher } = watched({ imageCompression }, { pixmapCacheSize: 20_000n });
    const random = xorshift(seed * 7_919);
    for (let step = 0; step < 150; step++) {
      scribble(display, random);
      if (random() % 4 === 0) watcher.makeRoom(random() % 3 === 0 ? 1_000 : random() % 6);
      if (random() % 8 === 0) await turns(1);
    }
    watcher.makeRoom(1_000);
    await turns();
    expect(await watcher.differs(display)).toBe(0);
    expect([...watcher.screen.undrawn]).toEqual([]);
  });

  it('the client keeps no more than it has room for', async () => {
    const { display, watcher } = watched({ imageCompression }, { pixmapCacheSize: 5_000n });
    const random = xorshift(5);
    for (let step = 0; step < 200; step++) {
      const from = (random() % 6) * 500 * 4;
      const [left, top] = [(random() % 8) * 40, (random() % 5) * 40];
      display.draw(rect(left, top, left + 30, top + 30), desktop.data.slice(from, from + 3_600));
      expect(watcher.screen.caches.images.pixels).toBeLessThanOrEqual(5_000);
    }
    expect(watcher.counts.get('inval_list')).toBeGreaterThan(0);
    expect(watcher.counts.get('draw_copy from_cache')).toBeGreaterThan(0);
    expect(await watcher.differs(display)).toBe(0);
  });
});

describe('the cheapest encoding', () => {
  const types = async (options: EncodingOptions, draw: (display: ServerDisplay) => void, more = {}) => {
    const { display, watcher } = watched(options, more);
    watcher.counts.clear();
    draw(display);
    await turns();
    expect(await watcher.differs(display)).toBe(0);
    return [...watcher.counts.keys()];
  };
  const photograph = (display: ServerDisplay) => shows(display, photo);
  const typing = (display: ServerDisplay) => display.draw(rect(10, 10, 90, 60), desktop.data.slice(40_000, 56_000));

  it('of one colour is a fill', async () => {
    const blank = (display: ServerDisplay) => display.draw(rect(0, 0, 50, 50), new Uint8Array(10_000).fill(0x33));
    expect(await types({}, blank)).toEqual(['draw_fill']);
  });

  it('of a photograph is QUIC, of a desktop GLZ or LZ', async () => {
    expect(await types({}, photograph)).toEqual(['draw_copy quic']);
    expect(await types({}, typing)).toEqual(['draw_copy glz_rgb']);
    expect(await types({ imageCompression: 'auto_lz' }, photograph)).toEqual(['draw_copy quic']);
    expect(await types({ imageCompression: 'auto_lz' }, typing)).toEqual(['draw_copy lz_rgb']);
    expect(await types({ imageCompression: 'glz' }, photograph)).toEqual(['draw_copy glz_rgb']);
  });

  it('is LZ4 only for a client that has it', async () => {
    const none = { peerCaps: caps(DisplayCap.monitorsConfig) };
    expect(await types({ imageCompression: 'lz4' }, typing)).toEqual(['draw_copy lz4']);
    expect(await types({ imageCompression: 'lz4' }, typing, none)).toEqual(['draw_copy lz_rgb']);
  });

  it('is LZ where the client has no window for GLZ', async () => {
    expect(await types({}, typing, { glzDictionaryWindowSize: 0 })).toEqual(['draw_copy lz_rgb']);
  });

  it('of GLZ is packed once more where that was asked for', async () => {
    const first = (display: ServerDisplay) =>
      display.draw(
        all,
        photo.data.map((byte, i) => byte ^ (i & 7)),
      );
    const options = { imageCompression: 'glz', zlibGlzWanCompression: 'always' } as const;
    expect(await types(options, first)).toEqual(['draw_copy zlib_glz_rgb']);
  });

  it('of a photograph is JPEG only where that was asked for, and then close', async () => {
    for (const jpegWanCompression of ['auto', 'never'] as const) {
      expect(await types({ jpegWanCompression }, photograph)).toEqual(['draw_copy quic']);
    }
    const { display, watcher } = watched(
      { jpegWanCompression: 'always' },
      { caches: new Caches({}, async () => jpeg) },
    );
    shows(display, photo);
    await turns();
    expect(watcher.counts.get('draw_copy jpeg')).toBe(1);
    expect(await watcher.differs(display)).toBeGreaterThan(1_000);
    expect(await watcher.differs(display, 40)).toBeLessThan(10);
    typing(display);
    expect(watcher.counts.get('draw_copy glz_rgb')).toBeGreaterThan(0);
  });

  it('of a photograph is JPEG for a client whose link is slow, and exact when it has come to rest', async () => {
    const display = new ServerDisplay(width, height, {}, { clock: wallClock, loadJpeg: async () => jpeg });
    const caches = () => new Caches({}, async () => jpeg);
    const [slow, fast] = [new Watcher(display, { caches: caches() }).begin(), new Watcher(display).begin()];
    slow.answer(1);
    fast.answer(1);
    // Always another part of it, so that nothing is scrolling.
    const turned = (by: number) => {
      const words = new Uint32Array(photo.data.slice().buffer);
      return new Uint8Array(Uint32Array.from(words, (_, i) => words[(i + by) % words.length]!).buffer);
    };
    for (let i = 1; i <= 24; i++) {
      display.draw(all, turned(i * 13));
      await turns(3);
      slow.answer(2_000);
      fast.answer(2);
    }
    expect(slow.counts.get('draw_copy jpeg')).toBeGreaterThan(0);
    expect(fast.counts.get('draw_copy jpeg')).toBeUndefined();
    expect(await slow.differs(display)).toBeGreaterThan(1_000);
    const answering = setInterval(() => slow.answer(2_000), 50);
    try {
      await expect.poll(() => slow.differs(display), { timeout: 10_000 }).toBe(0);
    } finally {
      clearInterval(answering);
    }
    expect(await fast.differs(display)).toBe(0);
    slow.end();
    fast.end();
  });

  it('of what is there already is nothing, of what has moved a copy', async () => {
    expect(await types({}, (display) => shows(display, desktop))).toEqual([]);
    const scroll = (display: ServerDisplay) => {
      const moved = desktop.data.slice();
      moved.copyWithin(0, width * 4 * 20);
      display.draw(all, moved);
    };
    expect(await types({}, scroll)).toEqual(['copy_bits']);
  });

  it('of what came before is what the client keeps of it', async () => {
    const { display, watcher } = watched();
    const icons = [desktop, photo].map(({ data }) => data.slice(40_000, 44_096));
    for (let i = 0; i < 8; i++) display.draw(rect(100, 100, 132, 132), icons[i % 2]!.slice());
    // Each is kept when it comes for the second time.
    expect(watcher.counts.get('draw_copy from_cache')).toBe(4);
    expect(await watcher.differs(display)).toBe(0);
  });
});

describe('a client', () => {
  it('is shown a surface only when all of it is there', async () => {
    const display = new ServerDisplay(2_560, 1_700, {}, { clock: wallClock });
    display.draw(rect(0, 0, 2_560, 1_700), screenPicture(2_560, 1_700).data);
    const watcher = new Watcher(display);
    const order: string[] = [];
    watcher.onMessage = ({ type }) => order.push(type.slice(4));
    watcher.room = 4;
    watcher.begin();
    expect(order).not.toContain('mark');
    watcher.makeRoom(1_000);
    await turns();
    expect(order.slice(0, 3)).toEqual(['surface_create', 'monitors_config', 'draw_copy']);
    expect(order.indexOf('mark')).toBe(order.length - 1);
    expect(order.filter((type) => type === 'draw_copy').length).toBeGreaterThan(6);
    expect(await watcher.differs(display)).toBe(0);
  });

  it('that is slow gets few pictures and the last one, and holds up nobody', async () => {
    const { display, watcher: fast } = watched();
    const slow = new Watcher(display).begin();
    await turns();
    slow.makeRoom(0);
    const before = slow.sent;
    for (let i = 0; i < 100; i++) display.draw(rect(0, 0, 100, 100), photo.data.slice(i * 16, i * 16 + 40_000));
    expect(fast.sent - before).toBeGreaterThan(90);
    expect(slow.sent).toBe(before);
    slow.makeRoom(1_000);
    await turns();
    expect(slow.sent - before).toBeLessThan(5);
    expect([await fast.differs(display), await slow.differs(display)]).toEqual([0, 0]);
  });

  it('gets the way that it prefers, and no other client with it', async () => {
    const { display, watcher } = watched();
    const other = new Watcher(display).begin();
    const prefer = (name: keyof typeof ImageCompression) =>
      watcher.messages.next({ type: 'msgc.preferred_compression', body: { imageCompression: ImageCompression[name] } });
    const seen: (string | undefined)[] = [];
    for (const name of ['lz', 'quic', 'off', 'lz4', 'auto_glz', 'invalid'] as const) {
      prefer(name);
      watcher.counts.clear();
      other.counts.clear();
      display.draw(rect(0, 0, 60, 60), desktop.data.slice(seen.length * 4_000, seen.length * 4_000 + 14_400));
      seen.push([...watcher.counts.keys()][0]);
      expect([...other.counts.keys()]).toEqual(['draw_copy glz_rgb']);
    }
    expect(seen).toEqual(['lz_rgb', 'quic', 'bitmap', 'lz4', 'glz_rgb', 'glz_rgb'].map((type) => `draw_copy ${type}`));
  });

  it('that leaves is forgotten', async () => {
    const { display, watcher } = watched();
    shows(display, photo);
    await turns();
    const again = new Watcher(display).begin();
    watcher.end();
    const sent = watcher.sent;
    shows(display, desktop);
    await turns();
    expect(await again.differs(display)).toBe(0);
    expect(watcher.sent).toBe(sent);
  });
});

describe('a seamless hand-over', () => {
  it('goes on with the numbers of the GLZ pictures, and forgets those that the client keeps', async () => {
    const { display: source, watcher } = watched({ imageCompression: 'glz' });
    const icon = desktop.data.slice(40_000, 44_096);
    for (let i = 0; i < 4; i++) {
      source.draw(rect(8, 8, 40, 40), icon.slice());
      source.fill(rect(8, 8, 40, 40), i);
    }
    expect(watcher.screen.caches.images.size).toBe(1);
    const data = source.collect(watcher.host);
    const state = readMigrateData('display', data);
    expect(state.glzDictData).toMatchObject({ size: 6_291_456, lastImageId: BigInt(watcher.screen.caches.glz.size) });
    expect(Number(state.messageSerial)).toBe(watcher.sent + 1);

    const target = new ServerDisplay(width, height, { imageCompression: 'glz' }, { clock: wallClock });
    shows(target, desktop);
    const arrived = new Watcher(target);
    const types: string[] = [];
    arrived.onMessage = (message) => {
      types.push(message.type.slice(4));
      watcher.screen.apply(message);
    };
    target.load(arrived.host, data);
    arrived.messages.next({ type: 'msgc.preferred_compression', body: { imageCompression: ImageCompression.glz } });
    expect(arrived.sent).toBe(watcher.sent);
    arrived.states.next({ type: 'ready', afresh: false });
    await turns();
    const forgetting = ['inval_all_pixmaps', 'inval_all_palettes', 'stream_destroy_all'];
    expect(types).toEqual([...forgetting, 'monitors_config', 'draw_copy']);
    for (let i = 0; i < 3; i++) target.draw(rect(8, 8, 40, 40), photo.data.slice(i * 64, i * 64 + 4_096));
    expect(await watcher.differs(target)).toBe(0);
    expect([...watcher.screen.undrawn]).toEqual([]);
  });
});
