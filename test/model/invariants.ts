/**
 * What must be true of every world, each with the sentence of the specification (or of the project's own promises) that it
 * comes from. Some hold after every step, some where nothing can happen any more: there the clock has run as far as anybody
 * waits for it, so whatever still waits waits for ever.
 */

import type { Scheme } from '../../machines/contract.ts';
import { hostOf, isVm } from './hypervisor.ts';
import type { Incident, Move } from './moves.ts';
import { allSchemes, type Scenario } from './scenario.ts';
import { type Actor, type ChannelHost, parentOf, programOf, type World } from './world.ts';

export interface Moment {
  readonly scenario: Scenario;
  readonly world: World;
}
export interface Step extends Moment {
  readonly before: World;
  readonly move: Move;
  readonly incidents: readonly Incident[];
}
export interface Broken {
  readonly invariant: string;
  readonly why: string;
}

interface Always {
  readonly name: string;
  readonly because: string;
  /** Why it does not hold, or undefined if it does. */
  readonly after: (step: Step) => string | undefined;
}
interface InTheEnd {
  readonly name: string;
  readonly because: string;
  readonly rest: (moment: Moment) => string | undefined;
}

// ------------------------------------------------------------------------------------------------------------- words

const value = (actor: Actor | undefined): any => actor?.state?.snapshot.value;
const context = (actor: Actor | undefined): any => actor?.state?.snapshot.context;
const client = (world: World) => world.actor('client');
const staying = (world: World) => value(client(world))?.up?.staying !== undefined;
const home = (world: World): string => context(client(world)).destination.host;
const channelsOf = (world: World, program: string) => world.programs.get(program)?.hosts ?? [];

/** A fault is written down with what it befell: "cut main:0 source". */
const befell = (world: World, ...words: string[]) =>
  world.facts.faults.some((fault) => words.some((word) => fault.startsWith(word)));

const servers = (world: World) => [...world.programs.keys()].filter((name) => name !== 'client' && !isVm(name));

/** Nothing went wrong, nothing was slow, nobody lost patience. */
const smooth = ({ facts }: World) => facts.faults.length === 0 && facts.rushed === 0 && !facts.gaveUp;

/** The client has closed this connection of a server's, which has not heard of it. */
function hungUp(world: World, path: string): boolean {
  const host = world.actor(path)?.host;
  return host?.side === 'server' && world.connections.get(host.pipe)?.client.open === false;
}

/** The best scheme that all three are capable of and that the hypervisor allows (spec §3.0). */
function bestScheme({ scheme, schemes = {}, declines, tokenless }: Scenario): Scheme {
  const { client: ours = allSchemes, source = allSchemes, target = allSchemes } = schemes;
  const can = (one: Scheme) =>
    one === 'semi-seamless'
      ? ours.includes(one) && source.includes(one)
      : one === 'switch-host' ||
        (ours.includes(one) &&
          source.includes(one) &&
          (one === 'early-link' || (target.includes(one) && !declines && !tokenless)));
  const announced = allSchemes
    .slice(allSchemes.indexOf(scheme))
    .find(
      (one) =>
        one === 'switch-host' || (ours.includes(one) && source.includes(one) && !(one === 'seamless' && tokenless)),
    );
  // What the target cannot do is found out only when it is linked: then there is one way down.
  if (announced === 'seamless' && !can('seamless')) return 'semi-seamless';
  const best = allSchemes.slice(allSchemes.indexOf(scheme)).find(can) ?? 'switch-host';
  // Both know the old message for the announcement of an early link, whatever was called for.
  return best === 'switch-host' && can('early-link') ? 'early-link' : best;
}

// ------------------------------------------------------------------------------------------------- after every step

