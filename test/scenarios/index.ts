/** Every scenario. A transcript that no scenario here writes is a fault, as is a scenario without one. */
import type { Scenario } from './play.ts';
import { channelStories } from './stories/channels.ts';
import { faultStories } from './stories/faults.ts';
import { handOvers } from './stories/hand-overs.ts';
import { lateStories } from './stories/late.ts';
import { linkStories } from './stories/links.ts';
import { returnStories } from './stories/returns.ts';
import { serverStories } from './stories/servers.ts';

export const scenarios: readonly Scenario[] = [
  ...handOvers,
  ...channelStories,
  ...linkStories,
  ...faultStories,
  ...returnStories,
  ...serverStories,
  ...lateStories,
];
