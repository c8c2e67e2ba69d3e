/**
 * Decoders of videos from the browser's WebCodecs: VP8, VP9 and H.264, where it has them. A frame is done with before the next
 * one is shown; a stream that has been damaged is taken up again at its next whole picture. Nothing of a server's makes it throw
 * anywhere but in the promise of the frame.
 */
import type { Pixels } from '../image/pixels.ts';
import { checkSize } from '../image/pixels.ts';
import type { VideoCodec } from './displays.ts';
import type { FrameDecoder } from './streams.ts';

type WebCodec = Extract<VideoCodec, 'vp8' | 'vp9' | 'h264'>;

/** What is asked of the browser; a stream of H.264 says its own profile. */
const names: Readonly<Record<WebCodec, string>> = { vp8: 'vp8', vp9: 'vp09.00.10.08', h264: 'avc1.42e01f' };

/**
 * The decoders that this browser has, for `videoDecoders` of a client; none where there are no WebCodecs. Never rejects.
 */
export async function webVideoDecoders(): Promise<{ readonly [C in WebCodec]?: () => FrameDecoder }> {
  const found: { [C in WebCodec]?: () => FrameDecoder } = {};
  if (typeof globalThis.VideoDecoder !== 'function') return found;
  for (const codec of Object.keys(names) as WebCodec[]) {
    const answer = await VideoDecoder.isConfigSupported({ codec: names[codec] }).catch(() => undefined);
    if (answer?.supported) found[codec] = () => new WebVideo(codec);
  }
  return found;
}

interface Waiting {
  resolve(pixels: Pixels | undefined): void;
  reject(error: Error): void;
}

/** Frames that may be in the decoder; one more, and it is taken for stuck. */
const mostWaiting = 60;

class WebVideo implements FrameDecoder {
  private readonly codec: WebCodec;
  private decoder: VideoDecoder | undefined;
  /** By their numbers, which the decoder is told as times. */
  private readonly waiting = new Map<number, Waiting>();
  private number = 0;

  constructor(codec: WebCodec) {
    this.codec = codec;
  }

  decode(bytes: Uint8Array): Promise<Pixels | undefined> {
    const isKey = isWhole(this.codec, bytes);
    if (this.decoder === undefined || this.decoder.state === 'closed') {
      // What leans on pictures that are not there is left out.
      if (!isKey) return Promise.resolve(undefined);
      this.decoder = this.start(nameOf(this.codec, bytes));
    }
    const timestamp = ++this.number;
    return new Promise((resolve, reject) => {
      this.waiting.set(timestamp, { resolve, reject });
      if (this.waiting.size > mostWaiting) this.failed(new Error('the decoder gives nothing back'));
      else {
        const data = bytes.slice();
        this.decoder!.decode(new EncodedVideoChunk({ type: isKey ? 'key' : 'delta', timestamp, data }));
      }
    });
  }

  close(): void {
    this.failed(new Error('the video has ended'));
  }

  private start(codec: string): VideoDecoder {
    const decoder = new VideoDecoder({
      output: (frame) => void this.show(frame),
      error: (error) => this.failed(error),
    });
    decoder.configure({ codec, optimizeForLatency: true });
    return decoder;
  }

  private async show(frame: VideoFrame): Promise<void> {
    const { timestamp } = frame;
    const waiting = this.waiting.get(timestamp);
    this.waiting.delete(timestamp);
    // A decoder that gives later frames first has dropped these.
    for (const [number, earlier] of this.waiting) {
      if (number > timestamp) break;
      this.waiting.delete(number);
      earlier.resolve(undefined);
    }
    try {
      const { displayWidth: width, displayHeight: height } = frame;
      checkSize(width, height);
      const data = new Uint8Array(width * height * 4);
      await frame.copyTo(data, { format: 'BGRX', layout: [{ offset: 0, stride: width * 4 }] });
      waiting?.resolve({ width, height, data, alpha: false });
    } catch (error) {
      waiting?.reject(error as Error);
    } finally {
      frame.close();
    }
  }

  private failed(error: Error): void {
    const { decoder } = this;
    this.decoder = undefined;
    if (decoder !== undefined && decoder.state !== 'closed') decoder.close();
    const all = [...this.waiting.values()];
    this.waiting.clear();
    for (const { reject } of all) reject(error);
  }
}

/** Whether a frame needs none before it. */
function isWhole(codec: WebCodec, bytes: Uint8Array): boolean {
  const first = bytes[0] ?? 0;
  if (codec === 'vp8') return bytes.length > 0 && (first & 1) === 0;
  // Two bits of marker, two of profile, then: shown again, and: leans on others.
  if (codec === 'vp9') return (first & 0b1100_1100) === 0b1000_0000;
  return findUnit(bytes, 5) >= 0;
}

function nameOf(codec: WebCodec, bytes: Uint8Array): string {
  if (codec !== 'h264') return names[codec];
  const at = findUnit(bytes, 7);
  if (at < 0 || at + 3 >= bytes.length) return names.h264;
  // Profile, constraints and level stand at the head of the sequence's parameters.
  const hex = [1, 2, 3].map((i) => bytes[at + i]!.toString(16).padStart(2, '0'));
  return `avc1.${hex.join('')}`;
}

/** Where the first unit of a type begins in a stream of H.264 with start codes, or -1. */
function findUnit(bytes: Uint8Array, type: number): number {
  for (let at = bytes.indexOf(1); at >= 0; at = bytes.indexOf(1, at + 1)) {
    if (at >= 2 && bytes[at - 1] === 0 && bytes[at - 2] === 0 && ((bytes[at + 1] ?? 0) & 31) === type) return at + 1;
  }
  return -1;
}
