/**
 * What a session's display channels share and keep between messages: the image cache, the GLZ window, and the palettes of
 * each channel. INVARIANT: none of them grows beyond twice what the client announced, whatever a server puts in.
 */
import { GlzWindow, type GlzWindowState } from '../image/glz-window.ts';
import { type JpegCodec, loadJpeg } from '../image/jpeg.ts';
import type { Palette } from '../protocol/draw.ts';
import type { Raster } from './raster.ts';

export interface CacheSizes {
  /** Pixels of the image cache, as announced in the display channel's init (pixmap_cache_size). */
  readonly imagePixels?: number;
  /** Pixels of the GLZ window, as announced there (glz_dictionary_window_size). */
  readonly glzPixels?: number;
}

/** What spice-gtk announces: 80 MiB of images. */
export const usualImagePixels = (80 * 1024 * 1024) / 4;
export const usualGlzPixels = (24 * 1024 * 1024) / 4;

/** What is shared by all display channels of a session (spec §2.4). */
export class Caches {
  readonly images: ImageCache;
  readonly glz: GlzWindow;
  private codec: JpegCodec | undefined;
  private loading: Promise<JpegCodec> | undefined;
  private readonly load: () => Promise<JpegCodec>;

  /** `jpeg` loads the JPEG library when the first such picture comes. */
  constructor(sizes: CacheSizes = {}, jpeg: () => Promise<JpegCodec> = loadJpeg) {
    this.images = new ImageCache(sizes.imagePixels ?? usualImagePixels);
    this.glz = new GlzWindow({ pixels: sizes.glzPixels ?? usualGlzPixels });
    this.load = jpeg;
  }

  /** The JPEG library, or the promise of it. */
  jpeg(): JpegCodec | Promise<JpegCodec> {
    if (this.codec !== undefined) return this.codec;
    this.loading ??= this.load().then(
      (codec) => {
        this.codec = codec;
        return codec;
      },
      (error) => {
        this.loading = undefined;
        throw error;
      },
    );
    return this.loading;
  }

  /** All that is in them, to be kept and put into others; not to be changed. */
  state(): CachesState {
    return { images: this.images.state(), glz: this.glz.state() };
  }

  /** Become what others were. */
  restore({ images, glz }: CachesState): void {
    this.clear();
    for (const { id, raster, lossy, uses } of images) this.images.restore(id, raster, lossy, uses);
    this.glz.restore(glz);
  }

  /** Forgets images and window, as all hand-overs but the seamless one demand (spec §3f). Whoever waits is turned away. */
  clear(): void {
    this.images.clear();
    this.glz.clear();
  }
}

export interface CachesState {
  readonly images: readonly CachedImage[];
  readonly glz: GlzWindowState;
}

export interface CachedImage {
  readonly id: bigint;
  readonly raster: Raster;
  readonly lossy: boolean;
  readonly uses: number;
}

interface Entry {
  raster: Raster;
  lossy: boolean;
  /** How often it was put in: as often it must be dropped. */
  uses: number;
}

interface Waiter {
  lossless: boolean;
  resolve(): void;
  reject(error: Error): void;
}

/** Pictures by their ids, put in and dropped by the server. The same picture may be put in by several channels. */
export class ImageCache {
  private readonly limit: number;
  private readonly entries = new Map<bigint, Entry>();
  private readonly waiting = new Map<bigint, Waiter[]>();
  private held = 0;

  /** Holds twice `pixels` before it drops the oldest by itself. */
  constructor(pixels: number) {
    this.limit = pixels * 2;
  }

  get size(): number {
    return this.entries.size;
  }

  /** Pixels held. */
  get pixels(): number {
    return this.held;
  }

  /** The picture, unless it is not there or only in a lossy form where `lossless` is wanted. */
  get(id: bigint, lossless: boolean): Raster | undefined {
    const entry = this.entries.get(id);
    return entry === undefined || (lossless && entry.lossy) ? undefined : entry.raster;
  }

  /** Resolves when `get` will find the picture; rejects when the cache is cleared. */
  arrival(id: bigint, lossless: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter = { lossless, resolve, reject };
      const others = this.waiting.get(id);
      if (others === undefined) this.waiting.set(id, [waiter]);
      else others.push(waiter);
    });
  }

  put(id: bigint, raster: Raster, lossy: boolean): void {
    this.set(id, raster, lossy, (this.entries.get(id)?.uses ?? 0) + 1);
  }

  /** Puts the lossless form of a picture in the place of its lossy one. */
  replace(id: bigint, raster: Raster): void {
    this.set(id, raster, false, this.entries.get(id)?.uses ?? 1);
  }

  /** The oldest first. */
  state(): CachedImage[] {
    return [...this.entries].map(([id, entry]) => ({ id, ...entry }));
  }

  restore(id: bigint, raster: Raster, lossy: boolean, uses: number): void {
    this.set(id, raster, lossy, uses);
  }

  drop(id: bigint): void {
    const entry = this.entries.get(id);
    if (entry !== undefined && --entry.uses <= 0) this.remove(id, entry);
  }

  clear(): void {
    this.entries.clear();
    this.held = 0;
    const waiters = [...this.waiting.values()].flat();
    this.waiting.clear();
    for (const { reject } of waiters) reject(new Error('the image cache was cleared'));
  }

  private set(id: bigint, raster: Raster, lossy: boolean, uses: number): void {
    const old = this.entries.get(id);
    if (old !== undefined) this.remove(id, old);
    this.entries.set(id, { raster, lossy, uses });
    this.held += raster.px.length;
    for (const [oldest, entry] of this.entries) {
      if (this.held <= this.limit || oldest === id) break;
      this.remove(oldest, entry);
    }
    const waiters = this.waiting.get(id);
    if (waiters === undefined) return;
    const still = waiters.filter(({ lossless }) => lossless && lossy);
    if (still.length === 0) this.waiting.delete(id);
    else this.waiting.set(id, still);
    for (const waiter of waiters) if (!still.includes(waiter)) waiter.resolve();
  }

  private remove(id: bigint, entry: Entry): void {
    this.entries.delete(id);
    this.held -= entry.raster.px.length;
  }
}

/** Palettes of one display channel by their ids. A server keeps 128. */
export class PaletteCache {
  private readonly limit = 1024;
  private readonly entries = new Map<bigint, Palette>();

  get size(): number {
    return this.entries.size;
  }
  get(id: bigint): Palette | undefined {
    return this.entries.get(id);
  }
  /** The oldest first. */
  state(): Palette[] {
    return [...this.entries.values()];
  }
  put(palette: Palette): void {
    this.entries.delete(palette.unique);
    this.entries.set(palette.unique, palette);
    if (this.entries.size > this.limit) this.entries.delete(this.entries.keys().next().value!);
  }
  drop(id: bigint): void {
    this.entries.delete(id);
  }
  clear(): void {
    this.entries.clear();
  }
}
