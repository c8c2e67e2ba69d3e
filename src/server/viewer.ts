/**
 * One client's view of the display: what of it is not sent yet, sent as the present picture as fast as the client takes it.
 * INVARIANT: when nothing is dirty, the client shows what the framebuffer holds (but for JPEG); what is dirty is bounded, and
 * nothing else waits.
 */
import type { ChannelHost } from '../engine/channel-host.ts';
import { DisplayCap, hasCap } from '../protocol/capabilities.ts';
import { SurfaceFlags, SurfaceFmt } from '../protocol/constants.ts';
import type { Rect } from '../sources/console.ts';
import { areaOf, isEmptyRect } from '../sources/rect.ts';
import { Dirty } from './dirty.ts';
import type { Drawing } from './fan-out.ts';
import type { Framebuffer } from './framebuffer.ts';
import { LinkSpeed } from './link-speed.ts';
import type { Video } from './motion.ts';
import { type ClientCaches, type Message, PictureEncoder, primary, type Tools } from './picture-encoder.ts';
import { ClientVideos } from './video.ts';

/** Pixels of one picture: larger areas are sent in bands, each as it suits. */
const mostPixels = 1 << 18;
/** The same of one that is not compressed, as that costs no time. */
const mostRawPixels = 1 << 20;
/** The first picture is one, up to so many: there are clients that take what comes first for all of it. */
const mostFirstPixels = 1 << 22;
/** Pixels that are encoded before others get their turn. */
const pixelsPerTurn = 1 << 19;

/** Milliseconds without a change after which what JPEG has changed is sent once more. */
const restMs = 1_000;

/** For clients of which nothing is known: nothing may be kept. */
const noCaches: ClientCaches = {
  pixmapCacheId: 1,
  pixmapCacheSize: 0n,
  glzDictionaryId: 1,
  glzDictionaryWindowSize: 0,
};

export class Viewer {
  private readonly host: ChannelHost;
  private readonly tools: Tools;
  private readonly catchUp: () => void;
  private hearing = false;
  private readonly dirty = new Dirty();
  private screen: Framebuffer;
  private encoder: PictureEncoder;
  private hasSurface = false;
  /** Pixels still to be sent before the surface may be shown; 0 when the client was told that it may. */
  private unmarked = 0;
  /** Calls off the turn that is waited for. */
  private turn: (() => void) | undefined;
  private readonly videos: ClientVideos;
  private readonly speed: LinkSpeed;
  /** What the client shows as JPEG has left it. */
  private readonly blurred = new Dirty();
  private changes = 0;
  private restless: (() => void) | undefined;

  /** `catchUp` has it told of all that was drawn: see FanOut. */
  constructor(host: ChannelHost, screen: Framebuffer, tools: Tools, catchUp: () => void = () => {}) {
    this.catchUp = catchUp;
    this.host = host;
    this.screen = screen;
    this.tools = tools;
    this.speed = new LinkSpeed(() => host.plane.ping());
    host.plane.onRoundTrip = (micros) => this.speed.answered(micros);
    this.encoder = this.encoderFor(noCaches);
    this.videos = new ClientVideos(host);
  }

  /** The number of the next GLZ picture. */
  get glzNextId(): number {
    return this.encoder.glzNextId;
  }

  /** The client has been told of the surface: not if it was let go before that could be said. */
  get isShown(): boolean {
    return this.hasSurface;
  }

  /** The client's link is slow. */
  get isSlow(): boolean {
    return this.speed.isSlow;
  }

  /** Some of the picture is still to be sent, or more than the network takes has been. */
  get isBehind(): boolean {
    return this.hasSurface && (!this.dirty.isEmpty || !this.host.writable);
  }

  /** The client knows nothing yet. */
  begin(caches: ClientCaches | undefined, preferred: number | undefined): void {
    this.renew(caches, preferred);
    this.speed.begin(false);
    this.hasSurface = false;
    this.show(this.screen);
  }

