/**
 * The inspector for a program that has servers and clients of its own: one page for all of them. They are looked on at, and
 * know nothing of it; what is inspected is neither changed nor slowed by more than the looking takes.
 */
import { EngineWatch } from '../inspector/engine-watch.ts';
import { Hub } from '../inspector/hub.ts';
import { type InspectOptions, type Inspector, inspect as serve } from '../inspector/serve.ts';
import { charts } from '../machines/index.ts';
import type { Client } from './client/client.ts';
import type { Server } from './server/server.ts';

/** Who is shown. A name is for people, and need not be unique. */
export interface Shown {
  server(name: string, server: Server): void;
  client(name: string, client: Client): void;
}

export interface Inspection extends Inspector, Shown {}

/**
 * Serves the inspector's page and shows in it whatever is handed to it. Without a port the system chooses one. Rejects with
 * UsageError when the address cannot be used.
 */
export async function inspect(options: InspectOptions = {}): Promise<Inspection> {
  const hub = options.hub ?? new Hub({ charts, ...options });
  const inspector = await serve({ ...options, hub });
  return {
    ...inspector,
    ...shownIn(hub),
    async close() {
      await inspector.close();
      if (options.hub === undefined) hub.close();
    },
  };
}

/** Shows servers and clients of this process in a hub. */
export function shownIn(hub: Hub): Shown {
  let parties = 0;
  const freeId = (side: 'server' | 'client'): string => {
    let id = `${side}-${++parties}`;
    while (hub.hasParty(id)) id = `${side}-${++parties}`;
    return id;
  };
  return {
    server(name, server) {
      const { host, port, tlsPort } = server.addresses;
      const addresses = [port, tlsPort].flatMap((one) => (one === undefined ? [] : [`${host}:${one}`]));
      const watch = new EngineWatch(hub, { id: freeId('server'), side: 'server', name, addresses });
      watch.shows(() => {
        const { width, height, pixels } = server.display;
        return { width, height, stride: width * 4, data: pixels };
      });
      server.system.watch(watch);
      server.events.subscribe({ complete: () => watch.gone() });
    },
    client(name, client) {
      const watch = new EngineWatch(hub, { id: freeId('client'), side: 'client', name, addresses: [] });
      watch.shows(() => client.screens.get('display:0')?.shown());
      client.system.watch(watch);
      client.events.subscribe({
        next: (event) => {
          if (event.event === 'handover') watch.measured(event);
        },
        complete: () => watch.gone(),
      });
    },
  };
}
