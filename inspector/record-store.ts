/**
 * The records that a hub keeps, within bounds: busy data messages apart from the rest, so that a stream of pictures never
 * pushes a hand-over out. What costs time to show (contexts, event bodies) is held as it is and shown when somebody looks.
 */
import type { FeedRecord } from './feed.ts';
import { Ring } from './ring.ts';

/** A record, and what is left to fill in when it is first looked at. */
interface Held {
  record: FeedRecord;
  finish: ((record: FeedRecord) => FeedRecord) | undefined;
}

export interface StoreLimits {
  /** Records other than data messages. */
  readonly records: number;
  /** Data messages. */
  readonly messages: number;
  /** Bytes of message bodies. */
  readonly bytes: number;
  /** Bytes kept of one body. */
  readonly body: number;
}

export class RecordStore {
  private readonly limits: StoreLimits;
  private readonly steady: Ring<Held>;
  private readonly busy: Ring<Held>;
  private readonly bodies = new Map<number, Uint8Array>();
  private bodyBytes = 0;
  private fresh: Held[] = [];
  /** Records that made room for newer ones. */
  forgotten = 0;

  constructor(limits: StoreLimits) {
    this.limits = limits;
    this.steady = new Ring(limits.records);
    this.busy = new Ring(limits.messages);
  }

  add(record: FeedRecord, finish?: (record: FeedRecord) => FeedRecord): void {
    const held = { record, finish };
    const ring = record.kind === 'wire' && record.path === 'data' ? this.busy : this.steady;
    const old = ring.push(held);
    if (old !== undefined) {
      this.forgotten++;
      this.dropBody(old.record.seq);
    }
    this.fresh.push(held);
  }

  /** Keeps the beginning of a body, in place of the oldest ones if there is no room. */
  addBody(seq: number, body: Uint8Array): void {
    const kept = body.slice(0, this.limits.body);
    this.bodies.set(seq, kept);
    this.bodyBytes += kept.length;
    for (const oldest of this.bodies.keys()) {
      if (this.bodyBytes <= this.limits.bytes) break;
      this.dropBody(oldest);
    }
  }

  body(seq: number): Uint8Array | undefined {
    return this.bodies.get(seq);
  }

  /** The record with this number, if it is kept. */
  find(seq: number): FeedRecord | undefined {
    for (const ring of [this.steady, this.busy]) {
      const held = ring.at(ring.firstIndex((h) => h.record.seq >= seq));
      if (held?.record.seq === seq) return finished(held);
    }
    return undefined;
  }

  /** What was added since the last call. */
  takeFresh(): FeedRecord[] {
    const fresh = this.fresh;
    this.fresh = [];
    return fresh.map(finished);
  }

  /** Nobody wants to know what was added. */
  dropFresh(): void {
    if (this.fresh.length > 0) this.fresh = [];
  }

  /** The last `count` records before number `seq`, oldest first. Only these are made presentable. */
  before(seq: number, count: number): FeedRecord[] {
    let steady = this.steady.firstIndex((h) => h.record.seq >= seq);
    let busy = this.busy.firstIndex((h) => h.record.seq >= seq);
    const out: FeedRecord[] = [];
    while (out.length < count && steady + busy > 0) {
      const a = steady > 0 ? this.steady.at(steady - 1) : undefined;
      const b = busy > 0 ? this.busy.at(busy - 1) : undefined;
      if (b === undefined || (a !== undefined && a.record.seq > b.record.seq)) {
        out.push(finished(a!));
        steady--;
      } else {
        out.push(finished(b));
        busy--;
      }
    }
    return out.reverse();
  }

  private dropBody(seq: number): void {
    const body = this.bodies.get(seq);
    if (body === undefined) return;
    this.bodyBytes -= body.length;
    this.bodies.delete(seq);
  }
}

function finished(held: Held): FeedRecord {
  if (held.finish !== undefined) {
    held.record = held.finish(held.record);
    held.finish = undefined;
  }
  return held.record;
}
