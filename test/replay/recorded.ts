/**
 * Sessions to prove and to replay: hand-overs in memory, each with the journals of its source, target and client. What
 * happens in one is the same every time; only the clock is the real one.
 */
import type { Scheme } from '../../machines/contract.ts';
import type { Client, ClientEvent } from '../../src/client/client.ts';
import type { CheckpointRate, Journal } from '../../src/journal/journal.ts';
import { MemoryJournal } from '../../src/journal/memory.ts';
import type { JournalRecord } from '../../src/journal/record.ts';
import type { Server } from '../../src/server/server.ts';
import { first, Network } from '../support/network.ts';

export const allSchemes: readonly Scheme[] = ['seamless', 'early-link', 'semi-seamless', 'switch-host'];
export const allChannels = ['main:0', 'display:0', 'inputs:0', 'cursor:0', 'playback:0', 'record:0'];

/** Resolves when all these channels are up. */
export async function up(client: Client, channels: readonly string[] = allChannels): Promise<void> {
  const done = () => channels.every((channel) => client.channels.has(channel));
  if (!done()) await first(client.events, done);
}

export const phase = (client: Client, wanted: string) =>
  first(
    client.events,
    (event): event is Extract<ClientEvent, { event: 'handover' }> =>
      event.event === 'handover' && event.phase === wanted,
  );

export const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export interface Stage {
  readonly network: Network;
  readonly source: Server;
  readonly target: Server;
  readonly client: Client;
}

export interface Recorded {
  readonly source: readonly JournalRecord[];
  readonly target: readonly JournalRecord[];
  readonly client: readonly JournalRecord[];
}

export interface RecordedOptions {
  readonly schemes?: readonly Scheme[];
  readonly password?: string;
  /** Milliseconds each way. */
  readonly latencyMs?: number;
  /** How often the journals are told where all charts are. Default: not in so short a time. */
  readonly checkpoints?: CheckpointRate;
  /** Journals to write to besides: what was written down is returned all the same. */
  readonly journals?: Partial<Record<'source' | 'target' | 'client', Journal>>;
}

/** A checkpoint as often as there can be one. */
export const always: CheckpointRate = { leastMs: 0, mostMs: 0, steps: 1, bytes: 1 };

/** Small: the picture is in the journals, several times. */
const size = { width: 64, height: 48 };
const ground = { left: 0, top: 0, right: 64, bottom: 48 };

/** Lets `happen` happen between two servers and a client that is up, closes all of it, and returns what was written down. */
export async function record(
  happen: (stage: Stage) => Promise<void>,
  options: RecordedOptions = {},
): Promise<Recorded> {
  const memory = { source: new MemoryJournal(), target: new MemoryJournal(), client: new MemoryJournal() };
  const { journals = {} } = options;
  const to = (side: keyof Recorded) => both(memory[side], journals[side], options.checkpoints);
  const { schemes = allSchemes, password } = options;
  const network = new Network();
  network.latencyMs = options.latencyMs ?? 0;
  try {
    const source = network.server('source', { ...size, schemes, password, journal: to('source') });
    const target = network.server('target', { ...size, schemes, password, journal: to('target') });
    source.display.fill(ground, 0x112233);
    target.display.fill(ground, 0x445566);
    const client = network.client('source', { schemes, password }, to('client'));
    await up(client);
    await happen({ network, source, target, client });
  } finally {
    await network.close();
  }
  // What was under way when all was closed comes to its end.
  await pause(20);
  const { source, target, client } = memory;
  return { source: [...source.read()], target: [...target.read()], client: [...client.read()] };
}

const both = (one: Journal, other: Journal | undefined, checkpoints: CheckpointRate | undefined): Journal => ({
  checkpoints,
  outlives: other?.outlives,
  append: (entry) => {
    one.append(entry);
    other?.append(entry);
  },
  durable: async () => other?.durable(),
});

