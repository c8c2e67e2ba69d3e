/**
 * What drawing messages are made of: rectangles, clips, brushes, masks, paths, text and pictures (spec §2.4).
 * Layouts only: nothing here knows what a pixel looks like. Byte fields are views into the message they came with.
 */
import {
  array,
  bytes,
  type Codec,
  i16,
  i32,
  names,
  pointed,
  pointer,
  sized,
  struct,
  times,
  u8,
  u16,
  u32,
  u64,
  type Value,
  variant,
} from '../wire/codec.ts';
import { derived, extent, field, layout, merge } from '../wire/layout.ts';
import { BitmapFlags, CompositeFlags, ImageType, LineFlags, StringFlags } from './constants.ts';

/** In pixels. */
export const Point = struct({ x: i32, y: i32 });
export type Point = Value<typeof Point>;
export const Point16 = struct({ x: i16, y: i16 });
export type Point16 = Value<typeof Point16>;

/** In pixels; `right` and `bottom` are the first column and row outside. */
export const Rect = struct({ top: i32, left: i32, bottom: i32, right: i32 });
export type Rect = Value<typeof Rect>;

/** A signed number of sixteenths (28.4 fixed point), kept as it is on the wire. */
export const Fixed28 = i32;
export const PointFix = struct({ x: Fixed28, y: Fixed28 });
export type PointFix = Value<typeof PointFix>;

/** Two rows of a matrix of unsigned words that hold signed 16.16 fixed point. */
export const Transform = struct({ t00: u32, t01: u32, t02: u32, t10: u32, t11: u32, t12: u32 });
export type Transform = Value<typeof Transform>;

export const Clip = variant(u8, { none: [0, struct({})], rects: [1, struct({ rects: array(u32, Rect) })] });
export type Clip = Value<typeof Clip>;

/** Where a drawing command draws: a surface, a box on it, and the part of the box that may change. */
export const DisplayBase = struct({ surfaceId: u32, box: Rect, clip: Clip });
export type DisplayBase = Value<typeof DisplayBase>;

/** Colours are 0x00RRGGBB; on 16-bit surfaces they are 5-5-5 words. */
export const Palette = struct({ unique: u64, ents: array(u16, u32) });
export type Palette = Value<typeof Palette>;

/**
 * A palette that came along, the id of one that is cached (iff the flags hold `palFromCache`), or null where the format
 * needs none.
 */
export type PaletteRef = Palette | bigint | null;

interface Descriptor {
  id: bigint;
  /** `ImageFlags`. */
  flags: number;
  /** In pixels. */
  width: number;
  height: number;
}
interface Bytes {
  data: Uint8Array;
}
/** `data` is stride × y bytes; `x` and `y` are the size of the stored picture, `format` a `BitmapFmt`. */
export interface BitmapData extends Bytes {
  format: number;
  bitmapFlags: number;
  x: number;
  y: number;
  stride: number;
  palette: PaletteRef;
}
export interface LzPltData extends Bytes {
  bitmapFlags: number;
  palette: Palette | bigint;
}
/** `glzDataSize` is how many bytes the data inflate to. */
export interface ZlibGlzRgbData extends Bytes {
  glzDataSize: number;
}
/** The first `jpegSize` bytes of `data` are the JPEG, the others its alpha as an LZ picture. */
export interface JpegAlphaData extends Bytes {
  jpegAlphaFlags: number;
  jpegSize: number;
}
export interface SurfaceRef {
  surfaceId: number;
}

/** A picture on the wire: its descriptor and what its type adds. `id` names it in the image cache. */
export type Image =
  | ({ type: 'bitmap' } & Descriptor & BitmapData)
  | ({ type: 'quic' | 'lz_rgb' | 'glz_rgb' | 'jpeg' | 'lz4' } & Descriptor & Bytes)
  | ({ type: 'lz_plt' } & Descriptor & LzPltData)
  | ({ type: 'zlib_glz_rgb' } & Descriptor & ZlibGlzRgbData)
  | ({ type: 'jpeg_alpha' } & Descriptor & JpegAlphaData)
  | ({ type: 'surface' } & Descriptor & SurfaceRef)
  | ({ type: 'from_cache' | 'from_cache_lossless' } & Descriptor);

const ownPalette: Codec<PaletteRef> = pointer(Palette);
const neededPalette: Codec<PaletteRef> = pointed(Palette);
const isFromCache = (bitmapFlags: number) => (bitmapFlags & BitmapFlags.palFromCache) !== 0;

const bitmapData = layout<BitmapData>([
  field('format', u8),
  field('bitmapFlags', u8),
  field('x', u32),
  extent('y', u32),
  extent('stride', u32),
  field('palette', ({ bitmapFlags }) => (isFromCache(bitmapFlags) ? u64 : ownPalette)),
  field('data', ({ stride, y }) => bytes(stride * y)),
]);

const lzPltData = layout<LzPltData>([
  field('bitmapFlags', u8),
  derived('dataSize', u32, (value: Bytes) => value.data.length),
  field('palette', ({ bitmapFlags }) => (isFromCache(bitmapFlags) ? u64 : neededPalette)),
  field('data', ({ dataSize }) => bytes(dataSize)),
]);

