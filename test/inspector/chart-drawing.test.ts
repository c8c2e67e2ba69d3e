/** Drawings: every word of a chart is there, nothing lies over anything, colours are readable, strangers' words stay words. */
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { definitionOf, type JsonObject, type MachineLike } from '../../inspector/chart-definition.ts';
import { type ChartGraph, chartGraph } from '../../inspector/chart-graph.ts';
import { backward } from '../../inspector/chart-order.ts';
import { activeStates } from '../../inspector/chart-state.ts';
import { transitionText } from '../../inspector/chart-words.ts';
import { chartFile, chartStyle, drawChart } from '../../inspector/draw.ts';
import { elkHere } from '../../inspector/elk-node.ts';
import { type Box, type LaidChart, layoutChart, metrics, rowMark } from '../../inspector/layout.ts';
import { mermaid } from '../../inspector/mermaid.ts';
import type { SvgElement } from '../../inspector/svg.ts';
import { charts } from '../../machines/index.ts';
import { handOverChart } from './sample-charts.ts';

const elk = elkHere();
const graphOf = (config: object) => chartGraph(definitionOf({ config }));
const overlap = (a: Box, b: Box): boolean =>
  a.x < b.x + b.width - 0.5 && b.x < a.x + a.width - 0.5 && a.y < b.y + b.height - 0.5 && b.y < a.y + a.height - 0.5;
const inside = (a: Box, b: Box): boolean =>
  a.x >= b.x - 0.5 &&
  a.y >= b.y - 0.5 &&
  a.x + a.width <= b.x + b.width + 0.5 &&
  a.y + a.height <= b.y + b.height + 0.5;

/** Labels that lie on each other, or on a state that they do not belong to; states that lie on states or leave their parent. */
function collisions(graph: ChartGraph, laid: LaidChart): string[] {
  const found: string[] = [];
  const labels = laid.edges.flatMap((edge) => (edge.label === undefined ? [] : [{ ...edge.label, id: edge.id }]));
  labels.forEach((a, i) => {
    for (const b of labels.slice(i + 1)) if (overlap(a, b)) found.push(`label ${a.id} on label ${b.id}`);
    for (const state of laid.states) {
      const leaf = graph.states.find((s) => s.id === state.id)!.children.length === 0;
      if (leaf && overlap(a, state)) found.push(`label ${a.id} on ${state.id}`);
    }
  });
  const boxes = new Map(laid.states.map((state) => [state.id, state]));
  for (const parent of graph.states) {
    parent.children.forEach((child, i) => {
      const box = boxes.get(child.id)!;
      if (!inside(box, boxes.get(parent.id)!)) found.push(`${child.id} outside ${parent.id}`);
      for (const other of parent.children.slice(i + 1)) {
        if (overlap(box, boxes.get(other.id)!)) found.push(`${child.id} on ${other.id}`);
      }
    });
  }
  return found;
}

const textsOf = (element: SvgElement): string[] =>
  element.tag === 'text'
    ? [element.children.map((c) => (typeof c === 'string' ? c : c.children.join(''))).join('')]
    : element.children.flatMap((c) => (typeof c === 'string' ? [] : textsOf(c)));

