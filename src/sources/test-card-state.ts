/**
 * All that the test card's guest is, as one plain value: what moves with it to another host, and what its picture and its
 * tone are made of. A state that came from elsewhere is believed only after `readGuestState`. Runs anywhere.
 */
import * as v from 'valibot';
import { SumacError } from '../errors.ts';

/** The smallest and largest screens that the card is drawn for, pixels. */
export const screenLimits = { minWidth: 480, minHeight: 320, maxWidth: 3840, maxHeight: 2160 } as const;

/** Letters of a name that are kept. */
export const nameLimit = 64;
/** Keys that are remembered. */
export const keyLimit = 8;

const whole = (min: number, max: number) =>
  v.pipe(v.number(), v.safeInteger(), v.minValue(min), v.maxValue(max), v.readonly());

/** About 3,000 years of milliseconds: far within what a double counts exactly. */
const longest = 1e14;

const GuestStateSchema = v.pipe(
  v.strictObject({
    version: v.literal(1),
    /** The server that it ran on. */
    name: v.pipe(v.string(), v.maxLength(nameLimit)),
    /** Of the screen, pixels. */
    width: whole(screenLimits.minWidth, screenLimits.maxWidth),
    height: whole(screenLimits.minHeight, screenLimits.maxHeight),
    /** Pictures that were due since it was made, `rate` a second of its own time. */
    ticks: whole(0, longest),
    /** Its own time: milliseconds that it has run. */
    time: v.pipe(v.number(), v.finite(), v.minValue(0), v.maxValue(longest)),
    /** Samples of its tone that it has played, one count for both channels. */
    samplePosition: whole(0, longest),
    /** The keys that were pressed last, newest last: the scan code, 0xe0 before it in the high byte where it has one. */
    keys: v.pipe(v.array(whole(0, 0xffff)), v.maxLength(keyLimit)),
    pointer: v.strictObject({
      x: whole(0, screenLimits.maxWidth - 1),
      y: whole(0, screenLimits.maxHeight - 1),
    }),
    /** MouseButtonMask. */
    buttons: whole(0, 0x7f),
    /** MouseMode. */
    mouseMode: v.picklist([1, 2]),
    /** The multimedia clock, milliseconds modulo 2^32. */
    mmTime: whole(0, 0xffff_ffff),
    /** KeyboardModifierFlags. */
    modifiers: whole(0, 7),
    /** What it has heard through the microphone: samples so far, and the loudest of late (0 to 32768). */
    heard: v.strictObject({ samples: whole(0, longest), peak: whole(0, 32768) }),
  }),
  v.check(({ pointer, width, height }) => pointer.x < width && pointer.y < height, 'the pointer is off the screen'),
);

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends object ? Mutable<T[K]> : T[K] };

/** What moves with the guest. Plain JSON. */
export type GuestState = Mutable<v.InferOutput<typeof GuestStateSchema>>;

/** A state that no test card can have had. `code` is `guest.state`. */
export class GuestStateError extends SumacError {
  constructor(message: string) {
    super('guest.state', message);
  }
}

/** Checks a state that came from elsewhere and returns a copy of it. Throws GuestStateError. */
export function readGuestState(state: unknown): GuestState {
  const parsed = v.safeParse(GuestStateSchema, state, { abortEarly: true });
  if (!parsed.success) {
    const [issue] = parsed.issues;
    const path = v.getDotPath(issue);
    throw new GuestStateError(`Not a guest's state: ${path === null ? '' : `${path}: `}${issue.message.slice(0, 200)}`);
  }
  // valibot builds new objects and arrays, so nothing of the caller's is kept.
  return parsed.output as GuestState;
}
