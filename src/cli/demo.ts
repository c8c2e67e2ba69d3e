/**
 * The main job: a client of ours follows a guest that moves between two servers, back and forth, for as long as you watch; or
 * each kind of hand-over once. After every move the picture at the client must be the guest's own, byte for byte.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Scheme } from '../../machines/contract.ts';
import type { Client } from '../client/client.ts';
import { type Act, allUp, cancelled, misled, moved } from './demo-acts.ts';
import { addressOf, Stage } from './demo-stage.ts';
import { usual, Viewer } from './demo-viewer.ts';
import { type Wish, Wishes } from './demo-wishes.ts';
import { type Inspection, inspectFlags, openInspection } from './inspector.ts';
import { journalFlags, openJournals } from './journal-flags.ts';
import { jsonLine, type Terminal } from './terminal.ts';
import * as values from './values.ts';
import { flag, toggle, verb } from './verb.ts';

/** Bytes of a journal that nobody asked for. */
const most = 2 ** 30;

export const demo = verb({
  name: 'demo',
  summary: 'The main job: two servers, one guest that moves between them, and a client that follows it',
  words: [],
  about: [
    'Starts two servers on loopback that show the same guest, a test card with a clock and a tone, and a client that is handed over between them every few seconds, until Ctrl-C. Watch with the command that it prints.',
  ],
  flags: {
    once: toggle('Does each kind of hand-over once and ends: with 0, or with 1 if one went wrong.'),
    json: toggle('Prints a JSON object a line.'),
    ...inspectFlags,
    ...journalFlags,
    every: flag('DURATION', values.duration, 'How long the guest stays in one place. Default 3s.'),
  },
  examples: [
    ['sumac demo', 'Hands a client over and over until Ctrl-C.'],
    ['sumac demo --once --json', 'Each scheme, two cancels and two bad targets; a JSON object a line.'],
  ],
  async run({ once, json, every, ...choice }, _words, terminal) {
    const say = (what: object, line: string) => terminal.out(json ? jsonLine(what) : line);
    // Where nobody says, what has been seen once can be looked at again, but it must not fill the disk.
    const chosen =
      choice.journal === undefined
        ? {
            ...choice,
            journal: mkdtempSync(join(tmpdir(), 'sumac-journal-')),
            'journal-max': choice['journal-max'] ?? most,
          }
        : choice;
    const broken = new AbortController();
    const journals = await openJournals(chosen, terminal, (error) => broken.abort(error));
    const stopped = AbortSignal.any([terminal.stopped, broken.signal]);
    const stage = await Stage.open((line) => terminal.err(line), journals);
    const wishes = new Wishes();
    let inspection: Inspection | undefined;
    const show = (client: Client) => inspection?.client('client', client);
    const viewer = once ? undefined : new Viewer(stage, show);
    try {
      if (viewer !== undefined) {
        const at = { ...choice, inspect: choice.inspect ?? { port: 0 } };
        inspection = await openInspection(at, terminal.err, wishes.controls(stage));
        for (const { name, server } of stage.houses) inspection?.server(name, server);
        show(viewer.client);
        for (const house of stage.houses) {
          const { host, port } = addressOf(house);
          say({ event: 'listening', name: house.name, host, port }, `server ${house.name}: spice://${host}:${port}`);
        }
        const { host, port } = addressOf(stage.home);
        const watch = `remote-viewer spice://${host}:${port}`;
        say({ event: 'watch', command: watch }, `watch it with:  ${watch}`);
        const { url } = inspection ?? {};
        if (url !== undefined) say({ event: 'inspector', url }, `inspect it at:  ${url}`);
      }
      if (journals !== undefined) {
        say({ event: 'journal', place: journals.place }, `journal in:     ${journals.place}`);
      }
      const tell = (act: Act) => say({ event: 'handover', ...act }, lineOf(act));
      const code = once
        ? await eachOnce(stage, tell)
        : await backAndForth(stage, viewer!, tell, every ?? 3_000, wishes, { ...terminal, stopped });
      if (broken.signal.aborted) throw broken.signal.reason;
      return code;
    } finally {
      viewer?.close();
      await inspection?.close();
      await stage.close();
      await journals?.close();
    }
  },
});

const lineOf = ({ handover, scheme, from, to, channels, gapMs, outcome, ok, reason }: Act): string =>
  [
    `${ok ? 'ok  ' : 'FAIL'} ${handover.padEnd(22)}`,
    `${scheme.padEnd(13)}`,
    `${from} → ${to}`,
    `${channels.length} channels`,
    gapMs === undefined ? 'no gap' : `gap ${gapMs.toFixed(1)} ms`,
    reason === undefined ? outcome : `${outcome}: ${reason}`,
  ].join('  ');

const move =
  (scheme: Scheme): Wish =>
  async (stage, viewer, journey) =>
    moved(stage, await viewer.for(scheme), scheme, journey);

/** What the guest does in turn when nobody asks for something else. */
const turns: readonly Wish[] = [
  move('seamless'),
  move('semi-seamless'),
  async (stage, viewer) => cancelled(stage, await viewer.for(), 'cancel after link'),
  move('switch-host'),
  move('early-link'),
  async (stage, viewer) => misled(stage, await viewer.for(), 'target refuses', 'refuses'),
];

/** The guest's memory takes a third of the time that it stays in a place: long enough to see a move under way. */
const travels = (every: number): number => Math.min(5_000, every / 3);

async function backAndForth(
  stage: Stage,
  viewer: Viewer,
  tell: (act: Act) => void,
  every: number,
  wishes: Wishes,
  { stopped }: Terminal,
): Promise<number> {
  await viewer.for();
  const ended = new Promise<void>((resolve) => stopped.addEventListener('abort', () => resolve(), { once: true }));
  for (let turn = 0; !stopped.aborted; ) {
    await Promise.race([ended, wishes.next, new Promise((resolve) => setTimeout(resolve, every))]);
    if (stopped.aborted) break;
    const wish = wishes.take();
    const journey = { takes: travels(every), stop: wishes.giveUp };
    wishes.moving = true;
    const act = await (wish ?? turns[turn++ % turns.length]!)(stage, viewer, journey);
    wishes.moving = false;
    tell(act);
    if (!act.ok && wish === undefined && !wishes.meddled) return 1;
  }
  return 0;
}

async function eachOnce(stage: Stage, tell: (act: Act) => void): Promise<number> {
  let failed = false;
  const play = async (schemes: readonly Scheme[], act: (client: Client) => Promise<Act>) => {
    const client = stage.client(schemes);
    await allUp(client);
    const done = await act(client);
    tell(done);
    failed ||= !done.ok;
    client.close();
  };
  for (const scheme of ['switch-host', 'early-link', 'semi-seamless', 'seamless'] as const) {
    await play([scheme, 'switch-host'], (client) => moved(stage, client, scheme));
  }
  await play(usual, (client) => cancelled(stage, client, 'cancel before link'));
  await play(usual, (client) => cancelled(stage, client, 'cancel after link'));
  await play(usual, (client) => misled(stage, client, 'target refuses', 'refuses'));
  await play(usual, (client) => misled(stage, client, 'target is silent', 'is silent'));
  return failed ? 1 : 0;
}
