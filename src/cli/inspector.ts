/**
 * Shows servers and clients of this process in the inspector: `--inspect` serves its page here, `--inspect-to` tells another
 * process's inspector. Engines know nothing of it; they are looked on at.
 */
import type { Control } from '../../inspector/feed.ts';
import { Hub, type HubOptions } from '../../inspector/hub.ts';
import { joinInspector } from '../../inspector/join.ts';
import { type Inspector, inspect } from '../../inspector/serve.ts';
import { charts } from '../../machines/index.ts';
import { type Shown, shownIn } from '../inspect.ts';
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

export interface Inspection extends Shown {
  /** Where the page is; undefined when only another inspector is told. */
  readonly url: string | undefined;
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
  return {
    url: page?.url,
    ...shownIn(hub),
    async close() {
      await join?.close();
      await page?.close();
      hub.close();
    },
  };
}
