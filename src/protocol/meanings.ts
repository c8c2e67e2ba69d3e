/**
 * What numbers in messages mean, in the words of the protocol: for hexdumps and inspectors, never for decisions. A number
 * that has no name stays without one.
 */
import type { Meanings } from '../wire/explain.ts';
import { MigrateFlags, NotifySeverity } from './base.ts';
import {
  AlphaFlags,
  AudioDataMode,
  AudioFmt,
  BitmapFlags,
  BitmapFmt,
  ChannelType,
  CursorFlags,
  CursorType,
  ImageCompression,
  ImageFlags,
  ImageScaleMode,
  KeyboardModifierFlags,
  LineFlags,
  MaskFlags,
  MouseButton,
  MouseButtonMask,
  NotifyVisibility,
  PathFlags,
  ResourceType,
  Ropd,
  StringFlags,
  SurfaceFlags,
  SurfaceFmt,
  VideoCodecType,
} from './constants.ts';
import { LinkErrorCode } from './link.ts';
import { MouseMode } from './main.ts';

type Numbers = Readonly<Record<string, number>>;

const one = (table: Numbers) => (value: number) => Object.entries(table).find(([, n]) => n === value)?.[0];
const flags = (table: Numbers) => (value: number) => {
  const names = Object.entries(table).filter(([, bit]) => (value & bit) === bit);
  return names.length === 0 ? undefined : names.map(([name]) => name).join(' + ');
};

/** By the ends of paths; the first that fits counts. A dot before it keeps `format` from meaning `drmFourccFormat`. */
const byField: readonly (readonly [RegExp, (value: number) => string | undefined])[] = [
  [/^(display\.surface_create\.format)$/, one(SurfaceFmt)],
  [/^(display\.surface_create\.flags)$/, flags(SurfaceFlags)],
  [/^(playback|record)\.start\.format$/, one(AudioFmt)],
  [/^(playback|record)\.mode\.mode$/, one(AudioDataMode)],
  [/^cursor\..*cursor\.flags$/, flags(CursorFlags)],
  [/\.cursor\.header\.type$/, one(CursorType)],
  [/^(main|display|inputs|cursor|playback|record)\.migrate\.flags$/, flags(MigrateFlags)],
  [/\.(srcBitmap|maskBitmap|bitmap|pat)\.format$/, one(BitmapFmt)],
  [/\.(srcBitmap|maskBitmap|bitmap|pat)\.flags$/, flags(ImageFlags)],
  [/\.bitmapFlags$/, flags(BitmapFlags)],
  [/\.mask\.flags$/, flags(MaskFlags)],
  [/\.attr\.flags$/, flags(LineFlags)],
  [/\.str\.flags$/, flags(StringFlags)],
  [/\.segments\[\d+\]\.flags$/, flags(PathFlags)],
  [/\.(ropDescriptor|foreMode|backMode)$/, flags(Ropd)],
  [/\.scaleMode$/, one(ImageScaleMode)],
  [/\.alphaFlags$/, flags(AlphaFlags)],
  [/\.(codecType|codecs\[\d+\])$/, one(VideoCodecType)],
  [/\.imageCompression$/, one(ImageCompression)],
  [/\.resources\[\d+\]\.type$/, one(ResourceType)],
  [/\.(channels|waitList)\[\d+\]\.type$/, one(ChannelType)],
  [/\.severity$/, one(NotifySeverity)],
  [/\.visibility$/, one(NotifyVisibility)],
  [/\.(reason|errorCode)$/, one(LinkErrorCode)],
  [/\.(modifiers|keyboardModifiers)$/, flags(KeyboardModifierFlags)],
  [/\.buttonsState$/, flags(MouseButtonMask)],
  [/\.button$/, one(MouseButton)],
  [/\.(supportedMouseModes|supportedModes)$/, flags(MouseMode)],
  [/\.(currentMouseMode|currentMode)$|mouse_mode_request\.mode$/, one(MouseMode)],
];

/** The meanings of the fields of a message, to be handed to `explain`. */
export const meaningsOf =
  (channel: string, message: string): Meanings =>
  (path, value) => {
    if (typeof value !== 'number' || path.includes('#')) return undefined;
    const full = `${channel}.${message}.${path}`;
    return byField.find(([field]) => field.test(full))?.[1](value);
  };
