/** Videos: frames on surfaces, in their clip and at their time, and what is reported of them. */
import { beforeAll, describe, expect, it } from 'vitest';
import { Caches } from '../../src/client/caches.ts';
import type { Screen } from '../../src/client/screen.ts';
import type { MediaClock, StreamReport } from '../../src/client/streams.ts';
import { type JpegCodec, loadJpeg } from '../../src/image/jpeg.ts';
import { VideoCodecType } from '../../src/protocol/constants.ts';
import { all, fill, rect, rects, screenOf, seen } from './pictures-support.ts';

let codec: JpegCodec;
beforeAll(async () => {
  codec = await loadJpeg();
});

/** A frame of 16 by 16: the upper half of one grey, the lower of another. */
const frame = (upper: number, lower = upper) => {
  const data = new Uint8Array(16 * 16 * 4).fill(upper);
  data.fill(lower, 16 * 8 * 4);
  return codec.encode({ width: 16, height: 16, data }, { quality: 98 });
};

const begin = (screen: Screen, more: object = {}) =>
  screen.apply({
    type: 'msg.stream_create',
    body: {
      surfaceId: 0,
      id: 3,
      flags: 1,
      codecType: VideoCodecType.mjpeg,
      stamp: 0n,
      streamWidth: 16,
      streamHeight: 16,
      srcWidth: 16,
      srcHeight: 16,
      dest: rect(0, 0, 16, 16),
      clip: all,
      ...more,
    },
  });
const data = (screen: Screen, bytes: Uint8Array, multiMediaTime = 0, id = 3) =>
  screen.apply({ type: 'msg.stream_data', body: { base: { id, multiMediaTime }, data: bytes } });

const loaded = async (width = 16, height = 16, options = {}) => {
  const caches = new Caches({}, async () => codec);
  await caches.jpeg();
  return screenOf(width, height, 32, { caches, ...options });
};
const grey = (screen: Screen, x: number, y: number) => seen(screen)[y]![x]! & 255;
const near = (value: number, wanted: number) => expect(Math.abs(value - wanted)).toBeLessThanOrEqual(4);

/** A clock that goes only when it is told to. */
function handClock(): MediaClock & { time: number; advance(ms: number): void } {
  let timers: { at: number; run: () => void }[] = [];
  return {
    time: 1000,
    now() {
      return this.time;
    },
    after(ms, run) {
      const timer = { at: this.time + ms, run };
      timers.push(timer);
      return () => {
        timers = timers.filter((one) => one !== timer);
      };
    },
    advance(ms) {
      this.time += ms;
      const due = timers.filter(({ at }) => at <= this.time);
      timers = timers.filter(({ at }) => at > this.time);
      for (const { run } of due) run();
    },
  };
}

describe('frames', () => {
  it('fill their place, the right way up', async () => {
    const screen = await loaded();
    begin(screen);
    data(screen, frame(40, 220));
    near(grey(screen, 3, 1), 40);
    near(grey(screen, 3, 14), 220);
    screen.apply({ type: 'msg.stream_destroy', body: { id: 3 } });
    begin(screen, { flags: 0 });
    data(screen, frame(40, 220));
    near(grey(screen, 3, 1), 220);
    near(grey(screen, 3, 14), 40);
  });

  it('are shown in another size, and at a place of their own', async () => {
    const screen = await loaded(32, 40);
    begin(screen, { dest: rect(0, 0, 32, 32) });
    data(screen, frame(40, 220));
    near(grey(screen, 31, 14), 40);
    near(grey(screen, 31, 18), 220);
    const body = {
      base: { id: 3, multiMediaTime: 0 },
      width: 16,
      height: 16,
      dest: rect(0, 32, 8, 40),
      data: frame(128),
    };
    screen.apply({ type: 'msg.stream_data_sized', body });
    near(grey(screen, 7, 39), 128);
    expect(seen(screen)[39]![8]).toBe(0);
  });

  it('stay within their clip, which may change', async () => {
    const screen = await loaded();
    begin(screen, { clip: rects(rect(0, 0, 4, 16)) });
    data(screen, frame(200));
    near(grey(screen, 3, 5), 200);
    expect(grey(screen, 4, 5)).toBe(0);
    screen.apply({ type: 'msg.stream_clip', body: { id: 3, clip: all } });
    data(screen, frame(90));
    near(grey(screen, 15, 5), 90);
  });

  it('come in order though the first had to wait for the library, and do not hold up drawing', async () => {
    const screen = screenOf(16, 16, 32, { caches: new Caches({}, async () => codec) });
    begin(screen);
    data(screen, frame(60));
    data(screen, frame(160));
    fill(screen, rect(0, 0, 16, 16), 0x00ff00);
    expect(seen(screen)[0]![0]).toBe(0x00ff00);
    expect(screen.pending).toBe(0);
    await new Promise((resolve) => setTimeout(resolve, 5));
    near(grey(screen, 5, 5), 160);
    expect(screen.drawn).toBe(3);
  });

  it('that cannot be shown are counted', async () => {
    const reports: StreamReport[] = [];
    const screen = await loaded(4, 4, { report: (report: StreamReport) => reports.push(report) });
    data(screen, frame(1));
    begin(screen, { codecType: VideoCodecType.h264 });
    begin(screen, { id: 64 });
    begin(screen);
    begin(screen);
    data(screen, new Uint8Array(20));
    data(screen, frame(9)); // sixteen times the surface
    expect([...screen.undrawn]).toEqual([
      ['stream: no such stream', 1],
      ['stream: no decoder for h264', 1],
      ['stream: a stream id beyond the last', 1],
      ['stream: a stream that is there already', 1],
      ['stream: a frame that cannot be decoded', 2],
    ]);
    expect(reports.map(({ streamId, numFrames, numDrops }) => [streamId, numFrames, numDrops])).toEqual([
      [3, 0, 0xffffffff],
      [3, 0, 0xffffffff],
      [64, 0, 0xffffffff],
    ]);
  });

  it('of another codec are decoded by whom the host offers', async () => {
    let closed = 0;
    const decoderOf = (codecType: number) =>
      codecType === VideoCodecType.vp8
        ? {
            decode: async (bytes: Uint8Array) => ({
              width: 1,
              height: 1,
              data: new Uint8Array(Uint32Array.of(bytes[0]! * 0x010101).buffer),
              alpha: false,
            }),
            close: () => closed++,
          }
        : undefined;
    const screen = screenOf(2, 2, 32, { decoderOf });
    begin(screen, { codecType: VideoCodecType.vp8, dest: rect(0, 0, 2, 2) });
    data(screen, Uint8Array.of(0x42));
    await new Promise((resolve) => setTimeout(resolve, 2));
    expect(seen(screen)[1]![1]).toBe(0x424242);
    screen.apply({ type: 'msg.stream_destroy_all', body: {} });
    expect(closed).toBe(1);
  });
});

