/**
 * What happens to a client, as lines: JSON for programs, sentences for people. Whatever a server has said in them is made
 * harmless on the way.
 */
import type { ClientEvent } from '../client/client.ts';
import { jsonLine, plain } from './terminal.ts';

/** `at`: milliseconds since the program began to connect. */
export const clientJson = (at: number, event: ClientEvent): string => jsonLine({ at: rounded(at), ...event });

/** Undefined for what is not worth a line. */
export function clientSentence(at: number, event: ClientEvent): string | undefined {
  const said = sentenceOf(event);
  return said === undefined ? undefined : `${(at / 1000).toFixed(3).padStart(9)} s  ${plain(said)}`;
}

function sentenceOf(event: ClientEvent): string | undefined {
  switch (event.event) {
    case 'channel':
      return `${event.channel} is ${event.state}${event.reason ? `: ${explainReason(event.reason)}` : ''}`;
    case 'session':
      return `session ${event.connectionId}`;
    case 'reconnect':
      return reconnectSentence(event);
    case 'frame':
      return `${event.channel} shows ${event.width} × ${event.height}`;
    case 'closed':
      return `closed: ${explainReason(event.reason)}`;
    case 'handover': {
      const { phase, scheme, from, to, channels, reason, gapMs } = event;
      const count = `, ${channels.length} ${channels.length === 1 ? 'channel' : 'channels'}`;
      const gap = gapMs === undefined ? '' : `, gap ${gapMs.toFixed(1)} ms`;
      return `hand-over ${phase}: ${scheme}, ${from} → ${to}${count}${gap}${reason ? `: ${reason}` : ''}`;
    }
  }
}

function reconnectSentence(event: Extract<ClientEvent, { event: 'reconnect' }>): string {
  switch (event.phase) {
    case 'waiting': {
      const lost = `connection lost: ${explainReason(event.reason)}`;
      return `${lost}; try ${event.try} of ${event.tries} in ${(event.inMs / 1000).toFixed(1)} s`;
    }
    case 'session lost':
      return `the session is lost: ${explainReason(event.reason)}; a new one is begun`;
    case 'back':
      return `connected again, ${event.returned ? 'with the session as it was' : 'with a new session'}`;
    case 'given up':
      return `given up after ${event.try} ${event.try === 1 ? 'try' : 'tries'}`;
  }
}

const rounded = (ms: number): number => Math.round(ms * 1000) / 1000;

/** What a server's answer to a link means to the person who typed the command. */
const meanings: Readonly<Record<string, string>> = {
  error: 'the server refuses the link',
  invalidMagic: 'the server takes this for something else than SPICE',
  invalidData: 'the server does not understand the link',
  versionMismatch: 'the server speaks another version of SPICE',
  needSecured: 'the server wants TLS',
  needUnsecured: 'the server wants no TLS',
  permissionDenied: 'permission denied: the password is wrong or has expired',
  badConnectionId: 'the server does not know the session',
  channelNotAvailable: 'the server has no such channel',
};

export const explainReason = (reason: string): string => (Object.hasOwn(meanings, reason) ? meanings[reason]! : reason);
