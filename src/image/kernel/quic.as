// What reading and writing QUIC images have in common: the models, and when they learn; quic-model.ts does the same in JavaScript
// and explains it. The host lays out the memory:
//   family   lengths u8[256][8], then u8[8] each of escapeAfter, escapeLength, escapeBase and escapeMask, buckets u8[256]
//   tables   random numbers u8[256], run bits u8[32], triggers u16[7]; from 304 on, by run state, the sum of the runs of the states
//            before it u16[32], and by such a sum below 540 the state u8[540]
//   state    four models, then two paces; both are only written here
//   rows     scratch: symbols and pixels of the row at hand and of the one above

const ESCAPE_AFTER: usize = 2048;
export const ESCAPE_LENGTH: usize = 2056;
export const ESCAPE_BASE: usize = 2064;
export const ESCAPE_MASK: usize = 2072;
const BUCKETS: usize = 2080;
export const RUN_BITS: usize = 256;
const TRIGGERS: usize = 288;
export const RUN_SUMS: usize = 304;
export const RUN_STATES: usize = 368;
export const SHORT_RUNS: u32 = 540;

/** A model: by symbol, the code number and from the eighth bit on its escapeAfter; costs u32[8][8]; best codes u8[8]. */
export const MODEL: usize = 1024;
const COSTS: usize = 512;
const BEST: usize = 768;

/** A pace: i32 each. */
const PACE: usize = 32;
export const WAIT: usize = 0;
export const RUN: usize = 4;
export const TRIGGER: usize = 8;
const SEED: usize = 12;
const STEP: usize = 16;
const MASK: usize = 20;
const STEP_LEFT: usize = 24;
const LAST_STEP = 6;
const NEXT_STEP = 2048;

export let family: usize = 0;
export let tables: usize = 0;
export let models: usize = 0;
export let colorPace: usize = 0;
export let planePace: usize = 0;
export let bits: u32 = 0;
let bucketCount: u32 = 0;
export let max: i32 = 0;
export let mask: i32 = 0;
export let width: i32 = 0;
export let type: i32 = 0;

export let symbols: usize = 0;
export let planeSymbols: usize = 0;
export let colors: usize = 0;
export let colorsAbove: usize = 0;
export let plane: usize = 0;
export let planeAbove: usize = 0;

/** Bytes of scratch that rows of `pixels` pixels need. */
export function quicScratch(pixels: u32): u32 {
  return pixels * 15 + 64;
}

/** What is the same at the beginning of a picture, whether it is to be read or written. */
export function quicBegin(
  familyAt: usize,
  tablesAt: usize,
  state: usize,
  scratch: usize,
  imageType: i32,
  pixels: i32,
): void {
  family = familyAt;
  tables = tablesAt;
  type = imageType;
  width = pixels;
  bits = imageType == 2 ? 5 : 8;
  bucketCount = bits;
  max = (1 << bits) - 1;
  mask = max * 0x010101;

  models = state;
  memory.fill(state, 0, 4 * MODEL + 2 * PACE);
  const entry = bits - 1 | (<u32>load<u8>(family + bits - 1, ESCAPE_AFTER) << 8);
  for (let channel: usize = 0; channel < 4; channel++) {
    const model = state + channel * MODEL;
    for (let symbol: usize = 0; symbol < 256; symbol++) store<u16>(model + symbol * 2, <u16>entry);
    memory.fill(model + BEST, <u8>(bits - 1), 8);
  }
  colorPace = state + 4 * MODEL;
  planePace = colorPace + PACE;
  startPace(colorPace);
  startPace(planePace);

  memory.fill(scratch, 0, quicScratch(pixels));
  symbols = scratch;
  colors = symbols + (pixels + 1) * 4;
  colorsAbove = colors + pixels * 4;
  plane = colorsAbove + pixels * 4;
  planeAbove = plane + pixels;
  planeSymbols = planeAbove + pixels;
}

function startPace(pace: usize): void {
  store<i32>(pace, load<u16>(tables, TRIGGERS), TRIGGER);
  store<i32>(pace, 255, SEED);
  store<i32>(pace, NEXT_STEP, STEP_LEFT);
}

@inline
export function random(pace: usize): i32 {
  const seed = (load<i32>(pace, SEED) + 1) & 255;
  store<i32>(pace, seed, SEED);
  return <i32>load<u8>(tables + seed) & load<i32>(pace, MASK);
}

@inline
export function stretch(pace: usize, left: i32): i32 {
  return load<i32>(pace, STEP) < LAST_STEP ? min(load<i32>(pace, STEP_LEFT), left) : left;
}

@inline
export function pass(pace: usize, count: i32): void {
  const step = load<i32>(pace, STEP);
  if (step == LAST_STEP) return;
  const left = load<i32>(pace, STEP_LEFT) - count;
  store<i32>(pace, left > 0 ? left : NEXT_STEP, STEP_LEFT);
  if (left > 0) return;
  store<i32>(pace, step + 1, STEP);
  store<i32>(pace, (1 << (step + 1)) - 1, MASK);
  store<i32>(pace, load<u16>(tables + ((step + 1) << 1), TRIGGERS), TRIGGER);
}

export function update(model: usize, previous: u32, symbol: u32, trigger: u32): void {
  const bucket = <u32>load<u8>(family + previous, BUCKETS);
  const costs = model + COSTS + (bucket << 5);
  const lengths = family + (symbol << 3);
  let best = bits - 1;
  let least = load<u32>(costs + (best << 2)) + <u32>load<u8>(lengths + best);
  store<u32>(costs + (best << 2), least);
  for (let code = <i32>bits - 2; code >= 0; code--) {
    const cost = load<u32>(costs + (code << 2)) + <u32>load<u8>(lengths + code);
    store<u32>(costs + (code << 2), cost);
    if (cost < least) {
      best = code;
      least = cost;
    }
  }
  if (least > trigger) {
    for (let code: u32 = 0; code < bits; code++) store<u32>(costs + (code << 2), load<u32>(costs + (code << 2)) >> 1);
  }
  if (<u32>load<u8>(model + bucket, BEST) == best) return;
  store<u8>(model + bucket, <u8>best, BEST);
  const first: u32 = (1 << bucket) - 1;
  const end: u32 = bucket == bucketCount - 1 ? 1 << bits : first * 2 + 1;
  const entry = best | (<u32>load<u8>(family + best, ESCAPE_AFTER) << 8);
  for (let i = first; i < end; i++) store<u16>(model + (i << 1), <u16>entry);
}

export function learn(x: i32): void {
  const before = load<u32>(symbols + (x << 2));
  const now = load<u32>(symbols + (x << 2), 4);
  const trigger = load<u32>(colorPace, TRIGGER);
  update(models, before >> 16, now >> 16, trigger);
  update(models + MODEL, (before >> 8) & 255, (now >> 8) & 255, trigger);
  update(models + 2 * MODEL, before & 255, now & 255, trigger);
}
