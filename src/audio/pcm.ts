/** Samples of 16 bits and their bytes on the wire, which are little-endian. */

/** A copy. An odd byte at the end is left out. */
export const samplesOf = (bytes: Uint8Array): Int16Array => new Int16Array(bytes.slice(0, bytes.length & ~1).buffer);

/** The same memory. */
export const bytesOf = (samples: Int16Array): Uint8Array =>
  new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
