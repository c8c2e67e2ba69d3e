/** A channel's address in a session, "display:0", and its number and id. */
import { SumacError } from '../errors.ts';
import { ChannelType } from './constants.ts';

/** The word of an address: "display" of "display:0". */
export const addressWord = (address: string): string => address.slice(0, address.indexOf(':'));

/** Throws SumacError for a word that names no channel. */
export function addressParts(address: string): { type: number; id: number } {
  const word = addressWord(address);
  const type = (ChannelType as Record<string, number>)[word];
  const id = Number(address.slice(word.length + 1));
  if (type === undefined || !Number.isInteger(id)) throw new SumacError('address', `${address} names no channel`);
  return { type, id };
}
