/**
 * Who watches the benched servers: a client of ours, or spicy behind a proxy that counts what passes. Both tell the same: what
 * of the screen was drawn. Neither is measured.
 */
import { connect, createServer, type Socket } from 'node:net';
import { DisplayChannel } from '../../src/protocol/display.ts';
import { isPresent } from '../support/peers/present.ts';
import { startViewer } from '../support/peers/spicy.ts';
import { startXvfb, type Xvfb } from '../support/peers/xvfb.ts';
import { pause, Watcher } from './server-stage.ts';

export interface Eye {
  /** Pictures of all the screen: drawings that reach its last pixel, which comes last and changes with each. */
  readonly wholes: number;
  readonly fills: number;
  readonly bytes: number;
  /** Messages of the display channel, and those that draw by their types: "draw_copy lz_rgb". */
  readonly kinds: ReadonlyMap<string, number>;
  /** Is told when something was drawn. */
  onDrawn: (() => void) | undefined;
  close(): unknown;
}

/** Watches with a client of ours, which decodes nothing. It is there when the first whole picture is. */
export async function ourEye(port: number, isLz4: boolean): Promise<Eye> {
  let onDrawn: Eye['onDrawn'];
  const eye = await Watcher.start(port, {
    preferredCompression: isLz4 ? 'lz4' : undefined,
    onMessage: ({ type }) => {
      if (type.startsWith('msg.draw_')) onDrawn?.();
    },
  });
  return {
    get wholes() {
      return eye.wholes;
    },
    get fills() {
      return eye.fills;
    },
    get bytes() {
      return eye.bytes;
    },
    kinds: eye.kinds,
    set onDrawn(hear: Eye['onDrawn']) {
      onDrawn = hear;
    },
    close: () => eye.client.close(),
  };
}

export const hasSpicy = (): boolean => isPresent('spicy') && isPresent('Xvfb');

let screen: Promise<Xvfb> | undefined;

/** Watches with spicy, in a window of an X server that is kept for the next. */
export async function spicyEye(port: number): Promise<Eye> {
  screen ??= startXvfb({ width: 1_100, height: 900 });
  const proxy = new CountingProxy(port);
  const viewer = await startViewer(await screen, { host: '127.0.0.1', spicePort: await proxy.listening });
  const isDrawn = () => proxy.wholes > 0;
  for (let i = 0; i < 100 && !isDrawn(); i++) await pause(100);
  if (!isDrawn()) throw new Error(`spicy shows nothing\n${viewer.process.tail()}`);
  return Object.assign(proxy, {
    close: async () => {
      await viewer.stop();
      proxy.stop();
    },
  });
}

/** Ends the X server. */
export async function stopSpicy(): Promise<void> {
  await (await screen)?.stop();
  screen = undefined;
}

/** Counts the messages of the display channel that pass it, and waits for nobody. */
class CountingProxy {
  wholes = 0;
  fills = 0;
  bytes = 0;
  readonly kinds = new Map<string, number>();
  onDrawn: (() => void) | undefined;
  readonly listening: Promise<number>;
  private readonly server = createServer((near) => this.join(near));
  private readonly sockets = new Set<Socket>();
  private size = [0, 0];
  private readonly to: number;

  constructor(to: number) {
    this.to = to;
    this.listening = new Promise((resolve) => {
      this.server.listen(0, '127.0.0.1', () => resolve((this.server.address() as { port: number }).port));
    });
  }

  stop(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private join(near: Socket): void {
    const far = connect(this.to, '127.0.0.1');
    let take: ((bytes: Buffer) => void) | undefined;
    near.once('data', (hello: Buffer) => {
      // The type of the channel stands behind header and connection id (spec §1.2).
      if (hello[20] === displayChannel) take = countMessages((number, body) => this.count(number, body));
    });
    far.on('data', (bytes: Buffer) => {
      if (take === undefined) return;
      this.bytes += bytes.length;
      take(bytes);
    });
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.sockets.add(one);
      one.setNoDelay(true);
      one.pipe(other);
      one.on('error', () => {});
      one.on('close', () => other.destroy());
    }
  }

  private count(number: number, body: Buffer): void {
    const { name } = DisplayChannel.tables.server.byNumber.get(number) ?? { name: String(number) };
    const isCopy = name === 'draw_copy';
    // Behind surface, box and a clip of no kind: the offset of the picture, whose descriptor begins with id and type.
    const image = isCopy && body.length >= 25 ? body.readUInt32LE(21) : 0;
    const kind = isCopy && body.length > image + 8 ? (imageTypes[body[image + 8]!] ?? '?') : undefined;
    const word = kind === undefined ? name : `${name} ${kind}`;
    this.kinds.set(word, (this.kinds.get(word) ?? 0) + 1);
    if (name === 'surface_create') this.size = [body.readUInt32LE(4), body.readUInt32LE(8)];
    if (!name.startsWith('draw_')) return;
    const [bottom, right] = [body.readInt32LE(12), body.readInt32LE(16)];
    if (right === this.size[0] && bottom === this.size[1]) this.wholes++;
    if (name === 'draw_fill') this.fills++;
    this.onDrawn?.();
  }
}

const displayChannel = 2;
const imageTypes: Readonly<Record<number, string>> = {
  0: 'bitmap',
  1: 'quic',
  100: 'lz_plt',
  101: 'lz_rgb',
  102: 'glz_rgb',
  103: 'from_cache',
  105: 'jpeg',
  107: 'zlib_glz_rgb',
  109: 'lz4',
};

/** Bytes of a message that are looked at. */
const looked = 128;

/** Takes what a server sends on a link with short headers, and gives each message's number and beginning when all of it is there. */
function countMessages(found: (number: number, body: Buffer) => void): (bytes: Buffer) => void {
  // The answer's header, of which the last word is the size of what follows; then the four bytes of the ticket's answer.
  let stage: 'reply' | 'rest' | 'header' | 'body' = 'reply';
  let kept = Buffer.alloc(0);
  let need = 16;
  let number = 0;
  return (bytes) => {
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + need);
      at += part.length;
      need -= part.length;
      if (kept.length < looked) kept = Buffer.concat([kept, part.subarray(0, looked - kept.length)]);
      if (need > 0) return;
      if (stage === 'reply') {
        stage = 'rest';
        need = kept.readUInt32LE(12) + 4;
      } else if (stage === 'header') {
        number = kept.readUInt16LE(0);
        stage = 'body';
        need = kept.readUInt32LE(2);
      } else {
        if (stage === 'body') found(number, kept);
        stage = 'header';
        need = 6;
      }
      kept = Buffer.alloc(0);
      if (need === 0) {
        found(number, kept);
        stage = 'header';
        need = 6;
      }
    }
  };
}
