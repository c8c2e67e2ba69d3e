/** The picture of a moment: worked out from the start, or from what was kept on the way, it is the same. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ReplayedDisplays } from '../../src/cli/replay-picture.ts';
import type { JournalRecord } from '../../src/journal/record.ts';
import { Shelf } from '../../src/journal/shelf.ts';
import { headAtBirth } from '../../src/journal/store.ts';
import { pause, phase, type Recorded, record, type Stage } from './recorded.ts';

/** Pictures of every kind that is kept between messages: repeated, similar to others, moved, and of few colours. */
async function draw({ source: { display } }: Stage, from: number): Promise<void> {
  const area = { left: 4, top: 4, right: 52, bottom: 40 };
  for (let n = from; n < from + 12; n++) {
    const words = new Uint32Array(48 * 36);
    for (let i = 0; i < words.length; i++) {
      words[i] = n % 3 === 0 ? (i * 2654435761 + (n % 6)) & 0xffffff : ((i >> 3) * 0x030507 * n) & 0xffffff;
    }
    display.draw(area, new Uint8Array(words.buffer));
    if (n % 4 === 0) display.copy({ left: 20, top: 20, right: 40, bottom: 40 }, { x: 0, y: 0 });
    await pause(3);
  }
}

let recorded: Recorded;
beforeAll(async () => {
  recorded = await record(async (stage) => {
    await draw(stage, 1);
    const linked = phase(stage.client, 'linked');
    stage.source.migrateConnect({ host: 'target', port: 1 }, { scheme: 'semi-seamless' });
    await linked;
    const switched = phase(stage.client, 'switched');
    stage.target.guestArrived();
    stage.source.migrateEnd(true);
    await switched;
    await draw({ ...stage, source: stage.target }, 20);
  });
});

const hash = async (displays: ReplayedDisplays): Promise<string> => {
  const picture = await displays.picture();
  return picture === undefined ? 'nothing' : Buffer.from(picture.data).toString('base64');
};

describe('what displays are', () => {
  it.each(['client', 'source', 'target'] as const)('can be kept at any record, and gone on with: %s', async (side) => {
    const records: readonly JournalRecord[] = recorded[side];
    const straight = new ReplayedDisplays();
    const pictures: string[] = [];
    const states: Uint8Array[] = [];
    for (const one of records) {
      straight.take(one);
      pictures.push(await hash(straight));
      states.push(await straight.state());
    }
    expect(new Set(pictures).size).toBeGreaterThan(side === 'client' ? 20 : 10);
    const drawing = records.flatMap((one, i) => (one.kind === 'wire' && /display:0$/.test(one.actor) ? [i] : []));
    for (const at of drawing.filter((_, i) => i % 5 === 0)) {
      const other = new ReplayedDisplays();
      expect(other.restore(states[at]!)).toBe(true);
      expect(await hash(other)).toBe(pictures[at]);
      for (let i = at + 1; i < records.length; i++) {
        other.take(records[i]!);
        if (i % 40 === 0) expect(await hash(other)).toBe(pictures[i]);
      }
      expect(await hash(other)).toBe(pictures.at(-1));
      expect(other.undrawn).toEqual(straight.undrawn);
    }
  });

  it('can be kept in the middle of a message', async () => {
    const records = recorded.client.flatMap((one): JournalRecord[] => {
      if (one.kind !== 'wire' || !/display:0$/.test(one.actor) || one.direction === 'out') return [one];
      return Array.from({ length: Math.ceil(one.bytes.length / 700) }, (_, i) => ({
        ...one,
        bytes: one.bytes.subarray(i * 700, (i + 1) * 700),
      }));
    });
    let displays = new ReplayedDisplays();
    const straight = new ReplayedDisplays();
    for (const [i, one] of records.entries()) {
      straight.take(one);
      displays.take(one);
      if (i % 3 !== 0) continue;
      const next = new ReplayedDisplays();
      next.restore(await displays.state());
      displays = next;
    }
    expect(await hash(displays)).toBe(await hash(straight));
    expect(displays.undrawn).toEqual([]);
  });

  it('are not what some other bytes say', () => {
    for (const bytes of [new Uint8Array(0), Uint8Array.of(1, 2, 3), new TextEncoder().encode('nothing')]) {
      expect(new ReplayedDisplays().restore(bytes)).toBe(false);
    }
  });
});

describe('a shelf', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sumac-shelf-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const head = (name: string, born = 1) => headAtBirth(name, { born, epoch: 0, program: 'test', secrets: true });

  it('gives what was put there for the record before, of that session alone', () => {
    const shelf = new Shelf(join(folder, 'one'));
    expect(shelf.nearest(head('a/b'), 10)).toBeUndefined();
    for (const seq of [5, 20, 100]) shelf.put(head('a/b'), seq, Uint8Array.of(seq));
    shelf.put(head('a/c'), 30, Uint8Array.of(3));
    expect(shelf.nearest(head('a/b'), 4)).toBeUndefined();
    expect(shelf.nearest(head('a/b'), 20)).toEqual({ seq: 20, bytes: Uint8Array.of(20) });
    expect(shelf.nearest(head('a/b'), 99)).toEqual({ seq: 20, bytes: Uint8Array.of(20) });
    // Another session of the same name is another one.
    expect(shelf.nearest(head('a/b', 2), 99)).toBeUndefined();
    shelf.clear('a/b');
    expect(shelf.nearest(head('a/b'), 1_000)).toBeUndefined();
    expect(shelf.nearest(head('a/c'), 1_000)).toMatchObject({ seq: 30 });
  });

  it('passes over what is damaged', () => {
    const place = join(folder, 'two');
    const shelf = new Shelf(place);
    shelf.put(head('a'), 5, Uint8Array.of(1, 2, 3));
    shelf.put(head('a'), 9, Uint8Array.of(4, 5, 6));
    const file = join(place, readdirSync(place).find((name) => name.endsWith('.9'))!);
    const bytes = readFileSync(file);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(file, bytes);
    expect(shelf.nearest(head('a'), 50)).toEqual({ seq: 5, bytes: Uint8Array.of(1, 2, 3) });
  });

  it('that cannot be written keeps nothing', () => {
    const file = join(folder, 'three');
    writeFileSync(file, 'no folder');
    const shelf = new Shelf(file);
    shelf.put(head('a'), 5, Uint8Array.of(1));
    expect(shelf.nearest(head('a'), 5)).toBeUndefined();
  });
});
