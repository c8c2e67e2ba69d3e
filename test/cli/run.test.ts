/** The command line itself: verbs, help, and how it ends when something is wrong. No socket is opened here that stays. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verbs } from '../../src/cli/verbs.ts';
import { finish } from './captured.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sumac-cli-'));
  writeFileSync(join(folder, 'text'), 'hello');
  writeFileSync(join(folder, 'latin1'), Uint8Array.of(0xff, 0xfe, 0xe9));
  writeFileSync(join(folder, 'vnc.vv'), '[virt-viewer]\ntype=vnc\nhost=h\nport=1\n');
  writeFileSync(join(folder, 'big.vv'), '#'.repeat(300_000));
  writeFileSync(join(folder, 'bad-ca.vv'), '[virt-viewer]\ntype=spice\nhost=127.0.0.1\ntls-port=1\nca=nonsense\n');
  mkdirSync(join(folder, 'folder'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('the help', () => {
  test('lists every verb', async () => {
    const { code, terminal } = await finish(['--help']);
    expect(code).toBe(0);
    for (const [name, { summary }] of Object.entries(verbs)) {
      expect(terminal.lines[0]).toContain(name);
      expect(terminal.lines[0]).toContain(summary);
    }
  });

  test.each(Object.keys(verbs))('of %s is reached in each way, and its examples name the verb', async (name) => {
    const [one, two, three] = await Promise.all([
      finish([name, '--help']),
      finish([name, '--nonsense', '-h']),
      finish(['help', name]),
    ]);
    for (const { code, terminal } of [one, two, three]) {
      expect(code).toBe(0);
      expect(terminal.lines).toEqual(one.terminal.lines);
      expect(terminal.lines[0]).toMatch(
        new RegExp(`^Usage: sumac ${name}.*[\\s\\S]*Examples:\n.*(sumac ${name}|npm start)`),
      );
    }
    expect((await verbs[name]!.load()).summary).toBe(verbs[name]!.summary);
  });

  test('comes on stderr, with 2, where nothing was asked', async () => {
    const { code, terminal } = await finish([]);
    expect(code).toBe(2);
    expect(terminal.lines).toEqual([]);
    expect(terminal.errors[0]).toContain('Usage');
  });
});

test('the version is the package’s', async () => {
  const { code, terminal } = await finish(['--version']);
  expect(code).toBe(0);
  expect(terminal.lines).toEqual([expect.stringMatching(/^\d+\.\d+\.\d+/)]);
});

describe('one line on stderr and exit code 2', () => {
  const here = (name: string) => join(folder, name);
  test.each<[string, () => string[], string]>([
    ['an unknown verb', () => ['sevre'], 'no verb sevre'],
    ['a verb that is no verb', () => ['constructor'], 'no verb constructor'],
    ['an unknown flag before the verb', () => ['--port', '1'], 'no flag --port'],
    ['an unknown flag', () => ['serve', '--prot', '1'], '--port is meant'],
    ['an address that is none', () => ['connect', 'localhost:5900'], 'no such file'],
    ['an address of something else', () => ['connect', 'http://localhost'], 'spice://'],
    ['no address', () => ['connect', '--json'], 'URI is missing'],
    ['a duration without a unit', () => ['connect', 'spice://h:1', '--for', '10'], 'unit'],
    ['an unknown end', () => ['connect', 'spice://h:1', '--until', 'lunch'], 'frame, handover or closed'],
    [
      'a picture without a display',
      () => ['connect', 'spice://h:1', '--screenshot', here('a.png'), '--channels', 'inputs'],
      'needs the channel display',
    ],
    [
      'a picture in a folder that is not there',
      () => ['connect', 'spice://h:1', '--screenshot', here('no/a.png')],
      'cannot be written',
    ],
    [
      'a recording in a folder that is not there',
      () => ['connect', 'spice://h:1', '--record', here('no/a.wav')],
      'cannot be written',
    ],
    ['a sound that is none', () => ['connect', 'spice://h:1', '--play', here('text')], 'cannot be used'],
    ['a sound that is not there', () => ['connect', 'spice://h:1', '--play', here('none')], 'no such file'],
    ['a CA that is none', () => ['connect', 'spice+tls://h:1', '--ca', here('text')], 'CA certificate'],
    ['a subject that is none', () => ['connect', 'spice+tls://h:1', '--host-subject', 'nobody'], 'subject'],
    ['a connection file of another kind', () => ['connect', here('vnc.vv')], 'not spice'],
    ['a connection file that is too large', () => ['connect', here('big.vv')], 'larger than'],
    ['a connection file that is no text', () => ['connect', here('latin1')], 'UTF-8'],
    ['a connection file that is a folder', () => ['connect', here('folder')], 'folder'],
    ['a connection file with a CA that is none', () => ['connect', here('bad-ca.vv')], 'CA certificate'],
    ['a picture’s place that is not there', () => ['screenshot', 'spice://h:1', here('no/a.png')], 'cannot be written'],
    ['a TLS port without a key', () => ['serve', '--tls-port', '0'], 'needs --tls-cert and --tls-key'],
    ['a key without a TLS port', () => ['serve', '--tls-key', here('text')], 'without --tls-port'],
    [
      'a key that is none',
      () => ['serve', '--tls-port', '0', '--tls-cert', here('text'), '--tls-key', here('text')],
      'cannot be used',
    ],
    ['a password that is too long', () => ['serve', '--port', '0', '--password', 'x'.repeat(61)], '60 bytes'],
    ['a size that the card is not made for', () => ['serve', '--port', '0', '--size', '10x10'], 'width'],
    [
      'no scheme left',
      () => ['serve', '--port', '0', '--schemes', 'seamless', '--seamless', 'off'],
      'no hand-over scheme',
    ],
    ['an address that is not ours', () => ['serve', '--port', '0', '--addr', '203.0.113.7'], 'Cannot listen'],
    ['a path that cannot be', () => ['serve', '--unix', here('no/sock')], 'Cannot listen'],
    ['a QMP path that cannot be', () => ['serve', '--port', '0', '--qmp', `unix:${here('no/sock')}`], 'Cannot listen'],
  ])('%s', async (_what, args, why) => {
    const { code, terminal } = await finish(args());
    expect(terminal.errors).toEqual([expect.stringContaining(why)]);
    expect(terminal.errors[0]).toMatch(/^sumac: [^\n]+$/);
    expect(terminal.lines).toEqual([]);
    expect(code).toBe(2);
  });
});
