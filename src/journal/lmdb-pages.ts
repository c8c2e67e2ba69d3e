/**
 * Looks over the pages by which LMDB finds its way in a file: LMDB trusts them, and one that is damaged would take the whole
 * program down. What is in the values it leaves to their own checksums. It changes nothing, and reads no more than the pages
 * of the trees.
 */
import { readSync } from 'node:fs';

/** Offsets within a page, and sizes, of the layout that this build of LMDB writes. */
const pageHeader = { number: 0, flags: 18, lower: 20, upper: 22, pages: 20, size: 24 } as const;
const nodeHeader = 8;
const pageKind = { branch: 1, leaf: 2, overflow: 4 } as const;
const kindMask = 0x27;
const nodeFlag = { large: 1, tree: 2 } as const;
const tree = { flags: 4, depth: 6, root: 40, size: 48 } as const;
const noPage = 0xffff_ffff_ffff_ffffn;
/** Deeper is no tree of a file that fits any disk. */
const deepest = 32;

export interface Trees {
  readonly file: number;
  readonly pageSize: number;
  /** The highest page in use. */
  readonly last: number;
  /** The records of the two trees that a file begins with, 48 bytes each. */
  readonly roots: readonly Buffer[];
}

/** Where the pages do not fit, in words for people; undefined if they all do. */
export function damageOf({ file, pageSize, last, roots }: Trees): string | undefined {
  const seen = new Set<number>();
  const page = (number: number): Buffer => {
    if (number < 2 || number > last || seen.has(number)) throw new Damage(`page ${number} is no page of it`);
    seen.add(number);
    const bytes = Buffer.allocUnsafe(pageSize);
    if (readSync(file, bytes, 0, pageSize, number * pageSize) < pageSize) throw new Damage(`page ${number} is missing`);
    if (Number(bytes.readBigUInt64LE(pageHeader.number)) !== number) throw new Damage(`page ${number} is another one`);
    return bytes;
  };

  const large = (number: number, size: number): void => {
    const bytes = page(number);
    const pages = bytes.readUInt32LE(pageHeader.pages);
    const isLarge = (bytes.readUInt16LE(pageHeader.flags) & kindMask) === pageKind.overflow;
    if (!isLarge || pages * pageSize < size + pageHeader.size || number + pages - 1 > last) {
      throw new Damage(`page ${number} is no beginning of ${size} bytes`);
    }
  };

  const walk = (number: number, depth: number): void => {
    const bytes = page(number);
    const kind = bytes.readUInt16LE(pageHeader.flags) & kindMask;
    if (kind !== (depth > 1 ? pageKind.branch : pageKind.leaf)) throw new Damage(`page ${number} is of another kind`);
    const lower = bytes.readUInt16LE(pageHeader.lower);
    const upper = bytes.readUInt16LE(pageHeader.upper);
    const keys = lower >> 1;
    const room = pageSize - pageHeader.size;
    if (lower > upper || upper > room || (lower & 1) !== 0 || keys < (depth > 1 ? 2 : 1)) {
      throw new Damage(`page ${number} has no order`);
    }
    for (let i = 0; i < keys; i++) {
      const at = bytes.readUInt16LE(pageHeader.size + i * 2);
      if (at < upper || at + nodeHeader > room) throw new Damage(`page ${number} has no order`);
      const node = bytes.subarray(pageHeader.size + at);
      const low = node.readUInt16LE(0) | (node.readUInt16LE(2) << 16);
      const flags = node.readUInt16LE(4);
      const data = nodeHeader + node.readUInt16LE(6);
      if (data > node.length) throw new Damage(`page ${number} has a key that does not fit`);
      if (depth > 1) {
        walk((low >>> 0) + flags * 2 ** 32, depth - 1);
        continue;
      }
      const size = low >>> 0;
      if ((flags & ~(nodeFlag.large | nodeFlag.tree)) !== 0) throw new Damage(`page ${number} has a value of no kind`);
      if (data + ((flags & nodeFlag.large) !== 0 ? 8 : size) > node.length) {
        throw new Damage(`page ${number} has a value that does not fit`);
      }
      if ((flags & nodeFlag.large) !== 0) large(Number(node.readBigUInt64LE(data)), size);
      else if ((flags & nodeFlag.tree) !== 0) {
        if (size !== tree.size) throw new Damage(`page ${number} has a tree that is none`);
        root(node.subarray(data, data + size));
      }
    }
  };

  const root = (record: Buffer): void => {
    const number = record.readBigUInt64LE(tree.root);
    const depth = record.readUInt16LE(tree.depth);
    if (number === noPage) return;
    if (depth < 1 || depth > deepest) throw new Damage(`a tree of depth ${depth}`);
    walk(Number(number), depth);
  };

  try {
    for (const record of roots) root(record);
    return undefined;
  } catch (error) {
    if (error instanceof Damage) return error.message;
    throw error;
  }
}

class Damage extends Error {}
