/**
 * Hosts a server's link chart: reads what a stranger says he is, and answers (spec §1). Until his ticket is good, all that he
 * causes waits for its turn, his goodbye too; nothing here decides who may come in.
 */
import type { Agreed, LinkCommand, LinkName } from '../../machines/contract.ts';
import { addressWord } from '../protocol/address.ts';
import { CommonCap, hasCap } from '../protocol/capabilities.ts';
import { channelName } from '../protocol/index.ts';
import { LinkErrorCode, linkErrorName, linkHeaderSize, linkMessSize, ticketSize } from '../protocol/link.ts';
import type { Pipe } from '../transport/pipe.ts';
import { keptPipe } from './kept-pipe.ts';
import { type Expected, LinkHost, type LinkServices } from './link-host.ts';
import { LinkStageError, readMess, sentenceOf, writeReply, writeU32 } from './link-stage.ts';
import type { Born, System } from './system.ts';

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
