/**
 * `sumac serve` as a process of its own, driven by QMP with the same script as a real QEMU. It must have been built before.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readTestCard, type TestCardReading } from '../../../src/sources/read-test-card.ts';
import type { Picture } from './boot-sector.ts';
import type { MigrationHost } from './live-migrate.ts';
import { PeerProcess } from './process.ts';
import { QmpPeer } from './qmp-peer.ts';

const program = fileURLToPath(new URL('../../../dist/src/cli/sumac.js', import.meta.url));

export interface SumacHost extends MigrationHost {
  readonly process: PeerProcess;
  stop(): Promise<void>;
}

export interface SumacOptions {
  readonly name: string;
  readonly password?: string;
  /** Waits for a guest instead of running its own. */
  readonly incoming?: boolean;
  readonly more?: readonly string[];
}

interface Listening {
  readonly host: string;
  readonly port: number;
  readonly incoming?: string;
}

export async function startSumac({ name, password, incoming, more = [] }: SumacOptions): Promise<SumacHost> {
  const home = await mkdtemp(join(tmpdir(), 'sumac-serve-'));
  const qmp = join(home, 'qmp');
  const process = new PeerProcess(name, 'node', [
    ...[program, 'serve', '--port', '0', '--name', name, '--qmp', `unix:${qmp}`, '--json'],
    ...(password === undefined ? [] : ['--password', password]),
    ...(incoming ? ['--incoming', 'tcp:127.0.0.1:0'] : []),
    ...more,
  ]);
  const { text } = await process.waitForLine(/"event":"listening"/, { stream: 'out' });
  const said = JSON.parse(text) as Listening;
  const peer = await QmpPeer.connect({ path: qmp });
  return {
    name,
    peer,
    process,
    host: said.host,
    spicePort: said.port,
    tlsPort: undefined,
    certSubject: undefined,
    password,
    migrateUri: said.incoming ?? '',
    async stop() {
      await process.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** Source and target, the target waiting for the guest. */
export async function startSumacPair(options: Omit<SumacOptions, 'name' | 'incoming'> = {}) {
  const source = await startSumac({ ...options, name: 'source' });
  const target = await startSumac({ ...options, name: 'target', incoming: true });
  return { source, target };
}

/** The test card on a screenshot of somebody's window, if it is to be seen. */
export const readCard = ({ width, height, rgb }: Picture): TestCardReading | undefined =>
  readTestCard(width, height, (x, y) => {
    const at = (y * width + x) * 3;
    return (rgb[at]! << 16) | (rgb[at + 1]! << 8) | rgb[at + 2]!;
  });
