/** `sumac charts`: the statecharts for people without the inspector's page: their names, one as a picture or text, or all of them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { definitionOf } from '../../inspector/chart-definition.ts';
import { type ChartGraph, chartGraph } from '../../inspector/chart-graph.ts';
import { chartFile } from '../../inspector/draw.ts';
import { elkHere } from '../../inspector/elk-node.ts';
import { layoutChart } from '../../inspector/layout.ts';
import { mermaid } from '../../inspector/mermaid.ts';
import { type ChartName, charts as machines } from '../../machines/index.ts';
import { SumacError, UsageError } from '../errors.ts';
import type { Terminal } from './terminal.ts';
import * as values from './values.ts';
import { flag, toggle, type Values, verb } from './verb.ts';

const flags = {
  svg: toggle('Draws: an SVG, light or dark as the reader is.'),
  mermaid: toggle('Writes Mermaid stateDiagram-v2, for documents.'),
  json: toggle('Writes the definition as it stands in the source, whole and in its order.'),
  right: toggle('Draws from left to right. Default: downwards.'),
  out: flag('DIR', values.text, 'Writes files into this folder, one for each chart, instead of the output.'),
} as const;

export const charts = verb({
  name: 'charts',
  summary: 'The statecharts that everything runs on: their names, or one as a picture or a text',
  words: ['[NAME]'],
  flags,
  about: [
    'Without a NAME: lists the charts. With --out and no NAME: all of them. What a chart is allowed to do is all in it; the inspector shows the same charts while they run.',
  ],
  examples: [
    ['sumac charts', 'The names of all charts.'],
    ['sumac charts migration/client --svg > migration.svg', 'How a client goes through a hand-over, drawn.'],
    ['sumac charts --mermaid --out docs/charts', 'Every chart as Mermaid text, a file each.'],
  ],
  run,
});

const forms = ['svg', 'mermaid', 'json'] as const;
type Form = (typeof forms)[number];
const endings: Record<Form, string> = { svg: '.svg', mermaid: '.mmd', json: '.json' };

async function run(given: Values<typeof flags>, words: readonly string[], terminal: Terminal): Promise<number> {
  const [word] = words;
  const asked = forms.filter((form) => given[form]);
  if (asked.length > 1) throw new UsageError(`--${asked[0]} and --${asked[1]} are two forms: one at a time`);
  const name = word === undefined ? undefined : chartName(word);
  const [form] = asked;
  if (name === undefined && form === undefined && given.out === undefined) return list(terminal);
  if (name === undefined && given.out === undefined) {
    throw new UsageError(`which chart? Name one, or give a folder for all of them with --out`);
  }
  const names = name === undefined ? (Object.keys(machines) as ChartName[]) : [name];
  for (const one of names) {
    const text = await textOf(one, form ?? 'mermaid', given.right === true);
    if (given.out === undefined) terminal.out(text.trimEnd());
    else write(given.out, `${one.replaceAll('/', '-')}${endings[form ?? 'mermaid']}`, text);
  }
  return 0;
}

function chartName(word: string): ChartName {
  if (Object.hasOwn(machines, word)) return word as ChartName;
  const near = Object.keys(machines).filter((name) => name.split('/').includes(word));
  const hint = near.length === 0 ? 'sumac charts lists them' : `there are ${near.join(' and ')}`;
  throw new UsageError(`There is no chart ${word}; ${hint}`);
}

const graphOf = (name: ChartName): ChartGraph => chartGraph(definitionOf(machines[name]));

function list(terminal: Terminal): number {
  const names = Object.keys(machines) as ChartName[];
  const width = Math.max(...names.map(({ length }) => length)) + 2;
  for (const name of names) {
    const { states, transitions } = graphOf(name);
    terminal.out(
      `${name.padEnd(width)}${String(states.length).padStart(3)} states ${String(transitions.length).padStart(3)} transitions`,
    );
  }
  return 0;
}

async function textOf(name: ChartName, form: Form, right: boolean): Promise<string> {
  if (form === 'json') return `${JSON.stringify(definitionOf(machines[name]), null, 2)}\n`;
  if (form === 'mermaid') return mermaid(graphOf(name));
  return chartFile(await layoutChart(graphOf(name), elkHere(), right ? 'right' : 'down'));
}

function write(folder: string, file: string, text: string): void {
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, file), text);
  } catch (error) {
    throw new SumacError('file', `${join(folder, file)} cannot be written: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
