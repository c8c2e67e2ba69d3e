/**
 * Measures how long nothing was heard during a hand-over: from the last message that was handled from the source to the first
 * from the target, for each channel and over all of them.
 */
import type { Handled } from '../engine/system.ts';

export interface Gap {
  /** Milliseconds over all channels; 0 when the target was heard before the source fell silent. */
  readonly gapMs: number;
  /** Milliseconds for each channel that has heard the target. */
  readonly gaps: Readonly<Record<string, number>>;
}

export class GapWatch {
  private readonly last = new Map<string, { link: string; at: number }>();
  private readonly crossed = new Map<string, { left: number; arrived: number }>();

  /** A hand-over begins: what was measured before does not count. */
  begin(): void {
    this.crossed.clear();
  }

  note({ channel, link, at }: Handled): void {
    const before = this.last.get(channel);
    if (before !== undefined && before.link !== link) this.crossed.set(channel, { left: before.at, arrived: at });
    this.last.set(channel, { link, at });
  }

  /** Whether the target was heard on each of these channels. */
  complete(channels: readonly string[]): boolean {
    return channels.every((channel) => this.crossed.has(channel));
  }

  /** Undefined while the target was heard on no channel. */
  get measured(): Gap | undefined {
    if (this.crossed.size === 0) return undefined;
    const times = [...this.crossed.values()];
    const left = Math.max(...times.map((t) => t.left));
    const arrived = Math.min(...times.map((t) => t.arrived));
    return {
      gapMs: round(Math.max(0, arrived - left)),
      gaps: Object.fromEntries([...this.crossed].map(([channel, t]) => [channel, round(t.arrived - t.left)])),
    };
  }
}

const round = (ms: number) => Math.round(ms * 1000) / 1000;
