/** Mutants that live, each with why it may. A mutant that is killed after all may stay here; one that is not here may not live. */
export interface Survivor {
  readonly mutant: string | RegExp;
  readonly why: string;
}

export const survivors: readonly Survivor[] = [
  {
    mutant: 'supervisor | drop transition | root on "*"',
    why: 'a second lock on the door: each word that XState would end a chart for is heard by a region already',
  },
];

/** Why it may live, if it may. */
export const known = (id: string): string | undefined =>
  survivors.find(({ mutant }) => (typeof mutant === 'string' ? mutant === id : mutant.test(id)))?.why;

export const isKnown = (id: string): boolean => known(id) !== undefined;
