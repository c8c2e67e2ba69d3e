/**
 * The target's part in a guest's move: listens for a source, takes the guest's state, and runs the guest only when the source
 * has said that it is ours. Whatever a source sends or leaves out, the host goes on and waits for the next one.
 */

import type { Socket } from 'node:net';
import { SumacError } from '../errors.ts';
import type { Clock } from '../transport/clock.ts';
import type { SocketAddress } from './address.ts';
import { type ListeningSocket, listenOn } from './listening.ts';
import { MoveError, type MoveFrame, MoveLine } from './move-line.ts';

export interface ArrivalOptions {
  readonly at: SocketAddress;
  /** Of this host, for people. */
  readonly name: string;
  readonly clock: Clock;
  /** Milliseconds that a source may say nothing. */
  readonly patience: number;
  /** A source is here and begins. */
  onBegun(): void;
  /** Takes the guest's last state. Throws a SumacError for one that cannot be; the source is told. */
  load(state: unknown): void;
  /** The source that had begun is gone, or was sent away; another may come. */
  onFailed(error: MoveError): void;
  /** The guest is ours now. `running`: it ran at the source. */
  onArrived(how: { running: boolean }): void;
}

export interface Arrivals {
  readonly address: SocketAddress;
  /** Listens no more and drops a source that has begun. */
  close(): Promise<void>;
}

/** Sources that may be connected at once; one of them is heard. */
const maxSources = 8;

/** Throws UsageError when it cannot listen there. */
export async function awaitGuest(options: ArrivalOptions): Promise<Arrivals> {
  const gate = new Gate(options);
  const listening: ListeningSocket = await listenOn(options.at, maxSources, (socket) => gate.admit(socket));
  return {
    address: listening.address,
    close: async () => {
      gate.close();
      await listening.close();
    },
  };
}

class Gate {
  private readonly options: ArrivalOptions;
  private readonly sources = new Set<Source>();
  /** The one that has begun. */
  private heard: Source | undefined;
  private arrived = false;

  constructor(options: ArrivalOptions) {
    this.options = options;
  }

  admit(socket: Socket): void {
    const source = new Source(socket, this.options, {
      begin: () => {
        if (this.arrived) return 'the guest has arrived already';
        if (this.heard !== undefined) return 'another host is moving a guest here';
        this.heard = source;
        this.options.onBegun();
        return undefined;
      },
      arrive: (running) => {
        this.arrived = true;
        this.heard = undefined;
        // Whoever closes the gate at the news must not close the line on which the source is about to be told.
        this.sources.delete(source);
        this.options.onArrived({ running });
      },
      leave: (error) => {
        this.sources.delete(source);
        if (this.heard !== source) return;
        this.heard = undefined;
        this.options.onFailed(error);
      },
    });
    this.sources.add(source);
  }

  close(): void {
    for (const source of this.sources) source.drop();
    this.sources.clear();
    this.heard = undefined;
  }
}

interface GateSide {
  /** Returns why not, or undefined when it may. */
  begin(): string | undefined;
  arrive(running: boolean): void;
  leave(error: MoveError): void;
}

class Source {
  private readonly options: ArrivalOptions;
  private readonly gate: GateSide;
  private readonly line: MoveLine;
  private timer: unknown;
  private stage: 'greeting' | 'moving' | 'loaded' | 'over' = 'greeting';
  private running = false;

  constructor(socket: Socket, options: ArrivalOptions, gate: GateSide) {
    this.options = options;
    this.gate = gate;
    this.line = new MoveLine(socket, {
      onFrame: (frame) => {
        this.wait();
        this.hear(frame);
      },
      onLost: (error) => this.end(error),
    });
    this.wait();
  }

  drop(): void {
    this.stage = 'over';
    this.options.clock.clearTimeout(this.timer);
    this.line.close();
  }

  private hear(frame: MoveFrame): void {
    if (frame.type === 'hello' && this.stage === 'greeting') this.greet();
    else if (frame.type === 'state' && this.stage === 'moving') {
      // Nothing is kept of it: a guest of ours is small enough to come with the last state as a whole.
    } else if (frame.type === 'stopped' && this.stage === 'moving') this.load(frame.state, frame.running);
    else if (frame.type === 'go' && this.stage === 'loaded') this.arrive();
    else if (frame.type === 'refused') this.end(new MoveError('refused', `The source gave up: ${frame.reason}`));
    else this.refuse('malformed', `'${frame.type}' was not expected`);
  }

  private greet(): void {
    const { name } = this.options;
    const objection = this.gate.begin();
    if (objection === undefined) {
      this.stage = 'moving';
      this.line.send({ type: 'welcome', name });
    } else this.refuse('refused', objection);
  }

  private load(state: unknown, running: boolean): void {
    try {
      this.options.load(state);
    } catch (error) {
      const reason = error instanceof SumacError ? error.message : 'this host cannot load the guest';
      this.refuse('refused', reason.slice(0, 500));
      return;
    }
    this.running = running;
    this.stage = 'loaded';
    this.line.send({ type: 'loaded' });
  }

  private arrive(): void {
    this.gate.arrive(this.running);
    this.line.send({ type: 'running' });
    this.line.close();
    this.end(new MoveError('lost', 'The move is over'));
  }

  private refuse(fault: 'refused' | 'malformed', reason: string): void {
    this.line.send({ type: 'refused', reason });
    this.line.close();
    this.end(new MoveError(fault, `A source was sent away: ${reason}`));
  }

  private wait(): void {
    const { clock, patience } = this.options;
    clock.clearTimeout(this.timer);
    this.timer = clock.setTimeout(() => {
      this.line.abort();
      this.end(new MoveError('timed-out', `The source said nothing for ${patience} ms`));
    }, patience);
  }

  private end(error: MoveError): void {
    if (this.stage === 'over') return;
    this.stage = 'over';
    this.options.clock.clearTimeout(this.timer);
    this.line.close();
    this.gate.leave(error);
  }
}
