/**
 * The one writer of a JetStream stream. Each message says which number the last one must have: whoever writes besides is
 * found out, by the server. What got no answer (a node died, the network was gone) is looked for before it is sent again, so
 * that nothing is lost and nothing is there twice.
 */
import { JetStreamApiCodes, JetStreamApiError, type JetStreamClient, type JetStreamManager } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import { JournalError } from './error.ts';

export interface Message {
  readonly subject: string;
  readonly fields: Readonly<Record<string, string>>;
  readonly bytes: Uint8Array;
}

/** Messages that are under way at a time. */
const window = 16;
/** Milliseconds that one message waits for its answer. */
const answerTime = 4_000;
/** Milliseconds that a cluster is given to find itself again. */
const patience = 30_000;
const breath = 100;

interface Item extends Message {
  readonly id: string;
  after: number;
  fate: 'under way' | 'kept' | 'unknown';
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Field that tells our own messages from those of others. */
const idField = 'Sumac-Id';

export class ShardWriter {
  private readonly client: JetStreamClient;
  private readonly manager: JetStreamManager;
  private readonly stream: string;
  private readonly who: string;
  private count = 0;
  private queue: Item[] = [];
  private underWay: Item[] = [];
  /** The number that the stream's last message has when all that is under way is kept. */
  private last: number;
  private recovering = false;
  /** When something went wrong first, since a message was kept. */
  private stuckSince: number | undefined;
  private broken: Error | undefined;

  /** `who`: a name that nobody else has. `last`: the number of the stream's last message. */
  constructor(client: JetStreamClient, manager: JetStreamManager, stream: string, who: string, last: number) {
    this.client = client;
    this.manager = manager;
    this.stream = stream;
    this.who = who;
    this.last = last;
  }

  /** Resolves when the message is kept, behind all that were handed over before. Rejects with JournalError. */
  write(message: Message): Promise<void> {
    if (this.broken !== undefined) return Promise.reject(this.broken);
    return new Promise((resolve, reject) => {
      const id = `${this.who}-${++this.count}`;
      this.queue.push({ ...message, id, after: 0, fate: 'under way', resolve, reject });
      this.pump();
    });
  }

  private pump(): void {
    while (!this.recovering && this.broken === undefined && this.queue.length > 0 && this.underWay.length < window) {
      const item = this.queue.shift()!;
      item.after = this.last++;
      item.fate = 'under way';
      this.underWay.push(item);
      void this.send(item);
    }
  }

  private async send(item: Item): Promise<void> {
    const fields = headers();
    for (const [name, value] of Object.entries(item.fields)) fields.set(name, value);
    fields.set(idField, item.id);
    try {
      const { seq } = await this.client.publish(item.subject, item.bytes, {
        msgID: item.id,
        headers: fields,
        expect: { lastSequence: item.after },
        timeout: answerTime,
        retries: 1,
      });
      item.fate = seq === item.after + 1 ? 'kept' : 'unknown';
    } catch {
      item.fate = 'unknown';
    }
    this.settle();
  }

  /** Tells those whose messages are kept, and all those before them too; what is in doubt is cleared up. */
  private settle(): void {
    while (this.underWay[0]?.fate === 'kept') {
      this.underWay.shift()!.resolve();
      this.stuckSince = undefined;
    }
    if (this.recovering) return;
    if (this.underWay.some(({ fate }) => fate === 'unknown')) {
      this.recovering = true;
      void this.recover();
    } else this.pump();
  }

  private async recover(): Promise<void> {
    try {
      // The queue may be answered and yet keep nothing, as long as too few nodes are there.
      this.stuckSince ??= performance.now();
      if (performance.now() - this.stuckSince > patience) throw new Error('nothing is kept any more');
      while (this.underWay.some(({ fate }) => fate === 'under way')) await pause(breath / 10);
      await this.lookForAll();
    } catch (error) {
      this.fail(
        error instanceof JournalError
          ? error
          : new JournalError('unwritable', `the journal ${this.stream} cannot be written: ${(error as Error).message}`),
      );
      return;
    }
    await pause(breath);
    this.recovering = false;
    this.settle();
  }

  /** Marks what is kept, and puts what is not back to be sent again. */
  private async lookForAll(): Promise<void> {
    for (const [i, item] of this.underWay.entries()) {
      if (item.fate === 'kept') continue;
      const found = await this.at(item.after + 1);
      if (found === item.id) {
        item.fate = 'kept';
        continue;
      }
      if (found !== undefined) throw new JournalError('locked', `somebody else writes to the journal ${this.stream}`);
      this.queue.unshift(...this.underWay.splice(i));
      this.last = item.after;
      break;
    }
  }

  /** The id of a message, '' of one that is not ours, or undefined if there is none. */
  private async at(seq: number): Promise<string | undefined> {
    const { state } = await patiently(() => this.manager.streams.info(this.stream));
    if (state.last_seq < seq) return undefined;
    try {
      const message = await patiently(() => this.manager.streams.getMessage(this.stream, { seq }));
      return message?.header.get(idField) ?? '';
    } catch (error) {
      if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.NoMessageFound) return '';
      throw error;
    }
  }

  private fail(error: Error): void {
    this.broken = error;
    for (const item of [...this.underWay.splice(0), ...this.queue.splice(0)]) item.reject(error);
  }
}

/** Asks again while a cluster finds itself. Throws what is no question of time, and whatever lasts too long. */
export async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  const until = performance.now() + patience;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      const passing = !(error instanceof JetStreamApiError) || error.code === unavailable || error.code === noQuorum;
      if (!passing || error instanceof JournalError || performance.now() > until) throw error;
    }
    await pause(breath);
  }
}

/** JetStream's words for "not now". */
const unavailable = 10008;
const noQuorum = 10009;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
