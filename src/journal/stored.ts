/**
 * A journal that outlives the program: records of each session go into a stream of their own, in batches, behind the back of
 * whoever appends. It never holds anybody up and never throws at them; what goes wrong with the store is told once, and then
 * the session goes on without a journal, or ends, as was asked for.
 */

import { BufferPool } from '../wire/pool.ts';
import { type Chunk, ChunkWriter, type Place } from './chunk.ts';
import { JournalError } from './error.ts';
import type { CheckpointRate, GoOn, Past, ResumableJournal } from './journal.ts';
import { findUnfinished, type Unfinished } from './past.ts';
import type { Entry } from './record.ts';
import { type Birth, type Store, type StreamWriter, sizeOf } from './store.ts';
import type { Piece } from './tail.ts';

/** What it needs of time; the engine's own clock, and the calendar. */
export interface JournalClock {
  /** Milliseconds of the clock that records tell. */
  now(): number;
  /** Milliseconds since 1970. */
  calendar(): number;
  setTimeout(fn: () => void, ms: number): unknown;
  clearTimeout(id: any): void;
}

export interface StoredJournalOptions {
  readonly store: Store;
  /** Which run of a program it is of: streams are named "RUN/session:3". */
  readonly run: string;
  /** Which of several journals of a program it is; it goes on only with one of the same name. */
  readonly name?: string | undefined;
  /** "sumac 0.1.0" */
  readonly program: string;
  readonly clock: JournalClock;
  /** Leaves out of entries what is personal, in their order; undefined keeps everything. */
  readonly redact?: ((entry: Entry) => Entry) | undefined;
  /** No session without a journal: when it fails, `durable` rejects from then on. Default: sessions go on without it. */
  readonly required?: boolean | undefined;
  readonly checkpoints?: CheckpointRate | undefined;
  /** The store has failed, and nothing more is written. Called once. */
  readonly onFailure?: ((error: JournalError) => void) | undefined;
}

/** Milliseconds that records are gathered before they are handed to the store, unless somebody waits for them. */
const linger = 50;
/** Bytes of a chunk. */
const enough = 1024 * 1024;
/** Bytes of chunks from which on they are handed over at once. */
const mostReady = 8 * 1024 * 1024;
/** Bytes that wait to be written down. */
const mostWaiting = 256 * 1024;
/** Bytes of a record from which on it does not wait. */
const large = 16 * 1024;
const slabSize = 64 * 1024;
/** Bytes of a record without its bytes, more or less. */
const typical = 200;
/** Bytes that may be on their way to the store. */
const mostUnderWay = 64 * 1024 * 1024;

interface Stream {
  readonly name: string;
  readonly birth: Birth;
  readonly records: ChunkWriter;
  /**
   * It is opened when something is handed over for the first time: a store's commit is more work than the links of a session
   * that begins, which is often one that a guest is about to follow.
   */
  opening?: Promise<StreamWriter>;
  /** The same, when it is there. */
  opened?: StreamWriter;
  /** What waits begins with a checkpoint. */
  fresh: boolean;
  /** Bytes that were handed over, and that were there before. */
  bytes: number;
  /** Of the journal of a root, which may be cut there. */
  readonly checkpoints: Mark[];
  /** Charts that have begun and not ended; when there are none left, the session is over. */
  alive: number;
  over: boolean;
}

/** A chunk that the store does not have yet. */
interface OnTheWay {
  readonly stream: Stream;
  readonly piece: Piece & { readonly chunk: Chunk };
  /** It is written down beside the store; to be called when the store has it. */
  forget?: (() => void) | undefined;
}

/** Buffers of all journals of this program: memory that is asked for anew has the garbage collector look through everything. */
const pool = new BufferPool();

/** A checkpoint in a stream. */
interface Mark {
  readonly seq: number;
  /** Milliseconds of the clock. */
  readonly at: number;
  /** Bytes of what stands before it. */
  readonly bytes: number;
}

/** Checkpoints that are remembered of a journal; more than that lie closer together than anybody wants to cut. */
const mostMarks = 2_000;
/** Streams that are over, and whose last words are known as such. */
const mostClosed = 10_000;

