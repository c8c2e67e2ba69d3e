/** The annotated hexdump: names, places and meanings of the fields of one message. */
import { describe, expect, it } from 'vitest';
import { channels, encodeMessage } from '../../src/protocol/index.ts';
import { explain, renderExplanation } from '../../src/wire/explain.ts';

const { number, body } = encodeMessage(channels.display, 'server', {
  type: 'msg.draw_fill',
  body: {
    base: {
      surfaceId: 3,
      box: { top: 1, left: 2, bottom: 3, right: 4 },
      clip: { type: 'rects', rects: [{ top: 1, left: 2, bottom: 3, right: 4 }] },
    },
    brush: {
      type: 'pattern',
      pat: { id: 9n, type: 'surface', flags: 0, width: 5, height: 6, surfaceId: 2 },
      pos: { x: -1, y: 0 },
    },
    ropDescriptor: 8,
    mask: { flags: 0, pos: { x: 0, y: 0 }, bitmap: null },
  },
});
const codec = channels.display.tables.server.byNumber.get(number)!.codec;

describe('explain', () => {
  const { fields, error } = explain(codec, body, (path) => (path === 'ropDescriptor' ? 'put' : undefined));
  const at = (path: string) => fields.find((field) => field.path === path);

  it('names every field with its place', () => {
    expect(error).toBeUndefined();
    expect(at('base.surfaceId')).toEqual({ path: 'base.surfaceId', offset: 0, size: 4, value: 3 });
    expect(at('base.clip.type')).toEqual({ path: 'base.clip.type', offset: 20, size: 1, value: 1, meaning: 'rects' });
    expect(at('base.clip.rects#count')).toMatchObject({ offset: 21, size: 4, value: 1 });
    expect(at('base.clip.rects[0].right')).toMatchObject({ offset: 37, size: 4, value: 4 });
    expect(at('ropDescriptor')).toMatchObject({ value: 8, meaning: 'put' });
    expect(at('mask.bitmap#offset')).toMatchObject({ value: 0, meaning: 'null' });
  });

  it('follows pointers', () => {
    const there = at('brush.pat#offset')!.value as number;
    expect(at('brush.pat.id')).toMatchObject({ offset: there, size: 8, value: 9n });
    expect(at('brush.pat.type')).toMatchObject({ offset: there + 8, value: 104, meaning: 'surface' });
    expect(at('brush.pat.surfaceId')).toMatchObject({ offset: body.length - 4, value: 2 });
  });

  it('is text with a line a field', () => {
    const lines = renderExplanation({ fields }, body).split('\n');
    expect(lines).toHaveLength(fields.length);
    expect(lines[0]).toMatch(/^000000 {2}03 00 00 00 +base\.surfaceId = 3$/);
    expect(lines.some((line) => line.endsWith('base.clip.type = 1 (rects)'))).toBe(true);
  });

  it('tells how far it came, and what it did not reach', () => {
    const cut = body.subarray(0, 30);
    const explained = explain(codec, cut);
    expect(explained.error?.fault).toBe('count');
    expect(explained.fields.at(-1)).toMatchObject({ path: '', meaning: 'not reached by the layout' });
    const longer = new Uint8Array(body.length + 3);
    longer.set(body);
    expect(explain(codec, longer).fields.at(-1)).toMatchObject({ path: '', offset: body.length, size: 3 });
  });
});
