/**
 * From an image on the wire to its pixels: decodes, and puts into and takes from the caches. Some pictures cannot be had at
 * once (they lean on one that another channel brings, or a library is still loading): then it says what to wait for.
 * INVARIANT: a picture that it hands out is never written to, since caches and window share it.
 */
import { BitmapFormat, decodeBitmap, decodeMask } from '../image/bitmap.ts';
import { ImageError } from '../image/error.ts';
import { decodeGlz, type GlzDecoding } from '../image/glz.ts';
import type { JpegCodec } from '../image/jpeg.ts';
import { decodeLz, LzType, readLzHeader } from '../image/lz.ts';
import { decodeLz4 } from '../image/lz4.ts';
import type { DecodeOptions, Pixels } from '../image/pixels.ts';
import { decodeQuic } from '../image/quic.ts';
import { decodeZlibGlz } from '../image/zlib-glz.ts';
import { BitmapFlags, ImageFlags, JpegAlphaFlags } from '../protocol/constants.ts';
import type { Image, Palette, PaletteRef } from '../protocol/draw.ts';
import { keep } from './backlog.ts';
import type { Caches, PaletteCache } from './caches.ts';
import { Undrawable } from './canvas.ts';
import { expand555, type Format, type Raster } from './raster.ts';

/** A picture that is not there yet: wait for `ready`, then ask again with `resume`. */
export interface Later {
  readonly ready: Promise<unknown>;
  /** Whether another display of the session must bring it. */
  readonly fromOthers: boolean;
  resume(): Raster | Later;
}
export const isLater = (got: Raster | Later): got is Later => 'ready' in got;

const rasterOf = ({ width, height, data, alpha }: Pixels, format?: Format): Raster => ({
  format: format ?? (alpha ? 'a888' : 'x888'),
  width,
  height,
  px: new Uint32Array(data.buffer, data.byteOffset, width * height),
});

/** Alpha alone, from words that hold it in their fourth byte. */
const alphaOnly = ({ width, height, px }: Raster): Raster => ({
  format: 'a8',
  width,
  height,
  px: Uint8Array.from(px, (word) => word >>> 24),
});

/** Fills the unused fourth byte, as the reference does where it widens pixels of 16 or 24 bits: surfaces with alpha show it. */
const opaque = (raster: Raster): Raster => {
  const { px } = raster;
  for (let i = 0; i < px.length; i++) px[i]! |= 0xff000000;
  return raster;
};

/** Pixels of a picture that is drawn at once and then forgotten; larger ones have memory of their own. */
const mostScratch = 1 << 22;

const isSixteen = (format: Format) => format === 'x555' || format === 'r565';

/** Gets the pictures of one display channel. */
export class PictureDecoder {
  private readonly caches: Caches;
  private readonly palettes: PaletteCache;
  /** Whether a picture that is not in the cache may still be put in by somebody else. */
  private readonly mayArrive: () => boolean;
  /** Where pictures are decoded that nobody keeps. */
  private scratch: Uint8Array = new Uint8Array(0);

  constructor(caches: Caches, palettes: PaletteCache, mayArrive: () => boolean) {
    this.caches = caches;
    this.palettes = palettes;
    this.mayArrive = mayArrive;
  }

  /**
   * The picture of an image that is not a surface, for a target of that format (which says what palette entries mean). `once`:
   * it is drawn before another one is asked for, and then forgotten. Throws ImageError or Undrawable.
   */
  get(image: Image, format: Format, once = false): Raster | Later {
    if (image.type === 'from_cache' || image.type === 'from_cache_lossless') return this.cached(image);
    const isKept = (image.flags & (ImageFlags.cacheMe | ImageFlags.cacheReplaceMe)) !== 0;
    const got = this.decode(image, format, once && !isKept);
    return isLater(got) ? followed(got, (raster) => this.keepCached(image, raster)) : this.keepCached(image, got);
  }

  /** The one-bit mask of an image that is not a surface. */
  mask(image: Image): Raster | Later {
    if (image.type === 'from_cache' || image.type === 'from_cache_lossless') {
      const got = this.cached(image);
      const check = (raster: Raster) => {
        if (raster.format !== 'a1') throw new Undrawable('a cached picture where a mask must be');
        return raster;
      };
      return isLater(got) ? followed(got, check) : check(got);
    }
    if (image.type !== 'bitmap') throw new Undrawable(`a mask of type ${image.type}`);
    const { x: width, y: height, stride, data } = image;
    const topDown = (image.bitmapFlags & BitmapFlags.topDown) !== 0;
    const px = decodeMask({ width, height, stride, topDown, data, format: image.format });
    const raster: Raster = { format: 'a1', width, height, px };
    // It needs no colours, but the server counts on it that they are kept.
    const { palette } = image;
    if (image.bitmapFlags & BitmapFlags.palCacheMe && palette !== null && typeof palette !== 'bigint') {
      this.palettes.put(keep(palette));
    }
    if (image.flags & ImageFlags.cacheMe) this.caches.images.put(image.id, raster, false);
    return raster;
  }

  private cached(image: Image): Raster | Later {
    const { id } = image;
    const lossless = image.type === 'from_cache_lossless';
    const found = this.caches.images.get(id, lossless);
    if (found !== undefined) return found;
    if (!this.mayArrive()) throw new Undrawable('a picture that is not in the cache');
    const own = { ...image };
    return { ready: this.caches.images.arrival(id, lossless), fromOthers: true, resume: () => this.cached(own) };
  }

