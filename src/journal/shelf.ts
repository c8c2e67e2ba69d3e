/**
 * What was worked out of sessions and can be worked out again: kept in files beside their journals, so that it need not be.
 * Whatever goes wrong with a file, it is as if it were not there. It is never read as part of a journal.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checksum } from './checksum.ts';
import type { StreamHead } from './store.ts';

/** Bytes of all that is kept in a folder; the oldest goes first. */
const mostBytes = 1024 ** 3;

/** In front of what is kept: "SuS" 1, when the session was born, checksum of the rest. */
const headSize = 16;
const magic = 0x01537553;

export class Shelf {
  private readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** What was put there for the highest record that is no higher than `seq`. */
  nearest(head: StreamHead, seq: number): { readonly seq: number; readonly bytes: Uint8Array } | undefined {
    const numbers = this.numbersOf(head.name).filter((number) => number <= seq);
    for (const number of numbers.sort((a, b) => b - a)) {
      const bytes = this.read(head, number);
      if (bytes !== undefined) return { seq: number, bytes };
    }
    return undefined;
  }

  has({ name }: StreamHead, seq: number): boolean {
    return this.numbersOf(name).includes(seq);
  }

  put(head: StreamHead, seq: number, bytes: Uint8Array): void {
    const whole = new Uint8Array(headSize + bytes.length);
    const view = new DataView(whole.buffer);
    view.setUint32(0, magic, true);
    view.setFloat64(4, head.born, true);
    view.setUint32(12, checksum(bytes), true);
    whole.set(bytes, headSize);
    const path = this.pathOf(head.name, seq);
    try {
      mkdirSync(this.folder, { recursive: true });
      writeFileSync(`${path}.new`, whole);
      renameSync(`${path}.new`, path);
      this.makeRoom();
    } catch {
      drop(`${path}.new`);
    }
  }

  /** Drops what belongs to a session. */
  clear(name: string): void {
    for (const number of this.numbersOf(name)) drop(this.pathOf(name, number));
  }

  private read({ name, born }: StreamHead, seq: number): Uint8Array | undefined {
    try {
      const file = readFileSync(this.pathOf(name, seq));
      const whole = new Uint8Array(file.buffer, file.byteOffset, file.length);
      const view = new DataView(whole.buffer, whole.byteOffset, whole.length);
      const bytes = whole.subarray(headSize);
      const isIts = view.getUint32(0, true) === magic && view.getFloat64(4, true) === born;
      return isIts && view.getUint32(12, true) === checksum(bytes) ? bytes : undefined;
    } catch {
      return undefined;
    }
  }

  private makeRoom(): void {
    const files = readdirSync(this.folder).map((name) => {
      const path = join(this.folder, name);
      const { size, mtimeMs } = statSync(path);
      return { path, size, mtimeMs };
    });
    let sum = files.reduce((all, { size }) => all + size, 0);
    for (const { path, size } of files.sort((a, b) => a.mtimeMs - b.mtimeMs)) {
      if (sum <= mostBytes) break;
      drop(path);
      sum -= size;
    }
  }

  private numbersOf(name: string): number[] {
    const key = `${keyOf(name)}.`;
    let files: string[];
    try {
      files = readdirSync(this.folder);
    } catch {
      return [];
    }
    return files
      .filter((file) => file.startsWith(key) && /^\d+$/.test(file.slice(key.length)))
      .map((file) => Number(file.slice(key.length)));
  }

  private pathOf(name: string, seq: number): string {
    return join(this.folder, `${keyOf(name)}.${seq}`);
  }
}

function drop(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // It stays, and is looked over again when there is no room.
  }
}

const keyOf = (name: string): string => Buffer.from(name).toString('base64url');
