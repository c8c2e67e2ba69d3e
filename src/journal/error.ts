/** What goes wrong with a journal, in one sentence for people and one word for programs. */
import { SumacError } from '../errors.ts';

export type JournalFault =
  /** Another program, or another part of this one, writes to it. */
  | 'locked'
  /** It is not ours, or was written by a newer version. */
  | 'foreign'
  /** What it holds is not what was written. */
  | 'damaged'
  /** There is no such journal or session. */
  | 'absent'
  /** It cannot be written: the disk is full, the folder is read-only, the server does not answer. */
  | 'unwritable'
  /** It cannot keep up with what it is to hold. */
  | 'behind'
  | 'closed';

export class JournalError extends SumacError {
  readonly fault: JournalFault;

  constructor(fault: JournalFault, message: string, options?: ErrorOptions) {
    super(`journal.${fault}`, message, options);
    this.fault = fault;
  }
}
