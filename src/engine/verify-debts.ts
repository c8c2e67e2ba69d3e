/**
 * What charts that are folded still have to do: commands, births and news for each other, in the order in which XState does
 * them. A record that says that something was done pays for it. Nothing is done here, and nothing is forgiven but what is
 * owed to those who are gone.
 */
import type { AnyEventObject, AnyStateMachine } from 'xstate';
import type { Effect, Fold } from './fold.ts';
import { ChannelModel, Discrepancy } from './verify-channel.ts';
import { difference, shown } from './verify-compare.ts';
import { LinkModel } from './verify-link.ts';
import type { UnknownModel } from './verify-unknown.ts';

export type Owed =
  | { readonly kind: 'command'; readonly command: AnyEventObject }
  | { readonly kind: 'tell'; readonly to: string; readonly event: AnyEventObject; readonly owner: Followed }
  | { readonly kind: 'birth'; readonly id: string; readonly input: unknown };

/** A chart that is folded. */
export interface Followed {
  readonly address: string;
  readonly parent: string | undefined;
  readonly chart: string;
  readonly fold: Fold<AnyStateMachine>;
  readonly machine: AnyStateMachine;
  readonly model: ChannelModel | LinkModel | UnknownModel | undefined;
  snapshot: any;
  /** What it wants done and is not in the journal yet, in order. */
  owed: Owed[];
  /** Whether the application may speak, or might have since nothing was owed. */
  speaking: boolean;
  /** Timers that run, by their ids. */
  readonly timers: Map<string, AnyEventObject>;
  /** What was begun and has not been heard of since: chart or promise. */
  readonly begun: Map<string, 'chart' | 'promise'>;
  /** A chart that it began and that has come to its end: it is told next. */
  ended: { readonly id: string; readonly output: unknown } | undefined;
}

/** What all charts of one journal owe. */
export class Debts {
  private readonly followed: ReadonlyMap<string, Followed>;
  private readonly isElsewhere: (address: string) => boolean;
  /** Tells that are owed, by who must be told. */
  private readonly tells = new Map<string, Owed[]>();
  /** Timers without an id of their own so far. */
  private unnamed = 0;

  /** `followed`: all charts that live. `isElsewhere`: its records are kept in another journal. */
  constructor(followed: ReadonlyMap<string, Followed>, isElsewhere: (address: string) => boolean) {
    this.followed = followed;
    this.isElsewhere = isElsewhere;
  }

  /** It has stepped: what it asks for is owed from now on. */
  stepped(one: Followed, snapshot: any, effects: readonly Effect[]): void {
    // An event may be written down while the chart is still at the one before it.
    const spoke = one.snapshot.hasTag('speaking') || (one.speaking && one.owed.length > 0);
    one.speaking = spoke || snapshot.hasTag('speaking');
    one.snapshot = snapshot;
    for (const effect of effects) this.owe(one, effect);
  }

  private owe(one: Followed, effect: Effect): void {
    switch (effect.kind) {
      case 'command':
        one.owed.push(effect);
        break;
      case 'tell': {
        const to = effect.to === 'parent' ? one.parent : `${one.address}/${effect.to}`;
        if (to === undefined) break;
        const owed = { kind: 'tell', to, event: effect.event, owner: one } as const;
        one.owed.push(owed);
        const list = this.tells.get(to);
        if (list === undefined) this.tells.set(to, [owed]);
        else list.push(owed);
        break;
      }
      case 'begin': {
        const isChart = one.machine.implementations.actors[effect.actor] as { implementations?: unknown } | undefined;
        if (isChart?.implementations === undefined) {
          one.begun.set(effect.id, 'promise');
          if (effect.actor === 'dial' && one.model instanceof LinkModel) one.model.dial();
        } else if (this.isElsewhere(`${one.address}/${effect.id}`)) one.begun.set(effect.id, 'promise');
        else {
          one.begun.set(effect.id, 'chart');
          one.owed.push({ kind: 'birth', id: effect.id, input: effect.input });
        }
        break;
      }
      case 'end':
        // What was begun and ended in one step never starts.
        one.owed = one.owed.filter((owed) => owed.kind !== 'birth' || owed.id !== effect.id);
        if (one.begun.get(effect.id) === 'promise') one.begun.delete(effect.id);
        break;
      case 'wait':
        // A delayed event that nothing can stop has no id, and there may be several at a time.
        one.timers.set(effect.id ?? `#${this.unnamed++}`, effect.event);
        break;
      case 'forget':
        one.timers.delete(effect.id);
        break;
    }
  }

  /** What must be done first; tells to those who are gone are passed over. */
  head(one: Followed): Owed | undefined {
    for (;;) {
      const first = one.owed[0];
      if (first?.kind !== 'tell' || this.followed.has(first.to)) return first;
      this.paid(one);
      this.drop(first);
    }
  }

  paid(one: Followed): void {
    one.owed.shift();
  }

  private drop(owed: Owed): void {
    if (owed.kind !== 'tell') return;
    const list = this.tells.get(owed.to);
    const at = list?.indexOf(owed) ?? -1;
    if (at >= 0) list!.splice(at, 1);
    if (list?.length === 0) this.tells.delete(owed.to);
  }

  /** Throws Discrepancy when something was to be done and is not in the journal. */
  settle(one: Followed): void {
    const head = this.head(one);
    if (head !== undefined) throw new Discrepancy(`it owes ${say(head)}`);
    if (one.model?.owesBytes) throw new Discrepancy('it owes bytes');
    if (one.model instanceof ChannelModel) one.model.checkThatAllWasTold();
  }

  /** Another chart told it. */
  wasTold(one: Followed, event: AnyEventObject): boolean {
    for (const owed of this.tells.get(one.address) ?? []) {
      if (owed.kind !== 'tell' || difference(owed.event, event) !== undefined) continue;
      if (this.head(owed.owner) !== owed) continue;
      this.paid(owed.owner);
      this.drop(owed);
      return true;
    }
    return false;
  }

  /** It has ended: what it owes, and is owed, is nobody's business any more. */
  forget(one: Followed): void {
    for (const owed of this.tells.get(one.address) ?? []) this.drop(owed);
    this.tells.delete(one.address);
    for (const owed of one.owed) this.drop(owed);
  }
}

/** In words. */
export const say = (owed: Owed): string =>
  owed.kind === 'command'
    ? shown(owed.command)
    : owed.kind === 'tell'
      ? `${owed.to} the news ${shown(owed.event)}`
      : `the birth of ${owed.id}`;
