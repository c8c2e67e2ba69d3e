/**
 * What the benches of the server have in common: a server of ours and one of libspice-server, each in a process of its own,
 * that draw the same; and one client, the same for both, that takes everything and decodes nothing.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { type Client, connect } from '../../src/client/client.ts';
import type { PreferredCompression } from '../../src/client/displays.ts';
import type { AnyMessage } from '../../src/protocol/channel.ts';
import type { Pipe } from '../../src/transport/pipe.ts';
import { dialTcp } from '../../src/transport/tcp.ts';
import { guestNeeds } from '../peers/c/guest.ts';

// Each child is ended with this process.
process.setMaxListeners(200);

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
export const round = (value: number): number => Math.round(value * 100) / 100;

/** Whether libspice-server can be built against here. */
export const hasLibrary = (): boolean => guestNeeds.every((path) => existsSync(path));

/** A whole screen as one 32-bit bitmap, the way QEMU gives what its display adapter shows to libspice-server. */
export function bitmapMessage(
  area: { left: number; top: number; right: number; bottom: number },
  pixels: Uint8Array,
  id: bigint,
): object {
  const [width, height] = [area.right - area.left, area.bottom - area.top];
  const shape = { format: 8, bitmapFlags: 4, x: width, y: height, stride: width * 4, palette: null, data: pixels };
  return {
    base: { surfaceId: 0, box: area, clip: { type: 'none' } },
    srcBitmap: { id, type: 'bitmap', flags: 0, width, height, ...shape },
    srcArea: { left: 0, top: 0, right: width, bottom: height },
    ropDescriptor: 8,
    scaleMode: 0,
    mask: { flags: 0, pos: { x: 0, y: 0 }, bitmap: null },
  };
}

/** Seconds of processor time that a process has had. */
export function cpuSeconds(pid: number): number {
  // After the name, which may hold anything, user and system time are the 12th and 13th words, in hundredths.
  const words = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)!.split(' ');
  return (Number(words[11]) + Number(words[12])) / 100;
}

export interface WatcherOptions {
  readonly preferredCompression?: PreferredCompression | undefined;
  /** Sees every message of the display channel, from the first on. */
  readonly onMessage?: ((message: AnyMessage) => void) | undefined;
}

/** Counts what comes. */
export class Watcher {
  readonly client: Client;
  pixels = 0;
  fills = 0;
  bytes = 0;
  /** Pictures of all the screen: drawings that reach its last pixel, which comes last and changes with each. */
  wholes = 0;
  /** Messages of the display channel, and those that draw by their types: "draw_copy lz_rgb". */
  readonly kinds = new Map<string, number>();
  private readonly onMessage: ((message: AnyMessage) => void) | undefined;

  private constructor(client: Client, onMessage: ((message: AnyMessage) => void) | undefined) {
    this.client = client;
    this.onMessage = onMessage;
  }

  /** Resolves when the first whole picture is there. */
  static async start(port: number, { preferredCompression, onMessage }: WatcherOptions = {}): Promise<Watcher> {
    const client = connect({
      destination: { host: '127.0.0.1', port },
      channels: ['display'],
      preferredCompression,
      dial: async (to, _secure, signal) => counting(await dialTcp(to, { signal }), (bytes) => (watcher.bytes += bytes)),
    });
    const watcher = new Watcher(client, onMessage);
    await new Promise<void>((resolve, reject) => {
      client.events.subscribe((event) => {
        watcher.follow();
        if (event.event === 'frame') resolve();
        if (event.event === 'closed') reject(new Error(event.reason));
      });
    });
    watcher.follow();
    return watcher;
  }

  private follow(): void {
    const screen = this.client.screens.get('display:0');
    if (screen === undefined || Object.hasOwn(screen, 'apply')) return;
    const { apply } = screen;
    screen.apply = (message) => {
      this.count(message);
      this.onMessage?.(message);
      if (!message.type.startsWith('msg.draw_')) apply.call(screen, message);
    };
  }

  private size: { readonly width: number; readonly height: number } | undefined;

  private count({ type, body }: AnyMessage): void {
    if (type === 'msg.surface_create') this.size = body;
    const kind = [type.slice(4), body.srcBitmap?.type].filter(Boolean).join(' ');
    this.kinds.set(kind, (this.kinds.get(kind) ?? 0) + 1);
    const box = body.base?.box;
    if (box?.right === this.size?.width && box?.bottom === this.size?.height) this.wholes++;
    if (type === 'msg.draw_copy') {
      this.pixels += (box.right - box.left) * (box.bottom - box.top);
    } else if (type === 'msg.draw_fill') this.fills++;
  }
}

function counting(pipe: Pipe, count: (bytes: number) => void): Pipe {
  const { take } = pipe;
  pipe.take = (handlers, unread) =>
    take.call(
      pipe,
      {
        ...handlers,
        onChunk(chunk) {
          count(chunk.length);
          handlers.onChunk(chunk);
        },
        onClosed: (error) => handlers.onClosed(error),
        onDrained: () => handlers.onDrained?.(),
      },
      unread,
    );
  return pipe;
}

/** A child that runs the file again, and the first value that it sends. */
export async function childOf<T>(file: string, ...args: string[]): Promise<{ child: ChildProcess; said: T }> {
  const child = fork(new URL(file), args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], serialization: 'advanced' });
  process.on('exit', () => child.kill('SIGKILL'));
  return {
    child,
    said: await new Promise<T>((resolve, reject) => {
      child.once('message', (value) => resolve(value as T));
      child.once('exit', (code) => reject(new Error(`a child ended with ${code}`)));
    }),
  };
}
