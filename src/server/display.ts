/**
 * What the application draws, told to every client: a framebuffer, and for each client what of it is not sent yet. A client
 * that is behind gets the present picture of what has changed when it has caught up, never a queue of old ones.
 */
import { type Observable, Subject } from 'rxjs';
import type { ChannelHost } from '../engine/channel-host.ts';
import { afterOthers, type Clock } from '../engine/clock.ts';
import { UsageError } from '../errors.ts';
import type { JpegCodec } from '../image/jpeg.ts';
import { caps, DisplayCap } from '../protocol/capabilities.ts';
import { readMigrateData, writeMigrateData } from '../protocol/migrate-data.ts';
import type { Rect } from '../sources/console.ts';
import { isEmptyRect } from '../sources/rect.ts';
import { Drawable } from './drawable.ts';
import { FanOut } from './fan-out.ts';
import { Framebuffer } from './framebuffer.ts';
import { Motion, type Video } from './motion.ts';
import type { Part } from './part.ts';
import {
  baseOf,
  type ClientCaches,
  type EncodingOptions,
  fillMessage,
  SharedEncodings,
  sourceAt,
  type Tools,
} from './picture-encoder.ts';
import { estimate, isNatural } from './smoothness.ts';
import { Viewer } from './viewer.ts';

export interface DisplayTools {
  readonly clock: Clock;
  /** The JPEG library, where pictures may be sent so. */
  readonly jpeg?: JpegCodec | undefined;
  /** Loads it when the first client turns out to need it. */
  readonly loadJpeg?: (() => Promise<JpegCodec>) | undefined;
  /** The session's clock, in milliseconds, by which videos are shown. */
  readonly mmTime?: (() => number) | undefined;
}

export interface DrawOptions {
  /** The pixels are handed over: called when nobody needs them any more, perhaps before `draw` returns. */
  readonly release?: (() => void) | undefined;
}

export class ServerDisplay implements Part {
  readonly caps: readonly number[];
  private screen: Framebuffer;
  private readonly motion: Motion;
  private readonly mmTime: () => number;
  /** Clients that came from another server, and had no surface there yet. */
  private readonly bare = new WeakSet<ChannelHost>();
  /** Clients whose link was slow at another server. */
  private readonly slow = new WeakSet<ChannelHost>();
  private readonly viewers = new Map<ChannelHost, Viewer>();
  private readonly caught = new Subject<void>();
  /** Somebody was told that a client is behind, and not yet that it is over. */
  private wasBehind = false;
  private looking = false;
  private readonly bySession = new Map<string, Viewer>();
  private readonly fanOut: FanOut;
  /** What each client said that it can keep. */
  private readonly caches = new WeakMap<ChannelHost, ClientCaches>();
  /** What each client prefers: an `ImageCompression`. */
  private readonly preferred = new WeakMap<ChannelHost, number>();
  /** The video codecs that each client prefers: `VideoCodecType`s. */
  private readonly preferredVideo = new WeakMap<ChannelHost, readonly number[]>();
  private readonly tools: Tools;
  private lastImageId = 0n;

  constructor(
    width: number,
    height: number,
    options: EncodingOptions,
    { clock, jpeg, loadJpeg, mmTime }: DisplayTools,
  ) {
    this.screen = new Framebuffer(width, height);
    this.fanOut = new FanOut(
      () => clock.now(),
      afterOthers,
      () => this.progressed(),
    );
    this.mmTime = mmTime ?? (() => clock.now());
    const streaming = jpeg === undefined ? 'off' : (options.streamingVideo ?? 'off');
    this.motion = new Motion(streaming, clock, (video) => this.rested([video]));
    this.caps = caps(
      DisplayCap.monitorsConfig,
      DisplayCap.prefCompression,
      // We have one codec: a client that lists others, and not that one, is shown pictures.
      ...(streaming === 'off' ? [] : [DisplayCap.streamReport, DisplayCap.prefVideoCodecType]),
    );
    const soon = (run: () => void, ms = 0) => {
      const timer = clock.setTimeout(run, ms);
      return () => clock.clearTimeout(timer);
    };
    let isWanted = false;
    const wantJpeg = () => {
      if (isWanted || loadJpeg === undefined) return;
      isWanted = true;
      loadJpeg().then(
        (codec) => {
          this.tools.jpeg = codec;
        },
        () => {},
      );
    };
    const nextId = () => ++this.lastImageId;
    const isOnly = () => this.viewers.size === 1;
    this.tools = {
      options,
      shared: new SharedEncodings(),
      jpeg,
      wantJpeg,
      soon,
      isOnly,
      nextId,
      progressed: () => this.progressed(),
    };
  }

