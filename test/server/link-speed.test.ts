/** How the speed of a link is found out: by when pings come back, on links of known speed. */
import { describe, expect, it } from 'vitest';
import { LinkSpeed } from '../../src/server/link-speed.ts';

/** A link of so many bits a second that takes `latency` microseconds for a round trip, and what is told of it. */
function over(bitsPerSecond: number, latency: number, portions: number, wasSlow = false): boolean {
  let now = 0;
  let clear = 0;
  const back: number[] = [];
  const speed = new LinkSpeed(() => back.push(Math.max(now, clear) + latency - now, now));
  speed.begin(wasSlow);
  for (let i = 0; i < portions; i++) {
    const bytes = 40_000;
    // A server waits when too much is under way.
    if (((clear - now) * bitsPerSecond) / 8e6 < 1e6) {
      clear = Math.max(now, clear) + (bytes * 8e6) / bitsPerSecond;
      speed.sent(bytes);
    }
    now += 5_000;
    const [trip, at] = back;
    if (trip !== undefined && at! + trip <= now) {
      back.splice(0);
      speed.answered(trip);
    }
  }
  return speed.isSlow;
}

describe('a link', () => {
  it.each([
    ['fast', 100e6, 500, false],
    ['fast and far', 50e6, 120_000, false],
    ['slow', 4e6, 500, true],
    ['slow and far', 6e6, 120_000, true],
  ])('that is %s', (_, bits, latency, isSlow) => {
    expect(over(bits, latency, 2_000)).toBe(isSlow);
  });

  it('that is slow no more', () => {
    expect(over(100e6, 500, 2_000, true)).toBe(false);
  });

  it('is not called slow for one ping that came late', () => {
    let pings = 0;
    const speed = new LinkSpeed(() => pings++);
    speed.begin(false);
    speed.answered(400);
    for (const micros of [900_000, 500, 900_000, 500]) {
      speed.sent(200_000);
      speed.answered(micros);
      expect(speed.isSlow).toBe(false);
    }
    expect(pings).toBe(5);
    for (const micros of [900_000, 900_000]) {
      speed.sent(200_000);
      speed.answered(micros);
    }
    expect(speed.isSlow).toBe(true);
  });
});
