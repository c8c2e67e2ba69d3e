/** Chance that can be had again: the same seed gives the same inputs. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  u32(): number {
    // Mulberry32: small, and good enough to look for trouble with.
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** 0 to n-1. */
  below(n: number): number {
    return n <= 0 ? 0 : this.u32() % n;
  }

  /** True once in n times. */
  once(n: number): boolean {
    return this.below(n) === 0;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  bytes(size: number): Uint8Array {
    const bytes = new Uint8Array(size);
    for (let i = 0; i < size; i++) bytes[i] = this.u32();
    return bytes;
  }

  /** Mostly small, now and then large. */
  size(most: number): number {
    return this.below(this.below(most + 1) + 1);
  }
}

/** A seed for the `at`-th input of a target: no two targets get the same ones. */
export function seedFor(seed: number, name: string, at: number): number {
  let hash = 0x811c9dc5;
  for (const letter of `${name}/${seed}/${at}`) hash = Math.imul(hash ^ letter.codePointAt(0)!, 0x01000193);
  return hash >>> 0;
}
