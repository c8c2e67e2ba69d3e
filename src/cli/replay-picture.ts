/**
 * What a display showed at a moment of a journal, worked out from the bytes of its channel: those that a client received, or
 * those that a server sent. It is fed records and looks at nothing else.
 */
import { Caches } from '../client/caches.ts';
import { type Keep, Screen } from '../client/screen.ts';
import { Deframer } from '../engine/deframe.ts';
import type { JournalRecord, LinkRecord } from '../journal/record.ts';
import { ValueReader, ValueWriter } from '../journal/value.ts';
import { decodeMessage } from '../protocol/channel.ts';
import { DisplayChannel } from '../protocol/display.ts';
import { longestBody, readSubMessages } from '../protocol/header.ts';

interface Shown {
  readonly screen: Screen;
  link: string | undefined;
  mini: boolean;
  deframer: Deframer | undefined;
}

const listNumber = 8;

/** Bytes of drawing between two states that are kept, if that is more than four times what is kept. */
const leastBetween = 16 * 1024 * 1024;
const version = 1;

export class ReplayedDisplays {
  /** Bytes of drawing taken in since a state was last read or written. */
  private since = 0;
  private lastSize = 0;
  /** Displays that were reset since the caches were cleared. */
  private readonly forgotten = new Set<string>();
  /** By the actor's last name: "display:0". */
  readonly screens = new Map<string, Screen>();
  private readonly caches = new Caches();
  private readonly shown = new Map<string, Shown>();

  take(record: JournalRecord): void {
    const { actor } = record;
    const name = actor.slice(actor.lastIndexOf('/') + 1);
    if (!/^display:\d+$/.test(name)) return;
    if (record.kind === 'event' && record.chart !== undefined) this.begin(actor, name);
    const shown = this.shown.get(actor);
    if (shown === undefined) return;
    const side = actor.startsWith('server') ? 'out' : 'in';
    switch (record.kind) {
      case 'link':
        this.follow(shown, record);
        break;
      case 'wire':
        if (record.direction === side && record.link === shown.link) this.push(shown, record.bytes);
        break;
      case 'command':
        if (record.command.type === 'reset') this.reset(name, shown.screen, record.command.keep as Keep);
        else if (record.command.type === 'attach') this.beginAfresh(actor, shown.screen);
        else if (record.command.type === 'close') shown.link = undefined;
        break;
      case 'end':
        this.shown.delete(actor);
        break;
    }
  }

  /** So much was drawn that it is worth keeping what came of it. */
  get isWorthKeeping(): boolean {
    return this.since > Math.max(leastBetween, this.lastSize * 4);
  }

  /** All that the displays are, in bytes. */
  async state(): Promise<Uint8Array> {
    for (const screen of this.screens.values()) await screen.settled();
    const screens = [...this.screens].map(([name, screen]) => ({ name, state: flat(screen.state()) }));
    const shown = [...this.shown].map(([actor, { screen, link, mini, deframer }]) => ({
      ...{ actor, link, mini, rest: deframer?.started() },
      name: screens.find(({ name }) => this.screens.get(name) === screen)!.name,
    }));
    const writer = new ValueWriter();
    writer.value({ version, screens, shown, forgotten: [...this.forgotten], caches: flat(this.caches.state()) });
    const bytes = writer.written().slice();
    this.since = 0;
    this.lastSize = bytes.length;
    return bytes;
  }

  /** Becomes what others were. False, and they are as they were before, when these are no such bytes. */
  restore(bytes: Uint8Array): boolean {
    let found: any;
    try {
      found = new ValueReader(bytes).value();
    } catch {
      return false;
    }
    if (found?.version !== version) return false;
    this.caches.restore(deep(found.caches));
    for (const name of found.forgotten) this.forgotten.add(name);
    for (const { name, state } of found.screens) {
      const screen = new Screen({ caches: this.caches });
      screen.restore(deep(state));
      this.screens.set(name, screen);
    }
    for (const { actor, name, link, mini, rest } of found.shown) {
      const shown: Shown = { screen: this.screens.get(name)!, link, mini, deframer: undefined };
      this.shown.set(actor, shown);
      if (rest === undefined) continue;
      this.cut(shown);
      this.push(shown, rest);
    }
    this.since = 0;
    this.lastSize = bytes.length;
    return true;
  }

