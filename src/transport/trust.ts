/**
 * Whom a TLS client believes, as SPICE clients do (spec §1.8): a pinned key; or else a chain that ends at a CA, and the
 * certificate's subject when one is asked for, the host's name when not. Node only.
 * INVARIANT: nothing here accepts a certificate because a check could not be made.
 */

import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { type ConnectionOptions, checkServerIdentity, type TLSSocket } from 'node:tls';
import { TransportError } from './failure.ts';
import { parseSubject, subjectMatches } from './subject.ts';

export interface TlsTrust {
  /** CA certificates in PEM. Without them, those that Node trusts. */
  readonly ca?: string | readonly string[] | undefined;
  /** The subject that the peer's certificate must have, `O=Sumac,CN=localhost`; then its host name does not count. */
  readonly hostSubject?: string | undefined;
  /** The name asked for (SNI) and checked instead of the host dialled. */
  readonly servername?: string | undefined;
  /** The peer's public key, SubjectPublicKeyInfo in DER; then neither chain, subject nor name counts. */
  readonly pinned?: Uint8Array | undefined;
}

/** What `tls.connect` needs to make these checks itself. Throws UsageError when `hostSubject` is no subject. */
export function trustOptions(trust: TlsTrust, host: string): ConnectionOptions {
  const { hostSubject } = trust;
  if (hostSubject !== undefined) parseSubject(hostSubject);
  const servername = trust.servername ?? host;
  const options: ConnectionOptions = {
    // Names only: an address is no server name (RFC 6066 §3).
    servername: isIP(servername) === 0 ? servername : '',
    // A pinned key is looked at by `checkPinned`, before the first byte is sent or read.
    rejectUnauthorized: trust.pinned === undefined,
    checkServerIdentity(_name, certificate) {
      if (hostSubject === undefined) return checkServerIdentity(servername, certificate);
      const { subject } = new X509Certificate(certificate.raw);
      if (subjectMatches(hostSubject, subject)) return undefined;
      const is = subject?.replaceAll('\n', ',') ?? '';
      return new TransportError('wrong-subject', `The certificate's subject is "${is}", not "${hostSubject}"`);
    },
  };
  if (trust.ca !== undefined) options.ca = typeof trust.ca === 'string' ? trust.ca : [...trust.ca];
  return options;
}

/** Compares the peer's key with the pinned one; to be called once TLS stands. */
export function checkPinned(socket: TLSSocket, pinned: Uint8Array): TransportError | undefined {
  const key = socket.getPeerX509Certificate()?.publicKey.export({ type: 'spki', format: 'der' });
  if (key?.equals(pinned)) return undefined;
  return new TransportError('wrong-key', "The certificate's key is not the pinned one");
}
