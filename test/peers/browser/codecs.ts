/** What the codec test runs within the page: every picture codec there and back, JPEG, Opus, and videos of the browser's own. */
import { loadOpus } from '../../../src/audio/opus.ts';
import { Screen } from '../../../src/client/screen.ts';
import { webVideoDecoders } from '../../../src/client/web-video.ts';
import { BitmapFormat } from '../../../src/image/bitmap.ts';
import { decodeGlz } from '../../../src/image/glz.ts';
import { GlzDictionary } from '../../../src/image/glz-encode.ts';
import { GlzWindow } from '../../../src/image/glz-window.ts';
import { loadJpeg } from '../../../src/image/jpeg.ts';
import { useKernel } from '../../../src/image/kernel.ts';
import { decodeLz, LzType } from '../../../src/image/lz.ts';
import { encodeLz } from '../../../src/image/lz-encode.ts';
import { decodeLz4 } from '../../../src/image/lz4.ts';
import { encodeLz4 } from '../../../src/image/lz4-encode.ts';
import { decodeQuic } from '../../../src/image/quic.ts';
import { encodeQuic } from '../../../src/image/quic-encode.ts';
import { QuicType } from '../../../src/image/quic-model.ts';
import { decodeZlibGlz, deflateGlz } from '../../../src/image/zlib-glz.ts';
import { VideoCodecType } from '../../../src/protocol/constants.ts';
import { pitchOf, sine } from '../../audio/tones.ts';
import { naturalPicture, screenPicture } from '../../bench/image-pictures.ts';

const [width, height] = [96, 64];
const colours = [0xe03020, 0x20c040, 0x3040d0, 0xd0d030, 0x808080, 0x30c0c0];
/** What is asked of the encoder; the streams that spice-server makes of H.264 have start codes. */
const encodings = {
  vp8: { codec: 'vp8' },
  vp9: { codec: 'vp09.00.10.08' },
  h264: { codec: 'avc1.42e01f', avc: { format: 'annexb' as const } },
};
type Codec = keyof typeof encodings;

/** Frames of one colour each, as the browser encodes them. */
async function encoded(codec: Codec): Promise<Uint8Array[] | undefined> {
  const config: VideoEncoderConfig = { width, height, latencyMode: 'realtime', bitrate: 2e6, ...encodings[codec] };
  const answer = await VideoEncoder.isConfigSupported(config).catch(() => undefined);
  if (!answer?.supported) return undefined;
  const chunks: Uint8Array[] = [];
  const encoder = new VideoEncoder({
    output(chunk) {
      const bytes = new Uint8Array(chunk.byteLength);
      chunk.copyTo(bytes);
      chunks.push(bytes);
    },
    error(error) {
      throw error;
    },
  });
  encoder.configure(config);
  for (const [i, colour] of colours.entries()) {
    const words = new Uint32Array(width * height).fill(colour);
    const frame = new VideoFrame(words, {
      format: 'BGRX',
      codedWidth: width,
      codedHeight: height,
      timestamp: i * 40_000,
    });
    encoder.encode(frame, { keyFrame: i === 0 });
    frame.close();
  }
  await encoder.flush();
  encoder.close();
  return chunks;
}

