/**
 * The videos of a display channel: frames come as pictures of a codec and are shown on a surface, at their time if there is
 * a clock, and the server is told how that went. Frames never hold up the drawing commands behind them.
 */

import { readJpegSize } from '../image/jpeg.ts';
import { checkSize, type Pixels } from '../image/pixels.ts';
import { maxNumStreams, nameOf, StreamFlags, VideoCodecType } from '../protocol/constants.ts';
import type { Clip, Rect } from '../protocol/draw.ts';
import type { Caches } from './caches.ts';
import type { DisplayBody } from './display-body.ts';
import type { Raster } from './raster.ts';

/** Makes pictures of the frames of one video. One that keeps frames back for later may give undefined. */
export interface FrameDecoder {
  /** May throw or reject; that frame is then left out. `bytes` are valid during the call only. */
  decode(bytes: Uint8Array): Pixels | undefined | Promise<Pixels | undefined>;
  close?(): void;
}

/** The session's clock in milliseconds, which audio and video share, and a way to wait on it. */
export interface MediaClock {
  now(): number;
  /** Calls `run` once in `ms` milliseconds; what it returns calls that off. */
  after(ms: number, run: () => void): () => void;
}

export type StreamReport = {
  streamId: number;
  uniqueId: number;
  startFrameMmTime: number;
  endFrameMmTime: number;
  numFrames: number;
  numDrops: number;
  lastFrameDelay: number;
  audioDelay: number;
};

export interface StreamsHost {
  readonly caches: Caches;
  /** Without one, frames are shown as they come. */
  readonly clock: MediaClock | undefined;
  /** A decoder for a `VideoCodecType`; MJPEG is there already. */
  readonly decoderOf: ((codecType: number) => FrameDecoder | undefined) | undefined;
  /** Sends msgc.stream_report. */
  readonly report: ((report: StreamReport) => void) | undefined;
  /** Shows a frame. Does nothing if the surface is gone. */
  show(surfaceId: number, frame: Raster, dest: Rect, clip: readonly Rect[] | undefined): void;
  surfacePixels(surfaceId: number): number;
  failed(reason: string): void;
}

/** Pixels of all frames that may wait for their time; further ones are shown as they come. */
const mostWaiting = 1 << 25;
/** So many late frames in a row are reported at once. */
const dropsInARow = 3;
const none = 0xffffffff;

interface Waiting {
  readonly time: number;
  readonly frame: Raster;
  readonly dest: Rect;
  cancel(): void;
}

interface Stream {
  /** The message that began it. */
  readonly body: DisplayBody<'stream_create'>;
  readonly surfaceId: number;
  readonly topDown: boolean;
  readonly dest: Rect;
  clip: readonly Rect[] | undefined;
  readonly decoder: FrameDecoder;
  readonly waiting: Set<Waiting>;
  /** Frames are shown in the order in which they came, though they may be decoded out of it. */
  last: Promise<void> | undefined;
  report?: {
    id: number;
    frames: number;
    timeout: number;
    first: number;
    since: number;
    count: number;
    drops: number;
    row: number;
  };
}

const rectsOf = (clip: Clip): readonly Rect[] | undefined => (clip.type === 'rects' ? clip.rects : undefined);

/** a − b on a clock of 32 bits that starts over. */
const since = (a: number, b: number) => (a - b) | 0;

export class Streams {
  private readonly host: StreamsHost;
  private readonly streams = new Map<number, Stream>();
  /** Pixels of the frames that wait. */
  private held = 0;

  constructor(host: StreamsHost) {
    this.host = host;
  }

  get size(): number {
    return this.streams.size;
  }

  /** Messages that would begin those that there are. Frames that wait for their time are not in it. */
  state(): DisplayBody<'stream_create'>[] {
    return [...this.streams.values()].map(({ body, clip }) => ({
      ...body,
      clip: clip === undefined ? { type: 'none' } : { type: 'rects', rects: [...clip] },
    }));
  }

  create(body: DisplayBody<'stream_create'>): void {
    const { id, surfaceId, dest, codecType } = body;
    if (id >= maxNumStreams) {
      this.refuse(id, 'a stream id beyond the last');
      return;
    }
    if (this.streams.has(id)) {
      this.host.failed('a stream that is there already');
      return;
    }
    const decoder = codecType === VideoCodecType.mjpeg ? this.mjpeg(surfaceId) : this.host.decoderOf?.(codecType);
    if (decoder === undefined) {
      this.refuse(id, `no decoder for ${nameOf(VideoCodecType, codecType)}`);
      return;
    }
    const topDown = (body.flags & StreamFlags.topDown) !== 0;
    const clip = rectsOf(body.clip);
    this.streams.set(id, { body, surfaceId, topDown, dest, clip, decoder, waiting: new Set(), last: undefined });
  }

  clip({ id, clip }: DisplayBody<'stream_clip'>): void {
    const stream = this.streams.get(id);
    if (stream === undefined) {
      this.refuse(id, 'no such stream');
      return;
    }
    stream.clip = rectsOf(clip);
  }

  destroy(id: number): void {
    const stream = this.streams.get(id);
    if (stream === undefined) return;
    this.streams.delete(id);
    for (const { cancel } of stream.waiting) cancel();
    stream.waiting.clear();
    stream.decoder.close?.();
  }

