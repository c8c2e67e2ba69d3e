/**
 * Opus, through libopus in WebAssembly: packets to samples and back. The library must be loaded first (asynchronously, once);
 * after that everything is synchronous. Samples are signed words of 16 bits, the channels interleaved; a packet that we make
 * holds 10 ms, which every SPICE peer takes.
 */
import { AudioError } from './error.ts';
import { startOpus } from './opus-wasm.ts';

/** Frames a second that Opus knows. */
export const opusFrequencies: readonly number[] = [8_000, 12_000, 16_000, 24_000, 48_000];

/** Whether sound of this format can be sent as Opus: SPICE does so with one or two channels. */
export const suitsOpus = ({ channels, frequency }: { channels: number; frequency: number }): boolean =>
  (channels === 1 || channels === 2) && opusFrequencies.includes(frequency);

/** The longest packet that is looked at; those of SPICE have 480 bytes at most. */
const longestPacket = 4_096;

/** What the library must be able to do. */
export interface OpusLibrary {
  readonly Decoder: new (options: {
    channels: number;
    sample_rate: number;
  }) => {
    decode(packet: Uint8Array): Uint8Array;
    drop(): void;
  };
  readonly Encoder: new (options: {
    channels: number;
    sample_rate: number;
  }) => {
    encode(samples: Uint8Array): Uint8Array;
    drop(): void;
  };
}

export interface OpusOptions {
  /** `@evan/opus/wasm/opus.wasm`, its bytes or where it is. Needed in a browser; Node finds it in its package. */
  readonly wasm?: Uint8Array | ArrayBuffer | URL | string | undefined;
}

/** Loads the library. Rejects when its WebAssembly cannot be found or started. */
export async function loadOpus({ wasm }: OpusOptions = {}): Promise<Opus> {
  return new Opus(wasm === undefined ? await import('@evan/opus/wasm/index.js') : await startOpus(wasm));
}

/** The loaded library. One can serve any number of channels. */
export class Opus {
  private readonly library: OpusLibrary;

  /** Use `loadOpus`. */
  constructor(library: OpusLibrary) {
    this.library = library;
  }

  /** Throws RangeError for a format that does not suit Opus. */
  decoder(format: { channels: number; frequency: number }): OpusDecoder {
    if (!suitsOpus(format)) throw new RangeError(`no Opus for ${format.channels} channels at ${format.frequency} Hz`);
    return new OpusDecoder(this.library, format.channels, format.frequency);
  }

  /** Throws RangeError for a format that does not suit Opus. */
  encoder(format: { channels: number; frequency: number }): OpusEncoder {
    if (!suitsOpus(format)) throw new RangeError(`no Opus for ${format.channels} channels at ${format.frequency} Hz`);
    return new OpusEncoder(this.library, format.channels, format.frequency);
  }
}

/** Decodes the packets of one sound, in their order. */
export class OpusDecoder {
  private readonly codec: InstanceType<OpusLibrary['Decoder']>;

  constructor({ Decoder }: OpusLibrary, channels: number, frequency: number) {
    this.codec = new Decoder({ channels, sample_rate: frequency });
  }

  /** Throws AudioError for what is no packet; the next one is decoded all the same. */
  decode(packet: Uint8Array): Int16Array {
    // An empty packet would be taken for one that was lost, and made up.
    if (packet.length === 0 || packet.length > longestPacket) throw new AudioError('an Opus packet of a strange size');
    try {
      return wordsOf(this.codec.decode(packet));
    } catch (error) {
      throw new AudioError('an Opus packet that cannot be decoded', { cause: error });
    }
  }

  close(): void {
    this.codec.drop();
  }
}

/** Encodes one sound, however it is cut up, as packets of 10 ms. */
export class OpusEncoder {
  private readonly codec: InstanceType<OpusLibrary['Encoder']>;
  private readonly frame: Int16Array;
  private filled = 0;
  private readonly perMs: number;

  constructor({ Encoder }: OpusLibrary, channels: number, frequency: number) {
    this.codec = new Encoder({ channels, sample_rate: frequency });
    this.frame = new Int16Array((frequency / 100) * channels);
    this.perMs = (frequency * channels) / 1_000;
  }

  /** Milliseconds of sound that wait for more of it, to fill a packet. */
  get waiting(): number {
    return this.filled / this.perMs;
  }

  /** The packets that these samples complete. */
  encode(samples: Int16Array): Uint8Array[] {
    const packets: Uint8Array[] = [];
    for (let at = 0; at < samples.length; ) {
      const part = samples.subarray(at, at + this.frame.length - this.filled);
      this.frame.set(part, this.filled);
      this.filled += part.length;
      at += part.length;
      if (this.filled === this.frame.length) packets.push(this.finish());
    }
    return packets;
  }

  /** The last packet, filled up with silence; undefined when nothing waits. */
  flush(): Uint8Array | undefined {
    if (this.filled === 0) return undefined;
    this.frame.fill(0, this.filled);
    return this.finish();
  }

  close(): void {
    this.codec.drop();
  }

  private finish(): Uint8Array {
    this.filled = 0;
    return this.codec.encode(new Uint8Array(this.frame.buffer));
  }
}

/** Hosts are little-endian, as image/pixels.ts has checked for all of us. */
const wordsOf = (bytes: Uint8Array): Int16Array => {
  const own = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
  return new Int16Array(own.buffer, own.byteOffset, own.byteLength >> 1);
};
