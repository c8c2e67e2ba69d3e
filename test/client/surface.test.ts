/** The picture of a display, with results small enough to have been worked out by hand. */
import { describe, expect, it } from 'vitest';
import { combine3 } from '../../src/client/rop.ts';
import { ResourceType, Ropd, SurfaceFmt } from '../../src/protocol/constants.ts';
import {
  all,
  copy,
  create,
  draw,
  fill,
  noMask,
  rect,
  rects,
  screenOf,
  seen,
  solid,
  words,
} from './pictures-support.ts';

const [R, G, B, W] = [0xff0000, 0x00ff00, 0x0000ff, 0xffffff];

describe('fills and copies', () => {
  it('fill a box within the surface and the clip, each pixel once', () => {
    const screen = screenOf(4, 3);
    fill(screen, rect(-5, 1, 3, 99), R);
    expect(seen(screen)).toEqual([
      [0, 0, 0, 0],
      [R, R, R, 0],
      [R, R, R, 0],
    ]);
    const overlapping = rects(rect(0, 0, 2, 2), rect(1, 1, 3, 3), rect(1, 1, 2, 2));
    fill(screen, rect(0, 0, 4, 3), W, { ropDescriptor: Ropd.opXor }, overlapping);
    expect(seen(screen)).toEqual([
      [W, W, 0, 0],
      [0x00ffff, 0x00ffff, 0x00ffff, 0],
      [R, 0x00ffff, 0x00ffff, 0],
    ]);
  });

  it('unite very many clip rectangles', () => {
    const screen = screenOf(40, 30);
    const many = Array.from({ length: 500 }, (_, i) => rect(i % 37, i % 29, (i % 37) + 1, (i % 29) + 1));
    fill(screen, rect(0, 0, 40, 30), W, { ropDescriptor: Ropd.opXor }, rects(...many));
    const expected = Array.from({ length: 30 }, () => new Array<number>(40).fill(0));
    for (const { left, top } of many) expected[top]![left] = W;
    expect(seen(screen)).toEqual(expected);
  });

  it('draw nothing through an empty clip or an empty box', () => {
    const screen = screenOf(2, 1);
    fill(screen, rect(0, 0, 2, 1), R, {}, rects());
    fill(screen, rect(1, 0, 1, 1), R);
    fill(screen, rect(1, 0, 0, 1), R);
    expect(seen(screen)).toEqual([[0, 0]]);
  });

  it('copy pictures the right way up, part of them, and over the edge', () => {
    const screen = screenOf(3, 2);
    copy(
      screen,
      words(
        [
          [R, G],
          [B, W],
        ],
        { bitmapFlags: 0 },
      ),
      0,
      0,
    );
    expect(seen(screen)).toEqual([
      [B, W, 0],
      [R, G, 0],
    ]);
    copy(
      screen,
      words([
        [R, G],
        [B, W],
      ]),
      2,
      1,
    );
    expect(seen(screen)[1]).toEqual([R, G, R]);
    copy(
      screen,
      words([
        [R, G],
        [B, W],
      ]),
      -1,
      -1,
    );
    expect(seen(screen)[0]).toEqual([W, W, 0]);
    const image = words([[R, G, B]]);
    draw(screen, 'draw_copy', rect(0, 0, 1, 1), {
      srcBitmap: image,
      srcArea: rect(2, 0, 3, 1),
      ropDescriptor: 8,
      scaleMode: 0,
      mask: noMask,
    });
    expect(seen(screen)[0]![0]).toBe(B);
  });

  it('scale to the nearest pixel', () => {
    const screen = screenOf(4, 2);
    draw(screen, 'draw_copy', rect(0, 0, 4, 2), {
      srcBitmap: words([[R, G]]),
      srcArea: rect(0, 0, 2, 1),
      ropDescriptor: 8,
      scaleMode: 1,
      mask: noMask,
    });
    expect(seen(screen)).toEqual([
      [R, R, G, G],
      [R, R, G, G],
    ]);
  });

  it('interpolate, fading to black beyond the edges', () => {
    const screen = screenOf(4, 1);
    draw(screen, 'draw_copy', rect(0, 0, 4, 1), {
      srcBitmap: words([[0, 0x80]]),
      srcArea: rect(0, 0, 2, 1),
      ropDescriptor: 8,
      scaleMode: 0,
      mask: noMask,
    });
    // Samples at -¼, ¼, ¾ and 1¼ between the pixel centres.
    expect(seen(screen)).toEqual([[0, 0x20, 0x60, 0x60]]);
  });

  it('move pixels as if all were read first', () => {
    const rows = [
      [1, 2, 3, 4],
      [5, 6, 7, 8],
      [9, 10, 11, 12],
    ];
    for (const [x, y] of [
      [1, 1],
      [-1, 1],
      [1, -1],
      [-1, -1],
      [1, 0],
      [0, -1],
    ] as const) {
      for (const clip of [all, rects(rect(0, 0, 2, 3), rect(2, 0, 4, 1), rect(2, 1, 4, 3))]) {
        const screen = screenOf(4, 3);
        copy(screen, words(rows), 0, 0);
        draw(screen, 'copy_bits', rect(x, y, 4 + x, 3 + y), { srcPos: { x: 0, y: 0 } }, clip);
        const expected = rows.map((row, j) => row.map((old, i) => rows[j - y]?.[i - x] ?? old));
        expect(seen(screen)).toEqual(expected);
      }
    }
  });

  it('let through what a mask of bits lets through, the right way round', () => {
    const bits = (data: number[], more: object) => ({
      ...words([
        [0, 0, 0],
        [0, 0, 0],
      ]),
      format: 2,
      stride: 1,
      data: Uint8Array.from(data),
      ...more,
    });
    const through = (mask: object) => {
      const screen = screenOf(4, 2);
      fill(screen, rect(0, 0, 4, 2), R, { mask: { flags: 0, pos: { x: 0, y: 0 }, ...mask } });
      return seen(screen).map((row) => row.map((color) => (color === R ? 1 : 0)));
    };
    const mask = [0b10100000, 0b01000000];
    expect(through({ bitmap: bits(mask, {}) })).toEqual([
      [1, 0, 1, 0],
      [0, 1, 0, 0],
    ]);
    expect(through({ bitmap: bits(mask, { bitmapFlags: 0 }) })).toEqual([
      [0, 1, 0, 0],
      [1, 0, 1, 0],
    ]);
    expect(through({ bitmap: bits(mask, {}), flags: 1 })).toEqual([
      [0, 1, 0, 0],
      [1, 0, 1, 0],
    ]);
    expect(through({ bitmap: bits(mask, { format: 1 }) })).toEqual([
      [0, 0, 0, 0],
      [0, 0, 0, 0],
    ]);
    expect(through({ bitmap: bits([0b101, 0b010], { format: 1 }) })).toEqual([
      [1, 0, 1, 0],
      [0, 1, 0, 0],
    ]);
    expect(through({ bitmap: bits(mask, {}), pos: { x: 1, y: 0 } })).toEqual([
      [0, 1, 0, 0],
      [1, 0, 0, 0],
    ]);
  });
});

