/** Moving regions as videos: when they begin and end, who gets them, and that nothing of them stays when they have ended. */
import { beforeAll, describe, expect, it } from 'vitest';
import { Caches } from '../../src/client/caches.ts';
import { type JpegCodec, loadJpeg } from '../../src/image/jpeg.ts';
import { caps, DisplayCap } from '../../src/protocol/capabilities.ts';
import { VideoCodecType } from '../../src/protocol/constants.ts';
import { ServerDisplay } from '../../src/server/display.ts';
import type { StreamingVideo } from '../../src/server/motion.ts';
import { naturalPicture, screenPicture, xorshift } from '../bench/image-pictures.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { Watcher } from './watcher.ts';

let jpeg: JpegCodec;
beforeAll(async () => {
  jpeg = await loadJpeg();
});

const rect = (left: number, top: number, right: number, bottom: number) => ({ left, top, right, bottom });
const [width, height] = [320, 240];
const place = rect(40, 40, 200, 160);
const photo = naturalPicture(400, 400);
const text = screenPicture(400, 400);

/** A frame of a film: the picture, further on each time. */
function frame(picture: { data: Uint8Array }, number: number, { left, top, right, bottom } = place): Uint8Array {
  const rows = new Uint8Array((right - left) * (bottom - top) * 4);
  for (let y = 0; y < bottom - top; y++) {
    const from = ((y + number) * 400 + ((number * 2) % 100)) * 4;
    rows.set(picture.data.subarray(from, from + (right - left) * 4), y * (right - left) * 4);
  }
  return rows;
}

const everything = caps(
  DisplayCap.monitorsConfig,
  DisplayCap.streamReport,
  DisplayCap.multiCodec,
  DisplayCap.codecMjpeg,
);

async function stage(streamingVideo: StreamingVideo = 'filter') {
  const clock = new VirtualClock(5_000);
  const display = new ServerDisplay(width, height, { streamingVideo }, { clock, jpeg });
  display.draw(rect(0, 0, width, height), screenPicture(width, height).data);
  const watch = (more: object = {}) =>
    new Watcher(display, { peerCaps: everything, caches: new Caches({}, async () => jpeg), ...more }).begin();
  let number = 0;
  const play = async (frames: number, picture: { data: Uint8Array } = photo, where = place) => {
    for (let i = 0; i < frames; i++) {
      display.draw(where, frame(picture, ++number, where));
      await clock.advance(40);
    }
  };
  return { clock, display, watch, play };
}
const count = (watcher: Watcher, type: string) => watcher.counts.get(type) ?? 0;

describe('a region that moves', () => {
  it('is a video after a while, and exact when it rests', async () => {
    const { clock, display, watch, play } = await stage();
    const watcher = watch();
    await play(19);
    expect(count(watcher, 'stream_create')).toBe(0);
    await play(31);
    expect([count(watcher, 'stream_create'), count(watcher, 'stream_data')]).toEqual([1, 31]);
    expect(await watcher.differs(display)).toBeGreaterThan(1_000);
    expect(await watcher.differs(display, 60)).toBeLessThan(50);
    await clock.advance(1_000);
    expect(count(watcher, 'stream_destroy')).toBe(1);
    expect(await watcher.differs(display)).toBe(0);
    expect(clock.waiting).toBe(0);
    expect([...watcher.screen.undrawn]).toEqual([]);
  });

  it.each([
    ['off', 'a film', false],
    ['filter', 'a film', true],
    ['all', 'a film', true],
    ['filter', 'text', false],
    ['all', 'text', true],
  ] as const)('with streaming-video %s: %s', async (mode, what, is) => {
    const { display, watch, play } = await stage(mode);
    const watcher = watch();
    await play(40, what === 'text' ? text : photo);
    expect(count(watcher, 'stream_create')).toBe(is ? 1 : 0);
    if (!is) expect(await watcher.differs(display)).toBe(0);
  });

  it('is none where it is small, or goes slowly', async () => {
    const { clock, display, watch, play } = await stage('all');
    const watcher = watch();
    await play(60, photo, rect(0, 0, 90, 90));
    for (let i = 0; i < 40; i++) {
      display.draw(place, frame(photo, i));
      await clock.advance(300);
    }
    expect(count(watcher, 'stream_create')).toBe(0);
  });

  it('is none where something else is drawn or taken, and that is exact at once', async () => {
    const { display, watch, play } = await stage();
    const watcher = watch();
    const disturb = [
      () => display.fill(rect(50, 50, 60, 60), 0xff),
      () => display.draw(rect(190, 150, 230, 170), frame(text, 1, rect(0, 0, 40, 20))),
      () => display.copy(rect(210, 170, 300, 230), { x: 60, y: 60 }),
      () => display.copy(rect(60, 60, 90, 90), { x: 210, y: 170 }),
    ];
    for (const [i, act] of disturb.entries()) {
      await play(25);
      expect(count(watcher, 'stream_create')).toBe(i + 1);
      act();
      expect(count(watcher, 'stream_destroy')).toBe(i + 1);
      expect(await watcher.differs(display)).toBe(0);
    }
  });

  it('ends with its screen', async () => {
    const { display, watch, play, clock } = await stage();
    const watcher = watch();
    await play(25);
    display.resize(100, 100);
    expect(count(watcher, 'stream_destroy_all')).toBe(1);
    await clock.advance(2_000);
    expect(await watcher.differs(display)).toBe(0);
    expect(count(watcher, 'stream_destroy')).toBe(0);
  });
});

