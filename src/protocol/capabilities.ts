/** Capability bits of each channel and how sets of them travel: as 32-bit words (spec §1.4). */

export const CommonCap = { authSelection: 0, authSpice: 1, authSasl: 2, miniHeader: 3 } as const;

export const MainCap = {
  semiSeamlessMigrate: 0,
  nameAndUuid: 1,
  agentConnectedTokens: 2,
  seamlessMigrate: 3,
  /** Sumac's own: both ends speak the 2011 scheme (spec §3b). No other implementation sets this bit. */
  earlyLink: 31,
  /**
   * Sumac's own, of both ends: the server keeps the session of a client that is lost without a goodbye, and the client may
   * link main again with its connection id to have it back.
   */
  mayReturn: 30,
  /** Sumac's own, of a client's main link alone: its connection id names a session to have back, not a hand-over (spec §1.7). */
  returns: 29,
} as const;

export const DisplayCap = {
  sizedStream: 0,
  monitorsConfig: 1,
  composite: 2,
  a8Surface: 3,
  streamReport: 4,
  lz4Compression: 5,
  prefCompression: 6,
  glScanout: 7,
  multiCodec: 8,
  codecMjpeg: 9,
  codecVp8: 10,
  codecH264: 11,
  prefVideoCodecType: 12,
  codecVp9: 13,
  codecH265: 14,
} as const;

export const InputsCap = { keyScancode: 0 } as const;
export const PlaybackCap = { celt051: 0, volume: 1, latency: 2, opus: 3 } as const;
export const RecordCap = { celt051: 0, volume: 1, opus: 2 } as const;

/** A set of capabilities as words; bit n stands in word n/32. The empty set has no word. */
export type Caps = readonly number[];

export const caps = (...bits: number[]): Caps => {
  const words: number[] = [];
  for (const bit of bits) {
    while (words.length <= bit >> 5) words.push(0);
    words[bit >> 5] = (words[bit >> 5]! | (1 << (bit & 31))) >>> 0;
  }
  return words;
};

/** The same set with one more in it. */
export const withCap = (words: Caps, bit: number): Caps => {
  const more = caps(bit);
  return Array.from(
    { length: Math.max(words.length, more.length) },
    (_, i) => ((words[i] ?? 0) | (more[i] ?? 0)) >>> 0,
  );
};

/** The same set without this one. */
export const withoutCap = (words: Caps, bit: number): Caps =>
  words.map((word, i) => (i === bit >> 5 ? (word & ~(1 << (bit & 31))) >>> 0 : word));

export const hasCap = (words: Caps, bit: number): boolean => (((words[bit >> 5] ?? 0) >>> (bit & 31)) & 1) === 1;
