/** Addresses as QEMU's command line writes them: `tcp:HOST:PORT` and `unix:PATH`. Opens nothing. */

import { UsageError } from '../errors.ts';

export type SocketAddress = { readonly path: string } | { readonly host: string; readonly port: number };

/** A host may stand in brackets, and be left out: then it is this one. Throws UsageError. */
export function parseAddress(text: string): SocketAddress {
  if (text.startsWith('unix:') && text.length > 5) return { path: text.slice(5) };
  const [, inBrackets, plain, digits] = /^tcp:(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (!(port >= 0 && port <= 65_535)) throw new UsageError(`Not tcp:HOST:PORT or unix:PATH: ${text.slice(0, 200)}`);
  return { host: inBrackets ?? (plain || '127.0.0.1'), port };
}

/** What `parseAddress` reads. */
export function formatAddress(address: SocketAddress): string {
  if ('path' in address) return `unix:${address.path}`;
  return `tcp:${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;
}
