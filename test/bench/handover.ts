/**
 * How long a client hears nothing, and how long its picture stands still, when the guest moves: between two servers of ours,
 * and between two real QEMUs where there are any. Medians of ten; the machine's load is in every figure.
 */
import { filter, firstValueFrom } from 'rxjs';
import { connect } from '../../src/client/client.ts';
import { dialTcp } from '../../src/transport/tcp.ts';
import { liveMigrate } from '../support/peers/live-migrate.ts';
import { missing } from '../support/peers/present.ts';
import { startQemu, startQemuPair } from '../support/peers/qemu.ts';
import type { BenchRow } from './main.ts';
import { median, pause, rounded } from './measure.ts';
import { allUp, firstDrawing, type Measured, moves, phase } from './moves.ts';

const runs = 10;

const middle = (values: readonly number[]): number => rounded(median(values), 1);

export async function benches(): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  const report = (name: string, measured: readonly Measured[]) => {
    rows.push({ name: `${name}: gap`, value: middle(measured.map(({ gap }) => gap)), unit: 'ms' });
    rows.push({
      name: `${name}: end of the move to first drawing`,
      value: middle(measured.map(({ still }) => still)),
      unit: 'ms',
    });
  };
  for (const scheme of ['seamless', 'early-link', 'semi-seamless', 'switch-host'] as const) {
    report(`Sumac pair, ${scheme}`, await moves(scheme, runs));
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
  return middle(times);
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
