/** Bytes that have come and are not read yet, for readers of exact sizes. Bounded by whoever pushes. */
export class ByteQueue {
  private bytes = new Uint8Array(0);

  get length(): number {
    return this.bytes.length;
  }

  push(chunk: Uint8Array): void {
    const joined = new Uint8Array(this.bytes.length + chunk.length);
    joined.set(this.bytes);
    joined.set(chunk, this.bytes.length);
    this.bytes = joined;
  }

  /** The first `size` bytes without removing them, or undefined while there are fewer. */
  peek(size: number): Uint8Array | undefined {
    return this.bytes.length < size ? undefined : this.bytes.subarray(0, size);
  }

  /** Removes and returns the first `size` bytes, or undefined while there are fewer. */
  take(size: number): Uint8Array | undefined {
    const taken = this.peek(size);
    if (taken !== undefined) this.bytes = this.bytes.slice(size);
    return taken;
  }

  takeAll(): Uint8Array {
    const all = this.bytes;
    this.bytes = new Uint8Array(0);
    return all;
  }
}
