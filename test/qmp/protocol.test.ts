import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../src/errors.ts';
import { formatAddress, parseAddress } from '../../src/qmp/address.ts';
import { optional, readArguments, required } from '../../src/qmp/arguments.ts';
import { encodePpm } from '../../src/qmp/ppm.ts';
import { JsonStream, QmpError } from '../../src/qmp/protocol.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const read = (text: string, maxLength = 10_000) => new JsonStream(maxLength).push(bytes(text));

describe('a stream of JSON values', () => {
  test('gives back what went in, however it is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.dictionary(fc.string(), fc.jsonValue()), fc.array(fc.jsonValue()), fc.string())),
        fc.constantFrom('\r\n', '\n', ' ', ''),
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }),
        (values, between, sizes) => {
          const stream = new JsonStream(1_000_000);
          const all = bytes(values.map((value) => JSON.stringify(value)).join(between));
          const found = [];
          for (let at = 0, i = 0; at < all.length; i++) {
            const size = sizes[i % sizes.length]!;
            found.push(...stream.push(all.subarray(at, at + size)));
            at += size;
          }
          // What JSON makes of a value (no -0, say) is what must come out.
          expect(found).toEqual(values.map((value) => ({ value: JSON.parse(JSON.stringify(value)) })));
        },
      ),
    );
  });

  test('needs no end of line, and minds none within a value', () => {
    expect(read('{"a"\n:\r\n1}{"b":2}')).toEqual([{ value: { a: 1 } }, { value: { b: 2 } }]);
  });

  test('takes single quotes too', () => {
    expect(read(`{'a': 'it\\'s "so"'} 'b'`)).toEqual([{ value: { a: 'it\'s "so"' } }, { value: 'b' }]);
  });

  test.each([
    ['garbage {"a":1}', [{ fault: "JSON parse error, invalid keyword 'garbage'", fatal: false }, { value: { a: 1 } }]],
    ['\u0001\n', [{ fault: "JSON parse error, stray '\u0001'", fatal: false }]],
    ['} 1 true ', [{ fault: "JSON parse error, stray '}'", fatal: false }, { value: 1 }, { value: true }]],
    ['{a:1}', [{ fault: 'JSON parse error, invalid JSON', fatal: false }]],
    ['[1}', [{ fault: 'JSON parse error, invalid JSON', fatal: false }]],
    ['{"a":1', []],
    ['', []],
  ])('of %j', (text, found) => {
    expect(read(text)).toEqual(found);
  });

  test('says once that brackets are too deep, and goes on at the next line', () => {
    const deepest = '['.repeat(1024) + ']'.repeat(1024);
    expect(read(deepest)).toHaveLength(1);
    expect(read(`${'['.repeat(2_000)}\n{"a":1}`)).toEqual([
      { fault: 'JSON nesting depth limit exceeded', fatal: false },
      { value: { a: 1 } },
    ]);
  });

  test('ends with a value that is too long, also one that never ends', () => {
    const stream = new JsonStream(100);
    expect(stream.push(bytes(`"${'x'.repeat(90)}`))).toEqual([]);
    expect(stream.push(bytes('x'.repeat(90)))).toEqual([
      { fault: 'JSON parse error, more than 100 characters', fatal: true },
    ]);
    expect(stream.push(bytes('"{"a":1}'))).toEqual([]);
  });

  test('keeps nothing of a long stray word', () => {
    const [only, ...more] = read(`${'x'.repeat(100_000)} `, 100);
    expect(more).toEqual([]);
    expect((only as { fault: string }).fault).toBe(`JSON parse error, invalid keyword '${'x'.repeat(32)}'`);
  });

  test('throws for no bytes at all', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array()), (chunks) => {
        const stream = new JsonStream(50);
        for (const chunk of chunks) {
          for (const one of stream.push(chunk)) expect('value' in one || typeof one.fault === 'string').toBe(true);
        }
      }),
    );
  });
});

describe('arguments', () => {
  const table = { name: required('string'), count: optional('integer'), how: optional(['fast', 'slow']) };

  test('are read as declared', () => {
    const { name, count, how } = readArguments(table, { name: 'x', how: 'fast' });
    expect([name, count, how]).toEqual(['x', undefined, 'fast']);
  });

  test.each([
    [{}, "Parameter 'name' is missing"],
    [{ name: 5 }, "Invalid parameter type for 'name', expected: string"],
    [{ name: null }, "Invalid parameter type for 'name', expected: string"],
    [{ name: '', count: '5' }, "Invalid parameter type for 'count', expected: integer"],
    [{ name: '', count: 1.5 }, "Invalid parameter type for 'count', expected: integer"],
    [{ name: '', count: 1e300 }, "Invalid parameter type for 'count', expected: integer"],
    [{ name: '', how: 'so' }, "Parameter 'how' does not accept value 'so'"],
    [{ name: '', how: [] }, "Invalid parameter type for 'how', expected: string"],
    [{ name: '', x: 1 }, "Parameter 'x' is unexpected"],
    [JSON.parse('{"name":"","__proto__":{}}'), "Parameter '__proto__' is unexpected"],
  ])('%j: %s', (given, desc) => {
    expect(() => readArguments(table, given)).toThrow(new QmpError('GenericError', desc));
  });
});

describe('an address', () => {
  test.each([
    ['tcp:127.0.0.1:4444', { host: '127.0.0.1', port: 4444 }],
    ['tcp:some.host:0', { host: 'some.host', port: 0 }],
    ['tcp:[::1]:1', { host: '::1', port: 1 }],
    ['unix:/a b/c:d', { path: '/a b/c:d' }],
  ])('%s', (text, address) => {
    expect(parseAddress(text)).toEqual(address);
    expect(formatAddress(address)).toBe(text);
  });

  test('without a host is this one', () => {
    expect(parseAddress('tcp::1')).toEqual({ host: '127.0.0.1', port: 1 });
  });

  test.each(['', 'tcp:', 'tcp:a', 'tcp:a:', 'tcp:a:65536', 'tcp:a:-1', 'tcp:::1:1', 'unix:', 'exec:ls', '127.0.0.1:1'])(
    'is not %j',
    (text) => {
      expect(() => parseAddress(text)).toThrow(UsageError);
    },
  );
});

test('a PPM has its pixels red first', () => {
  const pixels = Uint8Array.of(1, 2, 3, 0, 4, 5, 6, 0);
  const head = [...bytes('P6\n2 1\n255\n')];
  expect([...encodePpm({ width: 2, height: 1, pixels })]).toEqual([...head, 3, 2, 1, 6, 5, 4]);
});
