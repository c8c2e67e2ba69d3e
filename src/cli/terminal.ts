/**
 * What a verb has of the world outside: two streams of lines, the environment, and word that it should come to an end. A
 * verb never touches `process`, so that it can be run within a test. What a peer has said is made harmless before it is
 * shown.
 */

export interface Terminal {
  /** A line of the result, without its end. */
  out(line: string): void;
  /** A line for people only. */
  err(line: string): void;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted when the verb should end: an interrupt, or nobody reads its output any more. */
  readonly stopped: AbortSignal;
}

// What moves the cursor, colours, rings or reorders; a terminal obeys some of these even in the middle of a sentence.
const unsafe = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Text of a peer as one line that cannot do anything to a terminal. At most `most` characters. */
export function plain(text: string, most = 500): string {
  const line = text.replace(unsafe, '\u{fffd}');
  return line.length <= most ? line : `${line.slice(0, most)}…`;
}

/** JSON on one line, in which nothing can do anything to a terminal either. */
export function jsonLine(value: object): string {
  return JSON.stringify(value, (_key, part) => (typeof part === 'bigint' ? Number(part) : part)).replace(
    unsafe,
    (letter) =>
      Array.from({ length: letter.length }, (_, i) => `\\u${letter.charCodeAt(i).toString(16).padStart(4, '0')}`).join(
        '',
      ),
  );
}
