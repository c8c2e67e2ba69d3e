/**
 * Journals in a folder, by LMDB: one file for all sessions, appends made durable in batches, and a second writer refused,
 * in this program or in another. The file is looked at before LMDB is: LMDB trusts what it maps, and a file that is not its
 * own, or was cut short, would take the whole program down.
 */
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Database, open as openEnvironment, type RootDatabase } from 'lmdb';
import { type Chunk, ChunkReader, type Place, readHead } from './chunk.ts';
import { JournalError } from './error.ts';
import { dropFar, FarReader, FarWriter, farStreams, syncFar } from './far.ts';
import { checkFile } from './lmdb-file.ts';
import { isAlive, type Owner, thisProcess } from './owner.ts';
import { Room } from './room.ts';
import { Shelf } from './shelf.ts';
import {
  type Birth,
  byAge,
  headAfter,
  headAfterCut,
  headAtBirth,
  type Store,
  type StreamHead,
  type StreamWriter,
} from './store.ts';
import { leftBehind, type Piece, Tail } from './tail.ts';

const fileName = 'sumac-journal.mdb';

const usualReserve = 1024 * 1024;

/** Format of what is in the file, apart from chunks, which have one of their own. */
const format = 1;

const settings = {
  noSubdir: true,
  maxDbs: 4,
  encoding: 'json',
  /** A write resolves when it is on the disk, not when it is on its way there. */
  overlappingSync: false,
  /** With it, LMDB keeps promises of its own, which nobody could catch when the disk is full. */
  eventTurnBatching: false,
} as const;

interface KeptHead extends StreamHead {
  readonly owner: Owner | null;
}

/** Versions of heads are 1 and more; each change makes it one more. */
interface Kept {
  readonly head: KeptHead;
  readonly version: number;
}

export interface LmdbOptions {
  /** Changes nothing, and makes nothing. */
  readonly readOnly?: boolean;
  /** Bytes of the disk that it leaves to others. Default: 1 MiB. */
  readonly reserve?: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

export class LmdbStore implements Store {
  readonly place: string;
  readonly shelf: Shelf;
  readonly tail: Tail | undefined;
  private readonly environment: RootDatabase;
  private readonly heads: Database<KeptHead, string>;
  private readonly chunks: Database<Uint8Array, Uint8Array>;
  private readonly now: () => number;
  private readonly writers = new Set<string>();
  private readonly room: Room;
  /** Where large bytes lie. */
  private readonly beside: string;
  /** Bytes beside that are to be on the disk before chunks that name them, and how that goes. */
  private readonly unsynced = new Set<FarWriter>();
  private syncing: Promise<Map<FarWriter, Promise<void>>> | undefined;
  /** Who only looks takes in nothing, but sees what programs that died had on their way here. */
  private readonly onTheWay: readonly Piece[];

  private constructor(folder: string, environment: RootDatabase, room: Room, { now, readOnly = false }: LmdbOptions) {
    this.place = folder;
    this.room = room;
    this.beside = join(folder, 'sumac-journal.bytes');
    this.shelf = new Shelf(join(folder, 'pictures'));
    this.tail = readOnly ? undefined : new Tail(folder, (bytes) => room.has(bytes));
    this.environment = environment;
    this.heads = environment.openDB('heads', { encoding: 'json', useVersions: true });
    this.chunks = environment.openDB('chunks', { keyEncoding: 'binary', encoding: 'binary' });
    this.now = now;
    this.onTheWay = readOnly ? leftBehind(folder).flatMap(({ pieces }) => pieces) : [];
  }

  /**
   * Opens the journals in a folder, and makes it if there is none. Throws JournalError: `absent`, `foreign`, `damaged`,
   * `unwritable`.
   */
  static open(folder: string, options: LmdbOptions): LmdbStore {
    const { readOnly = false } = options;
    const path = join(folder, fileName);
    if (!readOnly) make(folder);
    const exists = checkFile(path, folder);
    if (readOnly && !exists) throw new JournalError('absent', `there is no journal in ${folder}`);
    // To read it, LMDB needs a small file beside it.
    const room = new Room(folder, readOnly ? 0 : (options.reserve ?? usualReserve));
    if (!(readOnly && existsSync(`${path}-lock`)) && !room.has(0)) throw full(folder);
    let environment: RootDatabase;
    try {
      environment = openEnvironment({ ...settings, path, readOnly });
    } catch (error) {
      throw unwritable(folder, error);
    }
    try {
      if (!exists) environment.putSync('sumac journal', format);
      const found: unknown = environment.get('sumac journal');
      if (found !== format) {
        throw new JournalError(
          'foreign',
          typeof found === 'number' && found > format
            ? `${folder}: a journal of format ${found}, newer than this program`
            : `${path} is no journal of ours`,
        );
      }
      const store = new LmdbStore(folder, environment, room, options);
      if (!readOnly) store.takeIn();
      return store;
    } catch (error) {
      void environment.close();
      throw error instanceof JournalError ? error : unwritable(folder, error);
    }
  }

