/** Bytes that were seen on real connections, or that are short enough to write down, and the values that they stand for. */
import { describe, expect, it } from 'vitest';
import { WireError } from '../../src/errors.ts';
import {
  AgentAssembler,
  agentPieces,
  type Channel,
  channels,
  decodeAgentMessage,
  decodeMessage,
  emptyCharDevice,
  encodeAgentMessage,
  encodeMessage,
  readMigrateData,
  readSubMessages,
  writeMigrateData,
} from '../../src/protocol/index.ts';

const bytes = (hex: string) =>
  Uint8Array.from(hex.replaceAll(/[\s|]/g, '').match(/../g) ?? [], (b) => Number.parseInt(b, 16));
const zeroes = (count: number) => '00'.repeat(count);

const both = (ch: Channel, side: 'server' | 'client', type: string, hex: string, body: object) => {
  const number = ch.tables[side].byType.get(type)!.number;
  expect(decodeMessage(ch, side, number, bytes(hex))).toEqual({ type, body });
  expect(encodeMessage(ch, side, { type, body })).toEqual({ number, body: bytes(hex) });
};

describe('messages as they were seen', () => {
  it('display init of spice-gtk', () =>
    both(channels.display, 'client', 'msgc.init', '01 0000400100000000 01 00fc5f00', {
      pixmapCacheId: 1,
      pixmapCacheSize: 20_971_520n,
      glzDictionaryId: 1,
      glzDictionaryWindowSize: 6_290_432,
    }));

  it('migrate_begin with a missing TLS port', () =>
    both(
      channels.main,
      'server',
      'msg.migrate_begin',
      `f51a ffff 0a000000 14000000 00000000 00000000 ${Buffer.from('127.0.0.1\0').toString('hex')}`,
      { port: 6901, sport: 0xffff, host: '127.0.0.1', certSubject: '' },
    ));

  it('the migration data of a display', () => {
    const hex = `44434d44 01000000 | 2300000000000000 00 01 0000400100000000 01 ${zeroes(32)} 01 00fc5f00 04000000
      1900000000000000 50000000 | 01000000 00000000`;
    const state = readMigrateData('display', bytes(hex));
    expect(state).toEqual({
      version: 1,
      messageSerial: 35n,
      lowBandwidthSetting: false,
      pixmapCacheId: 1,
      pixmapCacheSize: 20_971_520n,
      pixmapCacheFreezer: true,
      pixmapCacheClients: [0n, 0n, 0n, 0n],
      glzDictId: 1,
      glzDictData: { size: 6_290_432, maxEncoders: 4, lastImageId: 25n },
      surfacesAtClient: [{ id: 0 }],
    });
    expect(writeMigrateData('display', state)).toEqual(bytes(hex));
  });

  it('the migration data of a main channel without an agent, 65 bytes', () => {
    const state = {
      version: 1,
      agentBase: emptyCharDevice(),
      clientAgentStarted: false,
      agent2client: {
        chunkHeaderSize: 0,
        chunkHeader: { port: 0, size: 0 },
        msgHeaderDone: false,
        msgHeader: new Uint8Array(0),
        msgRemaining: 0,
        msgFilterResult: 0,
      },
      client2agent: { msgRemaining: 0, msgFilterResult: 0 },
    };
    const hex = `4d4e4d44 01000000 | 01000000 ${zeroes(53)}`;
    expect(writeMigrateData('main', state)).toEqual(bytes(hex));
    expect(readMigrateData('main', bytes(hex))).toEqual(state);
  });

  it('the migration data of inputs', () => {
    expect(readMigrateData('inputs', bytes('49434d44 01000000 0300'))).toEqual({ version: 1, motionCount: 3 });
  });

  it('a fill of one rectangle of a clip', () =>
    both(
      channels.display,
      'server',
      'msg.draw_fill',
      `00000000 | 00000000 00000000 10000000 20000000 | 01 01000000 01000000 02000000 03000000 04000000 |
       01 ff8000ff | 0800 | 00 00000000 00000000 00000000`,
      {
        base: {
          surfaceId: 0,
          box: { top: 0, left: 0, bottom: 16, right: 32 },
          clip: { type: 'rects', rects: [{ top: 1, left: 2, bottom: 3, right: 4 }] },
        },
        brush: { type: 'solid', color: 0xff0080ff },
        ropDescriptor: 8,
        mask: { flags: 0, pos: { x: 0, y: 0 }, bitmap: null },
      },
    ));

  it('a copy of a two-colour bitmap, its palette behind it', () =>
    both(
      channels.display,
      'server',
      'msg.draw_copy',
      `00000000 | 00000000 00000000 02000000 08000000 | 00 | 39000000 | 00000000 00000000 02000000 08000000 | 0800 | 01 |
       00 00000000 00000000 00000000 |
       0500000000000000 00 01 08000000 02000000 | 02 05 08000000 02000000 01000000 | 63000000 | aa55 |
       0700000000000000 0200 00000000 ffffff00`.replace('63000000', '5f000000'),
      {
        base: { surfaceId: 0, box: { top: 0, left: 0, bottom: 2, right: 8 }, clip: { type: 'none' } },
        srcBitmap: {
          id: 5n,
          type: 'bitmap',
          flags: 1,
          width: 8,
          height: 2,
          format: 2,
          bitmapFlags: 5,
          x: 8,
          y: 2,
          stride: 1,
          palette: { unique: 7n, ents: [0, 0xffffff] },
          data: bytes('aa55'),
        },
        srcArea: { top: 0, left: 0, bottom: 2, right: 8 },
        ropDescriptor: 8,
        scaleMode: 1,
        mask: { flags: 0, pos: { x: 0, y: 0 }, bitmap: null },
      },
    ));

  it('a cursor that is none has no header', () =>
    both(channels.cursor, 'server', 'msg.init', '0100 0200 0000 0000 01 0100', {
      position: { x: 1, y: 2 },
      trailLength: 0,
      trailFrequency: 0,
      visible: true,
      cursor: { flags: 1, data: new Uint8Array(0) },
    }));
});

