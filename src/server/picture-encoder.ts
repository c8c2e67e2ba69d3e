/**
 * Makes of a rectangle of the screen what is cheapest for one client: one colour, a picture that it keeps already, or the
 * encoding that suits the pixels among those that are allowed. It holds what the client's caches hold, and must therefore be
 * told of nothing that is not sent. INVARIANT: only JPEG changes a pixel, and that only where it was allowed.
 */

import type { Lent } from '../engine/outgoing.ts';
import { BitmapFormat } from '../image/bitmap.ts';
import { GlzDictionary } from '../image/glz-encode.ts';
import type { JpegCodec } from '../image/jpeg.ts';
import { LzType } from '../image/lz.ts';
import { encodeLz } from '../image/lz-encode.ts';
import { encodeLz4 } from '../image/lz4-encode.ts';
import type { PixelSource } from '../image/pixels.ts';
import { encodeQuic } from '../image/quic-encode.ts';
import { QuicType } from '../image/quic-model.ts';
import { deflateGlz } from '../image/zlib-glz.ts';
import { type Caps, DisplayCap, hasCap } from '../protocol/capabilities.ts';
import { BitmapFlags, BitmapFmt, ImageCompression, ImageFlags, ResourceType, Ropd } from '../protocol/constants.ts';
import type { Image } from '../protocol/draw.ts';
import type { Rect } from '../sources/console.ts';
import { areaOf } from '../sources/rect.ts';
import { type Place, uniformColor } from './drawable.ts';
import type { Framebuffer } from './framebuffer.ts';
import { contentKey, Fruitless, ImageCache, sampleKey } from './image-cache.ts';
import type { StreamingVideo } from './motion.ts';
import { estimate, isNatural } from './smoothness.ts';

/** The words of libspice-server's `image-compression`. */
export const imageCompressions = ['auto_glz', 'auto_lz', 'quic', 'glz', 'lz', 'lz4', 'off'] as const;
export type ServerCompression = (typeof imageCompressions)[number];

/** The words of libspice-server's `jpeg-wan-compression` and `zlib-glz-wan-compression`. */
export const wanCompressions = ['auto', 'never', 'always'] as const;
export type WanCompression = (typeof wanCompressions)[number];

export interface EncodingOptions {
  /** How pictures are encoded, unless a client prefers another way. Default: auto_glz. */
  readonly imageCompression?: ServerCompression | undefined;
  /**
   * Whether pictures that look taken may be sent as JPEG, which changes them a little. `auto` does so for clients whose link is
   * slow, below 10 Mbit/s, and sends them once more, exactly, when the screen has come to rest. Default: auto.
   */
  readonly jpegWanCompression?: WanCompression | undefined;
  /** Whether GLZ is packed once more; `auto` does so where the link is slow. Default: auto. */
  readonly zlibGlzWanCompression?: WanCompression | undefined;
  /**
   * Which moving regions are sent as MJPEG, which changes them a little while they move: none, those that look taken, or all.
   * Default: off.
   */
  readonly streamingVideo?: StreamingVideo | undefined;
}

/** What a client keeps, as it said when it came, or as the source of a hand-over has told. */
export interface ClientCaches {
  readonly pixmapCacheId: number;
  /** In pixels. */
  readonly pixmapCacheSize: bigint;
  readonly glzDictionaryId: number;
  /** In pixels. */
  readonly glzDictionaryWindowSize: number;
  /** The number of the next GLZ picture, where another server has sent some. */
  readonly glzNextId?: number;
}

export interface Message {
  readonly type: string;
  readonly body: any;
  /** Where the picture's data are the application's own memory, which may be sent from where it lies. */
  readonly lent?: Lent | undefined;
}

type Coding = 'quic' | 'glz' | 'lz' | 'lz4' | 'jpeg' | 'off';

/** Smaller pictures are not worth a codec's header. */
const leastPixels = 24;
/** Smaller ones are not worth a place in the caches, larger ones not the time to look for them. */
const leastCached = 256;
const mostCached = 1 << 18;
/** Of larger ones only a few pixels are looked at until they come for the second time. */
const leastSampled = 4_096;

/** Pixels of a client's GLZ window that are made use of, however many it offers: the server keeps them too. */
const mostWindow = 1 << 22;

export const primary = 0;
export const noMask = { flags: 0, pos: { x: 0, y: 0 }, bitmap: null };
export const baseOf = (box: Rect) => ({ surfaceId: primary, box, clip: { type: 'none' as const } });

export const fillMessage = (area: Rect, color: number): Message => ({
  type: 'msg.draw_fill',
  body: { base: baseOf(area), brush: { type: 'solid', color }, ropDescriptor: Ropd.opPut, mask: noMask },
});

/** What several clients are sent alike is encoded once. */
export class SharedEncodings {
  private version = -1;
  private readonly made = new Map<string, Uint8Array>();

