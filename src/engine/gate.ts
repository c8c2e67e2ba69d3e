/**
 * What a channel's chart lets through: the tags of the state that it is in. Everything that does not go through the chart looks
 * here first; nothing here changes the chart.
 */
import type { AnyActorRef, AnyMachineSnapshot } from 'xstate';

export class Gate {
  private readonly actor: AnyActorRef;
  private seen: AnyMachineSnapshot | undefined;
  private tags = { flowing: false, speaking: false, deaf: false };

  constructor(actor: AnyActorRef) {
    this.actor = actor;
  }

  /** The peer's messages may come in. */
  get flowing(): boolean {
    return this.now().flowing;
  }

  /** The application's messages may go out. */
  get speaking(): boolean {
    return this.now().speaking;
  }

  /** What comes is dropped without a word. */
  get deaf(): boolean {
    return this.now().deaf;
  }

  private now(): Readonly<typeof this.tags> {
    const snapshot = this.actor.getSnapshot() as AnyMachineSnapshot;
    if (snapshot !== this.seen) {
      this.seen = snapshot;
      this.tags = {
        flowing: snapshot.hasTag('flowing'),
        speaking: snapshot.hasTag('speaking'),
        deaf: snapshot.hasTag('deaf'),
      };
    }
    return this.tags;
  }
}