describe('raster operations', () => {
  it('are what their flags say', () => {
    const of = (ropDescriptor: number) => {
      const screen = screenOf(1, 1);
      fill(screen, rect(0, 0, 1, 1), 0x0000f0);
      fill(screen, rect(0, 0, 1, 1), 0x0000cc, { ropDescriptor });
      return seen(screen)[0]![0]! & 0xff;
    };
    expect(of(Ropd.opPut)).toBe(0xcc);
    expect(of(Ropd.opPut | Ropd.inversBrush)).toBe(0x33);
    expect(of(Ropd.opOr)).toBe(0xfc);
    expect(of(Ropd.opOr | Ropd.inversBrush)).toBe(0xf3);
    expect(of(Ropd.opAnd)).toBe(0xc0);
    expect(of(Ropd.opAnd | Ropd.inversDest)).toBe(0x0c);
    expect(of(Ropd.opXor)).toBe(0x3c);
    expect(of(Ropd.opXor | Ropd.inversRes)).toBe(0xc3);
    expect(of(Ropd.opBlackness)).toBe(0);
    expect(of(Ropd.opWhiteness)).toBe(0xff);
    expect(of(Ropd.opInvers)).toBe(0x0f);
    expect(of(Ropd.opAnd | Ropd.inversSrc)).toBe(0xc0);
  });

  it('of three operands are all 256', () => {
    for (let code = 0; code < 256; code++) expect(combine3(code, 0xf0, 0xcc, 0xaa) & 0xff).toBe(code);
  });

  it('of three operands draw with a brush and a pattern', () => {
    for (const code of [0x00, 0x0f, 0x33, 0x55, 0x5a, 0x66, 0x88, 0xcc, 0xee, 0xf0, 0xff, 0xb8]) {
      const screen = screenOf(2, 1);
      fill(screen, rect(0, 0, 2, 1), 0xaaaaaa);
      const source = { srcBitmap: words([[0xcccccc, 0xcccccc]]), srcArea: rect(0, 0, 2, 1) };
      const rest = { rop3: code, scaleMode: 0, mask: noMask };
      draw(screen, 'draw_rop3', rect(0, 0, 1, 1), {
        ...source,
        srcArea: rect(0, 0, 1, 1),
        brush: solid(0xf0f0f0),
        ...rest,
      });
      const pattern = { type: 'pattern', pat: words([[0, 0xf0f0f0]]), pos: { x: 0, y: 0 } };
      draw(screen, 'draw_rop3', rect(1, 0, 2, 1), { ...source, srcArea: rect(1, 0, 2, 1), brush: pattern, ...rest });
      expect(seen(screen)).toEqual([[code * 0x010101, code * 0x010101]]);
    }
  });
});

