/**
 * Serves the inspector: the page, its feed, and the feed of @statelyai/inspect's protocol, all on one port. Bound to loopback
 * it asks for nothing but a proper Host and Origin; bound to anything else it demands a token. It serves only files that it
 * read when it started, and sends nothing off the machine.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, isIP } from 'node:net';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import { UsageError } from '../src/errors.ts';
import { Hub, type HubOptions } from './hub.ts';
import { Joined } from './joined.ts';
import { PageLink } from './page-link.ts';
import { Program, programLimits, statelyBatch, statelyHello } from './stately.ts';

export interface InspectOptions extends HubOptions {
  /** 0 lets the system choose. */
  readonly port?: number;
  /** Default 127.0.0.1. Any address but a loopback one needs a token; without `token` one is made up. */
  readonly host?: string;
  readonly token?: string;
  /** Origins of web programs that may tell of their charts, such as "http://localhost:5173". */
  readonly origins?: readonly string[];
  /** A hub that others feed too. Its own options count then. */
  readonly hub?: Hub;
  /** The folder of the built page. */
  readonly page?: string;
}

export interface Inspector {
  readonly hub: Hub;
  readonly port: number;
  /** To open in a browser; holds the token if there is one. */
  readonly url: string;
  /** For programs and inspectors that speak @statelyai/inspect's protocol. */
  readonly inspectUrl: string;
  close(): Promise<void>;
}

/** Bytes of one message; a process that joins tells everything that it knows at first. */
const mostPayload = 16 * 1024 * 1024;
/** Connections at once, pages and programs together. */
const mostConnections = 64;

