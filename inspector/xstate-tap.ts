/**
 * Hands what XState's own inspection tells on to a hub: `createActor(machine, { inspect: xstateTap(hub, party) })`. It sees every
 * event before it is processed and every snapshot after. It keeps nothing of the actors it hears of.
 */
import type { ActorRefLike, AnyActorRef, InspectionEvent } from 'xstate';
import type { MachineLike } from './chart-definition.ts';
import { definitionOf } from './chart-definition.ts';
import type { Hub } from './hub.ts';
import type { RawSnapshot } from './roster.ts';

export interface XStateTapOptions {
  /** Key of an actor's chart among the hub's charts; without one the actor's own machine is taken. */
  readonly chartKey?: (actor: AnyActorRef) => string | undefined;
  /** Events that are not worth a record. */
  readonly skip?: (event: { readonly type: string }) => boolean;
}

/** The observer for `inspect`. Actors get the path of their ids below `party`, which the hub must know already. */
export function xstateTap(hub: Hub, party: string, options: XStateTapOptions = {}): (event: InspectionEvent) => void {
  const paths = new WeakMap<object, string>();
  const pathOf = (ref: ActorRefLike): string => {
    const known = paths.get(ref);
    if (known !== undefined) return known;
    const actor = ref as AnyActorRef;
    const parent = actor._parent;
    const name = typeof actor.id === 'string' ? actor.id.replaceAll('/', '∕') : ref.sessionId;
    const path = `${parent === undefined ? party : pathOf(parent)}/${name}`;
    paths.set(ref, path);
    return path;
  };
  return (event) => {
    const actor = event.actorRef as AnyActorRef;
    switch (event.type) {
      case '@xstate.actor':
        hub.actor(pathOf(actor), options.chartKey?.(actor) ?? ownChart(actor));
        break;
      case '@xstate.event': {
        if (options.skip?.(event.event)) break;
        const { type, ...detail } = event.event;
        const source = event.sourceRef === undefined ? {} : { source: pathOf(event.sourceRef) };
        const rest = Object.keys(detail).length === 0 ? {} : { detail };
        hub.record({ kind: 'event', actor: pathOf(actor), type, ...source, ...rest });
        break;
      }
      case '@xstate.snapshot':
        hub.snapshot(pathOf(actor), event.snapshot as RawSnapshot, event.event.type);
        break;
      default:
    }
  };
}

function ownChart(actor: AnyActorRef) {
  const { logic } = actor as { logic?: unknown };
  if (logic === null || typeof logic !== 'object' || !('config' in logic) || !('implementations' in logic))
    return undefined;
  return definitionOf(logic as MachineLike);
}