  /**
   * The client has been handed over with all it has: a GLZ window that goes on, and its surface, if it has one. It has none when
   * its channel was opened at the very moment of the move.
   */
  goOn(
    caches: ClientCaches | undefined,
    preferred: number | undefined,
    { hasSurface, isSlow }: { hasSurface: boolean; isSlow: boolean },
  ): void {
    const { host } = this;
    this.renew(caches, preferred);
    this.hasSurface = hasSurface;
    this.unmarked = 0;
    host.plane.openWindow();
    this.speed.begin(isSlow);
    host.send({ type: 'msg.inval_all_pixmaps', body: { waitList: [] } });
    host.send({ type: 'msg.inval_all_palettes', body: {} });
    host.send({ type: 'msg.stream_destroy_all', body: {} });
    if (!hasSurface) {
      this.show(this.screen);
      return;
    }
    this.tellMonitors();
    this.changed({ left: 0, top: 0, right: this.screen.width, bottom: this.screen.height });
  }

  /** There is a new screen, of whatever size. */
  show(screen: Framebuffer): void {
    const { host } = this;
    const { width, height } = screen;
    this.screen = screen;
    this.dirty.clear();
    this.blurred.clear();
    if (!this.videos.isEmpty) host.send({ type: 'msg.stream_destroy_all', body: {} });
    this.videos.clear();
    this.unmarked = 0;
    if (this.hasSurface) host.send({ type: 'msg.surface_destroy', body: { surfaceId: primary } });
    this.hasSurface = host.send({
      type: 'msg.surface_create',
      body: { surfaceId: primary, width, height, format: SurfaceFmt['32_xrgb'], flags: SurfaceFlags.primary },
    });
    if (!this.hasSurface) return;
    this.unmarked = width * height;
    this.tellMonitors();
    this.changed({ left: 0, top: 0, right: width, bottom: height });
  }

  /** `imageCompression`: an `ImageCompression`. */
  prefer(imageCompression: number): void {
    this.encoder.prefer(imageCompression);
  }

  changed(area: Rect): void {
    if (!this.hasSurface) return;
    this.changes++;
    this.dirty.add(area);
    this.flush();
  }

  /**
   * A video has gone on: `changed` are the parts of it that are different, `encode` makes a JPEG of all of it. A client that is
   * behind misses the frame.
   */
  moving(video: Video, changed: readonly Rect[], time: number, encode: (quality: number) => Uint8Array): void {
    if (!this.hasSurface) return;
    if (!this.videos.able || this.unmarked > 0) {
      for (const area of changed) this.changed(area);
    } else if (this.host.writable) {
      this.dirty.remove(video.area);
      this.videos.frame(video, time, encode);
    } else if (!this.videos.has(video)) for (const area of changed) this.dirty.add(area);
  }

  /** A video has ended: what it showed was not all of it, and not exact. */
  rested(video: Video): void {
    if (this.videos.end(video)) this.changed(video.area);
  }

  /** `codecs`: the `VideoCodecType`s that the client prefers. */
  preferVideo(codecs: readonly number[]): void {
    if (this.videos.prefer(codecs))
      this.changed({ left: 0, top: 0, right: this.screen.width, bottom: this.screen.height });
  }

  /** What the client says of a video. */
  reported(body: Parameters<ClientVideos['reported']>[0]): void {
    if (this.videos.reported(body))
      this.changed({ left: 0, top: 0, right: this.screen.width, bottom: this.screen.height });
  }

  /** What `tell` has it told was drawn before other things: until the end, nothing of the screen is sent. */
  hear(tell: () => void): void {
    this.hearing = true;
    try {
      tell();
    } finally {
      this.hearing = false;
    }
  }

  /** Something was drawn of which it is told nothing else. */
  missed({ areas, video }: Drawing): void {
    // A frame of a film is made good by the next, or at its end.
    if (!this.hasSurface || (video !== undefined && this.videos.has(video))) return;
    this.changes++;
    for (const area of areas) this.dirty.add(area);
  }

  /** `message`: of the fill. */
  filled(area: Rect, message: Message): void {
    if (!this.hasSurface || isEmptyRect(area)) return;
    this.changes++;
    this.dirty.remove(area);
    if (!this.dirty.meets(area) && this.host.writable) {
      this.blurred.remove(area);
      this.host.send(message);
    } else this.dirty.add(area);
  }

