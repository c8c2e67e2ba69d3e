/**
 * The numbers of the protocol's enumerations and flags, under the words of spice.proto. Those of one message only stand
 * beside it (base.ts, main.ts, link.ts). A number that is not listed here is a number all the same: no table is a check.
 */

export const ChannelType = {
  main: 1,
  display: 2,
  inputs: 3,
  cursor: 4,
  playback: 5,
  record: 6,
  tunnel: 7,
  smartcard: 8,
  usbredir: 9,
  port: 10,
  webdav: 11,
} as const;

export const NotifyVisibility = { low: 0, medium: 1, high: 2 } as const;

// ---- display -------------------------------------------------------------------------------------------------------

export const ClipType = { none: 0, rects: 1 } as const;
export const BrushType = { none: 0, solid: 1, pattern: 2 } as const;
export const MaskFlags = { invers: 1 } as const;

/** What a picture on the wire is encoded as. The names are those of `Image.type`. */
export const ImageType = {
  bitmap: 0,
  quic: 1,
  lz_plt: 100,
  lz_rgb: 101,
  glz_rgb: 102,
  from_cache: 103,
  surface: 104,
  jpeg: 105,
  from_cache_lossless: 106,
  zlib_glz_rgb: 107,
  jpeg_alpha: 108,
  lz4: 109,
} as const;

export const ImageFlags = { cacheMe: 1, highBitsSet: 2, cacheReplaceMe: 4 } as const;

export const BitmapFmt = {
  invalid: 0,
  '1bit_le': 1,
  '1bit_be': 2,
  '4bit_le': 3,
  '4bit_be': 4,
  '8bit': 5,
  /** 0RRRRRGGGGGBBBBB, little-endian. */
  '16bit': 6,
  /** Bytes B, G, R. */
  '24bit': 7,
  /** Bytes B, G, R, unused. */
  '32bit': 8,
  /** Bytes B, G, R, A; colours are premultiplied. */
  rgba: 9,
  '8bit_a': 10,
} as const;

export const BitmapFlags = { palCacheMe: 1, palFromCache: 2, topDown: 4 } as const;
export const JpegAlphaFlags = { topDown: 1 } as const;
export const ImageScaleMode = { interpolate: 0, nearest: 1 } as const;

/** What a client may ask for with preferred_compression. */
export const ImageCompression = {
  invalid: 0,
  off: 1,
  auto_glz: 2,
  auto_lz: 3,
  quic: 4,
  glz: 5,
  lz: 6,
  lz4: 7,
} as const;

/** Raster operation descriptor: one operation, and what is inverted before and after it. */
export const Ropd = {
  inversSrc: 1 << 0,
  inversBrush: 1 << 1,
  inversDest: 1 << 2,
  opPut: 1 << 3,
  opOr: 1 << 4,
  opAnd: 1 << 5,
  opXor: 1 << 6,
  opBlackness: 1 << 7,
  opWhiteness: 1 << 8,
  opInvers: 1 << 9,
  inversRes: 1 << 10,
} as const;

export const PathFlags = { begin: 1, end: 2, close: 8, bezier: 16 } as const;
export const LineFlags = { startWithGap: 4, styled: 8 } as const;
export const StringFlags = { rasterA1: 1, rasterA4: 2, rasterA8: 4, rasterTopDown: 8 } as const;
export const AlphaFlags = { destHasAlpha: 1, srcSurfaceHasAlpha: 2 } as const;

/** Flags of draw_composite. The lowest eight bits are the operator (`CompositeOp`). */
export const CompositeFlags = {
  opMask: 0xff,
  srcFilterShift: 8,
  maskFilterShift: 11,
  filterMask: 7,
  srcRepeatShift: 14,
  maskRepeatShift: 16,
  repeatMask: 3,
  componentAlpha: 1 << 18,
  hasMask: 1 << 19,
  hasSrcTransform: 1 << 20,
  hasMaskTransform: 1 << 21,
  sourceOpaque: 1 << 22,
  maskOpaque: 1 << 23,
  destOpaque: 1 << 24,
} as const;

export const SurfaceFlags = { primary: 1, streamingMode: 2 } as const;

export const SurfaceFmt = {
  invalid: 0,
  '1_a': 1,
  '8_a': 8,
  '16_555': 16,
  '32_xrgb': 32,
  '16_565': 80,
  '32_argb': 96,
} as const;

export const ResourceType = { invalid: 0, pixmap: 1 } as const;

export const VideoCodecType = { mjpeg: 1, vp8: 2, h264: 3, vp9: 4, h265: 5 } as const;
export const StreamFlags = { topDown: 1 } as const;
export const GlScanoutFlags = { y0top: 1 } as const;

/** Stream ids that a display channel may use: 0 to 63. */
export const maxNumStreams = 64;

// ---- inputs --------------------------------------------------------------------------------------------------------

export const KeyboardModifierFlags = { scrollLock: 1, numLock: 2, capsLock: 4 } as const;

export const MouseButton = { invalid: 0, left: 1, middle: 2, right: 3, up: 4, down: 5, side: 6, extra: 7 } as const;

export const MouseButtonMask = {
  left: 1 << 0,
  middle: 1 << 1,
  right: 1 << 2,
  up: 1 << 3,
  down: 1 << 4,
  side: 1 << 5,
  extra: 1 << 6,
} as const;

/** A server acknowledges every so many motion or position messages. */
export const inputMotionAckBunch = 4;

// ---- cursor --------------------------------------------------------------------------------------------------------

export const CursorType = { alpha: 0, mono: 1, color4: 2, color8: 3, color16: 4, color24: 5, color32: 6 } as const;
export const CursorFlags = { none: 1, cacheMe: 2, fromCache: 4 } as const;

// ---- playback and record -------------------------------------------------------------------------------------------

export const AudioDataMode = { invalid: 0, raw: 1, celt_0_5_1: 2, opus: 3 } as const;
export const AudioFmt = { invalid: 0, s16: 1 } as const;

/** The key of a number in one of these tables, or the number as text. */
export const nameOf = (table: Readonly<Record<string, number>>, number: number): string =>
  Object.entries(table).find(([, n]) => n === number)?.[0] ?? String(number);