describe('surfaces of other formats', () => {
  it('keep five bits of a colour, repeated below when shown', () => {
    const screen = screenOf(2, 1, SurfaceFmt['16_555']);
    fill(screen, rect(0, 0, 1, 1), 0x7c00);
    copy(screen, words([[0x87654f]]), 1, 0);
    expect(seen(screen)).toEqual([[0xff0000, 0x84634a]]);
  });

  it('keep alpha alone, or one bit of it', () => {
    const screen = screenOf(1, 1);
    screen.apply(create(7, 2, 1, SurfaceFmt['8_a'], 0));
    screen.apply(create(8, 2, 1, SurfaceFmt['1_a'], 0));
    const rgba = words([[0x40102030, 0xc0102030]], { format: 9 });
    const fields = { srcBitmap: rgba, srcArea: rect(0, 0, 2, 1), ropDescriptor: 8, scaleMode: 0, mask: noMask };
    draw(screen, 'draw_copy', rect(0, 0, 2, 1), fields, all, 7);
    draw(screen, 'draw_copy', rect(0, 0, 2, 1), fields, all, 8);
    expect([...screen.raster(7)!.px]).toEqual([0x40, 0xc0]);
    expect([...screen.raster(8)!.px]).toEqual([0, 1]);
    draw(screen, 'draw_invers', rect(0, 0, 2, 1), { mask: noMask }, all, 8);
    expect([...screen.raster(8)!.px]).toEqual([1, 0]);
  });

  it('can be drawn from, as a picture and as a mask', () => {
    const screen = screenOf(2, 1);
    screen.apply(create(3, 2, 1, SurfaceFmt['32_argb'], 0));
    screen.apply(create(4, 2, 1, SurfaceFmt['1_a'], 0));
    draw(screen, 'draw_fill', rect(0, 0, 2, 1), { brush: solid(0xff00ff00), ropDescriptor: 8, mask: noMask }, all, 3);
    draw(screen, 'draw_fill', rect(1, 0, 2, 1), { brush: solid(1), ropDescriptor: 8, mask: noMask }, all, 4);
    const surface = (surfaceId: number) => ({ id: 0n, type: 'surface', flags: 0, width: 2, height: 1, surfaceId });
    copy(screen, surface(3), 0, 0, { mask: { flags: 0, pos: { x: 0, y: 0 }, bitmap: surface(4) } });
    expect(seen(screen)).toEqual([[0, G]]);
    screen.apply({ type: 'msg.surface_destroy', body: { surfaceId: 3 } });
    copy(screen, surface(3), 0, 0);
    expect([...screen.undrawn]).toEqual([['draw_copy: a source surface that is not there', 1]]);
  });

  it('take palettes in their own colours, and from the cache', () => {
    const indexed = (palette: unknown, bitmapFlags: number) =>
      words([[0, 0]], { format: 4, stride: 1, palette, bitmapFlags, data: Uint8Array.of(0x10) });
    const screen = screenOf(2, 1);
    copy(screen, indexed({ unique: 9n, ents: [R, B] }, 5), 0, 0);
    expect(seen(screen)).toEqual([[B, R]]);
    fill(screen, rect(0, 0, 2, 1), 0);
    copy(screen, indexed(9n, 6), 0, 0);
    expect(seen(screen)).toEqual([[B, R]]);
    screen.apply({ type: 'msg.inval_palette', body: { id: 9n } });
    copy(screen, indexed(9n, 6), 0, 0);
    expect([...screen.undrawn]).toEqual([['draw_copy: a palette that is not in the cache', 1]]);
    const sixteen = screenOf(2, 1, SurfaceFmt['16_555']);
    copy(sixteen, indexed({ unique: 9n, ents: [0x7c00, 0x001f] }, 4), 0, 0);
    expect(seen(sixteen)).toEqual([[B, R]]);
  });
});