export const always: readonly Always[] = [
  {
    name: 'honest peers never offend',
    because: 'spec §5.9: what is a violation is bogus; honest peers send nothing bogus, whatever the order',
    after: ({ incidents, world, before, scenario }) => {
      const violation = incidents.find((incident) => incident.do === 'violation');
      if (violation === undefined || befell(world, 'bad data')) return undefined;
      // What comes to a session that its client has left is nobody's offence: the server has not heard yet that it is over.
      if (hungUp(before, `${parentOf(violation.path)}/main:0`)) return undefined;
      // A channel that was not up at the source yet is linked at the target when main has gone over. Where main's data come
      // later than that, the target takes it for one of those that bring data: it is hung up once, and linked again.
      const waited = value(before.actor(violation.path))?.flow === 'awaiting migrate data';
      if ((scenario.cold || scenario.added !== undefined) && waited && world.facts.rushed > 0) return undefined;
      return `${violation.path} takes offence: ${violation.reason}`;
    },
  },
  {
    name: 'no chart breaks',
    because:
      'our own promise: no stray message ends a process; XState ends an actor that tells something to a child that is gone',
    after: ({ incidents }) => {
      for (const incident of incidents) if (incident.do === 'break') return `${incident.path}: ${incident.why}`;
      return undefined;
    },
  },
  {
    name: 'one server at a time',
    because:
      'spec §3: the client shows SRC until it leaves it, then DST; outside of a hand-over every channel is at one host',
    after: ({ world }) => {
      if (!staying(world)) return undefined;
      for (const { path, host, state } of channelsOf(world, 'client')) {
        const wire = world.connections.get(host.pipe);
        if (wire === undefined || !state!.flowing || wire.server === home(world)) continue;
        return `${path} shows ${wire.server} while the client is at ${home(world)}`;
      }
      return undefined;
    },
  },
  {
    name: 'no answer is taken for another attempt’s',
    because:
      'spec §5.3, §6.25: answers are not correlated in the protocol; a server matches them to attempts by itself',
    after: ({ incidents, before: earlier }) => {
      const answer = incidents.find((incident) => incident.do === 'answer');
      if (answer === undefined) return undefined;
      for (const incident of incidents) {
        if (incident.do !== 'lead') continue;
        const before = incident.from?.snapshot.value;
        const took = before === 'awaiting the answer' || before === 'holding the end back';
        const after = incident.to.snapshot.value;
        const now = earlier.facts.announced[answer.session];
        if (took && after !== before && now !== answer.announcement) {
          return `${incident.path} takes the answer to announcement ${answer.announcement} for that to ${now}`;
        }
      }
      return undefined;
    },
  },
  {
    name: 'completed only when the client has left',
    because: 'spec §4: SPICE_MIGRATE_COMPLETED fires when the last client has gone after the end, or had to go',
    after: ({ incidents, world, move }) => {
      for (const incident of incidents) {
        if (incident.do !== 'report' || incident.news.event !== 'migrate_end_complete' || !incident.news.completed)
          continue;
        // Whoever has not gone by the deadline had to go, and is counted.
        if (move.timer && incident.news.overdue > 0) continue;
        if (world.facts.guest === incident.path) continue;
        for (const { path, host, state } of channelsOf(world, 'client')) {
          if (host.lender !== '') continue;
          const wire = world.connections.get(host.pipe);
          if (wire?.server === incident.path && wire.far.open && wire.client.open && state!.flowing) {
            return `${incident.path} says so while ${path} is still with it`;
          }
        }
      }
      return undefined;
    },
  },
  {
    name: 'an unproven link reaches nothing',
    because:
      'spec §1.3, §1.5: the ticket is checked before the connection id; a bad one is told PERMISSION_DENIED and closed',
    after: ({ world, before, move }) => {
      const { unproven } = move;
      if (unproven === undefined) return undefined;
      const was = before.programs.get(unproven)!.actors;
      for (const [path, now] of world.programs.get(unproven)!.actors) {
        if (path !== unproven && was.get(path) !== now) return `${path} has heard of it`;
      }
      const [now, then] = [context(world.actor(unproven)), context(before.actor(unproven))];
      const same =
        now.sessions.length === then.sessions.length &&
        Object.keys(now.waiting).length === Object.keys(then.waiting).length;
      return same ? undefined : 'the supervisor remembers it';
    },
  },
  {
    name: 'a guest runs at one host at a time',
    because:
      'our own promise: until the target is told to run it, the guest is the source’s; from then on nothing gives it back',
    after: ({ world }) => (world.facts.runs.length > 1 ? `it runs at ${world.facts.runs.join(' and ')}` : undefined),
  },
  {
    name: 'nothing is doubled or reordered',
    because: 'spec §3d 7-8: what the client says goes to SRC until the flush mark and to DST after the migrate data',
    after: ({ world }) =>
      smooth(world) && !world.facts.fellBack && world.facts.gap === 'mixed up'
        ? 'a message was heard twice, or after a later one'
        : undefined,
  },
];

