/**
 * From what a user writes behind `connect` and `screenshot` to what connect() takes: an address or a connection file, the
 * flags that go with it, and the password from wherever it is. Reads files, dials nothing.
 */
import { closeSync, fstatSync, openSync, readSync, rmSync } from 'node:fs';
import type { ClientChannel } from '../../machines/session/client.ts';
import { preferredCompressions } from '../client/displays.ts';
import type { ConnectOptions } from '../connect.ts';
import { UsageError } from '../errors.ts';
import { type ConnectionFile, longestConnectionFile, readConnectionFile } from './connection-file.ts';
import type { Terminal } from './terminal.ts';
import { looksLikeUri, readSpiceUri, type SpiceAddress, writeSpiceUri } from './uri.ts';
import { channels, oneOf, text } from './values.ts';
import { flag, type Values } from './verb.ts';

/** The flags of every verb that connects to a server. */
export const targetFlags = {
  password: flag('TEXT', text, "The server's password. SUMAC_PASSWORD in the environment does the same, unseen."),
  ca: flag('FILE', text, 'CA certificates to believe, in PEM. Otherwise those that Node believes.'),
  'host-subject': flag(
    'SUBJECT',
    text,
    "The subject of the server's certificate, O=…,CN=…, instead of its host's name.",
  ),
  'preferred-compression': flag(
    'HOW',
    oneOf(...preferredCompressions),
    `How the server should encode pictures, if it lets itself be told: ${preferredCompressions.join(', ')}.`,
  ),
} as const;

export const targetAbout = [
  'URI is spice://HOST:PORT, spice://HOST?port=N&tls-port=N, spice+tls://HOST:PORT or spice+unix:///PATH; or the name of ' +
    "a connection file as remote-viewer takes it (.vv), or - for one on standard input. A connection file's own wish to be " +
    'removed is granted. Without a plain port nothing goes over one, wherever the guest moves.',
];

export interface Target {
  readonly options: ConnectOptions;
  /** Where to, for people; without the password. */
  readonly name: string;
  readonly channels: readonly ClientChannel[] | undefined;
}

const longestCa = 1024 * 1024;

/** Throws UsageError for what cannot be used. */
export function readTarget(word: string, values: Values<typeof targetFlags>, env: Terminal['env']): Target {
  const found: SpiceAddress & Partial<ConnectionFile> = looksLikeUri(word) ? readSpiceUri(word) : openConnection(word);
  const ca = values.ca === undefined ? found.ca : readText(values.ca, longestCa, 'The CA certificate');
  const password = values.password ?? found.password ?? (env.SUMAC_PASSWORD || undefined);
  const { host, port, tlsPort, path, secure } = found;
  return {
    options: {
      destination: { host, port, tlsPort, path, secure },
      password,
      ca,
      hostSubject: values['host-subject'] ?? found.hostSubject,
      preferredCompression: values['preferred-compression'],
    },
    name: writeSpiceUri(found),
    channels: found.channels,
  };
}

/** Reads a connection file, and removes it if it says so. */
function openConnection(name: string): ConnectionFile {
  const what = name === '-' ? 'The connection file on standard input' : `The connection file ${name}`;
  const content = readText(name === '-' ? 0 : name, longestConnectionFile, what);
  let file: ConnectionFile;
  try {
    file = readConnectionFile(content);
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`${what} cannot be used: ${error.message}`);
    throw error;
  }
  if (file.deleteThisFile && name !== '-') {
    try {
      rmSync(name);
    } catch {
      // As with the C clients: it is a wish, not a condition.
    }
  }
  return file;
}

/** Reads a file of UTF-8, no further than `most` bytes. Throws UsageError in one sentence. */
export function readText(file: string | 0, most: number, what: string): string {
  const bytes = readBytes(file, most, what);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new UsageError(`${what} is not text in UTF-8`);
  }
}

/** As `readText`, for bytes. */
export function readBytes(file: string | 0, most: number, what: string): Uint8Array {
  let handle: number | undefined;
  try {
    handle = file === 0 ? 0 : openSync(file, 'r');
    if (fstatSync(handle).isDirectory()) throw new UsageError(`${what} is a folder`);
    const parts: Uint8Array[] = [];
    let size = 0;
    for (;;) {
      const part = new Uint8Array(64 * 1024);
      const got = readSync(handle, part);
      if (got === 0) return Buffer.concat(parts, size);
      parts.push(part.subarray(0, got));
      size += got;
      if (size > most) throw new UsageError(`${what} is larger than ${Math.round(most / 1024)} KiB`);
    }
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${what} cannot be read: ${reasonOf(error)}`, { cause: error });
  } finally {
    if (handle !== undefined && handle !== 0) closeSync(handle);
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'permission denied',
  EISDIR: 'it is a folder',
  ENOTDIR: 'there is no such folder',
  EROFS: 'nothing can be written there',
  ENOSPC: 'there is no room left',
};

/** Why the file system refused, as a few words. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return reasons[code ?? ''] ?? message;
}

/** Channels that both a flag and a connection file allow; undefined is all. */
export function bothAllow(
  one: readonly ClientChannel[] | undefined,
  other: readonly ClientChannel[] | undefined,
): readonly ClientChannel[] | undefined {
  return one === undefined || other === undefined ? (one ?? other) : one.filter((channel) => other.includes(channel));
}

/** The flag that narrows the channels. */
export const channelsFlag = flag(
  'LIST',
  channels,
  'Channels to link, such as display,playback. Default: all that there are.',
);
