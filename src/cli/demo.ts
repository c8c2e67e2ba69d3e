/**
 * The main job: a client of ours follows a guest that moves between two servers, back and forth, for as long as you watch; or
 * each kind of hand-over once. After every move the picture at the client must be the guest's own, byte for byte.
 */
import { filter, firstValueFrom, map, race, timer } from 'rxjs';
import type { Scheme } from '../../machines/contract.ts';
import type { Client, ClientEvent } from '../client/client.ts';
import { addressOf, type House, impostor, Stage } from './demo-stage.ts';
import { jsonLine, type Terminal } from './terminal.ts';
import * as values from './values.ts';
import { flag, toggle, verb } from './verb.ts';

type Handover = Extract<ClientEvent, { event: 'handover' }>;

/** What became of one hand-over. */
interface Act {
  readonly handover: string;
  readonly scheme: Scheme;
  readonly from: string;
  readonly to: string;
  readonly channels: readonly string[];
  readonly gapMs?: number;
  readonly outcome: string;
  readonly ok: boolean;
  readonly reason?: string;
}

const allChannels = 6;
const patience = 20_000;

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
    every: flag('DURATION', values.duration, 'How long the guest stays in one place. Default 3s.'),
  },
  examples: [
    ['sumac demo', 'Hands a client over and over until Ctrl-C.'],
    ['sumac demo --once --json', 'Each scheme, two cancels and two bad targets; a JSON object a line.'],
  ],
  async run({ once, json, every }, _words, terminal) {
    const say = (what: object, line: string) => terminal.out(json ? jsonLine(what) : line);
    const stage = await Stage.open((line) => terminal.err(line));
    try {
      if (!once) {
        for (const house of stage.houses) {
          const { host, port } = addressOf(house);
          say({ event: 'listening', name: house.name, host, port }, `server ${house.name}: spice://${host}:${port}`);
        }
        const { host, port } = addressOf(stage.home);
        const watch = `remote-viewer spice://${host}:${port}`;
        say({ event: 'watch', command: watch }, `watch it with:  ${watch}`);
      }
      const tell = (act: Act) => say({ event: 'handover', ...act }, lineOf(act));
      return once ? await eachOnce(stage, tell) : await backAndForth(stage, tell, every ?? 3_000, terminal);
    } finally {
      await stage.close();
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

async function backAndForth(
  stage: Stage,
  tell: (act: Act) => void,
  every: number,
  { stopped }: Terminal,
): Promise<number> {
  const schemes = ['seamless', 'semi-seamless', 'switch-host'] as const;
  const client = stage.client(schemes);
  await allUp(client);
  const ended = new Promise<void>((resolve) => stopped.addEventListener('abort', () => resolve(), { once: true }));
  let failed = false;
  for (let turn = 0; !stopped.aborted && !failed; turn++) {
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, every))]);
    if (stopped.aborted) break;
    const act = await moved(stage, client, schemes[turn % schemes.length]!);
    tell(act);
    failed = !act.ok;
  }
  client.close();
  return failed ? 1 : 0;
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
  const usual = ['seamless', 'semi-seamless', 'switch-host'] as const;
  await play(usual, (client) => cancelled(stage, client, 'cancel before link'));
  await play(usual, (client) => cancelled(stage, client, 'cancel after link'));
  await play(usual, (client) => misled(stage, client, 'target refuses', 'refuses'));
  await play(usual, (client) => misled(stage, client, 'target is silent', 'is silent'));
  return failed ? 1 : 0;
}