  get width(): number {
    return this.screen.width;
  }

  get height(): number {
    return this.screen.height;
  }

  /** BGRX, `width * 4` bytes a row. Read only; another array after `resize`. */
  get pixels(): Uint8Array {
    return this.screen.pixels;
  }

  /**
   * Whether a client has not been sent all that was drawn. Who draws all the same loses nothing, but what is drawn over before
   * it is sent was drawn for nobody.
   */
  get isBehind(): boolean {
    const isBehind = this.looksBehind();
    if (isBehind) this.wasBehind = true;
    return isBehind;
  }

  /** Tells that `isBehind` is over, after it was asked for and true. */
  get caughtUp(): Observable<void> {
    return this.caught;
  }

  /** Gives back what was handed over and is not on its way to a client. What was drawn is shown no more. */
  close(): void {
    this.fanOut.clear();
    this.screen.close();
  }

  /** A new primary surface, black. */
  resize(width: number, height: number): void {
    this.screen.close();
    this.screen = new Framebuffer(width, height);
    this.motion.clear();
    this.fanOut.clear();
    for (const viewer of this.viewers.values()) viewer.show(this.screen);
  }

  /**
   * `pixels`: BGRX rows of the area, without gaps. What lies outside the surface is cut off. Without `release` the pixels are
   * copied, and clients are sent what of the area has changed. With it they are taken as a drawing command: clients are sent
   * all of them, and nothing is compared or copied; the memory is not to be touched until `release` is called, which may be at
   * once, or when something else is drawn over all of it, or when 32 MiB of such memory wait. Throws UsageError when `pixels`
   * are fewer than the area has.
   */
  draw(area: Rect, pixels: Uint8Array, { release }: DrawOptions = {}): void {
    const { screen } = this;
    const inside = screen.inside(area);
    const stride = area.right - area.left;
    if (!(pixels.length >= stride * (area.bottom - area.top) * 4)) {
      throw new UsageError(`${pixels.length} bytes for ${stride} by ${area.bottom - area.top} pixels`);
    }
    if (isEmptyRect(inside)) {
      release?.();
      return;
    }
    const words = wordsOf(pixels);
    const at = (inside.top - area.top) * stride + inside.left - area.left;
    const natural = () =>
      isNatural(estimate(words, at, stride, inside.right - inside.left, inside.bottom - inside.top));
    const { video, ended } = this.motion.drawn(inside, natural);
    this.rested(ended);
    if (release !== undefined) {
      screen.keep(new Drawable(inside, words, at, stride, release));
      if (video !== undefined) this.goOn(video, [inside]);
      else this.changed(inside);
      return;
    }
    if (video !== undefined) {
      this.goOn(video, screen.draw(inside, words, at, stride));
      return;
    }
    const scroll = screen.scrolled(inside, words, at, stride);
    if (scroll !== undefined) this.move(scroll.area, scroll.from);
    for (const area of screen.draw(inside, words, at, stride)) this.changed(area);
  }

  /** `color`: 0xRRGGBB. */
  fill(area: Rect, color: number): void {
    const inside = this.screen.inside(area);
    if (isEmptyRect(inside)) return;
    this.rested(this.motion.disturbed(inside));
    this.screen.fill(inside, color & 0xffffff);
    const message = fillMessage(inside, color & 0xffffff);
    this.fanOut.tell({ areas: [inside], tell: (viewer) => viewer.filled(inside, message) });
  }

