/** Who is connected: each connection from its coming to its end, for lists and events (spec §4). */
import type { Pipe, PipeHandlers } from '../transport/pipe.ts';

export interface Peer {
  readonly host: string;
  readonly port: string;
  readonly family: 'ipv4' | 'ipv6' | 'unix' | 'unknown';
}

export interface OpenConnection extends Peer {
  readonly connectionId: number;
  readonly channelType: number;
  readonly channelId: number;
  readonly tls: boolean;
}

interface Ends {
  readonly client: Peer;
  readonly server: Peer;
}

export type ConnectionEvent =
  | ({ readonly event: 'connected' } & Ends)
  | ({ readonly event: 'initialized' } & Ends & Omit<OpenConnection, keyof Peer>)
  | ({ readonly event: 'disconnected' } & Ends);

interface Connection {
  readonly ends: Ends;
  readonly tls: boolean;
  open: OpenConnection | undefined;
}

export class Connections {
  private readonly all = new Map<string, Connection>();
  private readonly tell: (event: ConnectionEvent) => void;
  private readonly server: (secure: boolean) => Peer;

  /** `server`: our own end of a connection, plain or secured. */
  constructor(server: (secure: boolean) => Peer, tell: (event: ConnectionEvent) => void) {
    this.server = server;
    this.tell = tell;
  }

  get open(): readonly OpenConnection[] {
    return [...this.all.values()].flatMap(({ open }) => (open === undefined ? [] : [open]));
  }

  /** A pipe that behaves as the given one, and whose end is noted. */
  watch(link: string, pipe: Pipe): Pipe {
    const connection: Connection = {
      ends: { client: peerOf(pipe.peer), server: this.server(pipe.secure) },
      tls: pipe.secure,
      open: undefined,
    };
    this.all.set(link, connection);
    this.tell({ event: 'connected', ...connection.ends });
    const ended = () => {
      if (this.all.delete(link)) this.tell({ event: 'disconnected', ...connection.ends });
    };
    return new WatchedPipe(pipe, ended);
  }

  initialized(link: string, channel: { channelType: number; channelId: number; connectionId: number }): void {
    const connection = this.all.get(link);
    if (connection === undefined) return;
    const facts = { ...channel, tls: connection.tls };
    connection.open = { ...connection.ends.client, ...facts };
    this.tell({ event: 'initialized', ...connection.ends, ...facts });
  }
}

class WatchedPipe implements Pipe {
  private readonly pipe: Pipe;
  private readonly ended: () => void;

  constructor(pipe: Pipe, ended: () => void) {
    this.pipe = pipe;
    this.ended = ended;
  }

  get peer() {
    return this.pipe.peer;
  }
  get secure() {
    return this.pipe.secure;
  }
  get pending() {
    return this.pipe.pending;
  }
  get returns() {
    return this.pipe.returns ?? false;
  }
  take(handlers: PipeHandlers, unread?: Uint8Array): void {
    this.pipe.take(
      {
        onChunk: (chunk) => handlers.onChunk(chunk),
        onDrained: () => handlers.onDrained?.(),
        onClosed: (error) => {
          this.ended();
          handlers.onClosed(error);
        },
      },
      unread,
    );
  }
  write(bytes: Uint8Array, taken?: () => void): void {
    this.pipe.write(bytes, taken);
  }
  pause(): void {
    this.pipe.pause();
  }
  resume(): void {
    this.pipe.resume();
  }
  close(): void {
    this.pipe.close();
  }
  abort(): void {
    this.pipe.abort();
  }
}

/** "127.0.0.1:5900", "[::1]:5900", or a unix socket's path. */
export function peerOf(name: string): Peer {
  const [, host, port] = /^\[?([^\]]*?)\]?:(\d+)$/.exec(name) ?? [];
  if (host === undefined || port === undefined)
    return { host: name, port: '', family: name.startsWith('/') ? 'unix' : 'unknown' };
  return { host, port, family: host.includes(':') ? 'ipv6' : 'ipv4' };
}
