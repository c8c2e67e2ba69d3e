/**
 * Watches that a disk does not become quite full: LMDB maps its file, and a page that the disk has no room for takes the whole
 * program down, or is told on the terminal by LMDB itself. It leaves some room to others.
 */
import { statfsSync } from 'node:fs';

/** Bytes that may be written until the disk is looked at again. */
const stride = 256 * 1024;
/** What a write takes besides its bytes: pages of trees. */
const overhead = 16 * 1024;

export class Room {
  private readonly folder: string;
  private readonly reserve: number;
  private left = 0;

  /** `reserve`: bytes that are left alone. */
  constructor(folder: string, reserve: number) {
    this.folder = folder;
    this.reserve = reserve;
  }

  /** False: so many bytes more would fill the disk. */
  has(bytes: number): boolean {
    const needed = bytes + overhead;
    if (this.left < needed) {
      const free = this.free();
      if (free < needed + this.reserve) return false;
      this.left = Math.max(needed, Math.min(free - this.reserve, stride));
    }
    this.left -= needed;
    return true;
  }

  private free(): number {
    try {
      const { bavail, bsize } = statfsSync(this.folder);
      // Where nobody says, there may be any.
      return bavail === 0 && bsize === 0 ? Number.POSITIVE_INFINITY : bavail * bsize;
    } catch {
      return Number.POSITIVE_INFINITY;
    }
  }
}