// --------------------------------------------------------------------------------------------- where nothing happens

const cutOff = (world: World) => befell(world, 'cut main:0', 'host cut', 'server disconnects');

/** Why it may be that the client has closed; each needs a fault that took away what it lived on. */
function closedWithReason(world: World, { returns = false }: Scenario): boolean {
  const { facts } = world;
  return (
    befell(world, 'client leaves', 'client silent', 'server disconnects') ||
    // Nobody has the guest: what the target was told was lost, and the target with it.
    facts.guest === '' ||
    // It never came in: there is no session to lose.
    !facts.greeted ||
    // Spec §3g: whoever says nothing for as long as anybody waits is taken for silent, and what is said after that comes too
    // late: a target's goodbye to a client that has settled there (spec §5.7: main lost is the end of the session) ...
    facts.letDown ||
    // ... a client's word to a target that has waited for it for half an hour, and a link to who has the guest.
    (facts.gaveUp && facts.rushed > 0) ||
    facts.passedBy.includes(facts.guest) ||
    // Spec §4: the source must live until every client has left it, by itself. Ended before that, or silent when a client that
    // was cut off comes back to it, nobody had told the client where the
    // guest was going, or it was not linked there any more and was not told where to go afresh.
    ((befell(world, 'source ends early') ||
      ([...facts.silent, ...facts.passedBy].includes('source') && cutOff(world))) &&
      (facts.followed === 0 || /^(failed|cancelled)$/.test(facts.phase))) ||
    // The program says that there is no way to where the source sends its client (spec §3a).
    befell(world, 'no destination client') ||
    // Spec §5.7: main lost is the end of the session; §2.2: a server that cannot say how the guest is ends it.
    befell(world, 'no facts main:0', 'bad data main:0') ||
    // A client that may return looks for its server where its connections were only cut.
    (!returns && befell(world, 'cut main:0', 'host cut')) ||
    // Nobody answers where the guest is: a client that was on its way there, or was cut off and looked for it there.
    (facts.silent.includes(facts.guest) && (facts.guest !== 'source' || cutOff(world))) ||
    // Spec §1.3: its password was no good where the guest is, when it was tried last.
    facts.denied.includes(`main:0 ${facts.guest}`)
  );
}

/**
 * The client may be where the guest is not: where it is, or where the guest is, nobody says a word any more; or it was cut off,
 * and its server let it wait too long (spec §3g), or refused it, when it came back, so it went to the only other place it knows.
 */
const astrayWithReason = (world: World): boolean =>
  world.facts.silent.length > 0 ||
  world.facts.passedBy.includes(world.facts.guest) ||
  befell(world, `refused ${world.facts.guest}`);

const rests: Readonly<Record<string, (actor: Actor, world: World) => boolean>> = {
  'session/client': (actor) => value(actor).up?.staying === 'settled',
  'session/server': (actor) => value(actor).serving === 'staying',
  supervisor: (actor, world) =>
    value(actor).move === 'guest is here' ||
    (value(actor).move === 'guest is away' && world.facts.guest !== programOf(actor.path)),
  'migration/hypervisor': (actor) => ['none', 'completed', 'failed', 'cancelled'].includes(value(actor)),
};
/** What the regions of a channel are in when it may be used. */
const usable: readonly [chart: RegExp, region: string, states: readonly string[]][] = [
  [/./, 'flow', ['flowing']],
  [/^main/, 'greeting', ['greeted']],
  [/^display\/client/, 'picture', ['shown']],
  [/^display\/server/, 'introduction', ['done']],
  [/^inputs\/client/, 'locks', ['known']],
  [/^inputs\/server/, 'locks', ['told']],
  [/^cursor\/client/, 'pointer', ['known']],
  [/^playback\/client/, 'sound', ['playing']],
  [/^playback\/server/, 'sound', ['playing']],
  [/^record\/client/, 'microphone', ['open']],
  [/^record\/server/, 'microphone', ['open']],
];

