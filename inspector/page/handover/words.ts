/** How a hand-over reads: its outcome in a sentence, and the tone of what a lane was doing. */

import type { HandOver, LaneName } from '../../handover.ts';
import { gapOf } from '../../handover-arrows.ts';
import type { FeedStore } from '../feed-store.ts';
import { duration } from '../format.ts';

export type Tone = 'waiting' | 'working' | 'ready' | 'moving' | 'good' | 'bad' | 'given-up';

const tones: readonly (readonly [RegExp, Tone])[] = [
  [/refused|fail|lost|cancel|stayed|abandon|overdue|afresh|not linked|sending away|error|^closed$|^over$/, 'bad'],
  [/switched|arrived|departed|overtaken|^back$/, 'good'],
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
  returned: 'back',
};

/** What a lane is called: a client that looks for its server has no source. */
export const laneWord = ({ kind }: Pick<HandOver, 'kind'>, lane: LaneName): string =>
  kind === 'loss' && lane === 'source' ? 'server' : lane;

/** What it is, in two words. */
export const schemeWords = ({ kind, scheme }: Pick<HandOver, 'kind' | 'scheme'>): string =>
  kind === 'loss' ? 'connection lost' : scheme || 'hand-over';

export const outcomeSigns: Record<HandOver['outcome'], string> = {
  'under way': '…',
  switched: '✓',
  cancelled: '⤺',
  failed: '✕',
  replaced: '»',
  returned: '↺',
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
  if (move.kind === 'loss') return lossSentence(move, took, now);
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
    case 'returned':
    case 'replaced':
      return `Replaced by a newer announcement after ${took}.`;
  }
}

function lossSentence(move: HandOver, took: string, now: number): string {
  const { count, most, nextAt, returned } = move.tries;
  const tries = count === 1 ? '1 try' : `${count} tries`;
  switch (move.outcome) {
    case 'returned': {
      const how = returned === undefined ? '' : returned ? ', with the session that it had' : ', with a new session';
      return `The client was back ${took} after it had lost its server${count === 0 ? '' : `, after ${tries}`}${how}.`;
    }
    case 'failed':
      return `Given up after ${took}${count === 0 ? '' : ` and ${tries}`}${why(move)}.`;
    default: {
      const next = nextAt === undefined || nextAt < now ? ' is under way' : ` is in ${duration(nextAt - now)}`;
      const trying = count === 0 ? '' : ` Try ${count}${most === undefined ? '' : ` of ${most}`}${next}.`;
      return `The client lost its server ${took} ago${why(move)}.${trying}`;
    }
  }
}

const gapWords = (ms: number): string =>
  ms < 0.005
    ? ', without a gap: the target spoke before the source fell silent'
    : `; ${duration(ms)} between the source's last message and the target's first`;

const why = (move: HandOver): string => (move.reason === undefined ? '' : `: ${move.reason}`);
