/**
 * What happens at a server, as lines: JSON for programs, sentences for people. What a client has said in them is made
 * harmless on the way.
 */

import { channelName } from '../protocol/index.ts';
import type { Notice } from '../qmp/spice-words.ts';
import type { ServerEvent } from '../server/server.ts';
import { jsonLine, plain } from './terminal.ts';

export type HostEvent =
  | ServerEvent
  /** What happens to the guest, as QMP tells it. */
  | { readonly event: 'guest'; readonly notice: Notice }
  | { readonly event: 'log'; readonly line: string };

/** The notices that tell of the guest; those of SPICE are told by the server itself. */
export const isOfGuest = ({ event }: Notice): boolean => ['MIGRATION', 'STOP', 'RESUME', 'SHUTDOWN'].includes(event);

/** `at`: milliseconds since the program began. */
export function hostJson(at: number, event: HostEvent): string {
  const time = Math.round(at * 1000) / 1000;
  if (event.event !== 'guest') return jsonLine({ at: time, ...event });
  const { notice } = event;
  return jsonLine({ at: time, event: notice.event.toLowerCase(), ...notice.data });
}

/** Undefined for what is not worth a line. */
export function hostSentence(at: number, event: HostEvent): string | undefined {
  const said = sentenceOf(event);
  return said === undefined ? undefined : `${(at / 1000).toFixed(3).padStart(9)} s  ${plain(said)}`;
}

function sentenceOf(event: HostEvent): string | undefined {
  switch (event.event) {
    case 'initialized': {
      const { client, channelType, channelId, tls } = event;
      const who = client.port === '' ? client.host : `${client.host}:${client.port}`;
      return `${channelName(channelType, channelId)} is open for ${who}${tls ? ' over TLS' : ''}`;
    }
    case 'session': {
      const why = event.reason ? `: ${event.reason}` : '';
      return `${event.session} is ${event.state}${why}`;
    }
    case 'arrived':
      return `${event.session} has arrived with the guest: ${event.scheme}`;
    case 'migrate_connect_complete':
      return `the guest may move: ${event.linked} of ${event.clients} clients are linked to the target`;
    case 'migrate_end_complete':
      return `the move is ${event.completed ? 'over' : 'off'}, for every client`;
    case 'guest':
      return guestSentence(event.notice);
    case 'log':
      return event.line;
    default:
      return undefined;
  }
}

function guestSentence({ event, data }: Notice): string {
  switch (event) {
    case 'STOP':
      return 'the guest stands';
    case 'RESUME':
      return 'the guest runs';
    case 'MIGRATION':
      return `migration: ${data?.status}`;
    default:
      return event.toLowerCase();
  }
}
