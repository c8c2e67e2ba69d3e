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

export class LinkTable {
  private readonly up = new Map<LinkName, () => Link>();

  /** `hand` gives the link away; it is called at most once. */
  park(name: LinkName, hand: () => Link): void {
    this.up.set(name, hand);
  }

  forget(name: LinkName): void {
    this.up.delete(name);
  }

  /** Undefined if the link is gone. */
  take(name: LinkName): Link | undefined {
    const hand = this.up.get(name);
    this.up.delete(name);
    return hand?.();
  }

  get size(): number {
    return this.up.size;
  }
}