describe.each(['down', 'right'] as const)('the hand-over, laid out %s', (direction) => {
  const graph = chartGraph(definitionOf(handOverChart));
  let laid: LaidChart;
  beforeAll(async () => {
    laid = await layoutChart(graph, elk, direction);
  });

  test('nothing lies over anything', () => {
    expect(collisions(graph, laid)).toEqual([]);
  });

  test('every state and every transition is in the picture', () => {
    const texts = textsOf(drawChart(laid)).join('\n');
    for (const state of graph.states) expect(texts).toContain(state.kind === 'history' ? 'H*' : state.key);
    for (const word of graph.transitions.flatMap((t) => transitionText(t).split(/ (?=\[|\/)/)[0]!))
      expect(texts).toContain(word);
    const arrows = new Set(laid.edges.flatMap((edge) => edge.transitions));
    const rows = new Set(laid.states.flatMap((state) => state.rows.flatMap((row) => row.transition ?? [])));
    expect(graph.transitions.filter((t) => !arrows.has(t.id) && !rows.has(t.id))).toEqual([]);
    expect(laid.initials).toHaveLength(4);
  });

  test('every arrow begins at its source and ends at its target', () => {
    const touches = (p: { x: number; y: number } | undefined, id: string) => {
      const box = laid.states.find((state) => state.id === id)!;
      return p !== undefined && inside({ ...p, width: 0, height: 0 }, box);
    };
    for (const edge of laid.edges) {
      if (edge.transitions.length > 0) expect(touches(edge.points[0], edge.source), `${edge.id} begins`).toBe(true);
      expect(touches(edge.points.at(-1), edge.target), `${edge.id} ends`).toBe(true);
    }
  });

  test('what is active and what was taken is marked', () => {
    const active = activeStates(graph, { attempt: { linking: { seamless: 'asking' } }, watch: 'busy' });
    const taken = graph.transitions.find((t) => t.event === 'migration.main_linked')!;
    const file = chartFile(laid, { active, taken: new Set([taken.id]) });
    expect(file.match(/class="state [^"]*active[^"]*"/g)).toHaveLength(active.size + 5);
    expect(file.match(/class="edge taken"/g)).toHaveLength(1);
    expect(file).toMatch(/class="line trigger taken"/);
  });
});

test.each(['down', 'right'] as const)(
  'words fit their boxes in each of our charts, laid out %s',
  async (direction) => {
    for (const [name, chart] of Object.entries(charts)) {
      const laid = await layoutChart(chartGraph(definitionOf(chart as unknown as MachineLike)), elk, direction);
      const spills = laid.states.flatMap((state) =>
        state.rows
          .map((row) => rowMark[row.mark] + row.text)
          .filter((text) => text.length * metrics.wordChar + 2 * metrics.pad > state.width + 1),
      );
      expect(spills, name).toEqual([]);
    }
  },
  60_000,
);

test('arrows that lead back are known', () => {
  const graph = chartGraph(definitionOf(handOverChart));
  const back = backward(graph);
  const at = (key: string) => `migration client.attempt.${key}`;
  expect(back(at('idle'), at('linking'))).toBe(false);
  expect(back(at('linking.seamless'), at('idle'))).toBe(true);
  expect(back(at('linking'), at('linking.again'))).toBe(false);
});

test("a stranger's words never become markup", async () => {
  const evil = '"><script>alert(1)</script>&\u0000]]>';
  const graph = graphOf({
    id: evil,
    initial: evil,
    description: evil,
    states: {
      [evil]: { tags: [evil], entry: evil, on: { [evil]: { target: 'b', guard: evil, actions: evil } } },
      b: {},
    },
  });
  const file = chartFile(await layoutChart(graph, elk, 'down'));
  expect(file).not.toContain('<script');
  expect(file).not.toContain('\u0000');
  const outside = file.replace(
    /<\/?(svg|style|g|rect|text|tspan|path|circle|line|title)( [a-zA-Z0-9:-]+="[^"<>]*")*\/?>/g,
    '',
  );
  expect(outside).not.toMatch(/[<>]/);
  expect(mermaid(graph)).not.toMatch(/[<>]script/);
});

describe('mermaid', () => {
  test('has every state, every arrow and every row', () => {
    const graph = chartGraph(definitionOf(handOverChart));
    const text = mermaid(graph);
    expect(text.startsWith('stateDiagram-v2\n')).toBe(true);
    expect(text.match(/^ *state "/gm)).toHaveLength(graph.states.length);
    const arrows = graph.transitions.filter((t) => t.targets.some((target) => target !== t.source));
    expect(text.match(/ --> s\d+ : /g)).toHaveLength(arrows.length);
    expect(text.match(/\[\*\] --> /g)).toHaveLength(4);
    expect(text).toContain(' --> [*]');
    expect(text).toContain('↻ migration.tick');
    expect(text.match(/^ +--$/gm)).toHaveLength(1);
  });
});

describe('colours', () => {
  const sets = [...chartStyle.matchAll(/\{(--chart-[^}]*)\}/g)].map((m) =>
    Object.fromEntries(m[1]!.split(';').map((pair) => pair.replace('--chart-', '').split(':') as [string, string])),
  );
  const light = (hex: string): number => {
    const [r, g, b] = [1, 3, 5].map((i) => Number.parseInt(hex.slice(i, i + 2), 16) / 255);
    const linear = (c: number) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * linear(r!) + 0.7152 * linear(g!) + 0.0722 * linear(b!);
  };
  const contrast = (a: string, b: string): number => {
    const [x, y] = [light(a), light(b)].sort((p, q) => q - p) as [number, number];
    return (x + 0.05) / (y + 0.05);
  };
  const words = ['word', 'soft', 'guard', 'action', 'taken', 'lit-word'];

  test('there are a light and a dark set, each twice', () => {
    expect(sets).toHaveLength(4);
    expect(sets[0]).toEqual(sets[2]);
    expect(sets[1]).toEqual(sets[3]);
  });
  test.each([0, 1])('words have a contrast of 4.5 and lines one of 3 in set %i', (n) => {
    for (const ground of ['canvas', 'box', 'nested', 'lit', 'mark']) {
      for (const word of words) {
        if (word === 'lit-word' && ground !== 'lit') continue;
        expect(contrast(sets[n]![word]!, sets[n]![ground]!), `${word} on ${ground}`).toBeGreaterThanOrEqual(4.5);
      }
    }
    for (const ground of ['canvas', 'box', 'nested']) {
      expect(contrast(sets[n]!['lit-line']!, sets[n]![ground]!), `lit line on ${ground}`).toBeGreaterThanOrEqual(4.5);
      expect(contrast(sets[n]!.line!, sets[n]![ground]!), `line on ${ground}`).toBeGreaterThanOrEqual(3);
    }
  });
});

describe('any chart', () => {
  const name = fc.constantFrom('a', 'b', 'c', 'd', 'waiting for a reply', 'flowing');
  const leaf: fc.Arbitrary<JsonObject> = fc.record(
    {
      on: fc.dictionary(
        fc.constantFrom('go', 'msg.migrate_begin', 'migration.*', 'stop'),
        fc.oneof(
          name,
          fc.record({ target: name, guard: name, actions: fc.array(name, { maxLength: 3 }) }),
          fc.constant({}),
        ),
        { maxKeys: 3 },
      ),
      entry: name,
      type: fc.constantFrom('final', 'history'),
      after: fc.dictionary(fc.constantFrom('100', 'deadline'), name, { maxKeys: 1 }),
    },
    { requiredKeys: [] },
  ) as never;
  const { tree } = fc.letrec<{ tree: JsonObject }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      leaf,
      fc
        .tuple(leaf, fc.dictionary(name, tie('tree'), { minKeys: 1, maxKeys: 4 }), fc.boolean())
        .map(([own, states, parallel]) => {
          const { type: _, ...config } = own;
          return { ...config, states, ...(parallel ? { type: 'parallel' } : {}) };
        }),
    ),
  }));

  test('is laid out, and no label lies on another', async () => {
    await fc.assert(
      fc.asyncProperty(tree, fc.constantFrom('down' as const, 'right' as const), async (config, direction) => {
        const graph = graphOf({ ...config, id: 'any' });
        expect(collisions(graph, await layoutChart(graph, elk, direction))).toEqual([]);
      }),
      { numRuns: 60, seed: 7 },
    );
  });
});
