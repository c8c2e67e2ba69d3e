/** A list of any length of which only the rows in sight exist. All rows have the same height. */
import type { ComponentChildren, RefObject } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

export interface VirtualListProps {
  readonly count: number;
  readonly rowHeight: number;
  readonly row: (index: number) => ComponentChildren;
  /** Row to bring into sight whenever it changes. */
  readonly show?: number | undefined;
  /** Stay at the end while rows are added. */
  readonly follow?: boolean;
  readonly className?: string;
  readonly role?: 'tree' | 'grid' | 'listbox';
  readonly label: string;
  readonly onKeyDown?: (event: KeyboardEvent) => void;
  readonly active?: string | undefined;
}

export function VirtualList(props: VirtualListProps) {
  const { count, rowHeight, show, follow = false } = props;
  const box = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const height = useHeight(box);
  useLayoutEffect(() => {
    const { current } = box;
    if (current === null) return;
    if (follow) current.scrollTop = count * rowHeight;
  }, [follow, count, rowHeight, height]);
  useLayoutEffect(() => {
    const { current } = box;
    if (current === null || show === undefined || show < 0 || follow) return;
    const y = show * rowHeight;
    if (y < current.scrollTop || y + rowHeight > current.scrollTop + current.clientHeight) {
      // Rows begin at the list's edge, so that none is cut in two.
      current.scrollTop = Math.max(0, Math.round((y - current.clientHeight / 2) / rowHeight) * rowHeight);
    }
  }, [show, rowHeight, follow]);
  const first = Math.max(0, Math.floor(top / rowHeight) - 4);
  const last = Math.min(count, Math.ceil((top + height) / rowHeight) + 4);
  const rows = [];
  for (let i = first; i < last; i++) rows.push(props.row(i));
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: it has the role of a list, tree or grid
    // biome-ignore lint/a11y/useAriaPropsSupportedByRole: all three may have an active descendant
    <div
      ref={box}
      class={`virtual ${props.className ?? ''}`}
      role={props.role ?? 'listbox'}
      aria-label={props.label}
      aria-activedescendant={props.active}
      tabIndex={0}
      onScroll={(event) => setTop(event.currentTarget.scrollTop)}
      onKeyDown={props.onKeyDown}
    >
      <div class="virtual-space" style={{ height: `${count * rowHeight}px` }}>
        <div class="virtual-rows" style={{ transform: `translateY(${first * rowHeight}px)` }}>
          {rows}
        </div>
      </div>
    </div>
  );
}

function useHeight(box: RefObject<HTMLDivElement | null>): number {
  const [height, setHeight] = useState(400);
  useEffect(() => {
    const { current } = box;
    if (current === null) return;
    const observer = new ResizeObserver(() => setHeight(current.clientHeight));
    observer.observe(current);
    setHeight(current.clientHeight);
    return () => observer.disconnect();
  }, [box]);
  return height;
}
