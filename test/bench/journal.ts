/**
 * What a journal costs: a session that draws a lot, and hand-overs, each with a journal and without in turns; appends against
 * a plain file; replay; a store of many sessions. The journal is in a folder, on a disk, and is waited for.
 */
import type { Scheme } from '../../machines/contract.ts';
import { type Journals, openJournal } from '../../src/open-journal.ts';
import { drawing, photographs, windows } from './journal/drawing.ts';
import { withFolder } from './journal/folder.ts';
import { jumps, replays } from './journal/past.ts';
import { appends, manySessions } from './journal/stores.ts';
import type { BenchRow } from './main.ts';
import { median, rounded } from './measure.ts';
import { moves } from './moves.ts';

export async function benches(): Promise<BenchRow[]> {
  return [
    ...(await drawing('photographs, which hardly become smaller', photographs)),
    ...(await drawing('windows, which do', windows)),
    ...(await handovers()),
    ...(await appends()),
    ...(await replays()),
    ...(await manySessions()),
    ...(await jumps()),
  ];
}

async function handovers(): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  // A seamless hand-over between two servers of ours has no gap that could be measured.
  for (const scheme of ['early-link', 'semi-seamless', 'switch-host'] as const) {
    const off: number[] = [];
    const on: number[] = [];
    for (let round = 0; round < 8; round++) {
      off.push(...(await gaps(scheme)));
      on.push(...(await withFolder(async (place) => gaps(scheme, await openJournal({ place })))));
    }
    rows.push(
      {
        name: `${scheme}: gap with a journal, against without`,
        value: rounded(median(on) / median(off), 2),
        unit: '×',
      },
      { name: `${scheme}: gap without`, value: rounded(median(off), 2), unit: 'ms' },
    );
  }
  return rows;
}

const gaps = async (scheme: Scheme, journals?: Journals): Promise<number[]> =>
  (await moves(scheme, 8, journals)).map(({ gap }) => gap);
