/**
 * Records in bytes, several to a chunk, as stores keep them. Each record carries a checksum that goes on from that of the
 * record before it, from the first of its journal on: whatever is changed, dropped or put in another place is found, and
 * where. A chunk can be read without the one before it. Never returns a record that is not as it was written.
 *
 *   "SuJ" 3 | version of records | first number | how many | number of the last checkpoint before it, or 0 |
 *           checksum of the record before | records
 *   record: size (u32) | bytes | checksum (u32)
 *
 * In format 4 records may name large bytes that lie elsewhere, by their place and checksum; where no record does, format 3 is
 * written. Format 2 did not name the checkpoint; in format 1 sizes were counts of seven bits a byte. All are still read.
 */

import { BufferPool } from '../wire/pool.ts';
import { checksum } from './checksum.ts';
import { JournalError } from './error.ts';
import {
  type ArmedTimer,
  type Entry,
  type JournalRecord,
  type LeftRange,
  type Origin,
  recordVersion,
} from './record.ts';
import { Upcaster } from './upcast.ts';
import { ValueReader, ValueWriter } from './value.ts';

export interface Chunk {
  /** The number of its first record. */
  readonly first: number;
  readonly last: number;
  /** Checksum of its last record. */
  readonly checksum: number;
  /** Valid until the chunk is given back. */
  readonly bytes: Uint8Array;
  /** Bytes of its records that lie elsewhere, in all. */
  readonly far?: number;
  /** The bytes are not used any more. Not calling it costs memory, nothing else. */
  giveBack(): void;
}

/** Where bytes lie that are not in a chunk. */
export interface Place {
  /** Which file of its stream. */
  readonly file: number;
  /** Offset in it. */
  readonly at: number;
}

/** Gives back bytes that lie elsewhere; fewer, or none, where they do not. */
export type FarBytes = (place: Place, size: number) => Uint8Array;

/** Room for a head, which is written last. */
const headRoom = 32;

const magic = [0x53, 0x75, 0x4a] as const;
const format = 4;
/** What is written where all bytes are in the chunk. */
const formatWithoutFar = 3;

const kinds = ['wire', 'link', 'event', 'command', 'end', 'resume', 'checkpoint'] as const;
const origins: readonly (Origin | undefined)[] = [undefined, 'chart', 'plane', 'application'];

/** Puts records together, one after the other, and cuts them into chunks. */
export class ChunkWriter {
  private readonly pool: BufferPool;
  private readonly out: ValueWriter;
  /** Where each record ends, its checksum excluded. */
  private readonly ends: number[] = [];
  private readonly head = new ValueWriter(undefined, headRoom);
  private readonly version: number;
  private first: number;
  private before: number;
  /** The last checkpoint before `first`, and the last one that was taken in; 0 if there is none. */
  private passed = 0;
  private checkpoint = 0;
  /** Bytes that lie elsewhere, of the records that wait. */
  private far = 0;

  /** Goes on behind the record `last`, whose checksum is `before`. `version` is for tests of older ones. */
  constructor(last = 0, before = 0, version: number = recordVersion, pool = new BufferPool(0)) {
    this.first = last + 1;
    this.before = before;
    this.version = version;
    this.pool = pool;
    this.out = new ValueWriter(pool);
  }

  /** The number of the last record that was taken in. */
  get last(): number {
    return this.first + this.ends.length - 1;
  }

  /** Bytes that wait to be cut off. */
  get size(): number {
    return Math.max(0, this.out.length - headRoom);
  }

  /** `place`: where the bytes of a wire record lie, of which nothing is left out, if not in the chunk. */
  add(entry: Entry, place?: Place): void {
    const { out } = this;
    if (out.length === 0) out.room(headRoom);
    const size = out.room(4);
    out.byte(kinds.indexOf(entry.kind));
    out.number(entry.at);
    out.text(entry.actor);
    switch (entry.kind) {
      case 'wire': {
        const left = entry.left ?? [];
        const from = origins.indexOf(entry.from);
        out.byte((entry.direction === 'in' ? 0 : 1) | (from << 1) | (left.length > 0 ? 8 : 0) | (place ? 16 : 0));
        out.text(entry.link);
        out.count(entry.bytes.length);
        if (place !== undefined) {
          out.u32(checksum(entry.bytes));
          out.count(place.file);
          out.count(place.at);
          this.far += entry.bytes.length;
          break;
        }
        const start = out.length;
        out.raw(entry.bytes);
        for (const { at, size } of left) out.blank(start + at, size);
        if (left.length > 0) writeLeft(out, left);
        break;
      }
      case 'link':
        out.byte((entry.found ? 1 : 0) | (entry.mini ? 2 : 0));
        out.text(entry.link);
        break;
      case 'event':
        out.value(entry.chart);
        out.value(entry.event);
        break;
      case 'command':
        out.value(entry.command);
        break;
      case 'checkpoint':
        out.value(entry.snapshot);
        out.value(entry.timers);
        break;
      case 'end':
      case 'resume':
        break;
    }
    this.ends.push(out.length);
    if (entry.kind === 'checkpoint') this.checkpoint = this.last;
    out.fillInU32(size, out.length - size - 4);
    out.room(4);
  }

