/** Records in chunks: what is written is read; whatever is changed, dropped or moved is found, and told where. */
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { verify } from '../../src/engine/verify.ts';
import { checksum, ownChecksum } from '../../src/journal/checksum.ts';
import { type Chunk, ChunkReader, ChunkWriter, readHead } from '../../src/journal/chunk.ts';
import { JournalError } from '../../src/journal/error.ts';
import type { Entry, JournalRecord } from '../../src/journal/record.ts';
import { record, stories } from '../replay/recorded.ts';

/** Writes records in chunks of this many. */
function chunksOf(records: readonly JournalRecord[], size: number, version?: number): Chunk[] {
  const writer = new ChunkWriter(0, 0, version);
  const chunks: Chunk[] = [];
  for (const [i, { seq: _, ...entry }] of records.entries()) {
    writer.add(entry as Entry);
    if (i % size === size - 1) chunks.push(writer.cut()!);
  }
  const rest = writer.cut();
  return rest === undefined ? chunks : [...chunks, rest];
}

function readAll(chunks: readonly Uint8Array[]): { records: JournalRecord[]; damage?: JournalError } {
  const reader = new ChunkReader();
  const records: JournalRecord[] = [];
  try {
    for (const bytes of chunks) for (const one of reader.read(bytes)) records.push(one);
  } catch (error) {
    if (!(error instanceof JournalError)) throw error;
    return { records, damage: error };
  }
  return { records };
}

let records: readonly JournalRecord[];
beforeAll(async () => {
  records = (await record(stories.seamless!.happen)).client;
});

describe('records in chunks', () => {
  it.each([1, 7, 1_000])('are read as they were written, %i to a chunk', (size) => {
    const chunks = chunksOf(records, size);
    expect(readAll(chunks.map(({ bytes }) => bytes))).toEqual({ records });
    expect(chunks.at(-1)!.last).toBe(records.length);
  });

  it('can be read from any chunk on', () => {
    const chunks = chunksOf(records, 10);
    const from = chunks.slice(3);
    expect(readAll(from.map(({ bytes }) => bytes)).records).toEqual(records.slice(30));
    expect(readHead(from[0]!.bytes)).toMatchObject({ first: 31, last: 40, before: chunks[2]!.checksum });
  });

  it('go on where others left off', () => {
    const [first] = chunksOf(records.slice(0, 10), 10);
    const writer = new ChunkWriter(first!.last, first!.checksum);
    for (const { seq: _, ...entry } of records.slice(10)) writer.add(entry as Entry);
    expect(readAll([first!.bytes, writer.cut()!.bytes]).records).toEqual(records);
  });

  it('are written by nobody else: the bytes of a wire record may change at once', () => {
    const bytes = Uint8Array.of(1, 2, 3);
    const writer = new ChunkWriter();
    writer.add({ kind: 'wire', at: 1, actor: 'a', link: 'l', direction: 'in', bytes });
    bytes.fill(9);
    expect(readAll([writer.cut()!.bytes]).records[0]).toMatchObject({ bytes: Uint8Array.of(1, 2, 3) });
  });

  it('tell that another program goes on, and where all charts were', () => {
    const timer = { actor: 'client/main:0', id: 'x', event: { type: 'xstate.after.1.x' }, dueAt: 17.25 };
    const entries: Entry[] = [
      { kind: 'resume', at: 1, actor: 'client' },
      {
        ...{ kind: 'checkpoint', at: 2, actor: 'client' },
        ...{ snapshot: { value: { up: {} }, context: { data: Uint8Array.of(1), none: undefined } }, timers: [timer] },
      },
    ];
    const writer = new ChunkWriter();
    for (const entry of entries) writer.add(entry);
    expect(readAll([writer.cut()!.bytes]).records).toEqual(entries.map((entry, i) => ({ ...entry, seq: i + 1 })));
    writer.add({ ...entries[1]!, timers: [{ ...timer, dueAt: 'soon' }] } as never);
    expect(readAll([writer.cut()!.bytes]).damage!.message).toMatch(/timers/);
  });

  it('leave zeros where bytes were left out, and the array as it was', () => {
    const bytes = Uint8Array.of(1, 2, 3, 4);
    const left = [{ at: 1, size: 2, what: 'ticket' }];
    const writer = new ChunkWriter();
    writer.add({ kind: 'wire', at: 1, actor: 'a', link: 'l', direction: 'in', bytes, left });
    expect(bytes).toEqual(Uint8Array.of(1, 2, 3, 4));
    const chunk = writer.cut()!.bytes;
    expect(readAll([chunk]).records[0]).toMatchObject({ bytes: Uint8Array.of(1, 0, 0, 4), left });
  });
});

