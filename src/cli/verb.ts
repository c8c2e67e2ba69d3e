/**
 * What a verb of the command line is: its flags as a table, from which its help is written and its arguments are checked.
 * Nothing here knows what any verb does.
 */
import { parseArgs } from 'node:util';
import * as v from 'valibot';
import { UsageError } from '../errors.ts';
import type { Terminal } from './terminal.ts';
import type { ValueSchema } from './values.ts';

export interface Flag<T> {
  /** What stands for its value in the help; a switch has none. */
  readonly value?: string;
  readonly help: string;
  readonly schema?: ValueSchema<T>;
}

export type Flags = Readonly<Record<string, Flag<any>>>;

/** What was given, under the flag's own name; undefined where nothing was. */
export type Values<F extends Flags> = { readonly [K in keyof F]: F[K] extends Flag<infer T> ? T | undefined : never };

export interface Verb<F extends Flags = any> {
  readonly name: string;
  /** One line for the list of verbs. */
  readonly summary: string;
  /** Names of the words besides flags: `['URI', 'FILE.png']`. Those in brackets, `'[SESSION]'`, may be left out. */
  readonly words: readonly string[];
  readonly flags: F;
  /** Paragraphs between the usage and the flags. */
  readonly about: readonly string[];
  /** What to type, and what it does. */
  readonly examples: readonly (readonly [command: string, what: string])[];
  /** Resolves with the exit code. Throws UsageError for 2, another SumacError for 1. */
  run(values: Values<F>, words: readonly string[], terminal: Terminal): Promise<number>;
}

export const verb = <F extends Flags>(declared: Verb<F>): Verb<F> => declared;

/** A flag with a value. */
export const flag = <T>(value: string, schema: ValueSchema<T>, help: string): Flag<T> => ({ value, schema, help });

/** A flag that is given or not. */
export const toggle = (help: string): Flag<true> => ({ help });

/** Reads what stands behind a verb. Throws UsageError, in one line, for anything that the verb does not know. */
export function readArguments<F extends Flags>(
  { name, flags, words: wanted }: Verb<F>,
  args: readonly string[],
): { values: Values<F>; words: readonly string[] } {
  const words: string[] = [];
  const values: Record<string, unknown> = {};
  for (const token of tokensOf(flags, args)) {
    if (token.kind === 'positional') words.push(token.value);
    else if (token.kind === 'option') {
      const value = readFlag(flags, token);
      if (Object.hasOwn(values, token.name)) throw new UsageError(`${token.rawName} was given twice`);
      values[token.name] = value;
    }
  }
  if (words.length > wanted.length)
    throw new UsageError(`${JSON.stringify(words[wanted.length])} is one word too many`);
  const needed = wanted.filter((word) => !word.startsWith('['));
  if (words.length < needed.length) {
    throw new UsageError(`${wanted[words.length]} is missing: sumac ${[name, ...wanted].join(' ')}`);
  }
  return { values: values as Values<F>, words };
}

interface OptionToken {
  readonly kind: 'option';
  readonly name: string;
  readonly rawName: string;
  readonly value: string | undefined;
  readonly inlineValue: boolean | undefined;
}

type Token =
  | OptionToken
  | { readonly kind: 'positional'; readonly value: string }
  | { readonly kind: 'option-terminator' };

function tokensOf(flags: Flags, args: readonly string[]): readonly Token[] {
  const options = Object.fromEntries(
    Object.entries(flags).map(([name, { value }]) => [
      name,
      { type: value === undefined ? 'boolean' : 'string' } as const,
    ]),
  );
  // Not strict: what is wrong is told in our own words, with the flag's name.
  return parseArgs({ args: [...args], options, strict: false, allowPositionals: true, tokens: true }).tokens;
}

function readFlag(flags: Flags, { name, rawName, value, inlineValue }: OptionToken): unknown {
  const known = Object.hasOwn(flags, name) && rawName.startsWith('--') ? flags[name] : undefined;
  if (known === undefined) {
    const near = Object.keys(flags).find((other) => distance(name, other) <= Math.min(2, other.length - 2));
    throw new UsageError(`There is no flag ${rawName}${near === undefined ? '' : `; --${near} is meant, perhaps`}`);
  }
  if (known.value === undefined) {
    if (value !== undefined) throw new UsageError(`${rawName} takes no value`);
    return true;
  }
  if (value === undefined || (value.startsWith('--') && inlineValue !== true)) {
    throw new UsageError(`${rawName} needs a value: ${rawName} ${known.value}`);
  }
  const read = v.safeParse(known.schema!, value, { abortEarly: true, abortPipeEarly: true });
  if (read.success) return read.output;
  throw new UsageError(`${rawName} ${JSON.stringify(value)}: ${read.issues[0].message}`);
}

/** How many letters must be put in, left out or changed to make one word the other. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(changed, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}

const width = 100;

/** The help of a verb. */
export function helpOf({ name, words, flags, about, examples }: Verb): string {
  const lines = [`Usage: sumac ${[name, ...words].join(' ')} [FLAGS]`, ''];
  for (const paragraph of about) lines.push(...wrap(paragraph, width), '');
  const all: Flags = { ...flags, help: { help: 'Shows this.' } };
  const left = Object.entries(all).map(
    ([flagName, { value }]) => `  --${flagName}${value === undefined ? '' : ` ${value}`}`,
  );
  const column = Math.min(28, Math.max(...left.map(({ length }) => length)) + 2);
  lines.push('Flags:');
  for (const [i, { help }] of Object.values(all).entries()) {
    const [first, ...rest] = wrap(help, width - column);
    if (left[i]!.length + 2 > column) lines.push(left[i]!, ' '.repeat(column) + first);
    else lines.push(left[i]!.padEnd(column) + first);
    lines.push(...rest.map((line) => ' '.repeat(column) + line));
  }
  lines.push('', 'Examples:');
  for (const [command, what] of examples)
    lines.push(`  ${command}`, ...wrap(what, width - 6).map((line) => `      ${line}`));
  return lines.join('\n');
}

export function wrap(text: string, most: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > most) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}
