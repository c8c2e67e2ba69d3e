/**
 * What a program tells while it is still being made has no listeners yet. For a while, whoever comes is told that first; each
 * hears everything once, in its order.
 */
import { Observable, type Subject } from 'rxjs';
import type { Clock } from './clock.ts';

/** Milliseconds in which nothing is missed. */
const early = 1_000;

export function fromTheStart<T>(all: Subject<T>, clock: Clock): Observable<T> {
  let before: T[] | undefined = [];
  const listening = all.subscribe((one) => before?.push(one));
  clock.setTimeout(() => {
    before = undefined;
    listening.unsubscribe();
  }, early);
  return new Observable((listener) => {
    for (const one of before ?? []) listener.next(one);
    return all.subscribe(listener);
  });
}
