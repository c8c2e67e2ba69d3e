/** Subjects of certificates as SPICE writes them. */

import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { UsageError } from '../../src/errors.ts';
import { parseSubject, subjectMatches } from '../../src/transport/subject.ts';

const subjectOf = (name: string) =>
  new X509Certificate(readFileSync(new URL(`../support/certs/${name}`, import.meta.url))).subject;

test('reads entries, escapes and spaces before keys', () => {
  expect(parseSubject('O=Sumac,  CN=localhost')).toEqual([
    { key: 'O', value: 'Sumac' },
    { key: 'CN', value: 'localhost' },
  ]);
  expect(parseSubject('O=a\\,b\\\\c=d ,CN=')).toEqual([
    { key: 'O', value: 'a,b\\c=d ' },
    { key: 'CN', value: '' },
  ]);
});

test.each(['', ' ', 'CN', '=x', 'CN=a,', 'CN=a,,O=b', 'CN=a\\n', 'CN=a\\', 'O,CN=a'])('refuses %j', (text) => {
  expect(() => parseSubject(text)).toThrow(UsageError);
  expect(() => subjectMatches(text, 'CN=a')).toThrow(UsageError);
});

test('matches the real certificates of the tests, and nothing near them', () => {
  const server = subjectOf('server.pem');
  expect(subjectMatches('O=Sumac,CN=localhost', server)).toBe(true);
  expect(subjectMatches('organizationName=Sumac, commonName=localhost', server)).toBe(true);
  expect(subjectMatches('CN=localhost,O=Sumac', server)).toBe(false);
  expect(subjectMatches('CN=localhost', server)).toBe(false);
  expect(subjectMatches('O=Sumac,CN=localhost,OU=x', server)).toBe(false);
  expect(subjectMatches('O=Sumac,CN=localhos', server)).toBe(false);
  expect(subjectMatches('O=Sumac,OU=localhost', server)).toBe(false);

  const awkward = subjectOf('awkward.pem');
  expect(subjectMatches('OU=first,O=Sumac\\, the  Tree \\\\ Café,OU=second,CN=awkward.test', awkward)).toBe(true);
  // X.509 compares names without regard to capital letters and runs of spaces.
  expect(subjectMatches('OU=First,O= sumac\\, the tree \\\\ Café,OU=second,CN=AWKWARD.test', awkward)).toBe(true);
  expect(subjectMatches('OU=second,O=Sumac\\, the  Tree \\\\ Café,OU=first,CN=awkward.test', awkward)).toBe(false);
});

test('undoes what Node escapes, and lets no value pass for two entries', () => {
  expect(subjectMatches('O= #1+2\\, "a" <b>;', 'O=\\#1\\+2\\, \\"a\\" \\<b\\>\\;')).toBe(true);
  expect(subjectMatches('O=tab\there', 'O=tab\\09here')).toBe(true);
  // One entry with a line feed inside, which is not two entries.
  expect(subjectMatches('O=a,CN=b', 'O=a\\0ACN=b')).toBe(false);
  // Two names in one entry.
  expect(subjectMatches('CN=a + O=b', 'CN=a + O=b')).toBe(false);
  expect(subjectMatches('CN=a', undefined)).toBe(false);
  expect(subjectMatches('CN=', '')).toBe(false);
});
