/** The display channel: surfaces, drawing commands, video streams and monitors (spec §2.4). */
import { array, i32, i64, pointed, rest, sized, struct, times, u8, u16, u32, u64, type Value } from '../wire/codec.ts';
import { derived, field, layout, merge } from '../wire/layout.ts';
import { BaseChannel, ChannelSerial } from './base.ts';
import { channel, data, laidOut, message, type Received, type Sent } from './channel.ts';
import {
  Brush,
  Clip,
  Composite,
  DisplayBase,
  GlyphString,
  LineAttr,
  Path,
  Point,
  QMask,
  Rect,
  source,
} from './draw.ts';

/** A cached thing by kind (`ResourceType`) and id. */
export const ResourceId = struct({ type: u8, id: u64 });

/** One monitor: a rectangle of a surface, in pixels. */
export const Head = struct({
  monitorId: u32,
  surfaceId: u32,
  width: u32,
  height: u32,
  x: u32,
  y: u32,
  flags: u32,
});
export type Head = Value<typeof Head>;

/** Which stream, and when to show the frame on the session's clock in milliseconds. */
export const StreamDataHeader = struct({ id: u32, multiMediaTime: u32 });

export interface MonitorsConfig {
  maxAllowed: number;
  heads: Head[];
}
const MonitorsConfig = layout<MonitorsConfig>([
  derived('count', u16, (value: MonitorsConfig) => value.heads.length),
  field('maxAllowed', u16),
  field('heads', ({ count }) => times(count, Head)),
]);

const copy = { base: DisplayBase, ...source, ropDescriptor: u16, scaleMode: u8, mask: QMask };
const masked = { base: DisplayBase, mask: QMask };

export const DisplayChannel = channel('display', 2, BaseChannel, {
  server: {
    mode: message(101, { xRes: u32, yRes: u32, bits: u32 }, 'The primary surface is this now. Not used by anybody.'),
    mark: message(102, {}, 'The primary surface may be shown.'),
    reset: message(103, {}, 'Forget the surfaces.'),
    copy_bits: data(104, { base: DisplayBase, srcPos: Point }, 'Move a part of a surface to another place on it.'),
    inval_list: data(105, { resources: array(u16, ResourceId) }, 'Drop these from the image cache.'),
    inval_all_pixmaps: data(
      106,
      { waitList: array(u8, ChannelSerial) },
      'When the channels have come that far, drop all of the image cache.',
    ),
    inval_palette: data(107, { id: u64 }, 'Drop a palette.'),
    inval_all_palettes: data(108, {}, 'Drop all palettes.'),
    stream_create: data(
      122,
      {
        surfaceId: u32,
        id: u32,
        flags: u8,
        codecType: u8,
        stamp: u64,
        streamWidth: u32,
        streamHeight: u32,
        srcWidth: u32,
        srcHeight: u32,
        dest: Rect,
        clip: Clip,
      },
      'A video begins.',
    ),
    stream_data: data(123, { base: StreamDataHeader, data: sized(u32) }, 'A frame of a video.'),
    stream_clip: data(124, { id: u32, clip: Clip }, 'Show only this part of a video.'),
    stream_destroy: data(125, { id: u32 }, 'A video ends.'),
    stream_destroy_all: data(126, {}, 'All videos end.'),
    draw_fill: data(302, { base: DisplayBase, brush: Brush, ropDescriptor: u16, mask: QMask }, 'Fill with a brush.'),
    draw_opaque: data(
      303,
      { base: DisplayBase, ...source, brush: Brush, ropDescriptor: u16, scaleMode: u8, mask: QMask },
      'Draw a picture, then a brush over it.',
    ),
    draw_copy: data(304, copy, 'Draw a picture.'),
    draw_blend: data(305, copy, 'Draw a picture, combined with what is there.'),
    draw_blackness: data(306, masked, 'Draw black.'),
    draw_whiteness: data(307, masked, 'Draw white.'),
    draw_invers: data(308, masked, 'Invert what is there.'),
    draw_rop3: data(
      309,
      { base: DisplayBase, ...source, brush: Brush, rop3: u8, scaleMode: u8, mask: QMask },
      'Combine a picture, a brush and what is there, bit by bit.',
    ),
    draw_stroke: data(
      310,
      { base: DisplayBase, path: pointed(Path), attr: LineAttr, brush: Brush, foreMode: u16, backMode: u16 },
      'Draw lines.',
    ),
    draw_text: data(
      311,
      {
        base: DisplayBase,
        str: pointed(GlyphString),
        backArea: Rect,
        foreBrush: Brush,
        backBrush: Brush,
        foreMode: u16,
        backMode: u16,
      },
      'Draw letters.',
    ),
    draw_transparent: data(
      312,
      { base: DisplayBase, ...source, srcColor: u32, trueColor: u32 },
      'Draw a picture but for the pixels of one colour.',
    ),
    draw_alpha_blend: data(
      313,
      { base: DisplayBase, alphaFlags: u8, alpha: u8, ...source },
      'Draw a picture that is partly transparent.',
    ),
    surface_create: message(
      314,
      { surfaceId: u32, width: u32, height: u32, format: u32, flags: u32 },
      'There is a new surface.',
    ),
    surface_destroy: message(315, { surfaceId: u32 }, 'A surface is gone.'),
    stream_data_sized: data(
      316,
      { base: StreamDataHeader, width: u32, height: u32, dest: Rect, data: sized(u32) },
      'A frame of a video, of its own size and place.',
    ),
    monitors_config: laidOut(317, MonitorsConfig, 'How monitors lie on the surfaces.'),
    draw_composite: laidOut(
      318,
      layout<{ base: DisplayBase } & Composite>([field('base', DisplayBase), merge('data', () => Composite)]),
      'Draw a picture through a mask with an operator.',
    ),
    stream_activate_report: data(
      319,
      { streamId: u32, uniqueId: u32, maxWindowSize: u32, timeoutMs: u32 },
      'Report how a video does, every so many frames or milliseconds.',
    ),
    gl_scanout_unix: data(
      320,
      { width: u32, height: u32, stride: u32, drmFourccFormat: u32, flags: u32 },
      'The picture is in the buffer whose descriptor came along on the unix socket.',
    ),
    gl_draw: data(321, { x: u32, y: u32, w: u32, h: u32 }, 'This part of the buffer changed: show it, then say so.'),
    quality_indicator: data(322, { data: rest }, 'Not used by anybody.'),
  },
  client: {
    init: message(
      101,
      { pixmapCacheId: u8, pixmapCacheSize: i64, glzDictionaryId: u8, glzDictionaryWindowSize: i32 },
      'What the client can keep, in pixels. Comes first and once.',
    ),
    stream_report: data(
      102,
      {
        streamId: u32,
        uniqueId: u32,
        startFrameMmTime: u32,
        endFrameMmTime: u32,
        numFrames: u32,
        numDrops: u32,
        lastFrameDelay: i32,
        audioDelay: u32,
      },
      'How a video did.',
    ),
    preferred_compression: data(103, { imageCompression: u8 }, 'Please encode pictures so.'),
    gl_draw_done: data(104, {}, 'The buffer was shown.'),
    preferred_video_codec_type: data(105, { codecs: array(u8, u8) }, 'Please encode videos so, the best first.'),
  },
});

export type DisplayReceived<S extends 'client' | 'server'> = Received<typeof DisplayChannel, S, 'control'>;
export type DisplaySent<S extends 'client' | 'server'> = Sent<typeof DisplayChannel, S>;
