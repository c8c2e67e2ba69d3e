/**
 * Notes what of a chart its tests have touched: states entered, transitions taken, guards that held and that did not.
 * The chart itself stays as it is; stories run on a copy of it whose parts leave a mark when they are used.
 */
import type { AnyStateMachine } from 'xstate';

interface Book {
  /** The copy that leaves marks. */
  readonly copy: AnyStateMachine;
  readonly expected: ReadonlySet<string>;
  readonly marks: Set<string>;
}

/** By their roots: a chart that becomes another one in its place begins anew. */
const books = new WeakMap<object, Book>();

/** An action that does nothing to the chart but is seen by us; shaped like XState's own so that it runs in its turn. */
const marking = (mark: () => void): any => {
  const action = () => {};
  return Object.assign(action, {
    resolve: (_scope: unknown, snapshot: unknown) => {
      mark();
      return [snapshot, undefined, undefined];
    },
  });
};

const guardName = (guard: unknown): string => (typeof guard === 'string' ? guard : (guard as { type: string }).type);

function open(chart: AnyStateMachine): Book {
  const marks = new Set<string>();
  const expected = new Set<string>();
  const guards = Object.fromEntries(
    Object.entries(chart.implementations.guards as Record<string, (...args: any[]) => boolean>).map(([name, guard]) => [
      name,
      (...args: unknown[]) => {
        const holds = guard(...args);
        marks.add(`guard "${name}" is ${holds}`);
        return holds;
      },
    ]),
  );
  const copy = chart.provide({ guards } as never);
  const visit = (node: any): void => {
    const state = `state "${node.id}"`;
    expected.add(state);
    node.entry.unshift(marking(() => marks.add(state)));
    for (const list of [...node.transitions.values(), node.always ?? []]) {
      list.forEach((transition: any, index: number) => {
        const mark = `"${node.id}" on "${transition.eventType || 'always'}"${list.length > 1 ? ` (${index + 1} of ${list.length})` : ''}`;
        expected.add(mark);
        transition.actions = [...transition.actions, marking(() => marks.add(mark))];
        if (transition.guard !== undefined) {
          for (const holds of [true, false]) expected.add(`guard "${guardName(transition.guard)}" is ${holds}`);
        }
      });
    }
    for (const child of Object.values(node.states)) visit(child);
  };
  visit(copy.root);
  return { copy, expected, marks };
}

/** The copy of a chart that leaves marks; always the same one. */
export function marked<M extends AnyStateMachine>(chart: M): M {
  let book = books.get(chart.root);
  if (book === undefined) books.set(chart.root, (book = open(chart)));
  return book.copy as M;
}

/** States, transitions and outcomes of guards that no story of this chart has touched so far, each in words. */
export function untouched(chart: AnyStateMachine): string[] {
  marked(chart);
  const { expected, marks } = books.get(chart.root)!;
  return [...expected].filter((mark) => !marks.has(mark));
}