/** Starts to serve. Rejects with UsageError when the address cannot be used. */
export async function inspect(options: InspectOptions = {}): Promise<Inspector> {
  const host = options.host ?? '127.0.0.1';
  const hub = options.hub ?? new Hub(options);
  const token = options.token ?? (isLoopback(host) ? undefined : randomBytes(18).toString('base64url'));
  const files = readFiles(options.page ?? pageFolder());
  const guard = new Guard(host, token, options.origins ?? []);
  const server = createServer((request, response) => {
    serveFile(request, response, guard, files);
  });
  const sockets = new WebSocketServer({ noServer: true, maxPayload: mostPayload, perMessageDeflate: false });
  let programs = 0;
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    const target = targetOf(request);
    const refusal = sockets.clients.size >= mostConnections ? 503 : guard.refusal(request, true);
    if (refusal !== undefined || target === undefined) {
      socket.end(`HTTP/1.1 ${refusal ?? 400} No\r\nConnection: close\r\n\r\n`);
      return;
    }
    sockets.handleUpgrade(request, socket, head, (ws) => {
      if (target.pathname === '/feed') servePage(ws, hub);
      else if (target.pathname === '/join') serveJoin(ws, hub, `join-${++programs}`);
      else serveProtocol(ws, hub, `program-${++programs}`);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      reject(new UsageError(`the inspector cannot listen on ${host}:${options.port ?? 0}: ${error.message}`));
    });
    server.listen(options.port ?? 0, host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const name = isIP(host) === 6 ? `[${host}]` : host;
  const query = token === undefined ? '' : `?token=${encodeURIComponent(token)}`;
  return {
    hub,
    port,
    url: `http://${name}:${port}/${token === undefined ? '' : `#token=${encodeURIComponent(token)}`}`,
    inspectUrl: `ws://${name}:${port}/inspect${query}`,
    async close() {
      if (options.hub === undefined) hub.close();
      for (const ws of sockets.clients) ws.terminate();
      sockets.close();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);

/** Who may come in. */
class Guard {
  private readonly host: string;
  private readonly token: string | undefined;
  private readonly origins: readonly string[];

  constructor(host: string, token: string | undefined, origins: readonly string[]) {
    this.host = host;
    this.token = token;
    this.origins = origins;
  }

  /** The status to refuse with; undefined if the request may pass. The page itself is no secret: only feeds need the token. */
  refusal(request: IncomingMessage, feed: boolean): number | undefined {
    const { host, origin } = request.headers;
    // A name of the attacker's that leads here (DNS rebinding) would make its page and this one the same origin to a browser.
    if (this.token === undefined && !this.isOurs(host)) return 421;
    if (!feed) return undefined;
    if (origin !== undefined && !this.origins.includes(origin) && hostOf(origin) !== host?.toLowerCase()) return 403;
    if (this.token !== undefined && !isToken(targetOf(request)?.searchParams.get('token') ?? '', this.token))
      return 401;
    return undefined;
  }

  /** The port does not matter: it differs when somebody forwards one. */
  private isOurs(host: string | undefined): boolean {
    const name = host?.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
    return name !== undefined && (isLoopback(name) || name === this.host);
  }
}

function isToken(given: string, token: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(token)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}

/** What is asked for; undefined for a request line that is no address. */
function targetOf(request: IncomingMessage): URL | undefined {
  const url = `http://inspector${request.url ?? '/'}`;
  return request.url?.startsWith('/') && URL.canParse(url) ? new URL(url) : undefined;
}

function servePage(ws: WebSocket, hub: Hub): void {
  const link = new PageLink(hub, { send: (data) => ws.send(data), buffered: () => ws.bufferedAmount });
  ws.on('message', (data, binary) => {
    if (binary || !link.take(textOf(data))) ws.close(1008);
  });
  ws.on('error', () => ws.terminate());
  ws.on('close', () => link.close());
}

/** Another process that tells what its own hub knows. */
function serveJoin(ws: WebSocket, hub: Hub, name: string): void {
  const joined = new Joined(hub, name, (message) => {
    if (ws.readyState === ws.OPEN) ws.send(JSON.stringify(message));
  });
  ws.on('message', (data, binary) => {
    if (!joined.take(binary ? new Uint8Array(data as Buffer) : textOf(data))) ws.close(1008);
  });
  ws.on('error', () => ws.terminate());
  ws.on('close', () => joined.gone());
}

/** A program and an inspector look alike until the first one speaks: everybody is told, until it tells something itself. */
function serveProtocol(ws: WebSocket, hub: Hub, party: string): void {
  const program = new Program(hub, party);
  const tell = (events: readonly object[]) => {
    if (ws.bufferedAmount > programLimits.message) return;
    for (const event of events) ws.send(JSON.stringify(event));
  };
  let stop: (() => void) | undefined = hub.listen({ batch: (batch) => tell(statelyBatch(batch)) });
  tell(statelyHello(hub.hello()));
  ws.on('message', (data, binary) => {
    stop?.();
    stop = undefined;
    if (binary || !program.take(textOf(data))) ws.close(1008);
  });
  ws.on('error', () => ws.terminate());
  ws.on('close', () => {
    stop?.();
    program.gone();
  });
}

const textOf = (data: RawData): string =>
  Array.isArray(data) ? Buffer.concat(data).toString('utf8') : Buffer.from(data as Buffer).toString('utf8');

// -------------------------------------------------------------------------------------------------------- the page

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
};
const headers = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-cache',
} as const;

/** The built page lies beside the compiled sources; to the sources themselves it is in dist/. Only what is built has assets. */
function pageFolder(): string {
  const places = ['page', '../dist/inspector/page'].map((path) => fileURLToPath(new URL(path, import.meta.url)));
  return (
    places.find((place) => statSync(join(place, 'assets'), { throwIfNoEntry: false })?.isDirectory()) ?? places[0]!
  );
}

type Files = ReadonlyMap<string, Uint8Array>;

function readFiles(folder: string): Files {
  const files = new Map<string, Uint8Array>();
  if (!statSync(join(folder, 'assets'), { throwIfNoEntry: false })?.isDirectory()) return files;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    files.set(`/${path.slice(folder.length + 1).replaceAll('\\', '/')}`, readFileSync(path));
  }
  return files;
}

function serveFile(request: IncomingMessage, response: ServerResponse, guard: Guard, files: Files): void {
  const refusal = guard.refusal(request, false);
  const pathname = targetOf(request)?.pathname ?? '';
  const path = pathname === '/' ? '/index.html' : pathname;
  const file = files.get(path);
  const answer = (status: number, text: string) => {
    response.writeHead(status, { ...headers, 'Content-Type': 'text/plain; charset=utf-8' }).end(`${text}\n`);
  };
  if (refusal !== undefined) answer(refusal, 'This inspector answers only under its own address.');
  else if (request.method !== 'GET' && request.method !== 'HEAD') answer(405, 'Only GET.');
  else if (files.size === 0) answer(503, 'The page is not built. Build it with: npm run build');
  else if (file === undefined) answer(404, 'There is nothing here.');
  else {
    const length = file.length;
    response.writeHead(200, {
      ...headers,
      'Content-Type': types[extname(path)] ?? 'application/octet-stream',
      'Content-Length': length,
    });
    response.end(request.method === 'HEAD' ? undefined : file);
  }
}
