/**
 * Hosts a link chart of either side: turns the bytes of the link stage into its events and its commands into bytes. A link
 * that is up keeps its pipe here, reading no more than a little, until a channel takes it.
 */
import type { AnyActorRef, AnyEventObject, AnyMachineSnapshot } from 'xstate';
import type { Agreed, Destination, LinkCommand, LinkName } from '../../machines/contract.ts';
import { addressParts, addressWord } from '../protocol/address.ts';
import { type Caps, CommonCap, hasCap, MainCap, withCap } from '../protocol/capabilities.ts';
import { channelName } from '../protocol/index.ts';
import { LinkErrorCode, linkErrorName, linkHeaderSize, linkMessSize, ticketSize } from '../protocol/link.ts';
import type { Pipe } from '../transport/pipe.ts';
import { ByteQueue } from './byte-queue.ts';
import { keptPipe, writeRelied } from './kept-pipe.ts';
import { LinkStageError, readMess, readReply, sentenceOf, writeMess, writeReply, writeU32 } from './link-stage.ts';
import type { Born, Host, System } from './system.ts';

/** Bytes that a parked link reads ahead; enough to notice that the peer speaks or hangs up. */
const readAhead = 64 * 1024;

/** What both kinds of link need to know about us. */
export interface LinkServices {
  /** Our capability words for a channel ("display:0"): common ones, then its own. */
  caps(channel: string): { readonly commonCaps: Caps; readonly channelCaps: Caps };
}

export interface ClientLinkServices extends LinkServices {
  dial(destination: Destination, secure: boolean, signal: AbortSignal): Promise<Pipe>;
  /** RSA-OAEP (SHA-1) of the password and a NUL, with the server's key (DER SubjectPublicKeyInfo). */
  encryptTicket(pubKey: Uint8Array): Promise<Uint8Array>;
}

export interface ServerLinkServices extends LinkServices {
  /** A fresh RSA-1024 key: its public half, and what decrypts a ticket with the private one. */
  makeKey(
    link: LinkName,
    signal: AbortSignal,
  ): Promise<{ pubKey: Uint8Array; decrypt(ticket: Uint8Array): Promise<Uint8Array> }>;
  /** Whether this password opens the server now. */
  admits(password: string, link: LinkName): boolean;
  /** SPICE_LINK_ERR_NEED_SECURED and the like, before anything else is looked at. */
  policy(channel: string, secure: boolean, link: LinkName): number | undefined;
  /** Does `run` when there is time for strangers; without it, all is done at once. A session's ticket is that of main. */
  inTurn?(link: LinkName, step: 'message' | 'ticket' | 'session' | 'end', run: () => void): void;
  /** For a log: one line. */
  refused?(link: LinkName, peer: string, line: string): void;
  /** The ticket was not good. */
  denied?(link: LinkName): void;
  /** For lists of who is connected. */
  linked?(link: LinkName, channel: string, connectionId: number): void;
  /** The link's chart has ended. */
  over?(link: LinkName): void;
}

type Expected = 'message' | 'reply' | 'mechanism' | 'ticket' | 'result' | 'nothing';

abstract class LinkHost implements Host {
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

export class ClientLinkHost extends LinkHost {
  private readonly services: ClientLinkServices;
  private agreed: Agreed = { commonCaps: [], channelCaps: [], miniHeader: false };

  constructor(system: System, born: Born, services: ClientLinkServices) {
    super(system, born);
    this.services = services;
  }

  obey(command: LinkCommand): void {
    switch (command.type) {
      case 'link.send_mess': {
        const { type, id } = addressParts(command.channel);
        const { commonCaps, channelCaps } = this.services.caps(command.channel);
        this.send(
          writeMess({
            connectionId: command.connectionId,
            channelType: type,
            channelId: id,
            commonCaps,
            channelCaps: command.returning ? withCap(channelCaps, MainCap.returns) : channelCaps,
          }),
        );
        this.expect('reply');
        break;
      }
      case 'link.send_mechanism':
        this.send(writeU32(command.mechanism));
        break;
      case 'link.send_ticket':
        this.send(command.ticket);
        this.expect('result');
        break;
      case 'link.park':
        this.park(this.agreed);
        break;
      case 'link.close':
        this.pipe?.close();
        break;
    }
  }

