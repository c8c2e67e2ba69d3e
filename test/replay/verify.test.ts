/** A journal proves itself: every hand-over on every side, and whatever is changed in one is found. */
import { beforeAll, describe, expect, it } from 'vitest';
import { replay } from '../../src/engine/replay.ts';
import { type Report, verify } from '../../src/engine/verify.ts';
import type { CheckpointRecord, JournalRecord } from '../../src/journal/record.ts';
import { always, type Recorded, record, stories } from './recorded.ts';

const sides = ['source', 'target', 'client'] as const;

const renumbered = (records: readonly JournalRecord[]): JournalRecord[] =>
  records.map((one, i) => ({ ...one, seq: i + 1 }));

describe('a journal proves itself', () => {
  it.each(Object.keys(stories))('at the source, the target and the client: %s', async (name) => {
    const { happen, ...options } = stories[name]!;
    const recorded = await record(happen, options);
    for (const side of sides) {
      const report = verify(recorded[side]);
      expect(report).toMatchObject({ records: recorded[side].length, unfinished: [], owed: [] });
      expect(report.mismatch).toBeUndefined();
      // The bytes that charts and data plane sent are all of those that the application did not.
      const sent = recorded[side].filter((one) => one.kind === 'wire' && one.direction === 'out');
      const bytes = sent.reduce((sum, one) => sum + (one.kind === 'wire' ? one.bytes.length : 0), 0);
      expect(report.bytes + report.given).toBe(bytes);
      if (sent.length > 0) expect(report.bytes).toBeGreaterThan(1_000);
    }
  });
});

describe('a checkpoint', () => {
  it.each(Object.keys(stories))('is what the journal comes to when it is folded: %s', async (name) => {
    const { happen, ...options } = stories[name]!;
    const recorded = await record(happen, { ...options, checkpoints: always });
    let checkpoints = 0;
    for (const side of sides) {
      const report = verify(recorded[side]);
      expect(report.mismatch).toBeUndefined();
      expect(report).toMatchObject({ records: recorded[side].length, unfinished: [], owed: [] });
      checkpoints += recorded[side].filter(({ kind }) => kind === 'checkpoint').length;
    }
    expect(checkpoints).toBeGreaterThan(2);
  });

  it('that says something else is found: a state, a context, a timer, a child', async () => {
    const { client } = await record(stories['semi-seamless, cancelled']!.happen, { checkpoints: always });
    const of = (fits: (one: CheckpointRecord) => boolean) =>
      client.findIndex((one) => one.kind === 'checkpoint' && fits(one));
    const changed = (at: number, change: (one: any) => void): string | undefined => {
      const records = [...client];
      const one = structuredClone(records[at]) as CheckpointRecord;
      change(one);
      records[at] = one;
      const { mismatch } = verify(records);
      expect(mismatch === undefined || mismatch.seq === one.seq).toBe(true);
      return mismatch?.what;
    };
    const whole = of(({ snapshot }) => (snapshot as any).children['display:0']?.snapshot.status === 'active');
    expect(changed(whole, () => {})).toBeUndefined();
    expect(changed(whole, ({ snapshot }) => void (snapshot.context.connectionId += 1))).toMatch(
      /context\.connectionId/,
    );
    const child = (snapshot: any) => snapshot.children['display:0'];
    expect(changed(whole, ({ snapshot }) => void (child(snapshot).snapshot.value.flow = 'down'))).toMatch(
      /display:0 value/,
    );
    expect(changed(whole, ({ snapshot }) => void delete snapshot.children['display:0'])).toMatch(/a child display:0/);
    const timed = of(({ timers }) => timers.length > 0);
    expect(changed(timed, ({ timers }) => void timers.pop())).toMatch(/has a timer for/);
    expect(changed(timed, ({ timers }) => void timers.push(timers[0]))).toMatch(/has no timer for/);
  });

  it('lets a replay begin there: the same steps, to the same states', async () => {
    const { client, source } = await record(stories.seamless!.happen, { checkpoints: always });
    for (const records of [client, source]) {
      const told = async (from: number) => {
        const steps: string[] = [];
        const first = records.filter((one) => one.kind === 'checkpoint' && one.seq <= from).at(-1)?.seq ?? 1;
        for await (const { seq, actor, state, commands } of replay(records.slice(first - 1), { from })) {
          // A server's root, and its links, are in a journal of their own.
          if (records === client || actor.includes('/session:'))
            steps.push(JSON.stringify([seq, actor, state, commands], plain));
        }
        return steps;
      };
      const all = await told(1);
      const checkpoints = records.filter(({ kind }) => kind === 'checkpoint').map(({ seq }) => seq);
      expect(checkpoints.length).toBeGreaterThan(5);
      for (const seq of checkpoints) {
        const from = Math.min(records.length, seq + 3);
        const later = all.filter((step) => JSON.parse(step)[0] >= from);
        expect(await told(from)).toEqual(later);
      }
    }
  });
});

