/**
 * What client and guest agent say to each other inside `agent_data`: messages with a header of their own, cut into pieces of
 * at most 2,048 bytes. Between server and agent each piece has a chunk header too. Layouts of the clipboard messages depend
 * on what both sides announced, so they are asked for with those capabilities. Never trusts a size that a message tells.
 */
import { WireError } from '../errors.ts';
import {
  array,
  bool,
  bytes,
  type Codec,
  decode,
  encode,
  i32,
  rest,
  struct,
  text,
  times,
  u8,
  u16,
  u32,
  u64,
  type Value,
} from '../wire/codec.ts';
import { derived, field, layout } from '../wire/layout.ts';
import { longestAgentMessage } from './header.ts';

/** Before each piece between server and agent (and in migration data): which end it belongs to, and its size in bytes. */
export const VDIChunkHeader = struct({ port: u32, size: u32 });
export type VDIChunkHeader = Value<typeof VDIChunkHeader>;
export const VDPPort = { client: 1, server: 2 } as const;

/** Before each message: `protocol` is 1, `type` an `AgentMessageType`, `size` the bytes that follow. */
export const AgentMessageHeader = struct({ protocol: u32, type: u32, opaque: u64, size: u32 });
export type AgentMessageHeader = Value<typeof AgentMessageHeader>;
export const agentMessageHeaderSize = 20;
export const agentProtocol = 1;
/** The most bytes of one `agent_data`. */
export const agentMaxDataSize = 2048;

export const AgentCap = {
  mouseState: 0,
  monitorsConfig: 1,
  reply: 2,
  clipboard: 3,
  displayConfig: 4,
  clipboardByDemand: 5,
  clipboardSelection: 6,
  sparseMonitorsConfig: 7,
  guestLineendLf: 8,
  guestLineendCrlf: 9,
  maxClipboard: 10,
  audioVolumeSync: 11,
  monitorsConfigPosition: 12,
  fileXferDisabled: 13,
  fileXferDetailedErrors: 14,
  graphicsDeviceInfo: 15,
  clipboardNoReleaseOnRegrab: 16,
  clipboardGrabSerial: 17,
} as const;

export const ClipboardType = {
  none: 0,
  utf8Text: 1,
  imagePng: 2,
  imageBmp: 3,
  imageTiff: 4,
  imageJpg: 5,
  fileList: 6,
} as const;
export const ClipboardSelection = { clipboard: 0, primary: 1, secondary: 2 } as const;
export const MonitorsConfigFlags = { usePos: 1, physicalSize: 2 } as const;
export const DisplayConfigFlags = {
  disableWallpaper: 1,
  disableFontSmooth: 2,
  disableAnimation: 4,
  setColorDepth: 8,
} as const;
export const AgentError = { success: 1, error: 2 } as const;
export const FileXferStatus = {
  canSendData: 0,
  cancelled: 1,
  error: 2,
  success: 3,
  notEnoughSpace: 4,
  sessionLocked: 5,
  vdagentNotConnected: 6,
  disabled: 7,
} as const;
/** Bits of mouse_state's `buttons`: one to the left of the inputs channel's. */
export const AgentButtonMask = { left: 2, middle: 4, right: 8, up: 16, down: 32, side: 64, extra: 128 } as const;

/** Sizes in pixels, depth in bits; 0 by 0 is a monitor that is off. */
const MonConfig = struct({ height: u32, width: u32, depth: u32, x: i32, y: i32 });
/** In millimetres. */
const MonitorMM = struct({ height: u16, width: u16 });

export interface AgentMonitorsConfig {
  flags: number;
  monitors: Value<typeof MonConfig>[];
  /** There iff the flags hold `physicalSize`. */
  physicalSizes?: Value<typeof MonitorMM>[];
}
const MonitorsConfig = layout<AgentMonitorsConfig>([
  derived('numOfMonitors', u32, (value: AgentMonitorsConfig) => value.monitors.length),
  field('flags', u32),
  field('monitors', ({ numOfMonitors }) => times(numOfMonitors, MonConfig)),
  field('physicalSizes', ({ flags, numOfMonitors }) =>
    flags & MonitorsConfigFlags.physicalSize ? times(numOfMonitors, MonitorMM) : undefined,
  ),
]);

