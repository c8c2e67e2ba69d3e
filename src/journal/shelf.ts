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
      this.shrink(mostBytes);
    } catch {
      drop(`${path}.new`);
    }
  }

  /** Drops what belongs to a session. */
  clear(name: string): void {
    for (const number of this.numbersOf(name)) drop(this.pathOf(name, number));
  }

  /** Of all that is kept. */
  get bytes(): number {
    return this.files().reduce((sum, { size }) => sum + size, 0);
  }

  /** Drops the oldest, until no more than so many bytes are kept. */
  shrink(most: number): void {
    const files = this.files();
    let sum = files.reduce((all, { size }) => all + size, 0);
    for (const { name, size } of files.sort((a, b) => a.changed - b.changed)) {
      if (sum <= most) break;
      drop(join(this.folder, name));
      sum -= size;
    }
  }

  /** Drops what belongs to no session of these names: what was put there while its session was removed. */
  keepOnly(names: readonly string[]): void {
    const keys = new Set(names.map(keyOf));
    for (const { name } of this.files()) {
      if (/\.\d+$/.test(name) && !keys.has(name.slice(0, name.lastIndexOf('.')))) drop(join(this.folder, name));
    }
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

  /** None where there is no such folder; a file that goes away meanwhile is left out. */
  private files(): { name: string; size: number; changed: number }[] {
    return this.names().flatMap((name) => {
      try {
        const { size, mtimeMs } = statSync(join(this.folder, name));
        return [{ name, size, changed: mtimeMs }];
      } catch {
        return [];
      }
    });
  }

  private names(): string[] {
    try {
      return readdirSync(this.folder);
    } catch {
      return [];
    }
  }

  private numbersOf(name: string): number[] {
    const key = `${keyOf(name)}.`;
    return this.names()
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
