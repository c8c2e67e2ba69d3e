/** `sumac inspect`: opens a journal in the inspector's page, without any live program. It changes nothing in the journal. */
import type { Party } from '../../inspector/feed.ts';
import { Hub } from '../../inspector/hub.ts';
import { JournalFeed } from '../../inspector/journal-feed.ts';
import { inspect as openPage } from '../../inspector/serve.ts';
import { charts } from '../../machines/index.ts';
import { JournalError } from '../journal/error.ts';
import { readStream } from '../journal/read.ts';
import type { JournalRecord } from '../journal/record.ts';
import type { Store } from '../journal/store.ts';
import { openStore } from '../open-journal.ts';
import { JournalPictures } from './journal-pictures.ts';
import { plain, type Terminal } from './terminal.ts';
import { inspectAddress, text } from './values.ts';
import { flag, type Values, verb } from './verb.ts';

const flags = {
  port: flag('[HOST:]PORT', inspectAddress, 'Where to serve the page. Default: any port of 127.0.0.1 that is free.'),
  run: flag('TEXT', text, 'Only the runs whose names contain this.'),
} as const;

export const inspect = verb({
  name: 'inspect',
  summary: 'A journal in the inspector’s page: its hand-overs, charts and messages, as they were',
  words: ['PLACE'],
  flags,
  about: ['Reads the sessions that are kept in PLACE and shows them until Ctrl-C. No program needs to run for it.'],
  examples: [['sumac inspect /var/lib/sumac/journal', 'Prints the address of the page.']],
  run,
});

interface Told {
  readonly feed: JournalFeed;
  readonly pictures: JournalPictures;
  readonly record: JournalRecord;
  /** Milliseconds since 1970. */
  readonly at: number;
}

async function run({ port, run: part }: Values<typeof flags>, [place]: readonly string[], terminal: Terminal) {
  const hub = new Hub({ mode: 'journal', name: plain(place!), charts });
  const store = await openStore(place!);
  let told: Told[];
  try {
    told = await readRuns(store, hub, part, terminal);
  } finally {
    await store.close();
  }
  if (told.length === 0) throw new JournalError('absent', `there is no session to show in ${place}`);
  told.sort((a, b) => a.at - b.at || a.record.seq - b.record.seq);
  for (const { feed, pictures, record, at } of told) {
    feed.add(record);
    pictures.add(at, record);
  }
  const page = await openPage({ hub, port: port?.port ?? 0, ...(port?.host === undefined ? {} : { host: port.host }) });
  terminal.out(`inspect it at:  ${page.url}`);
  await new Promise<void>((resolve) => {
    if (terminal.stopped.aborted) resolve();
    terminal.stopped.addEventListener('abort', () => resolve(), { once: true });
  });
  await page.close();
  hub.close();
  return 0;
}

/** Each run of a server or a client is a party; its streams are told together. */
async function readRuns(store: Store, hub: Hub, part: string | undefined, terminal: Terminal): Promise<Told[]> {
  const runs = new Map<string, { epoch: number; records: JournalRecord[] }>();
  for (const head of await store.list()) {
    const name = head.name.slice(0, head.name.lastIndexOf('/'));
    if (part !== undefined && !name.includes(part)) continue;
    const one = runs.get(name) ?? { epoch: head.epoch, records: [] };
    runs.set(name, one);
    try {
      for await (const record of readStream(store, head.name)) one.records.push(record);
    } catch (error) {
      if (!(error instanceof JournalError)) throw error;
      terminal.err(`sumac: ${plain(head.name)}: ${plain(error.message)}; shown up to there`);
    }
  }
  return [...runs].flatMap(([name, { epoch, records }]) => {
    const party = partyOf(name, records);
    const feed = new JournalFeed(hub, { party, epoch });
    const pictures = new JournalPictures();
    hub.painter(
      party.id,
      () => undefined,
      (at, exact) => pictures.look(at, exact),
    );
    return records.map((record) => ({ feed, pictures, record, at: epoch + record.at }));
  });
}

function partyOf(name: string, records: readonly JournalRecord[]): Omit<Party, 'gone'> {
  const side = records.some(({ actor }) => actor === 'server') ? 'server' : 'client';
  // A server that went on where another ended may listen elsewhere.
  const listening = records.flatMap((record) =>
    record.kind === 'event' && record.event.type === 'api.listening'
      ? (record.event.addresses as readonly string[])
      : [],
  );
  const addresses = [...new Set(listening)];
  return { id: name.replaceAll('/', '-'), side, name: name.split('-').slice(3).join('-') || name, addresses };
}
