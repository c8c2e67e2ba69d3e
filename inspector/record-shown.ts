/** Records as they are shown: contexts and details made presentable, and dots for what is personal. Runs anywhere. */
import { readValue } from './chart-state.ts';
import type { FeedRecord, SnapshotRecord } from './feed.ts';
import type { RawSnapshot } from './roster.ts';
import { dots, isPersonalMessage, shown } from './show.ts';

export function snapshotShown(record: FeedRecord, raw: RawSnapshot, secrets: boolean): FeedRecord {
  const tags = raw.tags instanceof Set || Array.isArray(raw.tags) ? [...raw.tags].map(String) : [];
  const value = readValue(raw.value);
  return {
    ...(record as SnapshotRecord),
    ...(value === undefined ? {} : { value }),
    ...(raw.context === undefined ? {} : { context: shown(raw.context, secrets) }),
    ...(tags.length > 0 ? { tags } : {}),
    ...(raw.error === undefined || raw.error === null ? {} : { error: String(shown(raw.error)) }),
  };
}

export function detailShown(record: FeedRecord, secrets: boolean): FeedRecord {
  if ((record.kind !== 'event' && record.kind !== 'command') || record.detail === undefined) return record;
  const personal = !secrets && isPersonalMessage(record.type);
  return { ...record, detail: personal ? dots : shown(record.detail, secrets) };
}

export const statusOf = (status: string | undefined): SnapshotRecord['status'] =>
  status === 'done' || status === 'error' || status === 'stopped' ? status : 'active';
