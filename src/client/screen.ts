/**
 * The picture of one display channel: takes its messages in order, draws on surfaces, and keeps streams and monitors. Pure:
 * no socket, no clock of its own. INVARIANT: nothing that a server sends makes it throw; what cannot be drawn is counted by
 * its reason. INVARIANT: messages take effect in the order in which they came, even where one has to wait for a picture.
 */
import { type Observable, Subject } from 'rxjs';
import { ImageError } from '../image/error.ts';
import type { AnyMessage } from '../protocol/channel.ts';
import { ResourceType, SurfaceFlags, SurfaceFmt } from '../protocol/constants.ts';
import type { Head } from '../protocol/display.ts';
import type { Image, Palette, Rect } from '../protocol/draw.ts';
import { Backlog, keep } from './backlog.ts';
import { Caches, PaletteCache } from './caches.ts';
import { type Pictures, Undrawable } from './canvas.ts';
import type { DisplayBody } from './display-body.ts';
import { commands } from './draw.ts';
import { drawFrame } from './draw-blend.ts';
import { isLater, type Later, PictureDecoder } from './pictures.ts';
import type { Format, Raster } from './raster.ts';
import { extents, type Region } from './region.ts';
import { type FrameDecoder, type MediaClock, type StreamReport, Streams } from './streams.ts';
import { nowhere, type Picture, pictureOf, type Surface, Surfaces, type SurfacesState } from './surfaces.ts';

/** What a hand-over leaves of the picture (spec §3f): switch-host, semi-seamless, seamless. */
export type Keep = 'nothing' | 'primary' | 'everything';

export interface ChannelSerials {
  type: number;
  id: number;
  serial: bigint;
}

export interface ScreenOptions {
  /** Those that all displays of the session share; its own if absent. */
  readonly caches?: Caches;
  /** The session's clock: frames of videos are shown at their time. Without one they are shown as they come. */
  readonly clock?: MediaClock;
  /** A decoder for a `VideoCodecType` other than MJPEG. */
  readonly decoderOf?: (codecType: number) => FrameDecoder | undefined;
  /** Sends msgc.stream_report. */
  readonly report?: (report: StreamReport) => void;
  /** Waits for other channels, as inval_all_pixmaps asks; undefined is "they have come that far". */
  readonly waitFor?: (list: readonly ChannelSerials[]) => Promise<void> | undefined;
  /** Pixels of all surfaces together; more are not created. */
  readonly surfacePixels?: number;
  /** Bytes of messages that may queue up behind a picture that has not come; then that picture is given up. */
  readonly queueBytes?: number;
}

/** All that a display shows and keeps, but for the caches that it shares. */
export interface ScreenState extends SurfacesState {
  readonly monitors: readonly Head[];
  readonly maxMonitors: number;
  readonly palettes: readonly Palette[];
  readonly streams: readonly DisplayBody<'stream_create'>[];
  readonly undrawn: readonly (readonly [string, number])[];
}

/** A command whose pictures are being gathered. */
interface Job {
  name: keyof typeof commands;
  body: any;
  readonly surface: Surface;
  /** What was got of each image, in their order: a picture, or why there is none. */
  readonly got: (Raster | Error)[];
}

/** The displays of a session, and those that wait for a picture which another must bring: when all do, none ever will. */
interface Crowd {
  screens: number;
  readonly waiting: Set<Screen>;
}
const crowds = new WeakMap<Caches, Crowd>();

interface Wanted {
  readonly image: Image;
  readonly mask: boolean;
}

/** The images of a drawing command, in the order in which they are decoded. */
function imagesOf(body: any): Wanted[] {
  const found: Wanted[] = [];
  const add = (image: Image | null | undefined, mask = false) => {
    if (image) found.push({ image, mask });
  };
  add(body.srcBitmap);
  for (const brush of [body.brush, body.foreBrush, body.backBrush]) if (brush?.type === 'pattern') add(brush.pat);
  add(body.maskBitmap);
  add(body.mask?.bitmap, true);
  return found;
}

