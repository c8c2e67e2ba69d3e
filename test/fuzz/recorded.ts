/**
 * Whole hand-overs as they were once, said again with something spoiled: to a source, to a target and to a client. An input
 * is a list of pieces: the number of the connection, the size in two bytes, the bytes. Connection 255 is what the hypervisor
 * does.
 */
import type { Scheme } from '../../machines/contract.ts';
import { type Client, connect } from '../../src/client/client.ts';
import { LinkError } from '../../src/errors.ts';
import type { Journal } from '../../src/journal/journal.ts';
import type { Entry } from '../../src/journal/record.ts';
import { Server } from '../../src/server/server.ts';
import { memoryPair } from '../../src/transport/memory.ts';
import { goodKey } from '../support/raw-server.ts';
import { readU32 } from '../support/raw-wire.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { glue, mutate } from './mutate.ts';
import type { Random } from './random.ts';
import { checkLeft, checkLog, freeServer, sessionOf } from './servers.ts';
import type { Target } from './target.ts';
import { endStrangers, type Stranger, settle, strangersClient } from './wires.ts';

interface Piece {
  readonly connection: number;
  readonly bytes: Uint8Array;
}

/** What one program read, in the order in which it did. */
class Tape implements Journal {
  readonly pieces: Piece[] = [];
  private readonly links: string[] = [];

  append(entry: Entry): void {
    if (entry.kind !== 'wire' || entry.direction !== 'in') return;
    let connection = this.links.indexOf(entry.link);
    if (connection < 0) connection = this.links.push(entry.link) - 1;
    this.pieces.push({ connection, bytes: entry.bytes.slice() });
  }

  durable(): Promise<void> {
    return Promise.resolve();
  }

  act(action: Action): void {
    this.pieces.push({ connection: 255, bytes: Uint8Array.of(actions.indexOf(action)) });
  }
}

const actions = [
  'seamless',
  'semi-seamless',
  'early-link',
  'switch-host',
  'moved',
  'stayed',
  'arrived',
  'wait',
] as const;
type Action = (typeof actions)[number];

const schemes: readonly Scheme[] = ['seamless', 'early-link', 'semi-seamless', 'switch-host'];

interface Tapes {
  readonly source: Tape;
  readonly target: Tape;
  readonly client: Tape;
}

/** Until nobody reads anything any more. Tickets are encrypted on another thread, which takes real time. */
async function silent(tapes: Tapes, client: Client): Promise<void> {
  const read = () => tapes.source.pieces.length + tapes.target.pieces.length + tapes.client.pieces.length;
  for (let calm = 0, before = -1, left = 2_000; left > 0 && (calm < 8 || !client.channels.has('main:0')); left--) {
    await settle(5);
    await new Promise((resolve) => setTimeout(resolve, 5));
    calm = read() === before ? calm + 1 : 0;
    before = read();
  }
}

async function record(scheme: Scheme, cancelled: boolean): Promise<Tapes> {
  const clock = new VirtualClock();
  const tapes = { source: new Tape(), target: new Tape(), client: new Tape() };
  const make = (journal: Journal) => {
    const server = new Server({ clock, width: 32, height: 24, schemes, journal });
    const key = { pubKey: goodKey, decrypt: async (ticket: Uint8Array) => ticket };
    (server as unknown as { door: { keys: unknown } }).door.keys = { take: async () => key };
    return server;
  };
  const servers: Record<string, Server> = { source: make(tapes.source), target: make(tapes.target) };
  const { source, target } = servers as { source: Server; target: Server };
  const client: Client = connect({
    destination: { host: 'source', port: 1 },
    clock,
    schemes,
    journal: tapes.client,
    dial: async ({ host }) => {
      const server = servers[host];
      if (server === undefined) throw new LinkError('nobody is there');
      const pair = memoryPair({ clock, names: ['client', host] });
      server.accept(pair.right);
      return pair.left;
    },
  });
  await silent(tapes, client);
  client.input.keyDown(0x21);
  await settle(2);
  tapes.source.act(scheme as Action);
  source.migrateConnect({ host: 'target', port: 1 }, { scheme });
  await silent(tapes, client);
  client.input.keyDown(0x22);
  await settle(2);
  tapes.target.act('arrived');
  target.guestArrived();
  tapes.source.act(cancelled ? 'stayed' : 'moved');
  source.migrateEnd(!cancelled);
  await silent(tapes, client);
  client.input.keyDown(0x23);
  await settle(20);
  client.close();
  await settle(4);
  await source.close();
  await target.close();
  return tapes;
}

// -------------------------------------------------------------------------------------------------------- as bytes

