/**
 * The C clients of the spice-gtk family as peers: spicy and remote-viewer in a window of an Xvfb, with their debug log,
 * and spicy-screenshot without one. What the client says in its own log is the evidence; nothing here reads its wire.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type GuestReading, type Picture, readGuest } from './boot-sector.ts';
import { PeerProcess } from './process.ts';
import { parsePpm } from './qemu.ts';
import type { Xvfb } from './xvfb.ts';

const run = promisify(execFile);

/** A SPICE server as a client is told of it. */
export interface SpiceAddress {
  readonly host: string;
  readonly spicePort?: number | undefined;
  readonly tlsPort?: number | undefined;
  readonly password?: string | undefined;
}

export interface ViewerOptions {
  readonly program?: 'spicy' | 'remote-viewer';
  /** PEM file of the authorities to trust. */
  readonly ca?: string;
  /** The server certificate's subject to expect, where it is not the host's name. */
  readonly hostSubject?: string;
  readonly more?: readonly string[];
}

/** What the client's log calls the phases of a hand-over, by the moment in which each is said. */
export const SAID = {
  begin: /migration message: migrate-begin$/,
  beginSeamless: /migration message: migrate-begin-seamless/,
  semiSeamlessLinked: /migration \(semi-seamless\): connections all ok/,
  seamlessLinked: /migration \(seamless\): connections all ok/,
  linkFailed: /migrate failed: some channels failed to connect/,
  end: /migration message: migrate-end/,
  cancel: /migration message: migrate-cancel/,
  switchHost: /migration message: migrate-switch-host/,
  /** The last channel has changed over, in both schemes that keep the session. */
  allMoved: /migration: all channel migrated, success/,
  channelUp: /channel up, state/,
} as const;

/**
 * Without the GStreamer elements for sound the client complains about every packet that it gets to play; those lines
 * come a hundred a second and are counted instead of kept.
 */
const SOUND = /gst_app_src_push_internal/;

export class Viewer {
  readonly process: PeerProcess;
  readonly #screen: Xvfb;
  readonly #home: string;

  constructor(process: PeerProcess, screen: Xvfb, home: string) {
    this.process = process;
    this.#screen = screen;
    this.#home = home;
  }

  /** A place in the log, for `since`. */
  mark(): number {
    return this.process.mark();
  }

  /** Waits for a line of the log (by default from its start) and returns its text. */
  async waitForLog(pattern: RegExp, options: { since?: number; timeoutMs?: number } = {}): Promise<string> {
    return (await this.process.waitForLine(pattern, options)).text;
  }

  /** True when a line from `since` on matches. */
  said(pattern: RegExp, since = 0): boolean {
    return this.process.lines.slice(since).some((line) => pattern.test(line.text));
  }

  /**
   * When the client said the first line from `since` on that matches, by its own clock: milliseconds since 1970. Throws
   * an Error when it has not been said.
   */
  timeOf(pattern: RegExp, since = 0): number {
    const line = this.process.lines.slice(since).find((one) => pattern.test(one.text));
    if (line === undefined) throw new Error(`${this.process.name} never said ${pattern}\n${this.process.tail()}`);
    const clock = /\b(\d\d):(\d\d):(\d\d\.\d+):/.exec(line.text);
    if (clock === null) return line.at;
    const inDay = (Number(clock[1]) * 60 + Number(clock[2])) * 60_000 + Number(clock[3]) * 1000;
    const day = 86_400_000;
    // The log has no date: take the day that puts the line nearest to when it came in.
    return Math.round((line.at - inDay) / day) * day + inDay;
  }

  /** The channels that came up from `since` on, in order, e.g. `main-1:0`. */
  channelsUp(since = 0): string[] {
    return this.process.lines
      .slice(since)
      .flatMap((line) => /([a-z]+-\d+:\d+): channel up, state/.exec(line.text)?.[1] ?? []);
  }

