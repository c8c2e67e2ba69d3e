/** What a hand-over leaves of the picture, by scheme (spec §3f), and that it does not go black where it need not. */
import { describe, expect, it } from 'vitest';
import { SurfaceFmt } from '../../src/protocol/constants.ts';
import { copy, create, draw, fill, noMask, rect, screenOf, seen, solid, words } from './pictures-support.ts';

const [R, G] = [0xff0000, 0x00ff00];
const mark = { type: 'msg.mark', body: {} };
const palette = { unique: 9n, ents: [0, R] };
const indexed = (from: unknown, bitmapFlags: number) =>
  words([[0]], { format: 2, stride: 1, palette: from, bitmapFlags, data: Uint8Array.of(0x80) });

/** A session under way: a marked red primary, another surface, a cached palette and a stream. */
function underWay() {
  const screen = screenOf(2, 2);
  fill(screen, rect(0, 0, 2, 2), R);
  screen.apply(mark);
  screen.apply(create(1, 2, 2, SurfaceFmt['32_argb'], 0));
  copy(screen, indexed(palette, 5), 0, 0);
  const place = { dest: rect(0, 0, 2, 2), clip: { type: 'none' } };
  const sizes = { streamWidth: 2, streamHeight: 2, srcWidth: 2, srcHeight: 2 };
  screen.apply({
    type: 'msg.stream_create',
    body: { surfaceId: 0, id: 0, flags: 1, codecType: 1, stamp: 0n, ...sizes, ...place },
  });
  screen.apply({ type: 'msg.monitors_config', body: { maxAllowed: 1, heads: [{ monitorId: 0, surfaceId: 0 }] } });
  return screen;
}
const streams = (screen: ReturnType<typeof underWay>) => {
  const before = screen.undrawn.get('stream: a stream that is there already') ?? 0;
  const body = { surfaceId: 0, id: 0, flags: 1, codecType: 1, dest: rect(0, 0, 1, 1), clip: { type: 'none' } };
  screen.apply({ type: 'msg.stream_create', body });
  return (screen.undrawn.get('stream: a stream that is there already') ?? 0) > before ? 1 : 0;
};
const hasPalette = (screen: ReturnType<typeof underWay>) => screen.palettes.get(9n) !== undefined;

describe('a hand-over', () => {
  it('that is seamless keeps everything', () => {
    const screen = underWay();
    screen.reset('everything');
    expect(screen.surfaceIds()).toEqual([0, 1]);
    expect(seen(screen)).toEqual([
      [R, R],
      [R, R],
    ]);
    expect([screen.marked, hasPalette(screen), streams(screen), screen.monitors.length]).toEqual([true, true, 1, 1]);
  });

  it('that is semi-seamless keeps the primary surface, which the target takes up again', () => {
    const screen = underWay();
    screen.reset('primary');
    expect(screen.surfaceIds()).toEqual([0]);
    // The reference forgets to drop the palettes, although it means to (spec §6.13).
    expect([hasPalette(screen), streams(screen)]).toEqual([false, 0]);
    expect(screen.shown()!.data.slice(0, 3)).toEqual(Uint8Array.of(0, 0, 0xff));
    screen.apply(create(0, 2, 2, SurfaceFmt['32_xrgb'], 1));
    expect(seen(screen)).toEqual([
      [R, R],
      [R, R],
    ]);
    fill(screen, rect(0, 0, 1, 1), G);
    expect(seen(screen)).toEqual([
      [G, R],
      [R, R],
    ]);
    expect(screen.shown()!.data.slice(0, 4)).toEqual(Uint8Array.of(0, 0xff, 0, 0));
  });

  it('that is semi-seamless to a screen of another size shows the old picture until the new one is marked', () => {
    const screen = underWay();
    screen.reset('primary');
    screen.apply(create(0, 4, 1, SurfaceFmt['32_xrgb'], 1));
    expect(screen.primary()).toMatchObject({ width: 4, height: 1 });
    expect(screen.shown()).toMatchObject({ width: 2, height: 2 });
    fill(screen, rect(0, 0, 2, 1), G);
    expect(screen.shown()).toMatchObject({ width: 2, height: 2 });
    screen.apply(mark);
    expect(screen.shown()).toMatchObject({ width: 4, height: 1 });
    expect(seen(screen)).toEqual([[G, G, 0, 0]]);
  });

  it('by switch-host forgets all, but goes on showing the old picture until there is another', () => {
    const screen = underWay();
    screen.reset('nothing');
    expect(screen.surfaceIds()).toEqual([]);
    expect(screen.primary()).toBeUndefined();
    expect([hasPalette(screen), streams(screen), screen.monitors.length, screen.marked]).toEqual([false, 0, 0, false]);
    expect(screen.shown()).toMatchObject({ width: 2, height: 2 });
    screen.apply(create(0, 2, 2, SurfaceFmt['32_xrgb'], 1));
    expect(seen(screen)).toEqual([
      [0, 0],
      [0, 0],
    ]);
    const shows = () => screen.shown()!.data[2];
    expect(shows()).toBe(0xff);
    fill(screen, rect(0, 0, 1, 2), G);
    expect(shows()).toBe(0xff);
    // A picture that covers all of it needs no mark.
    fill(screen, rect(0, 0, 2, 2), G);
    expect(shows()).toBe(0);
  });
});

