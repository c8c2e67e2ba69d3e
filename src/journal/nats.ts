/**
 * Journals on a NATS server, for deployments of several machines: a JetStream stream for each shard of sessions, with one
 * writer, several records to a message, kept on as many nodes as is asked for. It never stands in the way of what is drawn:
 * whoever appends does not wait.
 */
import {
  JetStreamApiCodes,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type StoredMsg,
} from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import type { Chunk } from './chunk.ts';
import { JournalError } from './error.ts';
import { patiently, ShardWriter } from './nats-shard.ts';
import { isAlive, type Owner, thisPlace, thisProcess } from './owner.ts';
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

export interface NatsOptions {
  /** "127.0.0.1:4222", as many as there are nodes. */
  readonly servers: readonly string[];
  /** The shard that is written to and read; each has one writer at a time. */
  readonly shard: string;
  /** Nodes that keep each message, 1 to 5. Counts when the shard is made. Default 1. */
  readonly replicas?: number | undefined;
  /** Changes nothing, and makes nothing. */
  readonly readOnly?: boolean | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** A name that no other writer has. */
  readonly who: string;
}

/** Milliseconds that a shard stays its writer's when nothing is heard of it. */
const lease = 15_000;
const renewal = 4_000;
/** Milliseconds between looks at a shard whose writer may have ended. */
const glance = 250;
/** Bytes of the largest message; NATS takes a mebibyte unless it is told otherwise. */
const mostBytes = 768 * 1024;

const { NoMessageFound: noMessage, StreamNotFound: noStream } = JetStreamApiCodes;

const headField = 'Sumac-Head';
const partField = 'Sumac-Part';

interface Claim {
  readonly who: string;
  /** Milliseconds since 1970; 0 when it was given up. */
  readonly until: number;
  /** For those in the same place, who can see whether it still runs. */
  readonly owner?: Owner | undefined;
  readonly place?: string | undefined;
}

export class NatsStore implements Store {
  readonly place: string;
  private readonly options: NatsOptions;
  private readonly connection: NatsConnection;
  private readonly manager: JetStreamManager;
  private readonly stream: string;
  private readonly open = new Set<string>();
  private writer: Promise<ShardWriter> | undefined;
  private timer: NodeJS.Timeout | undefined;

  private constructor(options: NatsOptions, connection: NatsConnection, manager: JetStreamManager) {
    this.options = options;
    this.place = `nats://${options.servers.join(',')}/${options.shard}`;
    this.connection = connection;
    this.manager = manager;
    this.stream = `SUMAC_JOURNAL_${options.shard}`;
  }

