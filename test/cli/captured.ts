/**
 * A terminal for tests: keeps what a verb says, gives it an environment, and ends it when asked. And readers for the files
 * that verbs write, which share no code with the writers.
 */
import { inflateSync } from 'node:zlib';
import { runSumac } from '../../src/cli/run.ts';
import type { Terminal } from '../../src/cli/terminal.ts';

export class Captured implements Terminal {
  readonly lines: string[] = [];
  readonly errors: string[] = [];
  readonly env: Record<string, string | undefined>;
  private readonly stop = new AbortController();
  private readonly watchers = new Set<() => void>();

  constructor(env: Record<string, string | undefined> = {}) {
    this.env = env;
  }

  get stopped(): AbortSignal {
    return this.stop.signal;
  }

  out(line: string): void {
    this.lines.push(line);
    for (const watcher of [...this.watchers]) watcher();
  }

  err(line: string): void {
    this.errors.push(line);
  }

  /** As Ctrl-C does. */
  interrupt(): void {
    this.stop.abort('SIGINT');
  }

  /** What was printed as JSON, a line each. Throws when a line is none. */
  get events(): any[] {
    return this.lines.map((line) => JSON.parse(line));
  }

  /** Waits for the first line that the test holds for, whether it was said already or not. */
  async line(holds: (line: string) => boolean, ms = 10_000): Promise<string> {
    return await new Promise((resolve, reject) => {
      const look = () => {
        const found = this.lines.find(holds);
        if (found === undefined) return;
        done();
        resolve(found);
      };
      const timer = setTimeout(() => {
        done();
        reject(new Error(`never said; only:\n${[...this.lines, ...this.errors].join('\n')}`));
      }, ms);
      const done = () => {
        clearTimeout(timer);
        this.watchers.delete(look);
      };
      this.watchers.add(look);
      look();
    });
  }

  /** As `line`, for JSON. */
  async event(holds: (event: any) => boolean, ms = 10_000): Promise<any> {
    return JSON.parse(await this.line((line) => holds(JSON.parse(line)), ms));
  }
}

/** A verb that runs, and what it says. */
export interface Running {
  readonly terminal: Captured;
  readonly code: Promise<number>;
}

export function start(args: readonly string[], env?: Record<string, string | undefined>): Running {
  const terminal = new Captured(env);
  return { terminal, code: runSumac(args, terminal) };
}

/** Runs a verb to its end. */
export async function finish(
  args: readonly string[],
  env?: Record<string, string | undefined>,
): Promise<{ code: number; terminal: Captured }> {
  const { terminal, code } = start(args, env);
  return { code: await code, terminal };
}

/** Rows of R, G and B without gaps, out of a PNG file of 8-bit RGB. Throws an Error for any other file. */
export function readPng(file: Uint8Array): { width: number; height: number; rgb: Uint8Array } {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (view.getBigUint64(0) !== 0x89504e470d0a1a0an) throw new Error('no PNG');
  const chunks = new Map<string, Uint8Array>();
  for (let at = 8; at < file.length; ) {
    const size = view.getUint32(at);
    const type = Buffer.from(file.subarray(at + 4, at + 8)).toString('latin1');
    const before = chunks.get(type) ?? new Uint8Array();
    chunks.set(type, Buffer.concat([before, file.subarray(at + 8, at + 8 + size)]));
    at += size + 12;
  }
  const header = Buffer.from(chunks.get('IHDR')!);
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  if (header.readUInt16BE(8) !== 0x0802 || header[12] !== 0) throw new Error('not 8-bit RGB');
  const rows = inflateSync(chunks.get('IDAT')!);
  const stride = width * 3;
  if (rows.length !== (stride + 1) * height) throw new Error('the rows do not fit the header');
  const rgb = new Uint8Array(stride * height);
  for (let y = 0; y < height; y++) {
    const filter = rows[y * (stride + 1)]!;
    for (let x = 0; x < stride; x++) {
      const a = x < 3 ? 0 : rgb[y * stride + x - 3]!;
      const b = y === 0 ? 0 : rgb[(y - 1) * stride + x]!;
      const c = x < 3 || y === 0 ? 0 : rgb[(y - 1) * stride + x - 3]!;
      rgb[y * stride + x] = rows[y * (stride + 1) + 1 + x]! + predict(filter, a, b, c);
    }
  }
  return { width, height, rgb };
}

function predict(filter: number, a: number, b: number, c: number): number {
  if (filter < 4) return [0, a, b, (a + b) >> 1][filter]!;
  const p = a + b - c;
  const [pa, pb, pc] = [Math.abs(p - a), Math.abs(p - b), Math.abs(p - c)];
  return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
}

/** The same form, out of rows of B, G, R and a byte without meaning. */
export function rgbOf({ pixels }: { pixels: Uint8Array }): Uint8Array {
  const rgb = new Uint8Array((pixels.length / 4) * 3);
  for (let from = 0, to = 0; from < pixels.length; from += 4, to += 3) {
    rgb[to] = pixels[from + 2]!;
    rgb[to + 1] = pixels[from + 1]!;
    rgb[to + 2] = pixels[from]!;
  }
  return rgb;
}

/**
 * How much of a sound is at one pitch (Goertzel): 1 for a pure tone, near 0 for none of it. `samples` are of one channel.
 */
export function shareOfPitch(samples: Int16Array, frequency: number, pitch: number): number {
  const step = 2 * Math.cos((2 * Math.PI * pitch) / frequency);
  let [before, last, energy] = [0, 0, 0];
  for (const sample of samples) {
    [before, last] = [last, sample + step * last - before];
    energy += sample * sample;
  }
  const power = before * before + last * last - step * before * last;
  return energy === 0 ? 0 : (2 * power) / (energy * samples.length);
}

/** The first of interleaved channels. */
export const firstChannel = (samples: Int16Array, channels: number): Int16Array =>
  samples.filter((_, i) => i % channels === 0);
