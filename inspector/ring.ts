/** A list of bounded length: what is pushed over its capacity takes the place of the oldest. Runs anywhere. */

export class Ring<T> {
  readonly capacity: number;
  private items: (T | undefined)[] = [];
  private start = 0;
  private count = 0;

  /** `capacity` is at least 1. */
  constructor(capacity: number) {
    this.capacity = Math.max(1, Math.floor(capacity));
  }

  get length(): number {
    return this.count;
  }

  /** Adds at the end; returns what had to go, if anything. */
  push(item: T): T | undefined {
    if (this.count < this.capacity) {
      this.items[(this.start + this.count++) % this.capacity] = item;
      return undefined;
    }
    const old = this.items[this.start];
    this.items[this.start] = item;
    this.start = (this.start + 1) % this.capacity;
    return old;
  }

  /** Takes the oldest away. */
  shift(): T | undefined {
    if (this.count === 0) return undefined;
    const old = this.items[this.start];
    this.items[this.start] = undefined;
    this.start = (this.start + 1) % this.capacity;
    this.count--;
    return old;
  }

  /** The item at `index`, counted from the oldest, or from the newest if negative. */
  at(index: number): T | undefined {
    const i = index < 0 ? this.count + index : index;
    return i < 0 || i >= this.count ? undefined : this.items[(this.start + i) % this.capacity];
  }

  *[Symbol.iterator](): Generator<T> {
    for (let i = 0; i < this.count; i++) yield this.at(i)!;
  }

  /** The index of the first item for which `test` holds, where all items after one that passes pass too; `length` if none. */
  firstIndex(test: (item: T) => boolean): number {
    let [low, high] = [0, this.count];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (test(this.at(middle)!)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  clear(): void {
    this.items = [];
    this.start = 0;
    this.count = 0;
  }
}
