/**
 * Dashed lines one pixel wide. Unlike plain thin lines they are thin rectangles, one for each dash, with mitred joins where
 * two dashes meet at a corner; this is what the X server does, and the reference with it. INVARIANT: the work is bounded by
 * the caller's budget, however long a line or short a dash is.
 */
import type { Run, Spot } from './line.ts';

/** A direction of an edge, and its distance from the origin times its length: all (x, y) with x·dy − y·dx = k are on it. */
interface Slope {
  dx: number;
  dy: number;
  k: number;
}
/** The end of a segment: where it is, which way it leaves, and the corner beside it. */
interface Face {
  x: number;
  y: number;
  dx: number;
  dy: number;
  xa: number;
  ya: number;
  k: number;
}
interface Corner {
  x: number;
  y: number;
}

/** Half of a line's width. */
const half = 0.5;
/** Joins whose point is farther out than this (squared, twofold) are cut off: at angles of less than eleven degrees. */
const miterLimit = 108.856472512142;

/** Rows and columns that begin at a fraction begin at the next whole one; there is no negative zero. */
const up = (v: number) => Math.ceil(v) + 0;

/** One chain of a polygon's edges from its top to its bottom: each from a row on. */
interface Edge {
  row: number;
  dx: number;
  dy: number;
  k: number;
}

/** The last column left of an edge at a row, relative to the polygon's origin. */
const column = ({ dx, dy, k }: Edge, y: number) => Math.ceil((k + y * dx) / dy) - 1;

/** Fills a convex polygon around the origin (`x`, `y`); slope i is that of the edge from corner i to the next. */
function fillPolygon(corners: readonly Corner[], slopes: readonly Slope[], x: number, y: number, run: Run, seen: Seen) {
  const count = corners.length;
  const around = (i: number) => (i + count) % count;
  let top = 0;
  let bottom = 0;
  for (let i = 1; i < count; i++) {
    if (corners[i]!.y < corners[top]!.y) top = i;
    if (corners[i]!.y >= corners[bottom]!.y) bottom = i;
  }
  const before = slopes[around(top - 1)]!;
  const after = slopes[top]!;
  const backwards = before.dy * after.dx > after.dy * before.dx;
  const chain = (step: number, first: number): Edge[] => {
    const edges: Edge[] = [];
    for (let i = top, s = around(top + first); i !== bottom; i = around(i + step), s = around(s + step)) {
      const { dx, dy, k } = slopes[s]!;
      if (dy === 0) continue;
      const sign = dy < 0 ? -1 : 1;
      edges.push({ row: up(corners[i]!.y), dx: dx * sign, dy: dy * sign, k: up(k * sign) });
    }
    return edges;
  };
  const right = backwards ? chain(-1, -1) : chain(1, 0);
  const left = backwards ? chain(1, 0) : chain(-1, -1);
  if (left.length === 0 || right.length === 0) return;
  const end = Math.min(up(corners[bottom]!.y), seen.bottom - y);
  let l = 0;
  let r = 0;
  for (let row = Math.max(right[0]!.row, seen.top - y); row < end; row++) {
    while (l + 1 < left.length && left[l + 1]!.row <= row) l++;
    while (r + 1 < right.length && right[r + 1]!.row <= row) r++;
    const from = column(left[l]!, row) + 1;
    const to = column(right[r]!, row);
    if (to >= from) run(x + from, y + row, to - from + 1);
  }
}

/** The part of a surface that may change: what lies outside is not worked out. */
export interface Seen {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** Whether a dash from one point to another, one pixel wide, may be seen. */
const isSeen = (ax: number, ay: number, bx: number, by: number, seen: Seen): boolean =>
  (ax < bx ? ax : bx) - 2 < seen.right &&
  (ax < bx ? bx : ax) + 2 > seen.left &&
  (ay < by ? ay : by) - 2 < seen.bottom &&
  (ay < by ? by : ay) + 2 > seen.top;

/** Where in the pattern of dashes the pen is: which dash, and how far into it. Even ones are drawn. */
class Pen {
  index = 0;
  offset = 0;
  readonly dashes: readonly number[];
  /** The length of the pattern. */
  readonly total: number;

