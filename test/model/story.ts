/**
 * Tells how a world came about in which something is not as it must be: as a sequence diagram in text, and as a journal that
 * the inspector opens (`sumac inspect FOLDER`), with a run for each program.
 */
import type { Entry } from '../../src/journal/record.ts';
import { openJournal } from '../../src/open-journal.ts';
import type { Charts } from './alphabet.ts';
import { type Finding, walk } from './explore.ts';
import { isVm } from './hypervisor.ts';
import { becauseOf } from './invariants.ts';
import { Game } from './moves.ts';
import { type Note, Run } from './run.ts';
import type { Scenario } from './scenario.ts';
import { programOf } from './world.ts';

const gap = 12;

/** A line for each move: an arrow where something arrives, a star where something happens, crosses where something goes wrong. */
export function diagram(scenario: Scenario, charts: Charts, { invariant, why, way }: Finding): string {
  const lanes = ['hypervisor', 'client', ...new Game(scenario, charts).servers];
  const column = (lane: string) => 4 + lanes.indexOf(lane) * gap;
  const width = column(lanes.at(-1)!) + gap / 2;
  const lines = [lanes.map((lane) => lane.padEnd(gap)).join('')];
  walk(scenario, charts, way, ({ move }) => {
    const text = move.text();
    const row: string[] = Array.from({ length: width }, (_, at) =>
      lanes.some((lane) => column(lane) === at) ? '|' : ' ',
    );
    const [, from = '', to = '', rest = text] = /^(?:!! )?(\S+) > ([^\s:]+):? (.*)$/.exec(text) ?? [];
    let words = text.replace(/^!! /, '');
    if (lanes.includes(from) && lanes.includes(to)) {
      const [start, end] = [column(from), column(to)];
      for (let at = Math.min(start, end) + 1; at < Math.max(start, end); at++) row[at] = '-';
      row[start] = 'o';
      row[end] = end > start ? '>' : '<';
      words = rest;
    } else if (move.fault !== undefined) {
      for (const lane of lanes) if (move.at === '' || move.at === lane) row[column(lane)] = 'X';
    } else if (lanes.includes(move.at)) {
      row[column(move.at)] = '*';
      words = words.replace(`${move.at}: `, '');
    }
    lines.push(`${row.join('')} ${move.fault === undefined ? '' : 'FAULT: '}${words}`);
  });
  return [
    `${scenario.name}: ${invariant}`,
    `  ${why}`,
    `  (${becauseOf(invariant)})`,
    ...lines.map((line) => `  ${line}`),
    '',
  ].join('\n');
}

/** Writes what every chart heard and did on this way. A wait counts with its time, everything else takes a moment. */
export async function writeJournal(
  folder: string,
  scenario: Scenario,
  charts: Charts,
  { way }: Finding,
): Promise<void> {
  let now = 0;
  const clock = { now: () => now, setTimeout: () => 0, clearTimeout: () => {} };
  const journals = await openJournal({ place: folder, secrets: true, program: 'the model', clock });
  const journal = new Map<string, ReturnType<typeof journals.journal>>();
  const notes: Note[] = [];
  const write = (): void => {
    for (const note of notes.splice(0)) {
      const program = programOf(note.actor);
      const one = journal.get(program) ?? journals.journal(program);
      journal.set(program, one);
      const root = program === 'client' ? program : isVm(program) ? 'hypervisor' : 'server';
      const actor = `${root}${note.actor.slice(program.length)}`;
      one.append({ ...note, at: now, actor } as Entry);
    }
    now += 10;
  };
  Run.notebook = notes;
  try {
    walk(scenario, charts, way, ({ move }) => {
      const waited = /: (\d+) ms are over/.exec(move.text());
      if (waited !== null) now += Number(waited[1]);
      write();
    });
  } finally {
    Run.notebook = undefined;
    await journals.close();
  }
}