export class Screen {
  /** Where the primary surface changed, in its pixels. */
  readonly dirty: Observable<Rect>;
  /** What could not be drawn: message and reason, and how often. */
  readonly undrawn = new Map<string, number>();
  /** Drawing commands and frames that were drawn. */
  drawn = 0;
  monitors: readonly Head[] = [];
  /** How many monitors the guest may have. */
  maxMonitors = 1;

  readonly caches: Caches;
  readonly palettes = new PaletteCache();
  private readonly options: ScreenOptions;
  private readonly changes = new Subject<Rect>();
  private readonly decoder: PictureDecoder;
  private readonly streams: Streams;
  private readonly surfaces: Surfaces;
  private readonly crowd: Crowd;
  private readonly backlog: Backlog;
  private closed = false;

  constructor(options: ScreenOptions = {}) {
    this.options = options;
    this.dirty = this.changes.asObservable();
    this.surfaces = new Surfaces(options.surfacePixels);
    const caches = options.caches ?? new Caches();
    this.caches = caches;
    this.crowd = crowds.get(caches) ?? { screens: 0, waiting: new Set() };
    crowds.set(caches, this.crowd);
    this.crowd.screens++;
    this.backlog = new Backlog((message) => this.take(message), options.queueBytes ?? 64 * 1024 * 1024);
    const mayArrive = () => this.crowd.waiting.size + 1 < this.crowd.screens;
    this.decoder = new PictureDecoder(caches, this.palettes, mayArrive);
    this.streams = new Streams({
      caches,
      clock: options.clock,
      decoderOf: options.decoderOf,
      report: options.report,
      show: (id, frame, dest, clip) => this.show(id, frame, dest, clip),
      surfacePixels: (id) => this.surfaces.get(id)?.raster.px.length ?? 0,
      failed: (reason) => this.missed('stream', reason),
    });
  }

  /** Takes the next message of the channel; those that it has nothing to do with are ignored. Never throws. */
  apply(message: AnyMessage): void {
    if (!this.closed) this.backlog.push(message);
  }

  /** Messages that wait behind a picture that has not come. */
  get pending(): number {
    return this.backlog.pending;
  }

  /** Resolves when no message waits any more. */
  settled(): Promise<void> {
    return this.backlog.settled();
  }

  /** Whether the server said that the primary surface may be shown. */
  get marked(): boolean {
    return this.surfaces.marked;
  }

  /** The primary surface. */
  primary(): Picture | undefined {
    return this.surfaces.primary && pictureOf(this.surfaces.primary);
  }

  /**
   * What to show: the primary surface, or, until the server marks a new one, the picture that was there before. So a
   * hand-over does not go black.
   */
  shown(): Picture | undefined {
    return this.surfaces.shown && pictureOf(this.surfaces.shown);
  }

  /** Any surface. */
  surface(id: number): Picture | undefined {
    const found = this.surfaces.get(id);
    return found && pictureOf(found);
  }

  /** The pixels of a surface as they are kept; not to be changed. */
  raster(id: number): Raster | undefined {
    return this.surfaces.get(id)?.raster;
  }

  /** The ids of the surfaces that there are. */
  surfaceIds(): number[] {
    return this.surfaces.ids;
  }

  /** What it shows and keeps when nothing waits, to be kept and put into another one; not to be changed. */
  state(): ScreenState {
    return {
      ...this.surfaces.state(),
      ...{ monitors: this.monitors, maxMonitors: this.maxMonitors, undrawn: [...this.undrawn] },
      ...{ palettes: this.palettes.state(), streams: this.streams.state() },
    };
  }

  /** Becomes what another one was. The rasters are its own from then on. */
  restore(state: ScreenState): void {
    this.reset('nothing');
    this.surfaces.restore(state);
    for (const palette of state.palettes) this.palettes.put(palette);
    for (const stream of state.streams) this.streams.create(stream);
    for (const [what, times] of state.undrawn) this.undrawn.set(what, times);
    this.monitors = state.monitors;
    this.maxMonitors = state.maxMonitors;
  }

