/**
 * The QEMU Machine Protocol's framing and words, for both ends: a stream of JSON values, where a value ends with its last
 * bracket, whether a line does or not. It interprets no command. Whatever bytes come, it keeps no more than `maxLength`.
 */

import { SumacError } from '../errors.ts';

export type QmpObject = Record<string, unknown>;

/** The classes that QEMU's errors have. A server may use others. */
export type QmpErrorClass = 'GenericError' | 'CommandNotFound' | 'DeviceNotFound' | 'DeviceNotActive' | (string & {});

/** An error answer, or what ends a command before there was one. `code` is `qmp.` and the class. */
export class QmpError extends SumacError {
  readonly class: QmpErrorClass;
  /** The description as it is on the wire. */
  readonly desc: string;

  constructor(errorClass: QmpErrorClass, desc: string, options?: ErrorOptions) {
    super(`qmp.${errorClass}`, desc, options);
    this.class = errorClass;
    this.desc = desc;
  }
}

export interface QmpVersion {
  readonly qemu: { readonly major: number; readonly minor: number; readonly micro: number };
  readonly package: string;
}

export interface QmpEvent {
  readonly event: string;
  readonly data: QmpObject;
  /** By the sender's clock: milliseconds since 1970, with a fraction; NaN where it sent no time. */
  readonly at: number;
}

export const isObject = (value: unknown): value is QmpObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** As QEMU ends its lines. */
export const encodeMessage = (message: QmpObject): string => `${JSON.stringify(message)}\r\n`;

/** What a stream of JSON values holds next: a value, or a reason why there is none. After a fatal one nothing follows. */
export type QmpInput = { readonly value: unknown } | { readonly fault: string; readonly fatal: boolean };

/** Brackets within brackets that are taken, as in QEMU. */
const maxDepth = 1024;
/** Letters of a stray word that an error repeats. */
const shownLetters = 32;

const space = /\s/;
const structure = new Set(['{', '[', '"', "'"]);

/**
 * Cuts a stream of bytes into JSON values. Understands strings in single quotes too, as QEMU does. A stray word is one
 * fault, however long; after brackets too deep it goes on at the next line.
 */
export class JsonStream {
  private readonly maxLength: number;
  private readonly decoder = new TextDecoder();
  /** The value, or stray word, that is not at its end yet. */
  private text = '';
  private state: 'between' | 'within' | 'word' | 'skipping' = 'between';
  private depth = 0;
  private quote = '';
  private escaped = false;
  private dead = false;

  /** `maxLength`: UTF-16 units that one value may have. */
  constructor(maxLength: number) {
    this.maxLength = maxLength;
  }

  /** Takes a chunk and returns what it completes. */
  push(chunk: Uint8Array): QmpInput[] {
    const found: QmpInput[] = [];
    if (this.dead) return found;
    const text = this.decoder.decode(chunk, { stream: true });
    for (let i = 0; i < text.length && !this.dead; i++) this.take(text[i]!, found);
    return found;
  }

  private take(letter: string, found: QmpInput[]): void {
    switch (this.state) {
      case 'skipping':
        if (letter === '\n') this.state = 'between';
        return;
      case 'between':
        if (space.test(letter)) return;
        this.state = structure.has(letter) ? 'within' : 'word';
        break;
      case 'word':
        if (!space.test(letter) && !structure.has(letter)) break;
        this.finish(found);
        this.take(letter, found);
        return;
      case 'within':
        break;
    }
    if (this.state === 'word') {
      if (this.text.length <= shownLetters) this.text += letter;
    } else this.extend(letter, found);
  }

  private extend(letter: string, found: QmpInput[]): void {
    this.text += this.quote === '' ? this.structural(letter) : this.quoted(letter);
    if (this.text.length > this.maxLength) {
      this.reset();
      this.dead = true;
      found.push({ fault: `JSON parse error, more than ${this.maxLength} characters`, fatal: true });
    } else if (this.depth > maxDepth) {
      this.reset();
      this.state = 'skipping';
      found.push({ fault: 'JSON nesting depth limit exceeded', fatal: false });
    } else if (this.depth <= 0 && this.quote === '') this.finish(found);
  }

  private structural(letter: string): string {
    if (letter === '{' || letter === '[') this.depth++;
    else if (letter === '}' || letter === ']') this.depth--;
    else if (letter === '"' || letter === "'") {
      this.quote = letter;
      return '"';
    }
    return letter;
  }

  /** Within a string; one in single quotes is rewritten to one in double quotes. */
  private quoted(letter: string): string {
    if (this.escaped) {
      this.escaped = false;
      return letter === "'" ? "'" : `\\${letter}`;
    }
    if (letter === '\\') {
      this.escaped = true;
      return '';
    }
    if (letter === this.quote) {
      this.quote = '';
      return '"';
    }
    return letter === '"' ? '\\"' : letter;
  }

  private finish(found: QmpInput[]): void {
    const { text } = this;
    this.reset();
    try {
      found.push({ value: JSON.parse(text) });
    } catch {
      found.push({ fault: `JSON parse error, ${complaint(text)}`, fatal: false });
    }
  }

  private reset(): void {
    this.text = '';
    this.state = 'between';
    this.depth = 0;
    this.quote = '';
    this.escaped = false;
  }
}

function complaint(text: string): string {
  const shown = text.slice(0, shownLetters);
  if (/^[[{"]/.test(text)) return 'invalid JSON';
  return /^[A-Za-z]/.test(text) ? `invalid keyword '${shown}'` : `stray '${shown}'`;
}
