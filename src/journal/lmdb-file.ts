/**
 * Looks at a file before LMDB maps it: whether it is LMDB's, of the layout that this build of it writes, and as long as it
 * says. Reads two pages, changes nothing.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { JournalError } from './error.ts';

/** Offsets within a page that holds a database's head. */
const layout = { magic: 24, version: 28, pageSize: 48, lastPage: 144, transaction: 152, size: 160 } as const;
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
    const first = Buffer.alloc(layout.size);
    if (readSync(file, first, 0, layout.size, 0) < layout.size || first.readUInt32LE(layout.magic) !== magic) {
      throw new JournalError('foreign', `${path} is no journal`);
    }
    if (first.readUInt32LE(layout.version) !== version) {
      throw new JournalError('foreign', `${path} was written by another version of LMDB`);
    }
    const pageSize = first.readUInt32LE(layout.pageSize);
    const second = Buffer.alloc(layout.size);
    const whole = readSync(file, second, 0, layout.size, pageSize) === layout.size;
    const newer = whole && isNewer(second, first) ? second : first;
    const needed = (Number(newer.readBigUInt64LE(layout.lastPage)) + 1) * pageSize;
    if (!whole || size < needed) {
      throw new JournalError('damaged', `${path} breaks off: it has ${size} of ${needed} bytes`);
    }
    return true;
  } finally {
    closeSync(file);
  }
}

const isNewer = (one: Buffer, other: Buffer): boolean =>
  one.readUInt32LE(layout.magic) === magic &&
  one.readBigUInt64LE(layout.transaction) > other.readBigUInt64LE(layout.transaction);