  /**
   * Drops what a hand-over drops (spec §3f). The caches that displays share are cleared by the session, once:
   * `caches.clear()`. Messages that still wait are dropped, unless everything is kept.
   */
  reset(keeping: Keep): void {
    if (keeping === 'everything') return;
    this.backlog.drop();
    this.streams.destroyAll();
    this.palettes.clear();
    if (keeping === 'primary') {
      this.surfaces.dropAllButPrimary();
      return;
    }
    this.surfaces.drop();
    this.monitors = [];
    this.maxMonitors = 1;
  }

  /** Ends it: nothing is taken any more, and other displays do not count on it. */
  close(): void {
    if (this.closed) return;
    this.reset('nothing');
    this.surfaces.exorcise();
    this.closed = true;
    this.crowd.screens--;
    if (this.crowd.waiting.size >= this.crowd.screens)
      for (const screen of [...this.crowd.waiting]) screen.backlog.giveUp();
    this.changes.complete();
  }

  // ---- messages, one after the other -------------------------------------------------------------------------------

  private take(message: AnyMessage): void {
    const name = message.type.replace(/^msg\./, '');
    try {
      if (Object.hasOwn(commands, name)) this.command(name as keyof typeof commands, message.body);
      else if (Object.hasOwn(this.handlers, name)) this.handlers[name]!(message.body);
    } catch (error) {
      this.failed(name, error);
    }
  }

  private readonly handlers: Readonly<Record<string, (body: any) => void>> = {
    mode: ({ xRes: width, yRes: height, bits }) => {
      const format = bits === 32 ? SurfaceFmt['32_xrgb'] : SurfaceFmt['16_555'];
      this.surfaces.create({ surfaceId: 0, width, height, format, flags: SurfaceFlags.primary });
    },
    mark: () => {
      const surface = this.surfaces.mark();
      this.changed(surface, [0, 0, surface.raster.width, surface.raster.height]);
    },
    reset: () => {
      this.surfaces.primary?.raster.px.fill(0);
      this.palettes.clear();
      this.surfaces.marked = false;
    },
    surface_create: (body) => this.surfaces.create(body),
    surface_destroy: ({ surfaceId }) => this.surfaces.destroy(surfaceId),
    inval_list: ({ resources }) => {
      for (const { type, id } of resources) if (type === ResourceType.pixmap) this.caches.images.drop(id);
    },
    inval_all_pixmaps: ({ waitList }) => {
      const clear = () => this.caches.images.clear();
      const ready = this.options.waitFor?.(waitList);
      if (ready === undefined) clear();
      else this.backlog.wait(ready, { done: clear, failed: clear });
    },
    inval_palette: ({ id }) => this.palettes.drop(id),
    inval_all_palettes: () => this.palettes.clear(),
    monitors_config: ({ maxAllowed, heads }) => {
      if (heads.length === 0) return;
      this.maxMonitors = Math.max(1, maxAllowed);
      this.monitors = heads.slice(0, this.maxMonitors);
    },
    stream_create: (body) => this.streams.create(keep(body)),
    stream_data: ({ base, data }) => this.streams.data(base.id, base.multiMediaTime, data),
    stream_data_sized: ({ base, dest, data }) => this.streams.data(base.id, base.multiMediaTime, data, dest),
    stream_clip: (body) => this.streams.clip(body),
    stream_destroy: ({ id }) => this.streams.destroy(id),
    stream_destroy_all: () => this.streams.destroyAll(),
    stream_activate_report: (body) => this.streams.activateReport(body),
    gl_scanout_unix: () => this.missed('gl_scanout_unix', 'a buffer of the host'),
    gl_draw: () => this.missed('gl_draw', 'a buffer of the host'),
  };

  // ---- drawing -----------------------------------------------------------------------------------------------------

