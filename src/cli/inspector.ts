/**
 * Shows servers and clients of this process in the inspector: `--inspect` serves its page here, `--inspect-to` tells another
 * process's inspector. Engines know nothing of it; they are looked on at.
 */
import { EngineWatch } from '../../inspector/engine-watch.ts';
import type { Control } from '../../inspector/feed.ts';
import { Hub, type HubOptions } from '../../inspector/hub.ts';
import { joinInspector } from '../../inspector/join.ts';
import { type Inspector, inspect } from '../../inspector/serve.ts';
import { charts } from '../../machines/index.ts';
import type { Client } from '../client/client.ts';
import type { Server } from '../server/server.ts';
import { inspectAddress, text } from './values.ts';
import { flag } from './verb.ts';

/** The flags of every verb that can be inspected. */
export const inspectFlags = {
  inspect: flag(
    '[HOST:]PORT',
    inspectAddress,
    'Serves a page that shows the charts, the messages and the hand-overs live; 0 for any port that is free.',
  ),
  'inspect-to': flag('ws://HOST:PORT', text, "Tells another process's inspector what happens here."),
} as const;

export interface InspectChoice {
  readonly inspect?: { readonly host?: string | undefined; readonly port: number } | undefined;
  readonly 'inspect-to'?: string | undefined;
}

export interface Inspection {
  /** Where the page is; undefined when only another inspector is told. */
  readonly url: string | undefined;
  server(name: string, server: Server): void;
  client(name: string, client: Client): void;
  close(): Promise<void>;
}

export interface InspectionControls {
  readonly controls: readonly Control[];
  readonly onControl: NonNullable<HubOptions['onControl']>;
}

/** Undefined when neither flag was given. Throws UsageError when an address cannot be used. */
export async function openInspection(
  choice: InspectChoice,
  log: (line: string) => void,
  controls?: InspectionControls,
): Promise<Inspection | undefined> {
  const { inspect: at, 'inspect-to': to } = choice;
  if (at === undefined && to === undefined) return undefined;
  const hub = new Hub({ name: 'Sumac', charts, ...controls });
  const page: Inspector | undefined =
    at === undefined
      ? undefined
      : await inspect({ hub, port: at.port, ...(at.host === undefined ? {} : { host: at.host }) });
  const join = to === undefined ? undefined : joinInspector(hub, to, { log });
  let parties = 0;
  return {
    url: page?.url,
    server(name, server) {
      const { host, port, tlsPort } = server.addresses;
      const addresses = [port, tlsPort].flatMap((one) => (one === undefined ? [] : [`${host}:${one}`]));
      const watch = new EngineWatch(hub, { id: `server-${++parties}`, side: 'server', name, addresses });
      watch.shows(() => {
        const { width, height, pixels } = server.display;
        return { width, height, stride: width * 4, data: pixels };
      });
      server.system.watch(watch);
      server.events.subscribe({ complete: () => watch.gone() });
    },
    client(name, client) {
      const watch = new EngineWatch(hub, { id: `client-${++parties}`, side: 'client', name, addresses: [] });
      watch.shows(() => client.screens.get('display:0')?.shown());
      client.system.watch(watch);
      client.events.subscribe({
        next: (event) => {
          if (event.event === 'handover') watch.measured(event);
        },
        complete: () => watch.gone(),
      });
    },
    async close() {
      join?.close();
      await page?.close();
      hub.close();
    },
  };
}
