/** How a hand-over reads: its outcome in a sentence, and the tone of what a lane was doing. */

import type { HandOver, LaneName } from '../../handover.ts';
import { gapOf } from '../../handover-arrows.ts';
import type { FeedStore } from '../feed-store.ts';
import { duration } from '../format.ts';

export type Tone = 'waiting' | 'working' | 'ready' | 'moving' | 'good' | 'bad' | 'given-up';

const tones: readonly (readonly [RegExp, Tone])[] = [
  [/refused|fail|lost|cancel|stayed|abandon|overdue|afresh|not linked|sending away|error/, 'bad'],
  [/switched|arrived|departed|overtaken/, 'good'],
  [/switching|letting go|departing|holding|migrate data|leaving|handing/, 'moving'],
  [/linking|asking|resolving|awaiting|announcing|linked, handshake|arriving/, 'working'],
  [/linked|parked|ready/, 'ready'],
];

/** A client that stays because the move was cancelled is no failure, and one that is not to link ahead lacks no link. */
export function toneOf(label: string, { outcome, scheme }: Pick<HandOver, 'outcome' | 'scheme'>): Tone {
  if (scheme === 'switch-host' && label === 'not linked') return 'waiting';
  const tone = tones.find(([words]) => words.test(label))?.[1] ?? 'waiting';
  return tone === 'bad' && outcome === 'cancelled' ? 'given-up' : tone;
}

export const outcomeWords: Record<HandOver['outcome'], string> = {
  'under way': 'under way',
  switched: 'switched',
  cancelled: 'cancelled',
  failed: 'failed',
  replaced: 'replaced',
};

export const outcomeSigns: Record<HandOver['outcome'], string> = {
  'under way': '…',
  switched: '✓',
  cancelled: '⤺',
  failed: '✕',
  replaced: '»',
};

export const laneTitle = (store: FeedStore, move: HandOver, lane: LaneName): string => {
  const { party, address } = move.lanes[lane];
  const name = party === undefined ? undefined : store.parties.get(party)?.name;
  return (
    name ?? (party === undefined ? (lane === 'client' ? 'not in this feed' : (address ?? 'not in this feed')) : party)
  );
};

/** "Switched 146 ms after it began; nothing was shown for 5.7 ms." */
export function sentence(move: HandOver, now: number): string {
  const took = duration((move.endedAt ?? now) - move.beganAt);
  const gap = gapOf(move);
  switch (move.outcome) {
    case 'under way':
      return move.linkedAt === undefined
        ? `The client has been linking to the target for ${took}.`
        : `The client is linked to the target and waits for the guest, ${took} after it began.`;
    case 'switched': {
      const how = move.fellBack ? 'Done the old way' : 'Switched';
      return `${how} ${took} after it began${gap === undefined ? '' : gapWords(gap.ms)}.`;
    }
    case 'cancelled':
      return `Cancelled after ${took}: the client stays at the source${why(move)}.`;
    case 'failed':
      return `Failed after ${took}${why(move)}. The client stays at the source.`;
    case 'replaced':
      return `Replaced by a newer announcement after ${took}.`;
  }
}

const gapWords = (ms: number): string =>
  ms < 0.005
    ? ', without a gap: the target spoke before the source fell silent'
    : `; ${duration(ms)} between the source's last message and the target's first`;

const why = (move: HandOver): string => (move.reason === undefined ? '' : `: ${move.reason}`);
