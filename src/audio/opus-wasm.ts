/**
 * Starts the package's WebAssembly of libopus where the package's own loader cannot: it asks Node for the file. INVARIANT: no
 * more is written to the library's memory than the rooms that are laid out here have.
 */
import type { OpusLibrary } from './opus.ts';

interface Exports {
  readonly memory: WebAssembly.Memory;
  malloc(bytes: number): number;
  free(at: number): void;
  opus_decoder_get_size(channels: number): number;
  opus_decoder_init(at: number, frequency: number, channels: number): number;
  opus_decode(at: number, packet: number, length: number, out: number, frames: number, fec: number): number;
  opus_encoder_get_size(channels: number): number;
  opus_encoder_init(at: number, frequency: number, channels: number, application: number): number;
  opus_encode(at: number, samples: number, frames: number, packet: number, room: number): number;
  _initialize?(): void;
}

const packetRoom = 1 << 13;
/** A packet has 120 ms at most: 5,760 frames of two words of 16 bits. */
const mostFrames = 5_760;
const sampleRoom = mostFrames * 4;
/** OPUS_APPLICATION_AUDIO */
const audio = 2049;

/** `wasm`: the bytes, or where to fetch them. Rejects when they cannot be had or are not libopus. */
export async function startOpus(wasm: Uint8Array | ArrayBuffer | URL | string): Promise<OpusLibrary> {
  const bytes = typeof wasm === 'string' || wasm instanceof URL ? await fetched(wasm) : wasm;
  const nothing = () => 0;
  const { instance } = await WebAssembly.instantiate(bytes as BufferSource, {
    wasi_snapshot_preview1: { fd_seek: nothing, fd_write: nothing, fd_close: nothing, proc_exit: nothing },
    env: { emscripten_notify_memory_growth: nothing },
  });
  const opus = instance.exports as unknown as Exports;
  opus._initialize?.();
  const packetAt = take(opus, packetRoom);
  const samplesAt = take(opus, sampleRoom);
  // The memory may have grown, and with it the buffer been replaced, since the last call.
  const memory = () => new Uint8Array(opus.memory.buffer);
  const put = (at: number, room: number, bytes: Uint8Array) => {
    if (bytes.length > room) throw new RangeError(`${bytes.length} bytes for a room of ${room}`);
    memory().set(bytes, at);
  };

  class Codec {
    protected readonly at: number;
    protected readonly channels: number;
    private dropped = false;

    constructor(size: number, channels: number) {
      this.at = take(opus, size);
      this.channels = channels;
    }

    drop(): void {
      if (!this.dropped) opus.free(this.at);
      this.dropped = true;
    }
  }

  class Decoder extends Codec {
    constructor({ channels, sample_rate }: { channels: number; sample_rate: number }) {
      super(opus.opus_decoder_get_size(channels), channels);
      succeeded(opus.opus_decoder_init(this.at, sample_rate, channels));
    }

    decode(packet: Uint8Array): Uint8Array {
      put(packetAt, packetRoom, packet);
      const frames = succeeded(opus.opus_decode(this.at, packetAt, packet.length, samplesAt, mostFrames, 0));
      return memory().slice(samplesAt, samplesAt + frames * this.channels * 2);
    }
  }

  class Encoder extends Codec {
    constructor({ channels, sample_rate }: { channels: number; sample_rate: number }) {
      super(opus.opus_encoder_get_size(channels), channels);
      succeeded(opus.opus_encoder_init(this.at, sample_rate, channels, audio));
    }

    encode(samples: Uint8Array): Uint8Array {
      put(samplesAt, sampleRoom, samples);
      const frames = samples.length / 2 / this.channels;
      const length = succeeded(opus.opus_encode(this.at, samplesAt, frames, packetAt, packetRoom));
      return memory().slice(packetAt, packetAt + length);
    }
  }
  return { Decoder, Encoder };
}

async function fetched(where: URL | string): Promise<ArrayBuffer> {
  const response = await fetch(where);
  if (!response.ok) throw new Error(`libopus cannot be fetched: ${response.status}`);
  return response.arrayBuffer();
}

function take(opus: Exports, bytes: number): number {
  const at = opus.malloc(bytes);
  if (at === 0) throw new RangeError(`no ${bytes} bytes for libopus`);
  return at;
}

function succeeded(result: number): number {
  if (result < 0) throw new Error(`libopus says ${result}`);
  return result;
}
