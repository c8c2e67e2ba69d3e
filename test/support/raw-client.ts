/**
 * A client written by hand, to say to a server what no honest client says. It links as spice.proto has it unless it is told
 * to lie, and leaves the rest to the test.
 */
import { constants, createPublicKey, publicEncrypt } from 'node:crypto';
import { ascii, join, RawChannel, RawSocket, readU32, u8, u32 } from './raw-wire.ts';

export const channelType = { main: 1, display: 2, inputs: 3, cursor: 4, playback: 5, record: 6 } as const;
export type ChannelWord = keyof typeof channelType;

/** Bits of the common capabilities: AUTH_SELECTION, AUTH_SPICE, MINI_HEADER. */
export const common = { selection: 1, spice: 2, mini: 8 } as const;
/** Bits of main's: SEMI_SEAMLESS, NAME_AND_UUID, AGENT_CONNECTED_TOKENS, SEAMLESS. */
export const mainCaps = 0x0f;

export interface RawLinkOptions {
  readonly channel?: ChannelWord | number;
  readonly id?: number;
  readonly connectionId?: number;
  readonly password?: string;
  /** Default true. */
  readonly mini?: boolean;
  /** Leave the choice of an authentication mechanism out. */
  readonly noSelection?: boolean;
  readonly caps?: number;
  /** The address to come from. */
  readonly from?: string;
}

export interface Lies {
  readonly magic?: Uint8Array;
  readonly major?: number;
  readonly minor?: number;
  readonly size?: number;
  readonly commonWords?: number;
  readonly channelWords?: number;
  readonly capsOffset?: number;
  readonly tail?: Uint8Array;
}

/** The bytes of a link message, true but for what is lied about. */
export function linkMessage(options: RawLinkOptions = {}, lies: Lies = {}): Uint8Array {
  const { channel = 'main', id = 0, connectionId = 0, mini = true, noSelection = false } = options;
  const type = typeof channel === 'number' ? channel : channelType[channel];
  const own = options.caps ?? (type === channelType.main ? mainCaps : 0);
  const commonCaps = (noSelection ? 0 : common.selection) | (mini ? common.mini : 0);
  const body = join(
    u32(connectionId),
    u8(type, id),
    u32(lies.commonWords ?? 1, lies.channelWords ?? 1, lies.capsOffset ?? 18),
    lies.tail ?? u32(commonCaps, own),
  );
  return join(lies.magic ?? ascii('REDQ'), u32(lies.major ?? 2, lies.minor ?? 2, lies.size ?? body.length), body);
}

export interface RawReply {
  readonly error: number;
  readonly pubKey: Uint8Array;
}

/** The reply to a link message. Throws Hung when there is none. */
export async function readReply(raw: RawSocket, ms?: number): Promise<RawReply> {
  const header = await raw.read(16, ms);
  const body = await raw.read(readU32(header, 12), ms);
  return { error: readU32(body), pubKey: body.subarray(4, 166) };
}

export function encryptTicket(pubKey: Uint8Array, password: string): Uint8Array {
  const key = createPublicKey({ key: Buffer.from(pubKey), format: 'der', type: 'spki' });
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  return publicEncrypt({ key, padding, oaepHash: 'sha1' }, ascii(`${password}\0`));
}

/** A connection that has come as far as the link result. */
export async function tryLink(
  port: number,
  options: RawLinkOptions = {},
): Promise<{ raw: RawSocket; reply: number; result: number | undefined }> {
  const raw = await RawSocket.dial(port, options.from);
  raw.write(linkMessage(options));
  const reply = await readReply(raw);
  if (reply.error !== 0) return { raw, reply: reply.error, result: undefined };
  const ticket = encryptTicket(reply.pubKey, options.password ?? '');
  raw.write(...(options.noSelection ? [] : [u32(1)]), ticket);
  return { raw, reply: 0, result: readU32(await raw.read(4)) };
}

/** Links a channel. Throws when the server does not let it in. */
export async function link(port: number, options: RawLinkOptions = {}): Promise<RawChannel> {
  const { raw, reply, result } = await tryLink(port, options);
  if (reply !== 0 || result !== 0) throw new Error(`not linked: reply ${reply}, result ${result}`);
  return new RawChannel(raw, options.mini ?? true);
}

/** A session of its own: main, greeted. */
export async function session(
  port: number,
  options: RawLinkOptions = {},
): Promise<{ main: RawChannel; connectionId: number }> {
  const main = await link(port, options);
  const { body } = await main.until(103);
  return { main, connectionId: readU32(body) };
}
