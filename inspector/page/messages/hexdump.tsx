/**
 * The bytes of a message, sixteen to a row, or eight where there is no room. A byte under the pointer, or gone to by keys,
 * shows its field, and a chosen field its bytes.
 */
import { useMemo, useRef } from 'preact/hooks';
import type { DetailField } from '../../feed.ts';
import { useWidth } from '../use-width.ts';
import { VirtualList } from '../virtual-list.tsx';
import type { Hot } from './message-detail.tsx';

export interface HexdumpProps {
  readonly bytes: Uint8Array;
  readonly fields: readonly DetailField[];
  readonly hot: Hot | undefined;
  readonly onHot: (hot: Hot | undefined) => void;
}

const rowHeight = 18;

export function Hexdump({ bytes, fields, hot, onHot }: HexdumpProps) {
  const box = useRef<HTMLDivElement>(null);
  /** The byte that was gone to by keys. */
  const at = useRef(0);
  const perRow = useWidth(box) >= 470 ? 16 : 8;
  const owners = useMemo(() => ownersOf(bytes.length, fields), [bytes, fields]);
  const rows = Math.ceil(bytes.length / perRow);
  const cell = (i: number, text: string) => {
    const owner = owners[i] ?? 0;
    const on = hot !== undefined && i >= hot.offset && i < hot.offset + hot.size;
    return (
      <span key={i} data-at={i} class={`${on ? 'hot' : ''} ${owner % 2 === 1 ? 'odd' : ''}`}>
        {text}
      </span>
    );
  };
  const point = (event: MouseEvent) => {
    const place = (event.target as HTMLElement).dataset.at;
    if (place === undefined) return;
    at.current = Number(place);
    onHot(fields[(owners[at.current] ?? 0) - 1] ?? { offset: at.current, size: 1 });
  };
  const step = (event: KeyboardEvent) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -perRow, ArrowDown: perRow }[event.key];
    const to =
      event.key === 'Home'
        ? 0
        : event.key === 'End'
          ? bytes.length - 1
          : by === undefined
            ? undefined
            : at.current + by;
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    at.current = Math.max(0, Math.min(bytes.length - 1, to));
    onHot(fields[(owners[at.current] ?? 0) - 1] ?? { offset: at.current, size: 1 });
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: pointing shows what the list of fields tells as well
    <div class="hexdump" ref={box} onMouseOver={point} onMouseLeave={() => onHot(undefined)} onFocus={() => {}}>
      <VirtualList
        label="Bytes"
        className="hex-rows"
        count={rows}
        rowHeight={rowHeight}
        onKeyDown={step}
        show={hot === undefined ? undefined : Math.floor(hot.offset / perRow)}
        row={(row) => {
          const start = row * perRow;
          const indexes = Array.from({ length: Math.min(perRow, bytes.length - start) }, (_, k) => start + k);
          return (
            <div class="hex-row" key={row}>
              <span class="offset">{start.toString(16).padStart(4, '0')}</span>
              <span class={`hex of-${perRow}`}>
                {indexes.map((i) => cell(i, bytes[i]!.toString(16).padStart(2, '0')))}
              </span>
              <span class="text">{indexes.map((i) => cell(i, letter(bytes[i]!)))}</span>
            </div>
          );
        }}
      />
    </div>
  );
}

const letter = (byte: number): string => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '·');

/** For each byte, the number (from 1) of the smallest field that holds it; 0 for none. */
function ownersOf(length: number, fields: readonly DetailField[]): Uint16Array {
  const owners = new Uint16Array(length);
  const sizes = new Uint32Array(length).fill(0xffffffff);
  fields.forEach((field, n) => {
    for (let i = field.offset; i < Math.min(length, field.offset + field.size); i++) {
      if (field.size > sizes[i]!) continue;
      sizes[i] = field.size;
      owners[i] = n + 1;
    }
  });
  return owners;
}
