/**
 * The cursor channel: the pointer's shape, and its place in server mouse mode (spec §2.6).
 * The client sends no message of its own.
 */
import { bool, rest, struct, u8, u16, u64, type Value } from '../wire/codec.ts';
import { field, layout } from '../wire/layout.ts';
import { BaseChannel } from './base.ts';
import { channel, data, message, type Received, type Sent } from './channel.ts';
import { CursorFlags } from './constants.ts';
import { Point16 } from './draw.ts';

/** `unique` names the shape in the cursor cache; `type` is a `CursorType`; sizes and the hot spot are in pixels. */
export const CursorHeader = struct({
  unique: u64,
  type: u8,
  width: u16,
  height: u16,
  hotSpotX: u16,
  hotSpotY: u16,
});
export type CursorHeader = Value<typeof CursorHeader>;

/** A shape. The header is there unless the flags hold `none`; with `fromCache` there are no data. */
export interface Cursor {
  flags: number;
  header?: CursorHeader;
  data: Uint8Array;
}
export const Cursor = layout<Cursor>([
  field('flags', u16),
  field('header', ({ flags }) => (flags & CursorFlags.none ? undefined : CursorHeader)),
  field('data', rest),
]);

export const CursorChannel = channel('cursor', 4, BaseChannel, {
  server: {
    init: message(
      101,
      { position: Point16, trailLength: u16, trailFrequency: u16, visible: bool, cursor: Cursor },
      'The pointer as it is now; shapes and moves count from here on.',
    ),
    reset: message(102, {}, 'No pointer, no cached shapes, until the next init.'),
    set: data(103, { position: Point16, visible: bool, cursor: Cursor }, 'The pointer has another shape.'),
    move: data(104, { position: Point16 }, 'The pointer moved.'),
    hide: data(105, {}, 'The pointer is not shown.'),
    trail: data(106, { length: u16, frequency: u16 }, 'How the pointer leaves a trail.'),
    inval_one: data(107, { id: u64 }, 'Drop a cached shape.'),
    inval_all: data(108, {}, 'Drop all cached shapes.'),
  },
  client: {},
});

export type CursorReceived<S extends 'client' | 'server'> = Received<typeof CursorChannel, S, 'control'>;
export type CursorSent<S extends 'client' | 'server'> = Sent<typeof CursorChannel, S>;