  /** Connects. Throws JournalError: `absent` or `unwritable`. */
  static async open(options: NatsOptions): Promise<NatsStore> {
    const { servers, shard, replicas = 1, readOnly = false } = options;
    if (!/^[\w-]{1,40}$/.test(shard)) throw new JournalError('absent', `${shard} is no name of a shard`);
    const place = `nats://${servers.join(',')}/${shard}`;
    let connection: NatsConnection;
    try {
      connection = await connect({ servers: [...servers], maxReconnectAttempts: -1, timeout: 5_000, name: 'sumac' });
    } catch (error) {
      throw new JournalError('unwritable', `${place} does not answer: ${(error as Error).message}`, { cause: error });
    }
    try {
      const manager = await patiently(() => jetstreamManager(connection, { timeout: 4_000 }));
      const store = new NatsStore(options, connection, manager);
      await store.find(readOnly, replicas);
      return store;
    } catch (error) {
      await connection.close();
      if (error instanceof JournalError) throw error;
      throw new JournalError('unwritable', `the journal in ${place} cannot be had: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  async settled(): Promise<void> {
    if (this.writer === undefined) await this.othersAreSeen();
  }

  /** A writer that lives renews its claim; one that does not loses it when its time is over. */
  private async othersAreSeen(): Promise<void> {
    const first = await this.othersClaim();
    if (first === undefined) return;
    for (let claim: Claim | undefined = first; claim !== undefined; claim = await this.othersClaim()) {
      if (claim.who !== first.who || claim.until > first.until) return;
      await new Promise((resolve) => setTimeout(resolve, glance));
    }
  }

  async write(name: string, birth: Birth): Promise<StreamWriter> {
    if (this.open.has(name)) {
      throw new JournalError('locked', `${name} in ${this.place} is being written to by this program already`);
    }
    this.open.add(name);
    try {
      const shard = await this.claimed();
      const head = (await this.head(name)) ?? headAtBirth(name, birth);
      return this.writerOf(shard, { ...head, open: true });
    } catch (error) {
      this.open.delete(name);
      throw error;
    }
  }

  async list(): Promise<StreamHead[]> {
    const info = await patiently(() =>
      this.manager.streams.info(this.stream, { subjects_filter: this.subjectOf('s.>') }),
    );
    const heads: StreamHead[] = [];
    for (const subject of Object.keys(info.state.subjects ?? {})) {
      const head = await this.headAt(subject);
      if (head !== undefined) heads.push(head);
    }
    return this.withOpen(heads.sort(byAge));
  }

  async head(name: string): Promise<StreamHead | undefined> {
    const head = await this.headAt(this.subjectOf(keyOf(name)));
    return head === undefined ? undefined : (await this.withOpen([head]))[0];
  }

  async *read(name: string, from = 1): AsyncIterable<Uint8Array> {
    const head = await this.head(name);
    if (head === undefined || head.last < from) return;
    const subject = this.subjectOf(keyOf(name));
    let parts: Uint8Array[] = [];
    for (let seq = await this.placeOf(subject, from); ; seq++) {
      const message = await this.next(subject, seq);
      if (message === undefined) return;
      seq = message.seq;
      const { part, of, last } = partOf(message);
      // The first part of a chunk ends one that was left unfinished.
      if (part === 1) parts = [];
      parts.push(message.data);
      if (part < of || parts.length !== of) continue;
      if (last >= from) yield of === 1 ? message.data : joined(parts);
      if (last >= head.last) return;
    }
  }

  async remove(name: string): Promise<void> {
    const head = await this.head(name);
    if (head === undefined || head.open) return;
    await patiently(() => this.manager.streams.purge(this.stream, { filter: this.subjectOf(keyOf(name)) }));
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    const writer = await this.writer?.catch(() => undefined);
    await writer?.write(this.claim(0)).catch(() => {});
    await this.connection.close();
  }

  // --------------------------------------------------------------------------------------------------------- writing

  private writerOf(shard: ShardWriter, opened: StreamHead): StreamWriter {
    const { name } = opened;
    const subject = this.subjectOf(keyOf(name));
    let head = opened;
    let under: Promise<unknown> = Promise.resolve();
    let closed = false;
    let cutAt: number | undefined;
    return {
      head: opened,
      append: async (chunk, { finished = false } = {}) => {
        if (closed) throw new JournalError('closed', `${name} is not open`);
        if (chunk.first !== head.last + 1) {
          throw new JournalError('locked', `${name} goes on with record ${head.last + 1}`);
        }
        const before = head;
        head = headAfter(head, chunk, this.options.now(), finished);
        const kept = Promise.all(
          messagesOf(chunk, subject, before, { ...head, who: this.options.who } as StreamHead).map((message) =>
            shard.write(message),
          ),
        );
        under = Promise.allSettled([under, kept]);
        await kept;
        if (cutAt === undefined) return;
        // Now the head that is kept says so; a stream that is not cut yet is as good as one that is.
        const first = cutAt;
        cutAt = undefined;
        await this.purge(subject, first).catch(() => {});
      },
      cut: async (first, bytes) => {
        head = headAfterCut(head, first, bytes);
        cutAt = first;
      },
      close: async () => {
        if (closed) return;
        closed = true;
        await under;
        this.open.delete(name);
      },
    };
  }

  private async purge(subject: string, first: number): Promise<void> {
    const seq = await this.placeOf(subject, first);
    await patiently(() => this.manager.streams.purge(this.stream, { filter: subject, seq }));
  }

  /** The shard's writer, which is ours from then on. Throws JournalError `locked` when it is somebody else's. */
  private claimed(): Promise<ShardWriter> {
    this.writer ??= this.takeShard().catch((error) => {
      this.writer = undefined;
      throw error;
    });
    return this.writer;
  }

  private async takeShard(): Promise<ShardWriter> {
    const { who, shard } = this.options;
    await this.othersAreSeen();
    const { state } = await patiently(() => this.manager.streams.info(this.stream));
    const claim = await this.othersClaim();
    if (claim !== undefined) {
      throw new JournalError('locked', `the shard ${shard} in ${this.place} is being written to by ${claim.who}`);
    }
    const writer = new ShardWriter(jetstream(this.connection), this.manager, this.stream, who, state.last_seq);
    await writer.write(this.claim(lease));
    this.timer = setInterval(() => void writer.write(this.claim(lease)).catch(() => {}), renewal);
    this.timer.unref();
    return writer;
  }

  private claim(ms: number) {
    const { who, now } = this.options;
    const claim: Claim = { who, until: ms === 0 ? 0 : now() + ms, owner: thisProcess(), place: thisPlace() };
    return { subject: this.subjectOf('claim'), fields: {}, bytes: new TextEncoder().encode(JSON.stringify(claim)) };
  }

  /** Whoever has the shard besides us, as far as one can tell from here. */
  private async othersClaim(): Promise<Claim | undefined> {
    const claim = await this.lastClaim();
    if (claim === undefined || claim.who === this.options.who || claim.until <= this.options.now()) return undefined;
    const isNear = claim.owner !== undefined && claim.place !== undefined && claim.place === thisPlace();
    return isNear && !isAlive(claim.owner) ? undefined : claim;
  }

  private async lastClaim(): Promise<Claim | undefined> {
    const message = await this.lastOf(this.subjectOf('claim'));
    try {
      return message === undefined ? undefined : (JSON.parse(new TextDecoder().decode(message.data)) as Claim);
    } catch {
      return undefined;
    }
  }

  // --------------------------------------------------------------------------------------------------------- reading

  private async headAt(subject: string): Promise<StreamHead | undefined> {
    const message = await this.lastOf(subject);
    const text = message?.header.get(headField);
    if (text === undefined || text === '') return undefined;
    try {
      const head = JSON.parse(text) as StreamHead;
      return head.last === 0 ? undefined : head;
    } catch {
      throw new JournalError('damaged', `a message in ${this.place} has no head that can be read`);
    }
  }

  private async lastOf(subject: string) {
    try {
      return (
        (await patiently(() => this.manager.streams.getMessage(this.stream, { last_by_subj: subject }))) ?? undefined
      );
    } catch (error) {
      if ((error as { code?: number }).code === noMessage) return undefined;
      throw error;
    }
  }

  /** The first message of a subject from a number on. */
  private async next(subject: string, seq: number): Promise<StoredMsg | undefined> {
    try {
      const query = { seq, next_by_subj: subject };
      return (
        (await patiently(() => this.manager.streams.getMessage(this.stream, query as { seq: number }))) ?? undefined
      );
    } catch (error) {
      if ((error as { code?: number }).code === noMessage) return undefined;
      throw error;
    }
  }

  /** Where to begin to read for a record: no further on than the first part of its chunk. */
  private async placeOf(subject: string, record: number): Promise<number> {
    const { state } = await patiently(() => this.manager.streams.info(this.stream));
    let low = state.first_seq;
    let high = state.last_seq;
    if (record <= 1) return low;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const message = await this.next(subject, middle);
      if (message === undefined || message.seq > high || partOf(message).last >= record) high = middle;
      else low = message.seq + 1;
    }
    return low;
  }

  /** Whether somebody writes: we do, or whoever has the shard, as far as the session is not over. */
  private async withOpen(heads: readonly StreamHead[]): Promise<StreamHead[]> {
    const claim = await this.othersClaim();
    return heads.map((head) => {
      const { who, ...rest } = head as StreamHead & { who?: string };
      return { ...rest, open: this.open.has(head.name) || (!head.finished && who !== undefined && who === claim?.who) };
    });
  }

  private async find(readOnly: boolean, replicas: number): Promise<void> {
    const { stream } = this;
    try {
      await patiently(() => this.manager.streams.info(stream));
    } catch (error) {
      if ((error as { code?: number }).code !== noStream) throw error;
      if (readOnly) throw new JournalError('absent', `there is no journal in ${this.place}`);
      await this.manager.streams.add({
        name: stream,
        subjects: [this.subjectOf('>')],
        storage: StorageType.File,
        retention: RetentionPolicy.Limits,
        num_replicas: replicas,
      });
    }
  }

  private subjectOf(rest: string): string {
    return `sumac.journal.${this.options.shard}.${rest}`;
  }
}

/** A subject's last word for any name. */
const keyOf = (name: string): string => `s.${Buffer.from(name).toString('base64url')}`;

/** A chunk in as many messages as it needs. A head that is not the last one's is the head before the chunk. */
function messagesOf(chunk: Chunk, subject: string, before: StreamHead, after: StreamHead) {
  const of = Math.max(1, Math.ceil(chunk.bytes.length / mostBytes));
  return Array.from({ length: of }, (_, i) => ({
    subject,
    fields: {
      [partField]: `${i + 1}/${of} ${chunk.first}-${chunk.last}`,
      [headField]: JSON.stringify(i === of - 1 ? after : before),
    },
    bytes: chunk.bytes.subarray(i * mostBytes, (i + 1) * mostBytes),
  }));
}

/** Which part of how many it is, and the last record of the chunk. */
function partOf(message: StoredMsg): { part: number; of: number; last: number } {
  const found = /^(\d+)\/(\d+) (\d+)-(\d+)$/.exec(message.header.get(partField));
  if (found === null) throw new JournalError('foreign', `message ${message.seq} is none of a journal`);
  const [part, of, , last] = found.slice(1).map(Number) as [number, number, number, number];
  return { part, of, last };
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
