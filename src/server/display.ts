/**
 * What the application draws, told to every client: a framebuffer, and for each client what of it is not sent yet. A client
 * that is behind gets the present picture of what has changed when it has caught up, never a queue of old ones.
 */
import type { ChannelHost } from '../engine/channel-host.ts';
import { caps, DisplayCap, hasCap } from '../protocol/capabilities.ts';
import { BitmapFlags, BitmapFmt, Ropd, SurfaceFlags, SurfaceFmt } from '../protocol/constants.ts';
import { readMigrateData, writeMigrateData } from '../protocol/migrate-data.ts';
import type { Rect } from '../sources/console.ts';
import type { Part } from './part.ts';

interface Caches {
  readonly pixmapCacheId: number;
  readonly pixmapCacheSize: bigint;
  readonly glzDictionaryId: number;
  readonly glzDictionaryWindowSize: number;
}

export class ServerDisplay implements Part {
  readonly caps = caps(DisplayCap.monitorsConfig);
  width: number;
  height: number;
  /** BGRX, `width * 4` bytes a row. */
  pixels: Uint8Array;
  private readonly viewers = new Map<ChannelHost, Viewer>();
  /** What each client said that it can keep. */
  private readonly caches = new WeakMap<ChannelHost, Caches>();
  private lastImageId = 0n;

  constructor(width: number, height: number) {
    this.width = width;
    this.height = height;
    this.pixels = new Uint8Array(width * height * 4);
  }

  /** A new primary surface, black. */
  resize(width: number, height: number): void {
    this.width = width;
    this.height = height;
    this.pixels = new Uint8Array(width * height * 4);
    for (const viewer of this.viewers.values()) viewer.begin();
  }

  /** `pixels`: BGRX rows of the area, without gaps. What lies outside the surface is cut off. */
  draw(area: Rect, pixels: Uint8Array): void {
    const { left, top, right, bottom } = this.inside(area);
    const stride = (area.right - area.left) * 4;
    for (let y = top; y < bottom; y++) {
      const from = (y - area.top) * stride + (left - area.left) * 4;
      this.pixels.set(pixels.subarray(from, from + (right - left) * 4), (y * this.width + left) * 4);
    }
    this.changed({ left, top, right, bottom });
  }

  /** `color`: 0xRRGGBB. */
  fill(area: Rect, color: number): void {
    const inside = this.inside(area);
    const view = new Uint32Array(this.pixels.buffer);
    for (let y = inside.top; y < inside.bottom; y++) {
      view.fill(color & 0xffffff, y * this.width + inside.left, y * this.width + inside.right);
    }
    for (const viewer of this.viewers.values()) {
      viewer.tell(inside, {
        type: 'msg.draw_fill',
        body: {
          base: base(inside),
          brush: { type: 'solid', color: color & 0xffffff },
          ropDescriptor: Ropd.opPut,
          mask: noMask,
        },
      });
    }
  }

  /** Moves what is at `from` to `area`. */
  copy(area: Rect, from: { x: number; y: number }): void {
    const to = this.inside(area);
    const source = this.inside({
      left: from.x + to.left - area.left,
      top: from.y + to.top - area.top,
      right: from.x + to.right - area.left,
      bottom: from.y + to.bottom - area.top,
    });
    const width = Math.min(to.right - to.left, source.right - source.left);
    const height = Math.min(to.bottom - to.top, source.bottom - source.top);
    if (width <= 0 || height <= 0) return;
    const rows = Array.from({ length: height }, (_, y) => (source.top > to.top ? y : height - 1 - y));
    for (const y of rows) {
      const start = ((source.top + y) * this.width + source.left) * 4;
      this.pixels.copyWithin(((to.top + y) * this.width + to.left) * 4, start, start + width * 4);
    }
    const moved = { left: to.left, top: to.top, right: to.left + width, bottom: to.top + height };
    for (const viewer of this.viewers.values()) {
      viewer.tell(moved, {
        type: 'msg.copy_bits',
        body: { base: base(moved), srcPos: { x: source.left, y: source.top } },
      });
    }
  }

  /** A client has opened its display channel; `host` tells what becomes of it. */
  attach(host: ChannelHost): void {
    host.states.subscribe((state) => {
      if (state.type === 'ready') {
        let viewer = this.viewers.get(host);
        if (viewer === undefined) {
          viewer = new Viewer(this, host);
          this.viewers.set(host, viewer);
        }
        viewer.begin(!state.afresh);
      } else if (state.type === 'writable') this.viewers.get(host)?.sendWhatIsDirty();
      else if (state.type === 'ended') this.viewers.delete(host);
    });
    host.messages.subscribe(({ type, body }) => {
      if (type === 'msgc.init') this.caches.set(host, body);
    });
  }

