/**
 * Looks at a file before LMDB maps it: whether it is LMDB's, of the layout that this build of it writes, as long as it says,
 * and whether its trees are whole. Changes nothing.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { JournalError } from './error.ts';
import { damageOf } from './lmdb-pages.ts';

/** Offsets within a page that holds a database's head. */
const layout = { magic: 24, version: 28, pageSize: 48, trees: 48, lastPage: 144, transaction: 152, size: 160 } as const;
const treeSize = 48;
/** Looks at a file that somebody writes to meanwhile: its pages change under us. */
const mostLooks = 5;
const magic = 0xbeefc0de;
const version = 2;

/** False if there is no file, or an empty one. Throws JournalError `foreign`, `damaged` or `unwritable`. */
export function checkFile(path: string, place: string): boolean {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return false;
    if (code === 'ENOTDIR') throw new JournalError('absent', `${place} is no folder`, { cause: error });
    throw new JournalError('unwritable', `${path} cannot be read: ${code}`, { cause: error });
  }
  try {
    const { size } = fstatSync(file);
    if (size === 0) return false;
    let damage: string | undefined;
    for (let look = 0, before = -1n; look < mostLooks; look++) {
      const { newer, transaction } = headsOf(file, size, path);
      // What was found on pages that were written anew meanwhile says nothing.
      if (transaction === before) throw new JournalError('damaged', `${path} is damaged: ${damage}`);
      damage = damageOf({
        file,
        pageSize: newer.readUInt32LE(layout.pageSize),
        last: Number(newer.readBigUInt64LE(layout.lastPage)),
        roots: [0, 1].map((i) => newer.subarray(layout.trees + i * treeSize, layout.trees + (i + 1) * treeSize)),
      });
      if (damage === undefined) break;
      before = transaction;
    }
    return true;
  } finally {
    closeSync(file);
  }
}

/** The head that counts. Throws JournalError. */
function headsOf(file: number, size: number, path: string): { newer: Buffer; transaction: bigint } {
  const first = Buffer.alloc(layout.size);
  if (readSync(file, first, 0, layout.size, 0) < layout.size || first.readUInt32LE(layout.magic) !== magic) {
    throw new JournalError('foreign', `${path} is no journal`);
  }
  if (first.readUInt32LE(layout.version) !== version) {
    throw new JournalError('foreign', `${path} was written by another version of LMDB`);
  }
  const pageSize = first.readUInt32LE(layout.pageSize);
  if (pageSize < 512 || pageSize > 65_536) throw new JournalError('damaged', `${path} has pages of ${pageSize} bytes`);
  const second = Buffer.alloc(layout.size);
  const whole = readSync(file, second, 0, layout.size, pageSize) === layout.size;
  const newer = whole && isNewer(second, first) ? second : first;
  if (newer.readUInt32LE(layout.pageSize) !== pageSize)
    throw new JournalError('damaged', `${path} has two sizes of pages`);
  const needed = (Number(newer.readBigUInt64LE(layout.lastPage)) + 1) * pageSize;
  if (!whole || size < needed) {
    throw new JournalError('damaged', `${path} breaks off: it has ${size} of ${needed} bytes`);
  }
  return { newer, transaction: newer.readBigUInt64LE(layout.transaction) };
}

const isNewer = (one: Buffer, other: Buffer): boolean =>
  one.readUInt32LE(layout.magic) === magic &&
  one.readBigUInt64LE(layout.transaction) > other.readBigUInt64LE(layout.transaction);
