/**
 * The GLZ window: the decoded pictures that later GLZ pictures may point into. One window is shared by all display
 * channels of a session, so pictures arrive in any order; a decoder that needs one that is not here waits for it.
 * INVARIANT: pictures inside are never changed, and their number and pixels stay bounded whatever the peer writes.
 */
import { ImageError } from './error.ts';
import { GlzMemory } from './glz-memory.ts';
import { kernel } from './kernel.ts';

/** Bounds the memory that pictures take beside their pixels. */
const MAX_IMAGES = 1 << 18;

interface Held {
  /** In the order in which they were encoded: for a picture sent from the bottom, the bottom row is first. */
  readonly words: Uint32Array;
  /** The oldest picture that may still be pointed to when this one is decoded. */
  readonly head: number;
}

export interface GlzWindowState {
  readonly pictures: readonly { readonly id: number; readonly words: Uint32Array; readonly head: number }[];
  readonly oldest: number;
  readonly gap: number;
}

export interface GlzWindowOptions {
  /** Pixels that the client announced as its window (spec §2.4, INIT glz_window_size). Twice as many are held at most. */
  readonly pixels: number;
}

export class GlzWindow {
  readonly #limit: number;
  readonly #held = new Map<number, Held>();
  readonly #waiting = new Map<number, { resolve: () => void; reject: (error: ImageError) => void }[]>();
  /** Where pictures lie that nobody else keeps; null where that cannot be. */
  #memory: GlzMemory | undefined | null;
  #pixels = 0;
  /** All pictures below were let go. */
  #oldest = 0;
  /** The first picture that has not arrived yet. */
  #gap = 0;

  constructor(options: GlzWindowOptions) {
    this.#limit = options.pixels * 2;
  }

  /** Pictures held. */
  get size(): number {
    return this.#held.size;
  }

  /** Pixels held. */
  get pixels(): number {
    return this.#pixels;
  }

  /** All that is in it, to be kept and put into another one; not to be changed. */
  state(): GlzWindowState {
    const pictures = [...this.#held].map(([id, { words, head }]) => {
      return { id, words: this.#memory?.has(words) === true ? words.slice() : words, head };
    });
    return { pictures, oldest: this.#oldest, gap: this.#gap };
  }

  /** Becomes what another one was. Whoever waits is turned away. */
  restore({ pictures, oldest, gap }: GlzWindowState): void {
    this.clear();
    for (const { id, words, head } of pictures) {
      this.#held.set(id, { words, head });
      this.#pixels += words.length;
    }
    this.#oldest = oldest;
    this.#gap = gap;
  }

  /** Whether picture `id` can be pointed to now. */
  has(id: number): boolean {
    return this.#held.has(id);
  }

  /**
   * Resolves when picture `id` has arrived, at once if it is here. Rejects with `ImageError` "window" if it was let go
   * already or the window is cleared. There is no time limit: a hostile peer can name a picture that never comes.
   */
  arrival(id: number): Promise<void> {
    if (this.#held.has(id)) return Promise.resolve();
    if (id < this.#oldest) return Promise.reject(gone(id));
    return new Promise((resolve, reject) => {
      const others = this.#waiting.get(id);
      if (others === undefined) this.#waiting.set(id, [{ resolve, reject }]);
      else others.push({ resolve, reject });
    });
  }

  /** Forgets all pictures, as a hand-over demands; whoever waits gets `ImageError` "window". Numbers restart at 0. */
  clear(): void {
    this.#held.clear();
    // Decodings that wait may still write to it.
    this.#memory = undefined;
    this.#pixels = 0;
    this.#oldest = 0;
    this.#gap = 0;
    const waiting = [...this.#waiting.values()].flat();
    this.#waiting.clear();
    for (const { reject } of waiting) reject(new ImageError('window', 'the window was cleared'));
  }

  /** For the decoder: the words of picture `id`, or undefined if it has not arrived. Throws "window" if it is gone. */
  words(id: number): Uint32Array | undefined {
    const held = this.#held.get(id);
    if (held === undefined && id < this.#oldest) throw gone(id);
    return held?.words;
  }

  /** For the decoder: room for a picture, with anything in it. `isShared`: somebody else keeps it too, longer than this window. */
  room(count: number, isShared: boolean): Uint32Array {
    if (isShared || kernel() === undefined) return new Uint32Array(count);
    if (this.#memory === undefined) this.#memory = GlzMemory.of(this.#limit / 2) ?? null;
    return this.#memory?.take(count) ?? new Uint32Array(count);
  }

  /** For the decoder: the memory that such a room lies in, if it is one in which pictures can be decoded. */
  memoryOf(words: Uint32Array): GlzMemory | undefined {
    return this.#memory?.has(words) === true ? this.#memory : undefined;
  }

  /** For the decoder: a picture will never be complete. */
  giveUp(words: Uint32Array): void {
    this.#memory?.give(words);
  }

  /**
   * For the decoder: refuses a picture that came twice or that everybody has stopped waiting for. If all before it are here, those
   * before its head are let go, so that it can have their room.
   */
  admit(id: number, head: number): void {
    this.#check(id);
    if (id === this.#gap) this.#release(head);
  }

  #check(id: number): void {
    if (this.#held.has(id)) throw new ImageError('data', `picture ${id} came twice`);
    if (id < this.#oldest) throw gone(id);
  }

  /** For the decoder: puts a complete picture in and lets go those that no picture can point to any more. */
  add(id: number, words: Uint32Array, head: number): void {
    this.#check(id);
    this.#held.set(id, { words, head });
    if (this.#memory?.has(words) === true) this.#memory.know(id, words);
    this.#pixels += words.length;
    while (this.#held.has(this.#gap)) this.#gap++;
    // A picture that is still under way may point as far back as its head, and heads only move forward: so the head of
    // the last picture before the first gap is a bound for all that are to come.
    const last = this.#held.get(this.#gap - 1);
    if (last !== undefined) this.#release(last.head);
    if (this.#pixels > this.#limit || this.#held.size > MAX_IMAGES) this.#shrink();
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    for (const { resolve } of waiting) resolve();
  }

  #release(oldest: number): void {
    if (oldest <= this.#oldest) return;
    if (oldest - this.#oldest <= this.#held.size) {
      for (let id = this.#oldest; id < oldest; id++) this.#drop(id);
    } else {
      for (const id of this.#held.keys()) if (id < oldest) this.#drop(id);
    }
    this.#oldest = oldest;
  }

  #drop(id: number): void {
    const held = this.#held.get(id);
    if (held === undefined) return;
    this.#held.delete(id);
    this.#pixels -= held.words.length;
    if (this.#memory?.has(held.words) !== true) return;
    this.#memory.forget(id);
    this.#memory.give(held.words);
  }

  /** Only a peer that breaks its own window size comes here: then half of it goes, the lowest numbers first. */
  #shrink(): void {
    for (const id of [...this.#held.keys()].sort((a, b) => a - b)) {
      if (this.#pixels <= this.#limit / 2 && this.#held.size <= MAX_IMAGES / 2) return;
      this.#drop(id);
      this.#oldest = id + 1;
      this.#gap = Math.max(this.#gap, id + 1);
    }
  }
}

function gone(id: number): ImageError {
  return new ImageError('window', `picture ${id} has left the window`);
}
