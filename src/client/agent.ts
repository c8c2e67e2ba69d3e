/**
 * The guest's agent as a client sees it (spec §2.3): messages both ways, cut into pieces, no faster than the server leaves room
 * for. After a seamless hand-over it goes on as if nothing had been; after any other, both begin anew. An agent that says nonsense
 * is a program in the guest: it loses our ear, and the session nothing.
 */
import { BehaviorSubject, type Observable, Subject } from 'rxjs';
import type { ChannelHost } from '../engine/channel-host.ts';
import type { Clock } from '../engine/clock.ts';
import { WireError } from '../errors.ts';
import {
  AgentAssembler,
  AgentCap,
  type AgentMessage,
  agentPieces,
  decodeAgentMessage,
  encodeAgentMessage,
  knowsAgentMessage,
} from '../protocol/agent.ts';
import { caps, hasCap } from '../protocol/capabilities.ts';
import { longestAgentMessage } from '../protocol/header.ts';
import { ClientClipboard } from './clipboard.ts';

/** What we can do, as the agent is told. */
const abilities = caps(
  AgentCap.clipboardByDemand,
  AgentCap.clipboardSelection,
  AgentCap.monitorsConfig,
  AgentCap.maxClipboard,
);

export class ClientAgent {
  private readonly heard = new Subject<AgentMessage>();
  /** What the agent says. Byte fields are copies. */
  readonly messages: Observable<AgentMessage> = this.heard.asObservable();
  private readonly there = new BehaviorSubject(false);
  /** Whether there is an agent that can be spoken to. Begins with the present state. */
  readonly states: Observable<boolean> = this.there.asObservable();
  readonly clipboard: ClientClipboard;
  private host: ChannelHost | undefined;
  private readonly assembler = new AgentAssembler();
  /** Pieces that may be sent. */
  private tokens = 0;
  /** Pieces that wait until there is room, and their bytes. */
  private waiting: Uint8Array[] = [];
  private waitingBytes = 0;
  private theirs: readonly number[] = [];

  private readonly log: (line: string) => void;

  /** Use `client.agent`. */
  constructor(clock: Clock, log: (line: string) => void) {
    this.log = log;
    this.clipboard = new ClientClipboard(this, clock);
  }

  get connected(): boolean {
    return this.there.value;
  }

  /** What the agent can do, as words of `AgentCap`; empty until it has said so. */
  get caps(): readonly number[] {
    return this.theirs;
  }

  /**
   * False when there is no agent, or when more than 16 MiB wait already; nothing is sent then. Throws WireError when a value does
   * not fit its field.
   */
  send(message: AgentMessage): boolean {
    if (!this.connected || this.waitingBytes > longestAgentMessage) return false;
    const whole = encodeAgentMessage(message, this.spoken);
    this.waiting.push(...agentPieces(whole));
    this.waitingBytes += whole.length;
    this.pump();
    return true;
  }

  attach(host: ChannelHost): void {
    this.host = host;
    host.states.subscribe(({ type }) => {
      if (type === 'reset') this.end();
      if (type === 'ended' && this.host === host) {
        this.host = undefined;
        this.end();
      }
    });
    host.messages.subscribe(({ type, body }) => {
      if (type === 'msg.init') {
        this.tokens = body.agentTokens;
        if (body.agentConnected !== 0) this.begin();
        else this.end();
      } else if (type === 'msg.agent_connected') this.begin();
      else if (type === 'msg.agent_connected_tokens') {
        this.tokens = body.numTokens;
        this.begin();
      } else if (type === 'msg.agent_disconnected') this.end();
      else if (type === 'msg.agent_token') {
        this.tokens += body.numTokens;
        this.pump();
      } else if (type === 'msg.agent_data') this.hear(body.data);
    });
  }

  private get spoken() {
    return {
      clipboardSelection: hasCap(this.theirs, AgentCap.clipboardSelection),
      clipboardGrabSerial:
        hasCap(this.theirs, AgentCap.clipboardGrabSerial) && hasCap(abilities, AgentCap.clipboardGrabSerial),
    };
  }

  private begin(): void {
    this.end();
    this.there.next(true);
    this.send({ type: 'announce_capabilities', body: { request: 1, caps: [...abilities] } });
  }

  private end(): void {
    this.assembler.reset();
    this.waiting = [];
    this.waitingBytes = 0;
    this.theirs = [];
    if (!this.connected) return;
    this.there.next(false);
    this.clipboard.end();
  }

  private pump(): void {
    let sent = 0;
    while (sent < this.waiting.length && this.tokens > 0) {
      const data = this.waiting[sent]!;
      if (this.host?.send({ type: 'msgc.agent_data', body: { data } }) !== true) break;
      this.tokens--;
      this.waitingBytes -= data.length;
      sent++;
    }
    this.waiting.splice(0, sent);
  }

  private hear(piece: Uint8Array): void {
    if (!this.connected) return;
    try {
      for (const { header, body } of this.assembler.push(piece)) {
        if (knowsAgentMessage(header.type)) this.take(header.type, body);
      }
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.log(`the guest's agent is not listened to any more: ${error.message}`);
      this.end();
    }
  }

  private take(type: number, bytes: Uint8Array): void {
    const message = decodeAgentMessage(type, bytes, this.spoken);
    if (message.type === 'announce_capabilities') {
      const first = this.theirs.length === 0;
      this.theirs = message.body.caps;
      if (message.body.request !== 0) {
        this.send({ type: 'announce_capabilities', body: { request: 0, caps: [...abilities] } });
      }
      if (hasCap(this.theirs, AgentCap.maxClipboard)) this.send({ type: 'max_clipboard', body: { max: mostPasted } });
      if (first) this.clipboard.begin();
    }
    this.heard.next(message);
    this.clipboard.take(message);
  }
}

/** Bytes of a clipboard; a message has some more. */
const mostPasted = longestAgentMessage - 64;
