/**
 * What goes wrong between two hosts, as one kind of error with one clear sentence. Runs anywhere.
 * A sentence names the peer, never a secret, a stack or a library's own code; those stay in `cause`.
 */

import { SumacError } from '../errors.ts';

export type TransportFault =
  | 'refused' // nobody listens there
  | 'unreachable' // no way to that host
  | 'not-found' // the name of the host, or the path of the socket, is not known
  | 'timed-out' // no connection within the time given
  | 'cancelled' // the caller gave the dialling up
  | 'not-tls' // the peer does not speak TLS, or none that both know
  | 'untrusted' // the certificate's chain does not end at a CA that is trusted
  | 'wrong-name' // the certificate is for another host
  | 'wrong-subject' // the certificate's subject is not the one asked for
  | 'wrong-key' // the certificate's key is not the pinned one
  | 'lost' // the connection broke
  | 'stalled' // the peer took nothing for too long while the pipe was closing
  | 'overrun' // the peer sent more than may be kept for a reader that pauses
  | 'malformed' // the peer broke the rules of the transport itself
  | 'crowded'; // more connections than are allowed

/** A connection that did not come about, or that broke. `code` is `transport.` and the fault. */
export class TransportError extends SumacError {
  readonly fault: TransportFault;

  constructor(fault: TransportFault, message: string, options?: ErrorOptions) {
    super(`transport.${fault}`, message, options);
    this.fault = fault;
  }
}
