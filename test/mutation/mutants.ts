/**
 * Every small mistake that can be made in a chart: each transition dropped or sent to a sibling, each guard dropped or turned
 * round, each action, timer, tag and invocation left out. Made from the chart's own data, so a new chart has its mutants as
 * soon as it is listed. A mutant is a config; the charts themselves are never changed here.
 */
import { type AnyStateMachine, not } from 'xstate';

export interface Mutant {
  /** Tells it from all others, and stays the same while its place in the chart does. */
  readonly id: string;
  readonly chart: string;
  readonly mutation: Mutation;
  /** Id of the state that it changes: where that is never come to, the chart is as it was. */
  readonly state: string;
  readonly config: object;
}

export const mutations = [
  'drop transition',
  'drop timer',
  'drop guard',
  'negate guard',
  'drop target',
  'retarget',
  'drop reenter',
  'drop action',
  'drop entry',
  'drop exit',
  'drop invoke',
  'drop onDone',
  'drop onError',
  'drop tag',
  'begin elsewhere',
] as const;
export type Mutation = (typeof mutations)[number];

type Path = readonly (string | number)[];

/** A copy in which what stands at a path is something else; undefined takes it away. */
function edited(value: any, path: Path, change: (at: any) => any): any {
  const [head, ...rest] = path;
  if (head === undefined) return change(value);
  const inner = edited(value[head], rest, change);
  if (Array.isArray(value)) {
    return inner === undefined ? value.filter((_, index) => index !== head) : value.with(head as number, inner);
  }
  if (inner !== undefined) return { ...value, [head]: inner };
  const { [head]: _, ...others } = value;
  return others;
}

const gone = () => undefined;
const nameOf = (value: unknown): string => (typeof value === 'string' ? value : (value as { type: string }).type);

class Writer {
  readonly mutants: Mutant[] = [];
  private readonly machine: AnyStateMachine;
  private readonly ids = new Map<string, number>();
  private state = '';

  constructor(machine: AnyStateMachine) {
    this.machine = machine;
  }

  /** A mutant, unless XState does not take it for a chart. */
  write(mutation: Mutation, where: string, path: Path, change: (at: any) => any): void {
    const { machine } = this;
    const plain = `${machine.id} | ${mutation} | ${where}`;
    const count = (this.ids.get(plain) ?? 0) + 1;
    this.ids.set(plain, count);
    const config = edited(machine.config, path, change);
    try {
      mutated(machine, config);
    } catch {
      return;
    }
    this.mutants.push({
      id: count === 1 ? plain : `${plain} (${count})`,
      chart: machine.id,
      mutation,
      state: this.state,
      config,
    });
  }

  node(node: any, path: Path): void {
    const { config } = node;
    this.state = node.id;
    const where = node.path.length === 0 ? 'root' : node.path.join('.');
    for (const [type, at] of Object.entries(config.on ?? {})) {
      this.transitions(node, at, [...path, 'on', type], `${where} on "${type}"`, 'drop transition');
    }
    for (const [delay, at] of Object.entries(config.after ?? {})) {
      this.transitions(node, at, [...path, 'after', delay], `${where} after "${delay}"`, 'drop timer');
    }
    if (config.always !== undefined) {
      this.transitions(node, config.always, [...path, 'always'], `${where} always`, 'drop transition');
    }
    if (config.onDone !== undefined) {
      this.transitions(node, config.onDone, [...path, 'onDone'], `${where} when done`, 'drop onDone');
    }
    for (const when of ['entry', 'exit'] as const) {
      this.actions(config[when], [...path, when], `${where} ${when}`, `drop ${when}`);
    }
    const invokes: any[] = config.invoke === undefined ? [] : [config.invoke].flat();
    invokes.forEach((invoke, index) => {
      const at = [...path, 'invoke', ...(Array.isArray(config.invoke) ? [index] : [])];
      const what = `${where} invokes "${invoke.src}"`;
      this.write('drop invoke', what, at, gone);
      for (const end of ['onDone', 'onError'] as const) {
        if (invoke[end] !== undefined)
          this.transitions(node, invoke[end], [...at, end], `${what} ${end}`, `drop ${end}`);
      }
    });
    const tags: string[] = [config.tags ?? []].flat();
    for (const tag of tags) {
      this.write('drop tag', `${where} "${tag}"`, [...path, 'tags'], () => tags.filter((other) => other !== tag));
    }
    const names = Object.keys(node.states);
    if (typeof config.initial === 'string' && names.length > 1) {
      const other = names[(names.indexOf(config.initial) + 1) % names.length]!;
      this.write('begin elsewhere', `${where} in "${other}"`, [...path, 'initial'], () => other);
    }
    for (const [name, child] of Object.entries(node.states)) this.node(child, [...path, 'states', name]);
  }

