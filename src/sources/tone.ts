/**
 * The test card's tone: 440 Hz in two equal channels at 48 kHz. Each sample follows from its position alone, so two hosts
 * that know the position play on as one. Pure; runs anywhere.
 */

export const toneChannels = 2;
/** Hertz. */
export const toneRate = 48_000;
export const tonePitch = 440;

const loudness = 6_000;

/** 11 whole waves: after 1200 samples everything repeats. */
const period = 1_200;
const wave = Int16Array.from({ length: period }, (_, n) =>
  Math.round(loudness * Math.sin((2 * Math.PI * tonePitch * n) / toneRate)),
);

/** `count` samples from `position` on, both channels interleaved. */
export function tone(position: number, count: number): Int16Array {
  const pcm = new Int16Array(count * toneChannels);
  let phase = position % period;
  for (let i = 0; i < pcm.length; i += toneChannels) {
    pcm[i] = pcm[i + 1] = wave[phase]!;
    phase = phase + 1 === period ? 0 : phase + 1;
  }
  return pcm;
}
