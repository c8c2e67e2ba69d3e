/** Flags: how they are read, refused and explained. And what a verb may print at all. */
import { describe, expect, test } from 'vitest';
import { jsonLine, plain } from '../../src/cli/terminal.ts';
import { duration, onOff, port, schemes, size, socketAddress, text } from '../../src/cli/values.ts';
import { flag, helpOf, readArguments, toggle, verb } from '../../src/cli/verb.ts';
import { UsageError } from '../../src/errors.ts';

const sample = verb({
  name: 'sample',
  summary: 'A verb for this test',
  words: ['URI'],
  flags: {
    port: flag('PORT', port, 'A port.'),
    for: flag('DURATION', duration, `${'Long words of help. '.repeat(12)}The end.`),
    seamless: flag('on|off', onOff, 'A choice.'),
    size: flag('WxH', size, 'A size.'),
    schemes: flag('LIST', schemes, 'A list.'),
    qmp: flag('ADDRESS', socketAddress, 'An address.'),
    name: flag('TEXT', text, 'A text.'),
    json: toggle('A switch.'),
  },
  about: ['It does nothing.'],
  examples: [['sumac sample x', 'Nothing happens.']],
  run: async () => 0,
});

const read = (...args: string[]) => readArguments(sample, args);

describe('flags are read', () => {
  test('in any order, with = or without', () => {
    expect(read('--port=0', 'uri', '--json', '--for', '1.5s')).toEqual({
      values: { port: 0, json: true, for: 1500 },
      words: ['uri'],
    });
  });

  test.each([
    ['--for', '500ms', { for: 500 }],
    ['--for', '2m', { for: 120_000 }],
    ['--for', '0s', { for: 0 }],
    ['--seamless', 'off', { seamless: false }],
    ['--size', '800x600', { size: { width: 800, height: 600 } }],
    ['--schemes', 'semi-seamless, switch-host,semi-seamless', { schemes: ['semi-seamless', 'switch-host'] }],
    ['--qmp', 'unix:/run/qmp', { qmp: { path: '/run/qmp' } }],
    ['--qmp', 'tcp:127.0.0.1:4444', { qmp: { host: '127.0.0.1', port: 4444 } }],
    ['--qmp', 'tcp:[::1]:4444', { qmp: { host: '::1', port: 4444 } }],
    ['--name=--odd', undefined, { name: '--odd' }],
    ['--name', '-', { name: '-' }],
  ])('%s %s', (name, value, values) => {
    expect(read('uri', name, ...(value === undefined ? [] : [value])).values).toEqual(values);
  });

  test('a word that begins with a dash stands behind --', () => {
    expect(read('--', '--port').words).toEqual(['--port']);
    expect(read('-').words).toEqual(['-']);
  });
});

describe('flags are refused', () => {
  test.each([
    [['uri', '--prot', '1'], 'no flag --prot; --port is meant, perhaps'],
    [['uri', '--xyzzy'], 'no flag --xyzzy'],
    [['uri', '-p', '1'], 'no flag -p'],
    [['uri', '--constructor'], 'no flag --constructor'],
    [['uri', '--__proto__=1'], 'no flag'],
    [['uri', '--port'], '--port needs a value'],
    [['uri', '--port', '--json'], '--port needs a value'],
    [['uri', '--port', '65536'], '0 to 65535'],
    [['uri', '--port', '-1'], '0 to 65535'],
    [['uri', '--port', '1', '--port', '2'], 'given twice'],
    [['uri', '--json=yes'], 'takes no value'],
    [['uri', '--for', '10'], 'with its unit'],
    [['uri', '--for', '100000h'], 'at most'],
    [['uri', '--seamless', 'maybe'], 'on or off'],
    [['uri', '--size', '800'], 'WIDTHxHEIGHT'],
    [['uri', '--schemes', 'seamless,magic'], 'hand-over schemes are'],
    [['uri', '--qmp', 'udp:1:2'], 'tcp:HOST:PORT or unix:PATH'],
    [['uri', '--name', ''], 'not be empty'],
    [['uri', 'more'], '"more" is one word too many'],
    [[], 'URI is missing'],
  ])('%j', (args, why) => {
    expect(() => read(...args)).toThrow(UsageError);
    expect(() => read(...args)).toThrow(why);
    expect(() => read(...args)).toThrow(/^[^\n]*$/);
  });
});

test('the help names every flag with its value and fits the width', () => {
  const help = helpOf(sample);
  for (const [name, { value, help: first }] of Object.entries(sample.flags)) {
    expect(help).toContain(`--${name}${'value' in sample.flags[name as 'port'] ? ` ${value}` : ''}`);
    expect(help).toContain(first.split(' ')[0]!);
  }
  expect(help).toContain('--help');
  expect(help).toContain('sumac sample x');
  expect(Math.max(...help.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
});

describe('what a peer said', () => {
  const evil = 'a\u001b[2Jb\u009b1m\nc\u202e\ud800d';

  test('does nothing to a terminal', () => {
    expect(plain(evil)).toBe('a\ufffd[2Jb\ufffd1m\ufffdc\ufffd\ufffdd');
    expect(plain('x'.repeat(10_000)).length).toBeLessThan(1000);
  });

  test('does nothing in JSON either, and is all there', () => {
    const line = jsonLine({ evil, big: 5n });
    expect(line).toMatch(/^[\x20-\x7e]*$/);
    expect(JSON.parse(line)).toEqual({ evil, big: 5 });
  });
});
