/**
 * What a channel's host must have done, worked out from a journal: which messages the bytes received hold, which of them its
 * chart was told, and every frame that its commands and its data plane made of them. Touches no pipe and no clock; the bytes
 * that it is given are a journal's, and may be anything.
 */
import type { ChannelCommand } from '../../machines/contract.ts';
import { SumacError } from '../errors.ts';
import type { LinkRecord, WireRecord } from '../journal/record.ts';
import { addressWord } from '../protocol/address.ts';
import {
  type AnyMessage,
  type Channel,
  channels,
  decodeMessage,
  encodeMessage,
  fullHeaderSize,
  longestBody,
  miniHeaderSize,
  readSubMessages,
  type Side,
} from '../protocol/index.ts';
import { farewell } from './channel-host.ts';
import { DataPlane, planeMessages } from './data-plane.ts';
import { Deframer, frame } from './deframe.ts';
import { difference, filledIn, firstDifference } from './verify-compare.ts';

/** How many bytes of a record were worked out again, and how many are the application's own. */
export interface Compared {
  readonly compared: number;
  readonly given: number;
}

interface Frame {
  readonly number: number;
  readonly body: Uint8Array;
  readonly subList: number;
}

/** A frame that must be sent next; one that tells the time needs the time. */
type Owed = (at: number) => { readonly number: number; readonly body: Uint8Array };

const listNumber = 8;

/** A journal does not hold what it should. The message says what, for people. */
export class Discrepancy extends Error {}

export class ChannelModel {
  private readonly side: Side;
  private readonly peer: Side;
  private readonly protocol: Channel;
  private plane: DataPlane;
  private readonly longest: number;
  private readonly byChart: Owed[] = [];
  private readonly byPlane: Owed[] = [];
  private link: string | undefined;
  /** A link is in use, so that what is sent goes somewhere. */
  private linked = false;
  private mini = true;
  private carried: Uint8Array | undefined;
  private taking: { link: string; serials: 'restart' | 'go on'; opens: boolean } | undefined;
  private frames: Frame[] = [];
  private deframer: Deframer | undefined;
  private reading: Generator<AnyMessage | undefined, never, undefined> | undefined;
  private due: AnyMessage | undefined;
  /** In the middle of a frame. */
  private busy = false;
  /** The peer broke the rules, and the chart must be told. */
  private offence: string | undefined;
  /** The application took over the count of messages that came with the guest: the next one tells it. */
  private counted = false;

  /** `channel`: "display:0". */
  constructor(side: Side, channel: string) {
    this.side = side;
    this.peer = side === 'server' ? 'client' : 'server';
    this.protocol = channels[addressWord(channel) as keyof typeof channels];
    this.longest = longestBody(this.peer, this.protocol.name);
    this.plane = this.newPlane();
  }

  /** Whether a command of the chart is still to be followed by bytes. */
  get owesBytes(): boolean {
    return this.byChart.length > 0;
  }

  obey(command: ChannelCommand): void {
    this.checkThatItTook();
    switch (command.type) {
      case 'send':
        this.owe(this.byChart, command.message);
        break;
      case 'attach':
        this.taking = { link: command.link, serials: 'restart', opens: true };
        break;
      case 'switch': {
        const serials = this.protocol.name === 'display' ? command.serials : 'restart';
        this.taking = { link: command.link, serials, opens: false };
        break;
      }
      case 'carry':
        this.carried = filledIn(command.data);
        break;
      case 'send carried':
        if (this.carried !== undefined) {
          this.owe(this.byChart, { type: 'msgc.migrate_data', body: { data: this.carried } });
        }
        this.carried = undefined;
        break;
      case 'give back':
      case 'close':
        this.letGo();
        break;
      case 'ready':
        this.counted = !command.afresh && this.side === 'server';
        break;
      case 'violation':
        if (this.linked) this.byChart.push((at) => encodeMessage(this.protocol, this.side, farewell(this.side, at)));
        break;
    }
  }

