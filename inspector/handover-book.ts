/**
 * Puts hand-overs together from a feed: who let go, who took over, what each of the three did when. Runs anywhere, so that a
 * live page and a journal show the same. It only reads records; where a party is not in the feed, its lane stays empty.
 */
import { leavesOf } from './chart-state.ts';
import type {
  ActorInfo,
  FeedRecord,
  HandoverPhase,
  HandoverRecord,
  Party,
  SnapshotRecord,
  WireRecord,
} from './feed.ts';
import { partyOf } from './feed.ts';
import {
  channelOf,
  type HandOver,
  isIn,
  type Lane,
  type LaneName,
  laneNames,
  newHandOver,
  type Outcome,
} from './handover.ts';
import { LossBook } from './loss-book.ts';

/** Milliseconds after its end in which messages still belong to a hand-over, and before its begin. */
const settle = 400;
const lead = 60;
const mostWires = 3_000;
const mostHandovers = 400;
/** Hand-overs that are kept with all their messages, and how many messages the older ones keep. */
const whole = 60;
const mostOldWires = 300;

export class HandoverBook {
  /** Oldest first. */
  readonly list: HandOver[] = [];
  private readonly parties = new Map<string, Party>();
  private readonly actors = new Map<string, ActorInfo>();
  private readonly connections = new Map<string, number>();
  private open: HandOver[] = [];
  private recent: WireRecord[] = [];
  /** When each client heard each server last on each channel: the source may say nothing more once a move has begun. */
  private readonly lastHeard = new Map<string, Map<string, number>>();
  private count = 0;
  private readonly losses = new LossBook({
    open: () => this.open.filter((one) => one.kind === 'loss'),
    begin: ({ at, seq }) => this.begin(at, seq, 'reconnection', 'loss'),
    end: (move, outcome, at) => this.end(move, outcome, at),
    chartOf: (actor) => this.actors.get(actor)?.chart,
    connectionOf: (actor) => this.connections.get(actor),
    addressOf: (party) => this.parties.get(party)?.addresses[0],
  });

  party(party: Party): void {
    this.parties.set(party.id, party);
  }

  actor(info: ActorInfo): void {
    this.actors.set(info.id, info);
  }

  forget(id: string): void {
    this.actors.delete(id);
    this.connections.delete(id);
    this.parties.delete(id);
    this.lastHeard.delete(id);
  }

  /** Takes the next record; they come in order of their numbers. */
  add(record: FeedRecord): void {
    this.closeOld(record.at);
    switch (record.kind) {
      case 'wire':
        this.wire(record);
        break;
      case 'handover':
        this.news(record);
        break;
      case 'snapshot':
        this.snapshot(record);
        break;
      case 'reconnect':
        this.losses.news(record);
        break;
      case 'timer':
        for (const move of this.open) this.timer(move, record);
        break;
      case 'event':
        if (record.type === 'channel.left' || record.type === 'channel.switched') this.channelNews(record);
        break;
      default:
    }
  }

  // ----------------------------------------------------------------------------------------------- begin and end

  private news(record: HandoverRecord): void {
    const client = partyOf(record.actor);
    if (record.gapMs !== undefined && this.measured(record, client)) return;
    let move = this.open.findLast(
      (m) => m.kind === 'move' && m.lanes.client.party === client && m.outcome !== 'replaced',
    );
    if (record.phase === 'begun' || move === undefined) {
      if (move?.outcome === 'under way' && move.told) this.end(move, 'replaced', record.at);
      move = this.begun(record);
    }
    this.touch(move, record);
    if (record.scheme !== '') move.scheme = record.scheme;
    if (record.reason !== undefined) move.reason = record.reason;
    // Somebody may know better than the announcement where it goes.
    if (move.lanes.target.address !== record.to) {
      move.lanes.target.address = record.to;
      if (move.lanes.target.supervisor === undefined) move.lanes.target.party = this.serverAt(record.to);
    }
    this.gaps(move, record);
    for (const channel of record.channels) channelOf(move, channel);
    this.phase(move, record.phase, record.at);
  }