describe('what does not fit', () => {
  const fault = (act: () => unknown) => {
    try {
      act();
    } catch (error) {
      expect(error).toBeInstanceOf(WireError);
      return { fault: (error as WireError).fault, path: (error as WireError).path };
    }
    throw new Error('was taken');
  };
  const base = `00000000 ${zeroes(16)} 00`;

  it('names the place of an unknown image type', () =>
    expect(
      fault(() =>
        decodeMessage(
          channels.display,
          'server',
          312,
          bytes(`${base} 31000000 ${zeroes(24)} 0000000000000000 42 00 01000000 01000000`),
        ),
      ),
    ).toEqual({ fault: 'value', path: 'display.draw_transparent.srcBitmap.type' }));

  it('refuses a bitmap of more bytes than there are', () =>
    expect(
      fault(() =>
        decodeMessage(
          channels.display,
          'server',
          312,
          bytes(
            `${base} 31000000 ${zeroes(24)} 0000000000000000 00 00 01000000 01000000 08 04 ${'ffffffff'.repeat(3)} 00000000`,
          ),
        ),
      ),
    ).toEqual({ fault: 'truncated', path: 'display.draw_transparent.srcBitmap.u.data' }));

  it('refuses a path that is null', () =>
    expect(
      fault(() => decodeMessage(channels.display, 'server', 310, bytes(`${base} 00000000 00 00 0000 0000`))),
    ).toEqual({ fault: 'pointer', path: 'display.draw_stroke.path' }));

  it('refuses a count of heads that the body cannot hold', () =>
    expect(fault(() => decodeMessage(channels.display, 'server', 317, bytes('ffff 0400')))).toEqual({
      fault: 'count',
      path: 'display.monitors_config.heads',
    }));

  it('refuses to write a palette by id without the flag that says so', () =>
    expect(
      fault(() =>
        encodeMessage(channels.display, 'server', {
          type: 'msg.draw_composite',
          body: {
            base: { surfaceId: 0, box: { top: 0, left: 0, bottom: 1, right: 1 }, clip: { type: 'none' } },
            flags: 0,
            srcBitmap: null,
            maskBitmap: null,
            srcOrigin: { x: 0, y: 0 },
            maskOrigin: { x: 0, y: 0 },
          },
        }),
      ),
    ).toEqual({ fault: 'range', path: 'display.draw_composite.data.maskBitmap' }));

  it('refuses migration data of another channel, of a newer version, with a surface beyond the last', () => {
    expect(fault(() => readMigrateData('inputs', bytes('44434d44 01000000 0300')))).toEqual({
      fault: 'value',
      path: 'inputs.migrate_data.version',
    });
    expect(fault(() => readMigrateData('inputs', bytes('49434d44 02000000 0300'))).fault).toBe('value');
    const surfaces = `44434d44 01000000 ${zeroes(68)} 50000000 01000000 00040000`;
    expect(fault(() => readMigrateData('display', bytes(surfaces)))).toEqual({
      fault: 'value',
      path: 'display.migrate_data.surfacesAtClient',
    });
  });

  it('has no message of an unknown number', () =>
    expect(fault(() => decodeMessage(channels.cursor, 'client', 101, bytes(''))).fault).toBe('value'));
});

