/** Where the engine takes time and randomness from; everything above is handed them. */
export { type Clock, wallClock } from '../transport/clock.ts';

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