  private command(name: keyof typeof commands, body: any): void {
    const surface = this.surfaces.get(body.base.surfaceId);
    if (surface === undefined) this.missed(name, 'no such surface');
    // Its pictures may be wanted in the caches, so they are decoded all the same.
    this.gather({ name, body, surface: surface ?? nowhere, got: [] });
  }

  /** Gets the pictures that are still missing, then draws; or waits. */
  private gather(job: Job): void {
    const images = imagesOf(job.body);
    while (job.got.length < images.length) {
      const { image, mask } = images[job.got.length]!;
      const once = images.length === 1;
      if (!this.accept(job, () => this.get(image, mask, job.surface.raster.format, once))) return;
    }
    this.draw(job, images);
  }

  /** `once`: no other picture is needed for the drawing. */
  private get(image: Image, mask: boolean, format: Format, once: boolean): Raster | Later {
    if (image.type === 'surface') {
      const found = this.surfaces.get(image.surfaceId);
      if (found === undefined) throw new Undrawable('a source surface that is not there');
      if (mask && found.raster.format !== 'a1') throw new Undrawable('a surface of colours where a mask must be');
      return found.raster;
    }
    return mask ? this.decoder.mask(image) : this.decoder.get(image, format, once);
  }

  /** Takes what `get` gives. Returns false if that has to be waited for. */
  private accept(job: Job, get: () => Raster | Later): boolean {
    let got: Raster | Later;
    try {
      got = get();
    } catch (error) {
      job.got.push(error as Error);
      return true;
    }
    if (!isLater(got)) {
      job.got.push(got);
      return true;
    }
    const later = got;
    job.body = keep(job.body);
    if (later.fromOthers) this.crowd.waiting.add(this);
    this.backlog.wait(later.ready, {
      done: () => {
        this.crowd.waiting.delete(this);
        if (this.accept(job, () => later.resume())) this.gather(job);
      },
      failed: (error) => {
        this.crowd.waiting.delete(this);
        job.got.push(error);
        this.gather(job);
      },
      dropped: () => this.crowd.waiting.delete(this),
    });
    return false;
  }

  private draw({ name, body, surface, got }: Job, images: readonly Wanted[]): void {
    if (surface === nowhere) return;
    const find = (image: Image, mask: boolean): Raster => {
      const found = got[images.findIndex((one) => one.image === image && one.mask === mask)];
      if (found === undefined || found instanceof Error) throw found ?? new Undrawable('no such picture');
      return found;
    };
    const pictures: Pictures = { picture: (image) => find(image, false), mask: (image) => find(image, true) };
    try {
      const region = commands[name](surface.raster, body as never, pictures);
      this.drawn++;
      this.changed(surface, region);
      // A picture that would be drawn but for the clip is missed all the same.
      for (const one of got) if (one instanceof Error) this.failed(name, one);
    } catch (error) {
      this.failed(name, error);
    }
  }

  private show(surfaceId: number, frame: Raster, dest: Rect, clip: readonly Rect[] | undefined): void {
    const surface = this.surfaces.get(surfaceId);
    if (surface === undefined) {
      this.missed('stream', 'no such surface');
      return;
    }
    this.drawn++;
    this.changed(surface, drawFrame(surface.raster, frame, dest, clip));
  }

  private changed(surface: Surface, region: Region): void {
    if (surface !== this.surfaces.primary) return;
    const rect = extents(region);
    if (rect === undefined) return;
    const { width, height } = surface.raster;
    if (rect.left === 0 && rect.top === 0 && rect.right === width && rect.bottom === height) this.surfaces.exorcise();
    this.changes.next(rect);
  }

  private failed(name: string, error: unknown): void {
    if (error instanceof ImageError) this.missed(name, error.code);
    else this.missed(name, error instanceof Error ? error.message : String(error));
  }

  private missed(name: string, reason: string): void {
    const key = `${name}: ${reason}`;
    this.undrawn.set(key, (this.undrawn.get(key) ?? 0) + 1);
  }
}
