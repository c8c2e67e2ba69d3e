/**
 * The state of a channel that a source hands to its target through the client in a seamless hand-over (spec §3e). The client
 * passes it on unread; so to the target these are a stranger's bytes: every size and offset is checked against the body.
 */
import { WireError } from '../errors.ts';
import {
  bool,
  type Codec,
  decode,
  encode,
  i32,
  i64,
  pointedBytes,
  struct,
  times,
  u8,
  u16,
  u32,
  u64,
  type Value,
} from '../wire/codec.ts';
import { derived, field, layout } from '../wire/layout.ts';
import { VDIChunkHeader } from './agent.ts';

/** The four letters that a body begins with, as a little-endian word, and the version that is written. */
export const migrateMagic = {
  main: 0x444d4e4d, // "MNMD"
  display: 0x444d4344, // "DCMD"
  inputs: 0x444d4349, // "ICMD"
  spicevmc: 0x444d5653, // "SVMD"
  smartcard: 0x444d4353, // "SCMD"
} as const;
export const migrateDataVersion = 1;
/** Surfaces that a display may have; ids are below this. */
export const maxSurfaces = 1024;

/** The magic of a channel and a version that is known. A body of another channel or a newer version is a `value` fault. */
const header = (magic: number): Codec<number> => ({
  parts: { kind: 'custom', name: 'header', least: 8, sample: () => migrateDataVersion },
  read(r) {
    const at = r.pos;
    const found = r.u32();
    if (found !== magic) throw new WireError('value', at, `magic ${found.toString(16)} is another channel's`);
    const version = r.u32();
    if (version > migrateDataVersion) throw new WireError('value', at + 4, `version ${version} is newer than ours`);
    return version;
  },
  write(w, version) {
    w.u32(magic);
    w.u32(version);
  },
});

/** A number that must not be above `most`: a `value` fault on reading, `range` on writing. */
const upTo = (most: number, codec: Codec<number>): Codec<number> => ({
  parts: { kind: 'custom', name: `up to ${most}`, least: codec.parts.least, sample: (random) => random(most + 1) },
  read(r) {
    const at = r.pos;
    const value = codec.read(r);
    if (value > most) throw new WireError('value', at, `${value} is more than ${most}`);
    return value;
  },
  write(w, value) {
    if (value > most) throw new WireError('range', w.pos, `${value} is more than ${most}`);
    codec.write(w, value);
  },
});

/** State of a character device. `writeData` is what was not written to the guest yet. */
export interface CharDeviceState {
  version: number;
  connected: boolean;
  numClientTokens: number;
  numSendTokens: number;
  /** Tokens owed for the parts of `writeData` that came from the client. */
  writeNumClientTokens: number;
  writeData: Uint8Array;
}

/** A size, `between`, and an offset that is meaningless when the size is 0. */
const pointedAt = (size: number): Codec<Uint8Array> => ({
  parts: { kind: 'custom', name: 'pointer', least: 4, sample: () => new Uint8Array(size) },
  read(r) {
    const offset = r.u32();
    return size === 0 ? r.body.subarray(0, 0) : r.at(offset, (at) => at.bytes(size));
  },
  write(w, v) {
    if (v.length === 0) w.u32(0);
    else w.pointer((at) => at.bytes(v));
  },
});

export const CharDeviceState = layout<CharDeviceState>([
  field('version', upTo(migrateDataVersion, u32)),
  field('connected', bool),
  field('numClientTokens', u32),
  field('numSendTokens', u32),
  derived('writeSize', u32, (value: CharDeviceState) => value.writeData.length),
  field('writeNumClientTokens', u32),
  field('writeData', ({ writeSize }) => pointedAt(writeSize)),
]);

/** A device that has nothing to hand over. */
export const emptyCharDevice = (): CharDeviceState => ({
  version: migrateDataVersion,
  connected: false,
  numClientTokens: 0,
  numSendTokens: 0,
  writeNumClientTokens: 0,
  writeData: new Uint8Array(0),
});

/** What became of the agent message that is under way. */
export const AgentFilterResult = { ok: 0, discard: 1, protoError: 2, monitorsConfig: 3 } as const;

/** A part of an agent message's header: fewer than its 20 bytes. */
const partialHeader: Codec<Uint8Array> = {
  parts: { ...pointedBytes.parts, kind: 'custom', name: 'partial header', sample: (n) => new Uint8Array(n(20)) },
  read(r) {
    const at = r.pos;
    const raw = pointedBytes.read(r);
    if (raw.length >= 20) throw new WireError('count', at, `${raw.length} bytes of a header of 20`);
    return raw;
  },
  write(w, v) {
    if (v.length >= 20) throw new WireError('range', w.pos, `${v.length} bytes of a header of 20`);
    pointedBytes.write(w, v);
  },
};

