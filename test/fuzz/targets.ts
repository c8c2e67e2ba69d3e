/** Everything that is fuzzed, by name. A target is opened only when it is used. */
import { answers } from './answers.ts';
import { clientChannel, clientLink } from './clients.ts';
import { images } from './images.ts';
import { pure } from './pure.ts';
import { recorded } from './recorded.ts';
import { servers } from './servers.ts';
import { sockets } from './sockets.ts';
import { stores } from './stores.ts';
import type { Target } from './target.ts';

const words = ['main', 'display', 'inputs', 'cursor', 'playback', 'record'] as const;

const families: Readonly<Record<string, () => Promise<readonly Target[]> | readonly Target[]>> = {
  pure: () => pure,
  images,
  servers,
  clients: () => [clientLink, ...words.map(clientChannel)],
  recorded,
  sockets,
  answers,
  stores,
};

/** Opens the targets of these families, or of all; `wanted` may name a family or a target. */
export async function targets(wanted?: string): Promise<Target[]> {
  const family = wanted === undefined ? undefined : families[wanted];
  if (family !== undefined) return [...(await family())];
  const all: Target[] = [];
  for (const open of Object.values(families)) all.push(...(await open()));
  const those = all.filter(({ name }) => wanted === undefined || name === wanted);
  for (const target of all) if (!those.includes(target)) await target.close?.();
  return those;
}

export const familyNames = Object.keys(families);
