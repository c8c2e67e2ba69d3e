/** A value as a tree that opens and closes. Everything in it is text. */
import type { Json } from '../../chart-definition.ts';

export interface TreeProps {
  readonly value: Json | Readonly<Record<string, unknown>>;
  readonly name?: string;
  readonly open?: boolean;
}

export function Tree({ value, name, open = false }: TreeProps) {
  const label = name === undefined ? null : <span class="key">{name}</span>;
  if (value === null || typeof value !== 'object') {
    return (
      <div class="leaf">
        {label} <span class={`value ${typeof value}`}>{typeof value === 'string' ? value : String(value)}</span>
      </div>
    );
  }
  const entries = Object.entries(value as Record<string, Json>);
  const brief = Array.isArray(value) ? `${entries.length} items` : entries.length === 0 ? 'empty' : '';
  if (entries.length === 0) {
    return (
      <div class="leaf">
        {label} <span class="quiet">{brief}</span>
      </div>
    );
  }
  const children = entries.map(([key, item]) => <Tree key={key} name={key} value={item} open={entries.length < 6} />);
  if (name === undefined) return <div class="tree-root">{children}</div>;
  return (
    <details class="branch" open={open}>
      <summary>
        {label} <span class="quiet">{brief}</span>
      </summary>
      {children}
    </details>
  );
}