const plain = (_key: string, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value);

describe('whatever is changed in a journal is found', () => {
  let recorded: Recorded;
  beforeAll(async () => {
    recorded = await record(stories.seamless!.happen);
  });

  /** Verifies the journal with each record changed in turn, and returns the numbers of those for which nothing was found. */
  const overlooked = (
    records: readonly JournalRecord[],
    concerns: (one: JournalRecord) => boolean,
    change: (records: JournalRecord[], at: number) => void,
  ): number[] => {
    const missed: number[] = [];
    for (const [at, one] of records.entries()) {
      if (!concerns(one)) continue;
      const changed = [...records];
      change(changed, at);
      if (verify(changed).mismatch === undefined) missed.push(one.seq);
    }
    return missed;
  };

  it.each(sides)('a byte that a chart or the data plane sent: %s', (side) => {
    let i = 0;
    const missed = overlooked(
      recorded[side],
      (one) => one.kind === 'wire' && one.direction === 'out' && one.from !== 'application',
      (records, at) => {
        const one = records[at]!;
        if (one.kind !== 'wire') return;
        const bytes = one.bytes.slice();
        const which = i++ % bytes.length;
        bytes[which]! ^= 1 << (i % 8);
        records[at] = { ...one, bytes };
      },
    );
    // The capabilities that were told first are believed; they are compared with those told later on.
    const told = recorded[side]
      .filter((one) => one.kind === 'wire' && one.actor.includes('link:'))
      .map(({ seq }) => seq);
    expect(missed.filter((seq) => !told.includes(seq))).toEqual([]);
  });

  it.each(sides)('a command: %s', (side) => {
    const missed = overlooked(
      recorded[side],
      (one) => one.kind === 'command',
      (records, at) => {
        const one = records[at]!;
        if (one.kind === 'command') records[at] = { ...one, command: bent(one.command) as typeof one.command };
      },
    );
    expect(missed).toEqual([]);
  });

  it.each(sides)('a record that is dropped: %s', (side) => {
    const every = () => true;
    const dropped = overlooked(recorded[side].slice(1, -1), every, (records, at) => void records.splice(at, 1));
    expect(dropped.slice(1, -1)).toEqual([]);
  });

  it.each(sides)('two records that are swapped: %s', (side) => {
    const missed = overlooked(
      recorded[side].slice(0, -1),
      () => true,
      (records, at) => {
        const next = records[at + 1];
        if (next !== undefined) records.splice(at, 2, next, records[at]!);
      },
    );
    expect(missed.slice(0, -1)).toEqual([]);
  });

  it('an event or a command that is dropped and whose gap is closed, up to where all is closed', () => {
    const end = recorded.client.findIndex((one) => one.kind === 'event' && one.event.type === 'api.close');
    // "close previous" is the last word of a channel that is stopped later on: it might never have come to it.
    const excused = recorded.client
      .slice(0, end)
      .filter((one) => one.kind === 'command' && one.command.type === 'close previous');
    const open = recorded.client.slice(0, end);
    const missed = overlooked(
      open,
      (one) => one.kind === 'event' || one.kind === 'command',
      (records, at) => {
        records.splice(at, 1);
        records.push(...recorded.client.slice(end));
        records.splice(0, records.length, ...renumbered(records));
      },
    );
    const told = (seq: number) => {
      const one = recorded.client[seq - 1]!;
      return one.kind === 'event' && /^msg\./.test(one.event.type) && !laterWord(recorded.client, one);
    };
    expect(missed.filter((seq) => !excused.some((one) => one.seq === seq) && !told(seq))).toEqual([]);
  });

  it('and it is told where, and what, with the records around it', () => {
    const records = [...recorded.client];
    const at = records.findIndex((one) => one.kind === 'wire' && one.from === 'chart' && /main:0$/.test(one.actor));
    const one = records[at] as Extract<JournalRecord, { kind: 'wire' }>;
    const bytes = one.bytes.slice();
    bytes[0]! ^= 1;
    records[at] = { ...one, bytes };
    const { seq } = one;
    const { mismatch } = verify(records) as Required<Report>;
    expect(mismatch).toMatchObject({ seq, actor: one.actor, around: [Math.max(1, seq - 3), seq + 3] });
    expect(mismatch.what).toMatch(/byte 0/);
  });
});