export class StoredJournal implements ResumableJournal {
  run: string;
  readonly outlives = true;
  readonly checkpoints: CheckpointRate | undefined;
  private readonly options: StoredJournalOptions;
  private epoch: number;
  private readonly streams = new Map<string, Stream>();
  private readonly closed = new Set<string>();
  private readonly byActor = new Map<string, Stream>();
  private readonly dirty = new Set<Stream>();
  /** What was appended and is not written down: that can wait until nobody else has anything to do. */
  private waiting: Entry[] = [];
  private waitingBytes = 0;
  /** Copies of bytes that wait. */
  private readonly slabs: Uint8Array<ArrayBuffer>[] = [];
  private slabAt = slabSize;
  /** Settles when all that was handed over is kept, or is not; never rejects. */
  private written: Promise<unknown> = Promise.resolve();
  private underWay = 0;
  /** Chunks that the store does not have yet. */
  private readonly onTheWay = new Set<OnTheWay>();
  /** Those of them that wait for the next time that something is handed over. */
  private ready: OnTheWay[] = [];
  private readyBytes = 0;
  private timer: unknown;
  private failed: JournalError | undefined;
  private ended = false;

  constructor(options: StoredJournalOptions) {
    const { clock, run } = options;
    this.options = options;
    this.run = run;
    this.checkpoints = options.checkpoints;
    this.epoch = clock.calendar() - clock.now();
  }

  /** Why nothing is written any more, if so. */
  get failure(): JournalError | undefined {
    return this.failed;
  }

  append(entry: Entry): void {
    if (this.failed !== undefined || this.ended) return;
    if (entry.kind !== 'wire') {
      this.waiting.push(entry);
      this.waitingBytes += typical;
    } else if (entry.bytes.length < large) {
      this.waiting.push({ ...entry, bytes: this.copied(entry.bytes) });
      this.waitingBytes += entry.bytes.length + typical;
    } else {
      // What is large is copied once only: to where it is kept, or into the chunk.
      this.writeDown();
      this.take(entry);
    }
    if (this.waitingBytes >= mostWaiting) this.writeDown();
    this.timer ??= this.options.clock.setTimeout(() => this.flush(), this.untilNext());
  }

  /** As is promised by Journal. Without `required`, it resolves even when the store has failed: the session goes on. */
  async durable(): Promise<void> {
    this.flush();
    await this.written;
    if (this.failed !== undefined && this.options.required) throw this.failed;
  }

  /** The same of this promise. */
  async kept(): Promise<void> {
    this.writeDown();
    this.cutAll();
    if (this.failed !== undefined || !this.writtenDown()) await this.durable();
  }

  /** Writes down what is on its way to the store, which has it some time later; false where that cannot be. */
  private writtenDown(): boolean {
    const { tail } = this.options.store;
    if (tail === undefined) return false;
    for (const one of this.onTheWay) {
      one.forget ??= tail.keep(one.piece);
      if (one.forget === undefined) return false;
    }
    return true;
  }

  /** Writes what is left, and gives up all streams. Rejects when the journal is required and could not be written. */
  async close(): Promise<void> {
    if (this.ended) return;
    this.flush();
    this.ended = true;
    for (const stream of this.streams.values()) this.release(stream);
    await this.written;
    if (this.failed !== undefined && this.options.required) throw this.failed;
  }

  /** Writes nothing more, because of `error`; as if the store had failed. */
  giveUp(error: JournalError): void {
    this.fail(error);
  }

  /**
   * Cuts off what the journal of a server itself, which lasts as long as the program, holds from before a time that no session
   * which is kept reaches back to (milliseconds since 1970): up to the last checkpoint before it. Resolves when that is done.
   */
  async trim(before: number): Promise<void> {
    for (const stream of [...this.streams.values()]) {
      const { name, checkpoints } = stream;
      if (!name.endsWith('/server')) continue;
      const mark = checkpoints.findLast(({ at }) => this.epoch + at < before);
      if (mark === undefined) continue;
      const gone = checkpoints.splice(0, checkpoints.indexOf(mark) + 1).at(-1)!;
      for (const [i, later] of checkpoints.entries()) {
        checkpoints[i] = { ...later, bytes: later.bytes - gone.bytes };
      }
      stream.bytes -= gone.bytes;
      // Behind all that there is, the checkpoint with it.
      this.flush();
      await this.written;
      const cut = this.writerOf(stream).then((opened) => opened.cut(gone.seq, gone.bytes));
      this.follow(cut);
      await cut.catch(() => {});
    }
  }

  /** Whether a stream of this name is that of a session of this program. */
  isSession(name: string): boolean {
    return name.startsWith(`${this.run}/session:`);
  }