describe('the image cache', () => {
  const fromCache = (id: bigint, lossless = false) => ({
    id,
    type: lossless ? 'from_cache_lossless' : 'from_cache',
    flags: 0,
    width: 1,
    height: 1,
  });

  it('keeps what it is told to, as often as it is told', () => {
    const screen = screenOf(1, 1);
    copy(screen, words([[R]], { id: 5n, flags: 1 }), 9, 9);
    copy(screen, fromCache(5n), 0, 0);
    expect(seen(screen)).toEqual([[R]]);
    copy(screen, words([[G]], { id: 5n, flags: 1 }), 9, 9);
    const drop = { type: 'msg.inval_list', body: { resources: [{ type: ResourceType.pixmap, id: 5n }] } };
    screen.apply(drop);
    copy(screen, fromCache(5n, true), 0, 0);
    expect(seen(screen)).toEqual([[G]]);
    screen.apply(drop);
    copy(screen, fromCache(5n), 0, 0);
    expect([...screen.undrawn]).toEqual([['draw_copy: a picture that is not in the cache', 1]]);
    copy(screen, words([[G]], { id: 6n, flags: 1 }), 0, 0);
    screen.apply({ type: 'msg.inval_all_pixmaps', body: { waitList: [] } });
    expect(screen.caches.images.size).toBe(0);
  });

  it('keeps a picture though nothing of it is drawn, even on a surface that is not there', () => {
    const screen = screenOf(1, 1);
    copy(screen, words([[R]], { id: 5n, flags: 1 }), 0, 0, {}, rects());
    draw(
      screen,
      'draw_fill',
      rect(0, 0, 1, 1),
      {
        brush: { type: 'pattern', pat: words([[B]], { id: 6n, flags: 1 }), pos: { x: 0, y: 0 } },
        ropDescriptor: 8,
        mask: noMask,
      },
      all,
      99,
    );
    copy(screen, fromCache(6n), 0, 0);
    expect(seen(screen)).toEqual([[B]]);
    copy(screen, fromCache(5n), 0, 0);
    expect(seen(screen)).toEqual([[R]]);
    expect([...screen.undrawn]).toEqual([['draw_fill: no such surface', 1]]);
  });

  it('does not grow beyond twice what was announced', async () => {
    const { ImageCache } = await import('../../src/client/caches.ts');
    const cache = new ImageCache(10);
    const raster = { format: 'x888' as const, width: 6, height: 1, px: new Uint32Array(6) };
    for (let id = 0n; id < 100n; id++) cache.put(id, raster, false);
    expect(cache.pixels).toBeLessThanOrEqual(20);
    expect(cache.get(99n, false)).toBe(raster);
    expect(cache.get(0n, false)).toBeUndefined();
  });
});

