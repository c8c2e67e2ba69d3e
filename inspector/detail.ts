/** What each byte of a recorded message is, for the page's hexdump. It reads kept bytes only, and never more than are kept. */

import type { Channel } from '../src/protocol/channel.ts';
import { channels } from '../src/protocol/index.ts';
import { explain } from '../src/wire/explain.ts';
import type { DetailField, FeedRecord, ToPage } from './feed.ts';
import { dots, isPersonalField } from './show.ts';

export type Detail = ToPage & { t: 'detail' };

/** Fields that are told of one message. A hundred thousand would help nobody. */
const mostFields = 2_000;

/** The fields of a record and the bytes that are kept of it; without them, the reason. */
export function detailOf(
  seq: number,
  record: FeedRecord | undefined,
  body: Uint8Array | undefined,
  secrets = false,
): Detail {
  const nothing = (error: string): Detail => ({ t: 'detail', seq, fields: [], bytes: '', error });
  if (record === undefined) return nothing('this record is no longer kept');
  if (record.kind !== 'wire') return nothing('only messages have bytes');
  if (body === undefined) {
    return nothing(record.held ? 'its bytes are no longer kept' : 'its bytes are personal, or were not kept');
  }
  const bytes = base64(body);
  const entry = entryOf(record);
  if (entry === undefined) return { t: 'detail', seq, fields: [], bytes, error: 'no layout is declared for it' };
  const { fields, error } = explain(entry.codec, body);
  const cut = body.length < record.size ? `${body.length} of ${record.size} bytes are kept` : undefined;
  const told = fields.slice(0, mostFields).map((field): DetailField => {
    const secret = !secrets && isPersonalField(field.path.split('.').at(-1) ?? '');
    const { path, offset, size, meaning } = field;
    return {
      path,
      offset,
      size,
      value: secret ? dots : valueText(field.value),
      ...(meaning === undefined ? {} : { meaning }),
    };
  });
  const why = cut ?? (error === undefined ? undefined : error.message);
  return { t: 'detail', seq, fields: told, bytes, ...(why === undefined ? {} : { error: why }) };
}

function entryOf(record: FeedRecord & { kind: 'wire' }) {
  const word = record.channel.split(':')[0] ?? '';
  if (!Object.hasOwn(channels, word)) return undefined;
  const { tables } = (channels as Record<string, Channel>)[word]!;
  return tables[record.name.startsWith('msgc.') ? 'client' : 'server'].byType.get(record.name);
}

function valueText(value: unknown): string {
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (typeof value === 'string') return JSON.stringify(value.length > 200 ? `${value.slice(0, 200)}…` : value);
  if (value !== null && typeof value === 'object') return '';
  return String(value);
}

function base64(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
