/**
 * Goes through every world that can come about, the nearest first, so that the first way to a fault is a shortest one. A
 * world is known by 64 bits of its content (with a million worlds the odds that two are taken for one are one in thirty
 * million). What is kept of a world that was gone through is its mark and how it was first come by; the way to it is walked
 * again when it is to be shown.
 */
import type { Charts } from './alphabet.ts';
import { type Broken, invariants, type Moment } from './invariants.ts';
import { Game, type Incident, type Move } from './moves.ts';
import type { Scenario } from './scenario.ts';
import { forgetParts, type World } from './world.ts';

export interface Finding {
  readonly scenario: string;
  readonly invariant: string;
  readonly why: string;
  /** Numbers of the moves that lead there. */
  readonly way: readonly number[];
}

export interface Explored {
  readonly scenario: string;
  readonly worlds: number;
  readonly moves: number;
  /** Steps to the world that is farthest. */
  readonly depth: number;
  /** Every run of so many steps was looked at. */
  readonly whole: number;
  /** Worlds in which nothing can happen any more. */
  readonly rests: number;
  readonly milliseconds: number;
  readonly findings: readonly Finding[];
  /** False: a limit was reached first. */
  readonly complete: boolean;
  /** To one of the worlds that are farthest. */
  readonly deepest: readonly number[];
  /** How runs end, and in how many worlds. */
  readonly outcomes: ReadonlyMap<string, number>;
}

export interface Limits {
  readonly worlds?: number;
  readonly milliseconds?: number;
  /** Stop after so many findings of different kinds. Default 1. */
  readonly findings?: number;
}

class Numbers {
  private all = new Uint32Array(1 << 12);
  length = 0;

  push(value: number): void {
    if (this.length === this.all.length) {
      const more = new Uint32Array(this.all.length * 2);
      more.set(this.all);
      this.all = more;
    }
    this.all[this.length++] = value;
  }

  at(index: number): number {
    return this.all[index]!;
  }
}

/** Marks of worlds, and the number of each. */
class Marks {
  private size = 1 << 14;
  private used = 0;
  private table = new Uint32Array(this.size * 3);

  /** The number of this world, or `number` and true if it is new. */
  put(a: number, b: number, number: number): number {
    if (this.used * 2 > this.size) this.grow();
    const at = this.find(a, b);
    const known = this.table[at + 2]!;
    if (known !== 0) return known - 1;
    this.table[at] = a;
    this.table[at + 1] = b;
    this.table[at + 2] = number + 1;
    this.used++;
    return -1;
  }

  private find(a: number, b: number): number {
    let slot = (a ^ Math.imul(b, 0x9e3779b1)) & (this.size - 1);
    for (;;) {
      const at = slot * 3;
      if (this.table[at + 2] === 0 || (this.table[at] === a && this.table[at + 1] === b)) return at;
      slot = (slot + 1) & (this.size - 1);
    }
  }

  private grow(): void {
    const old = this.table;
    this.size *= 2;
    this.table = new Uint32Array(this.size * 3);
    for (let at = 0; at < old.length; at += 3) {
      if (old[at + 2] === 0) continue;
      const to = this.find(old[at]!, old[at + 1]!);
      this.table[to] = old[at]!;
      this.table[to + 1] = old[at + 1]!;
      this.table[to + 2] = old[at + 2]!;
    }
  }
}

