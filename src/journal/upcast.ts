/**
 * Brings records of older versions up to the present one. An upcast knows what was meant when its version was written, and
 * adds what that version did not say. It never loses anything, and a journal is never rewritten.
 */
import { type JournalRecord, type Origin, recordVersion, type WireRecord } from './record.ts';

type Upcast = (record: JournalRecord) => JournalRecord;

/** Makes the upcast from version n, under n. Each journal has its own, for some have to remember what came before. */
const steps: Readonly<Record<number, () => Upcast>> = { 1: tellOrigins, 2: () => (record) => record };

/** Brings the records of one journal up to the present version; they must be handed to it in their order. */
export class Upcaster {
  private readonly made = new Map<number, Upcast>();

  /** `version`: that of the record. */
  lift(version: number, record: JournalRecord): JournalRecord {
    let lifted = record;
    for (let v = version; v < recordVersion; v++) {
      let step = this.made.get(v);
      if (step === undefined) this.made.set(v, (step = steps[v]!()));
      lifted = step(lifted);
    }
    return lifted;
  }
}

/**
 * 1 → 2: bytes sent did not tell from whom they are. Those of the link stage are always a chart's; a client's data plane says
 * only ack_sync, ack and pong, and a server's only set_ack, as soon as it has a link; a chart's follow its command at once.
 */
function tellOrigins(): Upcast {
  let before: JournalRecord | undefined;
  return (record) => {
    const lifted =
      record.kind === 'wire' && record.direction === 'out' ? { ...record, from: originOf(record, before) } : record;
    before = record;
    return lifted;
  };
}

const sends: ReadonlySet<string> = new Set(['send', 'send carried', 'violation']);
const setAck = 3;
const lastOfPlane = 3;

function originOf(record: WireRecord, before: JournalRecord | undefined): Origin {
  if (/(^|\/)link:/.test(record.actor)) return 'chart';
  const mine = before?.actor === record.actor ? before : undefined;
  if (mine?.kind === 'command' && sends.has(mine.command.type)) return 'chart';
  const number = numberOf(record);
  if (record.actor.startsWith('server')) return number === setAck && mine?.kind === 'link' ? 'plane' : 'application';
  return number <= lastOfPlane ? 'plane' : 'application';
}

/** The number of the message: each that is sent has a record of its own, so the size tells the kind of header. */
function numberOf({ bytes }: WireRecord): number {
  const mini = bytes.length >= 6 && bytes.length - 6 === u32(bytes, 2);
  return mini ? bytes[0]! | (bytes[1]! << 8) : (bytes[8] ?? 0) | ((bytes[9] ?? 0) << 8);
}

const u32 = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
