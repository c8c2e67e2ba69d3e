/** A TCP proxy on loopback whose connections can be cut all at once, and which can stop taking new ones. */
import { connect, createServer, type Socket } from 'node:net';

export interface TcpProxy {
  readonly port: number;
  /** What each connection has said first (spec §1.2). */
  readonly hellos: readonly { readonly connectionId: number; readonly channelType: number }[];
  /** Breaks every connection; both ends notice. */
  cut(): void;
  /** Breaks the clients' ends alone: the server behind hears nothing more, and is not told. */
  lose(): void;
  /** From now on connections are refused, or no more. */
  refuse(refusing: boolean): void;
  close(): void;
}

/** What comes to it goes on to `to` on this machine. */
export async function startProxy(to: number): Promise<TcpProxy> {
  const pairs = new Set<{ near: Socket; far: Socket }>();
  const hellos: { connectionId: number; channelType: number }[] = [];
  let refusing = false;
  const server = createServer((near) => {
    if (refusing) {
      near.destroy();
      return;
    }
    const far = connect(to, '127.0.0.1');
    const pair = { near, far };
    pairs.add(pair);
    near.once('data', (bytes: Buffer) => {
      if (bytes.length > 20) hellos.push({ connectionId: bytes.readUInt32LE(16), channelType: bytes[20]! });
    });
    near.pipe(far);
    far.pipe(near);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on('error', () => {});
      one.on('close', () => {
        if (pairs.delete(pair)) other.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const forgotten: Socket[] = [];
  const cut = () => {
    for (const { near, far } of pairs) {
      near.destroy();
      far.destroy();
    }
  };
  return {
    port,
    hellos,
    cut,
    lose() {
      for (const pair of pairs) {
        pairs.delete(pair);
        pair.near.unpipe(pair.far);
        pair.far.unpipe(pair.near);
        pair.far.pause();
        pair.near.destroy();
        forgotten.push(pair.far);
      }
    },
    refuse(wanted) {
      refusing = wanted;
    },
    close() {
      server.close();
      cut();
      for (const socket of forgotten) socket.destroy();
    },
  };
}
