/** Where the engine takes time and randomness from; everything above is handed them. */
import type { Clock } from '../transport/clock.ts';

export { type Clock, wallClock } from '../transport/clock.ts';

/** The same clock, ahead by `ms` milliseconds: one that goes on where another program's stood. */
export const aheadBy = (ms: number, clock: Clock): Clock =>
  ms === 0
    ? clock
    : {
        now: () => clock.now() + ms,
        setTimeout: (fn, wait) => clock.setTimeout(fn, wait),
        clearTimeout: (id) => clock.clearTimeout(id),
      };

/** Runs `fn` when all that has come over the network by now was handled. Only in Node. */
export const afterOthers = (fn: () => void): void => {
  setImmediate(fn);
};

/** Milliseconds since 1970, for what people set by the calendar: the expiry of a password. */
export const calendarNow = (): number => Date.now();

export const randomUuid = (): string => crypto.randomUUID();

/** From 0 up to 1: what keeps those apart who were lost at once. */
export const randomFraction = (): number => Math.random();

/** A random u32 that is not 0: connection ids. */
export const randomNonce = (): number => {
  const [word] = crypto.getRandomValues(new Uint32Array(1));
  return word === 0 ? 1 : word!;
};
