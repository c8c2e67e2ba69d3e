/**
 * A command's arguments, declared in a table and read from what a client sent. Whatever does not fit is refused in QEMU's
 * words, as management programs know them. Pure.
 */

import { QmpError, type QmpObject } from './protocol.ts';

type Kind = 'string' | 'integer' | 'boolean' | 'array' | readonly string[];

/** What an argument is: a type or the words it may be, and whether it may be left out. */
export interface Argument<K extends Kind = Kind, O extends boolean = boolean> {
  readonly kind: K;
  readonly optional: O;
}

export type ArgumentTable = Readonly<Record<string, Argument>>;

type ValueOf<K> = K extends 'string'
  ? string
  : K extends 'integer'
    ? number
    : K extends 'boolean'
      ? boolean
      : K extends 'array'
        ? readonly unknown[]
        : K extends readonly (infer Word)[]
          ? Word
          : never;

export type ArgumentsOf<T extends ArgumentTable> = {
  readonly [K in keyof T]: T[K] extends Argument<infer Of, infer O>
    ? ValueOf<Of> | (O extends true ? undefined : never)
    : never;
};

export const required = <const K extends Kind>(kind: K): Argument<K, false> => ({ kind, optional: false });
export const optional = <const K extends Kind>(kind: K): Argument<K, true> => ({ kind, optional: true });

/** Throws QmpError, GenericError as QEMU has it. Arguments that the table does not have are refused. */
export function readArguments<T extends ArgumentTable>(table: T, given: QmpObject): ArgumentsOf<T> {
  const read: Record<string, unknown> = {};
  for (const [name, { kind, optional: mayMiss }] of Object.entries(table)) {
    if (!Object.hasOwn(given, name)) {
      if (!mayMiss) throw new QmpError('GenericError', `Parameter '${name}' is missing`);
      continue;
    }
    read[name] = checked(name, kind, given[name]);
  }
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(table, name)) throw new QmpError('GenericError', `Parameter '${shorten(name)}' is unexpected`);
  }
  return read as ArgumentsOf<T>;
}

function checked(name: string, kind: Kind, value: unknown): unknown {
  const type = typeof kind === 'string' ? kind : 'string';
  const fits =
    type === 'array' ? Array.isArray(value) : type === 'integer' ? Number.isSafeInteger(value) : typeof value === type;
  if (!fits) throw new QmpError('GenericError', `Invalid parameter type for '${name}', expected: ${type}`);
  if (typeof kind !== 'string' && !kind.includes(value as string)) {
    throw new QmpError('GenericError', `Parameter '${name}' does not accept value '${shorten(value as string)}'`);
  }
  return value;
}

/** An answer does not repeat a whole message of the client's. */
export const shorten = (text: string): string => (text.length > 200 ? `${text.slice(0, 200)}…` : text);
