/**
 * Reads what a program left unfinished, and says what of it can be gone on with. A session that cannot be read is given up,
 * and the others go on; without the root there is nothing to go on with. It never throws what a journal holds: that is told.
 */
import { JournalError } from '../journal/error.ts';
import { type GoOn, isResumable, type Journal, type Past, type PastPart } from '../journal/journal.ts';
import { streamOf } from '../journal/stored.ts';
import { aheadBy, type Clock } from './clock.ts';
import { Reviver } from './resume.ts';
import type { Revived } from './revived.ts';

export interface TakenUp {
  /** Undefined: there is nothing to go on with. */
  readonly revived: Revived | undefined;
  /** The clock of the records. */
  readonly clock: Clock;
  /** The number of the last record of the root's journal: no fewer than things were ever counted in it. */
  readonly counted: number;
  /** "session:3": those that go on. */
  readonly sessions: readonly string[];
  /** One line each: what could not be taken up, and why. */
  readonly refused: readonly string[];
}

/** Takes up what the newest program that wrote to this journal left; `clock` is the clock of this program. */
export async function takeUp(journal: Journal | undefined, root: 'server' | 'client', clock: Clock): Promise<TakenUp> {
  const nothing = (...refused: string[]): TakenUp => ({ revived: undefined, clock, counted: 0, sessions: [], refused });
  if (!isResumable(journal)) return nothing('there is no journal to resume from');
  let past: Past | undefined;
  try {
    past = await journal.past(root);
  } catch (error) {
    return nothing(`nothing is resumed: ${sentence(error)}`);
  }
  const first = past?.parts.find(({ name }) => name === root);
  if (past === undefined || first === undefined) return nothing('there is nothing to resume');
  return follow(past, first, new Reviver(past.split ? { journalOf: streamOf } : {}), clock);
}

async function follow(past: Past, first: PastPart, reviver: Reviver, clock: Clock): Promise<TakenUp> {
  const refused: string[] = [];
  const nothing = (): TakenUp => ({ revived: undefined, clock, counted: 0, sessions: [], refused });
  const root = first.name;
  let counted: number;
  try {
    counted = await read(first, reviver);
  } catch (error) {
    refused.push(`nothing of ${past.name} is resumed: ${sentence(error)}`);
    return nothing();
  }
  const parts = [first];
  for (const actor of past.split ? childSessions(reviver, root) : []) {
    const name = actor.slice(root.length + 1);
    const part = past.parts.find((other) => other.name === name);
    try {
      if (part === undefined) throw new JournalError('absent', 'it has no journal');
      await read(part, reviver);
      parts.push(part);
    } catch (error) {
      refused.push(`${name} of ${past.name} is not resumed: ${sentence(error)}`);
      reviver.giveUp(actor);
    }
  }
  const now = Math.max(past.now, clock.now());
  const revived = reviver.revived(now);
  if (revived === undefined) {
    refused.push(`there is nothing to resume: ${past.name} had come to its end`);
    return nothing();
  }
  try {
    await past.goOn(parts.map((part) => goOnWith(past, part, revived)));
  } catch (error) {
    refused.push(`nothing of ${past.name} is resumed: ${sentence(error)}`);
    return nothing();
  }
  const sessions = revived.actors
    .filter((actor) => /^[^/]+\/session:\d+$/.test(actor))
    .map((actor) => actor.slice(root.length + 1));
  return { revived, clock: aheadBy(now - clock.now(), clock), counted, sessions, refused };
}

function goOnWith({ split }: Past, part: PastPart, { actors, known, rest }: Revived): GoOn {
  const isIts = (actor: string) => !split || streamOf(actor) === part.name;
  const ends = rest.filter(({ kind, actor }) => kind === 'end' && isIts(actor)).length;
  const births = rest.filter(
    (entry) => entry.kind === 'event' && entry.chart !== undefined && isIts(entry.actor),
  ).length;
  const its = actors.filter(isIts);
  return {
    part,
    actors: its.map((actor) => ({ actor, ...known.get(actor)! })),
    alive: its.length + ends - births,
  };
}

/** The number of the last record. */
async function read(part: PastPart, reviver: Reviver): Promise<number> {
  let last = 0;
  for await (const record of part.records()) {
    reviver.take(record);
    last = record.seq;
  }
  return last;
}

const childSessions = (reviver: Reviver, root: string): string[] =>
  Object.keys(reviver.snapshotOf(root)?.children ?? {})
    .filter((id) => id.startsWith('session:'))
    .map((id) => `${root}/${id}`);

const sentence = (error: unknown): string => (error instanceof Error ? error.message : String(error));