const DeviceDisplayInfo = struct({
  channelId: u32,
  monitorId: u32,
  deviceDisplayId: u32,
  deviceAddress: text(u32),
});

/** As many as there is room for; whole ones only. */
const words: Codec<number[]> = {
  parts: { kind: 'array', count: 'rest', item: u32, least: 0 },
  read: (r) => times(Math.floor(r.left / 4), u32).read(r),
  write(w, v) {
    for (const word of v) w.u32(word);
  },
};

/** What both sides announced that changes layouts. */
export interface AgentAbilities {
  readonly clipboardSelection?: boolean;
  readonly clipboardGrabSerial?: boolean;
}

const declare = (selection: boolean, grabSerial: boolean) => {
  // Typed as nothing, so that values may leave these out (see `Optional`).
  const from: Record<never, never> = selection ? { selection: u8, reserved: bytes(3) } : {};
  const serial: Record<never, never> = grabSerial ? { serial: u32 } : {};
  return {
    /** Server to agent: where the mouse is (client mouse mode). */
    mouse_state: [1, struct({ x: u32, y: u32, buttons: u32, displayId: u8 })],
    /** Client to agent: please lay out the monitors so. */
    monitors_config: [2, MonitorsConfig],
    reply: [3, struct({ type: u32, error: u32 })],
    clipboard: [4, struct({ ...from, type: u32, data: rest })],
    display_config: [5, struct({ flags: u32, depth: u32 })],
    announce_capabilities: [6, struct({ request: u32, caps: words })],
    clipboard_grab: [7, struct({ ...from, ...serial, types: words })],
    clipboard_request: [8, struct({ ...from, type: u32 })],
    clipboard_release: [9, struct({ ...from })],
    /** `data` is a key file that names the file and its size. */
    file_xfer_start: [10, struct({ id: u32, data: rest })],
    file_xfer_status: [11, struct({ id: u32, result: u32, data: rest })],
    file_xfer_data: [12, struct({ id: u32, size: u64, data: rest })],
    client_disconnected: [13, struct({})],
    /** In bytes; -1 is no limit. */
    max_clipboard: [14, struct({ max: i32 })],
    audio_volume_sync: [15, struct({ isPlayback: bool, mute: bool, volume: array(u8, u16) })],
    graphics_device_info: [16, struct({ displayInfo: array(u32, DeviceDisplayInfo) })],
  } as const satisfies Record<string, readonly [number, Codec<any>]>;
};

type Declared = ReturnType<typeof declare>;
/** What the two optional parts of a clipboard message look like in a value. */
type Optional = { selection?: number; reserved?: Uint8Array; serial?: number };
export type AgentMessageName = keyof Declared;
export type AgentMessage = {
  [K in AgentMessageName]: {
    type: K;
    body: Value<Declared[K][1]> & (K extends `clipboard${string}` ? Optional : object);
  };
}[AgentMessageName];

const tables = [declare(false, false), declare(true, false), declare(false, true), declare(true, true)];

/** The messages, each with its number and layout, between two sides with these abilities. */
export const agentMessages = (
  abilities: AgentAbilities = {},
): Readonly<Record<AgentMessageName, readonly [number, Codec<any>]>> =>
  tables[(abilities.clipboardSelection ? 1 : 0) + (abilities.clipboardGrabSerial ? 2 : 0)]!;

export const AgentMessageType = Object.fromEntries(
  Object.entries(tables[0]!).map(([name, [number]]) => [name, number]),
) as Readonly<Record<AgentMessageName, number>>;
const nameByNumber = new Map(
  Object.entries(AgentMessageType).map(([name, number]) => [number, name as AgentMessageName]),
);

/** Whether it is a message that this protocol has; agents may be newer. */
export const knowsAgentMessage = (type: number): boolean => nameByNumber.has(type);

/** Reads the body of one message. Throws WireError; an unknown type is a `value` fault. */
export function decodeAgentMessage(type: number, body: Uint8Array, abilities?: AgentAbilities): AgentMessage {
  const name = nameByNumber.get(type);
  if (name === undefined) throw new WireError('value', 0, `the agent protocol has no message ${type}`);
  try {
    return { type: name, body: decode(agentMessages(abilities)[name][1], body) } as AgentMessage;
  } catch (error) {
    throw error instanceof WireError ? error.within(`agent.${name}`) : error;
  }
}

