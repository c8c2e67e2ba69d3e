/** Which of QUIC and LZ a picture is given to: the choice must be the one that its size, encoded, says. */
import { expect, it } from 'vitest';
import { LzType } from '../../src/image/lz.ts';
import { encodeLz } from '../../src/image/lz-encode.ts';
import type { PixelSource } from '../../src/image/pixels.ts';
import { encodeQuic } from '../../src/image/quic-encode.ts';
import { QuicType } from '../../src/image/quic-model.ts';
import { estimate, isNatural } from '../../src/server/smoothness.ts';
import { createTestCard } from '../../src/sources/test-card.ts';
import { wallClock } from '../../src/transport/clock.ts';
import { naturalPicture, screenPicture, xorshift } from '../bench/image-pictures.ts';

const formula = (width: number, height: number, at: (x: number, y: number) => number): PixelSource => ({
  width,
  height,
  data: new Uint8Array(
    Uint32Array.from({ length: width * height }, (_, i) => at(i % width, Math.floor(i / width)) & 0xffffff).buffer,
  ),
});
const random = xorshift(5);
const card = createTestCard({ clock: wallClock }).picture();
const desktop = screenPicture(1024, 768);

it.each<[string, PixelSource]>([
  ['a photograph', naturalPicture(640, 480)],
  ['a small one', naturalPicture(20, 12)],
  ['a desktop', desktop],
  ['a window of text', { ...desktop, width: 300, height: 200, stride: 4096, data: desktop.data.subarray(1_229_280) }],
  ['noise', formula(128, 128, () => random())],
  ['a slope in two directions', formula(256, 256, (x, y) => (x << 16) | y)],
  ['a slope down', formula(256, 256, (_, y) => y * 0x010101)],
  ['a slope across', formula(256, 256, (x) => x * 0x010101)],
  ['a pattern', formula(320, 200, (x, y) => ((x ^ y) & 255) * 0x010307)],
  ['the test card', { width: card.width, height: card.height, data: card.pixels }],
])('%s', (_, picture) => {
  const stride = (picture.stride ?? picture.width * 4) / 4;
  const words = new Uint32Array(picture.data.buffer, picture.data.byteOffset, picture.data.byteLength >> 2);
  const costs = estimate(words, 0, stride, picture.width, picture.height);
  const bits = ({ length }: Uint8Array) => (length * 8) / picture.width / picture.height;
  const [quic, lz] = [bits(encodeQuic(picture, QuicType.RGB32)), bits(encodeLz(picture, LzType.RGB32))];
  // LZ is the faster one: it is taken unless it is clearly larger.
  if (isNatural(costs)) expect(quic).toBeLessThan(lz * 0.8);
  else expect(lz).toBeLessThan(quic * 1.25 + 0.5);
});