describe('a client', () => {
  it('that has no MJPEG is shown pictures', async () => {
    const { display, watch, play } = await stage();
    const none = watch({ peerCaps: caps(DisplayCap.monitorsConfig, DisplayCap.multiCodec) });
    const old = watch({ peerCaps: caps(DisplayCap.monitorsConfig) });
    await play(40);
    expect([none, old].map((watcher) => count(watcher, 'stream_create'))).toEqual([0, 1]);
    expect(await none.differs(display)).toBe(0);
    expect(count(old, 'stream_activate_report')).toBe(0);
  });

  it('that is slow misses frames, and has all of the picture in the end', async () => {
    const { display, watch, play, clock } = await stage();
    const [fast, slow, late] = [watch(), watch(), watch()];
    await play(18);
    late!.makeRoom(0);
    await play(12);
    slow.makeRoom(0);
    await play(30);
    expect(count(fast, 'stream_data')).toBe(41);
    expect(count(slow, 'stream_data')).toBe(11);
    expect(count(late!, 'stream_create')).toBe(0);
    slow.makeRoom(1_000);
    late!.makeRoom(1_000);
    await play(10);
    expect(count(slow, 'stream_data')).toBe(21);
    await clock.advance(2_000);
    for (const watcher of [fast, slow, late!]) expect(await watcher.differs(display)).toBe(0);
  });

  it('that comes in the middle of a video is shown it too, once it has a screen', async () => {
    const { display, watch, play, clock } = await stage();
    watch();
    await play(30);
    const second = watch();
    await play(5);
    expect([count(second, 'stream_create'), count(second, 'stream_data')]).toEqual([1, 5]);
    await clock.advance(2_000);
    expect(await second.differs(display)).toBe(0);
  });

  const reported = (watcher: Watcher, more: object) => {
    const times = { startFrameMmTime: 0, endFrameMmTime: 0, audioDelay: 0, lastFrameDelay: 300 };
    const body = { streamId: 0, uniqueId: 1, numFrames: 5, numDrops: 0, ...times, ...more };
    watcher.messages.next({ type: 'msgc.stream_report', body });
  };

  it('that drops frames gets smaller ones, and larger ones again when it does well', async () => {
    const { watch, play } = await stage();
    const [well, badly] = [watch(), watch()];
    await play(25);
    const bytes = async () => {
      const before = badly.bytes;
      await play(5);
      return badly.bytes - before;
    };
    const good = await bytes();
    for (let i = 0; i < 5; i++) reported(badly, { numDrops: 2 });
    const poor = await bytes();
    expect(poor).toBeLessThan(good * 0.7);
    for (let i = 0; i < 30; i++) reported(badly, {});
    expect(await bytes()).toBeGreaterThan(good * 0.9);
    expect(count(well, 'stream_activate_report')).toBe(1);
  });

  it('that prefers other codecs is shown pictures, from then on and until it says otherwise', async () => {
    const { display, watch, play } = await stage();
    const [early, late, other] = [watch(), watch(), watch()];
    const prefer = (watcher: Watcher, ...codecs: (keyof typeof VideoCodecType)[]) => {
      const body = { codecs: codecs.map((codec) => VideoCodecType[codec]) };
      watcher.messages.next({ type: 'msgc.preferred_video_codec_type', body });
    };
    prefer(early, 'vp8', 'h264');
    prefer(other, 'vp9', 'mjpeg');
    await play(30);
    expect([early, late, other].map((watcher) => count(watcher, 'stream_create'))).toEqual([0, 1, 1]);
    expect(await early.differs(display)).toBe(0);
    prefer(late, 'vp8');
    expect(count(late, 'stream_destroy_all')).toBe(1);
    const frames = count(late, 'stream_data');
    await play(10);
    expect(count(late, 'stream_data')).toBe(frames);
    expect(await late.differs(display)).toBe(0);
    prefer(late);
    prefer(early, 'mjpeg');
    await play(5);
    expect([early, late, other].map((watcher) => count(watcher, 'stream_create'))).toEqual([1, 2, 1]);
  });

  it('that refuses a video is shown pictures instead', async () => {
    const { display, watch, play } = await stage();
    const watcher = watch();
    await play(25);
    reported(watcher, { numFrames: 0, numDrops: 0xffffffff, uniqueId: 0 });
    const frames = count(watcher, 'stream_data');
    await play(10);
    expect(count(watcher, 'stream_data')).toBe(frames);
    expect(await watcher.differs(display)).toBe(0);
  });
});

it('whatever else is drawn, all is exact when the videos have come to rest', async () => {
  const { clock, display, watch, play } = await stage('all');
  const watcher = watch();
  const random = xorshift(77);
  for (let round = 0; round < 12; round++) {
    const [left, top] = [random() % 100, random() % 60];
    await play(10 + (random() % 30), random() % 2 ? photo : text, rect(left, top, left + 120, top + 100));
    if (random() % 2) watcher.makeRoom(random() % 20);
    const [x, y] = [random() % 250, random() % 200];
    if (random() % 2) display.fill(rect(x, y, x + 40, y + 30), random() & 0xffffff);
    else display.copy(rect(x, y, x + 60, y + 40), { x: random() % 200, y: random() % 150 });
  }
  watcher.makeRoom(10_000);
  await clock.advance(3_000);
  expect(await watcher.differs(display)).toBe(0);
  expect([...watcher.screen.undrawn]).toEqual([]);
});
