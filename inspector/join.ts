/**
 * Tells another process's inspector what our hub knows: it sees us as one more page would. Comes back by itself when the
 * other one has restarted; while it is away nothing is kept for it.
 */
import { WebSocket } from 'ws';
import { UsageError } from '../src/errors.ts';
import type { Hub } from './hub.ts';
import { PageLink } from './page-link.ts';

export interface Join {
  /** Tells the last of it, and then goes. */
  close(): Promise<void>;
}

/** How long the other one may take to hear the last of it, in milliseconds. */
const farewellMs = 1_000;

export interface JoinOptions {
  /** Takes one line when the connection comes or goes. */
  readonly log?: (line: string) => void;
}

/** `address`: `ws://HOST:PORT`, with `?token=` where the other one asks for it. Throws UsageError for anything else. */
export function joinInspector(hub: Hub, address: string, { log = () => {} }: JoinOptions = {}): Join {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || !/^wss?:$/.test(url.protocol)) throw new UsageError(`${address} is no ws:// address`);
  url.pathname = '/join';
  let socket: WebSocket | undefined;
  let link: PageLink | undefined;
  let again: ReturnType<typeof setTimeout> | undefined;
  let wait = 500;
  let closed = false;
  const dial = () => {
    const ws = new WebSocket(url, { perMessageDeflate: false });
    socket = ws;
    ws.on('open', () => {
      wait = 500;
      log(`the inspector at ${url.host} looks on`);
      link = new PageLink(hub, { send: (data) => ws.send(data), buffered: () => ws.bufferedAmount });
    });
    ws.on('message', (data, binary) => {
      if (binary || link?.take(String(data)) !== true) ws.close(1008);
    });
    ws.on('error', (error) => {
      if (link === undefined && wait === 500) log(`the inspector at ${url.host} cannot be reached: ${error.message}`);
    });
    ws.on('close', () => {
      link?.close();
      link = undefined;
      if (closed) return;
      again = setTimeout(dial, wait);
      again.unref();
      wait = Math.min(10_000, wait * 2);
    });
  };
  dial();
  return {
    async close() {
      closed = true;
      clearTimeout(again);
      const ws = socket;
      if (ws === undefined || link === undefined) {
        ws?.terminate();
        return;
      }
      hub.flush();
      link.close();
      await new Promise<void>((resolve) => {
        const given = setTimeout(() => ws.terminate(), farewellMs);
        ws.once('close', () => {
          clearTimeout(given);
          resolve();
        });
        ws.close();
      });
    },
  };
}