  /** A switch is told twice: when it is done, and with its gap when the client has measured it. */
  private measured(record: HandoverRecord, client: string): boolean {
    const switched = this.list.findLast((m) => m.kind === 'move' && m.lanes.client.party === client);
    if (switched?.outcome !== 'switched' || switched.gapMs !== undefined) return false;
    this.touch(switched, record);
    this.gaps(switched, record);
    return true;
  }

  private gaps(move: HandOver, record: HandoverRecord): void {
    if (record.gapMs !== undefined) move.gapMs = record.gapMs;
    for (const [channel, gap] of Object.entries(record.gaps ?? {})) channelOf(move, channel).gapMs = gap;
  }

  private begun(record: HandoverRecord): HandOver {
    const client = partyOf(record.actor);
    const connection = this.connections.get(client);
    // The source knows of it first: what is open there without a client is this one.
    const known = this.open.find((m) => !m.told && this.isTheSame(m, client, connection, record));
    const move = known ?? this.begin(record.at, record.seq, record.scheme);
    move.told = true;
    move.lanes.client.party = client;
    // From here on the client tells how it goes.
    Object.assign(move, { fellBack: false, outcome: 'under way', endedAt: undefined });
    move.lanes.client.session = client;
    move.lanes.source.address = record.from;
    move.lanes.target.address = record.to;
    for (const lane of ['source', 'target'] as const) {
      move.lanes[lane].party ??= this.serverAt(move.lanes[lane].address);
    }
    for (const lane of laneNames) this.lookBack(move, lane, record.at);
    for (const [key, at] of this.lastHeard.get(client) ?? []) {
      const [channel = '', peer] = key.split(' ');
      if (peer === record.from) channelOf(move, channel).lastAt ??= at;
    }
    return move;
  }

  /** Whether what charts have shown so far is what this client tells of now. */
  private isTheSame(move: HandOver, client: string, connection: number | undefined, record: HandoverRecord): boolean {
    const { lanes } = move;
    if (move.kind === 'loss') return false;
    if (lanes.client.party !== undefined) return lanes.client.party === client;
    if (!this.agree(connection, move)) return false;
    return this.serves(lanes.source.party, record.from) || this.serves(lanes.target.party, record.to);
  }

  private begin(at: number, seq: number, scheme: string, kind: HandOver['kind'] = 'move'): HandOver {
    const move = newHandOver(++this.count, at, seq, scheme, kind);
    this.list.push(move);
    const oldest = this.list.length > mostHandovers ? this.list.shift() : undefined;
    if (oldest !== undefined) this.open = this.open.filter((one) => one !== oldest);
    this.open.push(move);
    this.thin();
    return move;
  }

  /** Of those long over only the messages are kept that made them. */
  private thin(): void {
    const old = this.list.at(-whole);
    if (old === undefined || old.wires.length <= mostOldWires) return;
    const control = old.wires.filter((wire) => wire.path === 'control').slice(0, mostOldWires);
    old.wires.splice(0, old.wires.length, ...control);
  }

  /** A lane has become known: what it said of the hand-over just before belongs to it. */
  private lookBack(move: HandOver, lane: LaneName, at: number): void {
    const missed = this.recent.filter(
      (w) => w.at >= at - lead && /migrate/.test(w.name) && isIn(w.actor, move.lanes[lane]),
    );
    move.wires.push(...missed.filter((w) => !move.wires.includes(w)));
  }

  private phase(move: HandOver, phase: HandoverPhase, at: number): void {
    if (phase === 'linked') move.linkedAt = at;
    else if (phase === 'relinking') move.linkedAt = undefined;
    else if (phase === 'fell-back') {
      move.fellBack = true;
      move.outcome = 'under way';
      move.endedAt = undefined;
    } else if (phase !== 'begun') this.end(move, phase, at);
  }

  private end(move: HandOver, outcome: Outcome, at: number): void {
    move.outcome = outcome;
    move.endedAt = at;
  }

  private closeOld(now: number): void {
    if (this.open.every((m) => m.endedAt === undefined || now - m.endedAt <= settle)) return;
    this.open = this.open.filter((move) => {
      move.closed = move.endedAt !== undefined && now - move.endedAt > settle;
      return !move.closed;
    });
  }

  // -------------------------------------------------------------------------------------------------- what is done