export const inTheEnd: readonly InTheEnd[] = [
  {
    name: 'the session is not lost',
    because:
      'spec §5.1–5.3: whatever fails, the client stays with SRC or is sent to DST; it is lost only when nobody lets it in',
    rest: ({ world, scenario }) => {
      const { facts } = world;
      if (facts.silent.includes('client')) return undefined;
      if (client(world) === undefined) {
        return closedWithReason(world, scenario)
          ? undefined
          : `the client has closed, and the guest at ${facts.guest} can be reached`;
      }
      if (!staying(world) || facts.guest === '') return undefined;
      if (home(world) !== facts.guest) {
        return astrayWithReason(world) ? undefined : `the client is at ${home(world)}, the guest at ${facts.guest}`;
      }
      return undefined;
    },
  },
  {
    name: 'every channel is up where the client is',
    because: 'spec §5.4: the client moves every channel that it has; one that could not move is linked again',
    rest: ({ world, scenario }) => {
      const { facts } = world;
      if (client(world) === undefined || !staying(world) || facts.silent.length > 0) return undefined;
      const listed = [
        ...scenario.channels,
        ...(scenario.added !== undefined && facts.hidden.length === 0 ? [scenario.added] : []),
      ];
      for (const channel of ['main:0', ...listed]) {
        const actor = world.actor(`client/${channel}`);
        const pipe = (actor?.host as ChannelHost | undefined)?.pipe ?? '';
        // Spec §1.3: its password was no good there, when it was tried last.
        if (pipe === '' && facts.denied.includes(`${channel} ${home(world)}`)) continue;
        const wire = world.connections.get(pipe);
        if (actor === undefined || wire === undefined) return `${channel} is not up at the client`;
        const far = world.actor(wire.far.reader);
        if (far === undefined || parentOf(far.path) === wire.server) return `${channel} has nobody at the other end`;
        for (const end of [actor, far]) {
          for (const [chart, region, states] of usable) {
            const now = value(end)[region];
            if (chart.test(end.state!.chart.name) && now !== undefined && !states.includes(now)) {
              return `${end.path}: ${region} is "${now}"`;
            }
          }
        }
      }
      return undefined;
    },
  },
  {
    name: 'nothing waits for ever',
    because: 'spec §3g: what the reference waits for without end has a deadline here, or a peer that must act',
    rest: ({ world }) => {
      const { silent } = world.facts;
      for (const actor of world.actors()) {
        const program = programOf(actor.path);
        if (silent.includes(hostOf(program))) continue;
        if (actor.question !== undefined) {
          if (actor.question.name === 'dial' && silent.includes(actor.question.input.destination.host)) continue;
          return `${actor.path}: nobody answers "${actor.question.name}"`;
        }
        const name = actor.state!.chart.name;
        const test = rests[name];
        if (test !== undefined && !test(actor, world)) {
          // The source must say how the move went.
          if (name === 'session/client' && silent.includes('source')) continue;
          return `${actor.path} is in ${JSON.stringify(value(actor))}`;
        }
        if (test === undefined && /^(migration|link)\//.test(name)) {
          if (program === 'client' && silent.includes('source')) continue;
          return `${actor.path} is still there, in ${JSON.stringify(value(actor))}`;
        }
        const { flow } = value(actor);
        if (flow !== undefined && flow !== 'flowing' && flow !== 'down') {
          if (program === 'client' && silent.includes('source')) continue;
          return `${actor.path}: flow is "${flow}"`;
        }
      }
      return undefined;
    },
  },
  {
    name: 'nothing is left behind',
    because:
      'spec §6.2, §6.22–24: after a cancel, a failure or a move no target link, parked link or count is left anywhere',
    rest: ({ world }) => {
      const { silent } = world.facts;
      for (const wire of world.connections.values()) {
        if (silent.includes('client') || silent.includes(wire.server)) continue;
        if (!wire.client.open || !wire.far.open) return `${wire.id} is half open`;
        const [near, far] = [world.actor(wire.client.reader), world.actor(wire.far.reader)];
        const uses = (actor: Actor | undefined) => actor?.host?.kind === 'channel' && actor.host.pipe === wire.id;
        if (!uses(near)) return `${wire.id} is used by nobody at the client`;
        if (!uses(far)) return `${wire.id} is used by nobody at ${wire.server}`;
        if (client(world) !== undefined && staying(world) && wire.server !== home(world))
          return `${wire.id} is still there`;
      }
      for (const server of servers(world)) {
        if (silent.includes(server)) continue;
        const { waiting, unanswered, undeparted, sessions } = context(world.actor(server));
        if (Object.keys(waiting).length > 0) return `${server} still keeps ${Object.keys(waiting)}`;
        if (unanswered.length > 0 || undeparted.length > 0) return `${server} still counts sessions`;
        for (const { session } of sessions) {
          const inside = context(world.actor(`${server}/${session}`));
          if (inside === undefined) return `${server} knows ${session}, which is gone`;
          if (Object.keys(inside.reserved).length > 0)
            return `${server}/${session} still keeps ${Object.keys(inside.reserved)} free`;
          if (inside.offer !== null) return `${server}/${session} still has an offer`;
          if (inside.answersOwed !== 0 && silent.length === 0)
            return `${server}/${session} is owed ${inside.answersOwed} answers`;
        }
      }
      const { letGo, left } = context(client(world)) ?? { letGo: [], left: null };
      if (staying(world) && (letGo.length > 0 || left !== null) && silent.length === 0)
        return 'the client remembers what it left';
      return undefined;
    },
  },
  {
    name: 'a seamless move loses nothing',
    because:
      'spec §3d 7-8, §3f: the client’s queue goes on at DST after the migrate data; SRC consumes all before the flush mark',
    rest: ({ world, scenario }) => {
      const { typed, heard, gap, schemes, fellBack } = world.facts;
      if (scenario.typed === undefined || !smooth(world) || fellBack) return undefined;
      if (schemes.some((scheme) => scheme !== 'seamless')) return undefined;
      if (client(world) === undefined) return undefined;
      return typed === heard && gap === 'none' ? undefined : `${typed} were typed, the last one heard was ${heard}`;
    },
  },
  {
    name: 'the best scheme is used',
    because: 'spec §3.0: d → c → a, and down only for a reason; an end before the answer is held back',
    rest: ({ world, scenario }) => {
      const { moves, schemes, fellBack } = world.facts;
      if (!smooth(world) || moves !== '+' || scenario.cold || client(world) === undefined) return undefined;
      const best = bestScheme(scenario);
      if (schemes.at(-1) !== best) return `it came down to ${schemes.at(-1)}, not ${best}`;
      // What the target cannot do is found out only when it is linked, and the source of an early link hears of nothing.
      const early = best === 'early-link' && scenario.schemes?.target?.includes('early-link') === false;
      return fellBack !== early ? `the client ${early ? 'did not fall' : 'fell'} back from ${best}` : undefined;
    },
  },
  {
    name: 'a guest runs where it is',
    because: 'our own promise: nothing that happens to the target or on the way can take the guest from the source',
    rest: ({ world, scenario }) => {
      const { guest, runs, silent } = world.facts;
      if (scenario.led !== true || guest === '' || silent.includes(guest) || runs.includes(guest)) return undefined;
      return `the guest stands at ${guest}`;
    },
  },
  {
    name: 'every hand-over is told to its end',
    because: 'our own promise: one line per hand-over with its outcome',
    rest: ({ world }) => {
      const { phase, silent } = world.facts;
      if (client(world) === undefined || silent.length > 0 || (phase !== 'begun' && phase !== 'linked'))
        return undefined;
      return `the last that was told is "${phase}"`;
    },
  },
];

