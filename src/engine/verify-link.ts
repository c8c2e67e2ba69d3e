/**
 * What a link's host must have done, worked out from a journal: what the bytes of the link stage say, and the bytes that its
 * chart's commands asked for. Our own capabilities are nobody's command; they count as a fact that stays the same.
 */
import type { LinkCommand } from '../../machines/contract.ts';
import type { WireRecord } from '../journal/record.ts';
import { addressParts } from '../protocol/address.ts';
import { type Caps, MainCap, withCap, withoutCap } from '../protocol/capabilities.ts';
import { channelName } from '../protocol/index.ts';
import { LinkErrorCode, ticketSize } from '../protocol/link.ts';
import { ByteQueue } from './byte-queue.ts';
import { readMess, readReply, writeMess, writeReply, writeU32 } from './link-stage.ts';
import { type Compared, Discrepancy } from './verify-channel.ts';
import { difference, filledIn, firstDifference } from './verify-compare.ts';

interface OwnCaps {
  readonly commonCaps: Caps;
  readonly channelCaps: Caps;
}

/** Bytes that must be sent next; those with capabilities of our own are told what was sent, to read them from it. */
type Owed = (sent: Uint8Array) => Uint8Array;

/** What a link chart is told that comes from bytes. */
export const linkWords: ReadonlySet<string> = new Set([
  'link.mess',
  'link.mechanism',
  'link.ticket',
  'link.reply',
  'link.result',
]);

export class LinkModel {
  private readonly queue = new ByteQueue();
  private readonly owed: Owed[] = [];
  private readonly own: Map<string, OwnCaps>;
  private channel: string;

  /** `own`: our capabilities by channel, shared by all links of a journal. */
  constructor(channel: string, own: Map<string, OwnCaps>) {
    this.channel = channel;
    this.own = own;
  }

  /** Whether a command of the chart is still to be followed by bytes. */
  get owesBytes(): boolean {
    return this.owed.length > 0;
  }

  /** A connection is dialled; what came on an earlier one is of no use. */
  dial(): void {
    this.queue.takeAll();
  }

  obey(command: LinkCommand): void {
    switch (command.type) {
      case 'link.send_mess':
        this.owed.push((sent) => {
          const { type, id } = addressParts(command.channel);
          const { commonCaps, channelCaps: plain } = this.capsIn(sent, readMess);
          const channelCaps = command.returning ? withCap(plain, MainCap.returns) : plain;
          return writeMess({
            connectionId: command.connectionId,
            channelType: type,
            channelId: id,
            commonCaps,
            channelCaps,
          });
        });
        break;
      case 'link.send_reply': {
        const { error, pubKey } = command;
        this.owed.push((sent) => {
          const none = { commonCaps: [], channelCaps: [] };
          return writeReply({ error, pubKey, ...(error === LinkErrorCode.ok ? this.capsIn(sent, readReply) : none) });
        });
        break;
      }
      case 'link.send_mechanism':
        this.owed.push(() => writeU32(command.mechanism));
        break;
      case 'link.send_ticket':
        this.owed.push(() => filledIn(command.ticket));
        break;
      case 'link.send_result':
        this.owed.push(() => writeU32(command.code));
        break;
    }
  }

  received({ bytes }: WireRecord): void {
    this.queue.push(bytes);
  }

  sent({ bytes, left = [] }: WireRecord): Compared {
    const owed = this.owed.shift();
    if (owed === undefined) throw new Discrepancy('no command asks for these bytes');
    const expected = owed(bytes).slice();
    for (const { at, size } of left) expected.fill(0, at, at + size);
    const differs = firstDifference(expected, bytes);
    if (differs >= 0) throw new Discrepancy(`byte ${differs} of ${bytes.length} sent is not what the command asks for`);
    const leftOut = left.reduce((sum, { size }) => sum + size, 0);
    return { compared: bytes.length - leftOut, given: 0 };
  }

  /** The chart was told what bytes said. */
  told(event: { readonly type: string; readonly [key: string]: unknown }): void {
    const expected = this.read(event.type);
    if (expected === undefined) throw new Discrepancy(`no bytes say ${event.type}`);
    const differs = difference({ type: event.type, ...expected }, event);
    if (differs !== undefined) throw new Discrepancy(`the bytes say otherwise: ${differs}`);
  }

  /** The program ended, and another goes on: the connection is gone. */
  cut(): void {
    this.owed.length = 0;
    this.queue.takeAll();
  }

  end(): void {}

  private read(type: string): object | undefined {
    try {
      switch (type) {
        case 'link.mess': {
          const mess = readMess(this.queue);
          if (mess === undefined) return undefined;
          const { channelType, channelId, ...rest } = mess;
          this.channel = channelName(channelType, channelId);
          return { ...rest, channel: this.channel };
        }
        case 'link.reply':
          return readReply(this.queue);
        case 'link.ticket': {
          const ticket = this.queue.take(ticketSize);
          return ticket === undefined ? undefined : { ticket };
        }
        default: {
          const bytes = this.queue.take(4);
          if (bytes === undefined) return undefined;
          const word = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
          return type === 'link.mechanism' ? { mechanism: word } : { code: word };
        }
      }
    } catch {
      return undefined;
    }
  }

  /** What we said that we can do on this channel; the first time it is believed. */
  private capsIn(sent: Uint8Array, read: (queue: ByteQueue) => OwnCaps | undefined): OwnCaps {
    const word = this.channel.slice(0, this.channel.indexOf(':'));
    let caps = this.own.get(word);
    if (caps !== undefined) return caps;
    const queue = new ByteQueue();
    queue.push(sent);
    try {
      caps = read(queue);
    } catch {
      // Told below.
    }
    if (caps === undefined) throw new Discrepancy('the bytes sent are no link message');
    const channelCaps = word === 'main' ? withoutCap(caps.channelCaps, MainCap.returns) : caps.channelCaps;
    caps = { commonCaps: caps.commonCaps, channelCaps };
    this.own.set(word, caps);
    return caps;
  }
}