/** The guest moves, and the client with it. */
async function moved(stage: Stage, client: Client, scheme: Scheme): Promise<Act> {
  const [from, to] = [stage.home, stage.away];
  const answered = happens(from.server.events, (event) => event.event === 'migrate_connect_complete');
  const linked = scheme === 'switch-host' ? undefined : phase(client, 'linked');
  const switched = phase(client, 'switched');
  const left = happens(from.server.events, (event) => event.event === 'migrate_end_complete');
  from.server.migrateConnect(addressOf(to), { scheme });
  await answered;
  await linked;
  from.server.migrateStart();
  stage.moveGuest();
  from.server.migrateEnd(true);
  const report = await switched;
  const gone = await left;
  if (scheme === 'switch-host' && report !== undefined) await allUp(client);
  const problem =
    report === undefined
      ? 'the client did not switch'
      : gone === undefined
        ? 'the client did not leave the source'
        : await wrongAt(to, client);
  return {
    handover: scheme,
    scheme: report?.scheme ?? scheme,
    from: from.name,
    to: to.name,
    channels: report?.channels ?? [],
    ...(report?.gapMs === undefined ? {} : { gapMs: report.gapMs }),
    outcome: report === undefined ? 'failed' : 'switched',
    ok: problem === undefined && report?.scheme === scheme,
    ...(problem === undefined ? {} : { reason: problem }),
  };
}

/** The move is given up, before or after the client has linked to the target: it stays. */
async function cancelled(stage: Stage, client: Client, handover: string): Promise<Act> {
  const [from, to] = [stage.home, stage.away];
  const linked = phase(client, 'linked');
  const cancel = phase(client, 'cancelled');
  from.server.migrateConnect(addressOf(to));
  if (handover === 'cancel after link') await linked;
  from.server.migrateEnd(false);
  return stayed(stage, client, handover, to.name, await cancel, 'cancelled');
}

/** The target cannot be linked: the client says so in time, and stays. */
async function misled(stage: Stage, client: Client, handover: string, how: 'refuses' | 'is silent'): Promise<Act> {
  const target = await impostor(how);
  const failure = phase(client, 'failed');
  stage.home.server.migrateConnect(target.destination);
  const report = await failure;
  stage.home.server.migrateEnd(false);
  await target.close();
  return stayed(stage, client, handover, 'nobody', report, 'failed');
}

async function stayed(
  stage: Stage,
  client: Client,
  handover: string,
  to: string,
  report: Handover | undefined,
  outcome: string,
): Promise<Act> {
  const problem = report === undefined ? 'the client did not notice' : await wrongAt(stage.home, client);
  return {
    handover,
    scheme: report?.scheme ?? 'seamless',
    from: stage.home.name,
    to,
    channels: report?.channels ?? [],
    outcome: `${outcome}, stayed`,
    ok: problem === undefined,
    ...(problem === undefined ? (report?.reason === undefined ? {} : { reason: report.reason }) : { reason: problem }),
  };
}

/** What is wrong with the client at this house, if anything: a channel is missing, or the picture is not the guest's. */
async function wrongAt(house: House, client: Client): Promise<string | undefined> {
  house.card.stop();
  try {
    const deadline = Date.now() + patience;
    let problem: string | undefined = 'the picture is not the guest’s';
    while (problem !== undefined && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      problem = await difference(house, client);
    }
    return problem;
  } finally {
    house.card.run();
  }
}

async function difference(house: House, client: Client): Promise<string | undefined> {
  const open = house.server.channels().length;
  if (open < allChannels) return `only ${open} channels are open`;
  const screen = client.screens.get('display:0');
  await screen?.settled();
  const shown = screen?.primary();
  const own = house.card.picture();
  if (shown === undefined || shown.width !== own.width || shown.height !== own.height) return 'there is no picture';
  for (let at = 0; at < own.pixels.length; at += 4) {
    if (
      shown.data[at] !== own.pixels[at] ||
      shown.data[at + 1] !== own.pixels[at + 1] ||
      shown.data[at + 2] !== own.pixels[at + 2]
    ) {
      return 'the picture is not the guest’s';
    }
  }
  return undefined;
}

const happens = <T>(events: import('rxjs').Observable<T>, fits: (event: T) => boolean): Promise<T | undefined> =>
  firstValueFrom(race(events.pipe(filter(fits)), timer(patience).pipe(map(() => undefined))), {
    defaultValue: undefined,
  });

const phase = async (client: Client, wanted: Handover['phase']): Promise<Handover | undefined> =>
  (await happens(client.events, (event) => event.event === 'handover' && event.phase === wanted)) as
    | Handover
    | undefined;

const allUp = async (client: Client): Promise<void> => {
  const up = () => client.channels.size === allChannels;
  if (!up()) await happens(client.events, up);
};
