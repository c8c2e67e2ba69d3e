/**
 * The event protocol of @statelyai/inspect, both ways: programs that speak it become parties of a hub, and what a hub knows is
 * told to inspectors that speak it. What comes in is a stranger's: every field is checked, and how much there may be is bounded.
 */
import { type ChartDefinition, ChartError, hasStates, parseDefinition } from './chart-definition.ts';
import type { ActorInfo, FeedRecord } from './feed.ts';
import type { Batch, Hello, Hub } from './hub.ts';
import type { RawSnapshot } from './roster.ts';

/** What one program may send. Beyond it, the program's connection is closed. */
export const programLimits = { message: 4 * 1024 * 1024, actors: 2_000, name: 200, backlog: 200 } as const;

/** The version that is told to inspectors: the one whose events these are. */
const version = '0.7.2';

// ---------------------------------------------------------------------------------------- programs that tell us of theirs

/** One connection that may turn out to be a program's. */
export class Program {
  private readonly hub: Hub;
  private readonly party: string;
  private readonly paths = new Map<string, string>();
  private readonly names = new Map<string, number>();
  private known = false;

  /** `party` is an id that no other party has. */
  constructor(hub: Hub, party: string) {
    this.hub = hub;
    this.party = party;
  }

  /** Takes a message in. False means that it is none of the protocol, or too much: close the connection. */
  take(text: string): boolean {
    const event = parse(text, this.hub.now());
    if (event === undefined) return false;
    if (!this.known) {
      this.known = true;
      this.hub.party({ id: this.party, side: 'program', name: this.party, addresses: [] });
    }
    switch (event.type) {
      case '@xstate.actor':
        return this.actor(event);
      case '@xstate.event': {
        const path = this.pathOf(event.sessionId);
        if (path === undefined) return false;
        const { type, ...detail } = event.event;
        const source = event.sourceId === undefined ? undefined : this.paths.get(event.sourceId);
        this.hub.record({
          at: event.at,
          ...(source === undefined ? {} : { source }),
          ...(Object.keys(detail).length === 0 ? {} : { detail }),
          kind: 'event',
          actor: path,
          type: String(type).slice(0, programLimits.name),
        });
        return true;
      }
      case '@xstate.snapshot': {
        const path = this.pathOf(event.sessionId);
        if (path === undefined) return false;
        this.hub.snapshot(path, event.snapshot, String(event.event.type).slice(0, programLimits.name), event.at);
        return true;
      }
    }
  }

  /** The connection is gone. */
  gone(): void {
    if (this.known) this.hub.partyGone(this.party);
  }

  private actor(event: ProgramActor): boolean {
    if (this.paths.size >= programLimits.actors) return false;
    let definition: ChartDefinition | undefined;
    if (event.definition !== undefined) {
      try {
        const parsed = parseDefinition(event.definition);
        if (hasStates(parsed)) definition = parsed;
      } catch (error) {
        if (!(error instanceof ChartError)) throw error;
      }
    }
    const known = this.paths.get(event.sessionId);
    const parent = event.parentId === undefined ? undefined : this.paths.get(event.parentId);
    const path = known ?? `${parent ?? this.party}/${this.free(event.name ?? event.sessionId)}`;
    this.paths.set(event.sessionId, path);
    this.hub.actor(path, definition, event.at);
    this.hub.snapshot(path, event.snapshot, 'xstate.init', event.at);
    return true;
  }

  /** A name that no other actor of the program has; and no slash, which parts a path. */
  private free(name: string): string {
    const clean = name.replaceAll('/', '∕').slice(0, programLimits.name);
    const n = (this.names.get(clean) ?? 0) + 1;
    this.names.set(clean, n);
    return n === 1 ? clean : `${clean}#${n}`;
  }

  /** Events may come for an actor that was never announced: the sender's own backlog is bounded too. */
  private pathOf(sessionId: string): string | undefined {
    const path = this.paths.get(sessionId);
    if (path !== undefined) return path;
    if (this.paths.size >= programLimits.actors) return undefined;
    const fresh = `${this.party}/${this.free(sessionId)}`;
    this.paths.set(sessionId, fresh);
    this.hub.actor(fresh);
    return fresh;
  }
}

interface ProgramBase {
  readonly sessionId: string;
  readonly at: number;
}
interface ProgramActor extends ProgramBase {
  readonly type: '@xstate.actor';
  readonly name: string | undefined;
  readonly parentId: string | undefined;
  readonly definition: string | undefined;
  readonly snapshot: RawSnapshot;
}
interface ProgramEvent extends ProgramBase {
  readonly type: '@xstate.event';
  readonly sourceId: string | undefined;
  readonly event: Readonly<Record<string, unknown>>;
}
interface ProgramSnapshot extends ProgramBase {
  readonly type: '@xstate.snapshot';
  readonly event: Readonly<Record<string, unknown>>;
  readonly snapshot: RawSnapshot;
}

