/** Messages that every channel shares, both ways (spec §2.2). */
import { array, rest, struct, text, u8, u32, u64 } from '../wire/codec.ts';
import { data, message } from './channel.ts';

/** Another channel and the serial that it must have reached. */
export const ChannelSerial = struct({ type: u8, id: u8, serial: u64 });

export const MigrateFlags = { needFlush: 1, needDataTransfer: 2 } as const;
export const NotifySeverity = { info: 0, warn: 1, error: 2 } as const;

export const BaseChannel = {
  server: {
    migrate: message(1, { flags: u32 }, 'The source is done with this channel: move it to the target.'),
    migrate_data: message(2, { data: rest }, 'State of this channel at the source, to be handed to the target unread.'),
    set_ack: data(3, { generation: u32, window: u32 }, 'Acknowledge every `window` messages from now on; 0 is never.'),
    ping: data(4, { id: u32, timestamp: u64, data: rest }, 'Answer with a pong that carries id and timestamp.'),
    wait_for_channels: data(5, { waitList: array(u8, ChannelSerial) }, 'Go on when the channels have come that far.'),
    disconnecting: message(6, { timeStamp: u64, reason: u32 }, 'The server is about to close this channel.'),
    notify: data(
      7,
      { timeStamp: u64, severity: u32, visibility: u32, what: u32, message: text(notifyLength()) },
      'A word to the person at the screen.',
    ),
    list: data(8, { subMessages: rest }, 'Several messages in one, in order; unpacked before it reaches a chart.'),
  },
  client: {
    ack_sync: data(1, { generation: u32 }, 'The answer to set_ack.'),
    ack: data(2, {}, 'Another window of messages was handled.'),
    pong: data(3, { id: u32, timestamp: u64 }, 'The answer to a ping.'),
    migrate_flush_mark: message(4, {}, 'Nothing more comes from this client on this connection before the switch.'),
    migrate_data: message(5, { data: rest }, 'The state from the source, unchanged.'),
    disconnecting: message(6, { timeStamp: u64, reason: u32 }, 'The client is about to close this channel.'),
  },
} as const;

/** NOTIFY counts its text without the NUL that follows it. */
function notifyLength() {
  return {
    parts: u32.parts,
    read: (r: Parameters<typeof u32.read>[0]) => Math.min(u32.read(r), 0xfffffffe) + 1,
    write: (w: Parameters<typeof u32.write>[0], v: number) => u32.write(w, v - 1),
  };
}
