/**
 * The display channels of a session: each has its screen, all of them share the caches, and what a screen wants of the world
 * (the clock, other channels, reports) is found here. INVARIANT: the shared caches are forgotten once for each hand-over that
 * forgets them, however many displays there are, and before the target can fill them (spec §3f).
 */
import type { AnyMachineSnapshot } from 'xstate';
import type { ChannelHost } from '../engine/channel-host.ts';
import type { Clock } from '../engine/clock.ts';
import type { System } from '../engine/system.ts';
import type { JpegCodec } from '../image/jpeg.ts';
import { ImageCompression, VideoCodecType } from '../protocol/constants.ts';
import { type Caps, caps, channelName, DisplayCap, hasCap } from '../protocol/index.ts';
import { Caches } from './caches.ts';
import { type ChannelSerials, Screen } from './screen.ts';
import type { FrameDecoder } from './streams.ts';

/** How pictures may be asked for (spec §2.4, PREFERRED_COMPRESSION). */
export const preferredCompressions = ['auto_glz', 'auto_lz', 'quic', 'glz', 'lz', 'lz4', 'off'] as const;
export type PreferredCompression = (typeof preferredCompressions)[number];
export type VideoCodec = keyof typeof VideoCodecType;

export interface DisplayOptions {
  /** How the server should encode pictures, if it lets itself be told. Default: as the server likes. */
  readonly preferredCompression?: PreferredCompression | undefined;
  /** Makes decoders of videos other than MJPEG, one for each video. Servers are offered what is here. */
  readonly videoDecoders?: { readonly [C in Exclude<VideoCodec, 'mjpeg'>]?: () => FrameDecoder } | undefined;
  /** The codecs that the server should use for videos, the best first, if it lets itself be told. */
  readonly preferredVideoCodecs?: readonly VideoCodec[] | undefined;
  /** Loads the JPEG library when it is first needed: a browser must say where its WebAssembly is. */
  readonly loadJpeg?: (() => Promise<JpegCodec>) | undefined;
}

export interface DisplaysHost extends DisplayOptions {
  readonly clock: Clock;
  /** The session's clock, in milliseconds. */
  readonly mmTime: () => number;
  /** A display's first whole picture, or the first after its size changed, is there. */
  readonly marked: (channel: string, width: number, height: number) => void;
}

const codecCaps = {
  mjpeg: DisplayCap.codecMjpeg,
  vp8: DisplayCap.codecVp8,
  h264: DisplayCap.codecH264,
  vp9: DisplayCap.codecVp9,
  h265: DisplayCap.codecH265,
} as const;

/** What a client of ours can do with a display: no more than it truly does. */
export function displayCaps({ videoDecoders = {} }: DisplayOptions): Caps {
  const codecs = (Object.keys(codecCaps) as VideoCodec[]).filter(
    (codec) => codec === 'mjpeg' || videoDecoders[codec] !== undefined,
  );
  return caps(
    DisplayCap.sizedStream,
    DisplayCap.monitorsConfig,
    DisplayCap.composite,
    DisplayCap.a8Surface,
    DisplayCap.streamReport,
    DisplayCap.lz4Compression,
    DisplayCap.prefCompression,
    DisplayCap.multiCodec,
    DisplayCap.prefVideoCodecType,
    ...codecs.map((codec) => codecCaps[codec]),
  );
}

export class Displays {
  /** What each display shows, by its address: "display:0". */
  readonly screens = new Map<string, Screen>();
  private readonly host: DisplaysHost;
  private readonly caches: Caches;
  /** Displays that are linked. */
  private readonly live = new Map<string, ChannelHost>();
  /** Displays that a hand-over has reset since the caches were last forgotten. */
  private readonly reset = new Set<string>();

  constructor(host: DisplaysHost) {
    this.host = host;
    this.caches = new Caches({}, host.loadJpeg);
  }

