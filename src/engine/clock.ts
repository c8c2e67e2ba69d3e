/** Where the engine takes time and randomness from; everything above is handed them. */
export { type Clock, wallClock } from '../transport/clock.ts';

/** A random u32 that is not 0: connection ids. */
export const randomNonce = (): number => {
  const [word] = crypto.getRandomValues(new Uint32Array(1));
  return word === 0 ? 1 : word!;
};