  /** Waits until so many channels came up. */
  async waitForChannels(count: number, since = 0): Promise<string[]> {
    await this.process.waitUntil(() => this.channelsUp(since).length >= count, `${count} channels up`);
    return this.channelsUp(since);
  }

  /** The whole screen that the client's window is on. */
  async screenshot(): Promise<Picture> {
    return await this.#screen.screenshot();
  }

  /** Waits until the window shows a moving guest for which the test holds. */
  async waitForGuest(
    holds: (reading: GuestReading) => boolean = () => true,
    timeoutMs = 10_000,
  ): Promise<GuestReading> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const reading = readGuest(await this.screenshot());
      if (reading !== undefined && holds(reading)) return reading;
      if (Date.now() > deadline || !this.process.alive) {
        throw new Error(
          `${this.process.name}: the window shows ${JSON.stringify(reading) ?? 'no guest'}\n${this.process.tail()}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Presses and releases a key by its X name, e.g. `a`, `Return`. The window must have the focus, as it has at start. */
  async key(name: string): Promise<void> {
    await run('xdotool', ['key', name], { env: { ...process.env, DISPLAY: this.#screen.display } });
  }

  /** How many packets of sound it was sent so far, as far as its complaints tell; 0 where it can play sound. */
  get soundPackets(): number {
    return this.process.ignored;
  }

  async stop(): Promise<void> {
    await this.process.stop();
    await rm(this.#home, { recursive: true, force: true });
  }
}

/**
 * Starts spicy or remote-viewer on a server and returns at once; wait for channels or the picture next. It runs with a
 * home of its own, no session bus and no accessibility bridge.
 */
export async function startViewer(screen: Xvfb, server: SpiceAddress, options: ViewerOptions = {}): Promise<Viewer> {
  const program = options.program ?? 'spicy';
  const home = await mkdtemp(join(tmpdir(), 'sumac-viewer-'));
  const args = ['--spice-debug'];
  if (options.ca !== undefined) args.push(`--spice-ca-file=${options.ca}`);
  if (options.hostSubject !== undefined) args.push(`--spice-host-subject=${options.hostSubject}`);
  args.push(...(options.more ?? []));
  if (program === 'spicy') args.push(`--uri=${spiceUri(server)}`);
  else args.push(spiceUri(server));
  const viewer = new PeerProcess(program, program, args, {
    cwd: home,
    ignore: SOUND,
    env: {
      DISPLAY: screen.display,
      HOME: home,
      XDG_RUNTIME_DIR: home,
      TZ: 'UTC',
      LC_ALL: 'C.UTF-8',
      GIO_USE_VFS: 'local',
      GSETTINGS_BACKEND: 'memory',
      NO_AT_BRIDGE: '1',
      G_MESSAGES_DEBUG: 'all',
    },
  });
  return new Viewer(viewer, screen, home);
}

/** The URI that spice-gtk takes: ports, and the password, as parameters. */
export function spiceUri(server: SpiceAddress): string {
  const parameters = new URLSearchParams();
  if (server.spicePort !== undefined) parameters.set('port', String(server.spicePort));
  if (server.tlsPort !== undefined) parameters.set('tls-port', String(server.tlsPort));
  if (server.password !== undefined) parameters.set('password', server.password);
  return `spice://${server.host}?${parameters}`;
}

/** One picture of a server, taken by spicy-screenshot. Throws when it cannot connect within ten seconds. */
export async function spicyScreenshot(server: SpiceAddress, more: readonly string[] = []): Promise<Picture> {
  const folder = await mkdtemp(join(tmpdir(), 'sumac-screenshot-'));
  try {
    const file = join(folder, 'screen.ppm');
    const { stdout, stderr } = await run('spicy-screenshot', [`--uri=${spiceUri(server)}`, '-o', file, ...more], {
      timeout: 10_000,
      env: { ...process.env, HOME: folder, GIO_USE_VFS: 'local' },
    });
    return parsePpm(
      await readFile(file).catch(() => {
        throw new Error(`spicy-screenshot wrote no picture: ${stdout}${stderr}`);
      }),
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
