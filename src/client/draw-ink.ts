/** The commands that draw lines and letters with a brush. */
import { LineFlags, Ropd } from '../protocol/constants.ts';
import { fill, tile } from './blit.ts';
import { type Command, eachRow, paint, source, target, Undrawable } from './canvas.ts';
import { CompositeOp, composerOf } from './compose.ts';
import { type Budget, dashedLine } from './dash.ts';
import { pathLines, type Run, thinLine, wholePixels } from './line.ts';
import { readWords, toWord, writeWords } from './raster.ts';
import { boxRegion, extents, intersect, isEmpty } from './region.ts';
import { ropOf, rops } from './rop.ts';
import { Filter, Repeat, sampler } from './sample.ts';
import { letters } from './text.ts';

/** Points and dashes that one stroke may be made of; more is no drawing but an attack. */
const strokeBudget = 1 << 20;
/** Pixels along its lines, plus rectangles of the clip that its runs are compared with. */
const workBudget = 1 << 24;
/** Pixels of the picture that letters are gathered in. */
const textBudget = 1 << 24;

export const drawStroke: Command<'draw_stroke'> = (dst, body, pictures) => {
  const region = target(dst, body.base);
  if (isEmpty(region)) return region;
  const { brush, attr } = body;
  const rop = ropOf(body.foreMode, 'brush', 'dest');
  const lines = pathLines(body.path, strokeBudget);
  if (lines === undefined) throw new Undrawable('a path of too many points');
  const pattern = brush.type === 'pattern' ? source(dst, brush.pat, pictures) : undefined;
  let work = workBudget;
  const spend = (cost: number) => {
    work -= cost;
    if (work < 0) throw new Undrawable('a stroke of too much work');
  };
  const inked: Run = (x, y, count) => {
    spend(1 + (region.length >> 2));
    const part = intersect(region, [x, y, x + count, y + 1]);
    if (isEmpty(part)) return;
    if (pattern !== undefined && brush.type === 'pattern') tile(dst, part, pattern, brush.pos.x, brush.pos.y, rop);
    else fill(dst, part, brush.type === 'solid' ? brush.color : 0, rop);
  };
  const dashes = (attr.flags & LineFlags.styled) !== 0 ? dashesOf(attr.flags, attr.style ?? []) : undefined;
  if (dashes === undefined) {
    for (const line of lines) {
      for (let i = 1; i < line.length; i++) {
        const [a, b] = [line[i - 1]!, line[i]!];
        spend(Math.min(Math.max(Math.abs(a.x - b.x), Math.abs(a.y - b.y)), Math.max(dst.width, dst.height)));
        thinLine(a, b, dst.width, dst.height, inked);
      }
    }
    return region;
  }
  // An operation that turns a bit that is set where the other operand is not would undo itself where two runs meet.
  const careful = (rop & 3) === 1 || rop >> 2 === 1;
  const budget: Budget = { left: strokeBudget };
  const seen = extents(region)!;
  for (const line of lines) {
    const once = careful && line.length >= 3;
    const runs = once ? new RunUnion() : undefined;
    const done = dashedLine(line, dashes.lengths, dashes.offset, once, seen, budget, runs?.add ?? inked);
    runs?.each(inked);
    if (!done) throw new Undrawable('a line of too many dashes');
  }
  return region;
};

/** The pattern of a styled line. One that starts with a gap starts with its second length, offset by that, as drivers expect. */
function dashesOf(flags: number, style: readonly number[]): { lengths: number[]; offset: number } {
  const whole = style.map((length) => wholePixels(length) & 0xff);
  if ((flags & LineFlags.startWithGap) === 0 || whole.length === 0) return { lengths: whole, offset: 0 };
  const lengths = [...whole.slice(1), whole[0]!];
  return { lengths, offset: lengths[0]! };
}

/** Gathers runs so that each pixel comes out once. */
class RunUnion {
  private readonly rows = new Map<number, [number, number][]>();

  readonly add: Run = (x, y, count) => {
    const row = this.rows.get(y);
    if (row === undefined) this.rows.set(y, [[x, x + count]]);
    else row.push([x, x + count]);
  };

  each(run: Run): void {
    for (const [y, row] of this.rows) {
      row.sort((a, b) => a[0] - b[0]);
      let [from, to] = row[0]!;
      for (const [next, end] of row) {
        if (next > to) {
          run(from, y, to - from);
          from = next;
        }
        to = Math.max(to, end);
      }
      run(from, y, to - from);
    }
  }
}

export const drawText: Command<'draw_text'> = (dst, body, pictures) => {
  const region = target(dst, body.base);
  if (isEmpty(region)) return region;
  const { backArea, foreBrush } = body;
  if (backArea.left < backArea.right && backArea.top < backArea.bottom) {
    if (body.foreMode !== Ropd.opPut) throw new Undrawable('letters with a background and another mode than put');
    paint(dst, intersect(region, boxRegion(backArea, dst.width, dst.height)), body.backBrush, rops.copy, pictures);
  }
  if (foreBrush.type === 'none') return region;
  const drawn = letters(body.str, textBudget);
  if (drawn === undefined) throw new Undrawable('letters too far apart');
  const { mask, x: left, y: top } = drawn;
  const inside = intersect(region, [left, top, left + mask.width, top + mask.height]);
  const ink = new Uint32Array(dst.width);
  const words = new Uint32Array(dst.width);
  const alphas = new Uint32Array(dst.width);
  const over = composerOf(CompositeOp.over, false)!;
  const pattern =
    foreBrush.type === 'pattern'
      ? sampler(source(dst, foreBrush.pat, pictures), undefined, Filter.nearest, Repeat.normal)
      : undefined;
  if (foreBrush.type === 'solid')
    ink.fill(toWord(dst.format === 'x555' || dst.format === 'r565' ? 'x555' : 'x888', foreBrush.color));
  eachRow(inside, (x, y, count) => {
    // The pattern is laid out from the letters' corner, not from the surface's: that is how the reference has it.
    if (foreBrush.type === 'pattern') pattern!.row(x - left - foreBrush.pos.x, y - top - foreBrush.pos.y, count, ink);
    readWords(mask, (y - top) * mask.width + x - left, count, alphas);
    readWords(dst, y * dst.width + x, count, words);
    over(words, ink, alphas, count);
    writeWords(dst, y * dst.width + x, count, words);
  });
  return region;
};