  async perform(question: string, input: any, signal: AbortSignal): Promise<unknown> {
    if (question === 'encrypt ticket') return this.services.encryptTicket(input.pubKey);
    // A second try, over TLS: what becomes of the first connection is of no interest any more.
    const first = this.pipe;
    this.pipe = undefined;
    first?.close();
    this.queue.takeAll();
    const pipe = await this.services.dial(input.destination, input.secure, signal);
    if (signal.aborted) pipe.abort();
    else this.hold(keptPipe(pipe, this.system.journal));
    return undefined;
  }

  protected read(): boolean {
    if (this.expected === 'reply') {
      const reply = readReply(this.queue);
      if (reply === undefined) return false;
      this.expected = 'nothing';
      this.agreed = {
        commonCaps: reply.commonCaps,
        channelCaps: reply.channelCaps,
        miniHeader: hasCap(reply.commonCaps, CommonCap.miniHeader),
      };
      this.tell({ type: 'link.reply', ...reply });
      return true;
    }
    const result = this.queue.take(4);
    if (result === undefined) return false;
    this.expected = 'nothing';
    this.tell({
      type: 'link.result',
      code: new DataView(result.buffer, result.byteOffset).getUint32(0, true),
    });
    return true;
  }

  protected fail(error: unknown): void {
    this.tell({ type: 'link.violation', reason: sentenceOf(error) });
  }
}

/** Bytes that must have come of what is expected for it to cause work. */
const worthATurn: Readonly<Record<Expected, number>> = {
  message: linkHeaderSize + linkMessSize,
  mechanism: 4 + ticketSize,
  ticket: ticketSize,
  reply: 0,
  result: 0,
  nothing: 0,
};

export class ServerLinkHost extends LinkHost {
  private readonly services: ServerLinkServices;
  private channel = '';
  private agreed: Agreed = { commonCaps: [], channelCaps: [], miniHeader: false };
  private connectionId = 0;
  private readonly nonce: number;
  private decrypt: ((ticket: Uint8Array) => Promise<Uint8Array>) | undefined;
  private refused = false;
  /** It waits for its turn to read, or to end. */
  private waits = false;
  /** Why the connection is no more; what it still said is not read then. */
  private lostBy: string | undefined;

  /** `pipe`: undefined for one that goes on from a journal, and has none any more. */
  constructor(system: System, born: Born, services: ServerLinkServices, pipe: Pipe | undefined) {
    super(system, born);
    this.nonce = born.input.nonce;
    this.services = services;
    if (pipe === undefined) return;
    this.expected = 'message';
    this.hold(keptPipe(pipe, system.journal));
  }

  obey(command: LinkCommand): void {
    switch (command.type) {
      case 'link.send_reply': {
        if (command.error !== LinkErrorCode.ok) this.refuse(linkErrorName(command.error));
        const caps =
          command.error === LinkErrorCode.ok ? this.services.caps(this.channel) : { commonCaps: [], channelCaps: [] };
        this.send(writeReply({ error: command.error, pubKey: command.pubKey, ...caps }));
        if (command.error === LinkErrorCode.ok) {
          this.expect(hasCap(this.agreed.commonCaps, CommonCap.authSelection) ? 'mechanism' : 'ticket');
        }
        break;
      }
      case 'link.send_result':
        this.send(writeU32(command.code), command.code === LinkErrorCode.ok);
        if (command.code === LinkErrorCode.ok) {
          this.services.linked?.(this.link, this.channel, this.connectionId || this.nonce);
        } else {
          this.refuse(linkErrorName(command.code));
          if (command.code === LinkErrorCode.permissionDenied) this.services.denied?.(this.link);
        }
        break;
      case 'link.park':
        this.park(this.agreed);
        if (this.queue.length > 0) queueMicrotask(() => this.heard());
        break;
      case 'link.close':
        this.pipe?.close();
        break;
    }
  }