  constructor(dashes: readonly number[], offset: number) {
    this.dashes = dashes;
    const total = dashes.reduce((sum, dash) => sum + dash, 0);
    this.total = total;
    let left = offset;
    if (left >= dashes[0]! && total > 0) {
      // As many whole patterns as there are change nothing; then dash by dash.
      left -= dashes[0]!;
      this.next();
      left %= total;
      while (left >= dashes[this.index]!) {
        left -= dashes[this.index]!;
        this.next();
      }
    }
    this.offset = left;
  }

  next(): void {
    this.index = (this.index + 1) % this.dashes.length;
  }

  get down(): boolean {
    return this.index % 2 === 0;
  }
}

/** How many dashes and rows may still be worked on. */
export interface Budget {
  left: number;
}

/**
 * The runs of a dashed polyline. `dashes` are the lengths of dash, gap, dash, … in whole pixels, starting `offset` pixels
 * into the pattern. With `joinsOnce` joins are drawn even where a segment has drawn the corner: for operations that tell
 * a pixel drawn twice from one drawn once, where the caller unites all runs. Returns false when the budget was used up.
 */
export function dashedLine(
  points: readonly Spot[],
  dashes: readonly number[],
  offset: number,
  joinsOnce: boolean,
  seen: Seen,
  budget: Budget,
  run: Run,
): boolean {
  if (points.length === 0 || dashes.length === 0 || dashes.every((dash) => dash <= 0)) return true;
  const pen = new Pen(dashes, offset);
  const start = points[0]!;
  const last = points.at(-1)!;
  const closed = start.x === last.x && start.y === last.y;
  let first = true;
  let firstFace: Face | undefined;
  let previous: Face | undefined;
  let wasDown = false;
  for (let i = 1; i < points.length; i++) {
    const a = points[i - 1]!;
    const b = points[i]!;
    const isLast = i === points.length - 1;
    if (a.x !== b.x || a.y !== b.y) {
      const startsDown = pen.down;
      const faces = dashSegment(pen, a, b, seen, budget, run);
      if (faces === undefined) return false;
      const endsDown = (pen.index & 1) !== (pen.offset !== 0 ? 1 : 0);
      if (startsDown) {
        if (first || !wasDown) {
          if (first && closed) firstFace = faces.left;
        } else join({ ...faces.left }, { ...previous! }, joinsOnce, seen, run);
      }
      previous = faces.right;
      wasDown = endsDown;
      first = false;
    }
    if (isLast && previous !== undefined && wasDown && closed && firstFace !== undefined) {
      join({ ...firstFace }, { ...previous }, joinsOnce, seen, run);
    }
  }
  return true;
}

function dashSegment(pen: Pen, a: Spot, b: Spot, seen: Seen, budget: Budget, run: Run) {
  const dx = b.x - a.x;
  const dy = b.y - a.y;
  const length = dx === 0 ? Math.abs(dy) : dy === 0 ? Math.abs(dx) : Math.sqrt(dx * dx + dy * dy);
  const ratio = half / length;
  const rdx = dx === 0 ? 0 : dy === 0 ? half * Math.sign(dx) : ratio * dx;
  const rdy = dy === 0 ? 0 : dx === 0 ? half * Math.sign(dy) : ratio * dy;
  const k = half * length;
  const slopes: [Slope, Slope, Slope, Slope] = [
    { dx, dy, k },
    { dx: -dy, dy: dx, k: 0 },
    { dx: -dx, dy: -dy, k },
    { dx: dy, dy: -dx, k: 0 },
  ];
  const corners: [Corner, Corner, Corner, Corner] = [
    { x: rdy, y: -rdx },
    { x: rdy, y: -rdx },
    { x: -rdy, y: rdx },
    { x: -rdy, y: rdx },
  ];
  const [top, right, bottom, left] = corners;
  let along = length;
  let dash = pen.dashes[pen.index]! - pen.offset;
  if (!isSeen(a.x, a.y, b.x, b.y, seen)) {
    // Nothing of it is to be seen: whole patterns need no pen. Lengths of dashes are whole, so this is exact.
    if (along > dash) {
      along -= dash;
      pen.next();
      along = along % pen.total || pen.total;
      dash = pen.dashes[pen.index]!;
    }
  }
  while (along > dash) {
    if (--budget.left < 0) return undefined;
    const stepX = (dash * dx) / length;
    const stepY = (dash * dy) / length;
    right.x += stepX;
    right.y += stepY;
    bottom.x += stepX;
    bottom.y += stepY;
    slopes[1].k = right.x * dx + right.y * dy;
    const isDrawn = pen.down && isSeen(a.x + left.x, a.y + left.y, a.x + right.x, a.y + right.y, seen);
    if (isDrawn) fillPolygon(corners, slopes, a.x, a.y, run, seen);
    along -= dash;
    pen.next();
    dash = pen.dashes[pen.index]!;
    top.x = right.x;
    top.y = right.y;
    left.x = bottom.x;
    left.y = bottom.y;
    slopes[3].k = -slopes[1].k;
  }
  if (pen.down && isSeen(a.x, a.y, b.x, b.y, seen)) {
    top.x -= dx;
    top.y -= dy;
    left.x -= dx;
    left.y -= dy;
    Object.assign(right, { x: rdy, y: -rdx });
    Object.assign(bottom, { x: -rdy, y: rdx });
    slopes[1].k = 0;
    slopes[3].k += dx * dx + dy * dy;
    fillPolygon(corners, slopes, b.x, b.y, run, seen);
  }
  let remains = Math.trunc(dash - along);
  if (remains === 0) {
    pen.next();
    remains = pen.dashes[pen.index]!;
  }
  pen.offset = pen.dashes[pen.index]! - remains;
  return {
    left: { x: a.x, y: a.y, dx, dy, xa: rdy, ya: -rdx, k },
    right: { x: b.x, y: b.y, dx: -dx, dy: -dy, xa: -rdy, ya: rdx, k },
  };
}

/** The corner between two segments that meet. Changes its arguments. */
function join(l: Face, r: Face, once: boolean, seen: Seen, run: Run): void {
  if (!once) {
    // The segment that goes down or to the right has drawn the pixel that they share.
    if (l.dx > 0 || (l.dx === 0 && l.dy > 0)) return;
    if (r.dx > 0 || (r.dx === 0 && r.dy > 0)) return;
  }
  const across = -l.dx * r.dy + r.dx * l.dy;
  if (across === 0) return;
  const swapped = across <= 0;
  const turned = swapped ? r : l;
  turned.xa = -turned.xa;
  turned.ya = -turned.ya;
  turned.dx = -turned.dx;
  turned.dy = -turned.dy;
  const corners: Corner[] = [
    { x: r.xa, y: r.ya },
    { x: 0, y: 0 },
    { x: l.xa, y: l.ya },
  ];
  const slopes: Slope[] = [
    { dx: -r.dy, dy: r.dx, k: 0 },
    { dx: l.dy, dy: -l.dx, k: 0 },
  ];
  const y = (l.dy * (r.xa * r.dy - r.ya * r.dx) - r.dy * (l.xa * l.dy - l.ya * l.dx)) / across;
  const x = l.dy !== 0 ? l.xa + ((y - l.ya) * l.dx) / l.dy : r.xa + ((y - r.ya) * r.dx) / r.dy;
  if ((x * x + y * y) * 4 <= miterLimit) {
    corners.push({ x, y });
    const sign = swapped ? -1 : 1;
    slopes.push(
      { dx: sign * l.dx, dy: sign * l.dy, k: sign * l.k },
      { dx: sign * r.dx, dy: sign * r.dy, k: sign * r.k },
    );
  } else {
    const bx = r.xa - l.xa;
    const by = r.ya - l.ya;
    const scale = Math.max(Math.abs(bx), Math.abs(by));
    const dx = Math.trunc((bx * 65536) / scale);
    const dy = Math.trunc((by * 65536) / scale);
    slopes.push({ dx, dy, k: ((l.xa + r.xa) * dy - (l.ya + r.ya) * dx) / 2 });
  }
  fillPolygon(corners, slopes, l.x, l.y, run, seen);
}