  /** What was at `from` is at `area` now; `message` says so. */
  moved(area: Rect, from: { readonly x: number; readonly y: number }, message: Message): void {
    if (!this.hasSurface || isEmptyRect(area)) return;
    const right = from.x + area.right - area.left;
    const bottom = from.y + area.bottom - area.top;
    const knows = !this.dirty.meets({ left: from.x, top: from.y, right, bottom });
    if (knows && this.host.writable) {
      this.changes++;
      this.dirty.remove(area);
      if (this.blurred.meets({ left: from.x, top: from.y, right, bottom })) this.blurred.add(area);
      this.host.send(message);
    } else this.changed(area);
  }

  /** Sends what is dirty as long as the client takes it, and lets others have their turn in between. */
  flush(): void {
    if (this.hearing || this.turn !== undefined) return;
    this.catchUp();
    for (let pixels = 0; !this.dirty.isEmpty && this.host.writable; ) {
      if (pixels >= pixelsPerTurn) {
        this.turn = this.tools.soon(() => {
          this.turn = undefined;
          this.flush();
          if (!this.isBehind) this.tools.progressed();
        });
        return;
      }
      const all = this.screen.width * this.screen.height;
      const most = this.unmarked > 0 && all <= mostFirstPixels ? all : this.encoder.isRaw ? mostRawPixels : mostPixels;
      const area = this.dirty.take((width) => Math.floor(most / width))!;
      pixels += areaOf(area);
      this.send(area);
      this.mark(areaOf(area));
    }
    if (this.dirty.isEmpty) this.waitForRest();
  }

  /** Sends what is at an area now. */
  private send(area: Rect, exact = false): void {
    this.blurred.remove(area);
    for (const message of this.encoder.encode(this.screen, area, exact)) {
      this.host.send(message, message.lent);
      const type = message.body.srcBitmap?.type;
      if (type === 'jpeg') this.blurred.add(area);
      this.speed.sent(64 + (message.body.srcBitmap?.data?.length ?? 0));
    }
  }

  /** When nothing has changed for a while, what JPEG has changed is made good, a part at a time. */
  private waitForRest(): void {
    if (this.restless !== undefined || this.blurred.isEmpty || this.tools.options.jpegWanCompression === 'always')
      return;
    const { changes } = this;
    this.restless = this.tools.soon(() => {
      this.restless = undefined;
      this.catchUp();
      const isAtRest = changes === this.changes && this.dirty.isEmpty && this.host.writable && this.speed.isIdle;
      if (isAtRest) {
        const area = this.blurred.take((width) => Math.floor(mostPixels / width));
        if (area !== undefined) this.send(area, true);
      }
      this.waitForRest();
    }, restMs);
  }

  /** So much was sent: the first picture is shown when all of it is there. */
  private mark(pixels: number): void {
    if (this.unmarked === 0) return;
    this.unmarked = this.dirty.isEmpty ? 0 : Math.max(0, this.unmarked - pixels);
    if (this.unmarked === 0) this.host.send({ type: 'msg.mark', body: {} });
  }

  close(): void {
    this.turn?.();
    this.turn = undefined;
    this.restless?.();
    this.restless = undefined;
    this.blurred.clear();
    this.hasSurface = false;
  }

  private renew(caches: ClientCaches | undefined, preferred: number | undefined): void {
    this.encoder = this.encoderFor(caches ?? noCaches);
    this.blurred.clear();
    if (preferred !== undefined) this.encoder.prefer(preferred);
    this.videos.clear();
  }

  private encoderFor(caches: ClientCaches): PictureEncoder {
    return new PictureEncoder(this.tools, caches, this.host.peerCaps, () => this.speed.isSlow);
  }

  private tellMonitors(): void {
    const { host, screen } = this;
    if (!hasCap(host.peerCaps, DisplayCap.monitorsConfig)) return;
    const head = { monitorId: 0, surfaceId: primary, width: screen.width, height: screen.height, x: 0, y: 0, flags: 0 };
    host.send({ type: 'msg.monitors_config', body: { maxAllowed: 1, heads: [head] } });
  }
}