  async perform(question: string, input: any, signal: AbortSignal): Promise<unknown> {
    if (question === 'make key') {
      const key = await this.services.makeKey(this.link, signal);
      this.decrypt = key.decrypt;
      return key.pubKey;
    }
    const { decrypt } = this;
    // A link has one try: afterwards nothing here can open what was overheard.
    this.decrypt = undefined;
    const plain = await decrypt!(input.ticket);
    const nul = plain.indexOf(0);
    const password = new TextDecoder().decode(nul < 0 ? plain : plain.subarray(0, nul));
    return this.services.admits(password, this.link) ? 'good' : 'bad';
  }

  /** INVARIANT: at most one turn of a link waits; what is wrong from its first bytes on needs none. */
  protected override look(): void {
    const { expected } = this;
    if (expected === 'nothing' || this.waits) return;
    if (this.services.inTurn === undefined || this.queue.length < worthATurn[expected]) {
      this.readOn();
      return;
    }
    const ticket = addressWord(this.channel) === 'main' ? 'session' : 'ticket';
    this.inTurn(expected === 'message' ? 'message' : ticket);
  }

  protected override lose(reason: string): void {
    this.lostBy = reason;
    if (this.services.inTurn === undefined) super.lose(reason);
    else if (!this.waits) this.inTurn('end');
  }

  private inTurn(step: 'message' | 'ticket' | 'session' | 'end'): void {
    this.waits = true;
    this.services.inTurn!(this.link, step, () => {
      this.waits = false;
      if (this.lostBy === undefined) this.readOn();
      else super.lose(this.lostBy);
    });
  }

  override end(): void {
    super.end();
    this.services.over?.(this.link);
  }

  protected read(): boolean {
    switch (this.expected) {
      case 'message': {
        const mess = readMess(this.queue);
        if (mess === undefined) return false;
        this.expected = 'nothing';
        this.channel = channelName(mess.channelType, mess.channelId);
        this.connectionId = mess.connectionId;
        this.agreed = {
          commonCaps: mess.commonCaps,
          channelCaps: mess.channelCaps,
          miniHeader: hasCap(mess.commonCaps, CommonCap.miniHeader),
        };
        const code = this.services.policy(this.channel, this.pipe!.secure, this.link);
        if (code !== undefined) throw new LinkStageError(code, linkErrorName(code));
        this.tell({
          type: 'link.mess',
          connectionId: mess.connectionId,
          channel: this.channel,
          commonCaps: mess.commonCaps,
          channelCaps: mess.channelCaps,
        });
        return true;
      }
      case 'mechanism': {
        const bytes = this.queue.take(4);
        if (bytes === undefined) return false;
        this.expected = 'ticket';
        this.tell({
          type: 'link.mechanism',
          mechanism: new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true),
        });
        return true;
      }
      default: {
        const ticket = this.queue.take(ticketSize);
        if (ticket === undefined) return false;
        this.expected = 'nothing';
        this.tell({ type: 'link.ticket', ticket: ticket.slice() });
        return true;
      }
    }
  }

  /** One line for the people who run this. */
  private refuse(reason: string): void {
    if (this.refused) return;
    this.refused = true;
    const peer = this.pipe?.peer ?? 'nobody';
    const line = `${this.address}: ${peer} is refused: ${reason}`;
    if (this.services.refused === undefined) this.system.log(line);
    else this.services.refused(this.link, peer, line);
  }

  protected override onSpoke(): void {
    this.system.root.send({ type: 'link.spoke', link: this.link } as never);
  }

  protected fail(error: unknown): void {
    const code = error instanceof LinkStageError ? error.linkCode : LinkErrorCode.invalidData;
    this.refuse(sentenceOf(error));
    this.tell({ type: 'link.refused', code, reason: sentenceOf(error) });
  }
}
