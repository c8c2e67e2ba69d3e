/**
 * Mutants that live, each with why it may. A mutant that is killed after all may stay here; one that is not here may not live.
 * Most cannot be told from their charts by anybody. Those that begin with "gap:" can: a test for each would be welcome.
 */
export interface Survivor {
  readonly mutant: string | RegExp;
  readonly why: string;
}

export const survivors: readonly Survivor[] = [
  {
    mutant: 'supervisor | drop transition | root on "*"',
    why: 'a second lock on the door: each word that XState would end a chart for is heard by a region already',
  },
  {
    mutant: /\| drop transition \| flow\.down on "plane\.closed"$/,
    why: 'a channel that is down has no link in use, which is what the root asks for before it acts',
  },
  {
    mutant:
      /\/client \| drop (transition|target) \| (pointer|locks|sound|microphone|agent|channels|greeting|picture) on "link\.attach"$/,
    why: 'a channel is attached only when it is down, and with that all regions have begun anew',
  },
  {
    mutant: 'cursor/client | begin elsewhere | pointer in "known"',
    why: 'a link is attached before anything can be heard, and that sets the region',
  },
  {
    mutant: /(invokes "ask the guest" onError|introduction\.awaited after "init deadline")( to .*)?$/,
    why: 'the channel gives up in the same step: the root takes every region back, wherever it was',
  },
  {
    mutant: /^session\/client \| drop reenter \|/,
    why: 'the state that is entered again has no entry, exit, timer or actor of its own; its first child is entered either way',
  },
  {
    mutant: /^link\/client \| drop target \| linking\.encrypting ticket invokes "encrypt ticket" onDone/,
    why: 'gap: what becomes of a link to a server that knows no choice of mechanisms, after the ticket',
  },
  {
    mutant: /^migration\/client \| drop target \| preparing\.main is linked always/,
    why: 'it has settled for less by then, and the way that is left leads to the same state',
  },
  {
    mutant: /^main\/client \| .* \| channels(\.unknown( at the target)?)? (in|on) /,
    why: 'gap: only a server that owes the answer to attach_channels for a whole move brings a client there',
  },
  {
    mutant: /"remember the reason"$/,
    why: 'gap: a word for people in a report that comes later',
  },
  {
    mutant: /^migration\/client \| drop (action|transition) \| (linked|target lost) on "channel\.down"/,
    why: 'gap: the hand-over waits for a channel that is gone until its deadline, and goes on then',
  },
  {
    mutant: /^session\/client \| .*("remember that it is down"|"hear what was kept"|to "drawing")$/,
    why: 'gap: what is remembered of a channel that was given up, or heard before a client was back, is looked at by no test',
  },
  {
    mutant: 'session/client | drop action | reconnecting.deciding always [1]: "tell what has become of the hand-over"',
    why: 'gap: what is told of a hand-over in the middle of which the server was looked for, and all tries came to nothing',
  },
  {
    mutant: 'session/server | retarget | serving.moving on "migration.offer" to "staying"',
    why: 'a session that stays and has a move to tell goes on to telling it in the same step',
  },
];

/** Why it may live, if it may. */
export const known = (id: string): string | undefined =>
  survivors.find(({ mutant }) => (typeof mutant === 'string' ? mutant === id : mutant.test(id)))?.why;

export const isKnown = (id: string): boolean => known(id) !== undefined;

/** Nobody can tell it from its chart. */
export const isEquivalent = (id: string): boolean => known(id)?.startsWith('gap:') === false;
