/**
 * What is on its way to a store, written down at once beside it: a file that costs some microseconds where a commit costs
 * milliseconds. It need not outlive the machine, only the program: whoever opens the store next reads what a program left
 * there when it died. INVARIANT: what is in it is in the store too, or its program has died; it is never the only copy that
 * a program which lives relies on.
 */
import { closeSync, ftruncateSync, openSync, readdirSync, readFileSync, rmSync, statSync, writevSync } from 'node:fs';
import { join } from 'node:path';
import { checksum } from './checksum.ts';
import type { Chunk } from './chunk.ts';
import { isAlive, thisProcess } from './owner.ts';
import type { Birth } from './store.ts';

/** Bytes of a file; what comes then has to wait for the store. */
const mostBytes = 16 * 1024 * 1024;

/** "SuT" 1 */
const magic = 0x01547553;

/** In front of each piece: magic, bytes of its words, bytes of its chunk, checksum of both. */
const headSize = 16;

const fileName = /^sumac-journal\.tail\.(\d+)-(\d*)-\d+$/;

/** A chunk that was on its way, and where to. */
export interface Piece {
  readonly name: string;
  readonly birth: Birth;
  readonly chunk: Pick<Chunk, 'first' | 'last' | 'checksum' | 'bytes' | 'far'>;
  readonly finished: boolean;
}

/** Files of this process. */
let files = 0;

export class Tail {
  private readonly path: string;
  private file: number | undefined;
  private at = 0;
  /** Pieces that the store does not have yet. */
  private pieces = 0;

  private readonly hasRoom: (bytes: number) => boolean;

  /** `hasRoom`: whether the disk takes so many bytes more. */
  constructor(folder: string, hasRoom: (bytes: number) => boolean = () => true) {
    this.hasRoom = hasRoom;
    const { pid, began } = thisProcess();
    this.path = join(folder, `sumac-journal.tail.${pid}-${began}-${files++}`);
  }

  /**
   * Writes down a chunk that is handed to the store. What it returns is to be called when the store has it, or never will;
   * undefined: it could not be written down.
   */
  keep({ name, birth, chunk, finished }: Piece): (() => void) | undefined {
    const { first, last, bytes, far } = chunk;
    const words = new TextEncoder().encode(
      JSON.stringify({ name, birth, first, last, checksum: chunk.checksum, far, finished }),
    );
    const size = headSize + words.length + bytes.length;
    if (this.at + size > mostBytes || !this.hasRoom(size)) return undefined;
    const head = new DataView(new ArrayBuffer(headSize));
    head.setUint32(0, magic, true);
    head.setUint32(4, words.length, true);
    head.setUint32(8, bytes.length, true);
    head.setUint32(12, checksum(bytes, checksum(words)), true);
    try {
      this.file ??= openSync(this.path, 'wx', 0o600);
      if (writevSync(this.file, [head, words, bytes], this.at) < size) return undefined;
    } catch {
      return undefined;
    }
    this.at += size;
    this.pieces++;
    return () => this.forget();
  }

  /** Everything is in the store. */
  close(): void {
    if (this.file === undefined) return;
    closeSync(this.file);
    this.file = undefined;
    rmSync(this.path, { force: true });
  }

  private forget(): void {
    this.pieces--;
    if (this.pieces > 0 || this.file === undefined) return;
    this.at = 0;
    try {
      ftruncateSync(this.file);
    } catch {
      // What stands there still is in the store; it is written over.
    }
  }
}

/** What programs that died have left in a folder; `drop` removes it. A piece that was not written whole is left out. */
export function leftBehind(folder: string): { readonly pieces: readonly Piece[]; drop(): void }[] {
  return readdirSync(folder).flatMap((name) => {
    const found = fileName.exec(name);
    const path = join(folder, name);
    if (found === null || isAlive({ pid: Number(found[1]), began: found[2]! })) return [];
    try {
      if (statSync(path).size > mostBytes) return [];
      return [{ pieces: [...piecesOf(readFileSync(path))], drop: () => rmSync(path, { force: true }) }];
    } catch {
      // Somebody else was quicker.
      return [];
    }
  });
}

function* piecesOf(file: Uint8Array): Generator<Piece, void, undefined> {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  for (let at = 0; at + headSize <= file.length; ) {
    const [wordsAt, words, size] = [at + headSize, view.getUint32(at + 4, true), view.getUint32(at + 8, true)];
    const bytesAt = wordsAt + words;
    if (view.getUint32(at, true) !== magic || bytesAt + size > file.length) return;
    if (checksum(file.subarray(wordsAt, bytesAt + size)) !== view.getUint32(at + 12, true)) return;
    const said = JSON.parse(new TextDecoder().decode(file.subarray(wordsAt, bytesAt)));
    const { name, birth, first, last, far = 0, finished } = said;
    yield {
      ...{ name, birth, finished },
      chunk: { first, last, checksum: said.checksum, bytes: file.subarray(bytesAt, bytesAt + size), far },
    };
    at = bytesAt + size;
  }
}
