/**
 * The clipboard that client and guest share by way of the guest's agent. Whoever has something to paste says of what types; the
 * bytes follow when somebody pastes. It knows no clipboard of a desktop: the application connects it to one.
 */
import { BehaviorSubject, type Observable } from 'rxjs';
import type { Clock } from '../engine/clock.ts';
import { SumacError } from '../errors.ts';
import { type AgentMessage, ClipboardSelection, ClipboardType } from '../protocol/agent.ts';
import type { ClientAgent } from './agent.ts';

/** A type as in `ClipboardType`. */
export type PasteType = (typeof ClipboardType)[keyof typeof ClipboardType];

/** Milliseconds that the guest has to hand out what it offers. */
const patience = 10_000;

interface Pasting {
  readonly type: number;
  done(data: Uint8Array): void;
  failed(why: string): void;
}

export class ClientClipboard {
  private readonly agent: ClientAgent;
  private readonly clock: Clock;
  private readonly offers = new BehaviorSubject<readonly number[]>([]);
  /** The types that the guest has to paste; empty when it has nothing. Begins with the present state. */
  readonly offered: Observable<readonly number[]> = this.offers.asObservable();
  private provide: ((type: number) => Uint8Array | Promise<Uint8Array>) | undefined;
  private readonly pasting: Pasting[] = [];

  /** Use `client.agent.clipboard`. */
  constructor(agent: ClientAgent, clock: Clock) {
    this.agent = agent;
    this.clock = clock;
  }

  /**
   * The client has something to paste: `provide` is asked for it when the guest pastes. False when there is no agent; an agent that
   * comes later is told of it.
   */
  offer(types: readonly PasteType[], provide: (type: number) => Uint8Array | Promise<Uint8Array>): boolean {
    this.provide = provide;
    this.types = types;
    return this.grab();
  }

  offerText(text: string): boolean {
    const bytes = new TextEncoder().encode(text);
    return this.offer([ClipboardType.utf8Text], () => bytes);
  }

  /** The client has nothing to paste any more. */
  release(): void {
    if (this.types.length > 0) this.agent.send({ type: 'clipboard_release', body: {} });
    this.types = [];
    this.provide = undefined;
  }

  /** What the guest has to paste. Rejects with one clear sentence when it is not to be had within 10 seconds. */
  async read(type: PasteType): Promise<Uint8Array> {
    if (!this.offers.value.includes(type)) throw new SumacError('usage', `the guest offers nothing of type ${type}`);
    return new Promise((resolve, reject) => {
      const end = (): void => {
        this.clock.clearTimeout(timer);
        this.pasting.splice(this.pasting.indexOf(pasting), 1);
      };
      const pasting: Pasting = {
        type,
        done: (data) => {
          end();
          resolve(data);
        },
        failed: (why) => {
          end();
          reject(new SumacError('usage', why));
        },
      };
      const timer = this.clock.setTimeout(() => pasting.failed('the guest does not hand out its clipboard'), patience);
      this.pasting.push(pasting);
      // One is asked for at a time: answers do not say what they answer.
      if (this.pasting.length === 1) this.ask();
    });
  }

  async readText(): Promise<string> {
    return new TextDecoder().decode(await this.read(ClipboardType.utf8Text));
  }

  // ----------------------------------------------------------------------------------------------- for the agent

  private types: readonly number[] = [];

  /** The agent can be spoken to. */
  begin(): void {
    if (this.types.length > 0) this.grab();
  }

  /** It is gone, and what it had to paste with it. */
  end(): void {
    this.offers.next([]);
    for (const one of [...this.pasting]) one.failed('the guest’s agent is gone');
  }

  take({ type, body }: AgentMessage): void {
    if (('selection' in body ? body.selection : 0) !== ClipboardSelection.clipboard) return;
    if (type === 'clipboard_grab') {
      this.types = [];
      this.provide = undefined;
      this.offers.next(body.types);
    } else if (type === 'clipboard_release') this.offers.next([]);
    else if (type === 'clipboard_request') void this.handOut(body.type);
    else if (type === 'clipboard') this.paste(body.type, body.data);
  }

  private grab(): boolean {
    this.offers.next([]);
    return this.agent.send({ type: 'clipboard_grab', body: { types: [...this.types] } });
  }

  private ask(): void {
    const [next] = this.pasting;
    if (next === undefined) return;
    if (!this.agent.send({ type: 'clipboard_request', body: { type: next.type } })) {
      next.failed('the guest’s agent is gone');
      this.ask();
    }
  }

  private paste(type: number, data: Uint8Array): void {
    const [first] = this.pasting;
    if (first === undefined) return;
    if (type === first.type) first.done(data);
    else first.failed('the guest has not handed out what it offered');
    this.ask();
  }

  /** The guest pastes. What cannot be had is answered with nothing. */
  private async handOut(type: number): Promise<void> {
    const { provide } = this;
    let data: Uint8Array | undefined;
    try {
      if (this.types.includes(type)) data = await provide?.(type);
    } catch {
      // The application knows why.
    }
    const body = data === undefined ? { type: ClipboardType.none, data: new Uint8Array() } : { type, data };
    this.agent.send({ type: 'clipboard', body });
  }
}