describe('the clock', () => {
  it('shows frames at their time and drops those that come too late', async () => {
    const clock = handClock();
    const screen = await loaded(16, 16, { clock });
    begin(screen);
    data(screen, frame(50), 1040);
    data(screen, frame(200), 1080);
    expect(grey(screen, 5, 5)).toBe(0);
    clock.advance(40);
    near(grey(screen, 5, 5), 50);
    clock.advance(40);
    near(grey(screen, 5, 5), 200);
    data(screen, frame(90), 1079);
    near(grey(screen, 5, 5), 200);
    expect([...screen.undrawn]).toEqual([['stream: a frame that came too late', 1]]);
  });

  it('shows nothing of a stream that is gone', async () => {
    const clock = handClock();
    const screen = await loaded(16, 16, { clock });
    begin(screen);
    data(screen, frame(50), 1040);
    screen.apply({ type: 'msg.stream_destroy', body: { id: 3 } });
    clock.advance(100);
    expect(grey(screen, 5, 5)).toBe(0);
  });

  it('starts over after 2^32 ms', async () => {
    const clock = handClock();
    clock.time = 2 ** 32 - 10;
    const screen = await loaded(16, 16, { clock });
    begin(screen);
    data(screen, frame(50), 20);
    clock.advance(29);
    expect(grey(screen, 5, 5)).toBe(0);
    clock.advance(1);
    near(grey(screen, 5, 5), 50);
  });
});

describe('reports', () => {
  it('come after so many frames, after the time, and after three drops in a row', async () => {
    const reports: StreamReport[] = [];
    const clock = handClock();
    const screen = await loaded(16, 16, { clock, report: (report: StreamReport) => reports.push(report) });
    begin(screen);
    data(screen, frame(1), 1001);
    const activate = { streamId: 3, uniqueId: 77, maxWindowSize: 2, timeoutMs: 500 };
    screen.apply({ type: 'msg.stream_activate_report', body: activate });
    data(screen, frame(1), 1010);
    data(screen, frame(1), 1015);
    expect(reports).toEqual([
      {
        streamId: 3,
        uniqueId: 77,
        startFrameMmTime: 1010,
        endFrameMmTime: 1015,
        numFrames: 2,
        numDrops: 0,
        lastFrameDelay: 15,
        audioDelay: 0xffffffff,
      },
    ]);
    screen.apply({ type: 'msg.stream_activate_report', body: { ...activate, maxWindowSize: 100 } });
    for (const time of [990, 991, 992]) data(screen, frame(1), time);
    expect(reports[1]).toMatchObject({ numFrames: 3, numDrops: 3, lastFrameDelay: -8 });
    data(screen, frame(1), 1100);
    clock.advance(500);
    data(screen, frame(1), 1600);
    expect(reports[2]).toMatchObject({ numFrames: 2, numDrops: 0, startFrameMmTime: 1100 });
    expect(reports).toHaveLength(3);
  });
});
