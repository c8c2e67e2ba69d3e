/**
 * What a journal comes to when its program ends in the middle: for every record at which it may break off, the charts that
 * XState makes of what was written down are where the fold says that they were.
 */
import { describe, expect, it } from 'vitest';
import { type AnyActorRef, type AnyStateMachine, createActor, fromPromise } from 'xstate';
import { charts } from '../../machines/index.ts';
import { Replayer } from '../../src/engine/replay.ts';
import { Reviver, revive } from '../../src/engine/resume.ts';
import { partOf, type Revived } from '../../src/engine/revived.ts';
import { difference } from '../../src/engine/verify-compare.ts';
import { ChunkReader, ChunkWriter } from '../../src/journal/chunk.ts';
import type { Entry, JournalRecord } from '../../src/journal/record.ts';
import { record, stories } from './recorded.ts';

/** Every question that a chart asks the world stays without an answer. */
const never = fromPromise(() => new Promise<never>(() => {}));
function deaf<M extends AnyStateMachine>(machine: M): M {
  const actors = Object.entries(machine.implementations.actors as Record<string, any>).map(([name, logic]) => [
    name,
    logic.implementations === undefined ? never : deaf(logic as AnyStateMachine),
  ]);
  return machine.provide({ actors: Object.fromEntries(actors) } as never) as M;
}
const deafCharts = Object.fromEntries(Object.entries(charts).map(([name, machine]) => [name, deaf(machine)]));

/** As a store gives it back: through bytes. */
function throughBytes<T>(value: T): T {
  const writer = new ChunkWriter();
  writer.add({ kind: 'command', at: 0, actor: '', command: { type: 'snapshot', value } } as Entry);
  const [one] = new ChunkReader().read(writer.cut()!.bytes);
  return (one as unknown as { command: { value: T } }).command.value;
}

/** What is done on paper was done, for each actor in this order; hosts, and the world, may have had their say in between. */
function expectTheSame(rest: readonly Entry[], after: readonly JournalRecord[]): void {
  for (const actor of new Set(rest.map((one) => one.actor))) {
    const theirs = after.filter((one) => one.actor === actor && one.kind !== 'wire' && one.kind !== 'link').map(saidBy);
    let from = 0;
    for (const one of rest.filter((other) => other.actor === actor).map(saidBy)) {
      const at = theirs.findIndex((other, i) => i >= from && difference(one, other) === undefined);
      if (at < 0) expect([actor, theirs.slice(from)]).toEqual([actor, one]);
      from = at + 1;
    }
  }
}

const saidBy = (one: Entry | JournalRecord): unknown =>
  one.kind === 'event' ? one.event : one.kind === 'command' ? one.command : one.kind;

const placeOf = (snapshot: any) => ({ value: snapshot.value, status: snapshot.status, context: snapshot.context });

describe('a journal that broke off at any record', () => {
  it.each(Object.keys(stories))('comes to charts that are where they were: %s', async (name) => {
    const { happen, ...options } = stories[name]!;
    const recorded = await record(happen, options);
    let cuts = 0;
    let inTheMiddle = 0;
    for (const side of ['source', 'target', 'client'] as const) {
      const reviver = new Reviver();
      const replayer = new Replayer();
      for (const [i, one] of recorded[side].entries()) {
        reviver.take(one);
        replayer.take(one);
        cuts++;
        if (one.kind === 'wire' || one.kind === 'link') continue;
        const revived = reviver.revived();
        if (revived === undefined) {
          // All is over, or will be as soon as everybody knows.
          expect(recorded[side].some(({ kind, actor }) => kind === 'end' && !actor.includes('/'))).toBe(true);
          continue;
        }
        if (revived.rest.length > 0) {
          inTheMiddle++;
          expectTheSame(revived.rest, recorded[side].slice(i + 1));
        }
        expect(revived.root).toBe(side === 'client' ? 'client' : 'server');
        const actor = createActor(deafCharts[revived.chart]!, {
          id: revived.root,
          snapshot: throughBytes(revived.snapshot) as never,
        });
        const found = placesBelow(actor, revived.root);
        expect([...found.keys()].sort()).toEqual([...revived.actors].sort());
        if (revived.rest.length === 0) {
          expect([...replayer.actors].sort()).toEqual([...revived.actors].sort());
          for (const address of replayer.actors) {
            expect([address, found.get(address)]).toEqual([address, placeOf(replayer.snapshotOf(address))]);
          }
        }
        for (const { actor: its, dueAt, event } of revived.timers) {
          expect(revived.actors).toContain(its);
          expect([dueAt > one.at - 1_000_000, typeof event.type]).toEqual([true, 'string']);
        }
      }
    }
    expect(inTheMiddle).toBeGreaterThan(100);
    console.log(`${name}: ${cuts} records, each a place to break off, ${inTheMiddle} of them in the middle of a step`);
    expect(cuts).toBeGreaterThan(300);
  });
});

