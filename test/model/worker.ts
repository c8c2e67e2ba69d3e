/**
 * Goes through worlds in a thread of its own: it is told the number of a world in the set, and answers what that took and
 * what was found, told to its end. What the charts do is worked out once for all the worlds that come to this thread.
 */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { charts as all } from '../../machines/index.ts';
import { freshCharts } from './alphabet.ts';
import { type Explored, explore } from './explore.ts';
import type { Scenario } from './scenario.ts';
import { diagram, writeJournal } from './story.ts';

export interface Task {
  readonly set: readonly Scenario[];
  /** States of each world. */
  readonly most: number;
  /** When to stop, in milliseconds since 1970. */
  readonly until: number;
  readonly findings: number;
  /** Where journals of faults go; undefined: a new folder for each. */
  readonly journal: string | undefined;
}

export interface Answer {
  /** Of the world in the set. */
  readonly number: number;
  readonly explored: Explored;
  /** What was found, told for people. */
  readonly stories: readonly string[];
  /** States of charts that were come to and had not been told of yet. */
  readonly visited: readonly string[];
}

const { set, most, until, findings, journal } = workerData as Task;
const charts = freshCharts(Object.values(all));
const told = new Set<string>();

async function goThrough(number: number): Promise<Answer> {
  const scenario = set[number]!;
  const explored = explore(scenario, charts, { milliseconds: until - Date.now(), worlds: most, findings });
  const stories: string[] = [];
  for (const finding of explored.findings) {
    const folder = journal ?? (await mkdtemp(join(tmpdir(), 'sumac-model-')));
    await writeJournal(folder, scenario, charts, finding);
    stories.push(`${diagram(scenario, charts, finding)}\nsee it with: sumac inspect ${folder}`);
  }
  const visited: string[] = [];
  for (const chart of charts.values()) {
    for (const id of chart.visited()) {
      if (told.has(id)) continue;
      told.add(id);
      visited.push(id);
    }
  }
  return { number, explored, stories, visited };
}

parentPort!.on('message', async (number: number) => parentPort!.postMessage(await goThrough(number)));
