/** What the checker says of a chart that is wrong: the shortest way there, in text, and as a journal for the inspector. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { AnyStateMachine } from 'xstate';
import { HandoverBook } from '../../inspector/handover-book.ts';
import { Hub } from '../../inspector/hub.ts';
import { JournalFeed } from '../../inspector/journal-feed.ts';
import { charts as all } from '../../machines/index.ts';
import { readStream } from '../../src/journal/read.ts';
import { openStore } from '../../src/open-journal.ts';
import { install, mutantsOf } from '../mutation/mutants.ts';
import { freshCharts } from './alphabet.ts';
import { explore } from './explore.ts';
import { diagram, writeJournal } from './story.ts';
import { worlds } from './worlds.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const one of undo.splice(0).reverse()) await one();
});

/** What is found in a world of a chart with this mistake. */
function mistaken(chart: AnyStateMachine, mistake: string, world: string) {
  undo.push(install(chart, mutantsOf(chart).find(({ id }) => id.endsWith(mistake))!));
  const charts = freshCharts(Object.values(all));
  const scenario = worlds({ long: false }).find(({ name }) => name === world)!;
  const [finding] = explore(scenario, charts).findings;
  return { scenario, charts, finding: finding! };
}

/** A source that does not tell its client when a move that was linked is taken back. */
const forgetful = () =>
  mistaken(
    all['migration/source'],
    'drop action | linked on "migration.end" [1]: "say that the move is cancelled"',
    'semi-seamless: two displays',
  );

test('a fault is told as a sequence diagram, the shortest way to it', () => {
  const { scenario, charts, finding } = forgetful();
  const lines = diagram(scenario, charts, finding).split('\n');
  expect(lines[0]).toBe('semi-seamless: two displays: nothing waits for ever');
  expect(lines[1]).toBe('  client is in {"up":"following"}');
  expect(lines[2]).toContain('spec §3g');
  expect(lines[3]!.trim().split(/\s+/)).toEqual(['hypervisor', 'client', 'source', 'target']);
  expect(lines.slice(4, 7)).toEqual([
    '      o----------------------->           |      the guest is about to move to target',
    '      |           <-----------o           |      main:0 msg.migrate_begin',
    '      |           *           |           |      migration: resolve destination',
  ]);
  expect(lines.at(-2)).toContain('the guest stays');
  expect(lines.length).toBe(finding.way.length + 5);
});

/** What the checker found when hypervisors were first played: a source that did not hear the answer ran the guest again. */
test('a guest that runs twice is told from the line between the hosts', () => {
  const { scenario, charts, finding } = mistaken(
    all['migration/hypervisor'],
    'drop transition | active.committed on "xstate.error.actor.*"',
    'switch-host: led by its hypervisor, line cut',
  );
  const lines = diagram(scenario, charts, finding).trimEnd().split('\n');
  expect(lines[0]).toBe('switch-host: led by its hypervisor, line cut: a guest runs at one host at a time');
  expect(lines[1]).toMatch(/^ {2}it runs at (source and target|target and source)$/);
  const told = lines.slice(4).map((line) => line.replace(/^[ |o<>*X-]+/, ''));
  expect(told).toEqual([
    'the guest is about to move to target',
    'migrate',
    'welcome',
    'the guest stands, and is sent',
    'the guest is loaded',
    expect.stringMatching(/the line to target is cut, but not what was said|the guest is yours: it runs/),
    expect.stringMatching(/the line to target is cut|the guest is yours: it runs/),
  ]);
});

test('a fault is written as a journal, and the inspector shows it', async () => {
  const { scenario, charts, finding } = forgetful();
  const folder = await mkdtemp(join(tmpdir(), 'sumac-story-'));
  undo.push(() => rm(folder, { recursive: true, force: true }));
  await writeJournal(folder, scenario, charts, finding);
  const store = await openStore(folder);
  undo.push(() => store.close());
  const hub = new Hub({ charts: all, mode: 'journal' });
  undo.push(() => hub.close());
  const feeds = new Map<string, JournalFeed>();
  const records = [];
  for (const head of await store.list()) {
    const run = head.name.slice(0, head.name.lastIndexOf('/'));
    const name = run.split('-').at(-1)!;
    const side = name === 'client' ? ('client' as const) : ('server' as const);
    const feed = feeds.get(name) ?? new JournalFeed(hub, { party: { id: name, side, name, addresses: [`${name}:1`] } });
    feeds.set(name, feed);
    for await (const record of readStream(store, head.name)) records.push({ feed, record });
  }
  expect([...feeds.keys()].sort()).toEqual(['client', 'source', 'target']);
  for (const { feed, record } of records.sort((a, b) => a.record.at - b.record.at || a.record.seq - b.record.seq)) {
    feed.add(record);
  }
  const { parties, actors, records: told } = hub.hello();
  expect(told.filter(({ kind }) => kind === 'log')).toEqual([]);
  expect(actors.filter(({ chart }) => chart === 'migration/client')).toHaveLength(1);
  const book = new HandoverBook();
  for (const party of parties) book.party(party);
  for (const actor of actors) book.actor(actor);
  for (const record of told) book.add(record);
  expect(book.list).toHaveLength(1);
  expect(book.list[0]).toMatchObject({ scheme: 'semi-seamless' });
  expect(book.list[0]!.lanes.client.spans.at(-1)!.label).toBe('target lost');
});
