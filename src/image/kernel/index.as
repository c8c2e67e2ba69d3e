// The inner loops of the image codecs, compiled to WebAssembly. This is AssemblyScript. The host (src/image/kernel.ts) owns
// the memory and says where everything lies; nothing here allocates, and nothing here trusts the input.
export * from './lz';
export * from './lz4';
export { lz4Write } from './lz4-write';
export { clearFourth, glzWrite, lzWrite } from './lz-write';
export { quicScratch } from './quic';
export { quicRows, quicStart } from './quic-read';
export { quicWriteEnd, quicWriteRows, quicWriteStart } from './quic-write';
