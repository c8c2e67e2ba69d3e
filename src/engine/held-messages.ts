/** What a client says while its channel is handed over: it waits for the target, in order, and there is never much of it. */
import type { AnyMessage } from '../protocol/index.ts';

/** Bytes that are held. */
const most = 4 * 1024 * 1024;
/** What a message counts for besides its data. */
const overhead = 64;

export class HeldMessages {
  private held: AnyMessage[] = [];
  private bytes = 0;

  get isEmpty(): boolean {
    return this.held.length === 0;
  }

  /** False if there is no room for more. */
  hold(message: AnyMessage): boolean {
    if (this.bytes > most) return false;
    this.held.push(message);
    this.bytes += overhead + ((message.body as { data?: Uint8Array }).data?.length ?? 0);
    return true;
  }

  takeAll(): AnyMessage[] {
    const { held } = this;
    this.held = [];
    this.bytes = 0;
    return held;
  }
}