describe('damage', () => {
  it('of any one bit is found, and all before it is read', () => {
    const [{ bytes }] = chunksOf(records.slice(0, 12), 12) as [Chunk];
    for (let bit = 0; bit < bytes.length * 8; bit += 5) {
      const changed = bytes.slice();
      changed[bit >> 3]! ^= 1 << (bit & 7);
      const { records: read, damage } = readAll([changed]);
      expect(damage, `bit ${bit}`).toBeInstanceOf(JournalError);
      expect(read).toEqual(records.slice(0, read.length));
    }
  });

  it('of a chunk that breaks off is found, and all before it is read', () => {
    const [{ bytes }] = chunksOf(records.slice(0, 12), 12) as [Chunk];
    for (let size = 0; size < bytes.length; size++) {
      const { records: read, damage } = readAll([bytes.subarray(0, size)]);
      expect(damage).toBeInstanceOf(JournalError);
      expect(read).toEqual(records.slice(0, read.length));
    }
  });

  it('is told with the number of the record', () => {
    const chunks = chunksOf(records, 10).map(({ bytes }) => bytes);
    chunks[2] = chunks[2]!.slice();
    chunks[2]![chunks[2]!.length - 5]! ^= 1;
    const { records: read, damage } = readAll(chunks);
    expect(read.length).toBe(29);
    expect(damage).toMatchObject({ fault: 'damaged', message: 'record 30 is not as it was written' });
  });

  it('is a chunk that is missing, or in the place of another, or of another journal', () => {
    const chunks = chunksOf(records, 10).map(({ bytes }) => bytes);
    const [a, b, c] = chunks as [Uint8Array, Uint8Array, Uint8Array];
    expect(readAll([a, c]).damage!.message).toBe('record 21 comes after record 10');
    expect(readAll([a, c, b]).damage!.message).toBe('record 21 comes after record 10');
    expect(readAll([a, a]).damage!.message).toBe('record 1 comes after record 10');
    const others = chunksOf(records.slice(1), 10).map(({ bytes }) => bytes);
    expect(readAll([a, others[1]!]).damage!.message).toBe('record 11 does not belong behind record 10');
  });

  it('is whatever is no chunk at all', () => {
    expect(readAll([new TextEncoder().encode('{"not": "ours"}')]).damage).toMatchObject({ fault: 'foreign' });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (noise) => {
        for (const bytes of [noise, Uint8Array.of(0x53, 0x75, 0x4a, 1, 2, 1, ...noise)]) {
          expect(readAll([bytes]).damage).toBeInstanceOf(JournalError);
        }
      }),
    );
  });

  it('is not a journal of a newer version: that is told as such', () => {
    const [{ bytes }] = chunksOf(records.slice(0, 2), 2) as [Chunk];
    const newer = bytes.slice();
    newer[4] = 9;
    expect(readAll([newer]).damage).toMatchObject({ fault: 'foreign', message: expect.stringContaining('version 9') });
  });
});

describe('records of version 1', () => {
  it.each(['source', 'target', 'client'] as const)('are brought up to the present one, and hold: %s', async (side) => {
    const present = (await record(stories.seamless!.happen))[side];
    const old = present.map((one): JournalRecord => {
      if (one.kind !== 'wire') return one;
      const { from: _, ...rest } = one;
      return rest;
    });
    expect(old).not.toEqual(present);
    for (const size of [3, 100]) {
      const lifted = readAll(chunksOf(old, size, 1).map(({ bytes }) => bytes)).records;
      expect(lifted).toEqual(present);
      expect(verify(lifted).mismatch).toBeUndefined();
    }
  });
});

describe('a chunk of format 1, as it was first written', () => {
  const written = Buffer.from(
    'U3VKAQIBAwAAAABRAgAAAAAAAPg/CAZjbGllbnQIDnNlc3Npb24vY2xpZW50DAIIBHR5cGUIC3hzdGF0ZS5pbml0CAVpbnB1dAwB' +
      'CAZ3YW50ZWQLAQgGbWFpbjowScZ4ueQBAAAAAAAAAABACQAICAFsyAEHBwcAAAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH' +
      'BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH' +
      'BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH' +
      'BwcHBwcHBwcHBwcHBwcHBwEDAggGdGlja2V0MlXK9QsEAAAAAAAACEAJACHw6wo=',
    'base64',
  );

  it('is read', () => {
    expect(readAll([written])).toEqual({
      records: [
        {
          ...{ kind: 'event', seq: 1, at: 1.5, actor: 'client', chart: 'session/client' },
          event: { type: 'xstate.init', input: { wanted: ['main:0'] } },
        },
        {
          ...{ kind: 'wire', seq: 2, at: 2, actor: 'client', link: 'l', direction: 'in' },
          bytes: new Uint8Array(200).fill(7).fill(0, 3, 5),
          left: [{ at: 3, size: 2, what: 'ticket' }],
        },
        { kind: 'end', seq: 3, at: 3, actor: 'client' },
      ],
    });
  });

  it('is never taken for one of another format', () => {
    const [present] = chunksOf(records.slice(0, 5), 5) as [Chunk];
    for (const [bytes, other] of [
      [written, 2],
      [written, 3],
      [written, 0],
      [present.bytes, 1],
      [present.bytes, 2],
      [present.bytes, 4],
    ] as const) {
      const changed = Uint8Array.from(bytes);
      changed[3] = other;
      expect(readAll([changed])).toMatchObject({ records: [], damage: expect.any(JournalError) });
    }
  });
});

describe('the checksum', () => {
  it('is the CRC-32 of everybody, with and without Node', () => {
    const text = new TextEncoder().encode('123456789');
    expect(checksum(text)).toBe(0xcbf43926);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), fc.nat(), (bytes, cut) => {
        const at = cut % (bytes.length + 1);
        expect(ownChecksum(bytes)).toBe(checksum(bytes));
        expect(checksum(bytes.subarray(at), checksum(bytes.subarray(0, at)))).toBe(checksum(bytes));
      }),
    );
  });
});