function placesBelow(root: AnyActorRef, name: string): Map<string, object> {
  const found = new Map<string, object>();
  const visit = (actor: AnyActorRef, address: string) => {
    const snapshot: any = actor.getSnapshot();
    if (snapshot.machine === undefined || snapshot.status !== 'active') return;
    found.set(address, placeOf(snapshot));
    for (const [id, child] of Object.entries(snapshot.children as Record<string, AnyActorRef>)) {
      visit(child, `${address}/${id}`);
    }
  };
  visit(root, name);
  return found;
}

describe('timers', () => {
  it('are those that ran, with the time at which they are due', async () => {
    const { happen, ...options } = stories.seamless!;
    const { client } = await record(happen, options);
    const dialled = client.findIndex((one) => one.kind === 'event' && one.chart === 'link/client');
    const upTo = (count: number) => revive(client.slice(0, count))!;
    const [armed] = upTo(dialled + 1).timers;
    expect(armed).toMatchObject({
      actor: client[dialled]!.actor,
      event: { type: expect.stringMatching(/^xstate\.after\./) },
      dueAt: client[dialled]!.at + 8_000,
    });
    const up = client.findIndex((one) => one.kind === 'command' && one.command.type === 'link.park');
    expect(upTo(up + 1).timers.filter(({ actor }) => actor === client[dialled]!.actor)).toEqual([]);
    expect(revive(client)).toBeUndefined();
    expect(revive([] as JournalRecord[])).toBeUndefined();
  });
});

describe('a checkpoint', () => {
  it.each(['source', 'target', 'client'] as const)(
    'and what comes after it tell as much as all that there is: %s',
    async (side) => {
      const { happen, ...options } = stories.seamless!;
      const records = (await record(happen, options))[side];
      const whole = new Reviver();
      const from: { at: number; reviver: Reviver }[] = [];
      for (const [i, one] of records.entries()) {
        whole.take(one);
        for (const { reviver } of from) reviver.take(one);
        if (one.kind !== 'event' && one.kind !== 'command' && one.kind !== 'end') continue;
        const expected = whole.revived();
        for (const { at, reviver } of from) {
          const found = reviver.revived();
          expect([i, at, placesIn(found)]).toEqual([i, at, placesIn(expected)]);
          expect(found?.rest).toEqual(expected?.rest);
        }
        // Between two steps one may be written.
        if (expected === undefined || expected.rest.length > 0 || i < from.length * 100) continue;
        const reviver = new Reviver();
        const { snapshot, timers } = throughBytes(partOf(expected, expected.root));
        reviver.take({ kind: 'checkpoint', seq: 1, at: one.at, actor: expected.root, snapshot, timers });
        from.push({ at: i, reviver });
      }
      expect(from.length).toBeGreaterThan(1);
    },
  );
});

const placesIn = (revived: Revived | undefined) => ({
  timers: revived?.timers.map(({ actor, event, dueAt }) => `${actor} ${event.type} ${dueAt}`).sort(),
  known: revived && new Map([...revived.known].sort(([a], [b]) => (a < b ? -1 : 1))),
});
