/**
 * The test card's picture: keeps it in memory and tells a display what has changed, as few pixels as there are. Two pictures
 * of the same state are equal, however they came about. Runs anywhere.
 */

import { Canvas } from './canvas.ts';
import type { ConsoleDisplay, Picture, Rect } from './console.ts';
import { intersect, isEmptyRect, rectAt } from './rect.ts';
import { band, bandArea, type Layer, layersFor } from './test-card-layers.ts';
import type { GuestState } from './test-card-state.ts';

export class TestCardPicture {
  private readonly canvas: Canvas;
  private readonly layers: readonly Layer[];
  /** What is drawn. */
  private state: GuestState;

  constructor(state: GuestState) {
    this.state = structuredClone(state);
    this.canvas = new Canvas(state.width, state.height);
    this.layers = layersFor(state);
    this.paint(this.canvas.bounds);
  }

  /** Whether this picture can become that of `state`. */
  fits({ width, height }: GuestState): boolean {
    return this.canvas.width === width && this.canvas.height === height;
  }

  /** Draws all of it on a display that is black. */
  show(display: ConsoleDisplay): void {
    for (const layer of this.layers) {
      const area = intersect(layer.area(this.state), this.canvas.bounds);
      if (isEmptyRect(area)) continue;
      if (layer.solid !== undefined) display.fill(area, layer.solid);
      else this.send(area, display);
    }
  }

  /** Becomes the picture of `state`, which must fit, and draws what changes. */
  turn(state: GuestState, display: ConsoleDisplay | undefined): void {
    const [before, after] = [this.state, structuredClone(state)];
    this.state = after;
    const changes = this.layers.flatMap((layer) => layer.changes(before, after));
    changes.push(...this.moveBand(before, after, display));
    for (const change of changes) {
      const area = intersect(change, this.canvas.bounds);
      if (isEmptyRect(area)) continue;
      this.paint(area);
      if (display !== undefined) this.send(area, display);
    }
  }

  /** A copy of all pixels. */
  copy(): Picture {
    return { width: this.canvas.width, height: this.canvas.height, pixels: this.canvas.pixels.slice() };
  }

  /** Returns what the shifted band leaves to be painted. */
  private moveBand(before: GuestState, after: GuestState, display: ConsoleDisplay | undefined): Rect[] {
    const shift = (after.ticks - before.ticks) * band.step;
    if (shift === 0) return [];
    const all = bandArea(after);
    const kept = this.canvas.width - shift;
    if (shift < 0 || kept <= 0) return [all];
    const target = rectAt(0, all.top, kept, band.height);
    const from = { x: shift, y: all.top };
    this.canvas.copy(target, from);
    display?.copy(target, from);
    return [{ ...all, left: kept }];
  }

  private paint(area: Rect): void {
    for (const layer of this.layers) layer.paint(this.canvas, this.state, area);
  }

  private send(area: Rect, display: ConsoleDisplay): void {
    const color = this.canvas.onlyColor(area);
    if (color !== undefined) display.fill(area, color);
    else display.draw(area, this.canvas.crop(area));
  }
}
