/**
 * Hand-overs without end, each with another scheme, latency and misfortune. After each the client must be where the guest
 * is, with every channel, the picture and the keyboard; and what the programs hold on to must not grow.
 */
import type { Scheme } from '../../machines/contract.ts';
import { Random } from '../fuzz/random.ts';
import { everyChannel, type Follower, type Host, World } from './world.ts';

const schemes: readonly Scheme[] = ['seamless', 'early-link', 'semi-seamless', 'switch-host'];

/** What clients admit to: everything, what the reference clients do, and less. */
const clients: readonly (readonly Scheme[])[] = [
  schemes,
  ['seamless', 'semi-seamless', 'switch-host'],
  ['semi-seamless', 'switch-host'],
  ['switch-host'],
];

/** What goes wrong in a move. The session must live through all of it. */
export const faults = [
  'nothing',
  'it is over at once',
  'it is given up at once',
  'it is given up on the way',
  'it is given up when all are linked',
  'the target refuses, and is there at the end',
  'the target refuses, and it is given up',
  'the target is silent, and is there at the end',
  'the target is silent, and it is given up',
  'the target loses its connections',
  'the target loses its connections while the client goes over',
  'the target restarts before the end',
  'another target is announced',
  'the same target is announced twice',
  'a channel at the source breaks',
  'the source loses its connections before the end',
  'the connections are cut, and the client returns',
  'the connections are lost without a sign, and the client returns',
  'the server restarts, and the client comes back',
] as const;
export type Fault = (typeof faults)[number];

export interface SoakOptions {
  readonly handovers: number;
  readonly seed: number;
  /** Clients, 1 to 4. Default 1. */
  readonly followers?: number;
  /** Told of each move: for people who wait. */
  readonly onMove?: (done: number, line: string) => void;
  /** Bytes that are in use, after the garbage was collected. */
  readonly heap?: () => number;
  /** Moves between two samples. Default: a fourth of them all. */
  readonly every?: number;
  /** Told of each sample. */
  readonly onSample?: (sample: Sample) => void;
}

export interface SoakReport {
  readonly moves: number;
  readonly arrived: number;
  readonly stayed: number;
  readonly byFault: Readonly<Record<string, number>>;
  readonly byScheme: Readonly<Record<string, number>>;
  /** What was in use when everything was at rest: after the first moves, now and then, and at the end. */
  readonly samples: readonly Sample[];
  /** Hours that have gone by in there. */
  readonly hours: number;
}

export interface Sample {
  readonly move: number;
  /** Bytes. */
  readonly heap: number;
  readonly holdings: World['holdings'];
}

/** Bytes that the heap grows with each move, by the straight line that fits best; the first sample warms up. */
export function growth(samples: readonly Sample[]): number {
  const settledDown = samples.length >= 4 ? samples.slice(1) : samples;
  const mean = (of: (sample: Sample) => number) =>
    settledDown.reduce((sum, sample) => sum + of(sample), 0) / settledDown.length;
  const [move, heap] = [mean((sample) => sample.move), mean((sample) => sample.heap)];
  const spread = settledDown.reduce((sum, sample) => sum + (sample.move - move) ** 2, 0);
  return settledDown.reduce((sum, sample) => sum + (sample.move - move) * (sample.heap - heap), 0) / (spread || 1);
}

/** Something that may not be. The message tells the move, and how it came about. */
export class SoakError extends Error {}

export async function soak({
  handovers,
  seed,
  followers = 1,
  onMove,
  heap = () => 0,
  every = Math.ceil(handovers / 4),
  onSample,
}: SoakOptions): Promise<SoakReport> {
  const random = new Random(seed);
  const first = random.below(clients.length);
  const world = new World(
    random,
    schemes,
    Array.from({ length: followers }, (_, i) => (followers === 1 ? schemes : clients[(first + i) % clients.length]!)),
  );
  const { clock } = world;
  const byFault: Record<string, number> = {};
  const byScheme: Record<string, number> = {};
  let at = world.hosts[0]!;
  let arrived = 0;
  const samples: Sample[] = [];
  await settled(world, at, false);
  for (let move = 1; move <= handovers; move++) {
    world.latency = random.once(3) ? 0 : random.size(random.once(8) ? 600 : 120);
    world.jitter = random.once(2) ? 0 : random.size(60);
    const scheme = random.pick(schemes);
    const fault = random.once(3) ? 'nothing' : random.pick(faults);
    const target = random.pick(world.hosts.filter((host) => host !== at));
    world.told.length = 0;
    world.keys.length = 0;
    for (const follower of world.followers) {
      follower.news.length = 0;
      follower.typed = [];
      if (random.once(2)) follower.type();
    }
    const line = `move ${move}, ${scheme} from ${at.name} to ${target.name}, ${world.latency}+${world.jitter} ms: ${fault}`;
    try {
      const moved = await go(world, at, target, scheme, fault);
      if (moved !== undefined) {
        arrived++;
        at = moved;
      }
      await settled(world, at, moved !== undefined);
      if (!breaks.has(fault)) for (const follower of world.followers) checkKeys(world, follower);
      // Tries are counted until a session has held: to lose it once more before that could rightly be the end of it.
      if (world.followers.some(({ tries }) => tries > mostTries)) await clock.advance(steadyTime);
      byFault[fault] = (byFault[fault] ?? 0) + 1;
      for (const { switched } of world.followers) {
        if (switched !== undefined) byScheme[switched] = (byScheme[switched] ?? 0) + 1;
      }
      if (world.log.some((text) => /fault of ours|chart failed| failed: /.test(text)))
        throw new Error(world.log.join('\n'));
      world.log.length = 0;
    } catch (error) {
      throw new SoakError(`seed ${seed}, ${line}\n${(error as Error).message}\n${story(world)}`, { cause: error });
    }
    onMove?.(move, line);
    if (move % every !== 0 && move !== handovers) continue;
    const sample = { move, ...(await measured(world, heap)) };
    samples.push(sample);
    onSample?.(sample);
  }
  await world.close();
  await clock.advance(60_000);
  if (clock.waiting > 0) throw new SoakError(`seed ${seed}: ${clock.waiting} timers are left when all is over`);
  return {
    moves: handovers,
    arrived,
    stayed: handovers - arrived,
    byFault,
    byScheme,
    samples,
    hours: clock.now() / 3_600_000,
  };
}

