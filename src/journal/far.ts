/**
 * Large bytes of records (pictures) in files beside a store, so that they are written once, from where they lie, and copied
 * nowhere else. What a file holds means nothing without the record that names it, with its place and checksum. Bytes are
 * only ever added; INVARIANT: a record is not in the store before the bytes that it names outlive the machine.
 */
import {
  closeSync,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  fsync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { FarBytes, Place } from './chunk.ts';

/** Bytes from which on a file is not gone on with. */
const enough = 16 * 1024 * 1024;

/** Bytes of the longest name of a file that there may be. */
const longestName = 255;

/** Files are named "STREAM.N", N being the number of the first record that has bytes in it. */
const fileName = /^(.+)\.(\d+)$/;

const nameOf = (stream: string): string => encodeURIComponent(stream);

/** Adds bytes of one stream, whose only writer this is. */
export class FarWriter {
  private readonly folder: string;
  private readonly stream: string;
  private readonly hasRoom: (bytes: number) => boolean;
  private current: { readonly number: number; readonly file: number; at: number } | undefined;
  /** Files with bytes that would not outlive the machine yet. */
  private readonly dirty = new Set<number>();
  /** Those that are full. */
  private readonly full = new Set<number>();
  private broken = false;
  /** A file has begun, and its name would not outlive the machine yet. */
  private named = true;
  private syncing: Promise<void> = Promise.resolve();

  /** `hasRoom`: whether the disk takes so many bytes more. */
  constructor(folder: string, stream: string, hasRoom: (bytes: number) => boolean) {
    this.folder = folder;
    this.stream = stream;
    this.hasRoom = hasRoom;
    this.broken = Buffer.byteLength(nameOf(stream)) + 16 > longestName;
  }

  /** There is something for `sync` to do. */
  get isDirty(): boolean {
    return this.dirty.size > 0;
  }

  /**
   * Writes the bytes of record `seq`, at once: they outlive the program when this returns. Undefined where they cannot be
   * written; they may be kept elsewhere then.
   */
  add(seq: number, bytes: Uint8Array): Place | undefined {
    if (this.broken || !this.hasRoom(bytes.length)) return undefined;
    try {
      const { number, file, at } = (this.current ??= this.begin(seq));
      // A file that breaks off here is gone on with nowhere.
      if (writeSync(file, bytes, 0, bytes.length, at) < bytes.length) throw new Error('no more room');
      this.dirty.add(file);
      this.current.at = at + bytes.length;
      if (this.current.at >= enough) this.leave();
      return { file: number, at };
    } catch {
      this.broken = true;
      return undefined;
    }
  }

  /** Resolves when all that was added would outlive the machine; rejects when it would not. */
  async sync(): Promise<void> {
    // One at a time, so that no file is closed under another.
    this.syncing = this.syncing.then(() => this.syncNow());
    const { syncing } = this;
    this.syncing = syncing.catch(() => {});
    await syncing;
  }

  private async syncNow(): Promise<void> {
    const files = [...this.dirty];
    this.dirty.clear();
    const names = this.named ? [] : [openSync(this.folder, 'r')];
    this.named = true;
    try {
      await Promise.all([...files.map((file) => done(fdatasync, file)), ...names.map((file) => done(fsync, file))]);
    } finally {
      for (const file of names) closeSync(file);
      for (const file of files) if (!this.dirty.has(file) && this.full.delete(file)) closeSync(file);
    }
  }

  /** Nothing is under way any more. */
  close(): void {
    this.broken = true;
    this.leave();
    for (const file of this.full) closeSync(file);
    this.full.clear();
  }

  private begin(number: number): { number: number; file: number; at: number } {
    mkdirSync(this.folder, { recursive: true });
    // What a program left that died before its records were kept is nobody's.
    const file = openSync(join(this.folder, `${nameOf(this.stream)}.${number}`), 'w', 0o664);
    this.named = false;
    return { number, file, at: 0 };
  }

  private leave(): void {
    if (this.current !== undefined) this.full.add(this.current.file);
    this.current = undefined;
  }
}

/** Reads bytes of one stream. */
export class FarReader {
  private readonly folder: string;
  private readonly stream: string;
  private current: { readonly number: number; readonly file: number } | undefined;

  constructor(folder: string, stream: string) {
    this.folder = folder;
    this.stream = stream;
  }

  /** As is said of FarBytes. */
  readonly read: FarBytes = ({ file: number, at }, size) => {
    try {
      if (this.current?.number !== number) {
        this.close();
        const path = join(this.folder, `${nameOf(this.stream)}.${number}`);
        this.current = { number, file: openSync(path, 'r') };
      }
      // Nobody allocates what a damaged record asks for.
      if (fstatSync(this.current.file).size < at + size) return nothing;
      const bytes = new Uint8Array(size);
      return bytes.subarray(0, readSync(this.current.file, bytes, 0, size, at));
    } catch {
      return nothing;
    }
  };

  close(): void {
    if (this.current !== undefined) closeSync(this.current.file);
    this.current = undefined;
  }
}

const nothing = new Uint8Array(0);

/** Sees to it that the bytes of a stream outlive the machine. */
export function syncFar(folder: string, stream: string): void {
  for (const one of filesIn(folder)) {
    if (one.stream !== stream) continue;
    const file = openSync(join(folder, `${nameOf(stream)}.${one.number}`), 'r');
    try {
      fdatasyncSync(file);
    } finally {
      closeSync(file);
    }
  }
}

/** Removes the bytes of records before `first` that have files of their own; all, if that is not given. */
export function dropFar(folder: string, stream: string, first = Number.POSITIVE_INFINITY): void {
  const numbers = filesIn(folder)
    .filter((one) => one.stream === stream)
    .map(({ number }) => number)
    .sort((a, b) => a - b);
  for (const [i, number] of numbers.entries()) {
    // Up to where the next one begins.
    const end = numbers[i + 1] ?? Number.POSITIVE_INFINITY;
    if (end <= first) rmSync(join(folder, `${nameOf(stream)}.${number}`), { force: true });
  }
}

/** Streams that have files here. */
export const farStreams = (folder: string): ReadonlySet<string> => new Set(filesIn(folder).map(({ stream }) => stream));

function filesIn(folder: string): { readonly stream: string; readonly number: number }[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    const found = fileName.exec(name);
    try {
      return found === null ? [] : [{ stream: decodeURIComponent(found[1]!), number: Number(found[2]) }];
    } catch {
      return [];
    }
  });
}

const done = (how: typeof fdatasync, file: number): Promise<void> =>
  new Promise((resolve, reject) => how(file, (error) => (error === null ? resolve() : reject(error))));
