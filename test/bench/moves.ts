/**
 * A guest that moves from one server of ours to another and back, for benches: how long its client hears nothing, and how long
 * its picture stands still. The client links beforehand wherever the scheme has it so.
 */
import { filter, firstValueFrom, timeout } from 'rxjs';
import type { Scheme } from '../../machines/contract.ts';
import { addressOf, Stage } from '../../src/cli/demo-stage.ts';
import type { Client, ClientEvent } from '../../src/client/client.ts';
import type { Journals } from '../../src/open-journal.ts';
import { pause } from './measure.ts';

type Handover = Extract<ClientEvent, { event: 'handover' }>;

/** Milliseconds. `still`: from the end of the move to the first drawing of the target. */
export interface Measured {
  readonly gap: number;
  readonly still: number;
}

/** The first moves warm the compiler up. */
const warmUps = 2;
/** Milliseconds between two moves. */
const rest = 80;

/** So many moves of one guest. Closes `journals` when they are over. */
export async function moves(scheme: Scheme, runs: number, journals?: Journals): Promise<Measured[]> {
  const stage = await Stage.open((line) => console.error(line), journals);
  const client = stage.client([scheme, 'switch-host']);
  const measured: Measured[] = [];
  try {
    for (let run = -warmUps; run < runs; run++) {
      await allUp(client, 6);
      await pause(rest);
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
      const still = (await drawn) - ended;
      if (run >= 0) measured.push({ gap: gapMs ?? 0, still });
    }
  } finally {
    client.close();
    await stage.close();
    await journals?.close();
  }
  return measured;
}

/** When the client's picture changes next, in milliseconds since 1970. */
export async function firstDrawing(client: Client): Promise<number> {
  await firstValueFrom(client.screens.get('display:0')!.dirty);
  return Date.now();
}

export const phase = (client: Client, wanted: Handover['phase']): Promise<Handover> =>
  firstValueFrom(
    client.events.pipe(
      filter((event): event is Handover => event.event === 'handover' && event.phase === wanted),
      timeout(20_000),
    ),
  );

export async function allUp(client: Client, channels: number): Promise<void> {
  while (client.channels.size < channels) await pause(2);
}