  get(screen: Framebuffer, key: string, make: () => Uint8Array): Uint8Array {
    if (this.version !== screen.version) {
      this.made.clear();
      this.version = screen.version;
    }
    let bytes = this.made.get(key);
    if (bytes === undefined) {
      bytes = make();
      this.made.set(key, bytes);
    }
    return bytes;
  }
}

export interface Tools {
  readonly options: EncodingOptions;
  readonly shared: SharedEncodings;
  /** The JPEG library, once it is there; `wantJpeg` has it loaded. */
  jpeg: JpegCodec | undefined;
  readonly wantJpeg: () => void;
  /** Runs something when others have had their turn, or after so many milliseconds; what it returns calls that off. */
  readonly soon: (run: () => void, ms?: number) => () => void;
  /** There is one client only: what is encoded for it is encoded for nobody else. */
  readonly isOnly: () => boolean;
  /** A client has been sent all that it had missed. */
  readonly progressed: () => void;
  /** Numbers pictures; no two of a session have one. */
  readonly nextId: () => bigint;
}

export class PictureEncoder {
  private readonly tools: Tools;
  private readonly caps: Caps;
  private readonly images: ImageCache;
  /** Made when it is first needed. */
  private dictionary: GlzDictionary | undefined;
  private readonly glzWindow: { readonly pixels: number; readonly nextId: number };
  private compression: ServerCompression;
  private readonly isSlow: () => boolean;
  private readonly fruitless = new Fruitless();
  /** What is encoded now must not be changed. */
  private exact = false;

  /** `isSlow`: whether the client's link is. */
  constructor(tools: Tools, caches: ClientCaches, caps: Caps, isSlow: () => boolean) {
    this.isSlow = isSlow;
    this.tools = tools;
    this.caps = caps;
    const size = caches.pixmapCacheSize;
    this.images = new ImageCache(size > 0n ? Number(size) : 0);
    const pixels = Math.min(Math.max(0, caches.glzDictionaryWindowSize), mostWindow);
    this.glzWindow = { pixels, nextId: caches.glzNextId ?? 0 };
    this.compression = tools.options.imageCompression ?? 'auto_glz';
  }

  /** The number of the next GLZ picture, with which another server has to go on. */
  get glzNextId(): number {
    return this.dictionary?.nextId ?? this.glzWindow.nextId;
  }

  /** The client asks for an `ImageCompression`. One that nobody knows counts for nothing. */
  prefer(imageCompression: number): void {
    const found = imageCompressions.find((name) => ImageCompression[name] === imageCompression);
    if (found !== undefined) this.compression = found;
  }

  /**
   * The messages that show an area of the screen, which is not empty. All of them must be sent, in their order, and at once:
   * their data may be the encoder's own memory, until it encodes again. `exact`: not as JPEG.
   */
  encode(screen: Framebuffer, area: Rect, exact = false): Message[] {
    this.exact = exact;
    const place = screen.place(area);
    const width = area.right - area.left;
    const height = area.bottom - area.top;
    const color = uniformColor(place, width, height);
    if (color !== undefined) return [fillMessage(area, color)];
    const pixels = areaOf(area);
    const draw = (flags: number, coding = this.choose(place, width, height)) =>
      this.drawing(screen, area, place, { id, flags, width, height }, coding);
    const id = this.tools.nextId();
    if (pixels < leastCached || pixels > mostCached || this.fruitless.rests(pixels)) return [draw(0)];
    // Most pictures never come again: a few of its pixels tell whether this one may have come before. It is kept when all
    // of it has.
    const isSmall = pixels < leastSampled;
    const { words, at, stride } = place;
    const sample = isSmall ? contentKey(words, at, stride, width, height) : sampleKey(words, at, stride, width, height);
    if (!this.images.wants(sample, pixels)) return [draw(0)];
    const key = isSmall ? sample : contentKey(words, at, stride, width, height);
    const known = this.images.find(key);
    if (known !== undefined) {
      if (!isSmall) this.fruitless.wasFound();
      return [copyMessage(area, { type: 'from_cache', id: known, flags: 0, width, height })];
    }
    const coding = this.choose(place, width, height);
    const keeps = coding !== 'jpeg' && (isSmall || this.images.wants(key, pixels));
    if (!isSmall && !keeps) this.fruitless.wasNot();
    if (!keeps) return [draw(0, coding)];
    const dropped = this.images.keep(key, id, pixels);
    const kept = draw(ImageFlags.cacheMe, coding);
    if (dropped.length === 0) return [kept];
    const resources = dropped.map((one) => ({ type: ResourceType.pixmap, id: one }));
    return [{ type: 'msg.inval_list', body: { resources } }, kept];
  }

  /** Nothing is compressed unless somebody asks for it. */
  get isRaw(): boolean {
    return this.compression === 'off';
  }

