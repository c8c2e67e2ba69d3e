/** What a run of the checker takes for granted: who can do what, which channels there are, and what may go wrong how often. */
import type { Scheme } from '../../machines/contract.ts';

export const faults = {
  refused: 'a connection is refused, or ends in the link stage',
  cut: 'one connection is broken; both ends are told sooner or later, what is under way is lost',
  'host cut': 'every connection to one server is broken',
  'target silent': 'the target takes nothing and says nothing any more, and its connections stay open',
  'source silent': 'the source takes nothing and says nothing any more, and its connections stay open',
  'client silent': 'the client takes nothing and says nothing any more, and its connections stay open',
  restart: 'the target is started again: it forgets its sessions',
  'source ends': 'the program that the guest has left ends, and nobody listens there any more',
  expired: "the target's password expires: links that were not proven before are refused",
  retarget: 'the hypervisor announces another target',
  reannounce: 'the hypervisor announces the same target again',
  'channel added': 'the source lists one more channel',
  'no facts': 'the guest does not answer a question',
  'no data': "a channel's state cannot be collected",
  'bad data': 'migrate data do not fit at the target',
  'no destination': 'the program cannot say where a hand-over goes',
  'client leaves': 'the client is closed by its program',
  'server disconnects': 'a server is told to disconnect everybody',
  again: 'the guest is moved once more after a move that came to nothing',
  elsewhere: 'the guest is moved to another target after a move that came to nothing',
  onward: 'the guest moves on from the target at once',
  back: 'the guest moves from the target back to the source at once',
  'line refused':
    'the target does not take the guest, or the line breaks before it says so (where charts lead the move)',
  'line cut': 'the line on which the guest moves is cut, at any moment (where charts lead the move)',
} as const;
export type Fault = keyof typeof faults;

export interface Scenario {
  readonly name: string;
  /** The best scheme that the hypervisor's call allows. */
  readonly scheme: Scheme;
  /** What each end admits to. Without a word of its own a server or client admits to all four. */
  readonly schemes?: {
    readonly client?: readonly Scheme[];
    readonly source?: readonly Scheme[];
    readonly target?: readonly Scheme[];
  };
  /** The client knows no AGENT_CONNECTED_TOKENS, without which there is no seamless hand-over (spec §3.0). */
  readonly tokenless?: boolean;
  /** Clients that are lost may return to their session, and look for their server by themselves. */
  readonly returns?: boolean;
  /** The target claims the capability for seamless hand-overs, and declines when it is asked. */
  readonly declines?: boolean;
  /** Channels beside main. */
  readonly channels: readonly string[];
  /** One that the source lists only after a while. */
  readonly added?: string;
  readonly faults: readonly Fault[];
  /** At most so many faults in one run. */
  readonly most: number;
  /** Timers that may be over while something else is about to happen, in one run. */
  readonly rush: number;
  /** Numbered messages that the client's application may send, and on which channel. */
  readonly typed?: { readonly channel: string; readonly messages: number };
  /** Data messages that the servers' applications may send, at any time, on any channel. */
  readonly chatter?: number;
  /** How often a hand-over links a target again that was lost. Default: never; it makes each world several times as large. */
  readonly relinks?: number;
  /** A network that is none: messages of one connection overtake each other. Only to see that the checker notices. */
  readonly disorder?: boolean;
  /** The guest has an agent. */
  readonly agent?: boolean;
  /** The charts of the hypervisors lead the move. Without, the hypervisor is a stranger who may say anything at any time. */
  readonly led?: boolean;
  /** Servers of another make: the state of every channel travels with a seamless move, which the protocol lets them do. */
  readonly stateOfAll?: boolean;
  /** A source of another make: it answers attach_channels when it likes. */
  readonly listsLate?: boolean;
  /** The move may begin before the client is up. */
  readonly cold?: boolean;
}

export const allSchemes: readonly Scheme[] = ['seamless', 'early-link', 'semi-seamless', 'switch-host'];
