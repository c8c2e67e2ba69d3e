/** Bytes of the link stage to values and back (spec §1.2). No state: the hosts of links say what is expected when. */
import { SumacError, WireError } from '../errors.ts';
import type { Caps } from '../protocol/capabilities.ts';
import {
  capWords,
  LinkErrorCode,
  LinkHeader,
  LinkMess,
  LinkReply,
  linkHeaderSize,
  linkLimits,
  linkMessSize,
  linkReplySize,
  magic,
  version,
} from '../protocol/link.ts';
import { decode, encode } from '../wire/codec.ts';
import { Writer } from '../wire/writer.ts';
import type { ByteQueue } from './byte-queue.ts';

/** A link stage that cannot go on; `linkCode` is what the peer is told, undefined if nothing. */
export class LinkStageError extends SumacError {
  readonly linkCode: number | undefined;

  constructor(linkCode: number | undefined, message: string) {
    super('link.stage', message);
    this.linkCode = linkCode;
  }
}

export interface MessValue {
  readonly connectionId: number;
  readonly channelType: number;
  readonly channelId: number;
  readonly commonCaps: Caps;
  readonly channelCaps: Caps;
}

export interface ReplyValue {
  readonly error: number;
  readonly pubKey: Uint8Array;
  readonly commonCaps: Caps;
  readonly channelCaps: Caps;
}

/** Reads a header and the `size` bytes behind it, or undefined while they are not all there. */
function readFramed(queue: ByteQueue, least: number): Uint8Array | undefined {
  const start = queue.peek(4);
  if (start === undefined) return undefined;
  if ((start[0]! | (start[1]! << 8) | (start[2]! << 16) | (start[3]! << 24)) >>> 0 !== magic) {
    throw new LinkStageError(LinkErrorCode.invalidMagic, 'this is not SPICE');
  }
  const head = queue.peek(linkHeaderSize);
  if (head === undefined) return undefined;
  const { majorVersion, size } = decode(LinkHeader, head);
  if (majorVersion !== version.major) {
    throw new LinkStageError(
      majorVersion === 0 ? undefined : LinkErrorCode.versionMismatch,
      `SPICE version ${majorVersion} is not spoken here`,
    );
  }
  if (size < least || size > linkLimits.size) {
    throw new LinkStageError(LinkErrorCode.invalidData, `a link message of ${size} bytes`);
  }
  const all = queue.take(linkHeaderSize + size);
  return all?.subarray(linkHeaderSize);
}

function readCaps(body: Uint8Array, offset: number, common: number, channel: number) {
  if (common > linkLimits.capWords || channel > linkLimits.capWords) {
    throw new LinkStageError(LinkErrorCode.invalidData, `${common} and ${channel} words of capabilities`);
  }
  if (offset > body.length || (common + channel) * 4 > body.length - offset) {
    throw new LinkStageError(LinkErrorCode.invalidData, 'capabilities outside the message');
  }
  return {
    commonCaps: decode(capWords(common), body.subarray(offset)),
    channelCaps: decode(capWords(channel), body.subarray(offset + common * 4)),
  };
}

/** Throws LinkStageError. */
export function readMess(queue: ByteQueue): MessValue | undefined {
  const body = readFramed(queue, linkMessSize);
  if (body === undefined) return undefined;
  const m = decode(LinkMess, body);
  return {
    connectionId: m.connectionId,
    channelType: m.channelType,
    channelId: m.channelId,
    ...readCaps(body, m.capsOffset, m.numCommonCaps, m.numChannelCaps),
  };
}

/** Throws LinkStageError. */
export function readReply(queue: ByteQueue): ReplyValue | undefined {
  const body = readFramed(queue, linkReplySize);
  if (body === undefined) return undefined;
  const r = decode(LinkReply, body);
  if (r.error !== LinkErrorCode.ok) return { error: r.error, pubKey: r.pubKey, commonCaps: [], channelCaps: [] };
  return {
    error: r.error,
    pubKey: r.pubKey.slice(),
    ...readCaps(body, r.capsOffset, r.numCommonCaps, r.numChannelCaps),
  };
}

const framed = (fixed: Uint8Array, common: Caps, channel: Caps): Uint8Array => {
  const w = new Writer();
  LinkHeader.write(w, {
    magic,
    majorVersion: version.major,
    minorVersion: version.minor,
    size: fixed.length + (common.length + channel.length) * 4,
  });
  w.bytes(fixed);
  for (const word of [...common, ...channel]) w.u32(word);
  return w.finish();
};

export const writeMess = (mess: MessValue): Uint8Array =>
  framed(
    encode(LinkMess, {
      connectionId: mess.connectionId,
      channelType: mess.channelType,
      channelId: mess.channelId,
      numCommonCaps: mess.commonCaps.length,
      numChannelCaps: mess.channelCaps.length,
      capsOffset: linkMessSize,
    }),
    mess.commonCaps,
    mess.channelCaps,
  );

export const writeReply = (reply: ReplyValue): Uint8Array =>
  framed(
    encode(LinkReply, {
      error: reply.error,
      pubKey: reply.pubKey,
      numCommonCaps: reply.commonCaps.length,
      numChannelCaps: reply.channelCaps.length,
      capsOffset: linkReplySize,
    }),
    reply.commonCaps,
    reply.channelCaps,
  );

export const writeU32 = (value: number): Uint8Array => {
  const w = new Writer(4);
  w.u32(value);
  return w.finish();
};

export const sentenceOf = (error: unknown): string =>
  error instanceof WireError ? `the link message does not fit: ${error.message}` : (error as Error).message;
