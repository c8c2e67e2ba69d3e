/**
 * The source's part in a guest's move: reaches the target, sends the guest's state while it runs on, has it stopped, sends
 * the last of it, and says go once the target could run it.
 *
 * INVARIANT: until `go` is sent the guest is the source's, and nothing that happens to the target or on the way can take it;
 * from then on it is the target's, and nothing gives it back.
 */

import { createConnection } from 'node:net';
import type { Clock } from '../transport/clock.ts';
import { formatAddress, type SocketAddress } from './address.ts';
import { MoveError, type MoveFrame, MoveLine } from './move-line.ts';

export interface DepartureOptions {
  readonly to: SocketAddress;
  /** Of this host, for people. */
  readonly name: string;
  readonly clock: Clock;
  /** Gives the attempt up. */
  readonly signal: AbortSignal;
  /** Milliseconds that the target has for each of its answers. */
  readonly patience: number;
}

export interface Cargo {
  /** The guest as it is now. */
  save(): unknown;
  /** Whether it runs. */
  running(): boolean;
  /** Milliseconds of moving that are left to do at full speed. */
  readonly moveMs: number;
  /** How much of full speed there is at the moment: 1 is all of it. */
  speed(): number;
  /** Stops the guest, if it runs; it must stand when this returns. */
  stop(): void;
  /** The guest is the target's when this returns, and what goes wrong after that does not bring it back. */
  commit(): void;
  readonly signal: AbortSignal;
}

/** Milliseconds from one state to the next while the guest runs on. */
const round = 50;

/** Bytes on the way above which no state is added. */
const crowded = 256 * 1024;

/** A target that is ready to take a guest. */
export class Departure {
  private readonly line: MoveLine;
  private readonly clock: Clock;
  private readonly patience: number;

  private constructor(line: MoveLine, { clock, patience }: DepartureOptions) {
    this.line = line;
    this.clock = clock;
    this.patience = patience;
  }

  /** Connects and waits for the target's welcome. Throws MoveError. */
  static async open(options: DepartureOptions): Promise<Departure> {
    const { to, clock, signal, patience } = options;
    const where = 'path' in to ? to.path : formatAddress(to).slice('tcp:'.length);
    const socket = createConnection({ ...to, noDelay: true });
    return await new Promise((resolve, reject) => {
      const fail = (error: MoveError) => {
        done();
        socket.destroy();
        reject(error);
      };
      const onError = (cause: NodeJS.ErrnoException) =>
        fail(new MoveError('unreachable', `Failed to connect to '${where}': ${reasonOf(cause)}`, { cause }));
      const onAbort = () => fail(new MoveError('cancelled', 'The move was cancelled'));
      const timer = clock.setTimeout(
        () => fail(new MoveError('timed-out', `The target at '${where}' said nothing for ${patience} ms`)),
        patience,
      );
      const done = () => {
        clock.clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
      };
      // After the line has taken the socket over, an error is the line's to tell; this listener is gone then.
      socket.on('error', onError);
      socket.once('connect', () => {
        const line = new MoveLine(socket, {
          onFrame: (frame) => {
            if (frame.type !== 'welcome') return fail(unexpected(frame));
            done();
            resolve(new Departure(line, options));
          },
          onLost: fail,
        });
        socket.off('error', onError);
        line.send({ type: 'hello', name: options.name });
      });
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort);
    });
  }

  /** Moves the guest; resolves when the target runs it. Throws MoveError, and closes the line either way. */
  async carry(cargo: Cargo): Promise<void> {
    const { line, clock, patience } = this;
    const { signal } = cargo;
    let timer: unknown;
    try {
      await new Promise<void>((resolve, reject) => {
        let left = cargo.moveMs;
        let [stopped, said] = [false, false];
        let since = clock.now();
        const expect = (what: string) => {
          clock.clearTimeout(timer);
          timer = clock.setTimeout(
            () => reject(new MoveError('timed-out', `The target did not ${what} within ${patience} ms`)),
            patience,
          );
        };
        const goOn = () => {
          const now = clock.now();
          left -= (now - since) * cargo.speed();
          since = now;
          if (left <= 0) return finish();
          // A target that does not keep up is given time; one that is gone is noticed when the guest has stopped.
          if (line.pending < crowded) line.send({ type: 'state', state: cargo.save() });
          timer = clock.setTimeout(goOn, Math.min(round, Math.max(1, left / cargo.speed())));
        };
        const finish = () => {
          const running = cargo.running();
          if (running) cargo.stop();
          stopped = true;
          line.send({ type: 'stopped', state: cargo.save(), running });
          expect('load the guest');
        };
        line.hand({
          onFrame: (frame) => {
            if (frame.type === 'loaded' && stopped && !said) {
              said = true;
              cargo.commit();
              line.send({ type: 'go' });
              expect('run the guest');
            } else if (frame.type === 'running' && said) resolve();
            else reject(unexpected(frame));
          },
          onLost: reject,
        });
        signal.addEventListener('abort', () => reject(new MoveError('cancelled', 'The move was cancelled')), {
          once: true,
        });
        if (signal.aborted) reject(new MoveError('cancelled', 'The move was cancelled'));
        else goOn();
      });
      line.close();
    } catch (error) {
      line.abort();
      throw error;
    } finally {
      clock.clearTimeout(timer);
    }
  }

  /** Drops the target, whatever it was told. */
  abort(): void {
    this.line.abort();
  }
}

function unexpected(frame: MoveFrame): MoveError {
  if (frame.type === 'refused') return new MoveError('refused', `The target refuses: ${frame.reason}`);
  return new MoveError('malformed', `The target said '${frame.type}' when it was not its turn`);
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Connection refused',
  ENOENT: 'No such file or directory',
  ENOTFOUND: 'Name or service not known',
  EACCES: 'Permission denied',
  EHOSTUNREACH: 'No route to host',
  ENETUNREACH: 'Network is unreachable',
  ETIMEDOUT: 'Connection timed out',
};

const reasonOf = (cause: NodeJS.ErrnoException): string => reasons[cause.code ?? ''] ?? cause.message;