/** One message with its header, ready to be cut into pieces. `reserved` may be left out. */
export function encodeAgentMessage(message: AgentMessage, abilities?: AgentAbilities): Uint8Array {
  const [type, codec] = agentMessages(abilities)[message.type];
  const body = encode(codec, { reserved: new Uint8Array(3), selection: 0, ...message.body });
  const header = encode(AgentMessageHeader, { protocol: agentProtocol, type, opaque: 0n, size: body.length });
  const whole = new Uint8Array(header.length + body.length);
  whole.set(header);
  whole.set(body, header.length);
  return whole;
}

/** Pieces of at most `agentMaxDataSize` bytes, each for one `agent_data`. Views. */
export function* agentPieces(message: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < message.length; at += agentMaxDataSize) yield message.subarray(at, at + agentMaxDataSize);
}

/**
 * Puts pieces together again. A message longer than `most` bytes is a `count` fault, found from its header, before anything is
 * kept for it. What it hands out is a copy.
 */
export class AgentAssembler {
  private readonly most: number;
  private header = new Uint8Array(agentMessageHeaderSize);
  private have = 0;
  private parsed: AgentMessageHeader | undefined;
  /** What has come of the body, in a buffer that grows with it: never a piece of its own for each byte. */
  private body = new Uint8Array(0);
  private left = 0;

  constructor(most = longestAgentMessage) {
    this.most = most;
  }

  /** Bytes of an unfinished message that are held. */
  get held(): number {
    return this.parsed === undefined ? this.have : agentMessageHeaderSize + this.parsed.size - this.left;
  }

  /** Bytes of the message under way that have not come yet; 0 while its header has not. */
  get missing(): number {
    return this.left;
  }

  /** What has come of the message under way, from its header on. A copy. */
  get unfinished(): Uint8Array {
    const header = this.parsed === undefined ? this.have : agentMessageHeaderSize;
    const body = this.parsed === undefined ? 0 : this.parsed.size - this.left;
    const bytes = new Uint8Array(header + body);
    bytes.set(this.header.subarray(0, header));
    bytes.set(this.body.subarray(0, body), header);
    return bytes;
  }

  /** Takes the next piece; returns the messages that it completes. */
  push(piece: Uint8Array): { header: AgentMessageHeader; body: Uint8Array }[] {
    const whole: { header: AgentMessageHeader; body: Uint8Array }[] = [];
    let at = 0;
    while (at < piece.length || (this.parsed !== undefined && this.left === 0)) {
      if (this.parsed === undefined) {
        const part = piece.subarray(at, at + agentMessageHeaderSize - this.have);
        this.header.set(part, this.have);
        this.have += part.length;
        at += part.length;
        if (this.have < agentMessageHeaderSize) break;
        const parsed = decode(AgentMessageHeader, this.header);
        if (parsed.protocol !== agentProtocol) throw new WireError('value', at, `agent protocol ${parsed.protocol}`);
        if (parsed.size > this.most) throw new WireError('count', at, `an agent message of ${parsed.size} bytes`);
        this.parsed = parsed;
        this.left = parsed.size;
      } else if (this.left > 0) {
        const part = piece.subarray(at, at + this.left);
        this.gather(part, this.parsed.size);
        at += part.length;
      } else {
        whole.push({ header: this.parsed, body: this.body.subarray(0, this.parsed.size) });
        this.reset();
      }
    }
    return whole;
  }

  /** Forgets an unfinished message. */
  reset(): void {
    this.have = 0;
    this.parsed = undefined;
    this.body = new Uint8Array(0);
    this.left = 0;
  }

  private gather(part: Uint8Array, size: number): void {
    const had = size - this.left;
    const need = had + part.length;
    if (need > this.body.length) {
      const wider = new Uint8Array(Math.min(size, Math.max(need, this.body.length * 2, agentMaxDataSize)));
      wider.set(this.body.subarray(0, had));
      this.body = wider;
    }
    this.body.set(part, had);
    this.left -= part.length;
  }
}