/** Tries of a client, of ten, after which nothing more is broken until it has them all again. */
const mostTries = 4;
/** Milliseconds for which a session must hold for that; a little more than in machines/session/client-setup.ts. */
const steadyTime = 31_000;

/** What breaks a connection on which keys may be under way. */
const breaks: ReadonlySet<Fault> = new Set<Fault>([
  'the target loses its connections while the client goes over',
  'a channel at the source breaks',
  'the source loses its connections before the end',
  'the connections are cut, and the client returns',
  'the connections are lost without a sign, and the client returns',
  'the server restarts, and the client comes back',
]);

/** When everything that was begun is over: a session waits a minute for a client that may return. */
async function measured(world: World, heap: () => number) {
  await world.clock.advance(100_000);
  for (const follower of world.followers) {
    follower.news.length = 0;
    follower.typed = [];
  }
  world.told.length = 0;
  world.keys.length = 0;
  // Counting comes first: it forgets what is over.
  const { holdings } = world;
  return { heap: heap(), holdings };
}

const story = ({ told, followers, log }: World): string =>
  [
    ...told.map((event) => `server: ${JSON.stringify(event)}`),
    ...followers.flatMap(({ news, client, schemes: admitted }, i) => [
      ...news.map((event) => `client ${i}: ${JSON.stringify(event)}`),
      `client ${i}, ${admitted}, up: ${[...client.channels].join(' ')}`,
    ]),
    ...log,
  ]
    .filter((text) => !/"(dis)?connected"|"initialized"/.test(text))
    .join('\n');

/** No other scheme promises that nothing is lost while it is going on. */
const lossless = ({ switched }: Follower): boolean => switched === undefined || switched === 'seamless';

let colours = 0;

/** Each client is at this host, with all that belongs to a session. */
async function settled(world: World, at: Host, moved: boolean): Promise<void> {
  const { clock, followers } = world;
  const stays = async (what: string, done: (follower: Follower) => boolean, ms: number) => {
    const lost = () => followers.find(({ closed }) => closed !== undefined);
    try {
      await clock.until(() => lost() !== undefined || followers.every(done), ms);
    } catch {
      throw new Error(`not so of client ${followers.findIndex((follower) => !done(follower))}: ${what}`);
    }
    if (lost() !== undefined)
      throw new Error(`the session of client ${followers.indexOf(lost()!)} is lost: ${lost()!.closed}`);
  };
  if (moved) await stays('it has gone over', ({ switched }) => switched !== undefined, 60_000);
  const isUp = ({ client }: Follower) => everyChannel.every((one) => client.channels.has(one));
  await stays('every channel is up', isUp, 60_000);
  // One that is up at a server that the guest has left goes down once more.
  const here = () => at.server.channels().length >= everyChannel.length * followers.length;
  await stays(`${at.name} has every channel, and it is up`, (follower) => here() && isUp(follower), 30_000);
  for (const follower of followers) follower.rest();
  colours = (colours + 0x010307) & 0xffffff;
  const colour = colours;
  at.server.display.fill({ left: 0, top: 0, right: 16, bottom: 16 }, colour);
  await stays(`it shows what ${at.name} draws`, ({ shown }) => shown === colour, 30_000);
  for (const follower of followers) {
    let arrived = false;
    for (let tries = lossless(follower) ? 1 : 5; !arrived && tries > 0; tries--) {
      const key = follower.press();
      if (follower.typed.at(-1) !== key) throw new Error('no key can be sent');
      const there = () => world.keys.some((one) => one.host === at.name && one.key === key);
      await clock.until(there, 5_000).catch(() => {});
      arrived = there();
    }
    if (!arrived) throw new Error(`no key of client ${followers.indexOf(follower)} arrives at ${at.name}`);
  }
}

