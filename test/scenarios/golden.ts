/** The transcripts that scenarios must have, as they are kept: plain text, one file each, looked over by people. */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Where the sources are, also for what was compiled from them. */
const folder = fileURLToPath(
  new URL(import.meta.url.includes('/dist/test/') ? '../../../test/scenarios/golden/' : './golden/', import.meta.url),
);
const fileOf = (name: string) => `${folder}${name}.txt`;

/** Undefined where there is none. */
export const golden = (name: string): string | undefined =>
  existsSync(fileOf(name)) ? readFileSync(fileOf(name), 'utf8') : undefined;

export const goldenNames = (): string[] =>
  readdirSync(folder)
    .filter((file) => file.endsWith('.txt'))
    .map((file) => file.slice(0, -4))
    .sort();

export const writeGolden = (name: string, transcript: string): void => writeFileSync(fileOf(name), transcript);
export const removeGolden = (name: string): void => rmSync(fileOf(name));

/** Where they part: some lines before it, and how each goes on. */
export function parting(wanted: string, got: string): string {
  const [left, right] = [wanted.split('\n'), got.split('\n')];
  const at = left.findIndex((line, i) => line !== right[i]);
  const from = at < 0 ? left.length : at;
  return [
    ...left.slice(Math.max(0, from - 4), from).map((line) => `  ${line}`),
    ...left.slice(from, from + 4).map((line) => `- ${line}`),
    ...right.slice(from, from + 4).map((line) => `+ ${line}`),
  ].join('\n');
}
