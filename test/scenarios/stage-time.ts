/** Chance and the calendar, as scenarios have them: always the same. */

/** A day on which nothing expires by itself. */
let today = 1_700_000_000_000;

/** Milliseconds since 1970, as passwords have it. */
export const calendarDate = (): number => today;

/** From now on; returns what puts everything back. */
export function calendar(): () => void {
  const { random } = Math;
  const { now } = Date;
  const start = today;
  Math.random = () => 0.5;
  Date.now = () => today;
  return () => {
    Math.random = random;
    Date.now = now;
    today = start;
  };
}

export const sleepOver = (ms: number): void => {
  today += ms;
};
