/**
 * The guest's agent as a server sees it: the application's end of the agent's port, and how far each client may speak to it.
 * Messages are passed on whole and unread; what they say is between the client and the agent (spec §2.3, §3e).
 */
import { type Observable, Subject } from 'rxjs';
import type { ChannelHost } from '../engine/channel-host.ts';
import { WireError } from '../errors.ts';
import {
  AgentAssembler,
  AgentMessageHeader,
  agentPieces,
  agentProtocol,
  VDIChunkHeader,
  VDPPort,
} from '../protocol/agent.ts';
import { hasCap, MainCap } from '../protocol/capabilities.ts';
import { emptyCharDevice, type MainMigrateData } from '../protocol/migrate-data.ts';
import { decode, encode } from '../wire/codec.ts';

/** Pieces that a client may send ahead, as libspice-server has it. */
export const agentWindow = 10;
/** Pieces that were taken before the client is told so. */
const worthTelling = 5;
const mostTokens = 0xffffffff;

/** `type`: an `AgentMessageType`. `body`: what follows the message's header, at most 16 MiB; a copy. */
export interface AgentPost {
  readonly type: number;
  readonly body: Uint8Array;
}

export type AgentNews =
  /** This client speaks to the agent from now on: it hears what is sent, and what it said before is void. */
  | { readonly type: 'joined'; readonly session: string }
  | { readonly type: 'left'; readonly session: string }
  | { readonly type: 'message'; readonly session: string; readonly message: AgentPost };

interface Viewer {
  /** The client has said that it speaks to the agent. */
  started: boolean;
  /** What the client was told last. */
  told: boolean;
  /** Pieces that the client may still send. */
  mayHear: number;
  /** Pieces that were taken and not told of. */
  taken: number;
  /** Pieces that may be sent to the client. */
  maySay: number;
  readonly assembler: AgentAssembler;
}

export class ServerAgent {
  private readonly all = new Subject<AgentNews>();
  /** What clients say to the agent, and which of them do. */
  readonly news: Observable<AgentNews> = this.all.asObservable();
  private readonly viewers = new Map<ChannelHost, Viewer>();
  private there = false;

  /** Whether the guest has an agent that runs. */
  get connected(): boolean {
    return this.there;
  }

  /** The agent has opened its port: clients are told, and begin to speak to it. */
  connect(): void {
    this.turn(true);
  }

  /** The agent is gone. What was under way is void. */
  disconnect(): void {
    this.turn(false);
  }

  /**
   * Says something to the clients that speak to the agent, or to one of them. Returns to how many it went: a client that has not
   * left room for all of it is passed over; it is never queued. Throws WireError when the body is larger than 4 GiB.
   */
  send({ type, body }: AgentPost, to?: string): number {
    if (!this.there) return 0;
    const whole = new Uint8Array(20 + body.length);
    whole.set(encode(AgentMessageHeader, { protocol: agentProtocol, type, opaque: 0n, size: body.length }));
    whole.set(body, 20);
    const pieces = [...agentPieces(whole)];
    let count = 0;
    for (const [host, viewer] of this.viewers) {
      if (!viewer.started || viewer.maySay < pieces.length || !host.open) continue;
      if (to !== undefined && to !== sessionOf(host)) continue;
      viewer.maySay -= pieces.length;
      for (const data of pieces) host.send({ type: 'msg.agent_data', body: { data } });
      count++;
    }
    return count;
  }

  // ------------------------------------------------------------------------------------------------ for the channel

  attach(host: ChannelHost): void {
    const viewer: Viewer = {
      ...{ started: false, told: false, mayHear: agentWindow, taken: 0, maySay: 0 },
      assembler: new AgentAssembler(),
    };
    this.viewers.set(host, viewer);
    host.states.subscribe((state) => {
      if (state.type === 'ready' && viewer.told !== this.there) this.tell(host, viewer);
      else if (state.type === 'ready') this.giveBack(host, viewer);
      else if (state.type === 'ended') {
        this.viewers.delete(host);
        this.leave(host, viewer);
      }
    });
    host.messages.subscribe(({ type, body }) => {
      if (type === 'msgc.agent_start') this.join(host, viewer, body.numTokens);
      else if (type === 'msgc.agent_token') viewer.maySay = Math.min(mostTokens, viewer.maySay + body.numTokens);
      else if (type === 'msgc.agent_data') this.hear(host, viewer, body.data);
    });
  }

  /** The client is about to be told whether there is an agent. Returns whether there is. */
  ask(host: ChannelHost): boolean {
    const viewer = this.viewers.get(host);
    if (viewer !== undefined) this.begin(host, viewer);
    return this.there;
  }

