/**
 * The few lines of assembler that the test guests are written with: machine code given as bytes beside its mnemonic,
 * with labels for what lies elsewhere. It resolves labels, checks ranges, and knows no instruction by itself. It must
 * never guess: an unknown label or a jump that does not reach is an error while the tests load, not a guest that hangs.
 */

/** A place in the code that is filled in once all labels are known. */
export interface Reference {
  readonly kind: 'short' | 'near' | 'address';
  readonly label: string;
}

/** An 8-bit distance from the end of the instruction (jumps within 127 bytes). */
export const short = (label: string): Reference => ({ kind: 'short', label });
/** A 16-bit distance from the end of the instruction (calls, long jumps). */
export const near = (label: string): Reference => ({ kind: 'near', label });
/** The 16-bit offset of a label from the start of the segment. */
export const address = (label: string): Reference => ({ kind: 'address', label });

/** A 16-bit number as the two bytes of an immediate operand. */
export const word = (value: number): [number, number] => [value & 0xff, (value >> 8) & 0xff];

/** One line of a listing: a label, or bytes and references with the instruction they stand for. */
export type Line = { readonly label: string } | { readonly mnemonic: string; readonly code: (number | Reference)[] };

export const label = (name: string): Line => ({ label: name });
/** An instruction (or data) given by its bytes; a reference must be its last part, as x86 has it. */
export const op = (mnemonic: string, ...code: (number | Reference)[]): Line => ({ mnemonic, code });

const width = (part: number | Reference): number => (typeof part === 'number' || part.kind === 'short' ? 1 : 2);

/**
 * Turns a listing into bytes that run at `origin`. Throws an Error on a label that is missing or given twice, a byte
 * out of range, or a short jump that does not reach.
 */
export function assemble(origin: number, lines: readonly Line[]): Uint8Array<ArrayBuffer> {
  const labels = new Map<string, number>();
  let size = 0;
  for (const line of lines) {
    if ('label' in line) {
      if (labels.has(line.label)) throw new Error(`label given twice: ${line.label}`);
      labels.set(line.label, size);
    } else for (const part of line.code) size += width(part);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  const put = (value: number): void => {
    if (!Number.isInteger(value) || value < 0 || value > 255) throw new Error(`not a byte: ${value}`);
    bytes[at++] = value;
  };
  for (const line of lines) {
    if ('label' in line) continue;
    for (const part of line.code) {
      if (typeof part === 'number') {
        put(part);
        continue;
      }
      const target = labels.get(part.label);
      if (target === undefined) throw new Error(`no such label: ${part.label} (${line.mnemonic})`);
      const distance = target - (at + width(part));
      if (part.kind === 'short') {
        if (distance < -128 || distance > 127) throw new Error(`${part.label} is out of reach: ${line.mnemonic}`);
        put(distance & 0xff);
      } else for (const byte of word(part.kind === 'near' ? distance : origin + target)) put(byte);
    }
  }
  return bytes;
}
