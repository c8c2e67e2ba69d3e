/**
 * Certificate subjects as SPICE writes them, `O=Sumac,CN=localhost`, and whether a certificate has one (spec §1.8).
 * Text against text; it never decides whether a certificate is trusted. Runs anywhere.
 */

import { UsageError } from '../errors.ts';

export interface SubjectEntry {
  readonly key: string;
  readonly value: string;
}

/** Names that people write in full, and what certificates call them. Both are known to the C clients. */
const shortKeys: Readonly<Record<string, string>> = {
  countryName: 'C',
  stateOrProvinceName: 'ST',
  localityName: 'L',
  organizationName: 'O',
  organizationalUnitName: 'OU',
  commonName: 'CN',
  domainComponent: 'DC',
  userId: 'UID',
  givenName: 'GN',
  surname: 'SN',
};

/**
 * Reads KEY=VALUE entries with commas between them. A backslash may only stand before a comma or a backslash; spaces before
 * a key are skipped. Throws UsageError.
 */
export function parseSubject(text: string): SubjectEntry[] {
  const entries: SubjectEntry[] = [];
  let at = 0;
  do {
    while (text[at] === ' ') at++;
    const equals = text.indexOf('=', at);
    const key = text.slice(at, equals < 0 ? undefined : equals);
    if (equals < 0 || key === '' || key.includes(',')) {
      throw new UsageError(`Not a certificate subject, KEY=VALUE expected at character ${at + 1}: ${text}`);
    }
    let value = '';
    for (at = equals + 1; at < text.length && text[at] !== ','; at++) {
      if (text[at] === '\\' && ++at < text.length && text[at] !== ',' && text[at] !== '\\') at = text.length;
      if (at >= text.length) throw new UsageError(`Not a certificate subject, only \\\\ and \\, are escapes: ${text}`);
      value += text[at];
    }
    entries.push({ key, value });
  } while (at++ < text.length);
  return entries;
}

/**
 * Whether a certificate's subject is the one wanted: as many entries, in the same order, each with the same key and value.
 * Values compare as X.509 names do: capital letters and runs of spaces make no difference.
 *
 * `subject`: as `X509Certificate.subject` of Node gives it, an entry to a line with RFC 2253 escapes; undefined when
 * it is empty. Throws UsageError when `wanted` is no subject.
 */
export function subjectMatches(wanted: string, subject: string | undefined): boolean {
  const entries = parseSubject(wanted);
  const lines = subject === undefined || subject === '' ? [] : subject.split('\n');
  return entries.length === lines.length && entries.every((entry, i) => entryMatches(entry, lines[i]!));
}

function entryMatches(entry: SubjectEntry, line: string): boolean {
  const equals = line.indexOf('=');
  const value = unescapeValue(line.slice(equals + 1));
  const key = shortKeys[entry.key] ?? entry.key;
  return line.slice(0, equals) === key && value !== undefined && folded(value) === folded(entry.value);
}

/** Undefined for an entry that is several in one: SPICE has no way of writing one, so none can match. */
function unescapeValue(text: string): string | undefined {
  let value = '';
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '+') return undefined;
    if (text[at] !== '\\') {
      value += text[at];
      continue;
    }
    const hex = /^[0-9A-F]{2}/.exec(text.slice(at + 1, at + 3));
    value += hex === null ? text[at + 1] : String.fromCharCode(Number.parseInt(hex[0], 16));
    at += hex === null ? 1 : 2;
  }
  return value;
}

function folded(value: string): string {
  return value
    .replace(/[\t\n\v\f\r ]+/g, ' ')
    .replace(/^ | $/g, '')
    .replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}