  async write(name: string, birth: Birth): Promise<StreamWriter> {
    const locked = (why: string) => new JournalError('locked', `${name} in ${this.place} is being written to ${why}`);
    if (this.writers.has(name)) throw locked('by this program already');
    const owner = thisProcess();
    for (;;) {
      const kept = this.kept(name);
      if (kept?.head.owner && isAlive(kept.head.owner)) throw locked(`by process ${kept.head.owner.pid}`);
      const head: KeptHead = kept ? { ...kept.head, owner, open: true } : { ...headAtBirth(name, birth), owner };
      const version = kept?.version ?? 0;
      const taken = await this.guarded(() =>
        kept === undefined
          ? this.heads.ifNoExists(name, () => quietly(this.heads.put(name, head, 1)))
          : this.heads.ifVersion(name, version, () => quietly(this.heads.put(name, head, version + 1))),
      );
      // Somebody was quicker: look again.
      if (!taken) continue;
      this.writers.add(name);
      return new LmdbWriter(this, { head, version: version + 1 });
    }
  }

  async list(): Promise<StreamHead[]> {
    const all: StreamHead[] = [];
    this.readable(() => {
      for (const { value } of this.heads.getRange()) all.push(publicHead(value));
    });
    const names = new Set(this.onTheWay.map(({ name }) => name));
    const seen = names.size === 0 ? all : all.filter(({ name }) => !names.has(name));
    for (const name of names) {
      const { head } = this.withOnTheWay(name);
      if (head !== undefined) seen.push(head);
    }
    return seen.sort(byAge);
  }

  async head(name: string): Promise<StreamHead | undefined> {
    return this.withOnTheWay(name).head;
  }

  async *read(name: string, from = 1): AsyncIterable<Uint8Array> {
    // The chunk that holds `from` is the last one that begins no later.
    let start = keyOf(name, 0);
    this.readable(() => {
      for (const key of this.chunks.getKeys({ start: keyOf(name, from), end: start, reverse: true, limit: 1 })) {
        start = Uint8Array.from(key);
      }
    });
    for (;;) {
      // Few at a time, so that no transaction stays open while the caller takes its time.
      const some = this.readable(() => [...this.chunks.getRange({ start, end: keyOf(name, mostRecords), limit: 16 })]);
      for (const { value } of some) yield value;
      const last = some.at(-1);
      if (last === undefined) break;
      start = Uint8Array.from([...last.key, 0]);
    }
    for (const { last, bytes } of this.withOnTheWay(name).behind) if (last >= from) yield bytes;
  }

  /** A stream with what was on its way to it, as it will be when somebody takes that in. */
  private withOnTheWay(name: string): {
    readonly head: StreamHead | undefined;
    readonly behind: readonly Piece['chunk'][];
  } {
    let head: KeptHead | undefined = this.kept(name)?.head;
    const behind: Piece['chunk'][] = [];
    for (const piece of this.onTheWay) {
      if (piece.name !== name || !this.isNext(piece, head)) continue;
      const before = head ?? headAtBirth(name, piece.birth);
      head = { ...headAfter(before, piece.chunk, before.touched, piece.finished), owner: null };
      behind.push(piece.chunk);
    }
    return { head: head && publicHead(head), behind };
  }

  /** What a stream does not go on with is there already, or belongs to somebody who lives. */
  private isNext({ name, birth, chunk }: Piece, head: KeptHead | undefined): boolean {
    const { last, checksum } = head ?? headAtBirth(name, birth);
    if (last + 1 !== chunk.first || (head?.owner && isAlive(head.owner))) return false;
    try {
      return readHead(chunk.bytes).before === checksum && this.isWhole(name, chunk.bytes);
    } catch {
      return false;
    }
  }

  far(name: string): FarReader {
    return new FarReader(this.beside, name);
  }

  tidy(): void {
    for (const name of farStreams(this.beside)) if (this.kept(name) === undefined) dropFar(this.beside, name);
  }

  async remove(name: string): Promise<void> {
    const kept = this.kept(name);
    if (kept === undefined || (kept.head.owner && isAlive(kept.head.owner))) return;
    const { version } = kept;
    const keys = this.keysOf(name, mostRecords);
    const removed = await this.guarded(() =>
      this.heads.ifVersion(name, version, () => {
        quietly(this.heads.remove(name));
        for (const key of keys) quietly(this.chunks.remove(key));
      }),
    );
    if (removed) dropFar(this.beside, name);
    this.shelf.clear(name);
  }

