/** The bodies of display messages by the messages' names. Types only. */
import type { Message } from '../protocol/channel.ts';
import type { DisplayChannel } from '../protocol/display.ts';

type Server = (typeof DisplayChannel)['server'];

/** The body of the message of that name. */
export type DisplayBody<Name extends string> = Name extends keyof Server
  ? Server[Name] extends Message<infer Body>
    ? Body
    : never
  : never;
