/** What is known of a hand-over: three lanes, what each was doing when, and how it went. Runs anywhere. */

import type { WireRecord } from './feed.ts';

export type LaneName = 'source' | 'client' | 'target';
export const laneNames = ['source', 'client', 'target'] as const;

/** The lanes that something has, from top to bottom. */
export const lanesOf = ({ kind }: Pick<HandOver, 'kind'>): readonly LaneName[] =>
  kind === 'loss' ? ['source', 'client'] : laneNames;

/** What a lane's supervisor was doing, for a time. */
export interface Span {
  readonly from: number;
  /** Undefined while it lasts. */
  to: number | undefined;
  /** The innermost active states, "linking main" or "channels: linked, handshake: asking". */
  readonly label: string;
  readonly seq: number;
  /** It is where the supervisor ended. */
  readonly final: boolean;
}

export interface Deadline {
  readonly lane: LaneName;
  readonly name: string;
  readonly from: number;
  readonly dueAt: number;
  /** When it was called off or ran out. */
  to: number | undefined;
  ran: boolean;
}

export interface Lane {
  party: string | undefined;
  /** Path below which the actors of this session lie. */
  session: string | undefined;
  address: string | undefined;
  /** The actor whose chart leads the hand-over here. */
  supervisor: string | undefined;
  readonly spans: Span[];
}

export interface ChannelMove {
  readonly channel: string;
  /** When the source let it go, and when it went on at the target. */
  leftAt: number | undefined;
  switchedAt: number | undefined;
  /** The last message from the source and the first from the target, among those that are in the feed. */
  lastAt: number | undefined;
  firstAt: number | undefined;
  /** As the client measured it, in milliseconds. */
  gapMs: number | undefined;
}

export type Outcome = 'under way' | 'switched' | 'cancelled' | 'failed' | 'replaced' | 'returned';

/**
 * A move of a guest with its clients; or a `loss`, in which a client looks for the server that it has lost, who then has the
 * source's lane.
 */
export interface HandOver {
  readonly id: string;
  readonly kind: 'move' | 'loss';
  /** Counts the hand-overs of the feed from 1. */
  readonly number: number;
  readonly lanes: Readonly<Record<LaneName, Lane>>;
  /** As it was announced, and what it came down to. */
  readonly announced: string;
  scheme: string;
  outcome: Outcome;
  /** It could not go as announced and was done the old way. */
  fellBack: boolean;
  reason: string | undefined;
  /** A client has told of its begin; before, only charts were seen. */
  told: boolean;
  readonly beganAt: number;
  readonly beganSeq: number;
  linkedAt: number | undefined;
  endedAt: number | undefined;
  /** Nothing more is taken in. */
  closed: boolean;
  gapMs: number | undefined;
  readonly channels: Map<string, ChannelMove>;
  readonly deadlines: Deadline[];
  /** Of a loss: the try that is next or was the last, how many there may be, and whether the session was had back. */
  tries: { count: number; most: number | undefined; nextAt: number | undefined; returned: boolean | undefined };
  readonly wires: WireRecord[];
  lastSeq: number;
}

export function newHandOver(
  number: number,
  at: number,
  seq: number,
  scheme: string,
  kind: HandOver['kind'] = 'move',
): HandOver {
  const lane = (): Lane => ({
    party: undefined,
    session: undefined,
    address: undefined,
    supervisor: undefined,
    spans: [],
  });
  return {
    id: `handover-${seq}`,
    kind,
    number,
    lanes: { source: lane(), client: lane(), target: lane() },
    announced: scheme,
    scheme,
    outcome: 'under way',
    fellBack: false,
    reason: undefined,
    told: false,
    beganAt: at,
    beganSeq: seq,
    linkedAt: undefined,
    endedAt: undefined,
    closed: false,
    gapMs: undefined,
    channels: new Map(),
    deadlines: [],
    tries: { count: 0, most: undefined, nextAt: undefined, returned: undefined },
    wires: [],
    lastSeq: seq,
  };
}

/** What is known of a channel; begins an entry for one that is new. */
export function channelOf(move: HandOver, channel: string): ChannelMove {
  let moved = move.channels.get(channel);
  if (moved === undefined) {
    moved = {
      channel,
      leftAt: undefined,
      switchedAt: undefined,
      lastAt: undefined,
      firstAt: undefined,
      gapMs: undefined,
    };
    move.channels.set(channel, moved);
  }
  return moved;
}

/** Whether an actor belongs to a lane's session. */
export const isIn = (actor: string, lane: Lane): boolean => {
  const path = lane.session ?? lane.party;
  return path !== undefined && (actor === path || actor.startsWith(`${path}/`));
};
