/**
 * Rectangles of a screen: what two have in common, and what is left of one. Edges at the right and at the bottom are the first
 * ones outside. Pure; runs anywhere.
 */
import type { Rect } from './console.ts';

export const rectAt = (left: number, top: number, width: number, height: number): Rect => ({
  left,
  top,
  right: left + width,
  bottom: top + height,
});

export const isEmptyRect = ({ left, top, right, bottom }: Rect): boolean => left >= right || top >= bottom;
export const areaOf = ({ left, top, right, bottom }: Rect): number => (right - left) * (bottom - top);

export const sameRect = (a: Rect, b: Rect): boolean =>
  a.left === b.left && a.top === b.top && a.right === b.right && a.bottom === b.bottom;

/** What both cover; empty when they do not meet. */
export const intersect = (a: Rect, b: Rect): Rect => ({
  left: Math.max(a.left, b.left),
  top: Math.max(a.top, b.top),
  right: Math.min(a.right, b.right),
  bottom: Math.min(a.bottom, b.bottom),
});

/** The smallest rectangle around both. */
export const around = (a: Rect, b: Rect): Rect => ({
  left: Math.min(a.left, b.left),
  top: Math.min(a.top, b.top),
  right: Math.max(a.right, b.right),
  bottom: Math.max(a.bottom, b.bottom),
});

export const overlap = (a: Rect, b: Rect): boolean =>
  a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

/** Whether all of `a` is in `b`. */
export const isWithin = (a: Rect, b: Rect): boolean =>
  a.left >= b.left && a.top >= b.top && a.right <= b.right && a.bottom <= b.bottom;

/** What of `a` is not in `b`: up to four rectangles. */
export function without(a: Rect, b: Rect): Rect[] {
  if (!overlap(a, b)) return [a];
  const { left, top, right, bottom } = intersect(a, b);
  return [
    { left: a.left, top: a.top, right: a.right, bottom: top },
    { left: a.left, top, right: left, bottom },
    { left: right, top, right: a.right, bottom },
    { left: a.left, top: bottom, right: a.right, bottom: a.bottom },
  ].filter((rect) => !isEmptyRect(rect));
}
