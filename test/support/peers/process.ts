/**
 * A foreign program under test: started with its output kept line by line, waited for by what it says, and ended for
 * certain. It never writes to the terminal by itself; what was said is shown when a wait fails.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';

export interface LogLine {
  /** When the line came in, milliseconds since 1970. */
  readonly at: number;
  readonly stream: 'out' | 'err';
  readonly text: string;
}

export interface ProcessOptions {
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  /** Lines that match are counted in `ignored` and not kept; blank lines are never kept. */
  readonly ignore?: RegExp;
}

export interface WaitOptions {
  /** Only lines from this place on count; see `mark`. Default 0: everything said so far counts too. */
  readonly since?: number;
  /** Default 10000. */
  readonly timeoutMs?: number;
  readonly stream?: 'out' | 'err';
}

export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** Milliseconds for a program that was asked to end; a busy machine takes its time. */
const patienceMs = 5_000;

const running = new Set<ChildProcess>();
// The last resort for a test run that is torn down in the middle: no process may outlive it.
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export class PeerProcess {
  readonly name: string;
  readonly lines: LogLine[] = [];
  /** How many lines were left out by `ignore`. */
  ignored = 0;
  /** Settles when the program has ended and all its output was read. Never rejects. */
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #watchers = new Set<() => void>();
  #exit: Exit | undefined;

  constructor(name: string, command: string, args: readonly string[], options: ProcessOptions = {}) {
    this.name = name;
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: { ...process.env, ...options.env },
    });
    this.#child = child;
    running.add(child);
    this.lines.push({ at: Date.now(), stream: 'err', text: `$ ${command} ${args.join(' ')}` });
    for (const stream of ['out', 'err'] as const) {
      let rest = '';
      const source = (stream === 'out' ? child.stdout : child.stderr)!;
      source.setEncoding('utf8');
      source.on('data', (text: string) => {
        const parts = (rest + text).split('\n');
        rest = parts.pop()!;
        this.#keep(stream, parts, options.ignore);
      });
      source.on('end', () => this.#keep(stream, [rest], options.ignore));
    }
    this.exited = new Promise((resolve) => {
      const end = (exit: Exit): void => {
        if (this.#exit !== undefined) return;
        this.#exit = exit;
        running.delete(child);
        this.#wake();
        resolve(exit);
      };
      child.on('error', (error) => {
        this.#keep('err', [`${error.message}`], undefined);
        end({ code: null, signal: null });
      });
      child.on('close', (code, signal) => end({ code, signal }));
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get alive(): boolean {
    return this.#exit === undefined;
  }

  /** A place in the log, for `since`: only what is said after now. */
  mark(): number {
    return this.lines.length;
  }

  /** All lines from a place on as one text, without times. */
  text(since = 0): string {
    return this.lines
      .slice(since)
      .map((line) => line.text)
      .join('\n');
  }

  /**
   * Waits for a line that matches and returns it. Throws an Error that shows the end of the log when the time is over or
   * the program has ended without saying it.
   */
  async waitForLine(pattern: RegExp, options: WaitOptions = {}): Promise<LogLine> {
    let next = options.since ?? 0;
    let found: LogLine | undefined;
    await this.waitUntil(
      () => {
        for (; found === undefined && next < this.lines.length; next++) {
          const line = this.lines[next]!;
          if (pattern.test(line.text) && (options.stream ?? line.stream) === line.stream) found = line;
        }
        return found !== undefined;
      },
      String(pattern),
      options.timeoutMs,
    );
    return found!;
  }

  /** Waits until the test holds; it is asked again at every line of output. Throws as `waitForLine` does. */
  async waitUntil(holds: () => boolean, what: string, timeoutMs = 10_000): Promise<void> {
    if (holds()) return;
    await new Promise<void>((resolve, reject) => {
      const fail = (why: string): void => {
        done();
        reject(new Error(`${this.name}: ${why} while waiting for ${what}\n${this.tail()}`));
      };
      const look = (): void => {
        if (holds()) {
          done();
          resolve();
        } else if (!this.alive) fail(`ended (${this.#exit?.code ?? this.#exit?.signal})`);
      };
      const timer = setTimeout(() => fail(`nothing for ${timeoutMs} ms`), timeoutMs);
      const done = (): void => {
        clearTimeout(timer);
        this.#watchers.delete(look);
      };
      this.#watchers.add(look);
      look();
    });
  }

  /** The last lines of the log, for the message of a failure. */
  tail(count = 30): string {
    return this.lines
      .slice(-count)
      .map((line) => `  ${new Date(line.at).toISOString().slice(11, 23)} ${line.text}`)
      .join('\n');
  }

  /** Ends the program: asks first, and kills when that was in vain. Returns once it is gone. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    if (this.alive) this.#child.kill(signal);
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), patienceMs);
    const exit = await this.exited;
    clearTimeout(timer);
    return exit;
  }

  #keep(stream: 'out' | 'err', texts: readonly string[], ignore: RegExp | undefined): void {
    const at = Date.now();
    for (const text of texts) {
      if (text === '') continue;
      if (ignore?.test(text)) this.ignored++;
      else this.lines.push({ at, stream, text });
    }
    this.#wake();
  }

  #wake(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }
}

/** A port on the loopback address that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('a TCP server without a port');
  return address.port;
}
