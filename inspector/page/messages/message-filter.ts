/** Which records the messages view lets through, and how each reads in one line. */
import { leavesOf as leaves } from '../../chart-state.ts';
import { eventText } from '../../chart-words.ts';
import type { FeedRecord } from '../../feed.ts';
import type { Filter, KindName } from '../view-state.ts';

export const kindOf = (record: FeedRecord): KindName =>
  record.kind === 'wire' || record.kind === 'event' || record.kind === 'command' || record.kind === 'snapshot'
    ? record.kind
    : 'other';

export function passes(record: FeedRecord, filter: Filter): boolean {
  if (!filter.kinds.has(kindOf(record))) return false;
  if (filter.actor !== '' && record.actor !== filter.actor && !record.actor.startsWith(`${filter.actor}/`))
    return false;
  if (record.kind === 'wire') {
    if (!filter.data && record.path === 'data') return false;
    if (filter.direction !== '' && record.direction !== filter.direction) return false;
    if (filter.channel !== '' && record.channel !== filter.channel) return false;
  } else if (filter.direction !== '' || (filter.channel !== '' && !record.actor.endsWith(`/${filter.channel}`)))
    return false;
  const wanted = filter.text.trim().toLowerCase();
  return wanted === '' || `${nameOf(record)} ${record.actor}`.toLowerCase().includes(wanted);
}

export function nameOf(record: FeedRecord): string {
  switch (record.kind) {
    case 'wire':
      return record.name;
    case 'event':
      return eventText(record.type);
    case 'command':
      return record.type;
    case 'snapshot':
      return `→ ${leaves(record.value)}`;
    case 'handover':
      return `hand-over ${record.phase}`;
    case 'reconnect':
      return `connection ${record.phase === 'waiting' ? 'lost' : record.phase}`;
    case 'timer':
      return `timer ${record.name}`;
    case 'log':
      return record.line;
  }
}

export function noteOf(record: FeedRecord): string {
  switch (record.kind) {
    case 'wire':
      return record.peer === '' ? '' : `${record.direction === 'in' ? 'from' : 'to'} ${record.peer}`;
    case 'event':
    case 'command':
      return record.detail === undefined ? '' : JSON.stringify(record.detail).slice(0, 160);
    case 'snapshot':
      return record.error ?? (record.on === '' ? '' : `on ${eventText(record.on)}`);
    case 'handover':
      return `${record.scheme}, ${record.from} → ${record.to}${record.reason === undefined ? '' : `: ${record.reason}`}`;
    case 'reconnect':
      return [
        record.try === undefined ? '' : `try ${record.try}${record.tries === undefined ? '' : ` of ${record.tries}`}`,
        record.inMs === undefined ? '' : `in ${Math.round(record.inMs)} ms`,
        record.returned === undefined ? '' : record.returned ? 'with its session' : 'with a new session',
        record.reason ?? '',
      ]
        .filter((word) => word !== '')
        .join(', ');
    case 'timer':
      return record.state;
    case 'log':
      return '';
  }
}
