/** Encrypts a password for a server: RSA-OAEP with SHA-1 (spec §1.5), by the platform's own WebCrypto. */
import { LinkError } from '../errors.ts';
import { longestPassword } from '../protocol/link.ts';

/** `pubKey`: DER SubjectPublicKeyInfo. Throws LinkError when the password is too long or the key is none. */
export async function encryptTicket(pubKey: Uint8Array, password: string): Promise<Uint8Array> {
  const plain = new TextEncoder().encode(`${password}\0`);
  if (plain.length > longestPassword + 1) throw new LinkError(`a SPICE password has at most ${longestPassword} bytes`);
  try {
    const key = await crypto.subtle.importKey(
      'spki',
      new Uint8Array(pubKey),
      { name: 'RSA-OAEP', hash: 'SHA-1' },
      false,
      ['encrypt'],
    );
    return new Uint8Array(await crypto.subtle.encrypt({ name: 'RSA-OAEP' }, key, plain));
  } catch (error) {
    throw new LinkError('the server sent a key that is none', undefined, { cause: error });
  }
}