  /** The channel went on over another link, or found it gone. */
  take({ link, found, mini = true }: LinkRecord): void {
    const { taking } = this;
    if (taking === undefined) throw new Discrepancy(`nothing asked for ${link}`);
    if (taking.link !== link) throw new Discrepancy(`${taking.link} was asked for, not ${link}`);
    this.taking = undefined;
    this.stopReading();
    this.link = link;
    this.linked = found;
    if (found) {
      this.mini = mini;
      this.plane.begin(taking.serials);
      const deframer = new Deframer(mini, this.longest, (number, body, subList) =>
        this.frames.push({ number, body, subList }),
      );
      this.deframer = deframer;
      this.reading = this.read();
    }
    if (taking.opens) this.plane.openWindow();
  }

  /** Bytes came. */
  received({ link, bytes }: WireRecord): void {
    this.checkThatItTook();
    if (link !== this.link || this.deframer === undefined) return;
    this.checkThatAllWasTold();
    try {
      this.deframer.push(bytes);
    } catch {
      // The chart is told of the violation; what came before it counts.
      this.deframer = undefined;
    }
  }

  /** Bytes were sent. `speaking`: the application's gate was open. */
  sent({ at, bytes, from, left = [], link }: WireRecord, speaking: boolean): Compared {
    if (!this.linked || link !== this.link) throw new Discrepancy(`bytes for ${link}, which is not in use`);
    const leftOut = left.reduce((sum, { size }) => sum + size, 0);
    this.believeCount(bytes);
    if (from === 'application') {
      this.plane.countSent();
      const header = this.headerOf(bytes, speaking);
      return { compared: header, given: bytes.length - header - leftOut };
    }
    if (from === 'plane') this.readOn(() => this.byPlane.length > 0);
    const owed = (from === 'plane' ? this.byPlane : this.byChart).shift();
    if (owed === undefined) {
      throw new Discrepancy(
        from === 'plane' ? 'nothing that was received asks for these bytes' : 'no command asks for these bytes',
      );
    }
    const { number, body } = owed(at);
    this.plane.countSent();
    const expected = frame(this.mini, this.plane.sent, number, body);
    for (const range of left) expected.fill(0, range.at, range.at + range.size);
    const differs = firstDifference(expected, bytes);
    if (differs >= 0) {
      throw new Discrepancy(
        differs < Math.min(expected.length, bytes.length)
          ? `byte ${differs} sent is ${bytes[differs]}, and ${expected[differs]} should have been`
          : `${bytes.length} bytes were sent, and ${expected.length} should have been`,
      );
    }
    return { compared: bytes.length - leftOut, given: 0 };
  }

  /** The chart was told a message of the peer. */
  told(event: { readonly type: string; readonly [key: string]: unknown }): void {
    this.readOn(() => false);
    const { due } = this;
    if (due === undefined) throw new Discrepancy(`no bytes say ${event.type}`);
    const differs = difference(due, event);
    if (differs !== undefined) throw new Discrepancy(`the bytes say otherwise: ${differs}`);
    this.due = undefined;
  }

  /** The chart was told that the peer broke the rules: nothing more of what came is looked at, and what was due is not sent. */
  offended(): void {
    this.stopReading();
    this.byChart.length = 0;
  }

  /** The program ended, and another goes on: there is no connection any more, and nothing is owed on it. */
  cut(): void {
    this.letGo();
    this.byChart.length = 0;
    this.taking = undefined;
    this.carried = undefined;
    this.plane = this.newPlane();
  }

  /** The channel has ended. */
  end(): void {
    this.letGo();
  }

  /** Throws Discrepancy when bytes that came should have been heard of, or answered, by now. */
  checkThatAllWasTold(): void {
    this.readOn(() => false);
    if (this.due !== undefined) throw new Discrepancy(`its chart was never told ${this.due.type}`);
    if (this.byPlane.length > 0) throw new Discrepancy('it never answered what the data plane answers');
    if (this.offence !== undefined) throw new Discrepancy(`its chart was never told of a violation: ${this.offence}`);
  }

