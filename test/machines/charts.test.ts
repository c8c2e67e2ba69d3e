/** What holds for every chart: it is data, its names are all there and all used, and no order of events breaks it. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AnyEventObject, AnyStateMachine } from 'xstate';
import type { Scheme } from '../../machines/contract.ts';
import { type ChartName, charts } from '../../machines/index.ts';
import { given, type Happening, type Story } from '../support/given.ts';
import { agreedOn } from './words.ts';

const all = Object.entries(charts) as [ChartName, AnyStateMachine][];

// ------------------------------------------------------------------------------------------------ charts are data

type Kind = 'actions' | 'guards' | 'delays' | 'actors';
type Names = Record<Kind, Set<string>>;

/** Places where a chart may hold a function: they make values for what is named beside them. */
const mappers = new Set(['params', 'input', 'output', 'context']);

/** Collects names, and a complaint for everything that is neither a name nor plain data. */
function read(chart: AnyStateMachine): { names: Names; complaints: string[] } {
  const names: Names = { actions: new Set(), guards: new Set(), delays: new Set(), actors: new Set() };
  const complaints: string[] = [];
  const note = (kind: Kind, value: unknown, path: string): void => {
    const name = typeof value === 'string' ? value : (value as { type?: unknown } | null)?.type;
    if (typeof name === 'string') names[kind].add(name);
    else complaints.push(`${path} is no name`);
  };
  const visit = (value: unknown, path: string, key: string): void => {
    if (typeof value === 'function') {
      if (!mappers.has(key)) complaints.push(`${path} is a function`);
      return;
    }
    if (typeof value !== 'object' || value === null) return;
    if (Array.isArray(value)) {
      for (const [index, item] of value.entries()) visit(item, `${path}[${index}]`, key);
      return;
    }
    if (![Object.prototype, null].includes(Object.getPrototypeOf(value))) complaints.push(`${path} is no plain object`);
    for (const [part, inner] of Object.entries(value)) {
      const here = `${path}.${part}`;
      // The keys of these are names of the chart's own.
      if (key === 'on' || key === 'states' || key === 'after') {
        if (key === 'after') note('delays', part, here);
        visit(inner, here, '');
        continue;
      }
      if (part === 'actions' || part === 'entry' || part === 'exit') {
        for (const action of [inner].flat()) note('actions', action, here);
      }
      if (part === 'guard') note('guards', inner, here);
      if (part === 'src') note('actors', inner, here);
      visit(inner, here, part);
    }
  };
  visit(chart.config, chart.id, '');
  return { names, complaints };
}

