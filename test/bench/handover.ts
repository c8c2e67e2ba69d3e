/**
 * How long a client hears nothing, and how long its picture stands still, when the guest moves: between two servers of ours,
 * and between two real QEMUs where there are any. Medians of ten; the machine's load is in every figure.
 */
import { filter, firstValueFrom, timeout } from 'rxjs';
import type { Scheme } from '../../machines/contract.ts';
import { addressOf, Stage } from '../../src/cli/demo-stage.ts';
import { type Client, type ClientEvent, connect } from '../../src/client/client.ts';
import { dialTcp } from '../../src/transport/tcp.ts';
import { liveMigrate } from '../support/peers/live-migrate.ts';
import { missing } from '../support/peers/present.ts';
import { startQemu, startQemuPair } from '../support/peers/qemu.ts';
import type { BenchRow } from './main.ts';

type Handover = Extract<ClientEvent, { event: 'handover' }>;

/** Milliseconds. `still`: from the end of the move to the first drawing of the target. */
interface Measured {
  readonly gap: number;
  readonly still: number;
}

const runs = 10;

export async function benches(): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  const report = (name: string, measured: readonly Measured[]) => {
    rows.push({ name: `${name}: gap`, value: median(measured.map(({ gap }) => gap)), unit: 'ms' });
    rows.push({
      name: `${name}: end of the move to first drawing`,
      value: median(measured.map(({ still }) => still)),
      unit: 'ms',
    });
  };
  for (const scheme of ['seamless', 'early-link', 'semi-seamless', 'switch-host'] as const) {
    report(`Sumac pair, ${scheme}`, await sumacPair(scheme));
  }
  const absent = missing(['qemu-system-x86_64']);
  if (absent.length > 0) console.error(`not measured on a QEMU pair: ${absent.join(', ')} is absent`);
  else {
    rows.push({ name: 'QEMU, connect to first whole picture', value: await firstPicture(), unit: 'ms' });
    report('QEMU pair, seamless', await qemuPair(true, true));
    report('QEMU pair, semi-seamless', await qemuPair(false, true));
    report('QEMU pair, moved before the client has linked', await qemuPair(false, false));
  }
  return rows;
}

async function sumacPair(scheme: Scheme): Promise<Measured[]> {
  const stage = await Stage.open((line) => console.error(line));
  const client = stage.client([scheme, 'switch-host']);
  const measured: Measured[] = [];
  try {
    for (let run = -2; run < runs; run++) {
      await allUp(client, 6);
      await pause(100);
      const { home: from, away: to } = stage;
      const answered = firstValueFrom(from.server.events.pipe(filter((e) => e.event === 'migrate_connect_complete')));
      const linked = scheme === 'switch-host' ? undefined : phase(client, 'linked');
      from.server.migrateConnect(addressOf(to), { scheme });
      await answered;
      await linked;
      from.server.migrateStart();
      stage.moveGuest();
      const switched = phase(client, 'switched');
      const ended = Date.now();
      from.server.migrateEnd(true);
      const drawn = firstDrawing(client);
      const { gapMs } = await switched;
      // The first two warm the compiler up.
      if (run >= 0) measured.push({ gap: gapMs ?? 0, still: (await drawn) - ended });
    }
  } finally {
    client.close();
    await stage.close();
  }
  return measured;
}

/** Median over ten connections, five channels each. */
async function firstPicture(): Promise<number> {
  const qemu = await startQemu({ image: 'moving' });
  const times: number[] = [];
  try {
    for (let run = -2; run < runs; run++) {
      const began = performance.now();
      const client = connect({
        destination: { host: '127.0.0.1', port: qemu.spicePort },
        dial: (destination, _secure, signal) => dialTcp(destination, { signal }),
      });
      await firstValueFrom(client.events.pipe(filter(({ event }) => event === 'frame')));
      if (run >= 0) times.push(performance.now() - began);
      client.close();
      await pause(50);
    }
  } finally {
    await qemu.stop();
  }
  return median(times);
}

async function qemuPair(seamless: boolean, waits: boolean): Promise<Measured[]> {
  const measured: Measured[] = [];
  for (let run = 0; run < runs; run++) {
    const { source, target } = await startQemuPair({ image: 'moving', seamless });
    const client = connect({
      destination: { host: '127.0.0.1', port: source.spicePort },
      dial: (destination, _secure, signal) => dialTcp(destination, { signal }),
    });
    try {
      await allUp(client, 5);
      const linked = phase(client, 'linked').catch(() => undefined);
      const switched = phase(client, 'switched');
      const drawn = switched.then(() => firstDrawing(client));
      const move = await liveMigrate(source, target, waits ? { until: () => linked } : { link: 'nothing' });
      const { gapMs } = await switched;
      measured.push({ gap: gapMs ?? 0, still: (await drawn) - move.endedAt });
    } finally {
      client.close();
      await source.stop();
      await target.stop();
    }
  }
  return measured;
}

/** When the client's picture changes next, in milliseconds since 1970. */
async function firstDrawing(client: Client): Promise<number> {
  await firstValueFrom(client.screens.get('display:0')!.dirty);
  return Date.now();
}

const phase = (client: Client, wanted: Handover['phase']): Promise<Handover> =>
  firstValueFrom(
    client.events.pipe(
      filter((event): event is Handover => event.event === 'handover' && event.phase === wanted),
      timeout(20_000),
    ),
  );

async function allUp(client: Client, channels: number): Promise<void> {
  while (client.channels.size < channels) await pause(2);
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return Math.round(((sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2) * 10) / 10;
};