  attach(host: ChannelHost, system: System): void {
    const { channel } = host;
    const screen = this.screens.get(channel) ?? this.create(host, system);
    this.screens.set(channel, screen);
    let link: string | null = null;
    let switchedTo: string | undefined;
    host.states.subscribe((state) => {
      if (state.type === 'reset') {
        if (state.keep !== 'everything') this.forgetOnce(channel);
        screen.reset(state.keep);
      } else if (state.type === 'switched') switchedTo = state.link;
      else if (state.type === 'ended' && this.live.get(channel) === host) this.live.delete(channel);
    });
    host.actor.subscribe((snapshot: AnyMachineSnapshot) => {
      const now = snapshot.context.link as string | null;
      if (now === link) return;
      link = now;
      if (now === null) {
        if (this.live.get(channel) === host) this.live.delete(channel);
        return;
      }
      if (now !== switchedTo) this.beginAfresh(channel, screen);
      this.live.set(channel, host);
      this.introduce(host);
    });
    host.messages.subscribe((message) => {
      screen.apply(message);
      if (message.type !== 'msg.mark') return;
      const primary = screen.primary();
      if (primary !== undefined) this.host.marked(channel, primary.width, primary.height);
    });
  }

  close(): void {
    for (const screen of this.screens.values()) screen.close();
  }

  private create(host: ChannelHost, system: System): Screen {
    const { channel } = host;
    const { clock, mmTime, videoDecoders = {} } = this.host;
    return new Screen({
      caches: this.caches,
      clock: {
        now: mmTime,
        after: (ms, run) => {
          const timer = clock.setTimeout(run, ms);
          return () => clock.clearTimeout(timer);
        },
      },
      decoderOf: (type) => {
        const codec = (Object.keys(VideoCodecType) as VideoCodec[]).find((name) => VideoCodecType[name] === type);
        return codec === undefined || codec === 'mjpeg' ? undefined : videoDecoders[codec]?.();
      },
      report: (body) => {
        const now = this.live.get(channel);
        if (now !== undefined && hasCap(now.peerCaps, DisplayCap.streamReport)) {
          now.send({ type: 'msgc.stream_report', body });
        }
      },
      waitFor: (list) => waitFor(system, list),
    });
  }

  /** A server that knows nothing of what the display shows: a new session, or the same one after the channel was lost. */
  private beginAfresh(channel: string, screen: Screen): void {
    const others = [...this.live.keys()].some((other) => other !== channel);
    if (!others) {
      this.caches.clear();
      this.reset.clear();
    }
    screen.reset('nothing');
  }

  private forgetOnce(channel: string): void {
    if (this.reset.size === 0 || this.reset.has(channel)) {
      this.caches.clear();
      this.reset.clear();
    }
    this.reset.add(channel);
  }

  /** What follows the init. */
  private introduce(host: ChannelHost): void {
    const { preferredCompression, preferredVideoCodecs } = this.host;
    if (preferredCompression !== undefined && hasCap(host.peerCaps, DisplayCap.prefCompression)) {
      const imageCompression = ImageCompression[preferredCompression];
      host.send({ type: 'msgc.preferred_compression', body: { imageCompression } });
    }
    if (preferredVideoCodecs !== undefined && hasCap(host.peerCaps, DisplayCap.prefVideoCodecType)) {
      const codecs = preferredVideoCodecs.map((codec) => VideoCodecType[codec]);
      host.send({ type: 'msgc.preferred_video_codec_type', body: { codecs } });
    }
  }
}

/** Undefined when every channel has come as far as it must; a channel that there is not has (spec §2.2). */
function waitFor(system: System, list: readonly ChannelSerials[]): Promise<void> | undefined {
  const satisfied = () =>
    list.every(({ type, id, serial }) => {
      const progress = system.progress.get(channelName(type, id));
      return progress === undefined || progress >= Number(serial);
    });
  if (satisfied()) return undefined;
  return new Promise((go) => system.waiters.add({ satisfied, go }));
}