const mainState = struct({
  version: header(migrateMagic.main),
  agentBase: CharDeviceState,
  clientAgentStarted: bool,
  agent2client: struct({
    /** Bytes of the chunk header that were read. */
    chunkHeaderSize: upTo(8, u32),
    /** When the header is read, its size is the bytes of the chunk that are still to come. */
    chunkHeader: VDIChunkHeader,
    msgHeaderDone: bool,
    msgHeader: partialHeader,
    msgRemaining: u32,
    msgFilterResult: upTo(3, u8),
  }),
  client2agent: struct({ msgRemaining: u32, msgFilterResult: upTo(3, u8) }),
});
export type MainMigrateData = Value<typeof mainState>;

const LossyRect = struct({ left: i32, top: i32, right: i32, bottom: i32 });

/** A surface that the client has; `lossyRect` is where it shows JPEG, and is there only if the source may send any. */
export interface SurfaceAtClient {
  id: number;
  lossyRect?: Value<typeof LossyRect>;
}

/**
 * The bytes do not say which of two forms the list has (it follows from the source's options), but it stands at the end, so
 * its length tells.
 */
const surfacesAtClient: Codec<SurfaceAtClient[]> = {
  parts: {
    kind: 'custom',
    name: 'surfaces at client',
    least: 4,
    sample: (random) => {
      const lossy = random(2) === 1;
      const rect = () => ({ left: random(9), top: random(9), right: random(99), bottom: random(99) });
      return Array.from({ length: random(4) }, (_, id) => (lossy ? { id, lossyRect: rect() } : { id }));
    },
  },
  read(r) {
    const offset = r.u32();
    return r.at(offset, (at) => {
      const start = at.pos;
      const count = at.u32();
      const lossy = at.left >= count * 20;
      if (count > maxSurfaces || count > at.left / 4) throw new WireError('count', start, `${count} surfaces`);
      const surfaces: SurfaceAtClient[] = [];
      for (let i = 0; i < count; i++) {
        const id = surfaceId.read(at);
        surfaces.push(lossy ? { id, lossyRect: LossyRect.read(at) } : { id });
      }
      return surfaces;
    });
  },
  write(w, v) {
    const lossy = v.some((surface) => surface.lossyRect !== undefined);
    w.pointer((at) => {
      at.u32(v.length);
      for (const { id, lossyRect } of v) {
        surfaceId.write(at, id);
        if (lossy) LossyRect.write(at, lossyRect ?? { left: 0, top: 0, right: 0, bottom: 0 });
      }
    });
  },
};
const surfaceId = upTo(maxSurfaces - 1, u32);

const displayState = struct({
  version: header(migrateMagic.display),
  /** The serial of the message that carries these data; the target's next message has it too. */
  messageSerial: u64,
  lowBandwidthSetting: bool,
  pixmapCacheId: u8,
  /** In pixels. */
  pixmapCacheSize: i64,
  pixmapCacheFreezer: bool,
  /** The last serial of each display channel of the session. */
  pixmapCacheClients: times(4, u64),
  glzDictId: u8,
  glzDictData: struct({ size: u32, maxEncoders: u32, lastImageId: u64 }),
  surfacesAtClient,
});
export type DisplayMigrateData = Value<typeof displayState>;

const inputsState = struct({ version: header(migrateMagic.inputs), motionCount: u16 });
export type InputsMigrateData = Value<typeof inputsState>;

const spicevmcState = struct({ version: header(migrateMagic.spicevmc), base: CharDeviceState });
const smartcardState = struct({
  version: header(migrateMagic.smartcard),
  base: CharDeviceState,
  readerAdded: bool,
  readData: pointedBytes,
});

/** The layouts by the word of the channel that they belong to. */
export const migrateData = {
  main: mainState,
  display: displayState,
  inputs: inputsState,
  usbredir: spicevmcState,
  port: spicevmcState,
  webdav: spicevmcState,
  smartcard: smartcardState,
} as const;
export type MigrateDataChannel = keyof typeof migrateData;
export type MigrateData<C extends MigrateDataChannel> = Value<(typeof migrateData)[C]>;

/** Reads the state of a channel. Byte fields are views. Throws WireError. */
export function readMigrateData<C extends MigrateDataChannel>(name: C, body: Uint8Array): MigrateData<C> {
  try {
    return decode(migrateData[name] as Codec<any>, body);
  } catch (error) {
    throw error instanceof WireError ? error.within(`${name}.migrate_data`) : error;
  }
}

/** The body of a migrate_data message, and the `data` that the client hands to the target. */
export const writeMigrateData = <C extends MigrateDataChannel>(name: C, state: MigrateData<C>): Uint8Array =>
  encode(migrateData[name] as Codec<any>, state);
