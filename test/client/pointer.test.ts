/** The pointer's shapes of every kind, worked out by hand, and what cursor messages do to it before and after a hand-over. */
import { Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { cursorShape, ShapeError } from '../../src/client/cursor-shape.ts';
import { ClientPointer } from '../../src/client/pointer.ts';
import type { ChannelHost, ChannelState } from '../../src/engine/channel-host.ts';
import { CursorFlags, CursorType } from '../../src/protocol/constants.ts';
import type { Cursor } from '../../src/protocol/cursor.ts';

const header = (type: number, width: number, height: number, unique = 1n) => ({
  unique,
  type,
  width,
  height,
  hotSpotX: 1,
  hotSpotY: 0,
});

/** The words of a shape as 0xAARRGGBB. */
const words = (type: number, width: number, height: number, data: readonly number[]) => [
  ...new Uint32Array(cursorShape(header(type, width, height), Uint8Array.from(data)).bgra.buffer),
];
const le = (...values: number[]) => values.flatMap((v) => [v & 255, (v >>> 8) & 255, (v >>> 16) & 255, v >>> 24]);

describe('a pointer with a shape of the kind', () => {
  it('alpha has the bytes as they came', () => {
    expect(words(CursorType.alpha, 2, 1, le(0x80112233, 0xff445566))).toEqual([0x80112233, 0xff445566]);
  });

  it('mono: kept, black, white, and white where it would invert', () => {
    // Bits of both masks: 10 stays, 00 is black, 01 is white, 11 inverts.
    expect(words(CursorType.mono, 4, 1, [0b1001_0000, 0b0011_0000])).toEqual([0, 0xff000000, 0xffffffff, 0xffffffff]);
  });

  it('mono that only inverts has a black edge, but not on the border of the shape', () => {
    const [w, b, o] = [0xffffffff, 0xff000000, 0];
    const and = [0xff, 0xff, 0xff, 0xff, 0xff];
    const xor = [0, 0, 0b0010_0000, 0b0010_0000, 0];
    expect(words(CursorType.mono, 5, 5, [...and, ...xor])).toEqual([
      ...[o, o, o, o, o],
      ...[o, b, b, b, o],
      ...[o, b, w, b, o],
      ...[o, b, w, b, o],
      ...[o, o, o, o, o],
    ]);
  });

  // The second pixel is transparent; the third and fourth are of the inverting colour, and transparent.
  const mask = [0b0111_0000];
  const inverted = [0x30505050, 0xc0303030];

  it('color4 looks its colours up in 16', () => {
    const palette = Array.from({ length: 16 }, (_, i) => (i === 15 ? 0xffffff : i * 0x10101));
    expect(words(CursorType.color4, 4, 1, [0x12, 0xff, ...le(...palette), ...mask])).toEqual([
      0xff010101,
      0x020202,
      ...inverted,
    ]);
  });

  it('color8 looks its colours up in 256', () => {
    const palette = Array.from({ length: 256 }, (_, i) => (i === 255 ? 0xffffff : i));
    expect(words(CursorType.color8, 4, 1, [7, 8, 255, 255, ...le(...palette), ...mask])).toEqual([
      0xff000007,
      8,
      ...inverted,
    ]);
  });

  it('color16 has five bits for a colour', () => {
    expect(words(CursorType.color16, 4, 1, [0x1f, 0x7c, 0xe0, 0x03, 0xff, 0x7f, 0xff, 0x7f, ...mask])).toEqual([
      0xfff800f8,
      0x00f800,
      ...inverted,
    ]);
  });

  it('color24', () => {
    const white = [255, 255, 255];
    expect(words(CursorType.color24, 4, 1, [1, 2, 3, 4, 5, 6, ...white, ...white, ...mask])).toEqual([
      0xff030201,
      0x060504,
      ...inverted,
    ]);
  });

  it('color32', () => {
    const pixels = le(0x112233, 0x445566, 0xffffff, 0xffffff);
    expect(words(CursorType.color32, 4, 1, [...pixels, ...mask])).toEqual([0xff112233, 0x445566, ...inverted]);
  });

  it.each(Object.entries(CursorType))(
    '%s is refused when it is cut short, before anything is made of it',
    (_, type) => {
      expect(() => cursorShape(header(type, 0xffff, 0xffff), new Uint8Array(64))).toThrow(ShapeError);
      for (let length = 0; length < 8; length++) {
        expect(() => cursorShape(header(type, 8, 8), new Uint8Array(length))).toThrow(ShapeError);
      }
    },
  );

  it('that nobody knows is refused', () => {
    expect(() => cursorShape(header(9, 1, 1), new Uint8Array(64))).toThrow('a pointer of the kind 9');
  });
});

function attached() {
  const states = new Subject<ChannelState>();
  const messages = new Subject<{ type: string; body: any }>();
  const pointer = new ClientPointer();
  pointer.attach({ states, messages } as unknown as ChannelHost);
  const seen: string[] = [];
  pointer.changes.subscribe((change) => seen.push(change));
  const say = (type: string, body: object = {}) => messages.next({ type: `msg.${type}`, body });
  return { pointer, say, states, seen };
}
const shape = (unique: bigint, color: number, flags = 0): Cursor => ({
  flags,
  header: header(CursorType.alpha, 1, 1, unique),
  data: Uint8Array.from(le(color)),
});
const cached = (unique: bigint): Cursor => ({
  flags: CursorFlags.fromCache,
  header: header(CursorType.alpha, 1, 1, unique),
  data: new Uint8Array(),
});
const none: Cursor = { flags: CursorFlags.none, data: new Uint8Array() };
const at = (x: number, y: number) => ({ x, y });
const init = (cursor: Cursor, visible = true) => ({
  position: at(3, 4),
  trailLength: 0,
  trailFrequency: 0,
  visible,
  cursor,
});
const colorOf = ({ shape }: ClientPointer) => shape && new Uint32Array(shape.bgra.buffer)[0];

describe('the pointer at a client', () => {
  it('is what init says, and follows set, move and hide', () => {
    const { pointer, say, seen } = attached();
    say('set', { position: at(9, 9), visible: true, cursor: shape(1n, 1) });
    expect([pointer.shape, pointer.visible, seen]).toEqual([undefined, false, []]);
    say('init', init(shape(1n, 0x11)));
    expect([colorOf(pointer), pointer.position, pointer.visible]).toEqual([0x11, at(3, 4), true]);
    say('hide');
    expect(pointer.visible).toBe(false);
    say('move', { position: at(-5, 6) });
    expect([pointer.position, pointer.visible]).toEqual([at(-5, 6), true]);
    say('set', { position: at(7, 8), visible: true, cursor: none });
    expect([colorOf(pointer), pointer.position, pointer.visible]).toEqual([0x11, at(7, 8), false]);
    expect(seen).toEqual([
      ...['position', 'shape', 'visible'],
      ...['visible', 'position', 'visible'],
      ...['position', 'visible'],
    ]);
  });

  it('takes shapes from the cache until they are dropped', () => {
    const { pointer, say } = attached();
    const set = (cursor: Cursor) => say('set', { position: at(0, 0), visible: true, cursor });
    say('init', init(shape(1n, 0x11, CursorFlags.cacheMe)));
    set(shape(2n, 0x22, CursorFlags.cacheMe));
    set(cached(1n));
    expect([colorOf(pointer), pointer.visible]).toEqual([0x11, true]);
    say('inval_one', { id: 2n });
    set(cached(2n));
    expect([colorOf(pointer), pointer.visible]).toEqual([0x11, false]);
    set(cached(1n));
    expect(pointer.visible).toBe(true);
    say('inval_all');
    set(cached(1n));
    expect(pointer.visible).toBe(false);
    expect([...pointer.unshown]).toEqual([['a pointer that is not in the cache', 2]]);
  });

  it('keeps no more than it must, whatever a server puts in', () => {
    const { pointer, say } = attached();
    say('init', init(none));
    for (let i = 0n; i < 1_100n; i++) {
      say('set', { position: at(0, 0), visible: true, cursor: shape(i, Number(i), CursorFlags.cacheMe) });
    }
    say('set', { position: at(0, 0), visible: true, cursor: cached(75n) });
    expect(pointer.visible).toBe(false);
    say('set', { position: at(0, 0), visible: true, cursor: cached(76n) });
    expect(colorOf(pointer)).toBe(76);
  });

  it('is gone after reset, until the next init', () => {
    const { pointer, say } = attached();
    say('init', init(shape(1n, 0x11)));
    say('reset');
    expect(pointer.visible).toBe(false);
    say('move', { position: at(1, 1) });
    expect([pointer.position, pointer.visible]).toEqual([at(3, 4), false]);
    say('init', init(shape(1n, 0x33)));
    expect([colorOf(pointer), pointer.visible]).toEqual([0x33, true]);
  });

  it('goes on after a seamless hand-over; after another it is as it was until the target says init', () => {
    const { pointer, say, states } = attached();
    say('init', init(shape(1n, 0x11, CursorFlags.cacheMe)));
    states.next({ type: 'reset', keep: 'everything' });
    say('move', { position: at(5, 5) });
    expect(pointer.position).toEqual(at(5, 5));
    states.next({ type: 'reset', keep: 'primary' });
    expect([colorOf(pointer), pointer.visible]).toEqual([0x11, true]);
    say('move', { position: at(6, 6) });
    expect(pointer.position).toEqual(at(5, 5));
    say('init', init(cached(1n)));
    expect([pointer.visible, [...pointer.unshown.keys()]]).toEqual([false, ['a pointer that is not in the cache']]);
  });
});
