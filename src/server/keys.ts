/** RSA keys for tickets: one of 1,024 bits for each link (spec §1.5), a few of them made ahead of time. */
import { constants, generateKeyPair, type KeyObject, privateDecrypt } from 'node:crypto';
import { availableParallelism } from 'node:os';

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

/** Keys that are made at one time: making one takes a processor for some milliseconds, and others have work to do. */
const atOnce = Math.max(1, availableParallelism() >> 1);

interface Asker {
  readonly give: (key: TicketKey) => void;
  readonly fail: (error: unknown) => void;
}

/**
 * Keeps `ahead` keys ready, so that a client that links six channels at once does not wait for six keys. When more are asked
 * for, those who ask take turns by where they are from: nobody waits behind all that one stranger has asked for.
 */
export class KeyStore {
  private readonly ready: TicketKey[] = [];
  private readonly asking = new Map<string, Set<Asker>>();
  private making = 0;
  private asked = 0;
  private readonly ahead: number;

  constructor(ahead = 8) {
    this.ahead = ahead;
    this.fill();
  }

  /** `origin`: who asks. Rejects with the signal's reason when the key is not wanted any more. */
  take(origin = '', signal?: AbortSignal): Promise<TicketKey> {
    const key = this.ready.shift();
    if (key !== undefined) {
      this.fill();
      return Promise.resolve(key);
    }
    return new Promise((resolve, reject) => {
      const asker: Asker = { give: resolve, fail: reject };
      const those = this.asking.get(origin) ?? new Set();
      this.asking.set(origin, those.add(asker));
      this.asked++;
      signal?.addEventListener('abort', () => {
        if (this.drop(origin, asker)) reject(signal.reason);
      });
      this.fill();
    });
  }

  private fill(): void {
    while (this.making < atOnce && this.making < this.asked + this.ahead - this.ready.length) {
      this.making++;
      makeKey().then(
        (key) => this.made((asker) => asker.give(key), key),
        (error) => this.made((asker) => asker.fail(error)),
      );
    }
  }

  private made(answer: (asker: Asker) => void, key?: TicketKey): void {
    this.making--;
    const [turn] = this.asking;
    if (turn !== undefined) {
      const [origin, those] = turn;
      const [asker] = those;
      this.drop(origin, asker!);
      // To the end of the line.
      if (this.asking.delete(origin)) this.asking.set(origin, those);
      answer(asker!);
    } else if (key !== undefined) this.ready.push(key);
    if (key !== undefined || this.asked > 0) this.fill();
  }

  private drop(origin: string, asker: Asker): boolean {
    const those = this.asking.get(origin);
    if (!those?.delete(asker)) return false;
    this.asked--;
    if (those.size === 0) this.asking.delete(origin);
    return true;
  }
}
