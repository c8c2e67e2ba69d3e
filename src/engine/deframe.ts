/**
 * Cuts the bytes of a connection into channel messages. A message that lies in one chunk is handed out as a view of it; one
 * that is split is gathered, never more than has really come. Can be held in the middle of a chunk.
 */
import { SumacError } from '../errors.ts';
import { fullHeaderSize, miniHeaderSize } from '../protocol/header.ts';

/** `subList` is the body offset of a sub-message list, 0 if there is none. `body` is a view, valid during the call. */
export type FrameHandler = (number: number, body: Uint8Array, subList: number) => void;

export class Deframer {
  private readonly mini: boolean;
  private readonly longest: number;
  private readonly onFrame: FrameHandler;
  private readonly header: Uint8Array;
  private headerFill = 0;
  private body: Uint8Array | null = null;
  private bodyFill = 0;
  private bodySize = 0;
  private held = false;
  private rest: Uint8Array[] = [];

  /** `longest`: bytes of the longest body that is taken. */
  constructor(mini: boolean, longest: number, onFrame: FrameHandler) {
    this.mini = mini;
    this.longest = longest;
    this.onFrame = onFrame;
    this.header = new Uint8Array(mini ? miniHeaderSize : fullHeaderSize);
  }

  /** Throws SumacError `frame.size` when a message is longer than is taken. */
  push(chunk: Uint8Array): void {
    if (this.held) {
      this.rest.push(chunk.slice());
      return;
    }
    const size = this.header.length;
    let at = 0;
    while (at < chunk.length) {
      if (this.body === null) {
        if (this.headerFill === 0 && chunk.length - at >= size) {
          const bodySize = this.sizeAt(chunk, at);
          const end = at + size + bodySize;
          if (end <= chunk.length) {
            const start = at;
            at = end;
            this.hand(chunk, start, chunk.subarray(start + size, end));
            if (this.held) break;
            continue;
          }
        }
        const take = Math.min(size - this.headerFill, chunk.length - at);
        this.header.set(chunk.subarray(at, at + take), this.headerFill);
        this.headerFill += take;
        at += take;
        if (this.headerFill < size) return;
        this.bodySize = this.sizeAt(this.header, 0);
        this.body = new Uint8Array(Math.min(this.bodySize, 65_536));
        this.bodyFill = 0;
      }
      const take = Math.min(this.bodySize - this.bodyFill, chunk.length - at);
      this.gather(chunk.subarray(at, at + take));
      at += take;
      if (this.bodyFill < this.bodySize) return;
      const body = this.body.subarray(0, this.bodySize);
      this.body = null;
      this.headerFill = 0;
      this.hand(this.header, 0, body);
      if (this.held) break;
    }
    if (this.held && at < chunk.length) this.rest.push(chunk.slice(at));
  }

  /** What has come of a message that is not complete: pushed into a new one, it goes on there. */
  started(): Uint8Array {
    const { header, headerFill, body, bodyFill } = this;
    const started = new Uint8Array(headerFill + (body === null ? 0 : bodyFill));
    started.set(header.subarray(0, headerFill));
    if (body !== null) started.set(body.subarray(0, bodyFill), headerFill);
    return started;
  }

  /** Called from within a handler: hand nothing out until `release`, or for ever. */
  hold(): void {
    this.held = true;
  }

  release(): void {
    if (!this.held) return;
    this.held = false;
    const rest = this.rest;
    this.rest = [];
    for (const chunk of rest) this.push(chunk);
  }

  /** What came after the message at which it was held; it is forgotten here. */
  takeRest(): Uint8Array[] {
    const rest = this.rest;
    this.rest = [];
    return rest;
  }

  private gather(piece: Uint8Array): void {
    const need = this.bodyFill + piece.length;
    if (need > this.body!.length) {
      const wider = new Uint8Array(Math.min(this.bodySize, Math.max(need, this.body!.length * 2)));
      wider.set(this.body!.subarray(0, this.bodyFill));
      this.body = wider;
    }
    this.body!.set(piece, this.bodyFill);
    this.bodyFill = need;
  }

  private sizeAt(bytes: Uint8Array, at: number): number {
    const p = this.mini ? at + 2 : at + 10;
    const size = (bytes[p]! | (bytes[p + 1]! << 8) | (bytes[p + 2]! << 16) | (bytes[p + 3]! << 24)) >>> 0;
    if (size > this.longest) {
      throw new SumacError('frame.size', `a message of ${size} bytes, longer than the ${this.longest} that are taken`);
    }
    return size;
  }

  private hand(bytes: Uint8Array, at: number, body: Uint8Array): void {
    const p = this.mini ? at : at + 8;
    const number = bytes[p]! | (bytes[p + 1]! << 8);
    let subList = 0;
    if (!this.mini) {
      const q = at + 14;
      subList = (bytes[q]! | (bytes[q + 1]! << 8) | (bytes[q + 2]! << 16) | (bytes[q + 3]! << 24)) >>> 0;
    }
    this.onFrame(number, body, subList);
  }
}

/**
 * Header and body in one array. `serial` counts from 1 and is written only into a full header. `headroom`: bytes that lie free
 * before the body, in its own memory; where they are enough the header is put there, and nothing is copied. `more`: bytes of the
 * body that are written behind the array.
 */
export function frame(
  mini: boolean,
  serial: number,
  number: number,
  body: Uint8Array,
  headroom = 0,
  more = 0,
): Uint8Array {
  const size = mini ? miniHeaderSize : fullHeaderSize;
  const fits = headroom >= size;
  const bytes = fits
    ? new Uint8Array(body.buffer, body.byteOffset - size, size + body.length)
    : new Uint8Array(size + body.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  if (mini) {
    view.setUint16(0, number, true);
    view.setUint32(2, body.length + more, true);
  } else {
    view.setBigUint64(0, BigInt(serial), true);
    view.setUint16(8, number, true);
    view.setUint32(10, body.length + more, true);
  }
  if (!fits) bytes.set(body, size);
  return bytes;
}