  destroyAll(): void {
    for (const id of [...this.streams.keys()]) this.destroy(id);
  }

  activateReport({ streamId, uniqueId, maxWindowSize, timeoutMs }: DisplayBody<'stream_activate_report'>): void {
    const stream = this.streams.get(streamId);
    if (stream === undefined) {
      this.refuse(streamId, 'no such stream');
      return;
    }
    stream.report = {
      id: uniqueId,
      frames: maxWindowSize,
      timeout: timeoutMs,
      first: 0,
      since: 0,
      count: 0,
      drops: 0,
      row: 0,
    };
  }

  /** A frame; `dest` is its own place, if it has one. */
  data(id: number, time: number, bytes: Uint8Array, dest?: Rect): void {
    const stream = this.streams.get(id);
    if (stream === undefined) {
      this.refuse(id, 'no such stream');
      return;
    }
    const margin = this.host.clock === undefined ? 0 : since(time, this.host.clock.now());
    this.count(id, stream, time, margin);
    if (margin < 0) {
      this.host.failed('a frame that came too late');
      return;
    }
    let got: Pixels | undefined | Promise<Pixels | undefined>;
    try {
      got = stream.decoder.decode(bytes);
    } catch {
      this.host.failed('a frame that cannot be decoded');
      return;
    }
    const place = dest ?? stream.dest;
    const showing = (pixels: Pixels | undefined) => {
      if (pixels !== undefined && this.streams.get(id) === stream) this.wait(stream, pixels, place, time);
    };
    if (stream.last === undefined && !(got instanceof Promise)) {
      showing(got);
      return;
    }
    const after = Promise.all([stream.last, got]).then(
      ([, pixels]) => showing(pixels),
      () => this.host.failed('a frame that cannot be decoded'),
    );
    const last: Promise<void> = after.then(() => {
      if (stream.last === last) stream.last = undefined;
    });
    stream.last = last;
  }

  private wait(stream: Stream, pixels: Pixels, dest: Rect, time: number): void {
    const { width, height, data } = pixels;
    const words = new Uint32Array(data.buffer, data.byteOffset, width * height);
    const frame: Raster = {
      format: 'x888',
      width,
      height,
      px: stream.topDown ? words : upsideDown(words, width, height),
    };
    const { clock } = this.host;
    const ms = clock === undefined ? 0 : since(time, clock.now());
    const show = () => this.host.show(stream.surfaceId, frame, dest, stream.clip);
    if (clock === undefined || ms <= 0 || this.held + words.length > mostWaiting) {
      show();
      return;
    }
    const waiting: Waiting = { time, frame, dest, cancel: () => {} };
    const cancel = clock.after(ms, () => {
      stream.waiting.delete(waiting);
      this.held -= words.length;
      show();
    });
    waiting.cancel = () => {
      this.held -= words.length;
      cancel();
    };
    this.held += words.length;
    stream.waiting.add(waiting);
  }

  private mjpeg(surfaceId: number): FrameDecoder {
    const { caches } = this.host;
    const sizeOf = (bytes: Uint8Array) => {
      const size = readJpegSize(bytes);
      checkSize(size.width, size.height);
      // A frame may be larger than where it is shown, but not out of all proportion.
      if (size.width * size.height > this.host.surfacePixels(surfaceId) * 4) throw new RangeError('a frame too large');
      return size;
    };
    return {
      decode(bytes) {
        const codec = caches.jpeg();
        const size = sizeOf(bytes);
        if (!(codec instanceof Promise)) return codec.decode(bytes, size);
        const own = bytes.slice();
        return codec.then((loaded) => loaded.decode(own, size));
      },
    };
  }

  /** Says to the server that there is no such stream: no frame, all dropped. */
  private refuse(streamId: number, reason: string): void {
    this.host.failed(reason);
    const nothing = { uniqueId: 0, startFrameMmTime: 0, endFrameMmTime: 0, lastFrameDelay: 0, audioDelay: 0 };
    this.host.report?.({ ...nothing, streamId, numFrames: 0, numDrops: none });
  }

  private count(streamId: number, stream: Stream, time: number, margin: number): void {
    const { report } = stream;
    if (report === undefined) return;
    const now = this.host.clock?.now() ?? time;
    if (report.count === 0) {
      report.first = time;
      report.since = now;
    }
    report.count++;
    report.row = margin < 0 ? report.row + 1 : 0;
    if (margin < 0) report.drops++;
    if (report.count < report.frames && since(now, report.since) < report.timeout && report.row < dropsInARow) return;
    this.host.report?.({
      streamId,
      uniqueId: report.id,
      startFrameMmTime: report.first,
      endFrameMmTime: time,
      numFrames: report.count,
      numDrops: report.drops,
      lastFrameDelay: margin,
      audioDelay: none,
    });
    Object.assign(report, { count: 0, drops: 0, row: 0 });
  }
}

function upsideDown(words: Uint32Array, width: number, height: number): Uint32Array {
  const turned = new Uint32Array(words.length);
  for (let y = 0; y < height; y++) turned.set(words.subarray(y * width, (y + 1) * width), (height - 1 - y) * width);
  return turned;
}
