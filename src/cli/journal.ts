/**
 * `sumac journal`: what to do with journals. It reads, and changes nothing; what a journal means is the engine's to say.
 */
import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { verifyStream } from '../engine/verify-stream.ts';
import { UsageError } from '../errors.ts';
import { JournalError } from '../journal/error.ts';
import { findStream, readStream } from '../journal/read.ts';
import type { JournalRecord } from '../journal/record.ts';
import type { Store, StreamHead } from '../journal/store.ts';
import { openStore } from '../open-journal.ts';
import { headJson, headLine, recordJson, recordLine, reportLines } from './journal-lines.ts';
import { PacketFile } from './pcap.ts';
import { SessionPackets } from './pcap-session.ts';
import { checkWritable } from './picture-file.ts';
import { jsonLine, plain, type Terminal } from './terminal.ts';
import { count, text } from './values.ts';
import { flag, toggle, type Values, verb } from './verb.ts';

const flags = {
  json: toggle('One line of JSON for each session, record or report.'),
  actor: flag('NAME', text, 'show: only records of this actor and those below it, such as display:0 or migration.'),
  from: flag('N', count, 'show: the first record.'),
  to: flag('N', count, 'show: the last record.'),
  pcap: flag('FILE.pcap', text, 'export: the file to write.'),
} as const;

type Chosen = Values<typeof flags>;

const ways = {
  ls: { flags: ['json'], run: list },
  show: { flags: ['json', 'actor', 'from', 'to'], run: show },
  verify: { flags: ['json'], run: prove },
  export: { flags: ['pcap'], run: exportPackets },
} as const;

export const journal = verb({
  name: 'journal',
  summary: 'Journals of sessions: lists, shows and proves them, and writes them as packets for Wireshark',
  words: ['ls|show|verify|export', 'PLACE', '[SESSION]'],
  flags,
  about: [
    'PLACE is what --journal was given: a folder, or nats://HOST:PORT/SHARD. SESSION is what ls lists, or its end, such as session:1.',
    'ls lists the sessions, oldest first. show tells the records of one. verify folds every chart of a session, or of all, ' +
      'and demands the same commands and the same bytes; it ends with 1 when something does not fit, and says where. ' +
      'export writes the connections of a session as packets.',
  ],
  examples: [
    ['sumac journal ls ./journal', 'The sessions, oldest first.'],
    ['sumac journal show ./journal session:1 --actor display:0 --from 100 --to 200', 'What the display did.'],
    ['sumac journal verify ./journal', 'Proves every session.'],
    [
      'sumac journal export ./journal client --pcap session.pcap',
      'Then: wireshark -d tcp.port==5900,spice session.pcap',
    ],
  ],
  async run(values, words, terminal) {
    const [what, place, session] = words as [string, string, string | undefined];
    if (!Object.hasOwn(ways, what)) {
      throw new UsageError(`${JSON.stringify(what)} is none of ls, show, verify and export`);
    }
    const way = ways[what as keyof typeof ways];
    for (const name of Object.keys(values)) {
      if (!(way.flags as readonly string[]).includes(name)) throw new UsageError(`--${name} is of no use to ${what}`);
    }
    const store = await openStore(place);
    try {
      return await way.run(store, session, values, terminal);
    } finally {
      await store.close();
    }
  },
});

async function list(store: Store, session: string | undefined, { json }: Chosen, terminal: Terminal): Promise<number> {
  if (session !== undefined) throw new UsageError('ls lists all sessions');
  const heads = await store.list();
  for (const head of heads) terminal.out(json ? headJson(head) : headLine(head));
  if (heads.length === 0) terminal.err(`there are no sessions in ${plain(store.place)}`);
  return 0;
}

async function show(store: Store, session: string | undefined, values: Chosen, terminal: Terminal): Promise<number> {
  const head = await theOne(store, session, 'show');
  const { json, actor, from = 1, to = Number.POSITIVE_INFINITY } = values;
  const zero = await firstTime(store, head);
  return await untilDamage(terminal, async () => {
    for await (const record of readStream(store, head.name, Math.max(1, from))) {
      if (record.seq > to || terminal.stopped.aborted) break;
      if (actor === undefined || isOf(record.actor, actor)) {
        terminal.out(json ? recordJson(record) : recordLine(record, zero));
      }
    }
  });
}

