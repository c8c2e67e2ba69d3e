/**
 * Counts the messages of one channel, and lets some of them through to be recorded. This stands in the fast path of the data
 * plane: a message that is only counted costs a few additions, and no allocation.
 */
import type { Channel, Side } from '../src/protocol/channel.ts';
import { channels } from '../src/protocol/index.ts';
import type { Count } from './feed.ts';

export interface TapTarget {
  /** A message was let through. The body is valid until this returns. */
  keep(tap: MessageTap, counter: Counter, direction: 'in' | 'out', body: Uint8Array): void;
  /** A counter has changed since it was last read. */
  changed(counter: Counter): void;
}

export interface TapOptions {
  readonly actor: string;
  /** SPICE address, "display:0". */
  readonly channel: string;
  /** Which side we are; the peer is the other. */
  readonly side: Side;
  readonly peer: string;
}

export class Counter {
  readonly name: string;
  readonly path: 'control' | 'data';
  readonly of: { readonly actor: string; readonly channel: string; readonly direction: 'in' | 'out' };
  count = 0;
  bytes = 0;
  changed = false;

  constructor(name: string, path: 'control' | 'data', of: Counter['of']) {
    this.name = name;
    this.path = path;
    this.of = of;
  }

  read(): Count {
    this.changed = false;
    return { ...this.of, name: this.name, count: this.count, bytes: this.bytes };
  }
}

/** Numbers above this share one counter: an unknown message is an error anyway. */
const mostNumber = 511;

export class MessageTap {
  readonly actor: string;
  readonly channel: string;
  /** May change when the channel moves to another server. */
  peer: string;
  /** What people call the server that a link leads to; the address of its pipe where there is no name. */
  nameOf: (link: string) => string | undefined = () => undefined;
  /** Data messages that may still be let through before the next refill. */
  allowance = 0;
  private readonly target: TapTarget;
  private readonly declared: Channel | undefined;
  private readonly side: Side;
  private readonly read: (Counter | undefined)[] = [];
  private readonly written: (Counter | undefined)[] = [];
  private skipped = 0;

  constructor(options: TapOptions, target: TapTarget) {
    this.actor = options.actor;
    this.channel = options.channel;
    this.side = options.side;
    this.peer = options.peer;
    this.target = target;
    const word = options.channel.split(':')[0] ?? '';
    this.declared = Object.hasOwn(channels, word) ? (channels as Record<string, Channel>)[word] : undefined;
  }

  /** A message with this number was read (`in`) or written (`out`). */
  message(direction: 'in' | 'out', number: number, body: Uint8Array): void {
    const slot = number > mostNumber ? mostNumber : number;
    const counter = (direction === 'in' ? this.read : this.written)[slot] ?? this.counterOf(direction, slot);
    counter.count++;
    counter.bytes += body.length;
    if (!counter.changed) {
      counter.changed = true;
      this.target.changed(counter);
    }
    if (counter.path === 'data') {
      if (this.allowance <= 0) {
        this.skipped++;
        return;
      }
      this.allowance--;
    }
    this.target.keep(this, counter, direction, body);
  }

  /** How many messages were only counted since the last call. */
  takeSkipped(): number {
    const { skipped } = this;
    this.skipped = 0;
    return skipped;
  }

  /** From now on messages go over this link, to this address. */
  over(link: string, address: string): void {
    this.peer = this.nameOf(link) ?? address;
  }

  private counterOf(direction: 'in' | 'out', number: number): Counter {
    const sender = (direction === 'out') === (this.side === 'server') ? 'server' : 'client';
    const entry = this.declared?.tables[sender].byNumber.get(number);
    const name = entry?.type ?? `${sender === 'server' ? 'msg' : 'msgc'}.${number}`;
    const of = { actor: this.actor, channel: this.channel, direction };
    const counter = new Counter(name, entry?.path ?? 'control', of);
    (direction === 'in' ? this.read : this.written)[number] = counter;
    return counter;
  }
}
