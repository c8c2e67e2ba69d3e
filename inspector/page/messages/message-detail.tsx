/** Everything about one record: what it is, its fields, and its bytes where they are kept. */
import { useState } from 'preact/hooks';
import type { FeedRecord } from '../../feed.ts';
import { usePage } from '../context.ts';
import { bytes, clock } from '../format.ts';
import { Hexdump } from './hexdump.tsx';
import { Tree } from './json-tree.tsx';
import { nameOf } from './message-filter.ts';

export interface Hot {
  readonly offset: number;
  readonly size: number;
}

export function MessageDetail({ record }: { readonly record: FeedRecord }) {
  const { state } = usePage();
  return (
    <>
      <h2 class="detail-name">{nameOf(record)}</h2>
      <p class="quiet">
        {clock(record.at)}, record {record.seq}
        <br />
        <button type="button" class="link" onClick={() => state.showChart(record.actor)}>
          {record.actor}
        </button>
      </p>
      {record.kind === 'wire' ? <WireDetail record={record} /> : <Facts record={record} />}
    </>
  );
}

function Facts({ record }: { readonly record: FeedRecord }) {
  const { kind, seq, at, actor, ...facts } = record;
  return <Tree value={facts} open />;
}

function WireDetail({ record }: { readonly record: FeedRecord & { kind: 'wire' } }) {
  const { connection } = usePage();
  const [hot, setHot] = useState<Hot | undefined>();
  const line = `${record.direction === 'in' ? 'read from' : 'written to'} ${record.peer || 'the peer'}, ${record.channel}, ${bytes(record.size)}, ${record.path}`;
  if (!record.held) {
    return (
      <>
        <p>{line}</p>
        <p class="hint">Its bytes are personal, or were not kept.</p>
      </>
    );
  }
  const detail = connection.detail(record.seq);
  if (detail === undefined) return <p>{line}</p>;
  return (
    <>
      <p>{line}</p>
      {detail.error !== undefined && <p class="note-line">{detail.error}</p>}
      {detail.fields.length > 0 && (
        <ul class="fields" aria-label="Fields">
          {detail.fields.map((field) => {
            const on =
              hot !== undefined && hot.offset < field.offset + field.size && field.offset < hot.offset + hot.size;
            return (
              <li key={`${field.offset} ${field.path}`}>
                <button
                  type="button"
                  class={on ? 'hot' : ''}
                  onMouseEnter={() => setHot(field)}
                  onMouseLeave={() => setHot(undefined)}
                  onFocus={() => setHot(field)}
                  onBlur={() => setHot(undefined)}
                >
                  <span class="path">{field.path || '(not reached)'}</span>
                  <span class="value">{field.value}</span>
                  {field.meaning !== undefined && <span class="meaning">{field.meaning}</span>}
                </button>
              </li>
            );
          })}
        </ul>
      )}
      <Hexdump bytes={decode(detail.bytes)} fields={detail.fields} hot={hot} onHot={setHot} />
    </>
  );
}

const decode = (base64: string): Uint8Array => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
