/** Every message number that the reference knows is declared, or left out for a reason that is written here. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { BaseChannel, type Channel, channelByType, channelName, channels, prefix } from '../../src/protocol/index.ts';
import { messageNumbers } from './message-numbers.ts';

const leftOut: readonly (readonly [RegExp, string])[] = [
  [/^SPICE_MSG_BASE_LAST$/, 'not a message: the end of the range of the shared ones'],
  [/^SPICE_MSGC?_SMARTCARD_/, 'the smartcard channel is not spoken; a client does not link it'],
  [/^SPICE_MSGC?_SPICEVMC_/, 'usbredir, port and webdav are not spoken; a client does not link them'],
  [/^SPICE_MSGC?_PORT_/, 'usbredir, port and webdav are not spoken; a client does not link them'],
];

const find = (constant: string) => {
  const side = constant.startsWith('SPICE_MSGC_') ? 'client' : 'server';
  const words = constant.replace(/^SPICE_MSGC?_/, '').toLowerCase();
  const channel = Object.keys(channels).find((name) => words.startsWith(`${name}_`)) as
    | keyof typeof channels
    | undefined;
  const declared = channel === undefined ? BaseChannel[side] : channels[channel][side];
  const name = channel === undefined ? words : words.slice(channel.length + 1);
  return (declared as Channel['server'])[name];
};

describe('every message number of enums.h', () => {
  it.each(messageNumbers.filter(([constant]) => !leftOut.some(([what]) => what.test(constant))))(
    '%s is declared as %i',
    (constant, number) => expect(find(constant)?.number).toBe(number),
  );

  it('is left out only for a reason that applies', () => {
    for (const [what, reason] of leftOut) {
      expect(messageNumbers.filter(([constant]) => what.test(constant)).length, reason).toBeGreaterThan(0);
    }
  });

  it('declares no message that the reference does not have', () => {
    const known = new Set(messageNumbers.map(([constant, number]) => `${constant}=${number}`));
    for (const [word, { server, client }] of Object.entries(channels)) {
      for (const [side, messages] of [
        ['SPICE_MSG_', server],
        ['SPICE_MSGC_', client],
      ] as const) {
        for (const [name, { number }] of Object.entries(messages)) {
          const part = number <= 100 ? '' : `${word.toUpperCase()}_`;
          expect(known).toContain(`${side}${part}${name.toUpperCase()}=${number}`);
        }
      }
    }
  });

  const header = '/usr/include/spice-1/spice/enums.h';
  it.runIf(existsSync(header))('is what the installed header says', () => {
    const found: [string, number][] = [];
    for (const [, body] of readFileSync(header, 'utf8').matchAll(/\nenum \{([^}]*)\};/g)) {
      let number = 0;
      for (const entry of body!.split(',').map((line) => line.trim())) {
        const [, name, value] = /^(\w+)(?:\s*=\s*(\d+))?$/.exec(entry) ?? [];
        if (name === undefined) continue;
        number = value === undefined ? number : Number(value);
        if (name.startsWith('SPICE_MSG') && !name.includes('_END_')) found.push([name, number]);
        number++;
      }
    }
    expect(found).toEqual(messageNumbers);
  });
});

describe('the declarations', () => {
  it('have a doc sentence each, and types that tell the direction', () => {
    for (const ch of Object.values(channels) as Channel[]) {
      for (const side of ['server', 'client'] as const) {
        for (const entry of ch.tables[side].byNumber.values()) {
          expect(entry.doc).toMatch(/^[A-Z].*[.?]$/);
          expect(entry.type).toBe(`${prefix[side]}.${entry.name}`);
        }
      }
    }
  });

  it('are found by name and number', () => {
    expect(channelByType(2)).toBe(channels.display);
    expect(channelByType(9)).toBeUndefined();
    expect(channelName(2, 1)).toBe('display:1');
    expect(channelName(9, 0)).toBe('usbredir:0');
    expect(channelName(77, 3)).toBe('77:3');
  });

  it('put exactly these on the control path', () => {
    const control = (ch: Channel, side: 'server' | 'client') =>
      [...ch.tables[side].byNumber.values()].filter((e) => e.path === 'control' && e.number > 100).map((e) => e.name);
    expect(control(channels.display, 'server')).toEqual(['mode', 'mark', 'reset', 'surface_create', 'surface_destroy']);
    expect(control(channels.display, 'client')).toEqual(['init']);
    expect(control(channels.inputs, 'server')).toEqual(['init']);
    expect(control(channels.inputs, 'client')).toEqual([]);
    expect(control(channels.cursor, 'server')).toEqual(['init', 'reset']);
    expect(control(channels.playback, 'server')).toEqual(['mode', 'start', 'stop']);
    expect(control(channels.record, 'server')).toEqual(['start', 'stop']);
    expect(control(channels.record, 'client')).toEqual(['mode', 'start_mark']);
  });
});