const whole: readonly Broken[] = [];

export const invariants = {
  afterMove: (step: Step): readonly Broken[] => {
    let broken = whole;
    for (const { name, after } of always) {
      const why = after(step);
      if (why !== undefined) broken = [...broken, { invariant: name, why }];
    }
    return broken;
  },
  atRest: (moment: Moment): Broken[] =>
    inTheEnd.flatMap(({ name, rest }) => {
      const why = rest(moment);
      return why === undefined ? [] : [{ invariant: name, why }];
    }),
  outcome: ({ world }: Moment): string => {
    const { guest, phase, faults } = world.facts;
    const what = faults.length === 0 ? '' : ` (${faults.map((fault) => fault.replace(/ .*/, '')).join(', ')})`;
    const actor = client(world);
    if (actor === undefined) return `closed; guest at ${guest}; told: ${phase}${what}`;
    const { up } = context(actor);
    const state = staying(world)
      ? `at ${home(world)} with ${up.length} channels`
      : `in ${JSON.stringify(value(actor))}`;
    return `${state}; guest at ${guest}; told: ${phase}${what}`;
  },
};

/** Where an invariant comes from. */
export const becauseOf = (invariant: string): string =>
  [...always, ...inTheEnd].find(({ name }) => name === invariant)?.because ??
  'spec §3g: a hand-over has an end: whatever goes round for ever, or waits for nothing, is a livelock';
