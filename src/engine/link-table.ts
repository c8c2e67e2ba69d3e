/** Links that are up, by name, each with its pipe, until a channel takes it. */
import type { Agreed, LinkName } from '../../machines/contract.ts';
import type { Pipe } from '../transport/pipe.ts';

export interface Link {
  readonly name: LinkName;
  readonly pipe: Pipe;
  readonly agreed: Agreed;
  /** Bytes that were read from the pipe and belong to the one who takes it. */
  readonly unread: Uint8Array;
}

/** A link that is up and waits to be used. */
export interface ParkedLink {
  /** Gives the link away for good. */
  take(): Link;
  /** Gives it away for a while. */
  lend(): Link;
  /** Takes it back, with what was read and is not the borrower's. */
  takeBack(unread: readonly Uint8Array[]): void;
}

export class LinkTable {
  private readonly parked = new Map<LinkName, ParkedLink>();

  park(name: LinkName, link: ParkedLink): void {
    this.parked.set(name, link);
  }

  forget(name: LinkName): void {
    this.parked.delete(name);
  }

  /** Undefined if the link is gone. */
  take(name: LinkName): Link | undefined {
    const link = this.parked.get(name);
    this.parked.delete(name);
    return link?.take();
  }

  /** Undefined if the link is gone. */
  borrow(name: LinkName): Link | undefined {
    return this.parked.get(name)?.lend();
  }

  giveBack(name: LinkName, unread: readonly Uint8Array[]): void {
    this.parked.get(name)?.takeBack(unread);
  }

  get size(): number {
    return this.parked.size;
  }
}
