/**
 * Finds the regions of a screen that move like a video: drawn again and again, at the same place, many times a second. Knows
 * nothing of clients. INVARIANT: no two of its videos overlap, and whatever else is drawn where one is shown ends it.
 */
import type { Clock } from '../engine/clock.ts';
import type { Rect } from '../sources/console.ts';
import { areaOf, overlap, sameRect } from '../sources/rect.ts';

/** The words of libspice-server's `streaming-video`. */
export const streamingVideos = ['off', 'filter', 'all'] as const;
export type StreamingVideo = (typeof streamingVideos)[number];

export interface Video {
  /** 0 to `mostVideos` - 1. */
  readonly id: number;
  readonly area: Rect;
}

/** Pictures in a row, at the same place, that make a video. */
const framesToBegin = 20;
/** Milliseconds from one of them to the next. */
const longestPause = 250;
/** Milliseconds without a picture after which a video is over. */
const patience = 600;
const leastArea = 96 * 96;
const mostVideos = 8;
const mostCandidates = 32;

interface Candidate {
  readonly area: Rect;
  frames: number;
  natural: number;
  last: number;
}

interface Running extends Video {
  last: number;
}

export class Motion {
  private readonly mode: StreamingVideo;
  private readonly clock: Clock;
  private readonly over: (video: Video) => void;
  private candidates: Candidate[] = [];
  private running: Running[] = [];
  private timer: unknown;

  /** `over` is called for each video that has come to rest. */
  constructor(mode: StreamingVideo, clock: Clock, over: (video: Video) => void) {
    this.mode = mode;
    this.clock = clock;
    this.over = over;
  }

  /**
   * A picture is about to be drawn. Returns the video that it belongs to, and those that it ends. `natural` tells whether it
   * looks taken: what is not may be text that scrolls, and is not to be smeared.
   */
  drawn(area: Rect, natural: () => boolean): { readonly video?: Video; readonly ended: readonly Video[] } {
    if (this.mode === 'off') return { ended: [] };
    const now = this.clock.now();
    const own = this.running.find((one) => sameRect(one.area, area));
    if (own !== undefined) {
      own.last = now;
      return { video: own, ended: [] };
    }
    const ended = this.disturbed(area);
    if (areaOf(area) < leastArea) return { ended };
    const candidate = this.candidate(area, now);
    candidate.frames++;
    candidate.last = now;
    if (this.mode === 'filter' && candidate.frames > framesToBegin >> 1 && natural()) candidate.natural++;
    const moves = candidate.frames >= framesToBegin;
    const suits = this.mode === 'all' || candidate.natural > framesToBegin >> 2;
    if (!moves || !suits || this.running.length >= mostVideos) return { ended };
    this.candidates = this.candidates.filter((one) => one !== candidate);
    const taken = new Set(this.running.map(({ id }) => id));
    const id = Array.from({ length: mostVideos }, (_, i) => i).find((i) => !taken.has(i))!;
    const video: Running = { id, area, last: now };
    this.running.push(video);
    this.watch();
    return { video, ended };
  }

  /** Something else is drawn there, or taken from there. Returns the videos that this ends. */
  disturbed(area: Rect): readonly Video[] {
    const ended = this.running.filter((one) => overlap(one.area, area));
    if (ended.length > 0) this.running = this.running.filter((one) => !ended.includes(one));
    return ended;
  }

  /** All videos end, without a word: the screen is another one. */
  clear(): void {
    this.running = [];
    this.candidates = [];
    this.clock.clearTimeout(this.timer);
    this.timer = undefined;
  }

  private candidate(area: Rect, now: number): Candidate {
    this.candidates = this.candidates.filter(({ last }) => now - last <= longestPause);
    const found = this.candidates.find((one) => sameRect(one.area, area));
    if (found !== undefined) return found;
    const candidate = { area, frames: 0, natural: 0, last: now };
    this.candidates.push(candidate);
    if (this.candidates.length > mostCandidates) this.candidates.shift();
    return candidate;
  }

  private watch(): void {
    if (this.timer !== undefined) return;
    this.timer = this.clock.setTimeout(() => {
      this.timer = undefined;
      const now = this.clock.now();
      const rest = this.running.filter(({ last }) => now - last >= patience);
      this.running = this.running.filter((one) => !rest.includes(one));
      for (const video of rest) this.over(video);
      if (this.running.length > 0) this.watch();
    }, patience / 2);
  }
}
