/** The main channel: session, agent and the announcements of a hand-over (spec §2.3). */
import { array, bytes, pointedText, rest, struct, text, u8, u16, u32, u64 } from '../wire/codec.ts';
import { BaseChannel } from './base.ts';
import { channel, data, message, type Received, type Sent } from './channel.ts';

/** Where the guest is going. Ports 0 and 65535 mean "none" (spec §2.3); an empty subject means "check the host name". */
export const DstInfo = { port: u16, sport: u16, host: pointedText, certSubject: pointedText };

export const ChannelId = struct({ type: u8, id: u8 });

/** Bits of MOUSE_MODE and INIT. In server mode the client sends motion, in client mode positions. */
export const MouseMode = { server: 1, client: 2 } as const;

/** SPICE_MIGRATION_PROTOCOL_VERSION: the version of the state that seamless hand-overs carry (spec §3d). */
export const migrationProtocolVersion = 1;

export const MainChannel = channel('main', 1, BaseChannel, {
  server: {
    migrate_begin: message(101, DstInfo, 'The guest is about to move: link to the target now.'),
    migrate_cancel: message(102, {}, 'The move was given up: drop the target.'),
    init: message(
      103,
      {
        sessionId: u32,
        displayChannelsHint: u32,
        supportedMouseModes: u32,
        currentMouseMode: u32,
        agentConnected: u32,
        agentTokens: u32,
        multiMediaTime: u32,
        ramHint: u32,
      },
      'The session begins, or begins anew after a semi-seamless hand-over.',
    ),
    channels_list: message(104, { channels: array(u32, ChannelId) }, 'The channels that may be linked.'),
    mouse_mode: message(105, { supportedModes: u16, currentMode: u16 }, 'The mouse mode changed.'),
    multi_media_time: data(106, { time: u32 }, 'The clock that sound and video follow, in milliseconds.'),
    agent_connected: message(107, {}, 'The guest agent is there.'),
    agent_disconnected: message(108, { errorCode: u32 }, 'The guest agent is gone.'),
    agent_data: data(109, { data: rest }, 'Bytes from the guest agent, at most 2,048.'),
    agent_token: data(110, { numTokens: u32 }, 'So many more agent messages may be sent.'),
    migrate_switch_host: message(111, DstInfo, 'The guest has moved: leave and link to the target afresh.'),
    migrate_end: message(112, {}, 'The guest has moved: go on at the target.'),
    name: message(113, { name: text(u32) }, 'The name of the guest.'),
    uuid: message(114, { uuid: bytes(16) }, 'The UUID of the guest.'),
    agent_connected_tokens: message(115, { numTokens: u32 }, 'The guest agent is there; so many messages may be sent.'),
    migrate_begin_seamless: message(
      116,
      { ...DstInfo, srcMigVersion: u32 },
      'The guest is about to move: link to the target and ask it for a seamless hand-over.',
    ),
    migrate_dst_seamless_ack: message(117, {}, 'The target will take over seamlessly.'),
    migrate_dst_seamless_nack: message(118, {}, 'The target cannot take over seamlessly.'),
  },
  client: {
    client_info: data(101, { cacheSize: u64 }, 'Not used by anybody.'),
    migrate_connected: message(102, {}, 'Every channel is linked at the target.'),
    migrate_connect_error: message(103, {}, 'The target cannot be linked.'),
    attach_channels: message(104, {}, 'Tell me the channels.'),
    mouse_mode_request: message(105, { mode: u16 }, 'I would like this mouse mode.'),
    agent_start: message(106, { numTokens: u32 }, 'I speak to the guest agent; you may send so many messages.'),
    agent_data: data(107, { data: rest }, 'Bytes for the guest agent, at most 2,048.'),
    agent_token: data(108, { numTokens: u32 }, 'You may send so many more agent messages.'),
    migrate_end: message(109, {}, 'To the target: the source has let me go, begin.'),
    migrate_dst_do_seamless: message(110, { srcVersion: u32 }, 'To the target: can you take over seamlessly?'),
    migrate_connected_seamless: message(111, {}, 'Every channel is linked and the target agreed to seamless.'),
    quality_indicator: data(112, { data: rest }, 'Not used by anybody.'),
  },
});

export type MainReceived<S extends 'client' | 'server'> = Received<typeof MainChannel, S, 'control'>;
export type MainSent<S extends 'client' | 'server'> = Sent<typeof MainChannel, S>;
