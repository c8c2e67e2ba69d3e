/** Mutants that live, each with why it may. A mutant that is killed after all may stay here; one that is not here may not live. */
export interface Survivor {
  readonly mutant: string | RegExp;
  readonly why: string;
}

export const survivors: readonly Survivor[] = [];

/** Why it may live, if it may. */
export const known = (id: string): string | undefined =>
  survivors.find(({ mutant }) => (typeof mutant === 'string' ? mutant === id : mutant.test(id)))?.why;

export const isKnown = (id: string): boolean => known(id) !== undefined;
