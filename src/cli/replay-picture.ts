/**
 * What a display showed at a moment of a journal, worked out from the bytes of its channel: those that a client received, or
 * those that a server sent. It is fed records and looks at nothing else.
 */
import { Caches } from '../client/caches.ts';
import { type Keep, Screen } from '../client/surface.ts';
import { Deframer } from '../engine/deframe.ts';
import type { JournalRecord, LinkRecord } from '../journal/record.ts';
import { decodeMessage } from '../protocol/channel.ts';
import { DisplayChannel } from '../protocol/display.ts';
import { longestBody, readSubMessages } from '../protocol/header.ts';

interface Shown {
  readonly screen: Screen;
  link: string | undefined;
  deframer: Deframer | undefined;
}

const listNumber = 8;

export class ReplayedDisplays {
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
        if (record.command.type === 'reset') shown.screen.reset(record.command.keep as Keep);
        else if (record.command.type === 'close') shown.link = undefined;
        break;
      case 'end':
        this.shown.delete(actor);
        break;
    }
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
    } else screen.reset('primary');
    this.shown.set(actor, { screen, link: undefined, deframer: undefined });
  }

  private follow(shown: Shown, { link, found, mini = true }: LinkRecord): void {
    shown.link = found ? link : undefined;
    const apply = (number: number, body: Uint8Array) => {
      const entry = DisplayChannel.tables.server.byNumber.get(number);
      if (entry !== undefined) shown.screen.apply(decodeMessage(DisplayChannel, 'server', number, body));
    };
    shown.deframer = new Deframer(mini, longestBody('server', 'display'), (number, body, subList) => {
      const subs = subList > 0 ? readSubMessages(body, subList) : number === listNumber ? readSubMessages(body, 0) : [];
      for (const sub of subs) apply(sub.number, sub.body);
      if (number !== listNumber) apply(number, subList > 0 ? body.subarray(0, subList) : body);
    });
  }

  private push(shown: Shown, bytes: Uint8Array): void {
    try {
      shown.deframer?.push(bytes);
    } catch {
      // What breaks the rules was not shown then either.
      shown.deframer = undefined;
    }
  }
}

const numberOf = (name: string): number => Number(name.slice(name.indexOf(':') + 1));
