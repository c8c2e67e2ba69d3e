/** Connections in memory, with a hand-written peer at one end: what links honestly and then says what it is given. */

import { type Client, type ClientOptions, connect } from '../../src/client/client.ts';
import { LinkError } from '../../src/errors.ts';
import { type MemoryPair, memoryPair } from '../../src/transport/memory.ts';
import type { Pipe } from '../../src/transport/pipe.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { Counter } from './count.ts';
import { demand } from './target.ts';

/** Lets everything happen that needs no time. */
export async function settle(turns = 3): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** One end, as a stranger holds it: counts what comes, and keeps the first bytes of it. */
export class Stranger {
  readonly pair: MemoryPair;
  readonly pipe: Pipe;
  received = 0;
  closed = false;
  /** Called with each chunk. */
  onHeard: () => void = () => {};
  private first = new Uint8Array(4_096);
  private kept = 0;

  /** `also`: is given each chunk, which is valid during the call only. */
  constructor(pair: MemoryPair, pipe: Pipe, also: (chunk: Uint8Array) => void = () => {}) {
    this.pair = pair;
    this.pipe = pipe;
    pipe.take({
      onChunk: (chunk) => {
        this.hear(chunk);
        also(chunk);
      },
      onClosed: () => {
        this.closed = true;
      },
    });
  }

  hear(chunk: Uint8Array): void {
    this.received += chunk.length;
    const room = this.first.subarray(this.kept);
    room.set(chunk.subarray(0, room.length));
    this.kept = Math.min(this.first.length, this.kept + chunk.length);
    this.onHeard();
  }

  /** What came first, as far as it is kept. */
  get said(): Uint8Array {
    return this.first.subarray(0, this.kept);
  }

  write(bytes: Uint8Array): void {
    if (bytes.length > 0) this.pipe.write(bytes.slice());
  }

  /** In pieces of that many bytes. */
  writeIn(bytes: Uint8Array, size: number): void {
    for (let at = 0; at < bytes.length; at += size) this.write(bytes.subarray(at, at + size));
  }
}

export const wire = (clock: VirtualClock): MemoryPair => memoryPair({ clock, names: ['stranger', 'here'] });

export interface StrangersClient {
  readonly client: Client;
  readonly clock: VirtualClock;
  /** In the order in which they were dialled. */
  readonly strangers: Stranger[];
  readonly counter: Counter;
  readonly log: string[];
  readonly closed: string[];
}

/** A client whose every connection is a stranger's. `dialled` is called with each. */
export function strangersClient(
  options: Partial<ClientOptions> = {},
  dialled: (stranger: Stranger) => void = () => {},
): StrangersClient {
  const clock = new VirtualClock();
  const log: string[] = [];
  const strangers: Stranger[] = [];
  const closed: string[] = [];
  const counter = new Counter();
  const client = connect({
    destination: { host: 'stranger', port: 1 },
    journal: counter,
    ...options,
    clock,
    log: (line) => log.push(line),
    dial: async ({ host }) => {
      if (strangers.length >= 64 || host.length > 200) throw new LinkError('nobody is there');
      const pair = wire(clock);
      const stranger = new Stranger(pair, pair.right);
      strangers.push(stranger);
      dialled(stranger);
      return pair.left;
    },
  });
  client.events.subscribe((event) => {
    if (event.event === 'closed') closed.push(event.reason);
  });
  return { client, clock, strangers, counter, log, closed };
}

/** Lines that tell of a fault of ours. */
export const faultsIn = (log: readonly string[]): string[] =>
  log.filter((line) => /a fault of ours|the chart failed|: [a-z_. ]+ failed: /.test(line));

/** Ends the session, and demands that nothing of it is left, and that its `size` bytes have not cost too much. */
export async function endStrangers(
  { client, clock, counter, log, closed }: StrangersClient,
  size: number,
): Promise<void> {
  client.close();
  await settle(2);
  await clock.advance(30_000);
  counter.check(size);
  demand(closed.length === 1, `the session closed ${closed.length} times`);
  demand(client.system.population === 0, `${client.system.population} charts are left`);
  demand(client.system.links.size === 0, 'links are left');
  demand(client.system.waiters.size === 0, 'channels wait still');
  const faults = faultsIn(log);
  demand(faults.length === 0, faults.join('\n'));
  demand(clock.waiting === 0, `${clock.waiting} timers are left`);
}
