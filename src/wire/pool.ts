/**
 * Buffers that are used again. What is written a lot would otherwise ask for memory all the time, and the garbage collector
 * would look through everything each time. It knows nothing of what is in them, and clears nothing.
 */

const smallest = 1024;

export class BufferPool {
  /** By their length, a power of two. */
  private readonly free = new Map<number, Uint8Array<ArrayBuffer>[]>();
  private bytes = 0;
  private readonly mostBytes: number;

  /** `mostBytes`: what is kept for later. */
  constructor(mostBytes = 32 * 1024 * 1024) {
    this.mostBytes = mostBytes;
  }

  /** One of at least `size` bytes; what is in it is anything. */
  take(size: number): Uint8Array<ArrayBuffer> {
    const length = 2 ** Math.ceil(Math.log2(Math.max(size, smallest)));
    const buffer = this.free.get(length)?.pop();
    if (buffer === undefined) return new Uint8Array(length);
    this.bytes -= length;
    return buffer;
  }

  /** Nobody uses it any more. */
  give(buffer: Uint8Array<ArrayBuffer>): void {
    const { length } = buffer;
    if (this.bytes + length > this.mostBytes) return;
    const alike = this.free.get(length);
    if (alike === undefined) this.free.set(length, [buffer]);
    else alike.push(buffer);
    this.bytes += length;
  }
}