  async close(): Promise<void> {
    await this.environment.close();
    this.tail?.close();
  }

  /** Takes in what programs that died had on its way here. */
  private takeIn(): void {
    for (const { pieces, drop } of leftBehind(this.place)) {
      this.environment.transactionSync(() => {
        for (const piece of pieces) this.takeInPiece(piece);
      });
      drop();
    }
  }

  private takeInPiece(piece: Piece): void {
    const { name, birth, chunk, finished } = piece;
    const kept = this.kept(name);
    if (!this.isNext(piece, kept?.head)) return;
    const head = kept?.head ?? { ...headAtBirth(name, birth), owner: null };
    if (chunk.far) syncFar(this.beside, name);
    const after = { ...headAfter(head, chunk, this.touched(), finished), owner: null, open: false };
    this.chunks.putSync(keyOf(name, chunk.first), chunk.bytes);
    this.heads.putSync(name, after, (kept?.version ?? 0) + 1);
  }

  /** After the machine has gone down, a chunk may name bytes that went with it. */
  private isWhole(name: string, chunk: Uint8Array): boolean {
    const far = this.far(name);
    try {
      for (const _ of new ChunkReader(far.read).read(chunk));
      return true;
    } catch {
      return false;
    } finally {
      far.close();
    }
  }

  /** For writers. */
  writerBeside(name: string): FarWriter {
    return new FarWriter(this.beside, name, (bytes) => this.room.has(bytes));
  }

  /** For writers: those who ask together are answered together, so that their chunks share one commit. */
  async synced(far: FarWriter): Promise<void> {
    this.syncing ??= new Promise<Map<FarWriter, Promise<void>>>((resolve) => {
      setImmediate(async () => {
        this.syncing = undefined;
        const all = new Map([...this.unsynced].map((one) => [one, one.sync()]));
        this.unsynced.clear();
        await Promise.allSettled(all.values());
        resolve(all);
      });
    });
    this.unsynced.add(far);
    const all = await this.syncing;
    try {
      await all.get(far);
    } catch (error) {
      throw unwritable(this.place, error);
    }
  }

  /** For writers: adds a chunk if the head is still the one that they know. */
  async add(before: Kept, after: KeptHead, chunk: Chunk): Promise<void> {
    if (!this.room.has(chunk.bytes.length)) throw full(this.place);
    const { name } = after;
    const { version } = before;
    const added = await this.guarded(() =>
      this.heads.ifVersion(name, version, () => {
        quietly(this.chunks.put(keyOf(name, chunk.first), chunk.bytes));
        quietly(this.heads.put(name, after, version + 1));
      }),
    );
    if (!added) throw new JournalError('locked', `somebody else has written to ${name} in ${this.place}`);
  }

  /** For writers: removes the chunks before that which begins with record `first`. */
  async cut({ version }: Kept, after: KeptHead, first: number): Promise<void> {
    const { name } = after;
    const keys = this.keysOf(name, first);
    const done = await this.guarded(() =>
      this.heads.ifVersion(name, version, () => {
        for (const key of keys) quietly(this.chunks.remove(key));
        quietly(this.heads.put(name, after, version + 1));
      }),
    );
    if (!done) throw new JournalError('locked', `somebody else has written to ${name} in ${this.place}`);
    dropFar(this.beside, name, first);
  }

  /** For writers: gives the stream up. */
  async release(name: string, { head, version }: Kept): Promise<void> {
    this.writers.delete(name);
    const given: KeptHead = { ...head, owner: null, open: false };
    await this.guarded(() =>
      this.heads.ifVersion(name, version, () => quietly(this.heads.put(name, given, version + 1))),
    );
  }

  touched(): number {
    return this.now();
  }

  /** Of the chunks of a stream that begin before record `end`. */
  private keysOf(name: string, end: number): Uint8Array[] {
    const keys = this.readable(() => [...this.chunks.getKeys({ start: keyOf(name, 0), end: keyOf(name, end) })]);
    return keys.map((key) => Uint8Array.from(key));
  }

  private kept(name: string): Kept | undefined {
    const entry = this.readable(() => this.heads.getEntry(name));
    return entry === undefined ? undefined : { head: entry.value, version: entry.version ?? 0 };
  }

  /** What LMDB cannot read is damaged. */
  private readable<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error);
      throw new JournalError('damaged', `the journal in ${this.place} is damaged: ${what}`, { cause: error });
    }
  }

  private async guarded(write: () => Promise<boolean>): Promise<boolean> {
    try {
      return await write();
    } catch (error) {
      throw unwritable(this.place, await causeOf(error));
    }
  }
}

