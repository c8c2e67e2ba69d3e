/** What a mutant lives through, the cheapest first. */
export const stages = ['chart tests', 'hand-overs', 'model'] as const;
export type Stage = (typeof stages)[number];

/** The chart as it is: nothing may kill it. */
export const control = (chart: string): string => `${chart} | as it is`;
