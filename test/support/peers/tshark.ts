/**
 * A capture of the loopback device, dissected by Wireshark's own SPICE dissector: what went over the wire by the word of
 * a third party. It needs the right to capture (root, or a dumpcap that may). It never decides whether a test passes by
 * timing: `stop` waits until the packets it was asked for are written.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort, PeerProcess } from './process.ts';

const run = promisify(execFile);

/** A SPICE message as Wireshark names it. */
export interface SeenMessage {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The server's port. */
  readonly port: number;
  /** The TCP connection, counted from nought. */
  readonly stream: number;
  readonly from: 'client' | 'server';
  /** For instance `DRAW_COPY`, `MIGRATE_DATA`, `link message`. */
  readonly name: string;
}

export interface Capture {
  /** Ends the capture and returns all messages of all connections, in order. */
  stop(): Promise<SeenMessage[]>;
}

/** Captures the given SPICE ports of the loopback device; returns once packets are really being taken. */
export async function startCapture(ports: readonly number[]): Promise<Capture> {
  const folder = await mkdtemp(join(tmpdir(), 'sumac-capture-'));
  const file = join(folder, 'capture.pcap');
  const beacon = await freePort();
  const filter = [...ports, beacon].map((port) => `tcp port ${port}`).join(' or ');
  const dumpcap = new PeerProcess('dumpcap', 'dumpcap', [
    ...['-q', '-i', 'lo', '-B', '16', '-P', '-w', file, '-f', filter],
  ]);
  // "Capturing" is said before the first packet is taken, so knock at a port where nobody is until that is in the file.
  const seen = async (size: number): Promise<number> => {
    for (let left = 200; left > 0; left--) {
      await new Promise<void>((resolve) => {
        const knock = createConnection({ host: '127.0.0.1', port: beacon });
        knock.on('error', () => resolve());
        knock.on('connect', () => knock.destroy());
        knock.on('close', () => resolve());
      });
      const now = await stat(file).then(
        (info) => info.size,
        () => 0,
      );
      if (now > size) return now;
      if (!dumpcap.alive) break;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    await dumpcap.stop();
    await rm(folder, { recursive: true, force: true });
    throw new Error(`no packets were captured\n${dumpcap.tail()}`);
  };
  await seen(24);
  return {
    stop: async () => {
      const size = (await stat(file)).size;
      await seen(size);
      await dumpcap.stop('SIGINT');
      try {
        return await dissect(file, ports);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}

async function dissect(file: string, ports: readonly number[]): Promise<SeenMessage[]> {
  const { stdout } = await run(
    'tshark',
    [
      ...['-r', file, ...ports.flatMap((port) => ['-d', `tcp.port==${port},spice`]), '-Y', 'spice', '-T', 'fields'],
      ...['frame.time_epoch', 'tcp.srcport', 'tcp.dstport', 'tcp.stream', '_ws.col.Info'].flatMap((name) => [
        '-e',
        name,
      ]),
    ],
    { maxBuffer: 1 << 28, timeout: 60_000 },
  );
  const messages: SeenMessage[] = [];
  for (const line of stdout.split('\n')) {
    const [time, source, target, stream, info] = line.split('\t');
    if (info === undefined) continue;
    const fromServer = ports.includes(Number(source));
    for (const part of info.split(',')) {
      const name = /^\s*(Server|Client) (.*?)(?: \[TCP.*)?$/.exec(part)?.[2];
      if (name === undefined) continue;
      messages.push({
        at: Number(time) * 1000,
        port: Number(fromServer ? source : target),
        stream: Number(stream),
        from: fromServer ? 'server' : 'client',
        name,
      });
    }
  }
  return messages;
}
