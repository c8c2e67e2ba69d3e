/** What a mutant lives through. The first two look at whole programs, the last one at its chart alone. */
export const stages = ['scenarios', 'model', 'chart tests'] as const;
export type Stage = (typeof stages)[number];

/** Stages in which no chart is looked at by itself. */
export const together: readonly Stage[] = ['scenarios', 'model'];

/** The chart as it is: nothing may kill it. */
export const control = (chart: string): string => `${chart} | as it is`;