  private snapshot(record: SnapshotRecord): void {
    const connection = numberIn(record.context, 'connectionId');
    if (connection !== undefined) this.connections.set(record.actor, connection);
    this.losses.snapshot(record);
    const role = roleOf(this.actors.get(record.actor)?.chart);
    if (role === undefined) return;
    const move = this.moveOf(record, role);
    if (move === undefined) return;
    this.touch(move, record);
    const lane = move.lanes[role];
    const label = leavesOf(record.value);
    const last = lane.spans.at(-1);
    if (last?.label !== label || last.final) {
      if (last !== undefined) last.to = record.at;
      lane.spans.push({ from: record.at, to: undefined, label, seq: record.seq, final: record.status !== 'active' });
    }
    if (role === 'source') this.sourceSays(move, label, record);
  }

  /** The hand-over that a supervisor leads; a supervisor that nobody knows yet begins one. */
  private moveOf(record: SnapshotRecord, role: LaneName): HandOver | undefined {
    const known = this.open.findLast((m) => m.lanes[role].supervisor === record.actor && !hasEnded(m.lanes[role]));
    if (known !== undefined) return known;
    if (record.status !== 'active') return undefined;
    const party = partyOf(record.actor);
    const session = record.actor.slice(0, record.actor.lastIndexOf('/'));
    const connection = this.connections.get(session) ?? numberIn(record.context, 'connectionId');
    const fits = (m: HandOver) => {
      const lane = m.lanes[role];
      if (m.kind === 'loss' || lane.supervisor !== undefined || !this.agree(connection, m)) return false;
      if (lane.party !== undefined) return lane.party === party;
      if (role === 'client') return this.serves(m.lanes.source.party, addressIn(record.context, 'from'));
      return lane.address === undefined || this.serves(party, lane.address);
    };
    // A target waits for a client that may come long after its links; a source begins at once.
    const move = this.open.findLast(fits) ?? this.begin(record.at, record.seq, textIn(record.context, 'scheme') ?? '');
    Object.assign(move.lanes[role], { party, session, supervisor: record.actor });
    this.lookBack(move, role, record.at);
    if (role === 'source') move.lanes.source.address ??= this.parties.get(party)?.addresses[0];
    if (role === 'target') move.lanes.target.address ??= this.parties.get(party)?.addresses[0];
    return move;
  }

  /** Without a client in the feed, the source's chart tells how it went. */
  private sourceSays(move: HandOver, label: string, record: SnapshotRecord): void {
    if (move.lanes.client.party !== undefined) return;
    move.scheme = textIn(record.context, 'scheme') ?? move.scheme;
    if (label === 'linked') move.linkedAt = record.at;
    else if (label === 'not linked') move.fellBack = move.announced !== 'switch-host';
    else if (label === 'departed') this.end(move, 'switched', record.at);
    else if (label === 'stayed') this.end(move, 'cancelled', record.at);
    else if (label === 'overdue') this.end(move, 'failed', record.at);
  }

  private timer(move: HandOver, record: FeedRecord & { kind: 'timer' }): void {
    const lane = laneNames.find((name) => {
      const { supervisor } = move.lanes[name];
      return supervisor !== undefined && record.actor === supervisor;
    });
    if (lane === undefined) return;
    this.touch(move, record);
    const running = move.deadlines.findLast((d) => d.lane === lane && d.name === record.name && d.to === undefined);
    if (running !== undefined) {
      running.to = record.at;
      running.ran = record.state === 'fired';
    }
    if (record.state === 'set' && record.dueAt !== undefined) {
      const { name, at, dueAt } = record;
      move.deadlines.push({ lane, name, from: at, dueAt, to: undefined, ran: false });
    }
  }

  private channelNews(record: FeedRecord & { kind: 'event' }): void {
    const move = this.open.findLast((m) => m.lanes.client.supervisor === record.actor);
    const channel = textIn(record.detail, 'channel');
    if (move === undefined || channel === undefined) return;
    this.touch(move, record);
    const moved = channelOf(move, channel);
    if (record.type === 'channel.left') moved.leftAt ??= record.at;
    else moved.switchedAt ??= record.at;
  }

