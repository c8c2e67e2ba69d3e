/**
 * The wire between two hosts of which one hands its guest to the other: a line that names the protocol and its version, then
 * one JSON object a line. Everything is bounded, and whatever does not fit ends the connection with a MoveError. It knows
 * nothing of guests, nor of whose turn it is.
 *
 * Source: hello → state, again and again → stopped → go. Target: welcome → loaded → running, or refused at any time.
 */

import type { Socket } from 'node:net';
import * as v from 'valibot';
import { SumacError } from '../errors.ts';
import { closingPatience } from '../transport/pipe.ts';

export const moveMagic = 'SUMAC-MOVE';
export const moveVersion = 1;

/** Bytes of one line. */
export const maxLine = 1024 * 1024;

const lineFeed = 10;

export type MoveFault =
  | 'unreachable' // no connection to the target
  | 'refused' // the peer said no
  | 'version' // the peer speaks another version, or another protocol
  | 'malformed' // the peer broke the rules
  | 'timed-out' // the peer said nothing for too long
  | 'lost' // the connection broke
  | 'cancelled'; // given up here

/** A move that did not come about. `code` is `move.` and the fault. */
export class MoveError extends SumacError {
  readonly fault: MoveFault;

  constructor(fault: MoveFault, message: string, options?: ErrorOptions) {
    super(`move.${fault}`, message, options);
    this.fault = fault;
  }
}

const words = v.pipe(v.string(), v.maxLength(1_000));

const FrameSchema = v.variant('type', [
  v.strictObject({ type: v.literal('hello'), name: words }),
  v.strictObject({ type: v.literal('welcome'), name: words }),
  v.strictObject({ type: v.literal('refused'), reason: words }),
  /** The guest as it is now; it runs on. */
  v.strictObject({ type: v.literal('state'), state: v.unknown() }),
  /** The guest as it will be; it stands. `running`: it is to run at the target. */
  v.strictObject({ type: v.literal('stopped'), state: v.unknown(), running: v.boolean() }),
  /** The target could run it. */
  v.strictObject({ type: v.literal('loaded') }),
  /** The guest is the target's. */
  v.strictObject({ type: v.literal('go') }),
  v.strictObject({ type: v.literal('running') }),
]);

export type MoveFrame = v.InferOutput<typeof FrameSchema>;

export interface MoveLineHandlers {
  onFrame(frame: MoveFrame): void;
  /** The line is no more, and not by our own `close`. Called once. */
  onLost(error: MoveError): void;
}

export class MoveLine {
  private readonly socket: Socket;
  private handlers: MoveLineHandlers;
  private readonly pieces: Uint8Array[] = [];
  private kept = 0;
  private greeted = false;
  private over = false;

  /** Takes a connected socket over and names the protocol. */
  constructor(socket: Socket, handlers: MoveLineHandlers) {
    this.socket = socket;
    this.handlers = handlers;
    socket.on('data', (chunk: Uint8Array) => this.take(chunk));
    socket.on('error', (cause) =>
      this.lose(new MoveError('lost', 'The connection between the hosts broke', { cause })),
    );
    socket.on('close', () => this.lose(new MoveError('lost', 'The other host closed the connection')));
    socket.write(`${moveMagic} ${moveVersion}\n`);
  }

  /** Bytes that the other host has not taken yet. */
  get pending(): number {
    return this.socket.writableLength;
  }

  /** Another one is told from now on. */
  hand(handlers: MoveLineHandlers): void {
    this.handlers = handlers;
  }

  send(frame: MoveFrame): void {
    if (!this.over) this.socket.write(`${JSON.stringify(frame)}\n`);
  }

  /** Ends the connection; what was sent still goes out. Nothing is told any more. */
  close(): void {
    if (this.over) return;
    this.over = true;
    // To destroy it now could cost the peer what it has not read yet; one that does not close by itself is cut off.
    this.socket.setTimeout(closingPatience, () => this.socket.destroy());
    this.socket.end();
  }

  /** Ends the connection at once. */
  abort(): void {
    this.over = true;
    this.socket.destroy();
  }

  private take(chunk: Uint8Array): void {
    let rest = chunk;
    while (!this.over) {
      const end = rest.indexOf(lineFeed);
      const part = end < 0 ? rest : rest.subarray(0, end);
      this.kept += part.length;
      if (this.kept > maxLine) {
        this.fail('malformed', `The other host sent a line of more than ${maxLine} bytes`);
        return;
      }
      if (end < 0) {
        if (part.length > 0) this.pieces.push(Uint8Array.from(part));
        return;
      }
      const line = Buffer.concat([...this.pieces.splice(0), part]);
      this.kept = 0;
      rest = rest.subarray(end + 1);
      this.line(line);
    }
  }

  private line(bytes: Uint8Array): void {
    const text = new TextDecoder().decode(bytes);
    if (!this.greeted) {
      this.greeted = true;
      if (text === `${moveMagic} ${moveVersion}`) return;
      const theirs = text.startsWith(`${moveMagic} `)
        ? `version ${text.slice(moveMagic.length + 1, 50)}`
        : 'another protocol';
      this.send({ type: 'refused', reason: `This host speaks ${moveMagic} ${moveVersion}` });
      this.fail('version', `The other host speaks ${theirs}, this one version ${moveVersion}`);
      return;
    }
    const frame = parseFrame(text);
    if (frame === undefined) this.fail('malformed', `The other host said something that is no part of a move`);
    else this.handlers.onFrame(frame);
  }

  private fail(fault: MoveFault, message: string): void {
    const { handlers } = this;
    if (this.over) return;
    this.close();
    handlers.onLost(new MoveError(fault, message));
  }

  private lose(error: MoveError): void {
    if (this.over) return;
    this.abort();
    this.handlers.onLost(error);
  }
}

function parseFrame(text: string): MoveFrame | undefined {
  try {
    const parsed = v.safeParse(FrameSchema, JSON.parse(text));
    return parsed.success ? parsed.output : undefined;
  } catch {
    return undefined;
  }
}
