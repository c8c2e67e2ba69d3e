/**
 * What the main job plays on: two servers on loopback, one guest that lives on one of them and can be moved to the other, and
 * targets that are none. Knows nothing of schemes or of what is printed.
 */
import { createServer as createPlainServer, type Server as PlainServer } from 'node:net';
import type { Destination, Scheme } from '../../machines/contract.ts';
import { type Client, connect } from '../client/client.ts';
import { wallClock } from '../engine/clock.ts';
import type { Journals } from '../open-journal.ts';
import { createServer, type Server } from '../server/server.ts';
import { createTestCard, type TestCard } from '../sources/test-card.ts';
import type { Pipe } from '../transport/pipe.ts';
import { dialTcp } from '../transport/tcp.ts';

export interface House {
  readonly name: string;
  readonly server: Server;
  readonly card: TestCard;
}

export const addressOf = ({ server }: House): Destination => ({
  host: server.addresses.host,
  port: server.addresses.port!,
});

export class Stage {
  readonly houses: readonly [House, House];
  /** Where the guest lives. */
  home: House;
  /** Milliseconds that the next connections wait before they are made. */
  linkDelay = 0;
  private readonly log: (line: string) => void;
  private readonly journals: Journals | undefined;
  private clients = 0;
  /** The newest connections of clients. */
  private pipes: Pipe[] = [];

  private constructor(houses: readonly [House, House], log: (line: string) => void, journals: Journals | undefined) {
    this.houses = houses;
    this.journals = journals;
    this.home = houses[0];
    this.log = log;
    this.home.card.run();
  }

  static async open(log: (line: string) => void, journals?: Journals): Promise<Stage> {
    const house = async (name: string): Promise<House> => {
      const server = await createServer({
        host: '127.0.0.1',
        port: 0,
        name,
        journal: journals?.journal(name),
        schemes: ['seamless', 'early-link', 'semi-seamless', 'switch-host'],
        log: (line) => log(`${name}: ${line}`),
      });
      const card = createTestCard({ clock: wallClock, name });
      card.plug(server);
      return { name, server, card };
    };
    return new Stage([await house('one'), await house('two')], log, journals);
  }

  get away(): House {
    return this.houses[0] === this.home ? this.houses[1] : this.houses[0];
  }

  client(schemes: readonly Scheme[]): Client {
    return connect({
      destination: addressOf(this.home),
      journal: this.journals?.journal(`viewer-${++this.clients}`),
      schemes,
      dial: async (destination, _secure, signal) => {
        if (this.linkDelay > 0) await new Promise((resolve) => setTimeout(resolve, this.linkDelay));
        const pipe = await dialTcp(destination, { signal });
        this.pipes = [...this.pipes.slice(-20), pipe];
        return pipe;
      },
      log: (line) => this.log(`client: ${line}`),
    });
  }

  /** Moves the guest as a hypervisor does: stop here, all of its state over, run there. */
  moveGuest(): void {
    const [from, to] = [this.home, this.away];
    from.card.stop();
    to.card.load(from.card.save());
    to.server.multiMediaTime = from.server.multiMediaTime;
    to.server.guestArrived();
    to.card.run();
    this.home = to;
  }

  /** Breaks every connection of the client without a word, as a network does. */
  cut(): void {
    for (const pipe of this.pipes.splice(0)) pipe.abort();
  }

  async close(): Promise<void> {
    for (const { card, server } of this.houses) {
      card.stop();
      await server.close();
    }
  }
}

/** Something that listens on loopback and is no SPICE server. */
export interface Impostor {
  readonly destination: Destination;
  close(): Promise<void>;
}

/** What is wrong with a target: `refuses`, nobody listens there; `is silent`, connections are taken and never answered. */
export const faults = ['refuses', 'is silent'] as const;
export type Fault = (typeof faults)[number];

export async function impostor(how: Fault): Promise<Impostor> {
  const sockets = new Set<{ destroy(): void }>();
  const server: PlainServer = createPlainServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.resume();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const close = () =>
    new Promise<void>((resolve) => {
      for (const socket of sockets) socket.destroy();
      server.close(() => resolve());
    });
  if (how === 'refuses') await close();
  return { destination: { host: '127.0.0.1', port }, close: how === 'refuses' ? async () => {} : close };
}
