/** What we use of libopus compiled to WebAssembly: the package declares no types for this file of its own. */
declare module '@evan/opus/wasm/index.js' {
  /** Throws Error when the bytes are no packet, RangeError when they are too many. */
  export class Decoder {
    constructor(options: { channels: number; sample_rate: number });
    /** Samples of 16 bits, as bytes that are the caller's. */
    decode(packet: Uint8Array): Uint8Array;
    drop(): void;
  }
  export class Encoder {
    constructor(options: { channels: number; sample_rate: number });
    encode(samples: Uint8Array): Uint8Array;
    drop(): void;
  }
}