  /** A link that a command asks for is taken, or not found, before anything else. */
  private checkThatItTook(): void {
    if (this.taking !== undefined) throw new Discrepancy(`it never went on over ${this.taking.link}`);
  }

  private newPlane(): DataPlane {
    return new DataPlane(this.side, this.protocol.name, () => 0, {
      send: (message) => this.owe(this.byPlane, message),
      waitFor: () => {},
    });
  }

  private letGo(): void {
    this.stopReading();
    this.link = undefined;
    this.linked = false;
  }

  private stopReading(): void {
    this.byPlane.length = 0;
    this.frames = [];
    this.deframer = undefined;
    this.reading = undefined;
    this.busy = false;
    this.due = undefined;
    this.offence = undefined;
  }

  private owe(owed: Owed[], message: AnyMessage): void {
    if (!this.linked) return;
    try {
      const encoded = encodeMessage(this.protocol, this.side, filledIn(message));
      owed.push(() => encoded);
    } catch {
      // A value that does not fit its field: the host says so in its log, and sends nothing.
    }
  }

  /** Reads frames until the chart has to be told something, they are all read, or `enough`. */
  private readOn(enough: () => boolean): void {
    while (this.due === undefined && (this.busy || this.frames.length > 0) && this.reading !== undefined && !enough()) {
      try {
        this.due = this.reading.next().value;
      } catch (error) {
        this.stopReading();
        this.offence = (error as Error).message;
      }
    }
  }

  /** A step ends where the chart is to be told something, or at the end of a frame. Throws where the peer breaks the rules. */
  private *read(): Generator<AnyMessage | undefined, never, undefined> {
    for (;;) {
      const { number, body, subList } = this.frames.shift()!;
      this.busy = true;
      if (subList > 0) for (const sub of readSubMessages(body, subList)) yield* this.handle(sub.number, sub.body);
      this.plane.countReceived();
      if (number === listNumber && this.peer === 'server') {
        for (const sub of readSubMessages(body, 0)) yield* this.handle(sub.number, sub.body);
      } else yield* this.handle(number, subList > 0 ? body.subarray(0, subList) : body);
      this.busy = false;
      yield undefined;
    }
  }

  private *handle(number: number, body: Uint8Array): Generator<AnyMessage, void, undefined> {
    const entry = this.protocol.tables[this.peer].byNumber.get(number);
    if (entry === undefined) {
      if (this.side === 'server') throw new SumacError('violation', `message ${number} is not known`);
    } else if (entry.path === 'control') yield decodeMessage(this.protocol, this.peer, number, body);
    else if (planeMessages.has(entry.type)) this.plane.take(decodeMessage(this.protocol, this.peer, number, body));
  }

  private believeCount(bytes: Uint8Array): void {
    if (!this.counted) return;
    this.counted = false;
    if (this.mini || bytes.length < fullHeaderSize) return;
    this.plane.sent = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true)) - 1;
  }

  /** Checks the header of what the application said, and returns its size. */
  private headerOf(bytes: Uint8Array, speaking: boolean): number {
    const size = this.mini ? miniHeaderSize : fullHeaderSize;
    if (bytes.length < size) throw new Discrepancy(`${bytes.length} bytes are no message`);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const number = view.getUint16(this.mini ? 0 : 8, true);
    const entry = this.protocol.tables[this.side].byNumber.get(number);
    if (entry === undefined)
      throw new Discrepancy(`${this.protocol.name} has no message ${number} from the ${this.side}`);
    const { type } = entry;
    // A server may ask for answers at any time.
    if (!speaking && type !== 'msg.ping' && type !== 'msg.set_ack')
      throw new Discrepancy('the application spoke while its gate was shut');
    const expected = frame(this.mini, this.plane.sent, number, new Uint8Array(0));
    new DataView(expected.buffer).setUint32(this.mini ? 2 : 10, bytes.length - size, true);
    const differs = firstDifference(expected, bytes.subarray(0, size));
    if (differs >= 0)
      throw new Discrepancy(`byte ${differs} of a header is ${bytes[differs]}, not ${expected[differs]}`);
    return size;
  }
}