  /** Everything that was added since the last cut; undefined if there is nothing. */
  cut(): Chunk | undefined {
    const { out, ends, first, head, last } = this;
    if (ends.length === 0) return undefined;
    head.reset();
    for (const byte of magic) head.byte(byte);
    const { far } = this;
    head.byte(far > 0 ? format : formatWithoutFar);
    head.byte(this.version);
    head.count(first);
    head.count(ends.length);
    head.count(this.passed);
    head.u32(this.before);
    const from = headRoom - head.length;
    out.fillIn(from, head.written());
    let sum = checksum(head.written(), this.before);
    let start = headRoom + 4;
    // A view of each record would cost more than its checksum.
    const all = out.written();
    for (const end of ends) {
      sum = checksum(all, sum, start, end);
      out.fillInU32(end, sum);
      start = end + 8;
    }
    const to = out.length;
    const buffer = out.takeOut();
    this.first = last + 1;
    this.before = sum;
    this.passed = this.checkpoint;
    this.far = 0;
    ends.length = 0;
    let given = false;
    return {
      ...{ first, last, checksum: sum, bytes: buffer.subarray(from, to) },
      ...(far > 0 ? { far } : {}),
      giveBack: () => {
        if (!given) this.pool.give(buffer);
        given = true;
      },
    };
  }
}

export interface ChunkHead {
  /** The version of its records. */
  readonly version: number;
  readonly first: number;
  readonly last: number;
  /** The number of the last checkpoint before its first record; 0 if there is none, or none is known. */
  readonly checkpoint: number;
  /** Checksum of the record before its first. */
  readonly before: number;
}

/** Throws JournalError: `foreign` when it is no chunk that we know, `damaged` when it has no whole head. */
export function readHead(bytes: Uint8Array): ChunkHead {
  return head(new ValueReader(bytes), bytes);
}

function head(reader: ValueReader, bytes: Uint8Array): ChunkHead {
  const [a, b, c] = magic;
  if (bytes[0] !== a || bytes[1] !== b || bytes[2] !== c)
    throw new JournalError('foreign', 'this is no journal of ours');
  if (!(bytes[3]! >= 1 && bytes[3]! <= format))
    throw new JournalError('foreign', `a journal of format ${bytes[3]}, which this program does not know`);
  reader.at = 4;
  try {
    const version = reader.byte();
    if (version > recordVersion || version < 1) {
      throw new JournalError('foreign', `records of version ${version}; this program knows up to ${recordVersion}`);
    }
    const first = reader.count();
    const last = first + reader.count() - 1;
    const checkpoint = bytes[3]! >= 3 ? reader.count() : 0;
    if (checkpoint >= first)
      throw new JournalError('damaged', `checkpoint ${checkpoint} is not before record ${first}`);
    return { version, first, last, checkpoint, before: reader.u32() };
  } catch (error) {
    throw error instanceof JournalError ? error : new JournalError('damaged', 'a chunk has no whole head');
  }
}

/** Reads the chunks of one journal, in their order, from the first one or from any other. */
export class ChunkReader {
  private readonly upcaster = new Upcaster();
  private readonly far: FarBytes;
  private last: number | undefined;
  private checksum = 0;

  /** `far`: where bytes are read that lie elsewhere; without it there are none. */
  constructor(far: FarBytes = () => nothing) {
    this.far = far;
  }

  /**
   * The records of the next chunk, brought up to the present version. Throws JournalError at the first that is not as it was
   * written, or not in its place: all before it have been handed out.
   */
  *read(bytes: Uint8Array): Generator<JournalRecord, void, undefined> {
    const reader = new ValueReader(bytes);
    const { version, first, last, before } = head(reader, bytes);
    if (this.last !== undefined && first !== this.last + 1) {
      throw new JournalError('damaged', `record ${first} comes after record ${this.last}`);
    }
    if ((this.last !== undefined || first === 1) && before !== this.checksum) {
      throw new JournalError('damaged', `record ${first} does not belong behind record ${first - 1}`);
    }
    this.checksum = checksum(bytes.subarray(0, reader.at), before);
    for (let seq = first; seq <= last; seq++) {
      const record = this.record(reader, bytes, seq, bytes[3] === 1);
      this.last = seq;
      yield this.upcaster.lift(version, record);
    }
    if (reader.at !== bytes.length) throw new JournalError('damaged', `there is something behind record ${last}`);
  }

