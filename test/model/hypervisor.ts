/**
 * A move that is led by the charts of hypervisors (machines/migration/hypervisor.ts), with the line between the two hosts and
 * the person who moves the guest beside them. The host at the other end of the line is played as src/qmp does it: it welcomes,
 * loads, runs the guest when it is told to, says no, falls silent, or is cut off, and what it said last may be lost.
 */
import type { HypervisorCommand } from '../../machines/migration/hypervisor.ts';
import type { Move } from './moves.ts';
import type { Run } from './run.ts';
import type { Fault } from './scenario.ts';
import { type Actor, type Facts, type ProgramName, programOf, type World } from './world.ts';

const prefix = 'vm of ';

/** The program in which the hypervisor's chart of this server runs. In truth it is the same one; they only call each other. */
export const vmOf = (server: ProgramName): ProgramName => `${prefix}${server}`;
export const isVm = (program: ProgramName): boolean => program.startsWith(prefix);
/** The server that this program is, or belongs to. */
export const hostOf = (program: ProgramName): ProgramName => (isVm(program) ? program.slice(prefix.length) : program);

/** What a game lets the hypervisors do. */
export interface Hands {
  readonly world: World;
  readonly moves: Move[];
  failing(fault: Fault): boolean;
  /** Nothing is heard by who is silent. */
  hear(world: World, program: ProgramName, event: { type: string; [more: string]: unknown }): void;
  step(world: World, program: ProgramName, words: string, act: (run: Run) => void): void;
}

const lines = {
  none: 'no host has begun to move the guest',
  begun: 'the target waits for the guest',
  stopped: 'the guest stands, and has been sent',
  told: 'the target has been told to run it, and has not heard that yet',
  taken: 'the target runs it, and the source has not heard that yet',
  broken: 'the target has lost what it had, and the source has not noticed yet',
} as const;
export type Line = keyof typeof lines;

const vmState = (world: World, server: ProgramName): string => {
  const value = world.actor(vmOf(server))?.state?.snapshot.value;
  return typeof value === 'object' ? Object.keys(value)[0]! : (value ?? 'none');
};

/** What the person who moves the guest may do, and what the target does without being asked. */
export function leadTheMove({ world, moves, hear }: Hands): void {
  const { move, line } = world.facts;
  const { from, to } = move;
  if (!world.programs.has(vmOf(from))) return;
  const under = ['setup', 'active'].includes(vmState(world, from));
  if (move.phase === 'announced' && !under) {
    moves.push({
      text: () => `hypervisor > ${from}: migrate`,
      at: from,
      act: (now) => hear(now, vmOf(from), { type: 'api.migrate', uri: to }),
    });
  }
  if (under && !move.cancelled) {
    moves.push({
      text: () => `hypervisor > ${from}: migrate_cancel`,
      at: from,
      act: (now) => {
        now.know({ move: { ...move, cancelled: true } });
        hear(now, vmOf(from), { type: 'api.migrate_cancel' });
      },
    });
  }
  if (line === 'told' && !world.facts.silent.includes(to)) {
    moves.push({
      text: () => `${from} > ${to}: the guest is yours: it runs`,
      at: to,
      act: (now) => {
        const { facts } = now;
        // The source may have come to its end without hearing of this.
        const how = under ? { line: 'taken', move: { ...facts.move, phase: 'arrived' } } : { line: 'none' };
        now.know({ guest: to, runs: [...facts.runs, to], ...(how as Partial<Facts>) });
        hear(now, to, { type: 'api.guest_arrived' });
      },
    });
  }
}

