/**
 * RSA keys of 1,024 bits for tickets (spec §1.5), made ahead of time. A link gets one of its own while there are some; in a
 * crowd links share the last one until the next is made. INVARIANT: no ticket is taken twice under one key, so that who
 * overhears one has nothing; and but for the first few, making keys costs no more than a quarter of one processor, and in a
 * crowd a sixteenth.
 */
import { constants, generateKeyPair, type KeyObject, privateDecrypt } from 'node:crypto';
import { type Clock, wallClock } from '../engine/clock.ts';
import { SumacError } from '../errors.ts';

export interface TicketKey {
  /** DER SubjectPublicKeyInfo, 162 bytes. */
  readonly pubKey: Uint8Array;
  /** RSA-OAEP (SHA-1). Rejects when the ticket was not made with this key, or has come before. */
  decrypt(ticket: Uint8Array): Promise<Uint8Array>;
}

export interface KeyOptions {
  /** Keys that are kept ready. Default 8. */
  readonly ahead?: number;
  readonly make?: () => Promise<TicketKey>;
  /** Making a key takes a real processor real time, whatever time it is elsewhere. */
  readonly clock?: Clock;
}

const makeKey = (): Promise<TicketKey> =>
  new Promise((resolve, reject) => {
    generateKeyPair('rsa', { modulusLength: 1024, publicExponent: 65537 }, (error, publicKey, privateKey) => {
      if (error !== null) reject(error);
      else resolve(ticketKey(publicKey, privateKey));
    });
  });

function ticketKey(publicKey: KeyObject, privateKey: KeyObject): TicketKey {
  const seen = new Set<string>();
  return {
    pubKey: new Uint8Array(publicKey.export({ type: 'spki', format: 'der' })),
    decrypt: async (ticket) => {
      const word = String.fromCharCode(...ticket);
      if (seen.has(word)) throw new SumacError('link.ticket', 'this ticket has come before');
      seen.add(word);
      const padding = constants.RSA_PKCS1_OAEP_PADDING;
      return new Uint8Array(privateDecrypt({ key: privateKey, padding, oaepHash: 'sha1' }, ticket));
    },
  };
}

/** Links that share a key at most: further ones wait for the next, which bounds the tickets that are remembered. */
const mostSharing = 1_000;
/** After a key is made nothing is made for so many times as long; and so many if the one before was shared in a crowd. */
const rest = { usual: 3, crowd: 15 } as const;
/** Links that share a key when they are a crowd. */
const crowd = 16;
/** Milliseconds until another try when a key could not be made. */
const retry = 100;

interface Asker {
  readonly give: (key: TicketKey) => void;
  readonly fail: (error: unknown) => void;
}

export class KeyStore {
  private readonly ready: TicketKey[] = [];
  /** The last key that was given out, while there is no other. */
  private shared: { readonly key: TicketKey; links: number } | undefined;
  /** Those who came before there was any key to share. */
  private readonly asking = new Set<Asker>();
  private making = false;
  /** There were enough once: from then on making them rests. */
  private stocked = false;
  private readonly ahead: number;
  private readonly make: () => Promise<TicketKey>;
  private readonly clock: Clock;

  constructor({ ahead = 8, make = makeKey, clock = wallClock }: KeyOptions = {}) {
    this.ahead = ahead;
    this.make = make;
    this.clock = clock;
  }

  /** Makes keys ahead, from now on. Without this, the first one is made when it is asked for. */
  stock(): void {
    this.fill();
  }

  /** Rejects with the signal's reason when the key is not wanted any more, or because none can be made. */
  take(signal?: AbortSignal): Promise<TicketKey> {
    const key = this.ready.shift() ?? this.share();
    if (key !== undefined && this.ready.length === 0 && this.shared?.key !== key) this.shared = { key, links: 1 };
    this.fill();
    if (key !== undefined) return Promise.resolve(key);
    return new Promise((resolve, reject) => {
      const asker: Asker = { give: resolve, fail: reject };
      this.asking.add(asker);
      signal?.addEventListener('abort', () => {
        if (this.asking.delete(asker)) reject(signal.reason);
      });
    });
  }

  private share(): TicketKey | undefined {
    if (this.shared === undefined || this.shared.links >= mostSharing) return undefined;
    this.shared.links++;
    return this.shared.key;
  }

  private fill(): void {
    if (this.making) return;
    if (this.ready.length >= Math.max(1, this.ahead)) {
      this.stocked = true;
      return;
    }
    this.making = true;
    const start = this.clock.now();
    const again = (ms: number) => {
      const timer = this.clock.setTimeout(() => {
        this.making = false;
        this.fill();
      }, ms);
      // A program that has nothing else to do ends.
      (timer as { unref?(): void } | undefined)?.unref?.();
    };
    this.make().then(
      (key) => {
        const crowded = (this.shared?.links ?? 0) >= crowd;
        this.give(key);
        again(this.stocked ? (this.clock.now() - start) * (crowded ? rest.crowd : rest.usual) : 0);
      },
      (error) => {
        for (const { fail } of this.asking) fail(error);
        this.asking.clear();
        again(retry);
      },
    );
  }

  /** One key is enough for all who wait, up to the most that may share it. */
  private give(key: TicketKey): void {
    if (this.asking.size === 0) {
      this.ready.push(key);
      this.shared = undefined;
      return;
    }
    const those = [...this.asking].slice(0, mostSharing);
    this.shared = { key, links: those.length };
    for (const asker of those) {
      this.asking.delete(asker);
      asker.give(key);
    }
  }
}