async function prove(store: Store, session: string | undefined, { json }: Chosen, terminal: Terminal): Promise<number> {
  const heads = session === undefined ? await store.list() : [await findStream(store, session)];
  if (heads.length === 0) terminal.err(`there are no sessions in ${plain(store.place)}`);
  let code = 0;
  for (const { name, open } of heads) {
    if (terminal.stopped.aborted) break;
    const report = await verifyStream(store, name);
    // What is being written may have got longer meanwhile.
    const isFine = report.mismatch === undefined && (report.damage === undefined || open);
    if (!isFine) code = 1;
    if (json) terminal.out(jsonLine({ session: name, ...report }));
    else for (const line of reportLines(name, report)) terminal.out(line);
  }
  return code;
}

async function exportPackets(
  store: Store,
  session: string | undefined,
  { pcap }: Chosen,
  terminal: Terminal,
): Promise<number> {
  const head = await theOne(store, session, 'export');
  if (pcap === undefined) throw new UsageError('export needs a file to write: --pcap FILE.pcap');
  checkWritable(pcap, 'The file');
  const links = await linksOf(store, head);
  let file: number;
  try {
    file = openSync(pcap, 'w');
  } catch (error) {
    throw new UsageError(`The file ${pcap} cannot be written: ${(error as Error).message}`, { cause: error });
  }
  try {
    const packets = new PacketFile((bytes) => writeSync(file, bytes));
    const out = new SessionPackets(packets, head.epoch, links);
    let at = 0;
    const code = await untilDamage(terminal, async () => {
      for await (const record of withRoot(store, head)) {
        at = record.at;
        out.take(record);
      }
    });
    out.end(at);
    terminal.out(plain(`${pcap}: ${packets.count} packets`));
    return code;
  } catch (error) {
    unlinkSync(pcap);
    throw error;
  } finally {
    closeSync(file);
  }
}

/** A server's sessions have their links made elsewhere: in the journal of the root of the same run. */
function rootOf(head: StreamHead): string | undefined {
  const at = head.name.lastIndexOf('/');
  return head.name.slice(at + 1).startsWith('session:') ? `${head.name.slice(0, at)}/server` : undefined;
}

/** Of a server's session, the links that it used; of anything else, all. */
async function linksOf(store: Store, head: StreamHead): Promise<((link: string) => boolean) | undefined> {
  if (rootOf(head) === undefined) return undefined;
  const links = new Set<string>();
  for await (const record of readStream(store, head.name)) if (record.kind === 'link') links.add(record.link);
  return (link) => links.has(link);
}

/** The records of a session and those of its run's root, if there is one, in the order of their time. */
async function* withRoot(store: Store, head: StreamHead): AsyncGenerator<JournalRecord, void, undefined> {
  const root = rootOf(head);
  const own = readStream(store, head.name);
  const others = root === undefined || (await store.head(root)) === undefined ? undefined : readStream(store, root);
  let one = await own.next();
  let other = await others?.next();
  while (!one.done || (other !== undefined && !other.done)) {
    if (other !== undefined && !other.done && (one.done || other.value.at <= one.value.at)) {
      yield other.value;
      other = await others!.next();
    } else if (!one.done) {
      yield one.value;
      one = await own.next();
    }
  }
}

async function theOne(store: Store, session: string | undefined, what: string): Promise<StreamHead> {
  if (session === undefined)
    throw new UsageError(`${what} needs a session; sumac journal ls ${store.place} lists them`);
  return await findStream(store, session);
}

async function firstTime(store: Store, { name }: StreamHead): Promise<number> {
  for await (const { at } of readStream(store, name)) return at;
  return 0;
}

/** What is damaged is told in one line, behind what could be read. */
async function untilDamage(terminal: Terminal, read: () => Promise<void>): Promise<number> {
  try {
    await read();
    return 0;
  } catch (error) {
    if (!(error instanceof JournalError && (error.fault === 'damaged' || error.fault === 'foreign'))) throw error;
    terminal.err(`sumac: ${plain(error.message)}`);
    return 1;
  }
}

/** "display:0" is an actor by its last name, and all that lies below it. */
const isOf = (actor: string, wanted: string): boolean => `/${actor}/`.includes(`/${wanted}/`);