export function explore(scenario: Scenario, charts: Charts, limits: Limits = {}): Explored {
  const began = Date.now();
  forgetParts();
  const { worlds: most = 50_000_000, milliseconds = Number.POSITIVE_INFINITY, findings: enough = 1 } = limits;
  const game = new Game(scenario, charts);
  const symmetric = scenario.added === undefined && scenario.channels.includes('display:1');
  const marks = new Marks();
  const parents = new Numbers();
  const by = new Numbers();
  const froms = new Numbers();
  const tos = new Numbers();
  const findings: Finding[] = [];
  const found = new Set<string>();
  const outcomes = new Map<string, number>();
  let frontier: { readonly number: number; readonly before: World }[] = [];
  let moved = 0;
  let rests = 0;
  let depth = 0;
  let whole = 0;
  let complete = true;

  const wayTo = (number: number, last?: number): number[] => {
    const way = last === undefined ? [] : [last];
    for (let at = number; at > 0; at = parents.at(at)) way.push(by.at(at));
    return way.reverse();
  };
  const blame = (number: number, brokens: readonly Broken[], last?: number): void => {
    for (const { invariant, why } of brokens) {
      if (found.has(`${invariant} ${why}`)) continue;
      found.add(`${invariant} ${why}`);
      findings.push({ scenario: scenario.name, invariant, why, way: wayTo(number, last) });
    }
  };

  const start = game.first();
  const [a, b] = start.mark(symmetric);
  marks.put(a, b, 0);
  parents.push(0);
  by.push(0);
  frontier.push({ number: 0, before: start });

  search: while (frontier.length > 0) {
    const next: typeof frontier = [];
    for (const { number, before } of frontier) {
      const moves = game.moves(before);
      if (moves.every(({ fault }) => fault !== undefined)) {
        rests++;
        const moment: Moment = { scenario, world: before };
        blame(number, invariants.atRest(moment));
        const outcome = invariants.outcome(moment);
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      }
      for (const [index, move] of moves.entries()) {
        const world = game.make(before, move);
        moved++;
        const brokens = invariants.afterMove({ scenario, world, before, move, incidents: game.incidents });
        if (brokens.length > 0) blame(number, brokens, index);
        const [x, y] = world.mark(symmetric);
        const known = marks.put(x, y, parents.length);
        froms.push(number);
        if (known >= 0) {
          tos.push(known);
          continue;
        }
        tos.push(parents.length);
        next.push({ number: parents.length, before: world });
        parents.push(number);
        by.push(index);
      }
      if (findings.length >= enough) break search;
      if (parents.length > most || ((moved & 0xff) < moves.length && Date.now() - began > milliseconds)) {
        complete = false;
        break search;
      }
    }
    frontier = next;
    whole++;
    if (next.length > 0) depth++;
  }

  if (complete && findings.length === 0) {
    const stuck = endless(parents.length, froms, tos);
    if (stuck >= 0) {
      findings.push({
        scenario: scenario.name,
        invariant: 'everything comes to rest',
        why: 'a run can go on for ever',
        way: wayTo(stuck),
      });
    }
  }
  return {
    scenario: scenario.name,
    worlds: parents.length,
    moves: moved,
    depth,
    whole: complete ? depth : whole,
    rests,
    milliseconds: Date.now() - began,
    findings,
    complete,
    deepest: wayTo(parents.length - 1),
    outcomes,
  };
}

/** A world from which no world at rest can be reached, or that is on a circle; -1 if there is none. */
function endless(count: number, froms: Numbers, tos: Numbers): number {
  const arriving = new Uint32Array(count);
  for (let i = 0; i < tos.length; i++) arriving[tos.at(i)]!++;
  const start = new Uint32Array(count + 1);
  for (let i = 0; i < froms.length; i++) start[froms.at(i) + 1]!++;
  for (let i = 0; i < count; i++) start[i + 1]! += start[i]!;
  const fill = start.slice();
  const edges = new Uint32Array(froms.length);
  for (let i = 0; i < froms.length; i++) edges[fill[froms.at(i)]!++] = tos.at(i);
  const queue = new Uint32Array(count);
  let tail = 0;
  for (let i = 0; i < count; i++) if (arriving[i] === 0) queue[tail++] = i;
  for (let head = 0; head < tail; head++) {
    const at = queue[head]!;
    for (let edge = start[at]!; edge < start[at + 1]!; edge++) {
      if (--arriving[edges[edge]!]! === 0) queue[tail++] = edges[edge]!;
    }
  }
  if (tail === count) return -1;
  const sorted = new Uint8Array(count);
  for (let i = 0; i < tail; i++) sorted[queue[i]!] = 1;
  return sorted.indexOf(0);
}

/** Walks a way again; `step` is called with each move and what it did. */
export function walk(
  scenario: Scenario,
  charts: Charts,
  way: readonly number[],
  step: (at: { before: World; move: Move; world: World; incidents: readonly Incident[] }) => void,
): void {
  forgetParts();
  const game = new Game(scenario, charts);
  let before = game.first();
  for (const index of way) {
    const move = game.moves(before)[index]!;
    const world = game.make(before, move);
    step({ before, move, world, incidents: game.incidents });
    before = world;
  }
}