  private choose(place: Place, width: number, height: number): Coding {
    const { compression } = this;
    if (compression === 'off' || width * height < leastPixels) return 'off';
    if (compression === 'quic') return this.photo();
    if (compression === 'lz4') return hasCap(this.caps, DisplayCap.lz4Compression) ? 'lz4' : 'lz';
    const synthetic = compression === 'lz' || compression === 'auto_lz' ? 'lz' : this.glz(width, height);
    if (compression === 'lz' || compression === 'glz' || width < 8 || height < 8) return synthetic;
    const costs = estimate(place.words, place.at, place.stride, width, height);
    return isNatural(costs) ? this.photo() : synthetic;
  }

  private photo(): Coding {
    const { tools } = this;
    if (this.exact || !this.applies(tools.options.jpegWanCompression)) return 'quic';
    if (tools.jpeg === undefined) tools.wantJpeg();
    return tools.jpeg === undefined ? 'quic' : 'jpeg';
  }

  private applies(when: WanCompression = 'auto'): boolean {
    return when === 'always' || (when === 'auto' && this.isSlow());
  }

  private glz(width: number, height: number): Coding {
    return width * height < this.glzWindow.pixels ? 'glz' : 'lz';
  }

  private drawing(screen: Framebuffer, area: Rect, place: Place, described: Described, coding: Coding): Message {
    const { drawable } = place;
    const source = sourceAt(place, described.width, described.height);
    const image = this.image(screen, area, source, described, coding);
    if (coding !== 'off' || drawable === undefined || source.stride !== source.width * 4)
      return copyMessage(area, image);
    const hold = () => {
      drawable.hold();
      return () => drawable.letGo();
    };
    return { ...copyMessage(area, image), lent: { bytes: (image as { data: Uint8Array }).data, hold } };
  }

  private image(screen: Framebuffer, area: Rect, source: PixelSource, described: Described, coding: Coding): Image {
    const { width, height } = described;
    // What is sent at once, and to nobody else, need not outlive the next encoding.
    const lend = this.tools.isOnly();
    const once = (make: () => Uint8Array) => {
      if (lend) return make();
      const { left, top } = area;
      return this.tools.shared.get(screen, `${coding}:${left},${top},${width},${height}`, make);
    };
    switch (coding) {
      case 'glz': {
        this.dictionary ??= new GlzDictionary({ ...this.glzWindow, trueColor: true });
        const data = this.dictionary.encode(source, LzType.RGB32, { lend: true });
        if (this.applies(this.tools.options.zlibGlzWanCompression)) {
          const packed = deflateGlz(data);
          if (packed.length < data.length) {
            return { type: 'zlib_glz_rgb', ...described, glzDataSize: data.length, data: packed };
          }
        }
        return { type: 'glz_rgb', ...described, data };
      }
      case 'quic':
        return { type: 'quic', ...described, data: once(() => encodeQuic(source, QuicType.RGB32, { lend })) };
      case 'lz':
        return { type: 'lz_rgb', ...described, data: once(() => encodeLz(source, LzType.RGB32, { lend })) };
      case 'lz4':
        return { type: 'lz4', ...described, data: once(() => encodeLz4(source, BitmapFormat['32BIT'], { lend })) };
      case 'jpeg':
        return { type: 'jpeg', ...described, data: once(() => this.tools.jpeg!.encode(source, jpegQuality)) };
      case 'off': {
        const stride = width * 4;
        const shape = { format: BitmapFmt['32bit'], bitmapFlags: BitmapFlags.topDown, x: width, y: height, stride };
        return { type: 'bitmap', ...described, ...shape, palette: null, data: rowsOf(source) };
      }
    }
  }
}

interface Described {
  readonly id: bigint;
  readonly flags: number;
  readonly width: number;
  readonly height: number;
}

/** The pixels of a place, for an encoder. */
export const sourceAt = ({ words, at, stride }: Place, width: number, height: number) => ({
  width,
  height,
  data: new Uint8Array(words.buffer, words.byteOffset + at * 4, words.byteLength - at * 4),
  stride: stride * 4,
});

/** As libspice-server has it. */
export const jpegQuality = { quality: 85 } as const;

/** Rows without gaps: what is there, if it has none; it is written into a message before anything can change it. */
function rowsOf({ width, height, data, stride }: PixelSource): Uint8Array {
  if (stride === width * 4) return data.subarray(0, width * height * 4);
  const rows = new Uint8Array(width * height * 4);
  for (let y = 0; y < height; y++) rows.set(data.subarray(y * stride!, y * stride! + width * 4), y * width * 4);
  return rows;
}

const copyMessage = (area: Rect, srcBitmap: Image): Message => ({
  type: 'msg.draw_copy',
  body: {
    base: baseOf(area),
    srcBitmap,
    srcArea: { left: 0, top: 0, right: srcBitmap.width, bottom: srcBitmap.height },
    ropDescriptor: Ropd.opPut,
    scaleMode: 0,
    mask: noMask,
  },
});