function parse(text: string, now: number): ProgramActor | ProgramEvent | ProgramSnapshot | undefined {
  if (text.length > programLimits.message) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(value)) return undefined;
  const sessionId = word(value.sessionId);
  if (sessionId === undefined) return undefined;
  const time = Number(value.createdAt);
  // A backlog has its own times; a clock that is far off would tear the time axis apart.
  const base = { sessionId, at: time > now - 3_600_000 && time <= now ? time : now };
  const event = isObject(value.event) ? value.event : { type: '' };
  const snapshot = isObject(value.snapshot) ? rawOf(value.snapshot) : { status: 'active' };
  switch (value.type) {
    case '@xstate.actor': {
      const definition = typeof value.definition === 'string' ? value.definition : undefined;
      return {
        ...base,
        type: value.type,
        name: word(value.name),
        parentId: word(value.parentId),
        definition,
        snapshot,
      };
    }
    case '@xstate.event':
      return { ...base, type: value.type, sourceId: word(value.sourceId), event };
    case '@xstate.snapshot':
      return { ...base, type: value.type, event, snapshot };
    default:
      return undefined;
  }
}

const rawOf = (value: Record<string, unknown>): RawSnapshot => ({
  status: typeof value.status === 'string' ? value.status : 'active',
  value: value.value,
  context: value.context,
  tags: value.tags,
  error: value.error,
});

const isObject = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

const word = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value.slice(0, programLimits.name) : undefined;

// ------------------------------------------------------------------------------------ inspectors that we tell of ours

/** An event of the protocol, as @statelyai/inspect's own senders write it. */
export type StatelyEvent = {
  readonly type: '@xstate.actor' | '@xstate.event' | '@xstate.snapshot';
  readonly [key: string]: unknown;
};

/** The present state, as a program tells it when it starts. */
export function statelyHello(hello: Hello): StatelyEvent[] {
  const latest = new Map<string, FeedRecord & { kind: 'snapshot' }>();
  for (const record of hello.records) if (record.kind === 'snapshot') latest.set(record.actor, record);
  return hello.actors.map((actor) => actorEvent(actor, hello.charts, latest.get(actor.id)));
}

/** What happened since. Messages of the wire have no place in the protocol. */
export function statelyBatch(batch: Batch): StatelyEvent[] {
  const started = (batch.actors ?? []).filter((actor) => actor.stoppedAt === undefined);
  return [
    ...started.map((actor) => actorEvent(actor, batch.charts ?? {}, undefined)),
    ...(batch.records ?? []).flatMap((record) => recordEvent(record) ?? []),
  ];
}

function actorEvent(
  actor: ActorInfo,
  charts: Readonly<Record<string, ChartDefinition>>,
  record: (FeedRecord & { kind: 'snapshot' }) | undefined,
): StatelyEvent {
  const definition = actor.chart === undefined ? undefined : charts[actor.chart];
  return {
    type: '@xstate.actor',
    ...common(actor.id, actor.startedAt),
    name: actor.name,
    parentId: actor.parent,
    // In the order in which the chart was written, and whole.
    definition: JSON.stringify(definition ?? { id: actor.name }),
    snapshot: record === undefined ? { status: 'active' } : snapshotOf(record),
  };
}

function recordEvent(record: FeedRecord): StatelyEvent | undefined {
  if (record.kind === 'snapshot') {
    const type = '@xstate.snapshot' as const;
    return { type, ...common(record.actor, record.at), event: { type: record.on }, snapshot: snapshotOf(record) };
  }
  if (record.kind !== 'event') return undefined;
  const detail =
    record.detail !== null && typeof record.detail === 'object' ? record.detail : { detail: record.detail };
  const event = { ...detail, type: record.type };
  return { type: '@xstate.event', ...common(record.actor, record.at), sourceId: record.source, event };
}

const snapshotOf = (record: FeedRecord & { kind: 'snapshot' }) => ({
  status: record.status,
  ...(record.value === undefined ? {} : { value: record.value }),
  context: record.context ?? {},
  ...(record.error === undefined ? {} : { error: record.error }),
});

const common = (id: string, at: number) => ({
  sessionId: id,
  rootId: id.split('/').slice(0, 2).join('/'),
  id: null,
  createdAt: String(Math.round(at)),
  _version: version,
});