  private record(reader: ValueReader, bytes: Uint8Array, seq: number, isOld: boolean): JournalRecord {
    try {
      reader.end = bytes.length;
      const size = isOld ? reader.count() : reader.u32();
      const start = reader.at;
      reader.skip(size);
      const sum = checksum(bytes, this.checksum, start, start + size);
      if (reader.u32() !== sum) throw new JournalError('damaged', `record ${seq} is not as it was written`);
      const next = reader.at;
      reader.at = start;
      reader.end = start + size;
      const record = readRecord(reader, seq, this.far);
      reader.at = next;
      this.checksum = sum;
      return record;
    } catch (error) {
      if (error instanceof JournalError) throw error;
      throw new JournalError('damaged', `record ${seq} breaks off: ${(error as Error).message}`, { cause: error });
    }
  }
}

const nothing = new Uint8Array(0);

function readRecord(reader: ValueReader, seq: number, far: FarBytes): JournalRecord {
  const kind = kinds[reader.byte()];
  const at = reader.number();
  const actor = reader.text();
  const common = { seq, at, actor };
  switch (kind) {
    case 'wire': {
      const flags = reader.byte();
      const link = reader.text();
      const size = reader.count();
      const bytes = flags & 16 ? readFar(reader, seq, size, far) : reader.raw(size);
      const from = origins[(flags >> 1) & 3];
      return {
        ...common,
        ...{ kind, link, direction: flags & 1 ? 'out' : 'in', bytes },
        ...(from === undefined ? {} : { from }),
        ...(flags & 8 ? { left: readLeft(reader, bytes.length) } : {}),
      };
    }
    case 'link': {
      const flags = reader.byte();
      const link = reader.text();
      return { ...common, kind, link, found: (flags & 1) !== 0, ...(flags & 1 ? { mini: (flags & 2) !== 0 } : {}) };
    }
    case 'event': {
      const chart = reader.value();
      return { ...common, kind, event: typed(reader), ...(typeof chart === 'string' ? { chart } : {}) };
    }
    case 'command':
      return { ...common, kind, command: typed(reader) };
    case 'checkpoint':
      return { ...common, kind, snapshot: reader.value(), timers: readTimers(reader) };
    case 'end':
    case 'resume':
      return { ...common, kind };
    default:
      throw new JournalError('damaged', `record ${seq} is of no kind that there is`);
  }
}

function readFar(reader: ValueReader, seq: number, size: number, far: FarBytes): Uint8Array {
  const sum = reader.u32();
  const bytes = far({ file: reader.count(), at: reader.count() }, size);
  if (bytes.length !== size) throw new JournalError('damaged', `the bytes of record ${seq} are missing`);
  if (checksum(bytes) !== sum) throw new JournalError('damaged', `record ${seq} is not as it was written`);
  return bytes;
}

function readTimers(reader: ValueReader): readonly ArmedTimer[] {
  const timers = reader.value();
  const isTimer = (one: any) =>
    typeof one?.actor === 'string' &&
    typeof one.id === 'string' &&
    typeof one.dueAt === 'number' &&
    typeof one.event?.type === 'string';
  if (!Array.isArray(timers) || !timers.every(isTimer))
    throw new JournalError('damaged', 'timers of a checkpoint are none');
  return timers;
}

function typed(reader: ValueReader): { readonly type: string; readonly [key: string]: unknown } {
  const value = reader.value();
  if (typeof value !== 'object' || value === null || typeof value.type !== 'string') {
    throw new JournalError('damaged', 'an event or a command has no type');
  }
  return value;
}

function writeLeft(out: ValueWriter, left: readonly LeftRange[]): void {
  out.count(left.length);
  for (const { at, size, what } of left) {
    out.count(at);
    out.count(size);
    out.text(what);
  }
}

function readLeft(reader: ValueReader, most: number): LeftRange[] {
  const left: LeftRange[] = [];
  for (let i = reader.count(); i > 0; i--) {
    const range = { at: reader.count(), size: reader.count(), what: reader.text() };
    if (range.at + range.size > most) throw new JournalError('damaged', 'more was left out than there was');
    left.push(range);
  }
  return left;
}