  private wire(record: WireRecord): void {
    this.recent.push(record);
    this.noteHeard(record);
    if (this.recent.length > 400) this.recent.splice(0, 200);
    for (const move of this.open) {
      const lane = laneNames.find((name) => isIn(record.actor, move.lanes[name]));
      if (lane === undefined) continue;
      this.touch(move, record);
      if (record.direction === 'in' && lane === 'client') this.heard(move, record);
      if (move.wires.length < mostWires && (record.path === 'control' || move.wires.length < mostWires / 2)) {
        move.wires.push(record);
      }
    }
  }

  private noteHeard({ actor, direction, channel, peer, at }: WireRecord): void {
    const party = partyOf(actor);
    if (direction !== 'in' || this.parties.get(party)?.side !== 'client') return;
    let heard = this.lastHeard.get(party);
    if (heard === undefined) {
      heard = new Map();
      this.lastHeard.set(party, heard);
    }
    heard.set(`${channel} ${peer}`, at);
  }

  /** The client heard a message: the source's last one before the target's first, or that one. */
  private heard(move: HandOver, record: WireRecord): void {
    // What the target says while it is asked whether it can be seamless is no part of what the client shows.
    if (/migrate_dst_seamless/.test(record.name)) return;
    const moved = channelOf(move, record.channel);
    if (record.peer === move.lanes.target.address) moved.firstAt ??= record.at;
    else if (record.peer === move.lanes.source.address && moved.firstAt === undefined) moved.lastAt = record.at;
  }

  // ------------------------------------------------------------------------------------------------------ who is who

  private touch(move: HandOver, record: FeedRecord): void {
    move.lastSeq = record.seq;
  }

  private serverAt(address: string | undefined): string | undefined {
    if (address === undefined) return undefined;
    const servers = [...this.parties.values()].filter((party) => party.side === 'server' && !party.gone);
    return servers.findLast((party) => this.serves(party.id, address))?.id;
  }

  private serves(party: string | undefined, address: string | undefined): boolean {
    if (party === undefined || address === undefined) return false;
    return this.parties.get(party)?.addresses.some((own) => sameAddress(own, address)) ?? false;
  }

  /** Sessions are known by their connection ids where both sides told theirs. */
  private agree(connection: number | undefined, move: HandOver): boolean {
    if (connection === undefined || connection === 0) return true;
    return laneNames.every((name) => {
      const { session } = move.lanes[name];
      const other = session === undefined ? undefined : this.connections.get(session);
      return other === undefined || other === 0 || other === connection;
    });
  }
}

/** A server that listens everywhere is reached by any name; and loopback has several. */
function sameAddress(own: string, address: string): boolean {
  if (own === address) return true;
  const [host, port] = partsOf(own);
  const [other, otherPort] = partsOf(address);
  return port === otherPort && (everywhere.test(host) || (loopback.test(host) && loopback.test(other)));
}

const everywhere = /^(0\.0\.0\.0|::|\[::\]|\*)$/;
const loopback = /^(localhost|127\.\d+\.\d+\.\d+|::1|\[::1\])$/;
const partsOf = (address: string): readonly [string, string] => {
  const colon = address.lastIndexOf(':');
  return [address.slice(0, colon), address.slice(colon + 1)];
};

const hasEnded = (lane: Lane): boolean => lane.spans.at(-1)?.final ?? false;

function roleOf(chart: string | undefined): LaneName | undefined {
  const [family, role] = chart?.split('/') ?? [];
  return family === 'migration' ? laneNames.find((name) => name === role) : undefined;
}

const numberIn = (value: unknown, key: string): number | undefined => {
  const found = memberOf(value, key);
  return typeof found === 'number' ? found : undefined;
};
/** "host:port" of a destination in a context. */
function addressIn(value: unknown, key: string): string | undefined {
  const found = memberOf(value, key);
  const host = textIn(found, 'host');
  const port = numberIn(found, 'port') ?? numberIn(found, 'tlsPort');
  return host === undefined ? undefined : `${host}:${port ?? '-'}`;
}

const textIn = (value: unknown, key: string): string | undefined => {
  const found = memberOf(value, key);
  return typeof found === 'string' ? found : undefined;
};
const memberOf = (value: unknown, key: string): unknown =>
  value !== null && typeof value === 'object' && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined;
