/**
 * CRC-32 (the one of zip and PNG): by Node where there is one and it is worth the call, else four bytes a step. It finds
 * damage, not forgery.
 */

const tables = (() => {
  const all = Array.from({ length: 4 }, () => new Uint32Array(256));
  for (let i = 0; i < 256; i++) {
    let value = i;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    all[0]![i] = value;
  }
  for (let i = 0; i < 256; i++) {
    for (let t = 1; t < 4; t++) {
      const before = all[t - 1]![i]!;
      all[t]![i] = (before >>> 8) ^ all[0]![before & 0xff]!;
    }
  }
  return all as [Uint32Array, Uint32Array, Uint32Array, Uint32Array];
})();

type Crc32 = (bytes: Uint8Array, before: number) => number;
const { process: node } = globalThis as { process?: { getBuiltinModule?(name: string): { crc32?: Crc32 } } };
const native = node?.getBuiltinModule?.('node:zlib')?.crc32;

/** Bytes from which on the call into Node pays. */
const worthTheCall = 128;

/** Of a part of some bytes; goes on from `before`, the checksum of what stood in front. */
export function checksum(bytes: Uint8Array, before = 0, from = 0, to = bytes.length): number {
  if (native === undefined || to - from < worthTheCall) return ownChecksum(bytes, before, from, to);
  return native(to - from === bytes.length ? bytes : bytes.subarray(from, to), before);
}

export function ownChecksum(bytes: Uint8Array, before = 0, from = 0, to = bytes.length): number {
  const [t0, t1, t2, t3] = tables;
  let crc = ~before;
  let at = from;
  for (const end = to - 3; at < end; at += 4) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc = t3[crc & 0xff]! ^ t2[(crc >>> 8) & 0xff]! ^ t1[(crc >>> 16) & 0xff]! ^ t0[crc >>> 24]!;
  }
  for (; at < to; at++) crc = (crc >>> 8) ^ t0[(crc ^ bytes[at]!) & 0xff]!;
  return ~crc >>> 0;
}