Object.assign(globalThis, {
  sumac: {
    /** The names of the codecs whose pictures come back as they went, with the kernel and without. */
    pictures() {
      const right: string[] = [];
      for (const on of [true, false]) {
        if (useKernel(on) !== on) continue;
        for (const picture of [naturalPicture(width, height), screenPicture(width, height)]) {
          const same = (name: string, data: Uint8Array) => {
            if (data.every((byte, i) => i % 4 === 3 || byte === picture.data[i])) right.push(`${name} ${on}`);
          };
          same('quic', decodeQuic(encodeQuic(picture, QuicType.RGB32), picture).data);
          same('lz', decodeLz(encodeLz(picture, LzType.RGB32), picture).data);
          same('lz4', decodeLz4(encodeLz4(picture, BitmapFormat['32BIT']), picture).data);
          const window = () => new GlzWindow({ pixels: 1 << 20 });
          const glz = new GlzDictionary({ pixels: 1 << 20 }).encode(picture, LzType.RGB32);
          same('glz', decodeGlz(window(), glz, picture).pixels.data);
          same('zlib', decodeZlibGlz(window(), deflateGlz(glz), glz.length, picture).pixels.data);
        }
      }
      useKernel(true);
      return right;
    },

    /** How far JPEG is off on average, there and back. */
    async jpeg() {
      const codec = await loadJpeg({ wasm: '/jpeg.wasm' });
      const picture = naturalPicture(width, height);
      const { data } = codec.decode(codec.encode(picture, { quality: 90 }), picture);
      return (
        data.reduce((sum, byte, i) => sum + (i % 4 === 3 ? 0 : Math.abs(byte - picture.data[i]!)), 0) / data.length
      );
    },

    /** The pitch of a tone of 660 Hz after Opus. */
    async opus() {
      const opus = await loadOpus({ wasm: '/opus.wasm' });
      const format = { channels: 2, frequency: 48_000 };
      const [encoder, decoder] = [opus.encoder(format), opus.decoder(format)];
      const parts = encoder.encode(sine(660, 1, format)).map((packet) => decoder.decode(packet));
      return pitchOf(Int16Array.from(parts.flatMap((part) => [...part])).subarray(9_600), format).pitch;
    },

    /** What a screen shows after each frame of a stream; undefined where the browser cannot make one. */
    async video(codec: Codec) {
      const chunks = await encoded(codec);
      if (chunks === undefined) return undefined;
      const decoders = await webVideoDecoders();
      const screen = new Screen({
        decoderOf: (type) => (type === VideoCodecType[codec] ? decoders[codec]?.() : undefined),
      });
      const body = { surfaceId: 0, width, height, format: 32, flags: 1 };
      screen.apply({ type: 'msg.surface_create', body });
      const dest = { left: 0, top: 0, right: width, bottom: height };
      const sizes = { streamWidth: width, streamHeight: height, srcWidth: width, srcHeight: height };
      const stream = { surfaceId: 0, id: 3, flags: 1, codecType: VideoCodecType[codec], stamp: 0n, ...sizes };
      screen.apply({ type: 'msg.stream_create', body: { ...stream, dest, clip: { type: 'none' } } });
      const seen: number[] = [];
      // The second frame is damaged beyond repair, and the stream is begun again from the first.
      for (const data of chunks) {
        const before = screen.drawn;
        screen.apply({ type: 'msg.stream_data', body: { base: { id: 3, multiMediaTime: 0 }, data } });
        for (let i = 0; i < 200 && screen.drawn === before; i++) await new Promise((go) => setTimeout(go, 5));
        const shown = screen.primary()!.data;
        const at = ((height >> 1) * width + (width >> 1)) * 4;
        seen.push((shown[at + 2]! << 16) | (shown[at + 1]! << 8) | shown[at]!);
      }
      // Noise ends in a frame that is left out, and the next whole picture is shown again.
      const noise = Uint8Array.from({ length: 300 }, (_, i) => (i * 89) & 255);
      screen.apply({ type: 'msg.stream_data', body: { base: { id: 3, multiMediaTime: 0 }, data: noise } });
      await new Promise((go) => setTimeout(go, 100));
      const before = screen.drawn;
      screen.apply({ type: 'msg.stream_data', body: { base: { id: 3, multiMediaTime: 0 }, data: chunks[0]! } });
      for (let i = 0; i < 200 && screen.drawn === before; i++) await new Promise((go) => setTimeout(go, 5));
      return { seen, goesOn: screen.drawn > before, undrawn: [...screen.undrawn.keys()] };
    },

    colours: () => colours,
  },
});
