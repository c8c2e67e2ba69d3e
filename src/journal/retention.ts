/**
 * What is kept of old sessions: whole ones go, the oldest first, never one that is being written. What was worked out of them
 * goes before any of them does.
 */
import type { Store } from './store.ts';

export interface Retention {
  /** Milliseconds since a session was last written to. */
  readonly keepMs?: number | undefined;
  /** Bytes of all sessions together, with what was worked out of them and is kept beside them. */
  readonly mostBytes?: number | undefined;
}

/** Removes what need not be kept, and returns the names of it. `now`: milliseconds since 1970. */
export async function prune(store: Store, { keepMs, mostBytes }: Retention, now: number): Promise<string[]> {
  store.tidy?.();
  const heads = await store.list();
  let bytes = heads.reduce((sum, head) => sum + head.bytes, 0);
  store.shelf?.keepOnly(heads.map(({ name }) => name));
  if (mostBytes !== undefined) store.shelf?.shrink(Math.max(0, mostBytes - bytes));
  const removed: string[] = [];
  for (const head of heads) {
    const isOld = keepMs !== undefined && head.touched < now - keepMs;
    const isTooMuch = mostBytes !== undefined && bytes > mostBytes;
    if (head.open || !(isOld || isTooMuch)) continue;
    await store.remove(head.name);
    bytes -= head.bytes;
    removed.push(head.name);
  }
  return removed;
}
