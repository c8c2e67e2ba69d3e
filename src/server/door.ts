/**
 * Where links are let in: who may come at all, in which order strangers are served, which key each gets, and whose password
 * opens. It knows nothing of sessions and channels; what a link is, its chart decides.
 */
import { afterOthers, type Clock, calendarNow, wallClock } from '../engine/clock.ts';
import type { ServerLinkServices } from '../engine/server-link.ts';
import { addressWord } from '../protocol/address.ts';
import { LinkErrorCode } from '../protocol/link.ts';
import { peerOf } from './connections.ts';
import { KeyStore } from './keys.ts';
import { Password } from './password.ts';
import { Refusals } from './refusals.ts';
import { price, Turns } from './turns.ts';
import { type VisitorLimits, Visitors } from './visitors.ts';

export interface DoorOptions extends VisitorLimits {
  /** At most 60 bytes. Without one everybody may link. */
  readonly password?: string | undefined;
  /** Channels that are refused on a plain connection. */
  readonly secureChannels?: readonly string[] | undefined;
}

export class Door {
  readonly password: Password;
  private readonly visitors: Visitors;
  /** The loop's turns are real, whatever time it is in there. */
  private readonly turns = new Turns(wallClock, afterOthers);
  private readonly keys = new KeyStore();
  private readonly refusals: Refusals;
  private readonly secureChannels: readonly string[];

  /** Throws UsageError when the password is too long. */
  constructor(options: DoorOptions, clock: Clock, log: (line: string) => void) {
    this.password = new Password(options.password, calendarNow);
    this.secureChannels = options.secureChannels ?? [];
    this.visitors = new Visitors(options, () => clock.now(), log);
    this.refusals = new Refusals(clock, log);
  }

  /** Makes keys ahead, from now on. */
  open(): void {
    this.keys.stock();
  }

  /** What waits is dropped, and nothing more is told. */
  close(): void {
    this.turns.close();
    this.refusals.close();
  }

  /** Whether a link from there would be let in now: to be asked before anything is made for it. */
  welcomes(address: string | undefined): boolean {
    return this.visitors.welcomes(address);
  }

  /** A link has come, from a peer of that name; false: there is no room for it. */
  enter(link: string, peer: string): boolean {
    return this.visitors.enter(link, peerOf(peer).host);
  }

  /** What a link of the network that is nobody yet causes is done when sessions have had their turn. */
  inTurn(link: string, step: keyof typeof price, run: () => void): void {
    const origin = this.visitors.originOf(link);
    if (origin === undefined) run();
    else this.turns.do(origin, this.visitors.rankOf(link), price[step], run);
  }

  /** A line about somebody who was turned away. */
  refused(address: string | undefined, line: string): void {
    this.refusals.note(address, line);
  }

  /** For the hosts of links. `linked`: told of each link whose ticket was good. */
  services(caps: ServerLinkServices['caps'], linked: NonNullable<ServerLinkServices['linked']>): ServerLinkServices {
    return {
      caps,
      makeKey: (_link, signal) => this.keys.take(signal),
      admits: (password, link) => !this.visitors.isRefused(link) && this.password.admits(password),
      policy: (channel, secure, link) => {
        if (!secure && this.secureChannels.includes(addressWord(channel))) return LinkErrorCode.needSecured;
        return this.visitors.isRefused(link) ? LinkErrorCode.permissionDenied : undefined;
      },
      inTurn: (link, step, run) => this.inTurn(link, step, run),
      refused: (_link, peer, line) => this.refused(peerOf(peer).host, line),
      denied: (link) => this.visitors.wrongPassword(link),
      over: (link) => this.visitors.finished(link),
      linked: (link, channel, connectionId) => {
        this.visitors.proven(link);
        this.visitors.finished(link);
        linked(link, channel, connectionId);
      },
    };
  }
}
