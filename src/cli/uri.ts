/**
 * Addresses of SPICE servers as people and other clients write them: spice://, spice+tls:// and spice+unix://. Text in,
 * plain data out; whatever is not understood is refused with a sentence, never guessed.
 */
import { UsageError } from '../errors.ts';

/** Where a server is and how to reach it. Either `path`, or `host` with one port or two. */
export interface SpiceAddress {
  readonly host: string;
  readonly port?: number | undefined;
  readonly tlsPort?: number | undefined;
  /** A unix socket's path. */
  readonly path?: string | undefined;
  readonly password?: string | undefined;
  /** Nothing may go over a plain connection, at this server and at every one that the guest moves to. */
  readonly secure?: boolean | undefined;
}

export const looksLikeUri = (text: string): boolean => /^[a-z][a-z0-9+.-]*:\/\//i.test(text);

const longestUri = 8_192;

/**
 * Reads `spice://HOST:PORT`, `spice://HOST?port=N&tls-port=N&password=…` (`;` separates too), `spice+tls://HOST:PORT` and
 * `spice+unix:///PATH`. An address that has a TLS port alone is secure from then on. Throws UsageError; its message does
 * not repeat what may be a password.
 */
export function readSpiceUri(uri: string): SpiceAddress {
  if (uri.length > longestUri) throw new UsageError('The address is too long');
  const [, scheme, rest] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is.exec(uri) ?? [];
  switch (scheme?.toLowerCase()) {
    case 'spice+unix':
      return unixAddress(rest!);
    case 'spice':
    case 'spice+tls':
      return networkAddress(rest!, scheme!.toLowerCase());
    default:
      throw new UsageError('An address begins with spice://, spice+tls:// or spice+unix://');
  }
}

/** How other clients write the same address; a password is left out. */
export function writeSpiceUri({ host, port, tlsPort, path }: SpiceAddress): string {
  if (path !== undefined) return `spice+unix://${path}`;
  const name = host.includes(':') ? `[${host}]` : host;
  if (tlsPort === undefined) return `spice://${name}:${port}`;
  return port === undefined ? `spice+tls://${name}:${tlsPort}` : `spice://${name}?port=${port}&tls-port=${tlsPort}`;
}

function unixAddress(path: string): SpiceAddress {
  if (!path.startsWith('/') || path.includes('\0'))
    throw new UsageError('spice+unix:// is followed by an absolute path');
  return { host: path, path };
}

function networkAddress(rest: string, scheme: string): SpiceAddress {
  const [, authority, path, query] = /^([^/?#]*)([^?#]*)(?:\?([^#]*))?$/s.exec(rest) ?? [];
  if (authority === undefined || (path !== '' && path !== '/')) {
    throw new UsageError(`Not an address: ${scheme}://HOST:PORT is expected`);
  }
  if (authority.includes('@')) throw new UsageError('An address has no user name before its host');
  const parts = /^(?:\[([0-9a-fA-F:.]+(?:%[\w.-]+)?)\]|([^:[\]\s]+))(?::(\d*))?$/.exec(authority);
  const host = parts?.[1] ?? decode(parts?.[2] ?? '');
  if (!isHost(host)) throw new UsageError(`Not an address: ${scheme}://HOST:PORT is expected`);
  const found = new Map<string, string>();
  if (parts?.[3]) found.set(scheme === 'spice' ? 'port' : 'tls-port', parts[3]);
  for (const pair of (query ?? '').split(/[&;]/)) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const key = decode(equals < 0 ? pair : pair.slice(0, equals));
    if (!['port', 'tls-port', 'password', 'username'].includes(key)) {
      throw new UsageError(`An address knows port, tls-port and password, not ${JSON.stringify(key.slice(0, 40))}`);
    }
    if (scheme !== 'spice' && key.endsWith('port'))
      throw new UsageError(`${scheme}:// has its port behind the host only`);
    if (found.has(key)) throw new UsageError(`The address has two of ${key}`);
    found.set(key, equals < 0 ? '' : decode(pair.slice(equals + 1)));
  }
  const port = readPort(found.get('port'));
  const tlsPort = readPort(found.get('tls-port'));
  if (port === undefined && tlsPort === undefined)
    throw new UsageError(`The address has no port: ${scheme}://HOST:PORT`);
  const password = found.get('password');
  return {
    host,
    ...(port === undefined ? { secure: true } : { port }),
    ...(tlsPort === undefined ? {} : { tlsPort }),
    ...(password === undefined ? {} : { password }),
  };
}

/** A name or address that may be dialled; not more than that is known before it is. */
export const isHost = (host: string): boolean => /^[^\s\p{Cc}/?#@[\]\\]{1,255}$/u.test(host);

/** Undefined for none. Throws UsageError for what is no port to dial. */
export function readPort(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (!/^\d{1,5}$/.test(text) || Number(text) < 1 || Number(text) > 65_535) {
    throw new UsageError('A port is a number from 1 to 65535');
  }
  return Number(text);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new UsageError('The address has a % that is no escape');
  }
}