  /** What the target of a seamless hand-over goes on with: tokens, and the bytes of a message that is under way. */
  collect(host: ChannelHost): Pick<MainMigrateData, 'agentBase' | 'clientAgentStarted' | 'client2agent'> {
    const viewer = this.viewers.get(host);
    if (!this.there || viewer === undefined) {
      return {
        ...{ agentBase: emptyCharDevice(), clientAgentStarted: false },
        client2agent: { msgRemaining: 0, msgFilterResult: 0 },
      };
    }
    const begun = viewer.assembler.unfinished;
    const writeData = new Uint8Array(begun.length === 0 ? 0 : chunkHeaderSize + begun.length);
    if (begun.length > 0) {
      writeData.set(encode(VDIChunkHeader, { port: VDPPort.client, size: begun.length }));
      writeData.set(begun, chunkHeaderSize);
    }
    return {
      agentBase: {
        ...emptyCharDevice(),
        connected: true,
        numClientTokens: viewer.mayHear,
        numSendTokens: viewer.maySay,
        writeData,
      },
      clientAgentStarted: viewer.started,
      client2agent: { msgRemaining: viewer.assembler.missing, msgFilterResult: 0 },
    };
  }

  /** Throws WireError when the bytes are no agent's. */
  load(host: ChannelHost, { agentBase, clientAgentStarted }: MainMigrateData): void {
    const viewer = this.viewers.get(host);
    if (viewer === undefined) return;
    viewer.told = agentBase.connected;
    if (!agentBase.connected || !this.there) return;
    viewer.mayHear = Math.min(agentWindow, agentBase.numClientTokens);
    viewer.taken = agentWindow - viewer.mayHear;
    viewer.maySay = agentBase.numSendTokens;
    viewer.started = clientAgentStarted;
    if (viewer.started) this.all.next({ type: 'joined', session: sessionOf(host) });
    const { writeData } = agentBase;
    for (let at = 0; at < writeData.length; ) {
      const { size } = decode(VDIChunkHeader, writeData.subarray(at, at + chunkHeaderSize));
      at += chunkHeaderSize;
      if (size > writeData.length - at) throw new WireError('count', at, `an agent's chunk of ${size} bytes`);
      this.pass(host, viewer, writeData.subarray(at, at + size));
      at += size;
    }
  }

  // --------------------------------------------------------------------------------------------------------- inside

  private turn(there: boolean): void {
    if (this.there === there) return;
    this.there = there;
    for (const [host, viewer] of this.viewers) if (host.open) this.tell(host, viewer);
  }

  /** Tells a client that there is an agent now, or that there is none any more. */
  private tell(host: ChannelHost, viewer: Viewer): void {
    this.begin(host, viewer);
    if (!this.there) host.send({ type: 'msg.agent_disconnected', body: { errorCode: 0 } });
    else if (!hasCap(host.peerCaps, MainCap.agentConnectedTokens)) host.send({ type: 'msg.agent_connected', body: {} });
    else host.send({ type: 'msg.agent_connected_tokens', body: { numTokens: agentWindow } });
  }

  /** Nothing was said yet: the client has to say that it speaks to the agent. */
  private begin(host: ChannelHost, viewer: Viewer): void {
    this.leave(host, viewer);
    Object.assign(viewer, { told: this.there, mayHear: agentWindow, taken: 0, maySay: 0 });
  }

  private join(host: ChannelHost, viewer: Viewer, tokens: number): void {
    if (!this.there) return;
    this.leave(host, viewer);
    viewer.started = true;
    viewer.maySay = tokens;
    this.all.next({ type: 'joined', session: sessionOf(host) });
  }

  private leave(host: ChannelHost, viewer: Viewer): void {
    viewer.assembler.reset();
    if (!viewer.started) return;
    viewer.started = false;
    this.all.next({ type: 'left', session: sessionOf(host) });
  }

  private hear(host: ChannelHost, viewer: Viewer, piece: Uint8Array): void {
    // It was said to an agent that is gone, or to the one of the server before.
    if (!viewer.started) return;
    if (viewer.mayHear === 0) {
      host.refuse('more for the agent than there is room for');
      return;
    }
    viewer.mayHear--;
    viewer.taken++;
    try {
      this.pass(host, viewer, piece);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      host.refuse(error.message);
      return;
    }
    this.giveBack(host, viewer);
  }

  private pass(host: ChannelHost, viewer: Viewer, piece: Uint8Array): void {
    for (const { header, body } of viewer.assembler.push(piece)) {
      this.all.next({ type: 'message', session: sessionOf(host), message: { type: header.type, body } });
    }
  }

  private giveBack(host: ChannelHost, viewer: Viewer): void {
    if (viewer.taken < worthTelling || !host.send({ type: 'msg.agent_token', body: { numTokens: viewer.taken } }))
      return;
    viewer.mayHear += viewer.taken;
    viewer.taken = 0;
  }
}

const chunkHeaderSize = 8;

/** "server/session:3/main:0" is of "session:3". */
const sessionOf = ({ address }: ChannelHost): string => address.split('/')[1]!;
