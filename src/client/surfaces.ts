/**
 * The surfaces of one display channel, which of them is the primary, and the picture that was shown before it until the next
 * one may be. INVARIANT: all together have no more pixels than they may. Draws nothing.
 */
import { MAX_PIXELS } from '../image/pixels.ts';
import { SurfaceFlags, SurfaceFmt } from '../protocol/constants.ts';
import { Undrawable } from './canvas.ts';
import type { DisplayBody } from './display-body.ts';
import type { Bgrx } from './png.ts';
import { convert, createRaster, type Format, type Raster } from './raster.ts';

/** A picture of the screen: live bytes of a 32-bit surface, a copy of any other. `format` is a `SurfaceFmt`. */
export interface Picture extends Bgrx {
  readonly format: number;
}

export interface Surface {
  readonly id: number;
  readonly format: number;
  readonly raster: Raster;
}

/** All of them, to be kept and put into others. */
export interface SurfacesState {
  readonly surfaces: readonly Surface[];
  /** The id of the primary surface. */
  readonly main: number | undefined;
  readonly ghost: Surface | undefined;
  readonly marked: boolean;
}

const formats: Readonly<Record<number, Format>> = {
  [SurfaceFmt['1_a']]: 'a1',
  [SurfaceFmt['8_a']]: 'a8',
  [SurfaceFmt['16_555']]: 'x555',
  [SurfaceFmt['16_565']]: 'r565',
  [SurfaceFmt['32_xrgb']]: 'x888',
  [SurfaceFmt['32_argb']]: 'a888',
};

const mostSurfaces = 4096;

/** Stands in for a surface that there is not: pictures for it are decoded, nothing is drawn. */
export const nowhere: Surface = { id: -1, format: SurfaceFmt['32_xrgb'], raster: createRaster('x888', 0, 0) };

export class Surfaces {
  /** Whether the server said that the primary surface may be shown. */
  marked = false;
  private readonly mostPixels: number;
  private readonly all = new Map<number, Surface>();
  private main: Surface | undefined;
  /** The last picture that was shown, until the next one is. */
  private ghost: Surface | undefined;
  private held = 0;

  /** `mostPixels`: of all surfaces together. */
  constructor(mostPixels = MAX_PIXELS * 2) {
    this.mostPixels = mostPixels;
  }

  get primary(): Surface | undefined {
    return this.main;
  }

  /** The primary surface, or, until the server marks a new one, the picture that was there before. */
  get shown(): Surface | undefined {
    return this.marked || this.ghost === undefined ? this.main : this.ghost;
  }

  get ids(): number[] {
    return [...this.all.keys()];
  }

  get(id: number): Surface | undefined {
    return this.all.get(id);
  }

  state(): SurfacesState {
    return { surfaces: [...this.all.values()], main: this.main?.id, ghost: this.ghost, marked: this.marked };
  }

  /** Becomes what others were. The rasters are its own from then on. */
  restore({ surfaces, main, ghost, marked }: SurfacesState): void {
    this.drop();
    for (const surface of surfaces) this.add(surface, surface.id === main);
    this.ghost = ghost;
    this.marked = marked;
  }

  /** Throws Undrawable when the format is none, or it is too large beside the others. */
  create({ surfaceId: id, width, height, format, flags }: DisplayBody<'surface_create'>): void {
    const kind = formats[format];
    const isPrimary = (flags & SurfaceFlags.primary) !== 0;
    if (kind === undefined) throw new Undrawable('an unknown surface format');
    const old = this.main;
    if (isPrimary && old !== undefined && old.raster.width === width && old.raster.height === height) {
      // The pixels stay until they are drawn over: a client that was handed over goes on showing them.
      const raster = convert(old.raster, kind);
      this.remove(old.id);
      this.add({ id, format, raster }, true);
      return;
    }
    if (isPrimary && old !== undefined) this.destroy(old.id);
    this.remove(id);
    const pixels = width * height;
    if (pixels < 1 || pixels > MAX_PIXELS || this.held + pixels > this.mostPixels || this.all.size >= mostSurfaces) {
      throw new Undrawable('a surface too large, or too many');
    }
    this.add({ id, format, raster: createRaster(kind, width, height) }, isPrimary);
  }

  /** The primary surface's picture is shown until the next one is there. */
  destroy(id: number): void {
    const surface = this.all.get(id);
    if (surface !== undefined && surface === this.main) {
      if (this.marked) this.ghost = surface;
      this.marked = false;
    }
    this.remove(id);
  }

  /** The primary surface may be shown. Throws Undrawable where there is none. */
  mark(): Surface {
    if (this.main === undefined) throw new Undrawable('no primary surface');
    this.marked = true;
    this.ghost = undefined;
    return this.main;
  }

  /** Shows the primary surface, and nothing from before it any more. */
  exorcise(): void {
    this.ghost = undefined;
  }

  dropAllButPrimary(): void {
    for (const id of this.ids) if (id !== this.main?.id) this.remove(id);
  }

  /** Destroys all of them. */
  drop(): void {
    for (const id of this.ids) this.destroy(id);
  }

  private add(surface: Surface, isPrimary: boolean): void {
    this.all.set(surface.id, surface);
    this.held += surface.raster.px.length;
    if (isPrimary) this.main = surface;
  }

  private remove(id: number): void {
    const surface = this.all.get(id);
    if (surface === undefined) return;
    this.all.delete(id);
    this.held -= surface.raster.px.length;
    if (surface === this.main) this.main = undefined;
  }
}

export function pictureOf({ format, raster }: Surface): Picture {
  const { width, height } = raster;
  const words = convert(raster, raster.format === 'a888' ? 'a888' : 'x888').px as Uint32Array;
  const data = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  return { width, height, stride: width * 4, format, data };
}
