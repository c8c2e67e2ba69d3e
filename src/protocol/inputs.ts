/** The inputs channel: keyboard and mouse (spec §2.5). */
import { i32, rest, u8, u16, u32 } from '../wire/codec.ts';
import { BaseChannel } from './base.ts';
import { channel, data, message, type Received, type Sent } from './channel.ts';

export const InputsChannel = channel('inputs', 3, BaseChannel, {
  server: {
    init: message(101, { keyboardModifiers: u16 }, 'Input is taken from now on; these locks are on.'),
    key_modifiers: data(102, { modifiers: u16 }, 'These locks are on now.'),
    mouse_motion_ack: data(111, {}, 'Four more motions or positions were taken.'),
  },
  client: {
    key_down: data(101, { code: u32 }, 'A key went down: up to four scan code bytes, the first one lowest.'),
    key_up: data(102, { code: u32 }, 'A key went up.'),
    key_modifiers: data(103, { modifiers: u16 }, 'Make these locks be on.'),
    key_scancode: data(104, { data: rest }, 'Scan code bytes as they are.'),
    mouse_motion: data(111, { dx: i32, dy: i32, buttonsState: u16 }, 'The mouse moved by so much (server mode).'),
    mouse_position: data(
      112,
      { x: u32, y: u32, buttonsState: u16, displayId: u8 },
      'The pointer is there on that display (client mode).',
    ),
    mouse_press: data(113, { button: u8, buttonsState: u16 }, 'A button went down, or the wheel turned.'),
    mouse_release: data(114, { button: u8, buttonsState: u16 }, 'A button went up.'),
  },
});

export type InputsReceived<S extends 'client' | 'server'> = Received<typeof InputsChannel, S, 'control'>;
export type InputsSent<S extends 'client' | 'server'> = Sent<typeof InputsChannel, S>;
