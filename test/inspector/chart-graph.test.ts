/** Reading charts: machines and definitions become graphs with nothing lost, and values light the right states. */
import { createWebSocketInspector } from '@statelyai/inspect';
import { describe, expect, test } from 'vitest';
import { and, assign, createActor, createMachine, fromPromise, raise, setup, waitFor } from 'xstate';
import { type ChartDefinition, ChartError, definitionOf, parseDefinition } from '../../inspector/chart-definition.ts';
import { chartGraph } from '../../inspector/chart-graph.ts';
import { activeStates, matches, type StateValue, transitionsTaken } from '../../inspector/chart-state.ts';
import { eventText, transitionText } from '../../inspector/chart-words.ts';
import { handOverChart } from './sample-charts.ts';

const graphOf = (config: object) => chartGraph(definitionOf({ config }));

describe('definition', () => {
  test('keeps the order of keys and every key of a config', () => {
    const definition = definitionOf(handOverChart);
    expect(JSON.stringify(definition)).toBe(JSON.stringify(handOverChart.config));
    expect(Object.keys((definition.states as any).attempt.states)).toEqual([
      ...['idle', 'linking', 'linked', 'switching', 'leaving', 'failed'],
    ]);
  });

  test('is not cut, however deep the chart nests', () => {
    let config: object = { tags: 'deepest' };
    for (let i = 0; i < 30; i++) config = { states: { [`s${i}`]: config } };
    const graph = graphOf({ id: 'deep', ...config });
    expect(graph.states).toHaveLength(31);
    expect(graph.states.at(-1)).toMatchObject({ key: 's0', tags: ['deepest'] });
  });

  test('names what is no plain data', () => {
    const machine = createMachine({
      id: 'inline',
      initial: 'done',
      invoke: { src: fromPromise(async () => 1), onDone: '.done' },
      on: {
        go: {
          guard: and([
            'ready',
            function linked() {
              return true;
            },
          ]),
          actions: [assign({}), raise({ type: 'next' }), () => {}],
        },
      } as any,
      states: { done: {} },
    });
    const graph = chartGraph(definitionOf(machine));
    expect(transitionText(graph.transitions[0]!)).toBe('go [and(ready, linked)] / assign, raise, inline');
    expect(graph.root.invokes[0]!.actor.name).toBe('inline');
    expect(JSON.parse(JSON.stringify(graph))).toEqual(graph);
  });

  test.each(['', '[]', 'null', '"x"', '{', 'x'.repeat(5_000_000)])('refuses what is no definition: %.20s', (text) => {
    expect(() => parseDefinition(text)).toThrow(ChartError);
  });

  test('refuses a config that holds itself', () => {
    const config: Record<string, unknown> = { id: 'loop' };
    config.states = { a: config };
    expect(() => definitionOf({ config })).toThrow(ChartError);
  });

  test('takes what a foreign inspector sends, and says where it was cut', () => {
    const sent: any[] = [];
    const inspector = createWebSocketInspector({ url: 'ws://127.0.0.1:9', autoStart: false });
    inspector.adapter.send = (event) => void sent.push(event);
    let deep: object = {};
    for (let i = 0; i < 8; i++) deep = { initial: 's', states: { s: deep } };
    inspector.actor(createActor(createMachine(deep)) as any);
    const graph = chartGraph(parseDefinition(sent[0].definition));
    expect(graph.states.length).toBeGreaterThan(4);
    expect(graph.states.at(-1)?.cut).toBe(true);
  });

  test('no key of a stranger reaches a prototype', () => {
    const graph = chartGraph(parseDefinition('{"id":"x","states":{"__proto__":{"states":{"a":{}}},"constructor":{}}}'));
    expect(graph.states.map((s) => s.key)).toEqual(['x', '__proto__', 'a', 'constructor']);
    expect(({} as any).states).toBeUndefined();
  });
});

