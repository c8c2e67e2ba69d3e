/**
 * Journals for Node: opens the place where they are kept, a folder or a NATS cluster, and hands out one for each server and
 * client. It decides what is left out and what is kept for how long; how records are written is the journal's.
 */
import { type Clock, calendarNow, randomNonce, wallClock } from './engine/clock.ts';
import { Redactor } from './engine/redact.ts';
import { UsageError } from './errors.ts';
import { JournalError } from './journal/error.ts';
import type { CheckpointRate } from './journal/journal.ts';
import { prune, type Retention } from './journal/retention.ts';
import type { Store } from './journal/store.ts';
import { StoredJournal } from './journal/stored.ts';

export interface OpenJournalOptions extends Retention {
  /** A folder, or `nats://HOST:PORT[,HOST:PORT…]/SHARD[?replicas=N]`. */
  readonly place: string;
  /** Keeps keystrokes, the clipboard, what the microphone hears, tickets and passwords too. Default: they are left out. */
  readonly secrets?: boolean | undefined;
  /** When it fails, no session may go on: see `onFailure`. Default: sessions go on without it. */
  readonly required?: boolean | undefined;
  /** What is told as the writer: "sumac 0.1.0". */
  readonly program?: string | undefined;
  /** How often journals are told where all charts are. */
  readonly checkpoints?: CheckpointRate | undefined;
  /** The clock of the servers and clients whose journals these are. */
  readonly clock?: Clock | undefined;
  /** A journal cannot be written any more. Called once for each. */
  readonly onFailure?: ((error: JournalError) => void) | undefined;
}

export interface Journals {
  /** For people: the folder, or the address. */
  readonly place: string;
  /** A journal for one server or one client. `name` makes it known among several of a program. */
  journal(name?: string): StoredJournal;
  /** Removes what need not be kept, as is done from time to time. */
  prune(): Promise<void>;
  /** Writes what is left. Close the servers and clients before. */
  close(): Promise<void>;
}

/** Milliseconds between looks at what need not be kept. */
const pruning = 20_000;

/** Throws JournalError when the place cannot be had, and UsageError when it is none. */
export async function openJournal(options: OpenJournalOptions): Promise<Journals> {
  const { clock = wallClock, program = 'sumac', required, onFailure, secrets = false } = options;
  const run = `${stampOf(calendarNow())}-${randomWord()}`;
  const store = await openStore(options.place, { who: run });
  const opened: StoredJournal[] = [];
  const limited = options.keepMs !== undefined || options.mostBytes !== undefined;
  const clean = async () => {
    const { keepMs = 0, mostBytes = Number.POSITIVE_INFINITY } = options;
    const now = calendarNow();
    await prune(store, options, now);
    const kept = await store.list();
    for (const journal of opened) {
      const began = kept.filter(({ name }) => journal.isSession(name)).map(({ born }) => born);
      await journal.trim(Math.min(now - keepMs, ...began));
    }
    if ((await bytesOf(store)) <= mostBytes) return;
    // How links were made is less than what was done over them.
    for (const journal of opened) await journal.trim(now);
    const bytes = await bytesOf(store);
    if (bytes <= mostBytes) return;
    const full = `the journal in ${store.place} is full: ${bytes} bytes, and what is left is being written`;
    for (const journal of opened) journal.giveUp(new JournalError('unwritable', full));
  };
  if (limited) await clean();
  // What cannot be cleaned now can be later on.
  const timer = limited ? setInterval(() => void clean().catch(() => {}), pruning) : undefined;
  timer?.unref();
  return {
    place: store.place,
    journal: (name) => {
      const redactor = new Redactor();
      const journal = new StoredJournal({
        store,
        run: name === undefined ? run : `${run}-${name.replaceAll('/', '-')}`,
        name: name?.replaceAll('/', '-'),
        program,
        clock: {
          now: () => clock.now(),
          calendar: calendarNow,
          setTimeout: (fn, ms) => setTimeout(fn, ms),
          clearTimeout: (id) => clearTimeout(id),
        },
        redact: secrets ? undefined : (entry) => redactor.redact(entry),
        required,
        checkpoints: options.checkpoints,
        onFailure,
      });
      opened.push(journal);
      return journal;
    },
    prune: clean,
    close: async () => {
      clearInterval(timer);
      try {
        for (const journal of opened.splice(0)) await journal.close();
      } finally {
        await store.close();
      }
    },
  };
}

/** Opens the place of journals, to read it, or to write to it under the name `who`. Throws JournalError and UsageError. */
export async function openStore(place: string, { who }: { readonly who?: string } = {}): Promise<Store> {
  const now = calendarNow;
  const readOnly = who === undefined;
  if (!/^\w+:\/\//.test(place)) {
    const { LmdbStore } = await import('./journal/lmdb.ts');
    return LmdbStore.open(place, { now, readOnly });
  }
  const found = /^nats:\/\/([^/?#]+)\/([\w-]+)(?:\?replicas=([1-5]))?$/.exec(place);
  if (found === null) {
    throw new UsageError(`${place} is no place for journals: a folder, or nats://HOST:PORT/SHARD?replicas=N`);
  }
  const { NatsStore } = await import('./journal/nats.ts');
  const [, servers, shard, replicas] = found as unknown as [string, string, string, string | undefined];
  return NatsStore.open({
    ...{ servers: servers.split(','), shard, readOnly, now, who: who ?? 'a reader' },
    replicas: replicas === undefined ? undefined : Number(replicas),
  });
}

const bytesOf = async (store: Store): Promise<number> =>
  (await store.list()).reduce((sum, head) => sum + head.bytes, 0);

/** "20260729-101500", in UTC. */
const stampOf = (ms: number): string =>
  new Date(ms).toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');

const randomWord = (): string => randomNonce().toString(36).slice(-4).padStart(4, '0');
