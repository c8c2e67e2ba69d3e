/** RSA keys for tickets: one of 1,024 bits for each link (spec §1.5), a few of them made ahead of time. */
import { constants, generateKeyPair, type KeyObject, privateDecrypt } from 'node:crypto';

export interface TicketKey {
  /** DER SubjectPublicKeyInfo, 162 bytes. */
  readonly pubKey: Uint8Array;
  /** RSA-OAEP (SHA-1). Rejects when the ticket was not made with this key. */
  decrypt(ticket: Uint8Array): Promise<Uint8Array>;
}

const makeKey = (): Promise<TicketKey> =>
  new Promise((resolve, reject) => {
    generateKeyPair('rsa', { modulusLength: 1024, publicExponent: 65537 }, (error, publicKey, privateKey) => {
      if (error !== null) reject(error);
      else resolve(ticketKey(publicKey, privateKey));
    });
  });

const ticketKey = (publicKey: KeyObject, privateKey: KeyObject): TicketKey => ({
  pubKey: new Uint8Array(publicKey.export({ type: 'spki', format: 'der' })),
  decrypt: async (ticket) =>
    new Uint8Array(
      privateDecrypt({ key: privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' }, ticket),
    ),
});

/** Keeps `ahead` keys ready, so that a client that links six channels at once does not wait for six keys. */
export class KeyStore {
  private readonly ready: Promise<TicketKey>[] = [];
  private readonly ahead: number;

  constructor(ahead = 8) {
    this.ahead = ahead;
    this.fill();
  }

  take(): Promise<TicketKey> {
    const key = this.ready.shift() ?? makeKey();
    this.fill();
    return key;
  }

  private fill(): void {
    while (this.ready.length < this.ahead) {
      const key = makeKey();
      key.catch(() => {});
      this.ready.push(key);
    }
  }
}