class LmdbWriter implements StreamWriter {
  readonly head: StreamHead;
  private readonly store: LmdbStore;
  /** The head as it will be when all that is under way is written. */
  private kept: Kept;
  private broken: unknown;
  private under: Promise<unknown> = Promise.resolve();
  private closed = false;
  private far: FarWriter | undefined;
  /** Settles when all chunks so far are with LMDB. */
  private started: Promise<unknown> = Promise.resolve();

  constructor(store: LmdbStore, kept: Kept) {
    this.store = store;
    this.kept = kept;
    this.head = publicHead(kept.head);
  }

  async append(chunk: Chunk, { finished = false } = {}): Promise<void> {
    if (this.broken !== undefined) throw this.broken;
    if (this.closed) throw new JournalError('closed', `${this.head.name} is not open`);
    const before = this.kept;
    if (chunk.first !== before.head.last + 1) {
      throw new JournalError('locked', `${this.head.name} goes on with record ${before.head.last + 1}`);
    }
    const { owner } = before.head;
    const after = { ...headAfter(before.head, chunk, this.store.touched(), finished), owner };
    this.kept = { head: after, version: before.version + 1 };
    await this.follow(this.inTurn(() => this.store.add(before, after, chunk)));
  }

  attach(seq: number, bytes: Uint8Array): Place | undefined {
    if (this.broken !== undefined || this.closed) return undefined;
    this.far ??= this.store.writerBeside(this.head.name);
    return this.far.add(seq, bytes);
  }

  async cut(first: number, bytes: number): Promise<void> {
    if (this.broken !== undefined || this.closed) return;
    const before = this.kept;
    const { owner } = before.head;
    const after = { ...headAfterCut(before.head, first, bytes), owner };
    this.kept = { head: after, version: before.version + 1 };
    await this.follow(this.inTurn(() => this.store.cut(before, after, first)));
  }

  /** In the order of the calls, and not before the bytes beside are on the disk. */
  private async inTurn(work: () => Promise<void>): Promise<void> {
    const { far, started } = this;
    if (far === undefined) return work();
    const mine = Promise.all([started, far.isDirty ? this.store.synced(far) : undefined]).then(() => ({
      done: work(),
    }));
    this.started = mine.catch(() => {});
    await (await mine).done;
  }

  /** Nothing is written any more after something could not be. */
  private async follow(work: Promise<void>): Promise<void> {
    this.under = Promise.allSettled([this.under, work]);
    try {
      await work;
    } catch (error) {
      this.broken ??= error;
      throw error;
    }
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.under;
    this.far?.close();
    await this.store.release(this.head.name, this.kept);
  }
}

/** Records that a stream may hold: what fits the six bytes of a key. */
const mostRecords = 2 ** 48 - 1;

/** Chunks lie in the order of their streams' names, and in their own. */
function keyOf(name: string, first: number): Uint8Array {
  const text = Buffer.from(name);
  const key = Buffer.alloc(text.length + 7);
  text.copy(key);
  key.writeUIntBE(first, text.length + 1, 6);
  return key;
}

const publicHead = ({ owner, ...head }: KeptHead): StreamHead => ({
  ...head,
  open: owner !== null && isAlive(owner),
});

function make(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
    if (!statSync(folder).isDirectory()) throw new Error('it is no folder');
  } catch (error) {
    throw unwritable(folder, error);
  }
}

/** A write of a batch: whether the batch came through is told by the batch. */
const quietly = (write: Promise<unknown>): void => {
  write.catch(() => {});
};

/** LMDB rejects each write of a commit that failed with a promise of the reason. */
async function causeOf(error: unknown): Promise<unknown> {
  const { commitError } = error as { commitError?: Promise<never> };
  if (commitError === undefined) return error;
  const reason = commitError.catch((cause: unknown) => cause);
  return Promise.race([reason, new Promise((resolve) => setTimeout(resolve, 100, error))]);
}

const reasons: readonly (readonly [RegExp, string])[] = [
  [/no space left|ENOSPC|MDB_MAP_FULL|file too large|EFBIG/i, 'the disk is full'],
  [/permission denied|EACCES|EPERM|not permitted/i, 'it may not be written to'],
  [/read-only|EROFS/i, 'it is read-only'],
  [/not a directory|ENOTDIR|EEXIST/i, 'it is no folder'],
];

const full = (place: string): JournalError =>
  new JournalError('unwritable', `the journal in ${place} cannot be written: the disk is full`);

function unwritable(place: string, error: unknown): JournalError {
  if (error instanceof JournalError) return error;
  const text =
    error instanceof Error ? `${(error as NodeJS.ErrnoException).code ?? ''} ${error.message}` : String(error);
  const reason = reasons.find(([pattern]) => pattern.test(text))?.[1] ?? text.trim();
  return new JournalError('unwritable', `the journal in ${place} cannot be written: ${reason}`, { cause: error });
}
