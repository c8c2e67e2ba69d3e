/**
 * Tells every client's view what was drawn: a few at once, those first whose people did something last, and the others a few at
 * a time, between which whatever has come over the network is handled. A view that is told late is told the same, in the same
 * order; of a very long time it is only told what has become dirty. INVARIANT: no view sends pixels of the screen before it knows
 * of all that was drawn.
 */
import type { Rect } from '../sources/console.ts';
import type { Video } from './motion.ts';
import type { Viewer } from './viewer.ts';

/** Views that are told at once. */
const atOnce = 8;
/** Views that are told between two looks at the network, and the milliseconds that it may take. */
const [perTurn, msPerTurn] = [16, 1];
/** Drawings that are remembered for those who have not been told of them. */
const mostUntold = 64;

export interface Drawing {
  /** What it has changed. */
  readonly areas: readonly Rect[];
  /** It was a frame of this. */
  readonly video?: Video | undefined;
  /** A view that knows of all before it, and may be told of more, hears of it. */
  tell(viewer: Viewer): void;
}

export class FanOut {
  /** Whoever did something last stands first. */
  private order: Viewer[] = [];
  /** Those who have not been told of all, and from where in `untold` on. */
  private readonly waiting = new Map<Viewer, number>();
  private untold: Drawing[] = [];
  private scheduled = false;
  private readonly now: () => number;
  private readonly afterOthers: (run: () => void) => void;
  private readonly onTold: () => void;

  /**
   * `now` in milliseconds; `afterOthers` runs something when all that has come over the network by now was handled; `onTold` is
   * called when all those who were late have been told.
   */
  constructor(now: () => number, afterOthers: (run: () => void) => void, onTold: () => void = () => {}) {
    this.now = now;
    this.afterOthers = afterOthers;
    this.onTold = onTold;
  }

  /** Somebody has not been told yet. */
  get isBehind(): boolean {
    return this.waiting.size > 0;
  }

  add(viewer: Viewer): void {
    this.order.push(viewer);
  }

  remove(viewer: Viewer): void {
    this.order = this.order.filter((one) => one !== viewer);
    this.waiting.delete(viewer);
  }

  /** The person behind it has done something, and waits for what comes of it. */
  favour(viewer: Viewer): void {
    if (this.order[0] === viewer) return;
    this.order = [viewer, ...this.order.filter((one) => one !== viewer)];
  }

  tell(drawing: Drawing): void {
    const { order, waiting } = this;
    if (order.length > atOnce || waiting.size > 0) {
      if (this.untold.length >= mostUntold) this.shorten();
      this.untold.push(drawing);
      const from = this.untold.length - 1;
      for (let i = atOnce; i < order.length; i++) if (!waiting.has(order[i]!)) waiting.set(order[i]!, from);
    }
    for (const viewer of order.length > atOnce ? order.slice(0, atOnce) : order) {
      if (!waiting.has(viewer)) drawing.tell(viewer);
      // It waited until its people did something.
      else this.bring(viewer);
    }
    if (waiting.size > 0) this.schedule();
    else this.untold = [];
  }

  /** A view is about to send of the screen as it is: it has to know of all that is different. */
  catchUp(viewer: Viewer): void {
    const from = this.waiting.get(viewer);
    if (from === undefined) return;
    this.waiting.delete(viewer);
    const { untold } = this;
    viewer.hear(() => {
      for (let i = from; i < untold.length; i++) {
        // Of a film it is shown the last frame only.
        if (untold[i]!.video === undefined || i === untold.length - 1) untold[i]!.tell(viewer);
        else viewer.missed(untold[i]!);
      }
    });
  }

  private bring(viewer: Viewer): void {
    this.catchUp(viewer);
    viewer.flush();
  }

  /** There is another screen: what was drawn does not matter any more. */
  clear(): void {
    this.waiting.clear();
    this.untold = [];
  }

  /** Too much was drawn for it to be told of one by one. */
  private shorten(): void {
    for (const [viewer, from] of this.waiting) {
      for (let i = from; i < this.untold.length; i++) viewer.missed(this.untold[i]!);
      this.waiting.set(viewer, 0);
    }
    this.untold = [];
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    this.afterOthers(() => {
      this.scheduled = false;
      this.goOn();
    });
  }

  private goOn(): void {
    const began = this.now();
    let told = 0;
    for (const viewer of this.waiting.keys()) {
      this.bring(viewer);
      if (++told >= perTurn || this.now() - began >= msPerTurn) break;
    }
    if (this.waiting.size > 0) {
      this.schedule();
      return;
    }
    this.untold = [];
    this.onTold();
  }
}