  private transitions(node: any, given: any, path: Path, where: string, drop: Mutation): void {
    const all: any[] = [given].flat();
    all.forEach((transition, index) => {
      const at = Array.isArray(given) ? [...path, index] : path;
      const what = all.length === 1 ? where : `${where} [${index}]`;
      this.write(drop, what, at, gone);
      if (typeof transition === 'string') {
        this.targets(node, transition, at, what);
        return;
      }
      if (transition.guard !== undefined) {
        this.write('drop guard', `${what} if "${nameOf(transition.guard)}"`, [...at, 'guard'], gone);
        this.write('negate guard', `${what} if "${nameOf(transition.guard)}"`, [...at, 'guard'], (guard) => not(guard));
      }
      if (transition.reenter === true) this.write('drop reenter', what, [...at, 'reenter'], gone);
      if (typeof transition.target === 'string') {
        this.targets(node, transition.target, [...at, 'target'], what);
        if (transition.actions !== undefined) this.write('drop target', what, [...at, 'target'], gone);
      }
      this.actions(transition.actions, [...at, 'actions'], what, 'drop action');
    });
  }

  /** Sent to the next of its target's siblings. */
  private targets(node: any, target: string, path: Path, where: string): void {
    const aim = this.resolve(node, target);
    if (aim?.parent === undefined) return;
    const names = Object.keys(aim.parent.states);
    const other = names[(names.indexOf(aim.key) + 1) % names.length]!;
    if (other === aim.key || aim.parent.type === 'parallel') return;
    const sibling = `#${[this.machine.id, ...aim.parent.path, other].join('.')}`;
    this.write('retarget', `${where} to "${other}"`, path, () => sibling);
  }

  private resolve(node: any, target: string): any {
    let from = node.parent;
    let rest = target;
    if (target.startsWith('#')) {
      from = this.machine.root;
      rest = target.slice(this.machine.id.length + 2);
    } else if (target.startsWith('.')) {
      from = node;
      rest = target.slice(1);
    }
    let found = from;
    for (const key of rest.split('.')) found = found?.states[key];
    return found;
  }

  private actions(given: any, path: Path, where: string, mutation: Mutation): void {
    if (given === undefined) return;
    const all: any[] = [given].flat();
    all.forEach((action, index) => {
      const at = Array.isArray(given) ? [...path, index] : path;
      this.write(mutation, `${where}: "${nameOf(action)}"`, at, gone);
    });
  }
}

/** The chart with another config, and the same words. */
export function mutated(machine: AnyStateMachine, config: object): AnyStateMachine {
  const Machine = machine.constructor as new (config: object, implementations: object) => AnyStateMachine;
  return new Machine(config, machine.implementations);
}

export function mutantsOf(machine: AnyStateMachine): Mutant[] {
  const writer = new Writer(machine);
  writer.node(machine.root, []);
  return writer.mutants;
}

/**
 * Puts a mutant in the place of its chart, for everybody who holds the chart: parents, hosts, tests. Returns what puts the
 * chart back.
 */
export function install(machine: AnyStateMachine, { config }: Mutant): () => void {
  const before = { ...machine };
  Object.assign(machine, { ...mutated(machine, config), implementations: machine.implementations });
  return () => {
    for (const key of Object.keys(machine)) if (!(key in before)) delete (machine as any)[key];
    Object.assign(machine, before);
  };
}
