/** How much a hub keeps and tells: of a live program, and of a journal, which is there as a whole. */
import type { StoreLimits } from './record-store.ts';

export interface HubLimits extends StoreLimits {
  /** Actors that have stopped and are still shown. */
  readonly stopped: number;
  /** Parties that are gone and are still shown. */
  readonly gone: number;
  /** Snapshots of one actor that are recorded at once; and how many more a second. */
  readonly snapshotBurst: number;
  readonly snapshotRate: number;
  /** Data messages of one channel that are recorded, per second, while somebody looks and while nobody does. */
  readonly messageRate: number;
  readonly idleMessageRate: number;
  /** Records that are sent at once. Small, because nothing else of the process runs meanwhile. */
  readonly chunk: number;
}

export const hubLimits: HubLimits = {
  records: 20_000,
  messages: 4_000,
  bytes: 16 * 1024 * 1024,
  body: 4_096,
  stopped: 400,
  gone: 8,
  snapshotBurst: 40,
  snapshotRate: 20,
  messageRate: 20,
  idleMessageRate: 2,
  chunk: 1_500,
};

/** A journal is there as a whole, and nobody waits for what reads it. */
export const journalLimits: Partial<HubLimits> = {
  records: 400_000,
  messages: 400_000,
  bytes: 128 * 1024 * 1024,
  stopped: 20_000,
  gone: 1_000,
  chunk: 10_000,
};
