/**
 * Writes down now and then where all charts of a session are, so that nobody who looks at its journal, or goes on with it,
 * has to fold all of it. It does so between two steps, when enough has happened, and never because time goes by: a session
 * in which nothing happens writes nothing.
 */
import type { AnyActorRef, AnyEventObject } from 'xstate';
import type { CheckpointRate } from '../journal/journal.ts';
import type { ArmedTimer, Entry } from '../journal/record.ts';
import { calendarNow } from './clock.ts';
import type { System } from './system.ts';

const usualRate: CheckpointRate = { leastMs: 10_000, mostMs: 60_000, steps: 2_000, bytes: 32 * 1024 * 1024 };

/** What has happened in one journal since its last checkpoint. */
interface Since {
  readonly root: string;
  /** Milliseconds of the clock at the last one. */
  at: number;
  steps: number;
  bytes: number;
  due: boolean;
}

interface Scheduled {
  readonly source: AnyActorRef;
  readonly event: AnyEventObject;
  readonly id: string;
  readonly delay: number;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
}

export class Checkpoints {
  private readonly system: System;
  private readonly rate: CheckpointRate;
  private readonly byActor = new Map<string, Since>();
  private readonly byRoot = new Map<string, Since>();
  private timer: unknown;

  constructor(system: System, rate: CheckpointRate | undefined) {
    this.system = system;
    this.rate = rate ?? usualRate;
  }

  /** A record was written. */
  note(entry: Entry): void {
    const { kind, actor, at } = entry;
    if (kind === 'end') {
      this.byActor.delete(actor);
      if (this.byRoot.get(actor) !== undefined) this.byRoot.delete(actor);
      return;
    }
    const since = this.byActor.get(actor) ?? this.meet(actor, at);
    if (kind === 'wire') since.bytes += entry.bytes.length;
    else if (kind !== 'checkpoint') since.steps++;
    const passed = at - since.at;
    if (since.due || passed < this.rate.leastMs) return;
    if (passed < this.rate.mostMs && since.steps < this.rate.steps && since.bytes < this.rate.bytes) return;
    since.due = true;
    // A timer of its own: not in the middle of a step.
    this.timer ??= this.system.clock.setTimeout(() => this.write(), 0);
  }

  stop(): void {
    this.system.clock.clearTimeout(this.timer);
    this.timer = undefined;
    this.byActor.clear();
    this.byRoot.clear();
  }

  private meet(actor: string, at: number): Since {
    const root = journalRootOf(actor);
    let since = this.byRoot.get(root);
    if (since === undefined) {
      since = { root, at, steps: 0, bytes: 0, due: false };
      this.byRoot.set(root, since);
    }
    this.byActor.set(actor, since);
    return since;
  }

  private write(): void {
    this.timer = undefined;
    const { clock } = this.system;
    for (const since of this.byRoot.values()) {
      if (!since.due) continue;
      Object.assign(since, { at: clock.now(), steps: 0, bytes: 0, due: false });
      const checkpoint = this.of(since.root);
      if (checkpoint !== undefined) this.system.write(checkpoint);
    }
  }

  /** Undefined when there is no such actor any more. */
  private of(root: string): Entry | undefined {
    const { clock } = this.system;
    const actor = this.system.actorAt(root);
    if (actor === undefined || actor.getSnapshot().status !== 'active') return undefined;
    const { system } = actor as unknown as {
      system: { getSnapshot(): { _scheduledEvents: Record<string, Scheduled> } };
    };
    const offset = clock.now() - calendarNow();
    const timers: ArmedTimer[] = [];
    for (const { source, event, id, delay, startedAt } of Object.values(system.getSnapshot()._scheduledEvents)) {
      const address = this.system.addressOf(source);
      if (journalRootOf(address) === root) {
        timers.push({ actor: address, id, event, dueAt: startedAt + delay + offset });
      }
    }
    return { kind: 'checkpoint', at: clock.now(), actor: root, snapshot: persistedPart(root, actor), timers };
  }
}

/** The root of the journal that an actor's records are in: each session of a server has one of its own. */
function journalRootOf(actor: string): string {
  const [root, second] = actor.split('/', 2) as [string, string | undefined];
  return second?.startsWith('session:') ? `${root}/${second}` : root;
}

/** As XState writes it down, but for the children whose records are in another journal: of those there are only their names. */
function persistedPart(root: string, actor: AnyActorRef): unknown {
  const { logic } = actor as unknown as { logic: { getPersistedSnapshot(snapshot: unknown): unknown } };
  const snapshot = actor.getSnapshot() as { readonly children: Readonly<Record<string, object>> };
  const children = Object.entries(snapshot.children).map(([id, child]) => [
    id,
    journalRootOf(`${root}/${id}`) === root
      ? child
      : Object.create(child, { getPersistedSnapshot: { value: nothing } }),
  ]);
  return logic.getPersistedSnapshot({ ...snapshot, children: Object.fromEntries(children) });
}

const nothing = () => null;