  /** The picture of the first display, when all that came is drawn. Undefined while it shows nothing. */
  async picture() {
    const [first] = [...this.screens.keys()].sort((a, b) => numberOf(a) - numberOf(b));
    const screen = first === undefined ? undefined : this.screens.get(first);
    await screen?.settled();
    return screen?.shown();
  }

  /** What could not be drawn, one line each. */
  get undrawn(): string[] {
    return [...this.screens.values()].flatMap((screen) =>
      [...screen.undrawn].map(([what, times]) => `not drawn, ${times} times: ${what}`),
    );
  }

  private begin(actor: string, name: string): void {
    let screen = this.screens.get(name);
    if (screen === undefined) {
      screen = new Screen({ caches: this.caches });
      this.screens.set(name, screen);
    }
    this.shown.set(actor, { screen, link: undefined, mini: true, deframer: undefined });
  }

  /** What the displays of a session share is forgotten once, however many are reset. */
  private reset(name: string, screen: Screen, keep: Keep): void {
    if (keep !== 'everything') {
      if (this.forgotten.size === 0 || this.forgotten.has(name)) {
        this.caches.clear();
        this.forgotten.clear();
      }
      this.forgotten.add(name);
    }
    screen.reset(keep);
  }

  /** A server that knows nothing of what the display shows. */
  private beginAfresh(actor: string, screen: Screen): void {
    if (![...this.shown].some(([other, { link }]) => other !== actor && link !== undefined)) {
      this.caches.clear();
      this.forgotten.clear();
    }
    screen.reset('nothing');
  }

  private follow(shown: Shown, { link, found, mini = true }: LinkRecord): void {
    shown.link = found ? link : undefined;
    shown.mini = mini;
    this.cut(shown);
  }

  private cut(shown: Shown): void {
    const apply = (number: number, body: Uint8Array) => {
      const entry = DisplayChannel.tables.server.byNumber.get(number);
      if (entry !== undefined) shown.screen.apply(decodeMessage(DisplayChannel, 'server', number, body));
    };
    shown.deframer = new Deframer(shown.mini, longestBody('server', 'display'), (number, body, subList) => {
      const subs = subList > 0 ? readSubMessages(body, subList) : number === listNumber ? readSubMessages(body, 0) : [];
      for (const sub of subs) apply(sub.number, sub.body);
      if (number !== listNumber) apply(number, subList > 0 ? body.subarray(0, subList) : body);
    });
  }

  private push(shown: Shown, bytes: Uint8Array): void {
    this.since += bytes.length;
    try {
      shown.deframer?.push(bytes);
    } catch {
      // What breaks the rules was not shown then either.
      shown.deframer = undefined;
    }
  }
}

interface Typed {
  readonly typed: 8 | 16 | 32;
  readonly bytes: Uint8Array;
}

/** The same with pixels as bytes. A state is read on the machine that wrote it, or is worked out again. */
function flat(value: unknown): unknown {
  if (value instanceof Uint8Array || value instanceof Uint16Array || value instanceof Uint32Array) {
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    return { typed: value.BYTES_PER_ELEMENT * 8, bytes };
  }
  if (Array.isArray(value)) return value.map(flat);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, flat(one)]));
}

function deep(value: unknown): any {
  if (Array.isArray(value)) return value.map(deep);
  if (typeof value !== 'object' || value === null) return value;
  const { typed, bytes } = value as Partial<Typed>;
  if (bytes instanceof Uint8Array) {
    const own = bytes.slice();
    return typed === 32 ? new Uint32Array(own.buffer) : typed === 16 ? new Uint16Array(own.buffer) : own;
  }
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, deep(one)]));
}

const numberOf = (name: string): number => Number(name.slice(name.indexOf(':') + 1));
