/**
 * `npm run bench [-- NAME…] [--json]`: the figures, all in one run, because the machine is shared and only ratios travel. Each
 * file beside this one that exports `benches` is a group of them.
 */
import { readdir } from 'node:fs/promises';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';

export interface BenchRow {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
}

const { values, positionals } = parseArgs({ options: { json: { type: 'boolean' } }, allowPositionals: true });

const files = (await readdir(import.meta.dirname)).filter((file) => /^(?!main).*\.js$/.test(file)).sort();
const groups = files.map((file) => basename(file, '.js'));
const unknown = positionals.filter((name) => !groups.includes(name));
if (unknown.length > 0) {
  console.error(`there is no ${unknown.join(', ')}: ${groups.join(', ')}`);
  process.exit(2);
}

for (const group of positionals.length > 0 ? positionals : groups) {
  const { benches } = (await import(`./${group}.js`)) as { benches?: () => BenchRow[] | Promise<BenchRow[]> };
  if (benches === undefined) continue;
  const rows = await benches();
  if (values.json) for (const row of rows) console.log(JSON.stringify({ group, ...row }));
  else {
    console.log(`\n${group}`);
    const width = Math.max(...rows.map(({ name }) => name.length));
    for (const { name, value, unit } of rows)
      console.log(`  ${name.padEnd(width)}  ${String(value).padStart(10)} ${unit}`);
  }
}
process.exit(0);
