/** What comes as a whole: packets of sound, and the file of a journal, which somebody else may have written. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadOpus } from '../../src/audio/opus.ts';
import { LmdbStore } from '../../src/journal/lmdb.ts';
import { checkFile } from '../../src/journal/lmdb-file.ts';
import { glue, mutate } from './mutate.ts';
import { demand, type Target } from './target.ts';

async function sound(): Promise<Target> {
  const opus = await loadOpus();
  const formats = [1, 2].map((channels) => ({ channels, frequency: 48_000 }));
  const packets = formats.flatMap((format) => {
    const samples = Int16Array.from({ length: 4_800 }, (_, i) => 9_000 * Math.sin(i / 7) + ((i * i) % 3_000));
    return opus.encoder(format).encode(samples);
  });
  const decoders = formats.map((format) => opus.decoder(format));
  return {
    name: 'opus',
    generate(random) {
      const packet = random.once(10) ? random.bytes(random.size(600)) : mutate(random.pick(packets), random, packets);
      return glue(Uint8Array.of(random.below(2)), packet);
    },
    run(input) {
      const samples = decoders[(input[0] ?? 0) & 1]!.decode(input.subarray(1));
      // A packet holds an eighth of a second at most.
      demand(samples.length <= (48_000 / 8) * 2, `${samples.length} samples of one packet`);
    },
    close() {
      for (const decoder of decoders) decoder.close();
    },
  };
}

async function journalFile(): Promise<Target> {
  const folder = mkdtempSync(join(tmpdir(), 'sumac-fuzz-'));
  const store = LmdbStore.open(folder, { now: () => 0 });
  const path = join(folder, 'sumac-journal.mdb');
  await store.close();
  const whole = new Uint8Array(readFileSync(path));
  return {
    name: 'journal file',
    generate(random) {
      if (random.once(20)) return random.bytes(random.size(9_000));
      const page = random.below(whole.length / 4_096) * 4_096;
      const head = mutate(whole.slice(page, page + (random.once(2) ? 200 : 4_096)), random);
      return glue(whole.subarray(0, page), head, whole.subarray(Math.min(whole.length, page + head.length)));
    },
    run(input) {
      writeFileSync(path, input);
      checkFile(path, folder);
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export const stores = async (): Promise<Target[]> => [await sound(), await journalFile()];
