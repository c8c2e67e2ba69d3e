/**
 * A server written by hand, to say to a client what no honest server says. Its link stage is as spice.proto has it unless a
 * test does it itself; it takes every ticket, and knows nothing of sessions.
 */
import { generateKeyPairSync } from 'node:crypto';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { type ChannelWord, channelType } from './raw-client.ts';
import { ascii, join, RawChannel, RawSocket, readU32, u8, u16, u32 } from './raw-wire.ts';

const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
/** 162 bytes, as every server sends them. */
export const goodKey = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }));

export interface ReplyLies {
  readonly magic?: Uint8Array;
  readonly major?: number;
  readonly minor?: number;
  readonly size?: number;
  readonly error?: number;
  readonly key?: Uint8Array;
  readonly commonWords?: number;
  readonly channelWords?: number;
  readonly capsOffset?: number;
  readonly tail?: Uint8Array;
}

/** Common capabilities: AUTH_SELECTION, AUTH_SPICE, MINI_HEADER. Main's: SEMI_SEAMLESS to SEAMLESS, or `caps`. */
export function linkReply(lies: ReplyLies = {}, caps = 0x0f): Uint8Array {
  const body = join(
    u32(lies.error ?? 0),
    lies.key ?? goodKey,
    u32(lies.commonWords ?? 1, lies.channelWords ?? 1, lies.capsOffset ?? 178),
    lies.tail ?? u32(0x0b, caps),
  );
  return join(lies.magic ?? ascii('REDQ'), u32(lies.major ?? 2, lies.minor ?? 2, lies.size ?? body.length), body);
}

/** A channel that a client has linked. */
export class RawServed extends RawChannel {
  readonly word: ChannelWord;
  readonly id: number;
  readonly connectionId: number;

  constructor(raw: RawSocket, mini: boolean, word: ChannelWord, id: number, connectionId: number) {
    super(raw, mini);
    this.word = word;
    this.id = id;
    this.connectionId = connectionId;
  }
}

const wordOf = (type: number) => Object.entries(channelType).find(([, number]) => number === type)![0] as ChannelWord;

export class RawServer {
  readonly port: number;
  /** Connections ever accepted. */
  accepted = 0;
  private readonly server: Server;
  private readonly all: RawSocket[] = [];
  private readonly arrived: RawSocket[] = [];
  private readonly waiting: ((raw: RawSocket) => void)[] = [];

  private constructor(server: Server) {
    this.server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (socket) => {
      const raw = new RawSocket(socket);
      this.accepted++;
      this.all.push(raw);
      const next = this.waiting.shift();
      if (next === undefined) this.arrived.push(raw);
      else next(raw);
    });
  }

  static async listen(): Promise<RawServer> {
    const server = createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new RawServer(server);
  }

  /** The next connection, of which nothing was read. */
  async connection(ms = 5_000): Promise<RawSocket> {
    const there = this.arrived.shift();
    if (there !== undefined) return there;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`nobody has connected in ${ms} ms`)), ms);
      this.waiting.push((raw) => {
        clearTimeout(timer);
        resolve(raw);
      });
    });
  }

  /** Reads the next connection's link message and links it, honestly. */
  async link(caps?: number): Promise<RawServed> {
    const raw = await this.connection();
    const header = await raw.read(16);
    const body = await raw.read(readU32(header, 12));
    const mini = (readU32(body, readU32(body, 14)) & 8) !== 0;
    raw.write(linkReply({}, caps));
    await raw.read(4 + 128);
    raw.write(u32(0));
    return new RawServed(raw, mini, wordOf(body[4]!), body[5]!, readU32(body));
  }

  /** A session with these channels, all linked; `sessionId` is what INIT says. */
  async session(words: readonly ChannelWord[], sessionId = 0x51ce): Promise<Record<ChannelWord, RawServed>> {
    const main = await this.link();
    main.send(103, init(sessionId));
    await main.until(104);
    main.send(104, join(u32(words.length), ...words.map((word) => u8(channelType[word], 0))));
    const served: Partial<Record<ChannelWord, RawServed>> = { main };
    for (const _ of words) {
      const own = await this.link();
      served[own.word] = own;
    }
    served.inputs?.send(101, u16(0));
    return served as Record<ChannelWord, RawServed>;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.all.filter((raw) => !raw.over).length;
  }

  async close(): Promise<void> {
    for (const raw of this.all) raw.end();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }
}

/** The body of INIT. */
export const init = (sessionId: number, mouse = 1): Uint8Array => u32(sessionId, 1, 3, mouse, 0, 10, 1_000, 0);

/** The body of MIGRATE_BEGIN and SWITCH_HOST, true but for what is lied about. */
export function dstInfo(
  port: number,
  more: {
    host?: Uint8Array;
    sport?: number;
    hostSize?: number;
    hostAt?: number;
    subject?: Uint8Array;
    seamless?: number;
  } = {},
): Uint8Array {
  const { host = ascii('127.0.0.1\0'), subject = u8(), sport = 0, seamless } = more;
  const fixed = seamless === undefined ? 20 : 24;
  return join(
    u16(port, sport),
    u32(more.hostSize ?? host.length, more.hostAt ?? fixed),
    u32(subject.length, subject.length === 0 ? 0 : fixed + host.length),
    ...(seamless === undefined ? [] : [u32(seamless)]),
    host,
    subject,
  );
}