describe('a journal that breaks off', () => {
  it('holds wherever it does', async () => {
    const { client, source } = await record(stories['early-link']!.happen);
    for (const records of [client, source]) {
      for (let most = 0; most <= records.length; most++) {
        const report = verify(records.slice(0, most));
        expect(report.mismatch).toBeUndefined();
        if (most === records.length) expect(report).toMatchObject({ unfinished: [], owed: [] });
      }
    }
  });
});

describe('a journal of nonsense', () => {
  it.each<[string, JournalRecord]>([
    ['an unknown chart', event(1, 'client', { type: 'xstate.init', input: {} }, 'no/such')],
    ['an actor that was never born', event(1, 'client', { type: 'api.close', reason: '' })],
    ['a chart without its input', event(1, 'client', { type: 'xstate.init' }, 'link/client')],
    ['a command of nobody', { kind: 'command', seq: 1, at: 0, actor: 'client', command: { type: 'report' } }],
    [
      'bytes of nobody',
      { kind: 'wire', seq: 1, at: 0, actor: 'x', link: 'l', direction: 'in', bytes: new Uint8Array() },
    ],
    ['a link of nobody', { kind: 'link', seq: 1, at: 0, actor: 'x', link: 'l', found: true }],
    ['an end of nobody', { kind: 'end', seq: 1, at: 0, actor: 'x' }],
  ])('is told, not thrown: %s', (_what, one) => {
    expect(verify([one]).mismatch).toMatchObject({ seq: 1, actor: one.actor });
  });
});

function event(
  seq: number,
  actor: string,
  what: { type: string; [key: string]: unknown },
  chart?: string,
): JournalRecord {
  return { kind: 'event', seq, at: 0, actor, event: what, ...(chart === undefined ? {} : { chart }) };
}

/** Whether the same actor is told of further bytes after this. */
const laterWord = (records: readonly JournalRecord[], one: JournalRecord): boolean =>
  records.some(
    (other) => other.seq > one.seq && other.actor === one.actor && other.kind === 'wire' && other.direction === 'in',
  );

/** The same value with its first leaf, apart from nothing, made another. */
function bent(value: unknown): unknown {
  if (typeof value === 'number') return value + 1;
  if (typeof value === 'bigint') return value + 1n;
  if (typeof value === 'string') return `${value}.`;
  if (typeof value === 'boolean') return !value;
  if (value instanceof Uint8Array) return Uint8Array.from([...value, 1]);
  if (Array.isArray(value)) return [...value, 1];
  const entries = Object.entries(value as object);
  const last = entries.at(-1);
  return last === undefined ? { bent: true } : { ...Object.fromEntries(entries), [last[0]]: bent(last[1]) };
}
