/** What a SPICE server says, in the words that QEMU has for it: the data of events, and `query-spice`. Pure. */

import type { OpenChannel, SocketEnd, Spice, SpiceEvent } from '../sources/console.ts';
import type { QmpObject } from './protocol.ts';

/** An event as it goes out, without its time. */
export interface Notice {
  readonly event: string;
  readonly data?: QmpObject;
}

/** Ports are text in QEMU. */
const socketEnd = ({ host, port, family }: SocketEnd): QmpObject => ({ host, port: String(port), family });

const channelWords = (channel: Omit<OpenChannel, keyof SocketEnd>): QmpObject => ({
  'connection-id': channel.connectionId,
  'channel-type': channel.channelType,
  'channel-id': channel.channelId,
  tls: channel.tls,
});

/** Undefined where QEMU would say nothing. */
export function noticeOf(event: SpiceEvent, auth: string): Notice | undefined {
  switch (event.event) {
    case 'connected':
    case 'disconnected':
      return {
        event: `SPICE_${event.event.toUpperCase()}`,
        data: { server: socketEnd(event.server), client: socketEnd(event.client) },
      };
    case 'initialized': {
      const { connectionId = 0, channelType = 0, channelId = 0, tls = false } = event;
      return {
        event: 'SPICE_INITIALIZED',
        data: {
          server: { ...socketEnd(event.server), auth: event.server.auth ?? auth },
          client: { ...socketEnd(event.client), ...channelWords({ connectionId, channelType, channelId, tls }) },
        },
      };
    }
    case 'migrate_end_complete':
      return event.completed ? { event: 'SPICE_MIGRATE_COMPLETED' } : undefined;
    default:
      return undefined;
  }
}

const mouseModeNames: Readonly<Record<number, string>> = { 1: 'server', 2: 'client' };

/** The answer to `query-spice`. */
export function querySpice(
  spice: Spice,
  facts: { readonly migrated: boolean; readonly auth: string; readonly mouseMode: number },
): QmpObject {
  const { host, port, tlsPort } = spice.addresses;
  return {
    enabled: true,
    migrated: facts.migrated,
    host,
    ...(port === undefined ? {} : { port }),
    ...(tlsPort === undefined ? {} : { 'tls-port': tlsPort }),
    auth: facts.auth,
    'mouse-mode': mouseModeNames[facts.mouseMode] ?? 'unknown',
    channels: spice.channels().map((channel) => ({ ...socketEnd(channel), ...channelWords(channel) })),
  };
}