  async past(root: 'server' | 'client'): Promise<Past | undefined> {
    const { store, name, clock } = this.options;
    await store.settled?.();
    const found = await findUnfinished(store, root, name);
    if (found === undefined) return undefined;
    const { run, head, parts } = found;
    const now = clock.calendar() - head.epoch;
    return { name: run, now, split: true, parts, goOn: (chosen) => this.goOn(found, chosen) };
  }

  private async goOn({ run, head: { epoch }, parts }: Unfinished, chosen: readonly GoOn[]): Promise<void> {
    const { store, redact } = this.options;
    for (const { part, alive, actors } of chosen) {
      const { head } = parts.find(({ name }) => name === part.name)!;
      const writer = await store.write(head.name, head);
      if (writer.head.last !== head.last) {
        await writer.close();
        throw new JournalError('locked', `${head.name} in ${store.place} was gone on with by somebody else`);
      }
      const records = new ChunkWriter(head.last, head.checksum, undefined, pool);
      const name = head.name;
      const stream = {
        name,
        birth: head,
        records,
        opening: Promise.resolve(writer),
        opened: writer,
        bytes: head.bytes,
        checkpoints: [],
        fresh: false,
      };
      this.streams.set(name, { ...stream, alive, over: false });
      // What is personal is left out of those, too, whose births were not written by this journal.
      for (const { actor, chart, context } of actors) {
        redact?.({ kind: 'event', at: 0, actor, chart, event: { type: 'xstate.init', input: context } });
      }
    }
    this.run = run;
    this.epoch = epoch;
  }

  /** Journals hand over at the same time, so that a store that they share has one commit instead of many. */
  private untilNext(): number {
    return linger - (this.options.clock.calendar() % linger);
  }

  /** Puts what waits into the chunks of its streams. */
  private writeDown(): void {
    const { waiting } = this;
    if (waiting.length === 0) return;
    this.waiting = [];
    this.waitingBytes = 0;
    for (const entry of waiting) this.take(entry);
    for (const slab of this.slabs.splice(0)) pool.give(slab);
    this.slabAt = slabSize;
  }

  private take(entry: Entry): void {
    const { actor, kind } = entry;
    const stream = this.byActor.get(actor) ?? this.begin(entry);
    if (stream === undefined) return;
    const { redact } = this.options;
    // Whoever begins to read at a checkpoint need not read what stands before it.
    if (kind === 'checkpoint') this.beginAtCheckpoint(stream, entry.at);
    const kept = redact === undefined ? entry : redact(entry);
    stream.records.add(kept, placeOf(kept, stream));
    if (kind === 'end') {
      stream.alive--;
      this.byActor.delete(actor);
    } else if (kind === 'event' && entry.chart !== undefined) stream.alive++;
    stream.over = stream.alive === 0;
    this.dirty.add(stream);
    if (stream.fresh && stream.records.size >= enough) this.cutAll();
    else if (stream.records.size >= enough || stream.over) this.cut(stream);
  }

  private beginAtCheckpoint(stream: Stream, at: number): void {
    this.cut(stream);
    stream.fresh = true;
    const { checkpoints, records, bytes } = stream;
    checkpoints.push({ seq: records.last + 1, at, bytes });
    if (checkpoints.length <= mostMarks) return;
    const half = checkpoints.filter((_, i) => i % 2 === 0);
    checkpoints.splice(0, checkpoints.length, ...half);
  }

  /** A copy of bytes that are not ours, until they are written down. */
  private copied(bytes: Uint8Array): Uint8Array {
    const { length } = bytes;
    if (this.slabAt + length > slabSize) {
      this.slabs.push(pool.take(slabSize));
      this.slabAt = 0;
    }
    const copy = this.slabs.at(-1)!.subarray(this.slabAt, this.slabAt + length);
    copy.set(bytes);
    this.slabAt += length;
    return copy;
  }

  private begin({ actor, at }: Entry): Stream | undefined {
    const name = `${this.run}/${streamOf(actor)}`;
    const known = this.streams.get(name) ?? this.open(name, at);
    if (known !== undefined) this.byActor.set(actor, known);
    return known;
  }

  private open(name: string, at: number): Stream | undefined {
    // A last word of a session that is over.
    if (this.closed.has(name)) return undefined;
    const { program, redact } = this.options;
    const birth: Birth = {
      born: Math.round(this.epoch + at),
      epoch: this.epoch,
      program,
      secrets: redact === undefined,
    };
    const stream: Stream = {
      name,
      birth,
      records: new ChunkWriter(0, 0, undefined, pool),
      fresh: false,
      bytes: 0,
      checkpoints: [],
      alive: 0,
      over: false,
    };
    this.streams.set(name, stream);
    return stream;
  }

