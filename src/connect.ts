/**
 * The client for Node: connect() over TCP, TLS or a unix socket. It decides whom to dial and whom to believe; what is said
 * then is the client's own business.
 * INVARIANT: a session that began without a plain port never goes over one, wherever the guest moves.
 */
import { X509Certificate } from 'node:crypto';
import type { Destination } from '../machines/contract.ts';
import { loadOpus } from './audio/opus.ts';
import { readSpiceUri, type SpiceAddress } from './cli/uri.ts';
import { type Client, type ClientOptions, connect as connectWith, resume as resumeWith } from './client/client.ts';
import { UsageError } from './errors.ts';
import { parseSubject } from './transport/subject.ts';
import { dialTcp } from './transport/tcp.ts';

export interface ConnectOptions extends Omit<ClientOptions, 'destination' | 'dial' | 'loadOpus'> {
  /** `spice://HOST:PORT`, `spice+tls://HOST:PORT`, `spice+unix:///PATH`; this or `destination` is needed. */
  readonly uri?: string | undefined;
  readonly destination?: SpiceAddress | undefined;
  /** CA certificates in PEM, for TLS. Default: those that Node trusts. */
  readonly ca?: string | undefined;
  /**
   * The subject that the first server's certificate must have, `O=Sumac,CN=localhost`, instead of its host's name. A server
   * that the guest moves to has the one that was announced with it.
   */
  readonly hostSubject?: string | undefined;
  /** Never dials a plain port, at any server. Default: when the address has a TLS port alone. */
  readonly secure?: boolean | undefined;
  /** Sound comes and goes as samples, not as Opus: larger, and exact. */
  readonly rawSound?: boolean | undefined;
  /** Dials in another way; then `ca` and `secure` do not count. */
  readonly dial?: ClientOptions['dial'] | undefined;
}

export interface ResumeOptions extends ConnectOptions {
  /**
   * Takes up the session of the program that wrote to `journal` last, if it ended without a word: the password is proved
   * again, and the server asked for the session. Where there is nothing to take up the client begins anew; the log tells.
   */
  readonly resume: true;
}

/**
 * Connects to a SPICE server over TCP, TLS or a unix socket. Returns at once, or with `resume` as soon as the journal is read:
 * `client.events` tells what becomes of it, and `closed` is the last event. Throws UsageError when the address, CA or subject cannot be used.
 */
export function connect(options: ResumeOptions): Promise<Client>;
export function connect(options: ConnectOptions): Client;
export function connect({ resume, ...options }: ConnectOptions & { resume?: true }): Client | Promise<Client> {
  return resume === true ? resumeWith(dialled(options)) : connectWith(dialled(options));
}

function dialled(options: ConnectOptions): ClientOptions {
  const { uri, destination: given, ca, hostSubject, secure, rawSound, dial, ...rest } = options;
  if ((uri === undefined) === (given === undefined)) throw new UsageError('Either a uri or a destination is needed');
  const address = given ?? readSpiceUri(uri!);
  if (ca !== undefined) checkCertificates(ca);
  if (hostSubject !== undefined) parseSubject(hostSubject);
  const tlsAlone = address.path === undefined && address.port === undefined && address.tlsPort !== undefined;
  const neverPlain = secure ?? address.secure ?? tlsAlone;
  const certSubject = hostSubject ?? (given as Destination | undefined)?.certSubject;
  const destination: Destination = {
    host: address.path ?? address.host,
    ...(address.path !== undefined || neverPlain ? {} : { port: address.port }),
    ...(address.path !== undefined ? {} : { tlsPort: address.tlsPort }),
    ...(certSubject === undefined ? {} : { certSubject }),
  };
  if (address.path === undefined && destination.port === undefined && destination.tlsPort === undefined) {
    throw new UsageError(neverPlain ? `${address.host} has no TLS port` : `${address.host} has no port`);
  }
  return {
    ...rest,
    loadOpus: rawSound ? undefined : () => loadOpus(),
    password: rest.password ?? address.password,
    destination,
    dial: dial ?? dialer(address.path, neverPlain, ca),
  };
}

function dialer(path: string | undefined, neverPlain: boolean, ca: string | undefined): ClientOptions['dial'] {
  return ({ host, port, tlsPort, certSubject }, secure, signal) => {
    // Only the very socket that was asked for: no server can send a client to another one.
    if (path !== undefined && host === path && port === undefined && tlsPort === undefined) {
      return dialTcp({ host, path }, { signal });
    }
    if (!secure && !neverPlain) return dialTcp({ host, port }, { signal });
    return dialTcp({ host, tlsPort }, { tls: { ca, hostSubject: certSubject || undefined }, signal });
  };
}

/** Throws UsageError unless the text holds PEM certificates, all of them whole. */
function checkCertificates(pem: string): void {
  const certificates = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  try {
    if (certificates.length === 0) throw new UsageError('none');
    for (const certificate of certificates) new X509Certificate(certificate);
  } catch (error) {
    throw new UsageError('The CA certificate is not one in PEM', { cause: error });
  }
}
