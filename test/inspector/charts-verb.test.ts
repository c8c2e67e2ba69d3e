/** `sumac charts`: what it lists, draws, writes and refuses. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { charts as machines } from '../../machines/index.ts';
import { charts } from '../../src/cli/charts.ts';
import { SumacError, UsageError } from '../../src/errors.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sumac-charts-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const run = async (words: readonly string[], values: Record<string, unknown> = {}) => {
  const lines: string[] = [];
  const terminal = {
    out: (line: string) => lines.push(line),
    err: () => {},
    env: {},
    stopped: new AbortController().signal,
  };
  return { code: await charts.run(values as never, words, terminal as never), text: lines.join('\n') };
};

const names = Object.keys(machines);

describe('sumac charts', () => {
  test('lists every chart', async () => {
    const { code, text } = await run([]);
    expect(code).toBe(0);
    expect(text.split('\n').map((line) => line.split(/\s+/)[0])).toEqual(names);
    expect(text).toMatch(/migration\/client\s+\d+ states\s+\d+ transitions/);
  });

  test('draws one', async () => {
    const { text } = await run(['migration/client'], { svg: true });
    expect(text.startsWith('<svg xmlns="http://www.w3.org/2000/svg" class="chart"')).toBe(true);
    expect(text).toContain('switching main');
    const right = await run(['migration/client'], { svg: true, right: true });
    const widthOf = (svg: string) => Number(/ width="(\d+)"/.exec(svg)![1]);
    expect(widthOf(right.text)).toBeGreaterThan(widthOf(text));
  });

  test('writes one as Mermaid, or as the definition', async () => {
    expect((await run(['link/client'], { mermaid: true })).text).toMatch(/^stateDiagram-v2\n/);
    expect(JSON.parse((await run(['link/client'], { json: true })).text)).toMatchObject({ id: 'link/client' });
  });

  test('writes all of them into a folder, in each form', async () => {
    for (const form of ['svg', 'mermaid', 'json']) await run([], { [form]: true, out: join(folder, form) });
    for (const form of ['svg', 'mermaid', 'json']) expect(readdirSync(join(folder, form))).toHaveLength(names.length);
    expect(readFileSync(join(folder, 'mermaid', 'migration-source.mmd'), 'utf8')).toContain('holding the end back');
  });

  test.each([
    [['nothing'], {}, 'There is no chart nothing; sumac charts lists them'],
    [['display'], { svg: true }, 'There is no chart display; there are display/client and display/server'],
    [['constructor'], { svg: true }, 'There is no chart constructor'],
    [[], { svg: true }, 'which chart'],
    [['supervisor'], { svg: true, mermaid: true }, '--svg and --mermaid are two forms'],
  ])('%j %j is refused', async (words, values, message) => {
    const refusal = run(words, values);
    await expect(refusal).rejects.toThrow(UsageError);
    await expect(refusal).rejects.toThrow(message);
  });

  test('a folder that cannot be written is told in one line', async () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    await expect(run(['supervisor'], { mermaid: true, out: join(file, 'below') })).rejects.toThrow(SumacError);
  });
});
