/**
 * Thins snapshots: a burst of one actor is recorded whole, a flood as far as its rate allows, and the newest always in the end.
 * What a newer one replaced before its turn is counted. It keeps no history.
 */
import type { HubLimits } from './hub-limits.ts';
import type { Actor, RawSnapshot } from './roster.ts';

/** A snapshot that waits for its turn. */
export interface PendingSnapshot {
  readonly raw: RawSnapshot;
  readonly on: string;
  readonly at: number;
}

export class SnapshotFlow {
  /** Snapshots that a newer one replaced. */
  skipped = 0;
  private readonly limits: Pick<HubLimits, 'snapshotBurst' | 'snapshotRate'>;
  private readonly record: (actor: Actor, pending: PendingSnapshot) => void;
  /** Actors with a snapshot to record, or with an allowance to refill. */
  private readonly lively = new Set<Actor>();

  constructor(limits: SnapshotFlow['limits'], record: SnapshotFlow['record']) {
    this.limits = limits;
    this.record = record;
  }

  push(actor: Actor, pending: PendingSnapshot): void {
    if (actor.pending !== undefined) this.skipped++;
    actor.pending = pending;
    this.lively.add(actor);
    this.recordIfAllowed(actor);
  }

  /** What waits is recorded, whatever the rate says: somebody begins to look. */
  hurry(actor: Actor): void {
    const { pending } = actor;
    if (pending === undefined) return;
    actor.pending = undefined;
    this.record(actor, pending);
  }

  /** Records what may be. */
  flush(): void {
    for (const actor of this.lively) this.recordIfAllowed(actor);
  }

  /** So many milliseconds have passed. */
  refill(ms: number): void {
    const { snapshotBurst, snapshotRate } = this.limits;
    for (const actor of this.lively) {
      actor.tokens = Math.min(snapshotBurst, actor.tokens + (snapshotRate * ms) / 1000);
      if (actor.pending === undefined && actor.tokens === snapshotBurst) this.lively.delete(actor);
    }
  }

  forget(actor: Actor): void {
    this.lively.delete(actor);
  }

  private recordIfAllowed(actor: Actor): void {
    if (actor.pending === undefined || actor.tokens < 1) return;
    actor.tokens--;
    this.hurry(actor);
  }
}
