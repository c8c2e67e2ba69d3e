/** Hosts a client's link chart: dials, says who we are, and turns the server's answers into events (spec §1). */
import type { Agreed, Destination, LinkCommand } from '../../machines/contract.ts';
import { addressParts } from '../protocol/address.ts';
import { CommonCap, hasCap, MainCap, withCap } from '../protocol/capabilities.ts';
import type { Pipe } from '../transport/pipe.ts';
import { keptPipe } from './kept-pipe.ts';
import { LinkHost, type LinkServices } from './link-host.ts';
import { readReply, sentenceOf, writeMess, writeU32 } from './link-stage.ts';
import type { Born, System } from './system.ts';

export interface ClientLinkServices extends LinkServices {
  dial(destination: Destination, secure: boolean, signal: AbortSignal): Promise<Pipe>;
  /** RSA-OAEP (SHA-1) of the password and a NUL, with the server's key (DER SubjectPublicKeyInfo). */
  encryptTicket(pubKey: Uint8Array): Promise<Uint8Array>;
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
