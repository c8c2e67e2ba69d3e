/** Addresses of servers: what other clients take, and what nobody should. */
import { describe, expect, test } from 'vitest';
import { readSpiceUri, writeSpiceUri } from '../../src/cli/uri.ts';
import { UsageError } from '../../src/errors.ts';

describe('an address is read', () => {
  test.each([
    ['spice://guest.test:5900', { host: 'guest.test', port: 5900 }],
    ['SPICE://127.0.0.1:1/', { host: '127.0.0.1', port: 1 }],
    ['spice://[::1]:5900', { host: '::1', port: 5900 }],
    ['spice://h?port=5900&tls-port=5901', { host: 'h', port: 5900, tlsPort: 5901 }],
    ['spice://h?port=5900;tls-port=5901', { host: 'h', port: 5900, tlsPort: 5901 }],
    ['spice://h?tls-port=5901', { host: 'h', tlsPort: 5901, secure: true }],
    ['spice+tls://h:5901', { host: 'h', tlsPort: 5901, secure: true }],
    ['spice+unix:///run/a b?c.sock', { host: '/run/a b?c.sock', path: '/run/a b?c.sock' }],
    ['spice://h:5900?password=p%26%20q', { host: 'h', port: 5900, password: 'p& q' }],
    ['spice://h:5900?username=me', { host: 'h', port: 5900 }],
    ['spice://b%C3%BCcher.test:5900', { host: 'bücher.test', port: 5900 }],
  ])('%s', (uri, address) => {
    expect(readSpiceUri(uri)).toEqual(address);
  });
});

describe('an address is refused', () => {
  test.each([
    ['http://h:80', 'begins with'],
    ['h:5900', 'begins with'],
    ['spice://h', 'no port'],
    ['spice://:5900', 'Not an address'],
    ['spice://h:0', '1 to 65535'],
    ['spice://h:65536', '1 to 65535'],
    ['spice://h:port', 'Not an address'],
    ['spice://h:5900/path', 'Not an address'],
    ['spice://h:5900#x', 'Not an address'],
    ['spice://h ost:5900', 'Not an address'],
    ['spice://h%00:5900', 'Not an address'],
    ['spice://h%2f..:5900', 'Not an address'],
    ['spice://%zz:5900', 'no escape'],
    ['spice://me:secret@h:5900', 'no user name'],
    ['spice://h:5900?port=5901', 'two of port'],
    ['spice://h?port=1&port=2', 'two of port'],
    ['spice://h?port=-1', '1 to 65535'],
    ['spice://h:5900?sport=1', 'sport'],
    ['spice+tls://h:1?port=2', 'behind the host only'],
    ['spice+tls://h:1?tls-port=2', 'behind the host only'],
    ['spice+unix://relative', 'absolute path'],
    ['spice+unix:///a\0b', 'absolute path'],
    [`spice://${'h'.repeat(9000)}:1`, 'too long'],
    [`spice://${'h'.repeat(300)}:1`, 'Not an address'],
  ])('%s', (uri, why) => {
    expect(() => readSpiceUri(uri)).toThrow(UsageError);
    expect(() => readSpiceUri(uri)).toThrow(why);
  });

  test('without repeating what may be a password', () => {
    for (const uri of ['spice://h:0?password=secret', 'spice://me:secret@h:1', 'spice://h?password=secret']) {
      expect(() => readSpiceUri(uri)).toThrow(/^(?!.*secret)/);
    }
  });
});

test('an address is written as other clients read it, without its password', () => {
  for (const uri of ['spice://h:5900', 'spice://[::1]:5900', 'spice+tls://h:5901', 'spice+unix:///a b']) {
    expect(writeSpiceUri(readSpiceUri(uri))).toBe(uri);
  }
  expect(writeSpiceUri(readSpiceUri('spice://h:1?tls-port=2&password=secret'))).toBe('spice://h?port=1&tls-port=2');
});
