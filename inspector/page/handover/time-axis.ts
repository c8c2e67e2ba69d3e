/**
 * From times to places on the hand-over's axis. Spread: crowded moments are drawn wider and long waits shorter, so that forty
 * milliseconds of linking and five of switching can both be read; every tick says its true time. To scale: as it was.
 */

export interface Tick {
  readonly x: number;
  readonly at: number;
}

export interface TimeAxis {
  readonly width: number;
  x(at: number): number;
  /** The time at a place. */
  at(x: number): number;
  readonly ticks: readonly Tick[];
}

/** `times` are what matters on the axis, in milliseconds, in any order; at least one. */
export function timeAxis(times: readonly number[], width: number, spread: boolean, tickEvery = 74): TimeAxis {
  const sorted = [...new Set(times)].filter(Number.isFinite).sort((a, b) => a - b);
  const first = sorted[0] ?? 0;
  const last = sorted.at(-1) ?? first;
  if (last <= first) sorted.push(first + 1);
  const room = (ms: number) => (spread ? 0.6 + Math.log2(1 + 4 * ms) : ms);
  const places = [0];
  for (let i = 1; i < sorted.length; i++) places.push(places[i - 1]! + room(sorted[i]! - sorted[i - 1]!));
  const k = width / (places.at(-1) || 1);
  const between = (from: readonly number[], to: readonly number[], value: number): number => {
    const i = Math.min(from.length - 1, Math.max(1, upper(from, value)));
    const [a, b] = [from[i - 1]!, from[i]!];
    const share = b === a ? 0 : Math.min(1, Math.max(0, (value - a) / (b - a)));
    return to[i - 1]! + share * (to[i]! - to[i - 1]!);
  };
  const x = (at: number) => k * between(sorted, places, at);
  const at = (place: number) => between(places, sorted, place / k);
  const ticks: Tick[] = [];
  const candidates = spread
    ? sorted
    : Array.from({ length: Math.floor(width / tickEvery) + 1 }, (_, i) => at(i * tickEvery));
  for (const time of candidates) {
    const place = x(time);
    if (ticks.length === 0 || (place - ticks.at(-1)!.x >= tickEvery && place <= width - 46))
      ticks.push({ x: place, at: time });
  }
  return { width, x, at, ticks };
}

function upper(list: readonly number[], value: number): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle]! <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}
