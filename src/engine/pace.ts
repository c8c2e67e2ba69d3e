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

/**
 * Control messages that a client may have handled at once, and each second after that. One costs up to 50 µs in the charts
 * of its session, and nobody who sits before a screen needs more than a few of them.
 */
const burst = 200;
const eachSecond = 500;
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
  private steps = burst;
  private lastStep = 0;

  /** `onFault`: what came while it waited breaks the rules. `onGone`: what came while it waited was handled. */
  constructor(system: System, onFault: (error: unknown) => void, onGone: () => void) {
    this.system = system;
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
    this.steps = burst;
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

  /** A client's control message was handled. */
  countStep(): void {
    const now = this.system.clock.now();
    this.steps = Math.min(burst, this.steps + ((now - this.lastStep) * eachSecond) / 1000) - 1;
    this.lastStep = now;
    if (this.steps >= 0 || this.timer !== undefined) return;
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
