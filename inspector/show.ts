/**
 * Any value as bounded JSON, for showing: long texts and lists are shortened and say so, and what is personal becomes dots.
 * Runs anywhere. Bytes become their count only: they may be a view of a buffer that holds something else by now.
 */
import type { Json } from './chart-definition.ts';

export const dots = '•••';

/** Names of fields that hold passwords, tickets, keystrokes or clipboard, wherever they stand. */
const personal =
  /^(password|passwd|passphrase|secret|ticket|token|scancodes?|clipboard|credentials?)$|(Password|Ticket|Secret)$/;

/** Message names whose bodies are personal: keystrokes, tickets, and agent data (the clipboard travels in it). */
const personalMessages = new Set([
  'msgc.key_down',
  'msgc.key_up',
  'msgc.key_scancode',
  'msgc.agent_data',
  'msg.agent_data',
  // Migration data of main and inputs carries what was typed or copied and not yet delivered.
  'msg.migrate_data',
  'msgc.migrate_data',
]);

export const isPersonalMessage = (name: string): boolean => personalMessages.has(name);
export const isPersonalField = (name: string): boolean => personal.test(name);

const limits = { depth: 8, keys: 60, items: 60, text: 400, total: 2_000 } as const;

/** `secrets` shows what is personal too. */
export function shown(value: unknown, secrets = false): Json {
  let budget: number = limits.total;
  const show = (v: unknown, depth: number): Json => {
    if (--budget < 0) return '…';
    switch (typeof v) {
      case 'string':
        return v.length > limits.text ? `${v.slice(0, limits.text)}… (${v.length} characters)` : v;
      case 'number':
        return Number.isFinite(v) ? v : String(v);
      case 'boolean':
        return v;
      case 'bigint':
        return String(v);
      case 'object':
        return v === null ? null : depth >= limits.depth ? '…' : ofObject(v, depth);
      case 'function':
        return `function ${v.name}`;
      default:
        return null;
    }
  };
  const ofObject = (v: object, depth: number): Json => {
    if (ArrayBuffer.isView(v) || v instanceof ArrayBuffer) return `${v.byteLength} bytes`;
    if (v instanceof Error) return `${v.name}: ${v.message}`.slice(0, limits.text);
    if (v instanceof Map) return ofObject(Object.fromEntries([...v].slice(0, limits.keys)), depth);
    if (v instanceof Set) return ofObject([...v].slice(0, limits.items + 1), depth);
    if (Array.isArray(v)) {
      const items = v.slice(0, limits.items).map((item) => show(item, depth + 1));
      return v.length > limits.items ? [...items, `… ${v.length} in all`] : items;
    }
    if (isActor(v)) return `actor ${String(v.id)}`;
    const entries: [string, Json][] = [];
    for (const key of Object.keys(v)) {
      if (entries.length >= limits.keys) {
        entries.push(['…', `${Object.keys(v).length} keys in all`]);
        break;
      }
      const item = (v as Record<string, unknown>)[key];
      if (item === undefined) continue;
      entries.push([
        key,
        !secrets && personal.test(key) && item !== null && typeof item !== 'boolean' ? dots : show(item, depth + 1),
      ]);
    }
    return Object.fromEntries(entries);
  };
  return show(value, 0);
}

const isActor = (v: object): v is { id: unknown } => 'sessionId' in v && 'send' in v;
