/**
 * A network of named hosts inside one process: servers and clients joined by memory pipes, each connection with its latency,
 * and the faults that a real one has: refusing, silent, dying.
 */
import type { Destination } from '../../machines/contract.ts';
import { type Client, type ClientOptions, connect } from '../../src/client/client.ts';
import { type Clock, wallClock } from '../../src/engine/clock.ts';
import { LinkError } from '../../src/errors.ts';
import type { Journal } from '../../src/journal/journal.ts';
import { type Server, type ServerOptions, Server as SpiceServer } from '../../src/server/server.ts';
import { type MemoryPair, memoryPair } from '../../src/transport/memory.ts';

export class Network {
  readonly clock: Clock;
  readonly log: string[] = [];
  latencyMs = 0;
  /** Called for each connection that was opened. */
  onDial: ((host: string, pair: MemoryPair) => void) | undefined;
  private readonly servers = new Map<string, Server>();
  private readonly behaviour = new Map<string, 'serves' | 'refuses' | 'is silent'>();
  private readonly pairs = new Map<string, MemoryPair[]>();
  private readonly clients: Client[] = [];

  constructor(clock: Clock = wallClock) {
    this.clock = clock;
  }

  server(name: string, options: ServerOptions = {}): Server {
    const server = new SpiceServer({
      clock: this.clock,
      log: (line) => this.log.push(`${name}: ${line}`),
      ...options,
    });
    this.servers.set(name, server);
    return server;
  }

  client(host: string, options: Partial<ClientOptions> = {}, journal?: Journal): Client {
    const client = connect({
      destination: { host, port: 1 },
      dial: (destination) => this.dial(destination),
      clock: this.clock,
      log: (line) => this.log.push(`client: ${line}`),
      ...(journal === undefined ? {} : { journal }),
      ...options,
    });
    this.clients.push(client);
    return client;
  }

  /** From now on connections to this host come to nothing, one way or the other. */
  make(host: string, how: 'serves' | 'refuses' | 'is silent'): void {
    this.behaviour.set(host, how);
  }

  /** Breaks every connection to a host; `only`: those that were made as the first, the third … (0, 2 …). */
  cut(host: string, only?: readonly number[]): void {
    const pairs = this.pairs.get(host) ?? [];
    for (const [i, pair] of pairs.entries()) if (only?.includes(i) ?? true) pair.cut();
    if (only === undefined) this.pairs.set(host, []);
  }

  async close(): Promise<void> {
    for (const client of this.clients) client.close();
    for (const server of this.servers.values()) await server.close();
  }

  private async dial({ host }: Destination) {
    const how = this.behaviour.get(host) ?? 'serves';
    const server = this.servers.get(host);
    if (server === undefined || how === 'refuses') throw new LinkError(`${host} refuses`);
    const pair = memoryPair({ latencyMs: this.latencyMs, clock: this.clock, names: ['client:1', `${host}:1`] });
    this.pairs.set(host, [...(this.pairs.get(host) ?? []), pair]);
    this.onDial?.(host, pair);
    if (how === 'is silent') pair.right.take({ onChunk: () => {}, onClosed: () => {} });
    else server.accept(pair.right);
    return pair.left;
  }
}

/** Resolves with the first value that fits; rejects with what came instead when `ms` real milliseconds are over. */
export function first<T, S extends T>(
  source: { subscribe(next: (value: T) => void): { unsubscribe(): void } },
  fits: (value: T) => value is S,
  ms?: number,
): Promise<S>;
export function first<T>(
  source: { subscribe(next: (value: T) => void): { unsubscribe(): void } },
  fits: (value: T) => boolean,
  ms?: number,
): Promise<T>;
export function first<T>(
  source: { subscribe(next: (value: T) => void): { unsubscribe(): void } },
  fits: (value: T) => boolean,
  ms = 5_000,
): Promise<T> {
  const seen: unknown[] = [];
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      subscription.unsubscribe();
      reject(new Error(`not in ${ms} ms; seen: ${JSON.stringify(seen)}`));
    }, ms);
    const subscription = source.subscribe((value) => {
      seen.push(value);
      if (!fits(value)) return;
      clearTimeout(timer);
      queueMicrotask(() => subscription.unsubscribe());
      resolve(value);
    });
  });
}