  /** Moves what is at `from` to `area`. */
  copy(area: Rect, from: { x: number; y: number }): void {
    const to = this.screen.inside(area);
    const source = this.screen.inside({
      left: from.x + to.left - area.left,
      top: from.y + to.top - area.top,
      right: from.x + to.right - area.left,
      bottom: from.y + to.bottom - area.top,
    });
    const width = Math.min(to.right - to.left, source.right - source.left);
    const height = Math.min(to.bottom - to.top, source.bottom - source.top);
    if (width <= 0 || height <= 0) return;
    const left = to.left + Math.max(0, source.left - (from.x + to.left - area.left));
    const top = to.top + Math.max(0, source.top - (from.y + to.top - area.top));
    this.move({ left, top, right: left + width, bottom: top + height }, { x: source.left, y: source.top });
  }

  /** Somebody at one of the clients has done something: what comes of it is shown to them first. `session`: its address. */
  favour(session: string): void {
    const viewer = this.bySession.get(session);
    if (viewer !== undefined) this.fanOut.favour(viewer);
  }

  /** A client has opened its display channel; `host` tells what becomes of it. */
  attach(host: ChannelHost): void {
    const viewerOf = (): Viewer => {
      const known = this.viewers.get(host);
      if (known !== undefined) return known;
      const viewer: Viewer = new Viewer(host, this.screen, this.tools, () => this.fanOut.catchUp(viewer));
      this.viewers.set(host, viewer);
      this.fanOut.add(viewer);
      this.bySession.set(sessionOf(host), viewer);
      viewer.preferVideo(this.preferredVideo.get(host) ?? []);
      return viewer;
    };
    host.states.subscribe((state) => {
      if (state.type === 'ready') {
        // A client that comes afresh is ready by its introduction, which is told next.
        if (state.afresh) return;
        const known = { hasSurface: !this.bare.has(host), isSlow: this.slow.has(host) };
        viewerOf().goOn(this.caches.get(host), this.preferred.get(host), known);
      } else if (state.type === 'writable') {
        this.viewers.get(host)?.flush();
        this.progressed();
      } else if (state.type === 'ended') {
        const viewer = this.viewers.get(host);
        if (viewer === undefined) return;
        viewer.close();
        this.viewers.delete(host);
        this.fanOut.remove(viewer);
        this.progressed();
        if (this.bySession.get(sessionOf(host)) === viewer) this.bySession.delete(sessionOf(host));
      }
    });
    host.messages.subscribe(({ type, body }) => {
      if (type === 'msgc.init') {
        this.caches.set(host, sane(body));
        viewerOf().begin(this.caches.get(host), this.preferred.get(host));
      } else if (type === 'msgc.preferred_compression') {
        // A client that was handed over may say so before its state is loaded.
        this.preferred.set(host, body.imageCompression);
        this.viewers.get(host)?.prefer(body.imageCompression);
      } else if (type === 'msgc.preferred_video_codec_type') {
        this.preferredVideo.set(host, [...body.codecs]);
        this.viewers.get(host)?.preferVideo(body.codecs);
      } else if (type === 'msgc.stream_report') this.viewers.get(host)?.reported(body);
    });
  }

  /** What another server must know to go on where this one is with a client (spec §3e). */
  collect(host: ChannelHost): Uint8Array {
    const caches = this.caches.get(host);
    const lastImageId = BigInt(this.viewers.get(host)?.glzNextId ?? 0);
    return writeMigrateData('display', {
      version: 1,
      messageSerial: BigInt(host.plane.sent + 1),
      lowBandwidthSetting: this.viewers.get(host)?.isSlow ?? false,
      pixmapCacheId: caches?.pixmapCacheId ?? 1,
      pixmapCacheSize: caches?.pixmapCacheSize ?? 0n,
      pixmapCacheFreezer: true,
      pixmapCacheClients: [0n, 0n, 0n, 0n],
      glzDictId: caches?.glzDictionaryId ?? 1,
      glzDictData: { size: caches?.glzDictionaryWindowSize ?? 0, maxEncoders: 4, lastImageId },
      surfacesAtClient: this.viewers.get(host)?.isShown ? [{ id: 0 }] : [],
    });
  }