  private writerOf(stream: Stream): Promise<StreamWriter> {
    stream.opening ??= this.begun(stream);
    return stream.opening;
  }

  private async begun(stream: Stream): Promise<StreamWriter> {
    const { store } = this.options;
    const writer = await store.write(stream.name, stream.birth);
    if (writer.head.last > 0) {
      await writer.close();
      throw new JournalError('locked', `${stream.name} in ${store.place} is there already`);
    }
    stream.opened = writer;
    return writer;
  }

  /** Hands over all that waits. */
  private flush(): void {
    this.options.clock.clearTimeout(this.timer);
    this.timer = undefined;
    this.writeDown();
    this.cutAll();
    this.handOver();
  }

  /** Whoever goes on from a checkpoint takes for granted what other streams say up to then: it is kept no sooner than that. */
  private cutAll(): void {
    for (const fresh of [false, true]) for (const one of this.dirty) if (one.fresh === fresh) this.cut(one);
  }

  /** Makes a chunk of what is written down: it is handed over with the next ones, so that the store has fewer commits. */
  private cut(stream: Stream): void {
    this.dirty.delete(stream);
    stream.fresh = false;
    const chunk = stream.records.cut();
    if (chunk === undefined || this.failed !== undefined) return;
    const { over, name, birth } = stream;
    const ready = { stream, piece: { name, birth, chunk, finished: over } };
    this.onTheWay.add(ready);
    this.ready.push(ready);
    this.readyBytes += chunk.bytes.length;
    stream.bytes += sizeOf(chunk);
    this.underWay += sizeOf(chunk);
    if (over || this.readyBytes >= mostReady) this.handOver();
    if (over) this.release(stream);
  }

  private handOver(): void {
    const { ready } = this;
    if (ready.length === 0) return;
    this.ready = [];
    this.readyBytes = 0;
    for (const one of ready) {
      const { chunk, finished } = one.piece;
      const settle = () => {
        this.onTheWay.delete(one);
        this.underWay -= sizeOf(chunk);
        one.forget?.();
      };
      this.follow(
        this.writerOf(one.stream)
          .then((writer) => writer.append(chunk, { finished }))
          .finally(settle)
          .then(() => chunk.giveBack()),
      );
    }
    if (this.underWay > mostUnderWay) {
      const { place } = this.options.store;
      this.fail(
        new JournalError('behind', `the journal in ${place} cannot keep up: ${this.underWay} bytes wait for it`),
      );
    }
  }

  private release(stream: Stream): void {
    this.streams.delete(stream.name);
    for (const [actor, its] of this.byActor) if (its === stream) this.byActor.delete(actor);
    this.closed.add(stream.name);
    if (this.closed.size > mostClosed) this.closed.delete(this.closed.values().next().value!);
    const closing = stream.opening?.then(
      (writer) => writer.close(),
      () => {},
    );
    if (closing !== undefined) this.follow(closing);
  }

  /** `written` settles no sooner than this; what goes wrong is told. */
  private follow(work: Promise<unknown>): void {
    const told = work.catch((error: unknown) => this.fail(error));
    this.written = Promise.all([this.written, told]);
  }

  private fail(error: unknown): void {
    if (this.failed !== undefined) return;
    this.failed =
      error instanceof JournalError
        ? error
        : new JournalError(
            'unwritable',
            `the journal failed: ${error instanceof Error ? error.message : String(error)}`,
          );
    this.dirty.clear();
    this.waiting = [];
    for (const one of this.ready.splice(0)) {
      this.onTheWay.delete(one);
      one.forget?.();
    }
    for (const stream of [...this.streams.values()]) this.release(stream);
    this.options.onFailure?.(this.failed);
  }
}

/** Large bytes are kept beside the chunks, if the store can; those of which something is left out have to be copied. */
function placeOf(entry: Entry, { opened, records }: Stream): Place | undefined {
  if (entry.kind !== 'wire' || entry.bytes.length < large || entry.left !== undefined) return undefined;
  return opened?.attach?.(records.last + 1, entry.bytes);
}

/** "session:3" of "server/session:3/display:0"; "server" of the root and of links that belong to no session yet. */
export function streamOf(actor: string): string {
  const [root, second] = actor.split('/', 2);
  return second?.startsWith('session:') ? second : root!;
}
