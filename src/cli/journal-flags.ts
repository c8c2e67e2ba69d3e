/** The flags of every verb that can keep a journal, and the journals that they ask for. */
import * as v from 'valibot';
import { JournalError } from '../journal/error.ts';
import { type Journals, openJournal } from '../open-journal.ts';
import { plain, type Terminal } from './terminal.ts';
import { text, type ValueSchema } from './values.ts';
import { flag, toggle } from './verb.ts';
import { version } from './version.ts';

const unitMs: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** Milliseconds. */
const age: ValueSchema<number> = v.pipe(
  v.string(),
  v.regex(/^\d{1,6}(m|h|d|w)$/, 'an age is a number with its unit, such as 12h, 7d or 4w'),
  v.transform((word) => Number.parseInt(word, 10) * unitMs[word.at(-1)!]!),
);

const unitBytes: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** Bytes. */
const bytes: ValueSchema<number> = v.pipe(
  v.string(),
  v.regex(/^\d{1,6}[KMGT]$/, 'a size is a number with its unit, such as 500M or 10G'),
  v.transform((word) => Number.parseInt(word, 10) * unitBytes[word.at(-1)!]!),
);

export const journalFlags = {
  journal: flag('PLACE', text, 'Keeps a journal in a folder, or on NATS: nats://HOST:PORT/SHARD?replicas=N.'),
  'journal-secrets': toggle(
    'Keeps keystrokes, the clipboard, the microphone, tickets and passwords too, which are left out otherwise.',
  ),
  'journal-keep': flag('AGE', age, 'Removes sessions that are older, such as 7d.'),
  'journal-max': flag('SIZE', bytes, 'Removes the oldest sessions when all together are larger, such as 10G.'),
  'journal-required': toggle('No session without a journal: refuses to start, or ends, when it cannot be written.'),
} as const;

export interface JournalChoice {
  readonly journal?: string | undefined;
  readonly 'journal-secrets'?: true | undefined;
  readonly 'journal-keep'?: number | undefined;
  readonly 'journal-max'?: number | undefined;
  readonly 'journal-required'?: true | undefined;
}

/**
 * Undefined when no journal was asked for, or when none can be had and none is required; that is said. `onFatal` is called
 * when a journal that is required fails later on. Throws JournalError when it is required and cannot be had.
 */
export async function openJournals(
  choice: JournalChoice,
  terminal: Terminal,
  onFatal: (error: JournalError) => void,
): Promise<Journals | undefined> {
  const { journal: place, 'journal-required': required = false } = choice;
  if (place === undefined) return undefined;
  const goOn = (error: JournalError) => terminal.err(`sumac: ${plain(error.message)}; it goes on WITHOUT A JOURNAL`);
  try {
    return await openJournal({
      place,
      secrets: choice['journal-secrets'],
      keepMs: choice['journal-keep'],
      mostBytes: choice['journal-max'],
      required,
      program: `sumac ${version()}`,
      onFailure: (error) => (required ? onFatal(error) : goOn(error)),
    });
  } catch (error) {
    if (required || !(error instanceof JournalError)) throw error;
    goOn(error);
    return undefined;
  }
}