/** All that it has typed has arrived, once and in order, wherever the guest was. */
function checkKeys(world: World, follower: Follower): void {
  if (!lossless(follower) || follower.heard('fell-back')) return;
  const wanted = new Set(follower.typed);
  const got = world.keys.filter(({ key }) => wanted.has(key));
  const same = got.length === follower.typed.length && got.every(({ key }, i) => key === follower.typed[i]);
  if (same) return;
  const hosts = got.map(({ host, key }) => `${key} at ${host}`).join(', ');
  throw new Error(
    `client ${world.followers.indexOf(follower)} typed ${follower.typed.join(', ')}\nand there came ${hosts}`,
  );
}

/** One move with its misfortune. Returns the host that has the guest now, if it is another one. */
async function go(world: World, source: Host, target: Host, scheme: Scheme, fault: Fault): Promise<Host | undefined> {
  const { clock, random, followers } = world;
  const announce = (to: Host) => source.server.migrateConnect({ host: to.name, port: 1 }, { scheme });
  const answered = (follower: Follower) =>
    follower.heard('linked') ||
    follower.heard('failed') ||
    follower.closed !== undefined ||
    follower.schemes.length === 1;
  const linked = () => clock.until(() => followers.every(answered), 12_000).catch(() => {});
  const someTime = (most: number) => clock.advance(random.size(most));
  const complete = (to: Host): Host => {
    to.server.guestArrived();
    source.server.migrateEnd(true);
    return to;
  };
  const giveUp = (): undefined => {
    source.server.migrateEnd(false);
    return undefined;
  };
  switch (fault) {
    case 'nothing':
      announce(target);
      if (scheme !== 'switch-host') await linked();
      await someTime(3_000);
      return complete(target);
    case 'it is over at once':
      announce(target);
      return complete(target);
    case 'it is given up at once':
      announce(target);
      return giveUp();
    case 'it is given up on the way':
      announce(target);
      await someTime(1_000);
      return giveUp();
    case 'it is given up when all are linked':
      announce(target);
      if (scheme !== 'switch-host') await linked();
      await someTime(500);
      return giveUp();
    case 'the target refuses, and is there at the end':
    case 'the target is silent, and is there at the end':
      target.behaviour = fault.includes('refuses') ? 'refuses' : 'is silent';
      announce(target);
      await someTime(12_000);
      target.behaviour = 'serves';
      return complete(target);
    case 'the target refuses, and it is given up':
    case 'the target is silent, and it is given up':
      target.behaviour = fault.includes('refuses') ? 'refuses' : 'is silent';
      announce(target);
      await someTime(12_000);
      target.behaviour = 'serves';
      return giveUp();
    case 'the target loses its connections':
      announce(target);
      await someTime(2_000);
      target.cut();
      await someTime(2_000);
      return random.once(2) ? complete(target) : giveUp();
    case 'the target loses its connections while the client goes over': {
      announce(target);
      if (scheme !== 'switch-host') await linked();
      complete(target);
      await someTime(world.latency * 6 + 50);
      // Whoever is in a session there by now, or has only been sent there, comes back to it.
      target.cut();
      return target;
    }
    case 'the target restarts before the end':
      announce(target);
      await someTime(2_000);
      await target.restart();
      await someTime(2_000);
      return random.once(2) ? complete(target) : giveUp();
    case 'another target is announced': {
      const other = world.hosts.find((host) => host !== source && host !== target)!;
      announce(other);
      await someTime(1_000);
      announce(target);
      if (random.once(2)) await someTime(4_000);
      return random.once(3) ? giveUp() : complete(target);
    }
    case 'the same target is announced twice':
      announce(target);
      await someTime(1_000);
      announce(target);
      await someTime(3_000);
      return random.once(3) ? giveUp() : complete(target);
    case 'a channel at the source breaks': {
      announce(target);
      await someTime(1_500);
      // Not main: that would be the end of the session.
      const pairs = source.live.slice(-5);
      const whole = followers.length === 1 && followers[0]!.client.channels.size === everyChannel.length;
      if (whole && pairs.length === 5) random.pick(pairs).cut();
      await someTime(1_500);
      return complete(target);
    }
    case 'the source loses its connections before the end':
      announce(target);
      await someTime(2_000);
      source.cut();
      await someTime(4_000);
      return random.once(2) ? complete(target) : giveUp();
    case 'the connections are cut, and the client returns':
      source.cut();
      await someTime(2_000);
      return undefined;
    case 'the connections are lost without a sign, and the client returns':
      source.lose();
      await someTime(2_000);
      return undefined;
    case 'the server restarts, and the client comes back':
      await source.restart();
      await someTime(2_000);
      return undefined;
  }
}
