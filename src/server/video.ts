/**
 * The videos that one client is shown: which it has been told of, at what quality, and how it says that they do (spec §2.4).
 * INVARIANT: a frame is sent at once or not at all; where frames are missing, the picture is made good when the video ends.
 */
import type { ChannelHost } from '../engine/channel-host.ts';
import { DisplayCap, hasCap } from '../protocol/capabilities.ts';
import { StreamFlags, VideoCodecType } from '../protocol/constants.ts';
import type { Video } from './motion.ts';

/** JPEG qualities, the best first; a client that cannot follow gets the next one. */
export const videoQualities = [80, 65, 50, 35] as const;

/** Frames and milliseconds after which a client is to report. */
const reportWindow = { maxWindowSize: 5, timeoutMs: 1_000 } as const;
/** Reports without trouble after which a better quality is tried. */
const goodReports = 10;

interface Shown {
  readonly uniqueId: number;
  level: number;
  good: number;
}

export class ClientVideos {
  private readonly host: ChannelHost;
  private readonly shown = new Map<number, Shown>();
  private refused = false;
  /** It has named codecs, and ours is none of them. */
  private prefersOthers = false;
  private lastUniqueId = 0;

  constructor(host: ChannelHost) {
    this.host = host;
  }

  /** Whether the client takes MJPEG. */
  get able(): boolean {
    const { peerCaps } = this.host;
    if (this.refused || this.prefersOthers) return false;
    return !hasCap(peerCaps, DisplayCap.multiCodec) || hasCap(peerCaps, DisplayCap.codecMjpeg);
  }

  get isEmpty(): boolean {
    return this.shown.size === 0;
  }

  /** Whether the client was shown any of it. */
  has(video: Video): boolean {
    return this.shown.has(video.id);
  }

  /** Sends a frame; `encode` makes the JPEG of the quality that suits the client. `time` is the session's clock. */
  frame(video: Video, time: number, encode: (quality: number) => Uint8Array): void {
    const { level } = this.shown.get(video.id) ?? this.begin(video);
    const data = encode(videoQualities[level]!);
    this.host.send({ type: 'msg.stream_data', body: { base: { id: video.id, multiMediaTime: time >>> 0 }, data } });
  }

  /** Whether the client was shown any of it. */
  end(video: Video): boolean {
    if (!this.shown.delete(video.id)) return false;
    this.host.send({ type: 'msg.stream_destroy', body: { id: video.id } });
    return true;
  }

  /**
   * The client names the codecs that it prefers, as `VideoCodecType`s. Where MJPEG is none of them it is shown no videos; an
   * empty list says nothing. Returns whether one is taken from it that it was shown.
   */
  prefer(codecs: readonly number[]): boolean {
    this.prefersOthers = codecs.length > 0 && !codecs.includes(VideoCodecType.mjpeg);
    if (!this.prefersOthers || this.isEmpty) return false;
    this.shown.clear();
    this.host.send({ type: 'msg.stream_destroy_all', body: {} });
    return true;
  }

  /** The client has forgotten all. */
  clear(): void {
    this.shown.clear();
    this.refused = false;
  }

  /** How the client says that a video does. Returns whether it will not have it. */
  reported(body: { streamId: number; uniqueId: number; numFrames: number; numDrops: number; lastFrameDelay: number }) {
    const shown = this.shown.get(body.streamId);
    if (shown === undefined) return false;
    // No frame, all dropped: there is no such stream at the client.
    if (body.numFrames === 0 && body.numDrops === 0xffffffff) {
      this.refused = true;
      return true;
    }
    if (shown.uniqueId !== body.uniqueId) return false;
    if (body.numDrops > 0 || body.lastFrameDelay < 0) {
      shown.level = Math.min(shown.level + 1, videoQualities.length - 1);
      shown.good = 0;
    } else if (++shown.good >= goodReports && shown.level > 0) {
      shown.level--;
      shown.good = 0;
    }
    return false;
  }

  private begin(video: Video): Shown {
    const { area, id } = video;
    const [width, height] = [area.right - area.left, area.bottom - area.top];
    this.host.send({
      type: 'msg.stream_create',
      body: {
        surfaceId: 0,
        id,
        flags: StreamFlags.topDown,
        codecType: VideoCodecType.mjpeg,
        stamp: 0n,
        streamWidth: width,
        streamHeight: height,
        srcWidth: width,
        srcHeight: height,
        dest: area,
        clip: { type: 'none' },
      },
    });
    const shown = { uniqueId: ++this.lastUniqueId, level: 0, good: 0 };
    this.shown.set(id, shown);
    if (hasCap(this.host.peerCaps, DisplayCap.streamReport)) {
      const body = { streamId: id, uniqueId: shown.uniqueId, ...reportWindow };
      this.host.send({ type: 'msg.stream_activate_report', body });
    }
    return shown;
  }
}
