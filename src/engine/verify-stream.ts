/** Proves a session as it lies in a store: first that it is as it was written, then that it follows from itself. */
import { JournalError } from '../journal/error.ts';
import { readStream } from '../journal/read.ts';
import type { Store } from '../journal/store.ts';
import { streamOf } from '../journal/stored.ts';
import { type Report, Verifier } from './verify.ts';

export interface StreamReport extends Report {
  /** Why not all of it could be read; what could be is proved. */
  readonly damage?: string;
}

/** Throws JournalError `absent` when there is no such session, and what the store throws. */
export async function verifyStream(store: Store, name: string): Promise<StreamReport> {
  const own = name.slice(name.lastIndexOf('/') + 1);
  const verifier = new Verifier({ elsewhere: (address) => streamOf(address) !== own });
  try {
    for await (const record of readStream(store, name)) if (!verifier.add(record)) break;
  } catch (error) {
    const isDamage = error instanceof JournalError && (error.fault === 'damaged' || error.fault === 'foreign');
    if (!isDamage) throw error;
    return { ...verifier.finish(), damage: error.message };
  }
  return verifier.finish();
}
