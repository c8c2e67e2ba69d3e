/** One mutant in so many, by its name alone: the same ones on every machine. */
import { hashOf } from '../model/alphabet.ts';

export const sampled = (id: string, every: number): boolean => hashOf(id)[0] % every === 0;
