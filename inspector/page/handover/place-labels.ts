/** Wishes for the same name close by become one, with their number: "migrate ×6". They must lie between the same two lanes. */
export function gathered(wishes: readonly LabelWish[], near = 130): LabelWish[] {
  const out: { wish: LabelWish; first: number; count: number }[] = [];
  for (const wish of [...wishes].sort((a, b) => a.x - b.x)) {
    const same = out.find((o) => o.wish.text === wish.text && o.wish.from === wish.from && wish.x - o.first < near);
    if (same === undefined) out.push({ wish, first: wish.x, count: 1 });
    else same.count++;
  }
  return out.map(({ wish, count }) => (count === 1 ? wish : { ...wish, text: `${wish.text} ×${count}` }));
}

/** Puts names beside arrows where there is room for them, the weightier first; what finds none is left out. */

export interface LabelWish {
  readonly text: string;
  /** Where its arrow stands, and from where to where the name may be put. */
  readonly x: number;
  readonly from: number;
  readonly to: number;
  readonly weight: number;
}

export interface PlacedLabel {
  readonly index: number;
  readonly text: string;
  readonly x: number;
  readonly y: number;
  readonly anchor: 'start' | 'end';
}

const lineHeight = 13;
const charWidth = 6.1;

export function placeLabels(wishes: readonly LabelWish[], width: number): PlacedLabel[] {
  const taken: { x1: number; x2: number; y: number }[] = [];
  const placed: PlacedLabel[] = [];
  const order = wishes
    .map((wish, index) => ({ wish, index }))
    .sort((a, b) => b.wish.weight - a.wish.weight || a.index - b.index);
  const free = (x1: number, x2: number, y: number) =>
    x1 >= 0 && x2 <= width && taken.every((t) => x2 < t.x1 || x1 > t.x2 || Math.abs(t.y - y) >= lineHeight);
  for (const { wish, index } of order) {
    const length = wish.text.length * charWidth + 12;
    search: for (let y = wish.from; y <= wish.to; y += lineHeight) {
      for (const anchor of ['start', 'end'] as const) {
        const x1 = anchor === 'start' ? wish.x + 4 : wish.x + 8 - length;
        if (!free(x1, x1 + length, y)) continue;
        taken.push({ x1, x2: x1 + length, y });
        placed.push({ index, text: wish.text, x: anchor === 'start' ? wish.x + 4 : wish.x - 4, y, anchor });
        break search;
      }
    }
  }
  return placed;
}