const packed = (pieces: readonly Piece[]): Uint8Array =>
  glue(
    ...pieces.flatMap(({ connection, bytes }) => [
      Uint8Array.of(connection, bytes.length & 255, (bytes.length >> 8) & 255),
      bytes.subarray(0, 0xffff),
    ]),
  );

function unpacked(input: Uint8Array): Piece[] {
  const pieces: Piece[] = [];
  for (let at = 0; at + 3 <= input.length; ) {
    const [connection, low, high] = input.subarray(at, at + 3);
    const size = low! | (high! << 8);
    pieces.push({ connection: connection!, bytes: input.slice(at + 3, at + 3 + size) });
    at += 3 + size;
  }
  return pieces.slice(0, 400);
}

/** One thing is different, or a few: bytes of a piece, the order, something twice, something not at all. */
function spoil(tape: readonly Piece[], random: Random): Piece[] {
  const pieces = [...tape];
  const others = tape.map(({ bytes }) => bytes);
  for (let left = 1 + random.size(3); left > 0; left--) {
    const at = random.below(pieces.length);
    const other = random.below(pieces.length);
    const piece = pieces[at];
    if (piece === undefined) break;
    switch (random.below(6)) {
      case 0:
        pieces.splice(at, 1);
        break;
      case 1:
        pieces.splice(random.below(pieces.length + 1), 0, piece);
        break;
      case 2:
        pieces[at] = pieces[other]!;
        pieces[other] = piece;
        break;
      case 3:
        pieces.splice(at, 0, { connection: 255, bytes: Uint8Array.of(random.below(actions.length)) });
        break;
      default:
        pieces[at] = { ...piece, bytes: mutate(piece.bytes, random, others) };
    }
  }
  return pieces;
}

// --------------------------------------------------------------------------------------------------------- targets

function recordedServer(name: string, tapes: readonly Tape[]): Target {
  const free = freeServer({ schemes });
  const { server, clock, log } = free;
  const population = server.system.population;
  const act = async (action: Action | undefined) => {
    if (action === 'moved' || action === 'stayed') server.migrateEnd(action === 'moved');
    else if (action === 'arrived') server.guestArrived();
    else if (action === 'wait') await clock.advance(3_000);
    else if (action !== undefined) server.migrateConnect({ host: '192.0.2.1', port: 1 }, { scheme: action });
  };
  return {
    name,
    generate: (random) => packed(spoil(random.pick(tapes).pieces, random)),
    async run(input) {
      const dialled = new Map<number, Stranger>();
      let main: Stranger | undefined;
      for (const { connection, bytes } of unpacked(input)) {
        if (connection === 255) await act(actions[bytes[0] ?? 0]);
        else if (dialled.size < 32 || dialled.has(connection)) {
          let stranger = dialled.get(connection);
          if (stranger === undefined) {
            dialled.set(connection, (stranger = free.dial()));
            // Whoever names a session names the one that there is now.
            if (main === undefined) main = stranger;
            else if (readU32(bytes, 16) !== 0) patch(bytes, sessionOf(main, true));
          }
          stranger.write(bytes);
        }
        await settle(1);
      }
      for (const stranger of dialled.values()) stranger.pipe.close();
      await clock.advance(30_000);
      server.migrateEnd(true);
      server.guestArrived();
      await settle(1);
      free.counter.check(input.length);
      checkLog(log);
    },
    check: () => checkLeft(free, population),
    close: () => server.close(),
  };
}

/** Puts a connection id into a link message, unless there is none to put. */
function patch(bytes: Uint8Array, connectionId: number): void {
  if (connectionId === 0 || bytes.length < 20) return;
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(16, connectionId, true);
}

function recordedClient(tapes: readonly Tape[]): Target {
  return {
    name: 'recorded client',
    memory: 100 * 1024 * 1024,
    generate: (random) => packed(spoil(random.pick(tapes).pieces, random)),
    async run(input) {
      const made = strangersClient({ schemes });
      await settle(2);
      for (const { connection, bytes } of unpacked(input)) {
        if (connection === 255) await made.clock.advance(1_000);
        else {
          for (let turns = 0; turns < 6 && made.strangers[connection] === undefined; turns++) await settle(1);
          made.strangers[connection]?.write(bytes);
        }
        await settle(1);
      }
      await made.clock.advance(11_000);
      await endStrangers(made, input.length);
    },
  };
}

export async function recorded(): Promise<Target[]> {
  const tapes: Tapes[] = [];
  for (const scheme of schemes) for (const cancelled of [false, true]) tapes.push(await record(scheme, cancelled));
  return [
    recordedServer(
      'recorded source',
      tapes.map(({ source }) => source),
    ),
    recordedServer(
      'recorded target',
      tapes.map(({ target }) => target).filter(({ pieces }) => pieces.length > 1),
    ),
    recordedClient(tapes.map(({ client }) => client)),
  ];
}