describe('sub-messages', () => {
  const one = 'aabb';
  const list = bytes(`0200 0a000000 12000000 | 0500 02000000 ${one} | 0600 00000000`);

  it('are found in their order, at the list and behind a main body', () => {
    expect(readSubMessages(list, 0)).toEqual([
      { number: 5, body: bytes(one) },
      { number: 6, body: bytes('') },
    ]);
    const behind = bytes('00112233 0100 0a000000 0400 01000000 77');
    expect(readSubMessages(behind, 4)).toEqual([{ number: 4, body: bytes('77') }]);
  });

  it('are refused where they do not fit', () => {
    for (let cut = 0; cut < list.length; cut++)
      expect(() => readSubMessages(list.subarray(0, cut), 0)).toThrow(WireError);
    expect(() => readSubMessages(list, 4_000_000_000)).toThrow(WireError);
    expect(() => readSubMessages(bytes('ffff 00000000'), 0)).toThrow(WireError);
    expect(() => readSubMessages(bytes('0100 06000000 0500 ffffffff'), 0)).toThrow(WireError);
  });

  it('are never more than the bytes that came', () => {
    const twice = '0200 0a000000 0a000000 0500 04000000 01020304';
    expect(() => readSubMessages(bytes(twice), 0)).not.toThrow();
    const thrice = '0300 0e000000 0e000000 0e000000 0500 04000000 01020304';
    expect(() => readSubMessages(bytes(thrice), 0)).toThrow(/over each other/);
  });
});

describe('agent messages', () => {
  const message = encodeAgentMessage(
    { type: 'clipboard', body: { selection: 1, type: 1, data: new Uint8Array(5000).fill(65) } },
    { clipboardSelection: true },
  );

  it('are written with their header', () => {
    expect(message.subarray(0, 28)).toEqual(bytes('01000000 04000000 0000000000000000 90130000 | 01 000000 01000000'));
    expect(encodeAgentMessage({ type: 'announce_capabilities', body: { request: 1, caps: [0x60] } })).toEqual(
      bytes('01000000 06000000 0000000000000000 08000000 | 01000000 60000000'),
    );
  });

  it('come through in pieces of any size', () => {
    for (const step of [1, 7, 19, 20, 21, 2048]) {
      const assembler = new AgentAssembler();
      const twice = new Uint8Array(message.length * 2);
      twice.set(message);
      twice.set(message, message.length);
      const whole = [];
      for (let at = 0; at < twice.length; at += step) whole.push(...assembler.push(twice.subarray(at, at + step)));
      expect(whole.map(({ header }) => header.type)).toEqual([4, 4]);
      expect(decodeAgentMessage(4, whole[1]!.body, { clipboardSelection: true })).toMatchObject({
        type: 'clipboard',
        body: { selection: 1, type: 1, data: new Uint8Array(5000).fill(65) },
      });
      expect(assembler.held).toBe(0);
    }
    expect([...agentPieces(message)].map((piece) => piece.length)).toEqual([2048, 2048, 932]);
  });

  it('are refused when they are too long or of another protocol', () => {
    expect(() => new AgentAssembler(4999).push(message)).toThrow(WireError);
    expect(() => new AgentAssembler().push(bytes(`02000000 ${zeroes(16)}`))).toThrow(WireError);
    expect(() => decodeAgentMessage(99, new Uint8Array(0))).toThrow(WireError);
  });
});
