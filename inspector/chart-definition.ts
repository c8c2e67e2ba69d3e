/**
 * A chart's definition as plain JSON: the config that the machine was made from, in its own order, nothing cut. Functions
 * become `{ type: name }`. Runs anywhere; it reads a machine and must never run any part of one.
 */
import { SumacError } from '../src/errors.ts';

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

/** A machine config as JSON. Keys stand in the order in which the chart was written. */
export interface ChartDefinition extends JsonObject {
  readonly id: string;
}

/** A definition that is no chart, or larger than the limits. */
export class ChartError extends SumacError {
  constructor(message: string) {
    super('chart', message);
  }
}

/** What a definition may at most be. Charts of strangers are read with the same code as our own. */
export const chartLimits = { depth: 64, states: 4_000, transitions: 20_000, text: 4 * 1024 * 1024 } as const;

/** Anything that carries a config the way an XState v5 machine does. */
export interface MachineLike {
  readonly config: object;
  readonly id?: string;
}

/** The definition of a machine. Throws ChartError when it nests deeper than the limit (a config that holds itself). */
export function definitionOf(machine: MachineLike): ChartDefinition {
  const config = plain(machine.config, 0) as JsonObject;
  return { ...config, id: typeof config.id === 'string' ? config.id : (machine.id ?? '(machine)') };
}

/** The definition in a text that another program sent. Throws ChartError for anything that is not an object in JSON. */
export function parseDefinition(text: string): ChartDefinition {
  if (text.length > chartLimits.text) throw new ChartError(`a definition of ${text.length} characters is too large`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ChartError('the definition is not JSON');
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw new ChartError('no object');
  const config = value as JsonObject;
  return { ...config, id: typeof config.id === 'string' ? config.id : '(machine)' };
}

/** Whether a definition says more than its name: `createPromise` and its like have no states to draw. */
export const hasStates = (definition: ChartDefinition): boolean =>
  Object.hasOwn(definition, 'states') || Object.hasOwn(definition, 'on') || Object.hasOwn(definition, 'invoke');

function plain(value: unknown, depth: number): Json | undefined {
  if (depth > chartLimits.depth * 4) throw new ChartError('the definition nests too deeply, or holds itself');
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      return Number.isFinite(value) ? value : String(value);
    case 'bigint':
      return String(value);
    case 'function':
      return ofFunction(value, depth);
    case 'object': {
      if (value === null) return null;
      if (Array.isArray(value)) return value.map((item) => plain(item, depth + 1) ?? null);
      if (isMachine(value)) return { type: String(value.id ?? 'machine') };
      if (isLogic(value)) return { type: 'inline' };
      return ofObject(value, depth);
    }
    default:
      return undefined;
  }
}

function ofObject(value: object, depth: number): JsonObject {
  const out: [string, Json][] = [];
  for (const [key, item] of Object.entries(value)) {
    const json = plain(item, depth + 1);
    if (json !== undefined) out.push([key, json]);
  }
  return Object.fromEntries(out);
}

/** Inline functions keep their name; those that XState builds (`raise`, `and`, …) keep what they were built from. */
function ofFunction(fn: object, depth: number): JsonObject {
  const { type, name } = fn as { type?: unknown; name?: unknown };
  const own = ofObject(fn, depth);
  const label = typeof type === 'string' ? type.replace(/^xstate\./, '') : name;
  return { ...own, type: typeof label === 'string' && label !== '' ? label : 'inline' };
}

const isMachine = (value: object): value is { config: object; id?: unknown } =>
  'config' in value && 'implementations' in value && isLogic(value);
const isLogic = (value: object): boolean => 'transition' in value && typeof value.transition === 'function';