describe('what it tells', () => {
  it('where the primary surface changed', () => {
    const screen = screenOf(10, 10);
    const changed: object[] = [];
    screen.dirty.subscribe((where) => changed.push(where));
    fill(screen, rect(2, 3, 5, 20), R, {}, rects(rect(2, 3, 3, 4), rect(4, 8, 50, 50)));
    screen.apply(create(1, 5, 5, 32, 0));
    draw(screen, 'draw_fill', rect(0, 0, 5, 5), { brush: solid(1), ropDescriptor: 8, mask: noMask }, all, 1);
    expect(changed).toEqual([rect(2, 3, 5, 10)]);
    expect(screen.drawn).toBe(2);
  });

  it('how monitors lie', () => {
    const screen = screenOf(10, 10);
    const head = (monitorId: number) => ({ monitorId, surfaceId: 0, width: 5, height: 5, x: 0, y: 0, flags: 0 });
    screen.apply({ type: 'msg.monitors_config', body: { maxAllowed: 2, heads: [head(0), head(1), head(2)] } });
    expect(screen.monitors.map(({ monitorId }) => monitorId)).toEqual([0, 1]);
    screen.apply({ type: 'msg.monitors_config', body: { maxAllowed: 4, heads: [] } });
    expect(screen.maxMonitors).toBe(2);
  });

  it('what it cannot draw, without ever throwing', () => {
    const screen = screenOf(4, 4);
    fill(screen, rect(0, 0, 4, 4), W);
    const huge = rect(0, 0, 2 ** 31 - 1, 2 ** 31 - 1);
    const image = words([[R]]);
    copy(screen, { ...image, x: 0, y: 0, width: 0, height: 0, data: new Uint8Array(0) }, 0, 0);
    copy(screen, { ...image, format: 77 }, 0, 0);
    copy(screen, { ...image, stride: 0 }, 0, 0);
    copy(screen, image, 0, 0, { srcBitmap: null });
    draw(screen, 'draw_copy', rect(0, 0, 4, 4), {
      srcBitmap: image,
      srcArea: rect(0, 0, 1, 1),
      ropDescriptor: 8,
      scaleMode: 9,
      mask: noMask,
    });
    draw(screen, 'draw_rop3', huge, {
      srcBitmap: image,
      srcArea: rect(0, 0, 1, 1),
      brush: solid(0),
      rop3: 0xcc,
      scaleMode: 0,
      mask: noMask,
    });
    draw(screen, 'draw_composite', rect(0, 0, 4, 4), {
      flags: 0x3f,
      srcBitmap: image,
      srcOrigin: { x: 0, y: 0 },
      maskOrigin: { x: 0, y: 0 },
    });
    copy(screen, image, 0, 0, { mask: { flags: 0, pos: { x: 0, y: 0 }, bitmap: image } });
    screen.apply(create(1, 2 ** 31, 2 ** 31, 32, 0));
    screen.apply(create(1, 5, 5, 33, 0));
    screen.apply({ type: 'msg.mark', body: {} });
    screen.apply({ type: 'msg.nothing_known', body: {} });
    expect(new Set(screen.undrawn.keys())).toEqual(
      new Set([
        'draw_copy: image.size',
        'draw_copy: image.type',
        'draw_copy: no source picture',
        'draw_copy: scale mode 9',
        'draw_rop3: a box too large to scale to',
        'draw_composite: composite operator 63',
        'surface_create: a surface too large, or too many',
        'surface_create: an unknown surface format',
      ]),
    );
    expect(seen(screen)).toEqual(new Array(4).fill([W, W, W, W]));
  });
});