  collect(host: ChannelHost): Uint8Array {
    const caches = this.caches.get(host);
    return writeMigrateData('display', {
      version: 1,
      messageSerial: BigInt(host.plane.sent + 1),
      lowBandwidthSetting: false,
      pixmapCacheId: caches?.pixmapCacheId ?? 1,
      pixmapCacheSize: caches?.pixmapCacheSize ?? 0n,
      pixmapCacheFreezer: true,
      pixmapCacheClients: [0n, 0n, 0n, 0n],
      glzDictId: caches?.glzDictionaryId ?? 1,
      glzDictData: { size: caches?.glzDictionaryWindowSize ?? 0, maxEncoders: 4, lastImageId: this.lastImageId },
      surfacesAtClient: [{ id: 0 }],
    });
  }

  load(host: ChannelHost, data: Uint8Array): void {
    const state = readMigrateData('display', data);
    host.plane.sent = Number(state.messageSerial) - 1;
    this.caches.set(host, {
      pixmapCacheId: state.pixmapCacheId,
      pixmapCacheSize: state.pixmapCacheSize,
      glzDictionaryId: state.glzDictId,
      glzDictionaryWindowSize: state.glzDictData.size,
    });
  }

  nextImageId(): bigint {
    return ++this.lastImageId;
  }

  private changed(area: Rect): void {
    for (const viewer of this.viewers.values()) viewer.tell(area);
  }

  private inside(area: Rect): Rect {
    return {
      left: Math.max(0, area.left),
      top: Math.max(0, area.top),
      right: Math.min(this.width, area.right),
      bottom: Math.min(this.height, area.bottom),
    };
  }
}

const primary = 0;
const noMask = { flags: 0, pos: { x: 0, y: 0 }, bitmap: null };
const base = (box: Rect) => ({ surfaceId: primary, box, clip: { type: 'none' as const } });

/** One client's view of the display. */
class Viewer {
  private readonly display: ServerDisplay;
  private readonly host: ChannelHost;
  private dirty: Rect | undefined;
  private begun = false;

  constructor(display: ServerDisplay, host: ChannelHost) {
    this.display = display;
    this.host = host;
  }

  /** Tells the client of the surface and shows all of it; one that came seamlessly has the surface already. */
  begin(hasSurface = false): void {
    const { display, host } = this;
    const { width, height } = display;
    if (hasSurface) {
      host.plane.openWindow();
      host.send({ type: 'msg.inval_all_pixmaps', body: { waitList: [] } });
      host.send({ type: 'msg.inval_all_palettes', body: {} });
    } else {
      if (this.begun) host.send({ type: 'msg.surface_destroy', body: { surfaceId: primary } });
      host.send({
        type: 'msg.surface_create',
        body: { surfaceId: primary, width, height, format: SurfaceFmt['32_xrgb'], flags: SurfaceFlags.primary },
      });
    }
    this.begun = true;
    this.dirty = { left: 0, top: 0, right: width, bottom: height };
    this.sendWhatIsDirty();
    if (hasCap(host.peerCaps, DisplayCap.monitorsConfig)) {
      host.send({
        type: 'msg.monitors_config',
        body: { maxAllowed: 1, heads: [{ monitorId: 0, surfaceId: primary, width, height, x: 0, y: 0, flags: 0 }] },
      });
    }
    if (!hasSurface) host.send({ type: 'msg.mark', body: {} });
  }

  /** Something has changed: sends `message`, or the pixels of the area, now or as soon as the client has caught up. */
  tell(area: Rect, message?: { type: string; body: object }): void {
    if (area.left >= area.right || area.top >= area.bottom || !this.begun) return;
    if (message !== undefined && this.dirty === undefined && this.host.writable) {
      this.host.send(message);
      return;
    }
    this.dirty = this.dirty === undefined ? area : around(this.dirty, area);
    this.sendWhatIsDirty();
  }

  sendWhatIsDirty(): void {
    if (this.dirty === undefined || !this.host.writable) return;
    const area = this.dirty;
    this.dirty = undefined;
    this.host.send(this.picture(area));
  }

  private picture(area: Rect): { type: string; body: object } {
    const { display } = this;
    const width = area.right - area.left;
    const height = area.bottom - area.top;
    const data = new Uint8Array(width * height * 4);
    for (let y = 0; y < height; y++) {
      const from = ((area.top + y) * display.width + area.left) * 4;
      data.set(display.pixels.subarray(from, from + width * 4), y * width * 4);
    }
    return {
      type: 'msg.draw_copy',
      body: {
        base: base(area),
        srcBitmap: {
          type: 'bitmap',
          id: display.nextImageId(),
          flags: 0,
          width,
          height,
          format: BitmapFmt['32bit'],
          bitmapFlags: BitmapFlags.topDown,
          x: width,
          y: height,
          stride: width * 4,
          palette: null,
          data,
        },
        srcArea: { left: 0, top: 0, right: width, bottom: height },
        ropDescriptor: Ropd.opPut,
        scaleMode: 0,
        mask: noMask,
      },
    };
  }
}

const around = (a: Rect, b: Rect): Rect => ({
  left: Math.min(a.left, b.left),
  top: Math.min(a.top, b.top),
  right: Math.max(a.right, b.right),
  bottom: Math.max(a.bottom, b.bottom),
});
