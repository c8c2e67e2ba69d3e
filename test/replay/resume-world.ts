/**
 * A source, a target and a client in a time of their own, each with a journal. One of them dies at a record of its journal: what
 * it wrote before is on its way, all else that it held is gone. Another program takes up what it left. What costs real time,
 * keys and tickets, is free here.
 */
import type { Scheme } from '../../machines/contract.ts';
import { Client, type ClientEvent } from '../../src/client/client.ts';
import { takeUp } from '../../src/engine/past.ts';
import { LinkError } from '../../src/errors.ts';
import type { Past, ResumableJournal } from '../../src/journal/journal.ts';
import { MemoryJournal } from '../../src/journal/memory.ts';
import type { Entry, JournalRecord } from '../../src/journal/record.ts';
import { KeyStore } from '../../src/server/keys.ts';
import { Server, type ServerEvent } from '../../src/server/server.ts';
import { memoryPair } from '../../src/transport/memory.ts';
import type { Pipe, PipeHandlers } from '../../src/transport/pipe.ts';
import { goodKey } from '../support/raw-server.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

export const parties = ['source', 'target', 'client'] as const;
export type Name = (typeof parties)[number];

/** One program, from its start to its end, and what the world sees of it. */
class Life implements ResumableJournal {
  readonly name: Name;
  readonly journal: MemoryJournal;
  readonly ends = new Set<Pipe>();
  dead = false;
  private left: number;
  private readonly onDeath: () => void;

  /** `records`: how many it may write before it dies. */
  constructor(name: Name, journal: MemoryJournal, records: number, onDeath: () => void) {
    this.name = name;
    this.journal = journal;
    this.left = records;
    this.onDeath = onDeath;
  }

  append(entry: Entry): void {
    if (this.dead) return;
    this.journal.append(entry);
    if (--this.left > 0) return;
    this.dead = true;
    queueMicrotask(this.onDeath);
  }

  durable(): Promise<void> {
    return this.journal.durable();
  }

  past(root: 'server' | 'client'): Promise<Past | undefined> {
    return this.journal.past(root);
  }

  /** Its end of a connection. */
  own(pipe: Pipe): Pipe {
    this.ends.add(pipe);
    return new OwnEnd(this, pipe);
  }
}

/** Nothing that the dead do with a connection is seen. */
class OwnEnd implements Pipe {
  private readonly life: Life;
  private readonly pipe: Pipe;

  constructor(life: Life, pipe: Pipe) {
    this.life = life;
    this.pipe = pipe;
  }

  get peer() {
    return this.pipe.peer;
  }
  get secure() {
    return this.pipe.secure;
  }
  get pending() {
    return this.pipe.pending;
  }
  take(handlers: PipeHandlers, unread?: Uint8Array): void {
    this.pipe.take(
      {
        ...handlers,
        onClosed: (error) => {
          this.life.ends.delete(this.pipe);
          handlers.onClosed(error);
        },
      },
      unread,
    );
  }
  write(bytes: Uint8Array): void {
    if (!this.life.dead) this.pipe.write(bytes);
  }
  pause(): void {
    if (!this.life.dead) this.pipe.pause();
  }
  resume(): void {
    if (!this.life.dead) this.pipe.resume();
  }
  close(): void {
    if (!this.life.dead) this.pipe.close();
  }
  abort(): void {
    if (this.life.dead) return;
    this.life.ends.delete(this.pipe);
    this.pipe.abort();
  }
}

export interface ResumeWorldOptions {
  readonly schemes: readonly Scheme[];
  readonly latencyMs?: number;
  /** Who dies, and after how many records. */
  readonly death?: { readonly of: Name; readonly at: number };
}

const colours: Readonly<Record<string, number>> = { source: 0x112233, target: 0x445566 };

/** Keys take real time, and threads of the real machine. */
(KeyStore.prototype as unknown as { fill(): void }).fill = () => {};

/** Milliseconds until somebody who died is there again. */
const absence = 50;

export class ResumeWorld {
  readonly clock = new VirtualClock(1_000);
  readonly log: string[] = [];
  readonly told: { readonly host: Name; readonly event: ServerEvent }[] = [];
  readonly news: ClientEvent[] = [];
  /** Keys that hosts were given, in their order. */
  readonly keys: { readonly host: Name; readonly key: number }[] = [];
  readonly journals = new Map<Name, MemoryJournal>();
  /** Where the guest is. */
  guest: 'source' | 'target' = 'source';
  refuses: Name | undefined;
  /** Actors whose state was compared with the fold when they were taken up. */
  compared = 0;
  died = false;
  private readonly options: ResumeWorldOptions;
  private readonly lives = new Map<Name, Life>();
  private readonly servers = new Map<Name, Server>();
  private theClient: Client | undefined;
  private closed = false;
  private lastKey = 0;

  constructor(options: ResumeWorldOptions) {
    this.options = options;
  }

  async begin(): Promise<void> {
    for (const name of ['source', 'target', 'client'] as const) await this.live(name, false);
  }

  /** Undefined while it is not there. */
  server(name: 'source' | 'target'): Server | undefined {
    return this.lives.get(name)?.dead === false ? this.servers.get(name) : undefined;
  }

  get client(): Client | undefined {
    return this.lives.get('client')?.dead === false ? this.theClient : undefined;
  }

