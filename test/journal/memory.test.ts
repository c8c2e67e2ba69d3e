/** The store in memory keeps the promises of every store, which others are held to as well. */
import { describe } from 'vitest';
import { MemoryStore } from '../../src/journal/memory-store.ts';
import { storeContract } from './contract.ts';

describe('in memory', () => {
  storeContract(async () => {
    const store = new MemoryStore(() => Date.now());
    return { store, again: async () => store, dispose: async () => {} };
  });
});
