/**
 * The counters of one channel's fast path: acknowledgements both ways, pings, and serials (spec §2.2). They are plain numbers:
 * no chart needs to know them, and nothing here decides what is legal.
 */
import type { AnyMessage, Side } from '../protocol/channel.ts';

/** Messages that a server sends between two acknowledgements, as the reference does. */
const ackWindow = 20;

/** Channels on which a server wants acknowledgements. */
const acknowledged: ReadonlySet<string> = new Set(['display', 'cursor']);

export interface PlaneWire {
  /** Sends past the gate: what the plane says is always allowed. */
  send(message: AnyMessage): void;
  /** Stops reading until every named channel has come as far as it says. */
  waitFor(list: readonly { type: number; id: number; serial: bigint }[]): void;
}

export class DataPlane {
  private readonly wire: PlaneWire;
  /** Messages received on the link in use. */
  received = 0;
  /** Messages sent on the link in use. */
  sent = 0;

  // Client: what the server asked for.
  private window = 0;
  private left = 0;

  // Server: what was sent and not acknowledged. The window opens with set_ack.
  private readonly asksForAcks: boolean;
  private generation = 0;
  private synced = 0;
  private unacknowledged = 0;

  private pingId = 0;
  /** Microseconds of the last round trip, if a ping was answered. */
  roundTrip: number | undefined;
  /** Is told of each round trip. */
  onRoundTrip: ((micros: number) => void) | undefined;
  private readonly micros: () => number;

  constructor(side: Side, channel: string, micros: () => number, wire: PlaneWire) {
    this.asksForAcks = side === 'server' && acknowledged.has(channel);
    this.micros = micros;
    this.wire = wire;
  }

  /** A link begins: counters start anew, unless the peer goes on where another left off. */
  begin(serials: 'restart' | 'go on'): void {
    this.window = 0;
    this.left = 0;
    // The migrate data took a serial of the source; the target uses the same one for its next message (spec §3e).
    this.received = serials === 'go on' ? this.received - 1 : 0;
    this.unacknowledged = 0;
    this.synced = 0;
    if (serials === 'restart') this.sent = 0;
  }

  /** Server: asks the client to acknowledge from now on. */
  openWindow(): void {
    if (!this.asksForAcks) return;
    this.generation++;
    this.wire.send({ type: 'msg.set_ack', body: { generation: this.generation, window: ackWindow } });
    this.unacknowledged = 0;
  }

  /** Server: false while the client is two windows behind. */
  get open(): boolean {
    return !this.asksForAcks || this.unacknowledged <= 2 * ackWindow;
  }

  countSent(): void {
    this.sent++;
    if (this.asksForAcks) this.unacknowledged++;
  }

  /** Before a message is handled. Client: acknowledges a full window. */
  countReceived(): void {
    this.received++;
    if (this.window > 0 && --this.left === 0) {
      this.left = this.window;
      this.wire.send({ type: 'msgc.ack', body: {} });
    }
  }

  ping(): void {
    this.wire.send({
      type: 'msg.ping',
      body: { id: ++this.pingId, timestamp: BigInt(this.micros()), data: new Uint8Array() },
    });
  }

  /** Handles what belongs to the plane itself; false if the message is somebody else's. */
  take({ type, body }: AnyMessage): boolean {
    switch (type) {
      case 'msg.set_ack':
        this.window = body.window;
        this.left = body.window;
        this.wire.send({ type: 'msgc.ack_sync', body: { generation: body.generation } });
        return true;
      case 'msg.ping':
        this.wire.send({ type: 'msgc.pong', body: { id: body.id, timestamp: body.timestamp } });
        return true;
      case 'msg.wait_for_channels':
        this.wire.waitFor(body.waitList);
        return true;
      case 'msgc.ack_sync':
        this.synced = body.generation;
        return true;
      case 'msgc.ack':
        // An acknowledgement of an earlier generation counts for nothing (spec §2.2).
        if (this.synced === this.generation) this.unacknowledged = Math.max(0, this.unacknowledged - ackWindow);
        return true;
      case 'msgc.pong':
        if (body.id !== this.pingId) return true;
        this.roundTrip = this.micros() - Number(body.timestamp);
        this.onRoundTrip?.(this.roundTrip);
        return true;
      default:
        return false;
    }
  }
}

/** Messages that the plane takes itself, gate or no gate. */
export const planeMessages: ReadonlySet<string> = new Set([
  'msg.set_ack',
  'msg.ping',
  'msg.wait_for_channels',
  'msgc.ack_sync',
  'msgc.ack',
  'msgc.pong',
]);