describe('the primary surface', () => {
  it('is shown when it is marked, and told as changed then', () => {
    const screen = screenOf(2, 2);
    const changed: object[] = [];
    screen.dirty.subscribe((where) => changed.push(where));
    expect(screen.marked).toBe(false);
    screen.apply(mark);
    expect(screen.marked).toBe(true);
    expect(changed).toEqual([rect(0, 0, 2, 2)]);
  });

  it('goes with surface_destroy, and its picture with the next mark', () => {
    const screen = underWay();
    screen.apply({ type: 'msg.surface_destroy', body: { surfaceId: 0 } });
    expect(screen.primary()).toBeUndefined();
    expect(screen.shown()).toMatchObject({ width: 2 });
    screen.apply({ type: 'msg.surface_destroy', body: { surfaceId: 0 } });
    screen.apply(create(0, 3, 3, SurfaceFmt['16_565'], 1));
    screen.apply(mark);
    expect(screen.shown()).toMatchObject({ width: 3, stride: 12, format: SurfaceFmt['16_565'] });
  });

  it('is cleared by reset, with its palettes', () => {
    const screen = underWay();
    screen.apply({ type: 'msg.reset', body: {} });
    expect(seen(screen)).toEqual([
      [0, 0],
      [0, 0],
    ]);
    expect([screen.marked, hasPalette(screen)]).toEqual([false, false]);
  });

  it('is made by mode, too', () => {
    const screen = screenOf(1, 1);
    screen.apply({ type: 'msg.mode', body: { xRes: 5, yRes: 4, bits: 16 } });
    expect(screen.primary()).toMatchObject({ width: 5, height: 4, format: SurfaceFmt['16_555'] });
  });

  it('stays within the pixels that all surfaces may have', () => {
    const screen = screenOf(10, 10, 32, { surfacePixels: 250 });
    screen.apply(create(1, 10, 10, 32, 0));
    screen.apply(create(2, 10, 10, 32, 0));
    expect(screen.surfaceIds()).toEqual([0, 1]);
    screen.apply({ type: 'msg.surface_destroy', body: { surfaceId: 1 } });
    screen.apply(create(2, 10, 10, 32, 0));
    expect(screen.surfaceIds()).toEqual([0, 2]);
    draw(
      screen,
      'draw_fill',
      rect(0, 0, 1, 1),
      { brush: solid(1), ropDescriptor: 8, mask: noMask },
      { type: 'none' },
      1,
    );
    expect([...screen.undrawn.keys()]).toEqual([
      'surface_create: a surface too large, or too many',
      'draw_fill: no such surface',
    ]);
  });
});
