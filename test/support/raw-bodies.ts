/** Bodies of messages that the state of a hand-over travels in (spec §3e), right but for what is lied about. */
import { ascii, join, u8, u16, u32, u64 } from './raw-wire.ts';

/** DISPLAY_INIT as spice-gtk sends it. */
export const displayInit = join(u8(1), u64(20_971_520n), u8(1), u32(4_194_304));

const charDevice = (size: number, pointer: number) => join(u32(1), u8(0), u32(0, 0, size, 0, pointer));

/** `size` and `pointer` are those of the bytes that wait to be written to the agent. */
export const mainState = (lies: { size?: number; pointer?: number; magic?: string; version?: number } = {}) =>
  join(
    ascii(lies.magic ?? 'MNMD'),
    u32(lies.version ?? 1),
    charDevice(lies.size ?? 0, lies.pointer ?? 0),
    u8(0),
    u32(0, 0, 0),
    u8(0),
    u32(0, 0, 0),
    u8(0),
    u32(0),
    u8(0),
  );

export const inputsState = (magic = 'ICMD', version = 1) => join(ascii(magic), u32(version), u16(0));

export const oneSurface = u32(1, 0);

/** `surfaces`: their count and then their ids. */
export const displayState = (surfaces: Uint8Array = oneSurface, magic = 'DCMD', version = 1, pointer = 80) =>
  join(
    ascii(magic),
    u32(version),
    u64(40n),
    u8(0, 1),
    u64(20_971_520n),
    u8(1),
    u64(0n, 0n, 0n, 0n),
    u8(1),
    u32(4_194_304, 4),
    u64(25n),
    u32(pointer),
    surfaces,
  );
