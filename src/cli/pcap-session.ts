/**
 * Puts the connections of a recorded session together again, for a file of packets. The bytes of one link are spread over
 * the records of whoever read them: the link's own chart first, then a channel, or two in turn. None is told twice.
 */
import { type Destination, destinationName } from '../../machines/contract.ts';
import { Deframer } from '../engine/deframe.ts';
import { StageLength } from '../engine/stage-length.ts';
import type { EventRecord, JournalRecord, LinkRecord, WireRecord } from '../journal/record.ts';
import type { End, PacketConnection, PacketFile } from './pcap.ts';

interface Connection {
  readonly packets: PacketConnection;
  readonly stage: StageLength;
}

/** A channel that reads a link. One that only asks a question gives the link back with what it did not need. */
interface Reader {
  readonly link: string;
  readonly question: Deframer | undefined;
  /** Bytes received, and those of them up to the end of the answer; 0 while it is not there. */
  pushed: number;
  answered: number;
}

const firstPort = 40_000;
const usualPort = 5_900;
const longest = 64 * 1024 * 1024;

export class SessionPackets {
  private readonly file: PacketFile;
  private readonly epoch: number;
  private readonly wanted: ((link: string) => boolean) | undefined;
  private readonly connections = new Map<string, Connection>();
  private readonly readers = new Map<string, Reader>();
  private readonly servers = new Map<string, End>();
  private readonly links = new Map<string, { readonly link: string; readonly server: End }>();
  private readonly askers = new Set<string>();
  private ports = 0;

  /** `epoch`: milliseconds since 1970 at which the records' clock stood at 0. `wanted`: links to tell of; undefined is all. */
  constructor(file: PacketFile, epoch: number, wanted?: (link: string) => boolean) {
    this.file = file;
    this.epoch = epoch;
    this.wanted = wanted;
  }

  take(record: JournalRecord): void {
    switch (record.kind) {
      case 'event':
        if (record.chart !== undefined) this.born(record);
        break;
      case 'command':
        if (record.command.type === 'link.send_mess') this.dialled(record.actor, this.epoch + record.at);
        break;
      case 'link':
        this.read(record);
        break;
      case 'wire':
        this.wire(record);
        break;
      case 'end':
        this.readers.delete(record.actor);
        break;
      case 'resume':
        this.readers.clear();
        this.end(record.at);
        break;
    }
  }

  /** Closes what is open. `at`: milliseconds of the records' clock. */
  end(at: number): void {
    for (const { packets } of this.connections.values()) packets.close(this.epoch + at);
  }

  private born({ actor, chart, event, at }: EventRecord): void {
    const input = event.input as { link?: string; destination?: Destination } | undefined;
    if (chart === 'migration/handshake') this.askers.add(actor);
    if (!chart?.startsWith('link/') || typeof input?.link !== 'string') return;
    if (this.wanted?.(input.link) === false) return;
    this.links.set(actor, { link: input.link, server: this.serverOf(input.destination) });
    if (chart === 'link/server') this.dialled(actor, this.epoch + at);
  }

  /** A connection begins; a client's link may need a second one. */
  private dialled(actor: string, at: number): void {
    const known = this.links.get(actor);
    if (known === undefined) return;
    this.connections.get(known.link)?.packets.close(at);
    const client: End = { address: [10, 0, 0, 1], port: firstPort + (this.ports++ % 20_000) };
    this.connections.set(known.link, {
      packets: this.file.connection(client, known.server, at),
      stage: new StageLength(actor.startsWith('server') ? 'server' : 'client'),
    });
  }

  private serverOf(destination: Destination | undefined): End {
    const name = destination === undefined ? '' : destinationName(destination);
    let server = this.servers.get(name);
    if (server === undefined) {
      const n = this.servers.size + 1;
      const port = destination?.port ?? destination?.tlsPort ?? usualPort;
      server = { address: [10, 0, 1 + (n >> 8), n & 0xff], port };
      this.servers.set(name, server);
    }
    return server;
  }

  private read({ actor, link, found, mini = true }: LinkRecord): void {
    if (!found) return;
    const reader: Reader = {
      link,
      ...{ pushed: 0, answered: 0 },
      question: this.askers.has(actor)
        ? new Deframer(mini, longest, (_number, body) => {
            reader.answered = (mini ? 6 : 18) + body.length;
            // What comes behind the answer is for the channel.
            reader.question?.hold();
          })
        : undefined,
    };
    this.readers.set(actor, reader);
  }

  private wire({ actor, at, link, direction, bytes }: WireRecord): void {
    const connection = this.connections.get(link);
    if (connection === undefined) return;
    const isClient = actor.startsWith('client');
    const from = (direction === 'out') === isClient ? 'client' : 'server';
    const piece = direction === 'out' ? bytes : this.own(actor, link, connection, bytes);
    if (piece.length > 0) connection.packets.say(this.epoch + at, from, piece);
  }

  /** Those of the bytes received that no other record tells of. */
  private own(actor: string, link: string, { stage }: Connection, bytes: Uint8Array): Uint8Array {
    if (this.links.has(actor)) return bytes.subarray(0, stage.push(bytes).size);
    const reader = this.readers.get(actor);
    if (reader?.link !== link) return bytes.subarray(0, 0);
    if (reader.question === undefined) return bytes;
    const before = reader.pushed;
    reader.pushed += bytes.length;
    if (reader.answered > 0) return bytes.subarray(0, 0);
    try {
      reader.question.push(bytes);
    } catch {
      return bytes;
    }
    return reader.answered > 0 ? bytes.subarray(0, reader.answered - before) : bytes;
  }
}
