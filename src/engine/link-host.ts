/**
 * What the hosts of link charts have in common, on either side: the pipe, and the bytes that were read from it and not yet
 * understood. A link that is up keeps its pipe here, reading no more than a little, until a channel takes it. What the bytes
 * mean is its heirs' business: client-link.ts and server-link.ts.
 */
import type { AnyActorRef, AnyEventObject, AnyMachineSnapshot } from 'xstate';
import type { Agreed, LinkName } from '../../machines/contract.ts';
import type { Caps } from '../protocol/capabilities.ts';
import type { Pipe } from '../transport/pipe.ts';
import { ByteQueue } from './byte-queue.ts';
import { writeRelied } from './kept-pipe.ts';
import type { Born, Host, System } from './system.ts';

/** Bytes that a parked link reads ahead; enough to notice that the peer speaks or hangs up. */
const readAhead = 64 * 1024;

/** What both kinds of link need to know about us. */
export interface LinkServices {
  /** Our capability words for a channel ("display:0"): common ones, then its own. */
  caps(channel: string): { readonly commonCaps: Caps; readonly channelCaps: Caps };
}

/** What comes next from the peer. */
export type Expected = 'message' | 'reply' | 'mechanism' | 'ticket' | 'result' | 'nothing';

export abstract class LinkHost implements Host {
  protected readonly system: System;
  protected readonly actor: AnyActorRef;
  protected readonly address: string;
  protected readonly link: LinkName;
  protected readonly queue = new ByteQueue();
  protected pipe: Pipe | undefined;
  protected expected: Expected = 'nothing';
  private parked = false;
  private given = false;
  private spoke = false;
  protected ended = false;

  constructor(system: System, { actor, address, input }: Born) {
    this.system = system;
    this.actor = actor;
    this.address = address;
    this.link = input.link;
  }

  abstract obey(command: AnyEventObject): void;
  abstract perform(question: string, input: any, signal: AbortSignal): Promise<unknown>;
  /** Reads what is expected next; false while it is not all there. */
  protected abstract read(): boolean;

  lost(): void {
    // One that was still being dialled is dialled again.
    if ((this.actor.getSnapshot() as AnyMachineSnapshot).matches({ linking: 'dialling' })) return;
    this.tell({ type: 'link.closed', reason: 'the program that held it has ended' });
  }

  end(): void {
    this.ended = true;
    this.system.links.forget(this.link);
    if (!this.given) this.pipe?.close();
  }

  protected hold(pipe: Pipe): void {
    this.pipe = pipe;
    pipe.take({
      onChunk: (chunk) => {
        if (this.pipe !== pipe) return;
        this.system.write({
          kind: 'wire',
          at: this.system.clock.now(),
          actor: this.address,
          link: this.link,
          direction: 'in',
          bytes: chunk,
        });
        this.queue.push(chunk);
        if (this.queue.length > readAhead) pipe.pause();
        if (this.parked) this.heard();
        else this.look();
      },
      onClosed: (error) => {
        if (this.pipe === pipe && !this.ended) this.lose(error?.message ?? 'the peer hung up');
      },
    });
  }

  /** The connection is no more. */
  protected lose(reason: string): void {
    this.tell({ type: 'link.closed', reason });
  }

  /** `relied`: the peer builds on it. */
  protected send(bytes: Uint8Array, relied = false): void {
    this.system.write({
      kind: 'wire',
      at: this.system.clock.now(),
      actor: this.address,
      link: this.link,
      direction: 'out',
      from: 'chart',
      bytes,
    });
    if (this.pipe === undefined) return;
    if (relied) writeRelied(this.pipe, bytes);
    else this.pipe.write(bytes);
  }

  protected tell(event: { type: string; [key: string]: unknown }): void {
    if (!this.ended) this.actor.send(event as never);
  }

  protected expect(expected: Expected): void {
    this.expected = expected;
    // Never from within a command: the chart must have finished its step.
    queueMicrotask(() => this.look());
  }

  protected park(agreed: Agreed): void {
    this.parked = true;
    this.expected = 'nothing';
    const lend = () => ({ name: this.link, pipe: this.pipe!, agreed, unread: this.queue.takeAll() });
    this.system.links.park(this.link, {
      lend,
      take: () => {
        this.given = true;
        this.tell({ type: 'link.taken' });
        return lend();
      },
      takeBack: (unread) => {
        for (const chunk of unread) this.queue.push(chunk);
        this.hold(this.pipe!);
      },
    });
  }

  protected heard(): void {
    if (this.spoke) return;
    this.spoke = true;
    this.onSpoke();
  }

  protected onSpoke(): void {}

  /** Something has come, or is expected now. */
  protected look(): void {
    this.readOn();
  }

  protected readOn(): void {
    if (this.ended) return;
    try {
      while (this.expected !== 'nothing' && this.read());
    } catch (error) {
      this.expected = 'nothing';
      this.fail(error);
    }
  }

  protected abstract fail(error: unknown): void;
}