  private keepCached(image: Image, decoded: Raster): Raster {
    let raster = decoded;
    if (image.flags & ImageFlags.highBitsSet && raster.format === 'x888') {
      raster = { ...raster, px: (raster.px as Uint32Array).map((word) => word | 0xff000000) };
    }
    const lossy = image.type === 'jpeg' || image.type === 'jpeg_alpha';
    if (image.flags & ImageFlags.cacheMe) this.caches.images.put(image.id, raster, lossy);
    else if (image.flags & ImageFlags.cacheReplaceMe) {
      if (lossy) throw new Undrawable('a lossy picture to replace a cached one');
      this.caches.images.replace(image.id, raster);
    }
    return raster;
  }

  private decode(image: Image, format: Format, lend: boolean): Raster | Later {
    switch (image.type) {
      case 'bitmap': {
        const palette = image.format <= BitmapFormat['8BIT'] ? this.colors(image, format) : undefined;
        const topDown = (image.bitmapFlags & BitmapFlags.topDown) !== 0;
        const { x: width, y: height, stride, data } = image;
        const raster = rasterOf(decodeBitmap({ width, height, stride, topDown, data, format: image.format, palette }));
        if (image.format === BitmapFormat['8BIT_A']) return alphaOnly(raster);
        return image.format === BitmapFormat['16BIT'] ? opaque(raster) : raster;
      }
      case 'lz_plt': {
        const palette = this.colors(image, format);
        return this.once(lend, image, (options) => decodeLz(image.data, image, { ...options, palette }));
      }
      case 'lz_rgb': {
        const raster = this.once(lend, image, (options) => decodeLz(image.data, image, options));
        return readLzHeader(image.data).type === LzType.A8 ? alphaOnly(raster) : raster;
      }
      case 'quic':
        return this.once(lend, image, (options) => decodeQuic(image.data, image, options));
      case 'lz4': {
        const raster = this.once(lend, image, (options) => decodeLz4(image.data, image, options));
        return (image.data[1] ?? 0) < BitmapFormat['32BIT'] ? opaque(raster) : raster;
      }
      case 'glz_rgb':
        return this.glz(decodeGlz(this.caches.glz, image.data, image, { lend }));
      case 'zlib_glz_rgb':
        return this.glz(decodeZlibGlz(this.caches.glz, image.data, image.glzDataSize, image, { lend }));
      case 'jpeg':
        return this.jpeg(image, (codec, { data }) => codec.decode(data, image));
      case 'jpeg_alpha': {
        const topDown = (image.jpegAlphaFlags & JpegAlphaFlags.topDown) !== 0;
        return this.jpeg(image, (codec, { data }) => codec.decodeAlpha(data, image.jpegSize, topDown, image));
      }
      default:
        throw new Undrawable(`a picture of type ${image.type}`);
    }
  }

  /**
   * Decodes to memory that was used before, if nobody keeps the picture. That memory is what the decoder took for the largest
   * picture so far, which it does only after it has looked at the data.
   */
  private once(lend: boolean, { width, height }: Image, decode: (options: DecodeOptions) => Pixels): Raster {
    if (!lend) return rasterOf(decode({}));
    const bytes = width * height * 4;
    const target = bytes <= this.scratch.length ? this.scratch.subarray(0, bytes) : undefined;
    const pixels = decode({ target });
    if (target === undefined && bytes <= mostScratch * 4) this.scratch = pixels.data;
    return rasterOf(pixels);
  }

  private glz(decoding: GlzDecoding): Raster | Later {
    const { missing } = decoding;
    if (missing === undefined) return rasterOf(decoding.pixels);
    if (!this.mayArrive()) throw new ImageError('window', `picture ${missing} has not arrived`);
    return {
      ready: this.caches.glz.arrival(missing),
      fromOthers: true,
      resume: () => {
        decoding.resume();
        return this.glz(decoding);
      },
    };
  }

  private jpeg<I extends Image & { data: Uint8Array }>(image: I, decode: (codec: JpegCodec, image: I) => Pixels) {
    const codec = this.caches.jpeg();
    if (!(codec instanceof Promise)) return rasterOf(decode(codec, image));
    const own = keep(image);
    return { ready: codec, fromOthers: false, resume: (): Raster | Later => this.jpeg(own, decode) };
  }

  /** The colours of a palette, which is put into the cache if its flags say so. Undefined if there is none. */
  private colors(
    { palette, bitmapFlags }: { palette: PaletteRef; bitmapFlags: number },
    format: Format,
  ): readonly number[] | undefined {
    let found: Palette | null | undefined;
    if (typeof palette === 'bigint') {
      found = this.palettes.get(palette);
      if (found === undefined) throw new Undrawable('a palette that is not in the cache');
    } else found = palette;
    if (found === null) return undefined;
    if (bitmapFlags & BitmapFlags.palCacheMe && typeof palette !== 'bigint') this.palettes.put(found);
    return isSixteen(format) ? found.ents.map(expand555) : found.ents;
  }
}

/** The same wait, with something done to the picture that comes of it. */
const followed = (later: Later, then: (raster: Raster) => Raster): Later => ({
  ready: later.ready,
  fromOthers: later.fromOthers,
  resume: () => {
    const got = later.resume();
    return isLater(got) ? followed(got, then) : then(got);
  },
});
