/** The whole protocol: every channel by name and by number. What is exported here is public. */
import { PlaybackChannel, RecordChannel } from './audio.ts';
import type { Channel } from './channel.ts';
import { ChannelType, nameOf } from './constants.ts';
import { CursorChannel } from './cursor.ts';
import { DisplayChannel } from './display.ts';
import { InputsChannel } from './inputs.ts';
import { MainChannel } from './main.ts';

export * from './agent.ts';
export * from './audio.ts';
export * from './base.ts';
export * from './capabilities.ts';
export * from './channel.ts';
export * from './constants.ts';
export * from './cursor.ts';
export * from './display.ts';
export * from './draw.ts';
export * from './header.ts';
export * from './inputs.ts';
export * from './link.ts';
export * from './main.ts';
export * from './meanings.ts';
export * from './migrate-data.ts';

/** The channels that are declared, under their words. */
export const channels = {
  main: MainChannel,
  display: DisplayChannel,
  inputs: InputsChannel,
  cursor: CursorChannel,
  playback: PlaybackChannel,
  record: RecordChannel,
} as const;

export type ChannelName = keyof typeof channels;

const byType = new Map<number, Channel>(Object.values(channels).map((ch) => [ch.type, ch]));

/** The declared channel of a SPICE_CHANNEL_* number, if there is one. */
export const channelByType = (type: number): Channel | undefined => byType.get(type);

/** A channel's address in a session: `display:0`, `usbredir:2`; an unknown type is its number. */
export const channelName = (type: number, id: number): string => `${nameOf(ChannelType, type)}:${id}`;
