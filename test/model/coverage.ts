/** Which states of the charts some run has come to. A state that is left in the step in which it is entered does not count. */
import type { AnyStateMachine } from 'xstate';
import type { Charts } from './alphabet.ts';

/** It has a way out that is always open, so nobody ever finds a chart in it. */
const passing = (node: any): boolean =>
  (node.always ?? []).some(({ guard }: { guard?: unknown }) => guard === undefined);

export class Coverage {
  private readonly wanted = new Set<string>();
  private readonly missing: Set<string>;

  constructor(machines: readonly AnyStateMachine[]) {
    const visit = (node: any): void => {
      if (!passing(node)) this.wanted.add(node.id);
      for (const child of Object.values(node.states)) visit(child);
    };
    for (const machine of machines) visit(machine.root);
    this.missing = new Set(this.wanted);
  }

  add(charts: Charts): void {
    for (const chart of charts.values()) this.visited(chart.visited());
  }

  visited(ids: Iterable<string>): void {
    for (const id of ids) this.missing.delete(id);
  }

  get all(): number {
    return this.wanted.size;
  }

  get reached(): number {
    return this.wanted.size - this.missing.size;
  }

  get unreached(): string[] {
    return [...this.missing].sort();
  }
}
