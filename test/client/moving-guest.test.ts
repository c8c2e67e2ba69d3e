/**
 * What people see while their guest moves from server to server and back, at several clients at once, each with caches and
 * encodings of its own: every picture that a client shows is looked at, pixel by pixel. Nothing may turn black, nothing may
 * show what was there before what it has shown already, and in the end all of it is what the guest shows.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { Scheme } from '../../machines/contract.ts';
import type { Client } from '../../src/client/client.ts';
import type { PreferredCompression } from '../../src/client/displays.ts';
import type { Server } from '../../src/server/server.ts';
import { first, Network } from '../support/network.ts';

const [width, height] = [160, 120];
const whole = { left: 0, top: 0, right: width, bottom: height };

let network: Network;
afterEach(async () => {
  await network.close();
});

/** A guest that draws: each pixel tells when it was drawn, in its green, and is never black. */
class Guest {
  now = 0;
  server: Server | undefined;

  runOn(server: Server): void {
    this.server = server;
  }

  draw(): void {
    this.now++;
    const { display } = this.server!;
    const area = this.now % 7 === 1 ? whole : this.place();
    if (this.now % 5 === 2) {
      display.fill(area, 0xff0000 | (this.now << 8) | 0x7f);
      return;
    }
    const [w, h] = [area.right - area.left, area.bottom - area.top];
    const words = Uint32Array.from({ length: w * h }, (_, i) => {
      const blue = (Math.floor(i / w) * 5) ^ ((i % w) * 3) ^ (this.now % 3 === 0 ? (i * 2_654_435_761) >>> 25 : 0);
      return 0x800000 | (this.now << 8) | (blue & 255);
    });
    display.draw(area, new Uint8Array(words.buffer));
  }

  private place(): { left: number; top: number; right: number; bottom: number } {
    const [left, top] = [(this.now * 13) % 100, (this.now * 29) % 80];
    return { left, top, right: left + 20 + (this.now % 40), bottom: top + 10 + (this.now % 30) };
  }
}

/** Looks at all that a client shows, after each message and each event. */
class Onlooker {
  readonly client: Client;
  looks = 0;
  readonly types = new Set<string>();
  readonly faults: string[] = [];
  private readonly latest = new Uint8Array(width * height);
  private hasSeen = false;

  constructor(client: Client) {
    this.client = client;
    client.events.subscribe(() => {
      this.follow();
      this.look('an event');
    });
  }

  private follow(): void {
    const screen = this.client.screens.get('display:0');
    if (screen === undefined || Object.hasOwn(screen, 'apply')) return;
    const { apply, reset } = screen;
    screen.apply = (message) => {
      if (message.body.srcBitmap !== undefined) this.types.add(message.body.srcBitmap.type);
      apply.call(screen, message);
      this.look(message.type);
    };
    screen.reset = (keeping) => {
      reset.call(screen, keeping);
      this.look('a reset');
    };
  }

  private look(after: string): void {
    const picture = this.client.screens.get('display:0')?.shown();
    const isMarked = this.client.screens.get('display:0')?.marked ?? false;
    if (!this.hasSeen && !isMarked) return;
    this.hasSeen = true;
    this.looks++;
    if (picture === undefined || picture.width !== width || picture.height !== height) {
      this.faults.push(`no picture after ${after}`);
      return;
    }
    for (let i = 0; i < width * height; i++) {
      const [green, red] = [picture.data[i * 4 + 1]!, picture.data[i * 4 + 2]!];
      if (red < 0x80) this.faults.push(`black at ${i % width},${Math.floor(i / width)} after ${after}`);
      else if (green < this.latest[i]!) this.faults.push(`${green} after ${this.latest[i]} after ${after}`);
      this.latest[i] = green;
    }
  }
}

const wanted: readonly (readonly [PreferredCompression, string])[] = [
  ['glz', 'glz_rgb'],
  ['lz4', 'lz4'],
  ['off', 'bitmap'],
];

const up = async (client: Client) => {
  if (!client.channels.has('display:0')) await first(client.events, () => client.channels.has('display:0'));
};
const pause = (ms = 4) => new Promise((resolve) => setTimeout(resolve, ms));

describe('a guest that moves', () => {
  it.each<Scheme>(['seamless', 'early-link', 'semi-seamless', 'switch-host'])(
    'is seen all the while: %s',
    async (scheme) => {
      network = new Network();
      const options = { schemes: [scheme], width, height };
      const servers = [network.server('source', options), network.server('target', options)] as const;
      const guest = new Guest();
      guest.runOn(servers[0]);
      guest.draw();
      const lookers = wanted.map(
        ([preferredCompression]) => new Onlooker(network.client('source', { schemes: [scheme], preferredCompression })),
      );
      await Promise.all(lookers.map(({ client }) => up(client)));
      const work = async (turns: number) => {
        for (let i = 0; i < turns; i++) {
          guest.draw();
          await pause();
        }
      };
      await work(15);
      for (const [from, to, name] of [
        [servers[0], servers[1], 'target'],
        [servers[1], servers[0], 'source'],
      ] as const) {
        for (const { types } of lookers) types.clear();
        const switched = lookers.map(({ client }) =>
          first(client.events, (event) => event.event === 'handover' && event.phase === 'switched'),
        );
        const asked = first(from.events, (event) => event.event === 'migrate_connect_complete');
        from.migrateConnect({ host: name, port: 1 }, { scheme });
        await asked;
        await work(10);
        // The guest's memory, and its screen with it, is at the target.
        to.display.draw(whole, from.display.pixels.slice());
        guest.runOn(to);
        to.guestArrived();
        from.migrateEnd(true);
        for (const event of await Promise.all(switched)) expect(event).toMatchObject({ scheme });
        await Promise.all(lookers.map(({ client }) => up(client)));
        await work(25);
        for (const [i, { client, faults, types }] of lookers.entries()) {
          const screen = client.screens.get('display:0')!;
          const isRight = () =>
            Buffer.compare(colours(screen.shown()!.data), colours(to.display.pixels)) === 0 ? 'right' : 'wrong';
          await expect.poll(isRight, { timeout: 5_000 }).toBe('right');
          expect(faults).toEqual([]);
          expect([...screen.undrawn]).toEqual([]);
          expect([...types]).toContain(wanted[i]![1]);
        }
      }
      for (const { looks } of lookers) expect(looks).toBeGreaterThan(100);
    },
  );
});

/** Without the byte that means nothing. */
const colours = (data: Uint8Array): Uint8Array => data.filter((_, i) => i % 4 !== 3);
