/** How a client looks for a server that it has lost: what a program may ask for, and what holds where it does not say. */
import type { ReconnectPolicy } from '../../machines/session/client.ts';
import { UsageError } from '../errors.ts';

/** What is not there is as in `reconnectDefaults`. */
export interface ReconnectOptions {
  /** Tries in a row, from 1 up; a session that holds for half a minute has all of them again. */
  readonly tries?: number | undefined;
  /** The longest wait before the first try, in milliseconds: it is between half of that and all of it. */
  readonly firstMs?: number | undefined;
  /** The wait doubles from try to try, up to this. */
  readonly mostMs?: number | undefined;
  /** Milliseconds after which it is given up, however many tries are left. */
  readonly forMs?: number | undefined;
  /** Whether a server is waited for that was never reached. */
  readonly atStart?: boolean | undefined;
}

export const reconnectDefaults: ReconnectPolicy = {
  tries: 10,
  firstMs: 1_000,
  mostMs: 10_000,
  forMs: 120_000,
  atStart: false,
};

/** Null: not at all. Throws UsageError when a number makes no sense. */
export function reconnectPolicy(wanted: ReconnectOptions | false | undefined): ReconnectPolicy | null {
  if (wanted === false) return null;
  const given = Object.entries(wanted ?? {}).filter(([, value]) => value !== undefined);
  const policy: ReconnectPolicy = { ...reconnectDefaults, ...Object.fromEntries(given) };
  const { tries, firstMs, mostMs, forMs } = policy;
  if (!Number.isInteger(tries) || tries < 1) throw new UsageError('reconnect.tries is a whole number from 1 up');
  for (const [name, ms] of Object.entries({ firstMs, mostMs, forMs })) {
    if (!(ms >= 1 && ms < 2 ** 31)) throw new UsageError(`reconnect.${name} is a number of milliseconds from 1 up`);
  }
  return policy;
}