const binaryData = struct({ data: sized(u32) });
const nothing = struct({});

const imageBodies: Record<keyof typeof ImageType, Codec<any>> = {
  bitmap: bitmapData,
  quic: binaryData,
  lz_plt: lzPltData,
  lz_rgb: binaryData,
  glz_rgb: binaryData,
  from_cache: nothing,
  surface: struct({ surfaceId: u32 }),
  jpeg: binaryData,
  from_cache_lossless: nothing,
  zlib_glz_rgb: struct({ glzDataSize: u32, data: sized(u32) }),
  jpeg_alpha: struct({ jpegAlphaFlags: u8, jpegSize: u32, data: sized(u32) }),
  lz4: binaryData,
};

export const Image = layout<Image>([
  field('id', u64),
  field('type', names(u8, ImageType)),
  field('flags', u8),
  field('width', u32),
  field('height', u32),
  merge('u', ({ type }) => imageBodies[type as keyof typeof ImageType]),
]);

/** `pos` of a pattern is where its first pixel stands on the surface. */
export const Brush = variant(u8, {
  none: [0, nothing],
  solid: [1, struct({ color: u32 })],
  pattern: [2, struct({ pat: pointed(Image), pos: Point })],
});
export type Brush = Value<typeof Brush>;

/** A 1-bit picture that says which pixels change; without a bitmap all do. `pos` is the mask's pixel at the box's corner. */
export const QMask = struct({ flags: u8, pos: Point, bitmap: pointer(Image) });
export type QMask = Value<typeof QMask>;

/** The common fields of draw_opaque, draw_copy, draw_blend, draw_rop3, draw_transparent and draw_alpha_blend. */
export const source = { srcBitmap: pointer(Image), srcArea: Rect };

export const PathSegment = struct({ flags: u8, points: array(u32, PointFix) });
export type PathSegment = Value<typeof PathSegment>;
export const Path = struct({ segments: array(u32, PathSegment) });
export type Path = Value<typeof Path>;

/** `style` is the lengths of dashes and gaps in sixteenths of a pixel; there iff the flags hold `styled`. */
export interface LineAttr {
  flags: number;
  style?: number[] | null;
}
const isStyled = (flags: number) => (flags & LineFlags.styled) !== 0;
export const LineAttr = layout<LineAttr>([
  field('flags', u8),
  derived(
    'styleNseg',
    ({ flags }) => (isStyled(flags) ? u8 : undefined),
    (value: LineAttr) => value.style?.length ?? 0,
  ),
  field('style', ({ flags, styleNseg }) => (isStyled(flags) ? pointer(times(styleNseg, Fixed28)) : undefined)),
]);

/** A letter as pixels of 1, 4 or 8 bits, each row starting at a byte. */
export interface RasterGlyph extends Bytes {
  renderPos: Point;
  glyphOrigin: Point;
  width: number;
  height: number;
}
const rasterGlyph = (bits: number) =>
  layout<RasterGlyph>([
    field('renderPos', Point),
    field('glyphOrigin', Point),
    extent('width', u16),
    extent('height', u16),
    field('data', ({ width, height }) => bytes(((bits * width + 7) >> 3) * height)),
  ]);
const glyphs = { 0: rasterGlyph(0), 1: rasterGlyph(1), 4: rasterGlyph(4), 8: rasterGlyph(8) };

/** Bits of a glyph's pixel by the flags of its text; 0 where they name no kind, and then there are no bytes. */
export const glyphBits = (flags: number): 0 | 1 | 4 | 8 =>
  flags & StringFlags.rasterA1 ? 1 : flags & StringFlags.rasterA4 ? 4 : flags & StringFlags.rasterA8 ? 8 : 0;

/** Letters of one kind, as `StringFlags` say. */
export interface GlyphString {
  flags: number;
  glyphs: RasterGlyph[];
}
export const GlyphString = layout<GlyphString>([
  derived('length', u16, (value: GlyphString) => value.glyphs.length),
  field('flags', u8),
  field('glyphs', ({ length, flags }) => times(length, glyphs[glyphBits(flags)])),
]);

/** The fields of draw_composite behind its base; mask and transforms are there iff the flags say so. */
export interface Composite {
  flags: number;
  srcBitmap: Image | null;
  maskBitmap?: Image | null;
  srcTransform?: Transform;
  maskTransform?: Transform;
  srcOrigin: Point16;
  maskOrigin: Point16;
}
const iff = (flag: number, codec: Codec<any>) => (seen: { flags?: number }) =>
  (seen.flags! & flag) !== 0 ? codec : undefined;
export const Composite = layout<Composite>([
  field('flags', u32),
  field('srcBitmap', pointer(Image)),
  field('maskBitmap', iff(CompositeFlags.hasMask, pointer(Image))),
  field('srcTransform', iff(CompositeFlags.hasSrcTransform, Transform)),
  field('maskTransform', iff(CompositeFlags.hasMaskTransform, Transform)),
  field('srcOrigin', Point16),
  field('maskOrigin', Point16),
]);