/** Answers to what the chart waits for. */
export function answerTheVm({ world, moves, failing, hear, step }: Hands, { path, question }: Actor): void {
  const vm = programOf(path);
  const from = hostOf(vm);
  const { line, silent } = world.facts;
  const { to } = world.facts.move;
  const there = world.programs.has(to) && !silent.includes(to);
  const say = (words: string, act: (now: World) => void, fault?: string) =>
    moves.push({
      text: () => `${fault === undefined ? '' : '!! '}${words}`,
      at: from,
      ...(fault === undefined ? {} : { fault }),
      act,
    });
  const answer = (now: World) => step(now, vm, `answer ${path}`, (run) => run.answer(path, undefined));
  const fail = (now: World) => step(now, vm, `fail ${path}`, (run) => run.fail(path, 'the line is cut'));
  /** The target had begun, and hears from the line's end that the guest will not come. */
  const drop = (now: World, heard: boolean) => {
    now.know({ line: 'none', ...(heard ? { toBeTold: [...new Set([...now.facts.toBeTold, to])].sort() } : {}) });
    fail(now);
  };

  if (question!.name === 'reach the target') {
    // A target hears one source at a time: it has to hear first that the last one is gone.
    if (there && world.facts.toBeTold.includes(to)) return;
    if (there) {
      say(`${to} > ${from}: welcome`, (now) => {
        now.know({ line: 'begun' });
        answer(now);
      });
      if (failing('line refused')) {
        say(`${from}: ${to} does not take the guest`, (now) => drop(now, false), `line refused ${to}`);
        say(`${from}: the line to ${to} is cut before it says welcome`, (now) => drop(now, true), `line refused ${to}`);
      }
    } else say(`${from}: ${to} cannot be reached`, (now) => drop(now, false));
    return;
  }
  switch (line) {
    case 'begun':
      say(`${from}: the guest stands, and is sent`, (now) => {
        now.know({ line: 'stopped' });
        hear(now, vm, { type: 'move.stopped' });
      });
      break;
    case 'stopped':
      if (!there) break;
      say(`${to} > ${from}: the guest is loaded`, (now) => {
        now.know({ line: 'told' });
        hear(now, vm, { type: 'move.committed' });
      });
      break;
    case 'taken':
      if (!there) break;
      say(`${to} > ${from}: the guest runs`, (now) => {
        now.know({ line: 'none' });
        answer(now);
      });
      break;
  }
  if (line === 'broken' || !there) {
    const gone = line === 'told' && world.facts.guest === from ? { guest: '' } : {};
    say(`${from}: nothing is heard of ${to} any more`, (now) => {
      now.know({ line: 'none', ...gone });
      fail(now);
    });
  } else if (failing('line cut')) {
    const fault = `line cut ${to}`;
    const text = `${from}: the line to ${to} is cut`;
    if (line === 'told') {
      // It is on its way still, and the target will run the guest; or it is lost, and nobody has the guest.
      say(`${text}, but not what was said`, fail, fault);
      say(
        `${text}, and it did not hear that the guest is its own`,
        (now) => {
          now.know({ guest: '' });
          drop(now, true);
        },
        fault,
      );
    } else say(text, (now) => drop(now, line !== 'taken'), fault);
  }
}

/** What the chart has its program do. */
export function obeyTheVm(
  { world, hear }: Pick<Hands, 'world' | 'hear'>,
  server: ProgramName,
  command: HypervisorCommand,
): void {
  const { facts } = world;
  const { move } = facts;
  switch (command.type) {
    case 'migrate start':
      hear(world, server, { type: 'api.migrate_start' });
      break;
    case 'migrate end': {
      const { completed } = command;
      // Nobody but the target that was reached hears of it by the line; a target that was told of and is not gone to never does.
      const over = completed ? move.told.filter((one) => one !== move.to) : [];
      // It was given up by the person: the target sees the line end.
      const dropped = !completed && ['begun', 'stopped'].includes(facts.line) ? [move.to] : [];
      world.know({
        move: { ...move, phase: 'idle', told: [], cancelled: false },
        moves: `${facts.moves}${completed ? '+' : '-'}`,
        toBeTold: [...new Set([...facts.toBeTold, ...over, ...dropped])].sort(),
        ...(facts.line === 'told' ? {} : { line: 'none' }),
      });
      hear(world, server, { type: 'api.migrate_end', completed });
      break;
    }
    case 'stop the guest':
      world.know({ runs: facts.runs.filter((one) => one !== server) });
      break;
    case 'run the guest':
      world.know({ runs: [...facts.runs, server] });
      break;
  }
}
