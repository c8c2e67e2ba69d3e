/** The link stage: what goes over a new connection before the first channel message (spec §1). */
import { bytes, struct, times, u8, u32 } from '../wire/codec.ts';

/** "REDQ" */
export const magic = 0x51444552;
export const version = { major: 2, minor: 2 } as const;

export const LinkHeader = struct({ magic: u32, majorVersion: u32, minorVersion: u32, size: u32 });
export const linkHeaderSize = 16;

/** Fixed part of the client's message; capability words stand at `capsOffset` from its start. */
export const LinkMess = struct({
  connectionId: u32,
  channelType: u8,
  channelId: u8,
  numCommonCaps: u32,
  numChannelCaps: u32,
  capsOffset: u32,
});
export const linkMessSize = 18;

/** Fixed part of the server's reply. `pubKey` is a DER SubjectPublicKeyInfo of RSA-1024, zeroes after an error. */
export const LinkReply = struct({
  error: u32,
  pubKey: bytes(162),
  numCommonCaps: u32,
  numChannelCaps: u32,
  capsOffset: u32,
});
export const linkReplySize = 178;

export const capWords = (count: number) => times(count, u32);

/** Sizes that a server takes in a link message, and what a client takes in a reply (the reference has no upper limit). */
export const linkLimits = { size: 4096, capWords: 1024 } as const;

/** RSA-OAEP (SHA-1) of the password and its NUL. */
export const ticketSize = 128;
/** Characters of a password that a server stores. */
export const longestPassword = 60;

/** SPICE_LINK_ERR_* (spec §1.3). */
export const LinkErrorCode = {
  ok: 0,
  error: 1,
  invalidMagic: 2,
  invalidData: 3,
  versionMismatch: 4,
  needSecured: 5,
  needUnsecured: 6,
  permissionDenied: 7,
  badConnectionId: 8,
  channelNotAvailable: 9,
} as const;

export const linkErrorName = (code: number): string =>
  Object.entries(LinkErrorCode).find(([, number]) => number === code)?.[0] ?? `error ${code}`;

export const AuthMechanism = { spice: 1, sasl: 2 } as const;
