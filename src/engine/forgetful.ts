/**
 * Keeps charts that live long from growing. XState keeps, for each state, what every type of event that it ever met leads to;
 * and the end of a child is an event of a type of its own, `xstate.done.actor.link:4711`. A server would keep half a kilobyte
 * of every link that it ever had. What is worked out for such an event is worked out for a stand-in, and goes with it.
 */
import type { AnyEventObject, AnyMachineSnapshot, AnyStateMachine } from 'xstate';

interface Node {
  readonly states: Readonly<Record<string, Node>>;
  next(snapshot: AnyMachineSnapshot, event: AnyEventObject): unknown;
}

/** Events that are named after the child that they come from. */
const ofOneChild = /^xstate\.(?:done\.actor|error\.actor|snapshot)\./;

/** The same machine, changed. Its charts take the same steps. */
export function forgetful<M extends AnyStateMachine>(machine: M): M {
  visit(machine.root as unknown as Node);
  return machine;
}

function visit(node: Node): void {
  const { next } = node;
  // INVARIANT: XState remembers by the object that it is called on; a stand-in has all that the state has.
  node.next = (snapshot, event) =>
    next.call(ofOneChild.test(event.type) ? (Object.create(node) as Node) : node, snapshot, event);
  for (const child of Object.values(node.states)) visit(child);
}
