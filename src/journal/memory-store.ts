/** A store in memory, for tests: it keeps every promise but that of outliving the program. */
import type { Chunk } from './chunk.ts';
import { JournalError } from './error.ts';
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

interface Stream {
  head: StreamHead;
  readonly chunks: Chunk[];
  writer: object | undefined;
}

export class MemoryStore implements Store {
  readonly place = 'memory';
  private readonly streams = new Map<string, Stream>();
  private readonly now: () => number;

  /** `now`: milliseconds since 1970. */
  constructor(now: () => number) {
    this.now = now;
  }

  async write(name: string, birth: Birth): Promise<StreamWriter> {
    let stream = this.streams.get(name);
    if (stream === undefined) {
      stream = { head: headAtBirth(name, birth), chunks: [], writer: undefined };
      this.streams.set(name, stream);
    }
    if (stream.writer !== undefined) throw new JournalError('locked', `${name} is being written to already`);
    return this.writerOf(stream);
  }

  async list(): Promise<StreamHead[]> {
    return [...this.streams.values()].map(headOf).sort(byAge);
  }

  async head(name: string): Promise<StreamHead | undefined> {
    const stream = this.streams.get(name);
    return stream === undefined ? undefined : headOf(stream);
  }

  async *read(name: string, from = 1): AsyncIterable<Uint8Array> {
    const { chunks } = this.streams.get(name) ?? { chunks: [] };
    for (const { last, bytes } of [...chunks]) if (last >= from) yield bytes;
  }

  async remove(name: string): Promise<void> {
    if (this.streams.get(name)?.writer === undefined) this.streams.delete(name);
  }

  async close(): Promise<void> {}

  private writerOf(stream: Stream): StreamWriter {
    const { head } = stream;
    const writer: StreamWriter = {
      head: headOf(stream),
      append: async (chunk, { finished = false } = {}) => {
        if (stream.writer !== writer) throw new JournalError('closed', `${head.name} is not open`);
        if (chunk.first !== stream.head.last + 1) {
          throw new JournalError('locked', `${head.name} goes on with record ${stream.head.last + 1}`);
        }
        stream.chunks.push({ ...chunk, bytes: chunk.bytes.slice() });
        stream.head = headAfter(stream.head, chunk, this.now(), finished);
      },
      cut: async (first, bytes) => {
        stream.head = headAfterCut(stream.head, first, bytes);
        const at = stream.chunks.findIndex((chunk) => chunk.first >= first);
        stream.chunks.splice(0, at < 0 ? stream.chunks.length : at);
      },
      close: async () => {
        if (stream.writer === writer) stream.writer = undefined;
      },
    };
    stream.writer = writer;
    return writer;
  }
}

const headOf = ({ head, writer }: Stream): StreamHead => ({ ...head, open: writer !== undefined });
