/**
 * When a channel reads on. It stops where other channels must come further first (spec §2.2), and takes a breath when a peer
 * makes the charts work harder than anybody has reason to. It never goes on while there is a reason to wait, and never
 * forgets to.
 */
import { channelName } from '../protocol/index.ts';
import type { Pipe } from '../transport/pipe.ts';
import type { Deframer } from './deframe.ts';
import type { System, Waiter } from './system.ts';

export interface Reading {
  readonly deframer: Deframer;
  readonly pipe: Pipe;
}

/** A data message costs one; a control message, which costs the charts of a session up to 50 µs, twenty. */
export const cost = { data: 1, control: 20 } as const;
/** Control messages that a client may have handled each second. Nobody who sits before a screen comes near it. */
export const usualRate = 500;
/** What it may have handled at once, in seconds of its rate. */
const burstSeconds = 0.4;
/** Milliseconds. */
const breath = 20;

export class Pace {
  private readonly system: System;
  private readonly onFault: (error: unknown) => void;
  private readonly onGone: () => void;
  private reading: Reading | undefined;
  /** Channels that are waited for, and the serials that they must reach. */
  private readonly awaited = new Map<string, number>();
  private waiter: Waiter | undefined;
  private timer: unknown;
  private readonly eachSecond: number;
  private readonly burst: number;
  private left: number;
  private countedAt = 0;

  /** `rate`: control messages a second, or twenty times as many of data. `onFault`: what came while it waited breaks the rules. `onGone`: what came while it waited was handled. */
  constructor(system: System, onFault: (error: unknown) => void, onGone: () => void, rate = usualRate) {
    this.system = system;
    this.eachSecond = rate * cost.control;
    this.burst = this.eachSecond * burstSeconds;
    this.left = this.burst;
    this.onFault = onFault;
    this.onGone = onGone;
  }

  /** Another pipe is read from now on, or none. */
  begin(reading: Reading | undefined): void {
    if (this.waiter !== undefined) this.system.waiters.delete(this.waiter);
    this.waiter = undefined;
    this.awaited.clear();
    this.system.clock.clearTimeout(this.timer);
    this.timer = undefined;
    this.left = this.burst;
    this.reading = reading;
  }

  /** Stops until every named channel has come as far as it says; one that does not exist is not waited for. */
  waitFor(list: readonly { type: number; id: number; serial: bigint }[]): void {
    for (const { type, id, serial } of list) {
      const channel = channelName(type, id);
      if ((this.system.progress.get(channel) ?? Number.POSITIVE_INFINITY) >= serial) continue;
      this.awaited.set(channel, Math.max(this.awaited.get(channel) ?? 0, Number(serial)));
    }
    if (this.waiter !== undefined || this.awaited.size === 0) return;
    this.stop();
    this.waiter = {
      satisfied: () => [...this.awaited].every(([channel, serial]) => this.isAt(channel, serial)),
      go: () => {
        if (this.waiter === undefined) return;
        this.waiter = undefined;
        this.awaited.clear();
        this.goOn();
      },
    };
    this.system.waiters.add(this.waiter);
  }

  /** A client's message is handled. */
  count(spent: number): void {
    const now = this.system.clock.now();
    this.left = Math.min(this.burst, this.left + ((now - this.countedAt) * this.eachSecond) / 1000) - spent;
    this.countedAt = now;
    if (this.left >= 0 || this.timer !== undefined) return;
    this.stop();
    this.timer = this.system.clock.setTimeout(() => {
      this.timer = undefined;
      this.goOn();
    }, breath);
  }

  private isAt(channel: string, serial: number): boolean {
    return (this.system.progress.get(channel) ?? Number.POSITIVE_INFINITY) >= serial;
  }

  private stop(): void {
    this.reading?.deframer.hold();
    this.reading?.pipe.pause();
  }

  private goOn(): void {
    const { reading } = this;
    if (reading === undefined || this.waiter !== undefined || this.timer !== undefined) return;
    try {
      reading.deframer.release();
    } catch (error) {
      this.onFault(error);
    }
    if (this.reading !== reading) return;
    if (this.waiter === undefined && this.timer === undefined) reading.pipe.resume();
    this.onGone();
  }
}
