/**
 * What may stand behind a flag: each kind of value as a schema from text to what a verb works with. The messages go to
 * the user as they are.
 */
import * as v from 'valibot';
import { schemes as allSchemes, type Scheme } from '../../machines/contract.ts';
import { type ClientChannel, clientChannels } from '../../machines/session/client.ts';
import { parseAddress, type SocketAddress } from '../qmp/address.ts';

export type ValueSchema<T> = v.GenericSchema<string, T>;

const isOneOf = <T extends string>(all: readonly T[], text: string): text is T =>
  (all as readonly string[]).includes(text);

/** A list that is said with "or" before its last. */
const either = (all: readonly string[]): string =>
  all.length < 2 ? all.join('') : `${all.slice(0, -1).join(', ')} or ${all.at(-1)}`;

export const text: ValueSchema<string> = v.pipe(v.string(), v.nonEmpty('it must not be empty'));

/** 0 is "any that is free". */
export const port: ValueSchema<number> = v.pipe(
  v.string(),
  v.regex(/^\d{1,5}$/, 'a port is a number from 0 to 65535'),
  v.transform(Number),
  v.maxValue(65_535, 'a port is a number from 0 to 65535'),
);

export const count: ValueSchema<number> = v.pipe(
  v.string(),
  v.regex(/^\d{1,9}$/, 'a whole number is expected'),
  v.transform(Number),
);

export const onOff: ValueSchema<boolean> = v.pipe(
  v.string(),
  v.picklist(['on', 'off'], 'on or off is expected'),
  v.transform((word) => word === 'on'),
);

/** How often something is tried, or false for never. */
export const triesOrOff: ValueSchema<number | false> = v.pipe(
  v.string(),
  v.regex(/^(off|[1-9]\d{0,5})$/, 'a number of tries is expected, or off'),
  v.transform((word) => (word === 'off' ? false : Number(word))),
);

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** The longest time that a timer can count, milliseconds. */
const longest = 2 ** 31 - 1;

/** Milliseconds. */
export const duration: ValueSchema<number> = v.pipe(
  v.string(),
  v.regex(/^\d+(\.\d+)?(ms|s|m|h)$/, 'a duration is a number with its unit, such as 500ms, 10s or 2m'),
  v.transform((word) => {
    const [, number, unit] = /^([\d.]+)([a-z]+)$/.exec(word)!;
    return Number(number) * unitMs[unit!]!;
  }),
  v.maxValue(longest, 'a duration is at most 24 days'),
);

export interface Size {
  readonly width: number;
  readonly height: number;
}

export const size: ValueSchema<Size> = v.pipe(
  v.string(),
  v.regex(/^\d{1,5}x\d{1,5}$/, 'a size is WIDTHxHEIGHT in pixels, such as 1024x768'),
  v.transform((word) => {
    const [width, height] = word.split('x').map(Number);
    return { width: width!, height: height! };
  }),
);

const listOf = <T extends string>(all: readonly T[], what: string): ValueSchema<readonly T[]> =>
  v.pipe(
    v.string(),
    v.transform((word) => word.split(',').map((one) => one.trim())),
    v.check(
      (words) => words.every((word) => isOneOf(all, word)),
      `${what} are ${all.join(', ')}, with commas between them`,
    ),
    v.transform((words) => [...new Set(words)] as T[]),
  );

export const schemes: ValueSchema<readonly Scheme[]> = listOf(allSchemes, 'hand-over schemes');

/** `main` may be named; it is always there. */
export const channels: ValueSchema<readonly ClientChannel[]> = v.pipe(
  listOf(['main', ...clientChannels] as const, 'channels'),
  v.transform((words) => words.filter((word) => word !== 'main')),
);

export const oneOf = <T extends string>(...all: readonly T[]): ValueSchema<T> =>
  v.pipe(
    v.string(),
    v.check((word) => isOneOf(all, word), `${either(all)} is expected`),
    v.transform((word) => word as T),
  );

/** `tcp:HOST:PORT` or `unix:PATH`. */
export const socketAddress: ValueSchema<SocketAddress> = v.pipe(
  v.string(),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    try {
      return parseAddress(dataset.value);
    } catch {
      addIssue({ message: 'tcp:HOST:PORT or unix:PATH is expected' });
      return NEVER;
    }
  }),
);

/** `9229` or `127.0.0.1:9229`. */
export const inspectAddress: ValueSchema<{ readonly host?: string | undefined; readonly port: number }> = v.pipe(
  v.string(),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const [, host, digits] = /^(?:(.+):)?(\d{1,5})$/.exec(dataset.value) ?? [];
    const number = Number(digits);
    if (digits === undefined || number > 65_535) {
      addIssue({ message: 'it must be [HOST:]PORT' });
      return NEVER;
    }
    return { host: host?.replace(/^\[|\]$/g, ''), port: number };
  }),
);