  load(host: ChannelHost, data: Uint8Array): void {
    const state = readMigrateData('display', data);
    host.plane.sent = Number(state.messageSerial) - 1;
    if (!state.surfacesAtClient.some(({ id }) => id === 0)) this.bare.add(host);
    if (state.lowBandwidthSetting) this.slow.add(host);
    this.caches.set(host, {
      pixmapCacheId: state.pixmapCacheId,
      pixmapCacheSize: state.pixmapCacheSize,
      glzDictionaryId: state.glzDictId,
      glzDictionaryWindowSize: state.glzDictData.size,
      glzNextId: Number(state.glzDictData.lastImageId),
    });
  }

  private goOn(video: Video, changed: readonly Rect[]): void {
    const { screen, tools } = this;
    const { left, top, right, bottom } = video.area;
    const encode = (quality: number) =>
      tools.shared.get(screen, `video ${video.id} ${quality}`, () =>
        tools.jpeg!.encode(sourceAt(screen.place(video.area), right - left, bottom - top), { quality }),
      );
    const time = this.mmTime();
    this.fanOut.tell({ areas: changed, video, tell: (viewer) => viewer.moving(video, changed, time, encode) });
  }

  private looksBehind(): boolean {
    if (this.fanOut.isBehind) return true;
    for (const viewer of this.viewers.values()) if (viewer.isBehind) return true;
    return false;
  }

  /** Some client has been sent something. Who hears of it draws, and must not do so in the middle of that. */
  private progressed(): void {
    if (!this.wasBehind || this.looking) return;
    this.looking = true;
    queueMicrotask(() => {
      this.looking = false;
      if (!this.wasBehind || this.looksBehind()) return;
      this.wasBehind = false;
      this.caught.next();
    });
  }

  private changed(area: Rect): void {
    this.fanOut.tell({ areas: [area], tell: (viewer) => viewer.changed(area) });
  }

  private rested(videos: readonly Video[]): void {
    for (const video of videos) for (const viewer of this.viewers.values()) viewer.rested(video);
  }

  /** Both lie inside. */
  private move(area: Rect, from: { readonly x: number; readonly y: number }): void {
    const right = from.x + area.right - area.left;
    const bottom = from.y + area.bottom - area.top;
    // What a client shows of a video is not what is here.
    this.rested(this.motion.disturbed({ left: from.x, top: from.y, right, bottom }));
    this.rested(this.motion.disturbed(area));
    this.screen.copy(area, from);
    const message = { type: 'msg.copy_bits', body: { base: baseOf(area), srcPos: { x: from.x, y: from.y } } };
    this.fanOut.tell({ areas: [area], tell: (viewer) => viewer.moved(area, from, message) });
  }
}

/** A client may say that it keeps less than nothing. */
const sane = (caches: ClientCaches): ClientCaches => ({
  ...caches,
  pixmapCacheSize: caches.pixmapCacheSize < 0n ? 0n : caches.pixmapCacheSize,
  glzDictionaryWindowSize: Math.max(0, caches.glzDictionaryWindowSize),
});

/** "server/session:3" */
const sessionOf = ({ address }: ChannelHost): string => address.slice(0, address.lastIndexOf('/'));

const wordsOf = (pixels: Uint8Array): Uint32Array => {
  const own = pixels.byteOffset % 4 === 0 ? pixels : pixels.slice();
  return new Uint32Array(own.buffer, own.byteOffset, own.byteLength >> 2);
};