describe('graph', () => {
  const graph = chartGraph(definitionOf(handOverChart));

  test('agrees with XState about every state and every transition', () => {
    const ours = graph.transitions.map((t) => `${t.source} ${t.event} -> ${t.targets.join(' ')}`).sort();
    const theirs: string[] = [];
    const kinds: Record<string, string> = {};
    const walk = (node: typeof handOverChart.root) => {
      kinds[node.id] = node.type;
      const all = [...[...node.transitions.values()].flat(), ...(node.always ?? [])];
      for (const t of all)
        theirs.push(`${t.source.id} ${t.eventType} -> ${(t.target ?? []).map((x) => x.id).join(' ')}`);
      for (const child of Object.values(node.states)) walk(child as any);
    };
    walk(handOverChart.root);
    expect(ours).toEqual(theirs.sort());
    expect(Object.fromEntries(graph.states.map((s) => [s.id, s.kind]))).toEqual(kinds);
  });

  test('resolves targets as XState does', () => {
    const machine = createMachine({
      id: 'm',
      initial: 'a',
      on: { X: '.b', Y: '#third', Z: '.a.inner' },
      states: {
        a: {
          initial: 'inner',
          states: { inner: { on: { UP: '#m.b', BACK: '#third.deep', DOT: 'with\\.dot' } }, 'with.dot': {} },
        },
        b: { initial: 'c', on: { A: 'a', AI: 'a.inner', SELF: 'b', C: '.c' }, states: { c: {} } },
        c: { id: 'third', initial: 'deep', states: { deep: {} } },
      },
    } as any);
    const graph = chartGraph(definitionOf(machine));
    const ours = graph.transitions.map(
      (t) => `${t.event} ${graph.states.find((s) => s.id === t.targets[0])?.path.join('/')}`,
    );
    const theirs: string[] = [];
    const walk = (node: typeof machine.root) => {
      for (const t of [...node.transitions.values()].flat())
        theirs.push(`${t.eventType} ${t.target?.[0]?.path.join('/')}`);
      for (const child of Object.values(node.states)) walk(child as never);
    };
    walk(machine.root);
    expect(ours.sort()).toEqual(theirs.sort());
    expect(ours).toHaveLength(10);
  });

  test('keeps a target that names nothing', () => {
    const { transitions } = graphOf({ id: 'x', on: { go: 'nowhere', stay: {} } });
    expect(transitions[0]).toMatchObject({ targets: [], lost: ['nowhere'] });
    expect(transitions[1]).toMatchObject({ targets: [], lost: [] });
  });

  test('refuses more than its limits', () => {
    const states = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`s${i}`, {}]));
    expect(() => graphOf({ id: 'x', states })).toThrow(/too many states/);
  });
});

describe('what happened', () => {
  test("XState's own events read as the chart says them, all others as they came", async () => {
    const machine = setup({
      actors: { ask: fromPromise(async () => 1), fail: fromPromise(() => Promise.reject(new Error('no'))) },
      delays: { 'a while': 1 },
    }).createMachine({
      id: 'some/chart',
      initial: 'asking',
      states: {
        asking: { invoke: { src: 'ask', onDone: 'trying' } },
        trying: { invoke: { src: 'fail', id: 'link:main:0@3', onError: 'waiting' } },
        waiting: { after: { 'a while': 'counting' } },
        counting: { after: { 2: 'nested' } },
        nested: { initial: 'last', onDone: 'awaiting', states: { last: { type: 'final' } } },
        awaiting: { on: { 'msg.init': 'over' } },
        over: { type: 'final' },
      },
    });
    const heard: string[] = [];
    const actor = createActor(machine, {
      inspect: (told) => {
        if (told.type === '@xstate.event' && told.actorRef === actor) heard.push(eventText(told.event.type));
        if (told.type === '@xstate.microstep' && told.event.type.startsWith('xstate.done.state'))
          heard.push(eventText(told.event.type));
      },
    });
    actor.start();
    await waitFor(actor, (snapshot) => snapshot.matches('awaiting'));
    actor.send({ type: 'msg.init' });
    expect(heard).toEqual([
      'started',
      'asking done',
      'link:main:0@3 failed',
      'after a while',
      'after 2 ms',
      'nested done',
      'msg.init',
    ]);
  });
});

