/**
 * The acts of the main job: a move in each scheme, a move that is given up, a target that is none. After each the client must
 * be where the guest is, with every channel up and the guest's own picture, byte for byte.
 */
import { filter, firstValueFrom, map, type Observable, race, timer } from 'rxjs';
import type { Scheme } from '../../machines/contract.ts';
import type { Client, ClientEvent } from '../client/client.ts';
import { addressOf, type Fault, type House, impostor, type Stage } from './demo-stage.ts';

type Handover = Extract<ClientEvent, { event: 'handover' }>;

/** What became of one hand-over. */
export interface Act {
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

/** How a guest travels. */
export interface Journey {
  /** Milliseconds that its memory takes, once the client has linked. Default 0. */
  readonly takes?: number;
  /** Resolves when somebody wants it given up. */
  readonly stop?: Promise<void>;
}

/** The guest moves, and the client with it. */
export async function moved(
  stage: Stage,
  client: Client,
  scheme: Scheme,
  { takes = 0, stop }: Journey = {},
): Promise<Act> {
  const [from, to] = [stage.home, stage.away];
  const cancel = phase(client, 'cancelled', patience + takes);
  const answered = happens(from.server.events, (event) => event.event === 'migrate_connect_complete');
  const linked = scheme === 'switch-host' ? undefined : phase(client, 'linked');
  const switched = phase(client, 'switched', patience + takes);
  const left = happens(from.server.events, (event) => event.event === 'migrate_end_complete', patience + takes);
  from.server.migrateConnect(addressOf(to), { scheme });
  const ready = Promise.all([answered, linked]).then(() => pause(takes));
  if ((await Promise.race([ready, stopOf(stop)])) === 'stop') {
    from.server.migrateEnd(false);
    // A client that was told of nothing has nothing to say.
    const report = scheme === 'switch-host' ? { scheme, channels: [] } : await cancel;
    return stayed(stage, client, `${scheme}, cancelled`, to.name, report, 'cancelled');
  }
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
export async function cancelled(stage: Stage, client: Client, handover: string): Promise<Act> {
  const [from, to] = [stage.home, stage.away];
  const linked = phase(client, 'linked');
  const cancel = phase(client, 'cancelled');
  from.server.migrateConnect(addressOf(to));
  if (handover === 'cancel after link') await linked;
  from.server.migrateEnd(false);
  return stayed(stage, client, handover, to.name, await cancel, 'cancelled');
}

/** The target cannot be linked: the client says so in time, and stays. */
export async function misled(
  stage: Stage,
  client: Client,
  handover: string,
  how: Fault,
  { stop }: Journey = {},
): Promise<Act> {
  const target = await impostor(how);
  const [failure, cancel] = [phase(client, 'failed'), phase(client, 'cancelled')];
  stage.home.server.migrateConnect(target.destination);
  const stopped = (await Promise.race([failure, stopOf(stop)])) === 'stop';
  stage.home.server.migrateEnd(false);
  const report = await (stopped ? cancel : failure);
  await target.close();
  return stayed(stage, client, handover, 'nobody', report, stopped ? 'cancelled' : 'failed');
}

async function stayed(
  stage: Stage,
  client: Client,
  handover: string,
  to: string,
  report: Pick<Handover, 'scheme' | 'channels' | 'reason'> | undefined,
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

/** Never, where nobody can want it. */
const stopOf = (stop: Promise<void> | undefined): Promise<'stop'> =>
  stop === undefined ? new Promise(() => {}) : stop.then(() => 'stop');

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const happens = <T>(events: Observable<T>, fits: (event: T) => boolean, ms = patience): Promise<T | undefined> =>
  firstValueFrom(race(events.pipe(filter(fits)), timer(ms).pipe(map(() => undefined))), {
    defaultValue: undefined,
  });

const phase = async (client: Client, wanted: Handover['phase'], ms?: number): Promise<Handover | undefined> =>
  (await happens(client.events, (event) => event.event === 'handover' && event.phase === wanted, ms)) as
    | Handover
    | undefined;

export const allUp = async (client: Client): Promise<void> => {
  const up = () => client.channels.size === allChannels;
  if (!up()) await happens(client.events, up);
};