/** Charts that are set up together share what they are set up with; a name of it need not be used by each of them. */
const channels = all.filter(([name]) => /^(main|display|inputs|cursor|playback|record)\//.test(name));
const declared = (chart: AnyStateMachine, kind: Kind): string[] => Object.keys(chart.implementations[kind]);
const shared = (kind: Kind): string[] =>
  declared(channels[0]![1], kind).filter((name) => channels.every(([, chart]) => declared(chart, kind).includes(name)));

/** Names that only actions use: delays of their own raising, and actors that they spawn. */
const usedByActions: Readonly<Record<string, readonly string[]>> = {
  supervisor: ['guest deadline', 'link', 'session'],
  'session/client': [
    'relink delay',
    'steady time',
    'word deadline',
    'link',
    'main',
    'display',
    'inputs',
    'cursor',
    'playback',
    'record',
  ],
  'session/server': ['main', 'display', 'inputs', 'cursor', 'playback', 'record'],
  'migration/client': ['late deadline', 'link', 'handshake'],
};

describe.each(all)('%s', (name, chart) => {
  const { names, complaints } = read(chart);

  test('goes by its own name', () => expect(chart.id).toBe(name));

  test('is plain data: actions, guards, delays and actors are names', () => expect(complaints).toEqual([]));

  test.each(['actions', 'guards', 'delays', 'actors'] as const)(
    'declares the %s that it names, and names those that it declares',
    (kind) => {
      const own = declared(chart, kind);
      expect([...names[kind]].filter((used) => !own.includes(used))).toEqual([]);
      const excused = [
        ...(usedByActions[name] ?? []),
        ...(channels.some(([channel]) => channel === name) ? shared(kind) : []),
      ];
      expect(own.filter((one) => !names[kind].has(one) && !excused.includes(one))).toEqual([]);
    },
  );

  test('can come into each of its states', () => {
    const reached = new Set<any>();
    const queue = [chart.root];
    const enter = (node: any): void => {
      for (let up = node; up !== undefined; up = up.parent) queue.push(up);
    };
    while (queue.length > 0) {
      const node: any = queue.pop();
      if (reached.has(node)) continue;
      reached.add(node);
      if (node.type === 'compound') for (const target of node.initial.target) enter(target);
      if (node.type === 'parallel') for (const child of Object.values(node.states)) enter(child);
      for (const transition of [...[...node.transitions.values()].flat(), ...(node.always ?? [])] as any[]) {
        for (const target of transition.target ?? []) enter(target);
      }
    }
    const unreached: string[] = [];
    const visit = (node: any): void => {
      if (!reached.has(node)) unreached.push(node.id);
      for (const child of Object.values(node.states)) visit(child);
    };
    visit(chart.root);
    expect(unreached).toEqual([]);
  });
});

test('no two charts have one name', () => {
  expect(new Set(all.map(([, chart]) => chart.id)).size).toBe(all.length);
});

test.each(['actions', 'guards', 'delays', 'actors'] as const)(
  'some channel uses each of the %s that all share',
  (kind) => {
    const used = new Set(channels.flatMap(([, chart]) => [...read(chart).names[kind]]));
    expect(shared(kind).filter((name) => !used.has(name))).toEqual([]);
  },
);

test('what is said to be used by actions is declared', () => {
  for (const [name, excused] of Object.entries(usedByActions)) {
    const chart = charts[name as ChartName] as AnyStateMachine;
    const own = [...declared(chart, 'delays'), ...declared(chart, 'actors')];
    expect(excused.filter((one) => !own.includes(one))).toEqual([]);
  }
});

// --------------------------------------------------------------------------------------------- no order breaks one

const addresses = ['main:0', 'display:0', 'display:1', 'inputs:0', 'cursor:0', 'playback:0', 'record:0'];
const schemes: Scheme[] = ['seamless', 'early-link', 'semi-seamless', 'switch-host'];
const destination = { host: 'there', port: 5900 };

const inputs: Record<ChartName, unknown> = {
  supervisor: { offered: addresses.slice(1), schemes, mostSessions: 3, returnMs: 60_000 },
  'session/client': {
    destination,
    wanted: ['display', 'inputs', 'cursor'],
    schemes,
    reconnect: { tries: 3, firstMs: 100, mostMs: 300, forMs: 5_000, atStart: true },
  },
  'session/server': {
    session: 'session:1',
    connectionId: 7,
    offered: addresses.slice(1),
    schemes,
    arriving: false,
    returnMs: 60_000,
    main: { link: 'link:1', agreed: agreedOn([0xc000000f]) },
  },
  'link/client': { link: 'link:1', channel: 'main:0', connectionId: 0, destination },
  'link/server': { link: 'link:1', nonce: 5 },
  ...(Object.fromEntries(channels.map(([name]) => [name, { channel: `${name.split('/')[0]}:0` }])) as any),
  'migration/client': {
    attempt: 1,
    scheme: 'seamless',
    srcVersion: 1,
    from: destination,
    destination,
    connectionId: 7,
    channels: addresses.slice(0, 4),
    left: [],
  },
  'migration/handshake': { link: 'link:1', agreed: agreedOn(), srcVersion: 1 },
  'migration/source': { destination, scheme: 'seamless', gone: false, earlyLink: false, answersOwed: 1 },
  'migration/target': { seamless: true, earlyLink: true },
  'migration/hypervisor': undefined,
};

/** Every kind of event that a chart names anywhere. */
const heard = (chart: AnyStateMachine): Set<string> => {
  const types = new Set<string>();
  const visit = (node: any): void => {
    for (const type of node.transitions.keys()) types.add(type);
    for (const child of Object.values(node.states)) visit(child);
  };
  visit(chart.root);
  return types;
};

/** What may be said to a chart, without XState's own words. */
const vocabulary = (chart: AnyStateMachine): string[] =>
  [...heard(chart)]
    .filter((type) => type !== '*' && !type.startsWith('xstate.'))
    .map((type) => type.replace(/\*$/, 'nothing_of_the_kind'));

/** All fields that any event has, each with a value that it may have. */
const fields = fc.record({
  link: fc.constantFrom('link:1', 'link:2', 'link:main:0@1', 'link:display:0@2'),
  channel: fc.constantFrom(...addresses),
  session: fc.constantFrom('session:1', 'session:2', 'session:3'),
  agreed: fc.constantFrom(agreedOn(), agreedOn([0x8000000f]), agreedOn([0xe000000f])),
  beginning: fc.constantFrom('fresh', 'arrived', 'migrate data'),
  scheme: fc.constantFrom(...schemes),
  reason: fc.constant('some reason'),
  code: fc.constantFrom(undefined, 0, 7, 8),
  lost: fc.constantFrom(undefined, true),
  tries: fc.constantFrom(1, 2),
  error: fc.constantFrom(0, 5, 7),
  mechanism: fc.constantFrom(1, 2),
  connectionId: fc.constantFrom(0, 5, 7),
  nonce: fc.constantFrom(5, 6),
  linked: fc.boolean(),
  completed: fc.boolean(),
  outcome: fc.constantFrom('departed', 'overdue', 'stayed'),
  destination: fc.constant(destination),
  uri: fc.constant('tcp:there:1'),
  pubKey: fc.constant(new Uint8Array(162)),
  ticket: fc.constant(new Uint8Array(128)),
  commonCaps: fc.constantFrom([], [0x0d]),
  channelCaps: fc.constantFrom([], [0x8000000f], [0xe000000f]),
  message: fc.constantFrom(
    { type: 'msg.start', body: {} },
    { type: 'msg.stop', body: {} },
    { type: 'msg.mode', body: {} },
  ),
  event: fc.constantFrom({ type: 'migration.leave' }, { type: 'api.close', reason: 'told to' }),
  body: fc.record({
    flags: fc.constantFrom(0, 1, 2, 3),
    sessionId: fc.constant(7),
    agentConnected: fc.constantFrom(0, 1),
    surfaceId: fc.constantFrom(0, 1),
    srcVersion: fc.constantFrom(0, 1, 2),
    srcMigVersion: fc.constant(1),
    channels: fc.constantFrom(
      [],
      [{ type: 2, id: 0 }],
      [
        { type: 2, id: 0 },
        { type: 3, id: 0 },
        { type: 99, id: 0 },
      ],
    ),
    host: fc.constant('there'),
    port: fc.constantFrom(0, 5900),
    sport: fc.constantFrom(0, 5901, 65_535),
    certSubject: fc.constant(''),
    data: fc.constant(new Uint8Array(3)),
  }),
});

/** Outcomes that an actor may end with; which of them fits is for the chart to know, so all fields are there. */
const outputs = fc.record({
  outcome: fc.constantFrom('switched', 'begin afresh', 'stay', 'arrived', 'abandoned', 'departed', 'stayed'),
  scheme: fc.constantFrom(...schemes),
  destination: fc.constant(destination),
  mainCaps: fc.constant([0x0f]),
  switched: fc.constantFrom([], ['main:0'], addresses),
  reason: fc.constant('some reason'),
  chance: fc.constantFrom(0, 0.5),
  host: fc.constant('there'),
  port: fc.constant(1),
});

const happening = (chart: AnyStateMachine) =>
  fc
    .record({
      kind: fc.constantFrom('event', 'event', 'event', 'event', 'done', 'failed', 'elapsed'),
      type: fc.constantFrom(...vocabulary(chart)),
      which: fc.nat(),
      fields,
      output: outputs,
    })
    .map((one) => ({
      ...one,
      /** What a counterexample shows. */
      [fc.toStringMethod]: () =>
        one.kind === 'event'
          ? `${one.type} (${one.fields.link}, ${one.fields.channel}, ${one.fields.scheme})`
          : `${one.kind} #${one.which}`,
    }));
type Anything = ReturnType<typeof happening> extends fc.Arbitrary<infer T> ? T : never;

/** The event that is meant, or undefined if nothing of the kind can happen now. */
function happens(one: Anything, story: Story<AnyStateMachine>, chart: AnyStateMachine): Happening | undefined {
  const { waits, actors } = story.around;
  if (one.kind === 'event') return () => ({ type: one.type, ...one.fields, parked: one.fields }) as AnyEventObject;
  if (one.kind === 'elapsed') {
    return waits.length === 0 ? undefined : () => waits[one.which % waits.length]!.event;
  }
  // A chart that breaks is a fault of ours, and ends its parent too unless that cares.
  const cares = heard(chart).has('xstate.error.actor.*');
  const logic: Readonly<Record<string, any>> = chart.implementations.actors;
  const running = Object.keys(actors).filter(
    (id) => one.kind === 'done' || cares || logic[actors[id]!].config.states === undefined,
  );
  const actorId = running[one.which % running.length];
  if (actorId === undefined) return undefined;
  return one.kind === 'done'
    ? () => ({ type: `xstate.done.actor.${actorId}`, output: one.output, actorId })
    : () => ({ type: `xstate.error.actor.${actorId}`, error: new Error('it failed'), actorId });
}

describe('no order of events breaks', () => {
  test.each(all)('%s', (name, chart) => {
    fc.assert(
      fc.property(fc.array(happening(chart), { minLength: 1, maxLength: 60 }), (anything) => {
        let story: Story<AnyStateMachine> = given(chart, inputs[name]);
        for (const one of anything) {
          if (story.snapshot.status !== 'active') break;
          const event = happens(one, story, chart);
          if (event !== undefined) story = story.after(event as never);
        }
        expect(story.snapshot.status).not.toBe('error');
        // INVARIANT: a chart that has ended leaves no actor and no timer behind.
        if (story.snapshot.status === 'done') expect(story.around).toEqual({ waits: [], actors: {} });
      }),
      { numRuns: 150 },
    );
  });
});
