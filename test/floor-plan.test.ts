/**
 * Holds every source file to the floor plan in the README: what its folder may import, whether it runs in a browser, and
 * whether it may read time and chance. The table stands there and nowhere else; this file only knows how to read it.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';

const home = join(import.meta.dirname, '..');

// ---------------------------------------------------------------------------------------------------- the table

interface Row {
  readonly floor: number;
  readonly folder: string;
  /** Folders; 'everything' is all of them. */
  readonly mayImport: readonly string[];
  readonly packages: readonly string[];
  /** True for the whole folder, or the names of the files that it is true for. */
  readonly browser: boolean | readonly string[];
  readonly clock: boolean | readonly string[];
}

const listOf = (cell: string): string[] => (cell === '–' ? [] : cell.split(',').map((word) => word.trim()));
const scopeOf = (cell: string): boolean | readonly string[] =>
  cell === 'yes' ? true : cell === '–' ? false : listOf(cell);

function readTable(markdown: string): Row[] {
  const [, section = ''] = markdown.split(/^#+ Floor plan$/m);
  const cells = section
    .split(/^#/m)[0]!
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    );
  const [head, , ...body] = cells;
  expect(head).toEqual(['floor', 'folder', 'may import', 'packages', 'runs in a browser', 'reads time and chance']);
  const floors = body.flatMap(([floor, folders]) =>
    listOf(folders!).map((folder) => ({ floor: Number(floor), folder })),
  );
  const atOrUnder = (floor: number) => floors.filter((one) => one.floor <= floor).map(({ folder }) => folder);
  /** "src/engine and below", "everything below", or a folder's name. */
  const meant = (word: string, floor: number): string[] => {
    if (word === 'everything below') return atOrUnder(floor - 1);
    const [, base] = /^(.*) and below$/.exec(word) ?? [];
    if (base === undefined) return [word];
    const of = floors.find(({ folder }) => folder === base);
    if (of === undefined) throw new Error(`the floor plan names ${base}, which has no row`);
    return atOrUnder(of.floor);
  };
  return body.flatMap(([floor, folders, imports, packages, browser, clock]) =>
    listOf(folders!).map((folder) => ({
      floor: Number(floor),
      folder,
      mayImport: listOf(imports!).flatMap((word) => meant(word, Number(floor))),
      packages: listOf(packages!),
      browser: scopeOf(browser!),
      clock: scopeOf(clock!),
    })),
  );
}

const rows = readTable(readFileSync(join(home, 'README.md'), 'utf8'));

// ---------------------------------------------------------------------------------------------------- the files

interface Import {
  readonly from: string;
  /** Vanishes when types are stripped. */
  readonly typeOnly: boolean;
}

interface Source {
  readonly path: string;
  readonly row: Row;
  /** The text without comments. */
  readonly code: string;
  readonly imports: readonly Import[];
}

const filesUnder = (folder: string): string[] =>
  readdirSync(join(home, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return entry.name === 'node_modules' || entry.name === 'dist' ? [] : filesUnder(path);
    return /\.tsx?$/.test(entry.name) && !entry.name.endsWith('.d.ts') ? [path] : [];
  });

/** The row that a file stands in: the longest folder that it is in. */
const rowOf = (path: string): Row | undefined =>
  rows
    .filter(({ folder }) => path === `${folder}.ts` || path.startsWith(`${folder}/`))
    .sort((a, b) => b.folder.length - a.folder.length)[0];

/** Comments out, strings whole: an import or a call in a comment is none. */
const withoutComments = (text: string): string =>
  text.replace(
    /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|\/\/[^\n]*|\/\*[\s\S]*?\*\//g,
    (_, string?: string) => string ?? ' ',
  );

function importsOf(code: string): Import[] {
  const found: Import[] = [];
  for (const [, type, from] of code.matchAll(/^\s*(?:import|export)(\s+type)?\b[^'"`;]*?\bfrom\s*'([^']+)'/gm)) {
    found.push({ from: from!, typeOnly: type !== undefined });
  }
  for (const [, from] of code.matchAll(/^\s*import\s*'([^']+)'/gm)) found.push({ from: from!, typeOnly: false });
  for (const [, from] of code.matchAll(/\bimport\(\s*'([^']+)'\s*\)/g)) found.push({ from: from!, typeOnly: false });
  return found;
}

/** Tools that build the page; no part of it. */
const isTool = (path: string) => path.endsWith('.config.ts');
const paths = ['src', 'machines', 'inspector']
  .filter((folder) => existsSync(join(home, folder)))
  .flatMap(filesUnder)
  .filter((path) => !isTool(path));
const homeless = paths.filter((path) => rowOf(path) === undefined);
const sources: Source[] = paths
  .filter((path) => !homeless.includes(path))
  .map((path) => {
    const code = withoutComments(readFileSync(join(home, path), 'utf8'));
    return { path, row: rowOf(path)!, code, imports: importsOf(code) };
  });
const byPath = new Map(sources.map((source) => [source.path, source]));

const isOwn = (from: string) => from.startsWith('.');
const resolved = (path: string, from: string) => normalize(join(dirname(path), from));
const packageOf = (from: string) =>
  from.startsWith('node:')
    ? 'Node'
    : from
        .split('/')
        .slice(0, from.startsWith('@') ? 2 : 1)
        .join('/');
const stem = (path: string) => path.slice(path.lastIndexOf('/') + 1).replace(/\.tsx?$/, '');
const within = (scope: boolean | readonly string[], path: string) =>
  typeof scope === 'boolean' ? scope : scope.includes(stem(path));

// ---------------------------------------------------------------------------------------------------- the rules

test('the floor plan is a table, and every file stands on a floor', () => {
  expect(rows.length).toBeGreaterThan(10);
  expect(new Set(rows.map(({ folder }) => folder)).size).toBe(rows.length);
  expect(homeless).toEqual([]);
  expect(sources.length).toBeGreaterThan(50);
});

test('no floor may import one above it', () => {
  for (const { folder, floor, mayImport } of rows) {
    const above = mayImport.filter(
      (other) => other !== 'everything' && rows.find((row) => row.folder === other)!.floor > floor,
    );
    expect(`${folder}: ${above}`).toBe(`${folder}: `);
  }
});

describe.each(rows.map((row) => [row.folder, row] as const))('%s', (folder, row) => {
  const mine = sources.filter((source) => source.row === row);

  test('imports what it may', () => {
    const wrong = mine.flatMap(({ path, imports }) =>
      imports
        .filter(({ typeOnly }) => !(typeOnly && folder === 'inspector/page'))
        .filter(({ from }) => isOwn(from))
        .map(({ from }) => resolved(path, from))
        .filter((target) => {
          const there = rowOf(target)?.folder;
          // Styles, pages and other things that are no code stand where they are used.
          if (there === undefined || there === folder || !/\.tsx?$/.test(target)) return false;
          return !row.mayImport.includes('everything') && !row.mayImport.includes(there);
        })
        .map((target) => `${path} imports ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  test('uses the packages that it may', () => {
    const wrong = mine.flatMap(({ path, imports }) =>
      imports
        .filter(({ from }) => !isOwn(from))
        .filter(({ from }) => !row.packages.includes('everything') && !row.packages.includes(packageOf(from)))
        .map(({ from }) => `${path} imports ${from}`),
    );
    expect(wrong).toEqual([]);
  });

  test('reads time and chance where it may', () => {
    const reads =
      /\b(?:Date\.now|performance\.(?:now|timeOrigin)|Math\.random|crypto\.getRandomValues|random(?:UUID|Bytes|Int|FillSync))\b|(?<![.\w])(?:setTimeout|setInterval|setImmediate)\(|\bnew Date\(\)/;
    const wrong = mine
      .filter(({ path, code }) => !within(row.clock, path) && reads.test(code))
      .map(({ path, code }) => `${path} reads ${reads.exec(code)![0]}`);
    expect(wrong).toEqual([]);
  });

  test('runs in a browser where it should, with all that it stands on', () => {
    const nodes = /(?<![.\w'"`])(?:Buffer|process)\s*(?=[.[(])|(?<![.\w])(?:__dirname|__filename|require)\b/;
    const wrong: string[] = [];
    const seen = new Set<string>();
    const look = (path: string, why: string): void => {
      const source = byPath.get(path);
      if (source === undefined || seen.has(path)) return;
      seen.add(path);
      for (const { from, typeOnly } of source.imports) {
        if (typeOnly) continue;
        if (from.startsWith('node:')) wrong.push(`${why}${path} imports ${from}`);
        else if (isOwn(from)) look(resolved(path, from), `${why}${path} → `);
      }
      const [word] = nodes.exec(source.code) ?? [];
      if (word !== undefined) wrong.push(`${why}${path} uses ${word}`);
    };
    for (const { path, imports } of mine.filter((source) => within(row.browser, source.path))) {
      look(path, '');
      for (const { from, typeOnly } of imports) {
        if (typeOnly && from.startsWith('node:')) wrong.push(`${path} imports ${from}`);
      }
    }
    expect(wrong).toEqual([]);
  });
});

test('this file reads imports, and not what only looks like them', () => {
  const text = `
    import { a } from './a.ts'; // import { x } from './x.ts';
    import type { B } from '../b.ts';
    import {
      type C,
      c,
    } from 'c';
    export * from './d.ts';
    import './e.css';
    const later = await import('./f.ts');
    /* import g from './g.ts'; */
    const sentence = "comes from 'h'";
  `;
  expect(importsOf(withoutComments(text))).toEqual([
    { from: './a.ts', typeOnly: false },
    { from: '../b.ts', typeOnly: true },
    { from: 'c', typeOnly: false },
    { from: './d.ts', typeOnly: false },
    { from: './e.css', typeOnly: false },
    { from: './f.ts', typeOnly: false },
  ]);
});
