/**
 * Lines one pixel wide, as runs of pixels, and curves as lines. Which pixels a line has is the X server's rule, which the
 * reference follows: Bresenham's choice, ties broken by octant, the last pixel of each line left out. INVARIANT: the work
 * for a line is bounded by the picture's size, however far away its ends are.
 */
import { PathFlags } from '../protocol/constants.ts';
import type { Path, PointFix } from '../protocol/draw.ts';

export interface Spot {
  readonly x: number;
  readonly y: number;
}

/** Takes a run of `count` pixels of one row. */
export type Run = (x: number, y: number, count: number) => void;

/** Whole pixels of a 28.4 number: the nearest, and of two nearest the lower. */
export const wholePixels = (fixed: number): number => (fixed >> 4) + ((fixed & 15) > 8 ? 1 : 0);

/** Among steps that are equally good, the octants in which the one along an axis is taken. */
const axialOctants = 0b11011000;
const towardsX = 4;
const towardsY = 2;
const steep = 1;

/** The pixels of one line within a picture of that size, but for its end, in runs along its rows. */
export function thinLine(a: Spot, b: Spot, width: number, height: number, run: Run): void {
  const dx = Math.abs(b.x - a.x);
  const dy = Math.abs(b.y - a.y);
  const sx = b.x < a.x ? -1 : 1;
  const sy = b.y < a.y ? -1 : 1;
  const flat = dx > dy;
  const octant = (sx < 0 ? towardsX : 0) | (sy < 0 ? towardsY : 0) | (flat ? 0 : steep);
  const tie = (axialOctants >> octant) & 1;
  const [long, short] = flat ? [dx, dy] : [dy, dx];
  const [at, step, size] = flat ? [a.x, sx, width] : [a.y, sy, height];
  // Only the steps whose place on the longer axis is inside.
  const first = Math.max(0, step > 0 ? -at : at - size + 1);
  const last = Math.min(long, step > 0 ? size - at : at + 1);
  if (first >= last) return;
  let [across, error] = start(first, long, short, tie);
  let from = 0;
  let count = 0;
  let row = 0;
  for (let k = first; k < last; k++) {
    const x = flat ? a.x + sx * k : a.x + sx * across;
    const y = flat ? a.y + sy * across : a.y + sy * k;
    if (x >= 0 && x < width && y >= 0 && y < height) {
      if (count > 0 && y === row && x === (sx > 0 ? from + count : from - 1)) {
        if (sx < 0) from = x;
        count++;
      } else {
        if (count > 0) run(from, row, count);
        [from, row, count] = [x, y, 1];
      }
    }
    error += 2 * short;
    if (error >= 2 * long) {
      error -= 2 * long;
      across++;
    }
  }
  if (count > 0) run(from, row, count);
}

/** How many steps across there are before step `k`, and what is left over: floor and rest of a division. */
function start(k: number, long: number, short: number, tie: number): [number, number] {
  const sum = 2 * k * short + long - tie;
  if (sum < Number.MAX_SAFE_INTEGER) return [Math.floor(sum / (2 * long)), sum % (2 * long)];
  const exact = 2n * BigInt(k) * BigInt(short) + BigInt(long - tie);
  const divisor = 2n * BigInt(long);
  return [Number(exact / divisor), Number(exact % divisor)];
}

/** Curves deeper than this are taken as straight: only those that start where they end come so far. */
const deepest = 16;

/** The lines of a path, each a list of points; at most `most` points altogether, and undefined if there are more. */
export function pathLines(path: Path, most: number): Spot[][] | undefined {
  const lines: Spot[][] = [];
  let line: Spot[] = [];
  let left = most;
  const add = (x: number, y: number) => {
    line.push({ x, y });
    left--;
  };
  const addFix = ({ x, y }: PointFix) => add(wholePixels(x), wholePixels(y));
  const end = () => {
    if (line.length > 0) lines.push(line);
    line = [];
  };
  for (const { flags, points } of path.segments) {
    let i = 0;
    if (flags & PathFlags.begin) {
      end();
      if (points.length > 0) addFix(points[i++]!);
    }
    if (flags & PathFlags.bezier) {
      for (; i + 2 < points.length && left > 0; i += 3) {
        const from = line.at(-1);
        if (from === undefined) continue;
        const origin = { x: from.x * 16, y: from.y * 16 };
        bend(origin, points[i]!, points[i + 1]!, points[i + 2]!, addFix, () => left > 0, 0);
      }
    } else for (; i < points.length && left > 0; i++) addFix(points[i]!);
    if (left <= 0) return undefined;
    if (flags & PathFlags.end) {
      if (flags & PathFlags.close && line.length > 0) add(line[0]!.x, line[0]!.y);
      end();
    }
  }
  end();
  return lines;
}

const int64 = (v: bigint) => BigInt.asIntN(64, v);
const dot = (ax: number, ay: number, bx: number, by: number) =>
  int64(BigInt(ax) * BigInt(bx) + BigInt(ay) * BigInt(by)) >> 4n;
const between = (a: PointFix, b: PointFix): PointFix => ({
  x: Math.trunc((a.x + b.x) / 2),
  y: Math.trunc((a.y + b.y) / 2),
});

/** Halves a Bézier curve until its control points lie less than half a pixel off the straight line. */
function bend(
  p0: PointFix,
  p1: PointFix,
  p2: PointFix,
  p3: PointFix,
  add: (p: PointFix) => void,
  goOn: () => boolean,
  depth: number,
): void {
  if (!goOn()) return;
  const [ax, ay] = [p1.x - p0.x, p1.y - p0.y];
  const [bx, by] = [p3.x - p0.x, p3.y - p0.y];
  const [cx, cy] = [p2.x - p3.x, p2.y - p3.y];
  const chord = dot(bx, by, bx, by);
  const ab = dot(ax, ay, bx, by);
  const cb = dot(cx, cy, -bx, -by);
  const off1 = int64(dot(ax, ay, ax, ay) * chord - ab * ab) >> 3n;
  const off2 = int64(dot(cx, cy, cx, cy) * chord - cb * cb) >> 3n;
  if (depth >= deepest || (off1 < chord && off2 < chord)) {
    add(p3);
    return;
  }
  const p01 = between(p0, p1);
  const p12 = between(p1, p2);
  const p23 = between(p2, p3);
  const p012 = between(p01, p12);
  const p123 = between(p12, p23);
  const middle = between(p012, p123);
  bend(p0, p01, p012, middle, add, goOn, depth + 1);
  bend(middle, p123, p23, p3, add, goOn, depth + 1);
}