/** Something to look at, and something to type. */
export async function useIt({ source, client }: Stage): Promise<void> {
  for (let i = 0; i < 40; i++) {
    source.display.fill({ left: i, top: i % 30, right: i + 20, bottom: (i % 30) + 10 }, i * 0x050301);
    if (i % 10 === 0) await pause(1);
  }
  client.input.keyDown(30);
  client.input.keyUp(30);
  client.requestMouseMode(2);
  await pause(20);
}

/** Each kind of hand-over once, with what is worth telling apart. */
export const stories: Readonly<Record<string, { happen: (stage: Stage) => Promise<void> } & RecordedOptions>> = {
  ...Object.fromEntries(
    (['seamless', 'early-link', 'semi-seamless'] as const).map((scheme) => [
      scheme,
      {
        happen: async (stage: Stage) => {
          await useIt(stage);
          await move(stage, scheme);
          await useIt({ ...stage, source: stage.target });
        },
      },
    ]),
  ),
  'switch-host': {
    schemes: ['switch-host'],
    happen: async (stage) => {
      await useIt(stage);
      stage.source.migrateConnect({ host: 'target', port: 1 });
      const switched = phase(stage.client, 'switched');
      stage.source.migrateEnd(true);
      await switched;
      await up(stage.client, ['display:0']);
    },
  },
  'with a password, over a slow line': {
    password: 'swordfish',
    latencyMs: 5,
    happen: async (stage) => {
      await useIt(stage);
      await move(stage, 'seamless');
    },
  },
  ...Object.fromEntries(
    (['seamless', 'early-link', 'semi-seamless'] as const).map((scheme) => [
      `${scheme}, cancelled`,
      {
        happen: async ({ source, target, client }: Stage) => {
          const linked = phase(client, 'linked');
          source.migrateConnect({ host: 'target', port: 1 }, { scheme });
          await linked;
          const cancelled = phase(client, 'cancelled');
          const over = first(target.events, (event) => event.event === 'session' && event.state === 'over');
          source.migrateEnd(false);
          await cancelled;
          await over;
          source.display.fill(ground, 0xabcdef);
          await pause(20);
        },
      },
    ]),
  ),
  'refused, and sent there at the end': {
    schemes: ['seamless', 'semi-seamless', 'switch-host'],
    happen: async ({ network, source, client }) => {
      network.make('target', 'refuses');
      const failed = phase(client, 'failed');
      source.migrateConnect({ host: 'target', port: 1 });
      await failed;
      network.make('target', 'serves');
      const switched = phase(client, 'switched');
      source.migrateEnd(true);
      await switched;
      await up(client);
    },
  },
  'the target is cut off while it is linked': {
    happen: async ({ network, source, client }) => {
      const linked = phase(client, 'linked');
      source.migrateConnect({ host: 'target', port: 1 }, { scheme: 'seamless' });
      await linked;
      const again = phase(client, 'relinking');
      network.cut('target');
      await again;
      await phase(client, 'linked');
      source.migrateEnd(false);
      await pause(20);
    },
  },
  'two channels are cut off at once, and linked again': {
    happen: async ({ network, client }) => {
      const back = new Set<string>();
      const again = first(client.events, (event) => {
        if (event.event === 'channel' && event.state === 'up') back.add(event.channel);
        return back.size === 2;
      });
      network.cut('source', [1, 2]);
      await again;
    },
  },
  'the source is cut off': {
    happen: async ({ network, client }) => {
      const back = first(client.events, (event) => event.event === 'reconnect' && event.phase === 'back');
      network.cut('source');
      await back;
      await up(client);
    },
  },
};

async function move({ source, target, client }: Stage, scheme: Scheme): Promise<void> {
  const linked = phase(client, 'linked');
  source.migrateConnect({ host: 'target', port: 1 }, { scheme });
  await linked;
  const switched = phase(client, 'switched');
  const left = first(source.events, (event) => event.event === 'migrate_end_complete');
  target.guestArrived();
  source.migrateEnd(true);
  await switched;
  await left;
}