describe('what is lit', () => {
  const graph = chartGraph(definitionOf(handOverChart));
  const at = (value: StateValue | undefined) => activeStates(graph, value);

  test('states of a nested and parallel value', () => {
    expect(
      [...at({ attempt: { linking: { seamless: 'asking' } }, watch: 'busy' })].map((id) => id.split('.').at(-1)),
    ).toEqual([...['migration client', 'attempt', 'linking', 'seamless', 'asking', 'watch', 'busy']]);
    expect(at(undefined).size).toBe(0);
    expect([...at({ gone: 'x' })]).toEqual(['migration client']);
  });

  test('wildcards', () => {
    expect(matches('msg.*', 'msg.ping')).toBe(true);
    expect(matches('msg.*', 'msg')).toBe(true);
    expect(matches('msg.*', 'msgc.pong')).toBe(false);
    expect(matches('*', 'anything')).toBe(true);
    expect(matches('', 'x')).toBe(false);
  });

  test.each([
    [
      'msg.migrate_begin_seamless',
      { attempt: 'idle', watch: 'quiet' },
      { attempt: { linking: { seamless: 'linking main' } }, watch: 'quiet' },
      ['idle → seamless'],
    ],
    [
      'migration.tick',
      { attempt: 'linked', watch: 'quiet' },
      { attempt: 'linked', watch: 'busy' },
      ['linked stays', 'quiet → busy'],
    ],
    [
      'migration.link_failed',
      { attempt: { linking: 'seamless' }, watch: 'busy' },
      { attempt: { linking: 'semi-seamless' }, watch: 'busy' },
      ['linking → again', 'again → semi-seamless'],
    ],
    [
      'migration.link_failed',
      { attempt: { linking: 'semi-seamless' }, watch: 'busy' },
      { attempt: 'failed', watch: 'busy' },
      ['linking → failed'],
    ],
    [
      'msg.unknown',
      { attempt: 'idle', watch: 'quiet' },
      { attempt: 'idle', watch: 'quiet' },
      ['migration client stays'],
    ],
  ] as [string, StateValue, StateValue, string[]][])('transitions of %s', (type, before, after, expected) => {
    const key = (id: string) => id.split('.').at(-1);
    const taken = transitionsTaken(graph, at(before), type, at(after));
    expect(
      taken.map((t) =>
        t.targets[0] === undefined ? `${key(t.source)} stays` : `${key(t.source)} → ${key(t.targets[0])}`,
      ),
    ).toEqual(expected);
  });

  test('agrees with the transitions that XState takes, over a walk through the chart', () => {
    const steps: [string, string][] = [];
    let before = at(undefined);
    let event = '';
    const actor = createActor(handOverChart, {
      inspect: (e) => {
        if (e.type === '@xstate.microstep')
          for (const t of e._transitions) steps.push([event, `${t.source.id} ${t.eventType}`]);
      },
    });
    actor.start();
    before = at(actor.getSnapshot().value as StateValue);
    for (const type of [
      'msg.migrate_begin',
      'migration.tick',
      'migration.linked',
      'msg.migrate_end',
      'migration.switched',
      'msg.migrate_begin_seamless',
      'migration.main_linked',
      'msg.migrate_dst_seamless_ack',
      'migration.linked',
      'msg.migrate_cancel',
    ]) {
      steps.length = 0;
      event = type;
      actor.send({ type });
      const after = at(actor.getSnapshot().value as StateValue);
      const named = transitionsTaken(graph, before, type, after).map((t) => `${t.source} ${t.event}`);
      const real = steps.map(([, what]) => what);
      expect(named.sort(), type).toEqual(real.sort());
      before = after;
    }
    actor.stop();
  });
});

const typed: ChartDefinition = setup({}).createMachine({ id: 'typed' }).config as never;
test('an event that only counts, and the `always` that this opens, are both taken', () => {
  const graph = chartGraph(
    definitionOf({
      config: {
        id: 'm',
        initial: 'counting',
        states: {
          counting: { on: { one: { actions: 'count' } }, always: { guard: 'enough', target: 'done' } },
          done: {},
        },
      },
    }),
  );
  const active = (value: string) => activeStates(graph, value);
  const taken = (before: string, after: string) =>
    transitionsTaken(graph, active(before), 'one', active(after)).map((t) => t.trigger.on);
  expect(taken('counting', 'counting')).toEqual(['event']);
  expect(taken('counting', 'done')).toEqual(['event', 'always']);
});

test('a machine without an id still has a name', () => {
  expect(definitionOf({ config: {}, id: '(machine)' }).id).toBe('(machine)');
  expect(typed.id).toBe('typed');
});
