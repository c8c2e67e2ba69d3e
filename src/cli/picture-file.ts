/**
 * Takes pictures of a client's screen: waits until there is one that is whole and still, and writes it as a PNG file. Never
 * changes what the client shows.
 */
import { accessSync, constants, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { debounceTime, filter, firstValueFrom, merge, of, race, takeUntil, timer } from 'rxjs';
import type { Client } from '../client/client.ts';
import { type Bgrx, encodePng } from '../client/png.ts';
import type { Screen } from '../client/screen.ts';
import { SumacError, UsageError } from '../errors.ts';
import { reasonOf } from './target.ts';

/** A file that cannot be written after all. `code` is `file`. */
export class FileError extends SumacError {
  constructor(message: string, options?: ErrorOptions) {
    super('file', message, options);
  }
}

/** Throws UsageError when there is no use in trying to write there later. */
export function checkWritable(file: string, what: string): void {
  try {
    accessSync(dirname(file), constants.W_OK);
  } catch (error) {
    throw new UsageError(`${what} ${file} cannot be written: ${reasonOf(error)}`, { cause: error });
  }
}

/** The display that pictures are of: the first one. Undefined while there is none. */
export function firstScreen({ screens }: Client): Screen | undefined {
  const id = (address: string) => Number(address.slice(address.indexOf(':') + 1));
  const [first] = [...screens.keys()].sort((a, b) => id(a) - id(b));
  return first === undefined ? undefined : screens.get(first);
}

/**
 * Resolves when all that has arrived is drawn and nothing has changed for `quietMs`, or after `mostMs`, or at once when the
 * session ends.
 */
export async function settle(client: Client, quietMs: number, mostMs: number): Promise<void> {
  const screen = firstScreen(client);
  if (screen === undefined || quietMs === 0) return screen?.settled();
  const closed = client.events.pipe(filter(({ event }) => event === 'closed'));
  const still = merge(of(undefined), screen.dirty).pipe(takeUntil(closed), debounceTime(quietMs));
  await firstValueFrom(race(still, timer(mostMs)), { defaultValue: undefined });
  await Promise.race([screen.settled(), new Promise((resolve) => setTimeout(resolve, mostMs).unref())]);
}

/** A copy of what the first display shows, which later drawing does not change; undefined when it shows nothing. */
export function takePicture(client: Client): Bgrx | undefined {
  const shown = firstScreen(client)?.shown();
  return shown && { ...shown, data: shown.data.slice() };
}

/** Throws FileError. */
export function writePicture(file: string, picture: Bgrx): void {
  try {
    writeFileSync(file, encodePng(picture));
  } catch (error) {
    throw new FileError(`The picture ${file} cannot be written: ${reasonOf(error)}`, { cause: error });
  }
}

/** One line for each kind of drawing that could not be done, so that nobody takes the picture for a true one. */
export function undrawnLines(client: Client): string[] {
  return [...(firstScreen(client)?.undrawn ?? [])].map(([what, times]) => `not drawn, ${times} times: ${what}`);
}
