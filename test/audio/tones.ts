/** Tones for the tests of sound, and how their pitch is found again. */
interface Format {
  readonly channels: number;
  readonly frequency: number;
}

/** `seconds` of a sine in all channels, 16 bits, as loud as the test card's. */
export const sine = (pitch: number, seconds: number, { channels, frequency }: Format): Int16Array =>
  Int16Array.from({ length: Math.round(seconds * frequency) * channels }, (_, i) =>
    Math.round(6_000 * Math.sin((2 * Math.PI * pitch * Math.floor(i / channels)) / frequency)),
  );

/** The pitch of one channel in hertz, from the places where it rises through its middle, and its loudest sample. */
export function pitchOf(samples: Int16Array, { channels, frequency }: Format, channel = 0) {
  const one = samples.filter((_, i) => i % channels === channel);
  const peak = one.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
  const middle = (Math.max(...one) + Math.min(...one)) / 2;
  const rises: number[] = [];
  for (let i = 1; i < one.length; i++) {
    const [before, now] = [one[i - 1]! - middle, one[i]! - middle];
    if (before < 0 && now >= 0) rises.push(i - now / (now - before));
  }
  const waves = rises.length - 1;
  return { pitch: waves < 1 ? 0 : (waves * frequency) / (rises.at(-1)! - rises[0]!), peak };
}