  /** Does something at a host, as soon as it is there. */
  async at(name: 'source' | 'target', act: (server: Server) => void): Promise<void> {
    await this.clock.until(() => this.server(name) !== undefined, 1_000);
    act(this.server(name)!);
  }

  heard(phase: string): boolean {
    return this.news.some((one) => one.event === 'handover' && one.phase === phase);
  }

  /** Why the session is over, if so. */
  get over(): string | undefined {
    const last = this.news.findLast((one) => one.event === 'closed');
    return last?.event === 'closed' ? last.reason : undefined;
  }

  /** Waits, but no longer than that. */
  async wait(done: () => boolean, ms: number): Promise<void> {
    await this.clock.until(() => done() || this.over !== undefined, ms).catch(() => {});
  }

  /** Sends a key that was never sent before, and returns it; undefined when it could not be sent. */
  press(): number | undefined {
    const key = ++this.lastKey;
    return this.client?.input.keyDown(key) ? key : undefined;
  }

  /** What the client shows: 0xRRGGBB of the first pixel. */
  get shown(): number | undefined {
    const data = this.client?.screens.get('display:0')?.primary()?.data;
    return data === undefined ? undefined : (data[2]! << 16) | (data[1]! << 8) | data[0]!;
  }

  colourOf(name: Name): number {
    return colours[name]!;
  }

  private async live(name: Name, again: boolean): Promise<void> {
    const { death } = this.options;
    const journal = this.journals.get(name) ?? new MemoryJournal();
    this.journals.set(name, journal);
    const records = !again && death?.of === name ? death.at : Number.POSITIVE_INFINITY;
    const life: Life = new Life(name, journal, records, () => void this.bury(life));
    this.lives.set(name, life);
    const taken = again ? await takeUp(life, name === 'client' ? 'client' : 'server', this.clock) : undefined;
    if (this.closed) return;
    const options = { clock: this.clock, schemes: this.options.schemes, journal: life };
    const log = (line: string) => this.log.push(`${name}: ${line}`);
    if (name === 'client') {
      const client = new Client(
        {
          ...{ ...options, log, destination: { host: 'source', port: 1 } },
          channels: ['display', 'inputs'],
          dial: async ({ host }) => this.dial(life, host as Name),
        },
        taken,
      );
      (client as any).linkServices.encryptTicket = async () => new Uint8Array(128);
      client.events.subscribe((event) => {
        if (!life.dead) this.news.push(event);
      });
      this.theClient = client;
    } else {
      const server = new Server({ ...options, log, width: 16, height: 16 }, {}, taken);
      (server as any).door.keys = {
        take: async () => ({ pubKey: goodKey, decrypt: async (ticket: Uint8Array) => ticket }),
      };
      server.events.subscribe((event) => {
        if (!life.dead) this.told.push({ host: name, event });
      });
      server.input.subscribe((event) => {
        if (!life.dead && event.type === 'key' && event.down) this.keys.push({ host: name, key: event.code });
      });
      server.display.fill({ left: 0, top: 0, right: 16, bottom: 16 }, colours[name]!);
      this.servers.set(name, server);
    }
  }

  private async dial(from: Life, to: Name): Promise<Pipe> {
    const server = this.servers.get(to);
    const life = this.lives.get(to);
    if (server === undefined || life === undefined || life.dead || this.refuses === to) {
      throw new LinkError(`${to} refuses`);
    }
    const { clock } = this;
    const pair = memoryPair({ clock, latencyMs: this.options.latencyMs ?? 0, names: ['client', to] });
    server.accept(life.own(pair.right));
    return from.own(pair.left);
  }

  /** The system closes what the dead one had open. */
  private async bury(life: Life): Promise<void> {
    this.died = true;
    for (const end of life.ends) {
      end.take({ onChunk: () => {}, onClosed: () => {} });
      end.close();
    }
    life.ends.clear();
    if (life.name === 'client') this.theClient!.close();
    else await this.servers.get(life.name)!.close();
    this.clock.setTimeout(() => void this.live(life.name, true), absence);
  }

  /** Ends a program without a word; after a while another one is there. */
  async kill(name: Name): Promise<void> {
    const life = this.lives.get(name)!;
    life.dead = true;
    await this.bury(life);
    await this.clock.advance(absence);
    await this.clock.until(() => this.lives.get(name) !== life, 1_000);
  }

  /** Breaks every connection of a host. */
  cut(name: Name): void {
    for (const end of [...this.lives.get(name)!.ends]) end.abort();
  }

  recordsOf(name: Name): readonly JournalRecord[] {
    return [...this.journals.get(name)!.read()];
  }

  get systems() {
    return [this.theClient!, ...this.servers.values()].map(({ system }) => system);
  }

  /** Closes all, and tells what is left. */
  async end() {
    this.closed = true;
    this.theClient!.close();
    for (const server of this.servers.values()) await server.close();
    await this.clock.advance(120_000);
    return {
      charts: this.systems.reduce((sum, { population }) => sum + population, 0),
      links: this.systems.reduce((sum, { links }) => sum + links.size, 0),
      waiters: this.systems.reduce((sum, { waiters }) => sum + waiters.size, 0),
      connections: [...this.lives.values()].reduce((sum, { ends }) => sum + ends.size, 0),
      timers: this.clock.waiting,
    };
  }
}
