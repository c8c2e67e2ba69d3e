/**
 * The guest of guest.c, compiled and driven: libspice-server as a real peer that draws and sounds whatever a test tells it to,
 * and gives its own picture of each surface to compare with.
 */
import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { ImageCompression } from '../../../src/protocol/constants.ts';
import {
  type Command,
  cursorCommand,
  type DrawOptions,
  drawCommand,
  monitorsBytes,
  pointerCommand,
} from './qxl-command.ts';

/** What a suite that uses this needs. */
export const guestNeeds = ['/usr/include/spice-server/spice.h', '/usr/bin/gcc', '/usr/bin/pkg-config'] as const;

export interface GuestOptions {
  readonly imageCompression?: Exclude<keyof typeof ImageCompression, 'invalid'>;
  readonly jpegWanCompression?: 'auto' | 'always' | 'never';
  readonly zlibGlzWanCompression?: 'auto' | 'always' | 'never';
  readonly streamingVideo?: 'off' | 'all' | 'filter';
  readonly playbackCompression?: boolean;
}

const kinds = {
  draw: 1,
  cursor: 2,
  surface: 3,
  primary: 4,
  dump: 5,
  play: 6,
  silence: 7,
  listen: 8,
  deafen: 9,
  monitors: 10,
  flood: 11,
} as const;
const wan = { auto: 1, always: 2, never: 3 } as const;
const streaming = { off: 1, all: 2, filter: 3 } as const;

let built: { readonly program: string; readonly folder: string } | undefined;

