/**
 * Which process writes, so that others on the same machine can tell whether it still runs. A number may be used again, and
 * counts only where it was given out: when in doubt, a process of somewhere else is not said to be dead.
 */
import { readFileSync, readlinkSync } from 'node:fs';

export interface Owner {
  readonly pid: number;
  /** When the process began, as the system counts; a number may be used again. */
  readonly began: string;
}

export const thisProcess = (): Owner => ({ pid: process.pid, began: beganOf(process.pid) ?? '' });

/** Where numbers of processes mean the same: this boot of this machine, and this container. Undefined if nobody knows. */
export function thisPlace(): string | undefined {
  try {
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return undefined;
  }
}

/** Of a process of this place. */
export function isAlive({ pid, began }: Owner): boolean {
  const now = beganOf(pid);
  if (now !== undefined) return now === began;
  try {
    process.kill(pid, 0);
    return began === '';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' && began === '';
  }
}

/** When a process began, in words that only compare; undefined if there is none, or the system does not say. */
function beganOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name, in brackets, may hold anything; the time is the 20th word behind it.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
