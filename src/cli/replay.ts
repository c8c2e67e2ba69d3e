/** `sumac replay`: a moment of a recorded session, as a picture and as the states of its charts. It changes nothing. */
import * as v from 'valibot';
import { Replayer } from '../engine/replay.ts';
import { SumacError, UsageError } from '../errors.ts';
import { checkpointBefore, findStream, readStream, recordBefore } from '../journal/read.ts';
import type { JournalRecord } from '../journal/record.ts';
import type { Store, StreamHead } from '../journal/store.ts';
import { openStore } from '../open-journal.ts';
import { checkWritable, writePicture } from './picture-file.ts';
import { ReplayedDisplays } from './replay-picture.ts';
import { jsonLine, plain, type Terminal } from './terminal.ts';
import { text, type ValueSchema } from './values.ts';
import { flag, toggle, type Values, verb } from './verb.ts';

type Moment = { readonly record: number } | { readonly after: number } | { readonly when: number };

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** A record's number, milliseconds since the first record, or milliseconds since 1970. */
const moment: ValueSchema<Moment> = v.pipe(
  v.string(),
  v.rawTransform(({ dataset, addIssue, NEVER }): Moment => {
    const word = dataset.value;
    if (/^\d{1,15}$/.test(word)) return { record: Number(word) };
    const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(word) ?? [];
    if (number !== undefined) return { after: Number(number) * unitMs[unit!]! };
    const when = /^\d{4}-\d\d-\d\d[T ]/.test(word) ? Date.parse(word.replace(' ', 'T')) : Number.NaN;
    if (!Number.isNaN(when)) return { when };
    addIssue({ message: "a record's number, a time since the start such as 90s, or 2026-07-29T10:15:00Z is expected" });
    return NEVER;
  }),
);

const flags = {
  at: flag(
    'N|TIME',
    moment,
    'The moment: after this record, so long after the start, or at that time. Default: the end.',
  ),
  screenshot: flag('FILE.png', text, 'Writes the picture of the first display at that moment.'),
  json: toggle('The states as JSON, a line for each chart.'),
} as const;

export const replay = verb({
  name: 'replay',
  summary: 'A moment of a recorded session: its picture, and where its charts were',
  words: ['PLACE', 'SESSION'],
  flags,
  about: [
    "Folds the charts of a session up to a moment, and draws what its display showed then: of a client's session, what the " +
      "client saw; of a server's, what it had sent.",
    'PLACE and SESSION are those of sumac journal.',
  ],
  examples: [
    ['sumac replay ./journal client --at 12.5s --screenshot then.png', 'What the client saw after 12.5 seconds.'],
    ['sumac replay ./journal session:1 --at 480', 'Where the charts of a session were after record 480.'],
  ],
  run,
});

async function run(values: Values<typeof flags>, words: readonly string[], terminal: Terminal): Promise<number> {
  const [place, session] = words as [string, string];
  const { at, screenshot, json } = values;
  if (screenshot !== undefined) checkWritable(screenshot, 'The picture');
  const store = await openStore(place);
  try {
    const head = await findStream(store, session);
    if (at !== undefined && 'record' in at && at.record > head.last) {
      throw new UsageError(`${head.name} has ${head.last} records`);
    }
    const { first, seq: near } = await nearTo(store, head, at);
    // Charts go on from a checkpoint, displays from what was kept of an earlier look.
    const checkpoint = await checkpointBefore(store, head.name, near);
    const replayer = new Replayer();
    const displays = new ReplayedDisplays();
    const kept = screenshot === undefined ? undefined : store.shelf?.nearest(head, near);
    const drawnUpTo = kept !== undefined && displays.restore(kept.bytes) ? kept.seq : 0;
    const from = screenshot === undefined ? checkpoint : Math.min(checkpoint, drawnUpTo + 1);
    let last: JournalRecord | undefined;
    for await (const record of readStream(store, head.name, from)) {
      if (at !== undefined && isLater(record, at, first, head.epoch)) break;
      if (record.seq >= checkpoint) replayer.take(record);
      if (screenshot !== undefined && record.seq > drawnUpTo) displays.take(record);
      last = record;
      if (at !== undefined && 'record' in at && record.seq >= at.record) break;
      if (store.shelf !== undefined && displays.isWorthKeeping) {
        store.shelf.put(head, record.seq, await displays.state());
      }
    }
    const { seq, at: time } = last ?? { seq: 0, at: 0 };
    if (!json) {
      const when = new Date(head.epoch + time).toISOString();
      terminal.out(plain(`${head.name} after record ${seq}, ${((time - first) / 1000).toFixed(3)} s, ${when}`));
    }
    for (const actor of replayer.actors) {
      const { value, status } = replayer.snapshotOf(actor);
      terminal.out(
        json
          ? jsonLine({ seq, at: time, actor, state: value, status })
          : plain(`  ${actor.padEnd(32)} ${typeof value === 'string' ? value : JSON.stringify(value)}`),
      );
    }
    if (screenshot === undefined) return 0;
    const picture = await displays.picture();
    if (picture === undefined) throw new SumacError('picture', `${head.name} shows no picture after record ${seq}`);
    writePicture(screenshot, picture);
    for (const line of displays.undrawn) terminal.err(plain(line));
    return 0;
  } finally {
    await store.close();
  }
}

/** When the session began, and a record that is not behind the moment, nor long before it. */
async function nearTo(store: Store, head: StreamHead, at: Moment | undefined): Promise<{ first: number; seq: number }> {
  let first = 0;
  for await (const record of readStream(store, head.name)) {
    first = record.at;
    break;
  }
  if (at === undefined) return { first, seq: head.last };
  if ('record' in at) return { first, seq: at.record };
  const time = 'after' in at ? first + at.after : at.when - head.epoch;
  return { first, seq: await recordBefore(store, head, time) };
}

/** Whether a record is behind the moment. */
function isLater(record: JournalRecord, at: Moment, first: number, epoch: number): boolean {
  if ('record' in at) return record.seq > at.record;
  return 'after' in at ? record.at - first > at.after : epoch + record.at > at.when;
}
