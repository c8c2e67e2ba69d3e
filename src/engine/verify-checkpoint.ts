/**
 * Compares a checkpoint with what its journal comes to when it is folded: each chart's state and context, who lives, and
 * which timers run. It changes nothing; what does not fit is thrown as a Discrepancy.
 */
import type { AnyEventObject } from 'xstate';
import type { CheckpointRecord } from '../journal/record.ts';
import { streamOf } from '../journal/stored.ts';
import { Discrepancy } from './verify-channel.ts';
import { difference, shown } from './verify-compare.ts';

/** A chart as it was folded. */
export interface Folded {
  readonly snapshot: any;
  readonly timers: ReadonlyMap<string, AnyEventObject>;
  /** What it was still to do, in words; undefined if nothing. */
  readonly owes: string | undefined;
  /** The names of those below it that live. */
  readonly children: readonly string[];
}

/** `folded`: undefined when no such chart lives here. `elsewhere`: its records are kept in another journal. */
export function compareCheckpoint(
  { actor, snapshot, timers }: CheckpointRecord,
  folded: (address: string) => Folded | undefined,
  elsewhere: (address: string) => boolean,
): void {
  // Sessions have checkpoints of their own.
  const isApart = (address: string) => elsewhere(address) || streamOf(address) !== streamOf(actor);
  const compare = (address: string, persisted: any): void => {
    const fails = (what: string) => new Discrepancy(`a checkpoint does not fit: ${address} ${what}`);
    const one = folded(address);
    if (one === undefined) throw fails('does not live');
    if (one.owes !== undefined) throw fails(`still owed ${one.owes}`);
    for (const part of ['status', 'value', 'context'] as const) {
      const differs = difference(one.snapshot[part], persisted?.[part], part);
      if (differs !== undefined) throw fails(differs);
    }
    const wanted = [...one.timers.values()];
    for (const timer of timers) {
      if (timer.actor !== address) continue;
      const at = wanted.findIndex((event) => difference(event, timer.event) === undefined);
      if (at < 0) throw fails(`has no timer for ${shown(timer.event)}`);
      wanted.splice(at, 1);
    }
    if (wanted.length > 0) throw fails(`has a timer for ${shown(wanted[0])}`);
    const children: Readonly<Record<string, any>> = persisted.children ?? {};
    for (const id of one.children) {
      if (!Object.hasOwn(children, id) && !isApart(`${address}/${id}`)) throw fails(`has a child ${id}`);
    }
    for (const [id, child] of Object.entries(children)) {
      const below = `${address}/${id}`;
      // A promise has no state; a chart that has come to its end is compared when its parent hears of it.
      if (child?.snapshot?.value === undefined || child.snapshot.status !== 'active' || isApart(below)) continue;
      compare(below, child.snapshot);
    }
  };
  compare(actor, snapshot);
}
