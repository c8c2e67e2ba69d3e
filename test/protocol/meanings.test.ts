/** The names of numbers in explained messages. */
import { describe, expect, it } from 'vitest';
import { type Channel, channels, encodeMessage, meaningsOf } from '../../src/protocol/index.ts';
import { explain } from '../../src/wire/explain.ts';

const meanings = (ch: Channel, side: 'server' | 'client', name: string, body: object) => {
  const type = `${side === 'server' ? 'msg' : 'msgc'}.${name}`;
  const { number, body: bytes } = encodeMessage(ch, side, { type, body });
  const { fields } = explain(ch.tables[side].byNumber.get(number)!.codec, bytes, meaningsOf(ch.name, name));
  return Object.fromEntries(fields.filter(({ meaning }) => meaning !== undefined).map((f) => [f.path, f.meaning]));
};

describe('meanings', () => {
  it('name what a surface is', () => {
    const body = { surfaceId: 0, width: 32, height: 80, format: 32, flags: 3 };
    expect(meanings(channels.display, 'server', 'surface_create', body)).toEqual({
      format: '32_xrgb',
      flags: 'primary + streamingMode',
    });
  });

  it('name what a drawing command does, and leave other numbers alone', () => {
    const body = {
      base: { surfaceId: 8, box: { top: 8, left: 8, bottom: 8, right: 8 }, clip: { type: 'none' } },
      brush: { type: 'solid', color: 8 },
      ropDescriptor: 8 | 1024,
      mask: { flags: 1, pos: { x: 1, y: 1 }, bitmap: null },
    };
    expect(meanings(channels.display, 'server', 'draw_fill', body)).toEqual({
      'base.clip.type': 'none',
      'brush.type': 'solid',
      ropDescriptor: 'opPut + inversRes',
      'mask.flags': 'invers',
      'mask.bitmap#offset': 'null',
    });
  });

  it('name input, sound and mouse modes', () => {
    expect(meanings(channels.inputs, 'client', 'mouse_press', { button: 3, buttonsState: 5 })).toEqual({
      button: 'right',
      buttonsState: 'left + right',
    });
    expect(meanings(channels.playback, 'server', 'mode', { time: 1, mode: 3, data: new Uint8Array(0) })).toEqual({
      mode: 'opus',
    });
    expect(meanings(channels.main, 'server', 'mouse_mode', { supportedModes: 3, currentMode: 2 })).toEqual({
      supportedModes: 'server + client',
      currentMode: 'client',
    });
    expect(meanings(channels.main, 'server', 'migrate', { flags: 3 })).toEqual({
      flags: 'needFlush + needDataTransfer',
    });
  });
});
