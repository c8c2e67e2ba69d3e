/** Connection files: those that are in use, and those that mean no good. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readConnectionFile } from '../../src/cli/connection-file.ts';
import { UsageError } from '../../src/errors.ts';

const file = (...lines: string[]) => ['[virt-viewer]', 'type=spice', ...lines].join('\n');

describe('a connection file is read', () => {
  test('as a management program writes it', () => {
    const text = [
      '# made for one session',
      '[virt-viewer]',
      'type=spice',
      'host=10.0.0.7',
      'port=5900',
      'tls-port=5901',
      'password=s\\\\e\\scret',
      'title=guest:%d - Press SHIFT+F12',
      'ca=-----BEGIN CERTIFICATE-----\\nAA\\n-----END CERTIFICATE-----\\n',
      'host-subject=O=Sumac,CN=host',
      'secure-channels=main;inputs;',
      'delete-this-file=1',
      'fullscreen=0',
      'toggle-fullscreen=shift+f11',
      'versions=rhev-win64:2.0-128;rhev-win32:2.0-128',
      '',
      '[ovirt]',
      'host=somewhere.else',
      'port=1',
    ].join('\r\n');
    expect(readConnectionFile(text)).toEqual({
      host: '10.0.0.7',
      tlsPort: 5901,
      secure: true,
      password: 's\\e cret',
      title: 'guest:%d - Press SHIFT+F12',
      ca: '-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n',
      hostSubject: 'O=Sumac,CN=host',
      deleteThisFile: true,
    });
  });

  test.each([
    [['host=h', 'port=5900'], { host: 'h', port: 5900 }],
    [['host = h ', ' port = 5900'], { host: 'h', port: 5900 }],
    [['host=[::1]', 'port=5900'], { host: '::1', port: 5900 }],
    [['host=h', 'port=5900', 'tls-port=5901'], { host: 'h', port: 5900, tlsPort: 5901 }],
    [['host=h', 'port=-1', 'tls-port=5901'], { host: 'h', tlsPort: 5901, secure: true }],
    [['host=a', 'host=h', 'port=5900'], { host: 'h', port: 5900 }],
    [['host=h', 'port=5900', 'password='], { host: 'h', port: 5900 }],
    [
      ['host=h', 'port=1', 'disable-channels=record;smartcard'],
      {
        host: 'h',
        port: 1,
        channels: ['display', 'inputs', 'cursor', 'playback'],
      },
    ],
    [['unix-path=/run/guest.sock'], { host: '/run/guest.sock', path: '/run/guest.sock' }],
  ])('%j', (lines, read) => {
    expect(readConnectionFile(file(...lines))).toEqual({ ...read, deleteThisFile: false });
  });
});

describe('a connection file is refused', () => {
  test.each([
    ['', 'no group [virt-viewer]'],
    ['[ovirt]\nhost=h', 'no group [virt-viewer]'],
    ['type=spice', 'line 1'],
    ['[virt-viewer]\nhost=h\nport=1', 'no type'],
    ['[virt-viewer]\ntype=vnc\nhost=h\nport=1', 'not spice'],
    [file('port=1'), 'no host'],
    [file('host=h'), 'neither a port nor a tls-port'],
    [file('host=h', 'port=99999'), 'its port'],
    [file('host=h', 'port=1e3'), 'its port'],
    [file('host=a b', 'port=1'), 'its host'],
    [file('host=../../x', 'port=1'), 'its host'],
    [file('host=h', 'port=1', 'secure-channels=main'), 'no tls-port'],
    [file('host=h', 'port=1', 'proxy=http://p:3128'), 'proxy'],
    [file('host=h', 'port=1', 'delete-this-file=maybe'), 'delete-this-file'],
    [file('unix-path=relative'), 'absolute'],
    [file('unix-path=/a', 'host=h'), 'unix-path and a host'],
    [file('host=h', 'port=1', 'password'), 'line 5'],
  ])('%j', (text, why) => {
    expect(() => readConnectionFile(text)).toThrow(UsageError);
    expect(() => readConnectionFile(text)).toThrow(why);
  });

  test('without repeating its password', () => {
    expect(() => readConnectionFile(file('password=secret', 'host=h', 'port=0x10'))).toThrow(/^(?!.*secret)/);
  });
});

test('whatever text there is, it is read or refused, and nothing else', () => {
  const word = fc.oneof(
    fc.constantFrom(
      '[virt-viewer]',
      'type=spice',
      'host=h',
      'port=1',
      '__proto__=x',
      'host.constructor=1',
      '=',
      '\\',
      '[',
      ';',
    ),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(word), fc.constantFrom('\n', '\r\n', '\n\n'), (words, end) => {
      try {
        const read = readConnectionFile(words.join(end));
        expect(read.path ?? read.host).not.toBe('');
      } catch (error) {
        expect(error).toBeInstanceOf(UsageError);
      }
    }),
  );
});