/** Compiles the program, once for each run of a test file. Throws an Error with what the compiler says. */
function program(): string {
  if (built !== undefined) return built.program;
  const folder = mkdtempSync(join(tmpdir(), 'sumac-guest-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  // The compiler of TypeScript leaves it where it is.
  const places = ['guest.c', '../../../../test/peers/c/guest.c'].map((at) =>
    fileURLToPath(new URL(at, import.meta.url)),
  );
  const source = places.find((place) => existsSync(place))!;
  const flags = execFileSync('pkg-config', ['--cflags', '--libs', 'spice-server'], { encoding: 'utf8' });
  const file = join(folder, 'guest');
  const compile = ['-std=gnu11', '-Wall', '-Wextra', '-Werror', '-O1', '-o', file, source, '-lpthread'];
  execFileSync('gcc', [...compile, ...flags.trim().split(/\s+/)], { stdio: ['ignore', 'ignore', 'pipe'] });
  built = { program: file, folder };
  return file;
}

interface Answer {
  readonly words: readonly string[];
  readonly bytes: Uint8Array;
}

export class SpiceGuest {
  readonly host = '127.0.0.1';
  spicePort = 0;
  /** What it has said in lines. */
  readonly said: string[] = [];
  /** What the library complains of. */
  errors = '';
  /** What the microphone of a client has said: samples of 16 bits, two channels. */
  readonly heard: Int16Array[] = [];
  private readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  private rest = Buffer.alloc(0);
  private readonly waiting: { fits(answer: Answer): boolean; resolve(answer: Answer): void; reject(e: Error): void }[] =
    [];

  constructor(options: GuestOptions) {
    const { imageCompression = 'off', jpegWanCompression = 'never', zlibGlzWanCompression = 'never' } = options;
    const words = [
      ImageCompression[imageCompression],
      wan[jpegWanCompression],
      wan[zlibGlzWanCompression],
      streaming[options.streamingVideo ?? 'off'],
      (options.playbackCompression ?? true) ? 1 : 0,
    ];
    // So that a client of ours and the reference client can watch the same commands.
    const env = { ...process.env, SPICE_DEBUG_ALLOW_MC: '1' };
    this.child = spawn(program(), words.map(String), { stdio: ['pipe', 'pipe', 'pipe'], env });
    process.on('exit', () => this.child.kill('SIGKILL'));
    this.child.stdin.on('error', () => {});
    this.child.stderr.on('data', (data) => (this.errors += data));
    this.child.stdout.on('data', (data) => this.read(data));
    this.child.on('close', (code, signal) => {
      for (const { reject } of this.waiting.splice(0)) {
        reject(new Error(`the guest has ended (${code ?? signal})\n${this.errors.slice(-2_000)}`));
      }
    });
  }

  get pid(): number {
    return this.child.pid!;
  }

  get alive(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  primary(width: number, height: number, format: number): void {
    this.send(kinds.primary, words(width, height, format));
  }

  surface(id: number, width: number, height: number, format: number): void {
    this.send(kinds.surface, words(id, width, height, format));
  }

  /** Draws what a message of this name and body would draw. */
  draw(name: string, body: object, options?: DrawOptions): void {
    this.command(kinds.draw, drawCommand(name, body, options));
  }

  /** Takes what these messages would draw, so that `flood` draws them. */
  keep(drawings: readonly (readonly [name: string, body: object])[]): void {
    for (const [name, body] of drawings) this.command(kinds.flood, drawCommand(name, body, { opaque: true }));
  }

  /**
   * Draws so many more of those that are kept, in turn. One that is covered before it was sent is not sent at all: who counts
   * whole screens draws the next when the last is there.
   */
  flood(more: number): void {
    this.send(kinds.flood, new Uint8Array(), more);
  }

  cursor(position: { x: number; y: number }, visible: boolean, header: object, data: Uint8Array): void {
    this.command(kinds.cursor, cursorCommand(position, visible, header, data));
  }

  pointer(what: 'moves' | 'hides', position?: { x: number; y: number }): void {
    this.command(kinds.cursor, pointerCommand(what, position));
  }

  monitors(maxAllowed: number, heads: readonly object[]): void {
    this.send(kinds.monitors, monitorsBytes(maxAllowed, heads));
  }

  /** What the library's own canvas has made of a surface: its rows, from the top, without gaps. */
  async dump(id = 0): Promise<Uint8Array> {
    const answer = this.answer(({ words }) => words[0] === 'dump');
    this.send(kinds.dump, new Uint8Array(), id);
    return (await answer).bytes;
  }

  /** Plays samples of two channels; with a frequency, the sound begins. */
  play(samples: Int16Array, frequency = 0): void {
    this.send(kinds.play, new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength), frequency);
  }

  silence(): void {
    this.send(kinds.silence, new Uint8Array());
  }

  /** Listens to the clients' microphone. */
  listen(frequency: number): void {
    this.send(kinds.listen, new Uint8Array(), frequency);
  }

  deafen(): void {
    this.send(kinds.deafen, new Uint8Array());
  }

  /** Resolves when so many channels of clients are up, of those that were linked from now on. */
  async waitForChannels(count: number): Promise<void> {
    let up = 0;
    await this.answer(({ words }) => words[0] === 'client' && ++up === count);
  }

  /** Resolves with the first answer that fits. Rejects when the guest ends, or after ten seconds. */
  answer(fits: (answer: Answer) => boolean): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`no answer from the guest\n${this.said.slice(-5).join('\n')}\n${this.errors}`)),
        10_000,
      );
      const done =
        <T>(act: (value: T) => void) =>
        (value: T) => {
          clearTimeout(timer);
          act(value);
        };
      this.waiting.push({ fits, resolve: done(resolve), reject: done(reject) });
    });
  }

  async stop(): Promise<void> {
    if (!this.alive) return;
    const closed = new Promise((resolve) => this.child.once('close', resolve));
    this.child.stdin.end();
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 1_000);
    await closed;
    clearTimeout(timer);
  }

  private command(kind: number, { bytes, pointers }: Command): void {
    const all = new Uint8Array(bytes.length + pointers.length * 4);
    all.set(bytes);
    all.set(words(...pointers), bytes.length);
    this.send(kind, all, pointers.length);
  }

  private send(kind: number, bytes: Uint8Array, a = 0): void {
    this.child.stdin.write(words(kind, bytes.length, a, 0));
    if (bytes.length > 0) this.child.stdin.write(bytes);
  }

  private read(data: Buffer): void {
    this.rest = Buffer.concat([this.rest, data]);
    for (;;) {
      const end = this.rest.indexOf(10);
      if (end < 0) return;
      const line = this.rest.toString('latin1', 0, end);
      const parts = line.split(' ');
      const size = parts[0] === 'dump' ? Number(parts[1]) : parts[0] === 'heard' ? Number(parts[1]) * 4 : 0;
      if (this.rest.length < end + 1 + size) return;
      const bytes = Uint8Array.from(this.rest.subarray(end + 1, end + 1 + size));
      this.rest = this.rest.subarray(end + 1 + size);
      this.said.push(line);
      if (parts[0] === 'heard') this.heard.push(new Int16Array(bytes.buffer));
      const answer = { words: parts, bytes };
      for (const one of [...this.waiting]) {
        if (!one.fits(answer)) continue;
        this.waiting.splice(this.waiting.indexOf(one), 1);
        one.resolve(answer);
      }
    }
  }
}

const words = (...values: number[]): Uint8Array => new Uint8Array(Uint32Array.from(values, (v) => v >>> 0).buffer);

/** Starts a guest with a server of the library; it listens when this resolves. */
export async function startGuest(options: GuestOptions = {}): Promise<SpiceGuest> {
  const guest = new SpiceGuest(options);
  const { words: parts } = await guest.answer(({ words: said }) => said[0] === 'listening');
  guest.spicePort = Number(parts[1]);
  return guest;
}
