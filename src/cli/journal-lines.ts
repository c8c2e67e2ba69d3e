/** Records and reports as lines, for people and as JSON. Whatever a peer has said in them is made harmless on the way. */
import type { StreamReport } from '../engine/verify-stream.ts';
import { type JournalRecord, LeftOut } from '../journal/record.ts';
import type { StreamHead } from '../journal/store.ts';
import { jsonLine, plain } from './terminal.ts';

export const headJson = (head: StreamHead): string => {
  const { name, born, touched, last, bytes, finished, open, secrets, program } = head;
  return jsonLine({
    session: name,
    born,
    touched,
    records: last,
    bytes,
    state: stateOf(finished, open),
    secrets,
    program,
  });
};

export function headLine({ name, born, last, bytes, finished, open, secrets }: StreamHead): string {
  const when = new Date(born).toISOString().slice(0, 19).replace('T', ' ');
  const kept = secrets ? '  with secrets' : '';
  return plain(
    `${name.padEnd(44)} ${when}  ${String(last).padStart(9)} records  ${sizeOf(bytes).padStart(9)}  ` +
      `${stateOf(finished, open)}${kept}`,
  );
}

const stateOf = (finished: boolean, open: boolean): string => (finished ? 'finished' : open ? 'running' : 'broken off');

export const sizeOf = (bytes: number): string =>
  bytes < 10_000
    ? `${bytes} B`
    : bytes < 10_000_000
      ? `${(bytes / 1_000).toFixed(0)} kB`
      : bytes < 10_000_000_000
        ? `${(bytes / 1_000_000).toFixed(0)} MB`
        : `${(bytes / 1_000_000_000).toFixed(1)} GB`;

/** Bytes are in hex. */
export const recordJson = (record: JournalRecord): string =>
  jsonLine(JSON.parse(JSON.stringify(record, (_key, value: unknown) => shortened(value, Number.POSITIVE_INFINITY))));

/** `zero`: what the clock said at the session's first record. */
export function recordLine(record: JournalRecord, zero: number): string {
  const { seq, at, actor, kind } = record;
  const time = `${((at - zero) / 1000).toFixed(3)} s`;
  return plain(
    `${String(seq).padStart(7)} ${time.padStart(11)}  ${actor.padEnd(28)} ${kind.padEnd(7)} ${tailOf(record)}`,
  );
}

const mostHex = 24;

function tailOf(record: JournalRecord): string {
  switch (record.kind) {
    case 'wire': {
      const { direction, link, from, bytes, left = [] } = record;
      const out = left.length > 0 ? `  left out: ${[...new Set(left.map(({ what }) => what))].join(', ')}` : '';
      return `${direction.padEnd(3)} ${link}${from === undefined ? '' : ` from ${from}`}  ${bytes.length} bytes  ${hex(bytes, mostHex)}${out}`;
    }
    case 'link':
      return `${record.link} ${record.found ? 'taken' : 'gone'}`;
    case 'event': {
      const { type, ...rest } = record.event;
      return `${record.chart === undefined ? '' : `[${record.chart}] `}${type} ${detailOf(rest)}`;
    }
    case 'command': {
      const { type, ...rest } = record.command;
      return `${type} ${detailOf(rest)}`;
    }
    case 'checkpoint':
      return `${record.timers.length} timers`;
    case 'end':
    case 'resume':
      return '';
  }
}

const detailOf = (rest: object): string =>
  Object.keys(rest).length === 0 ? '' : JSON.stringify(rest, (_key, value: unknown) => shortened(value, mostHex));

function shortened(value: unknown, most: number): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (value instanceof LeftOut) return { leftOut: value.what, size: value.size };
  if (value instanceof Uint8Array) return hex(value, most);
  if (value instanceof Error) return { error: value.message };
  return value;
}

function hex(bytes: Uint8Array, most: number): string {
  let text = '';
  for (const byte of bytes.subarray(0, most)) text += byte.toString(16).padStart(2, '0');
  return bytes.length > most ? `${text}…` : text;
}

export function reportLines(name: string, report: StreamReport): string[] {
  const { events, commands, bytes, leftOut, owed, mismatch, damage } = report;
  const counts = `${events} events, ${commands} commands, ${bytes} bytes compared`;
  const left = leftOut > 0 ? ` (${leftOut} bytes are left out of it)` : '';
  const lines = [`${name}: ${counts}, ${mismatch === undefined ? '0 mismatches' : '1 mismatch'}${left}`];
  if (mismatch !== undefined) {
    const [from, to] = mismatch.around;
    lines.push(`  record ${mismatch.seq}, ${mismatch.actor}: ${mismatch.what}`, `  look at records ${from} to ${to}`);
  }
  if (damage !== undefined) lines.push(`  damaged: ${damage}; what comes before it was looked at`);
  else if (mismatch === undefined && owed.length > 0) lines.push(`  it breaks off in the middle of a step: ${owed[0]}`);
  return lines.map((line) => plain(line, 2_000));
}
