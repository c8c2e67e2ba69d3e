/** Reads a session's records out of a store. It reads up to the first damage and says where that is; it changes nothing. */
import { ChunkReader, readHead } from './chunk.ts';
import { JournalError } from './error.ts';
import type { JournalRecord } from './record.ts';
import type { Store, StreamHead } from './store.ts';

/**
 * The records of a stream from number `from` on, or from the first that was not cut off. Throws JournalError at the first record that is not as it was written, or
 * that is missing at the end: all before it have been handed out. `absent`: it was cut off while it was read.
 */
export async function* readStream(
  store: Store,
  name: string,
  from = 1,
): AsyncGenerator<JournalRecord, void, undefined> {
  const head = await store.head(name);
  if (head === undefined) throw new JournalError('absent', `there is no session ${name} in ${store.place}`);
  const far = store.far?.(name);
  const reader = new ChunkReader(far?.read);
  let begin = Math.max(from, head.first ?? 1);
  let last = begin - 1;
  try {
    for await (const chunk of store.read(name, begin)) {
      if (readHead(chunk).first > last + 1) {
        const { first = 1 } = (await store.head(name)) ?? {};
        // What was cut off meanwhile is not missing, but there is no going on in the middle.
        if (last >= begin && first > last + 1) {
          throw new JournalError(
            'absent',
            `${name} was cut off up to record ${first} while it was read; read it again`,
          );
        }
        begin = Math.max(begin, first);
        last = Math.max(last, begin - 1);
      }
      for (const record of reader.read(chunk)) {
        if (record.seq < begin) continue;
        if (record.seq !== last + 1) throw new JournalError('damaged', `record ${last + 1} is missing`);
        last = record.seq;
        yield record;
      }
    }
  } finally {
    far?.close();
  }
  if (last < head.last) throw new JournalError('damaged', `record ${last + 1} is missing, and all behind it`);
}

/**
 * The number of the last checkpoint at or before record `seq`, so that nobody need read what stands before it; 1 if there is
 * none. Throws JournalError where what it looks at is damaged.
 */
export async function checkpointBefore(store: Store, name: string, seq: number): Promise<number> {
  const chunk = await chunkOf(store, name, seq);
  if (chunk === undefined) return 1;
  const first = firstOf(store, name, chunk);
  return first?.kind === 'checkpoint' ? first.seq : Math.max(1, readHead(chunk).checkpoint);
}

/**
 * The number of a record that was written no later than `at`, milliseconds of the records' clock, and not long before the
 * last of those. It looks at few chunks, however many there are.
 */
export async function recordBefore(store: Store, { name, last }: StreamHead, at: number): Promise<number> {
  let best = 1;
  for (let [from, to] = [1, last]; from <= to; ) {
    const chunk = await chunkOf(store, name, Math.floor((from + to) / 2));
    if (chunk === undefined) break;
    const head = readHead(chunk);
    const first = firstOf(store, name, chunk);
    if (first !== undefined && first.at <= at) {
      best = Math.max(best, head.first);
      from = head.last + 1;
    } else to = head.first - 1;
  }
  return best;
}

function firstOf(store: Store, name: string, chunk: Uint8Array): JournalRecord | undefined {
  const far = store.far?.(name);
  try {
    const [first] = new ChunkReader(far?.read).read(chunk);
    return first;
  } finally {
    far?.close();
  }
}

async function chunkOf(store: Store, name: string, seq: number): Promise<Uint8Array | undefined> {
  for await (const chunk of store.read(name, seq)) return chunk;
  return undefined;
}

/**
 * The stream that is meant by a name, or by its end: "20260729-101500-x7f2/session:3", "session:3". Throws JournalError
 * `absent` when there is none, or more than one.
 */
export async function findStream(store: Store, wanted: string): Promise<StreamHead> {
  const exact = await store.head(wanted);
  if (exact !== undefined) return exact;
  const fitting = (await store.list()).filter(
    ({ name }) => name.endsWith(`/${wanted}`) || name.endsWith(`-${wanted}`) || name.startsWith(`${wanted}/`),
  );
  if (fitting.length === 1) return fitting[0]!;
  const what = fitting.length === 0 ? 'no session' : `${fitting.length} sessions`;
  const names = fitting.slice(0, 3).map(({ name }) => name);
  const such = fitting.length === 0 ? '' : `: ${names.join(', ')}${fitting.length > 3 ? ' …' : ''}`;
  throw new JournalError(
    'absent',
    `there ${fitting.length > 1 ? 'are' : 'is'} ${what} ${wanted} in ${store.place}${such}`,
  );
}
