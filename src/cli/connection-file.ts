/**
 * Connection files as remote-viewer takes them (.vv): the group [virt-viewer] of an INI file. A file may come from anywhere:
 * it is bounded, its values are checked one by one, and what cannot be honoured is refused where leaving it out would be
 * less safe. Text in, plain data out: reading and removing the file is somebody else's.
 */
import * as v from 'valibot';
import { type ClientChannel, clientChannels } from '../../machines/session/client.ts';
import { UsageError } from '../errors.ts';
import { isHost, readPort, type SpiceAddress } from './uri.ts';

export interface ConnectionFile extends SpiceAddress {
  readonly ca?: string | undefined;
  readonly hostSubject?: string | undefined;
  /** Channels to link; undefined is all. */
  readonly channels?: readonly ClientChannel[] | undefined;
  readonly title?: string | undefined;
  /** The file wants to be removed once it was read. */
  readonly deleteThisFile: boolean;
}

/** Bytes. */
export const longestConnectionFile = 256 * 1024;

const list = v.pipe(
  v.string(),
  v.transform((text) => text.split(';').flatMap((word) => (word.trim() === '' ? [] : [word.trim()]))),
);

const truth = v.pipe(
  v.string(),
  v.picklist(['0', '1', 'true', 'false'], '0 or 1 is expected'),
  v.transform((word) => word === '1' || word === 'true'),
);

const GroupSchema = v.object({
  type: v.optional(v.string(), ''),
  host: v.optional(v.string()),
  port: v.optional(v.string()),
  'tls-port': v.optional(v.string()),
  'unix-path': v.optional(v.string()),
  password: v.optional(v.string()),
  ca: v.optional(v.string()),
  'host-subject': v.optional(v.string()),
  proxy: v.optional(v.string()),
  title: v.optional(v.string()),
  'secure-channels': v.optional(list, ''),
  'disable-channels': v.optional(list, ''),
  'delete-this-file': v.optional(truth, '0'),
});

/**
 * Reads a connection file. Keys that concern a window, and those that are not known, are passed over. Throws UsageError
 * with a sentence that repeats none of the file's values.
 */
export function readConnectionFile(text: string): ConnectionFile {
  const read = v.safeParse(GroupSchema, readGroup(text, 'virt-viewer'), { abortEarly: true });
  if (!read.success) {
    const [issue] = read.issues;
    throw new UsageError(`${v.getDotPath(issue) ?? 'the group'}: ${issue.message}`);
  }
  const group = read.output;
  if (group.type !== 'spice') {
    throw new UsageError(
      group.type === '' ? 'it has no type' : 'its type is not spice, and other sessions are not known',
    );
  }
  // A connection that goes around the proxy is not the one that was asked for.
  if (group.proxy) throw new UsageError('it asks for a proxy, and connecting through one is not known');
  const disabled = group['disable-channels'];
  const channels = clientChannels.filter((channel) => !disabled.includes(channel));
  return {
    ...placeOf(group),
    // An empty password is none, as for the C clients.
    ...(group.password ? { password: group.password } : {}),
    ...(group.ca ? { ca: group.ca } : {}),
    ...(group['host-subject'] ? { hostSubject: group['host-subject'] } : {}),
    ...(channels.length === clientChannels.length ? {} : { channels }),
    ...(group.title ? { title: group.title } : {}),
    deleteThisFile: group['delete-this-file'],
  };
}

function placeOf(group: v.InferOutput<typeof GroupSchema>): SpiceAddress {
  const path = group['unix-path'];
  const port = filePort('port', group.port);
  const tlsPort = filePort('tls-port', group['tls-port']);
  if (path) {
    if (group.host || port !== undefined || tlsPort !== undefined) {
      throw new UsageError('it has a unix-path and a host or port');
    }
    if (!path.startsWith('/') || path.includes('\0')) throw new UsageError('its unix-path is not an absolute path');
    return { host: path, path };
  }
  const host = (group.host ?? '').replace(/^\[(.*)\]$/, '$1');
  if (!isHost(host)) throw new UsageError(host === '' ? 'it has no host' : 'its host is none');
  if (port === undefined && tlsPort === undefined) throw new UsageError('it has neither a port nor a tls-port');
  // Channels cannot be dialled apart here: where some must be secure, all are.
  const secure = port === undefined || group['secure-channels'].length > 0;
  if (secure && tlsPort === undefined) throw new UsageError('it wants secure channels and has no tls-port');
  return {
    host,
    ...(port === undefined || secure ? {} : { port }),
    ...(tlsPort === undefined ? {} : { tlsPort }),
    ...(secure ? { secure } : {}),
  };
}

/** Writers put 0 or -1 where there is no port. */
function filePort(key: string, text: string | undefined): number | undefined {
  if (text === '0' || text === '-1') return undefined;
  try {
    return readPort(text);
  } catch {
    throw new UsageError(`its ${key} is no number from 1 to 65535`);
  }
}

/** The keys and values of one group of an INI file; of two of one name the last one counts. */
function readGroup(text: string, wanted: string): Record<string, string> {
  const values = new Map<string, string>();
  let group: string | undefined;
  let found = false;
  for (const [i, raw] of text
    .replace(/^\u{feff}/u, '')
    .split(/\r?\n/)
    .entries()) {
    const line = raw.trimStart();
    if (line === '' || line.startsWith('#')) continue;
    const header = /^\[([^[\]]*)\]\s*$/.exec(line);
    if (header !== null) {
      group = header[1];
      found ||= group === wanted;
      continue;
    }
    const equals = line.indexOf('=');
    if (equals < 1 || group === undefined) throw new UsageError(`its line ${i + 1} is neither [GROUP] nor KEY=VALUE`);
    if (group === wanted) values.set(line.slice(0, equals).trim(), unescapeValue(line.slice(equals + 1).trim()));
  }
  if (!found) throw new UsageError(`it has no group [${wanted}]`);
  return Object.fromEntries(values);
}

const escapes: Readonly<Record<string, string>> = { s: ' ', n: '\n', t: '\t', r: '\r', '\\': '\\' };

const unescapeValue = (text: string): string =>
  text.replace(/\\(.)/gs, (whole, letter: string) => escapes[letter] ?? whole);
