/**
 * Finds in a store what a program left when it ended without a word: the newest run whose root has not come to its end, and
 * that nobody writes to. It changes nothing.
 */
import type { PastPart } from './journal.ts';
import { checkpointBefore, readStream } from './read.ts';
import type { JournalRecord } from './record.ts';
import type { Store, StreamHead } from './store.ts';

export interface Unfinished {
  readonly run: string;
  readonly head: StreamHead;
  readonly parts: readonly (PastPart & { readonly head: StreamHead })[];
}

/** `name`: which of several journals of a program; undefined for the only one. `root`: "server" or "client". */
export async function findUnfinished(
  store: Store,
  root: string,
  name: string | undefined,
): Promise<Unfinished | undefined> {
  const heads = await store.list();
  const isOne = (head: StreamHead) => {
    const found = /^\d{8}-\d{6}-\w{4}(?:-(.+))?\/([^/]+)$/.exec(head.name);
    return found !== null && found[1] === name && found[2] === root && !head.finished && !head.open && head.last > 0;
  };
  const [head] = heads.filter(isOne).sort((a, b) => b.touched - a.touched);
  if (head === undefined) return undefined;
  const run = head.name.slice(0, -root.length - 1);
  const parts = heads
    .filter((other) => other.name.startsWith(`${run}/`))
    .map((other) => ({
      name: other.name.slice(run.length + 1),
      head: other,
      records: () => sinceCheckpoint(store, other),
    }));
  return { run, head, parts };
}

/** What stands before the last checkpoint need not be known. */
async function* sinceCheckpoint(store: Store, { name, last }: StreamHead): AsyncGenerator<JournalRecord> {
  yield* readStream(store, name, await checkpointBefore(store, name, last));
}
