/** Times, sizes and counts as people read them. */

const two = (n: number): string => String(n).padStart(2, '0');

/** "14:03:27.512" */
export function clock(at: number): string {
  const date = new Date(at);
  const ms = String(Math.floor(at % 1000)).padStart(3, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${ms}`;
}

/** "5.7 ms", "340 ms", "12.4 s", "3 min 20 s" */
export function duration(ms: number): string {
  const size = Math.abs(ms);
  if (size < 0.005) return '0 ms';
  if (size < 1) return `${ms.toFixed(2)} ms`;
  if (size < 100) return `${ms.toFixed(1)} ms`;
  if (size < 1_000) return `${Math.round(ms)} ms`;
  if (size < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (size < 3_600_000) return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1_000)} s`;
  return `${Math.floor(ms / 3_600_000)} h ${Math.round((ms % 3_600_000) / 60_000)} min`;
}

/** A time since something, exact to the tenth of a millisecond: "+41.0 ms", "+8.000 s". */
export function since(ms: number): string {
  const sign = ms < 0 ? '−' : '+';
  const size = Math.abs(ms);
  return size < 1_000 ? `${sign}${size.toFixed(size < 100 ? 1 : 0)} ms` : `${sign}${(size / 1_000).toFixed(3)} s`;
}

export const count = (n: number): string => Math.round(n).toLocaleString('en-GB').replaceAll(',', '\u202f');

/** "88 B", "34.2 kB" */
export function bytes(n: number): string {
  if (n < 1_000) return `${n} B`;
  if (n < 1_000_000) return `${(n / 1_000).toFixed(1)} kB`;
  return `${(n / 1_000_000).toFixed(1)} MB`;
}
