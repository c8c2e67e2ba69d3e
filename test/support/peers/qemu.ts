/**
 * Real QEMUs with a SPICE display, started for a test: emulated, small, on free loopback ports, each in its own
 * temporary folder with its QMP socket, and each running one of our boot sectors. Nothing here interprets SPICE, and no
 * QEMU may outlive the test that started it.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type GuestKind, type GuestReading, guestImage, type Picture, READY_WORD, readGuest } from './boot-sector.ts';
import { freePort, PeerProcess } from './process.ts';
import { type QmpData, QmpPeer } from './qmp-peer.ts';

export interface QemuTls {
  /** PEM files. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** Also listens on a port without TLS. Default true. */
  readonly plain?: boolean;
  /** Channels that are refused without TLS, e.g. `['main', 'inputs']`. */
  readonly secureChannels?: readonly string[];
  /** The subject a client is told to expect when it is moved here, e.g. `O=Test,CN=target`. */
  readonly certSubject?: string;
}

export interface QemuOptions {
  readonly image: GuestKind;
  /** The virtual machine's name, which clients show. Default `guest`. */
  readonly name?: string;
  /** The SPICE ticket; without one, ticketing is off. */
  readonly password?: string;
  /** Whether this QEMU as a source offers the seamless scheme. Default false, as QEMU has it. */
  readonly seamless?: boolean;
  /** Waits for a machine to move in, instead of starting its guest. */
  readonly incoming?: boolean;
  /** `image-compression`. Default `off`: bitmaps only. */
  readonly imageCompression?: 'off' | 'auto_glz' | 'auto_lz' | 'quic' | 'glz' | 'lz' | 'lz4';
  /** `streaming-video`. Default `off`. */
  readonly streamingVideo?: 'off' | 'all' | 'filter';
  readonly tls?: QemuTls;
  /** The graphics adapter. Default `std`. */
  readonly vga?: 'std' | 'qxl';
  /**
   * `speaker` (default) has a playback channel, on which the guest's tone is heard; `duplex` adds a sound card, and with
   * it the record channel; `none` has neither.
   */
  readonly audio?: 'none' | 'speaker' | 'duplex';
  /** Opus where the client can (default, as QEMU has it), or raw samples always. */
  readonly playbackCompression?: boolean;
  /** Adds a USB tablet and makes it current, so that the mouse mode is `client`. Default false. */
  readonly tablet?: boolean;
  /** Default 32. */
  readonly memoryMiB?: number;
  /** Further arguments for QEMU. */
  readonly more?: readonly string[];
}

/** A channel as `query-spice` lists it. */
export interface QemuChannel {
  readonly 'connection-id': number;
  readonly 'channel-type': number;
  readonly 'channel-id': number;
  readonly tls: boolean;
  readonly host: string;
  readonly port: string;
}

export class Qemu {
  readonly name: string;
  readonly host = '127.0.0.1';
  /** The port without TLS; undefined when there is none. */
  readonly spicePort: number | undefined;
  readonly tlsPort: number | undefined;
  readonly certSubject: string | undefined;
  readonly password: string | undefined;
  /** Its temporary folder, removed by `stop`. */
  readonly folder: string;
  /** Where `migrate` must send a machine that is to move in here. */
  readonly migrateUri: string;
  readonly process: PeerProcess;
  readonly peer: QmpPeer;

  constructor(parts: {
    name: string;
    spicePort: number | undefined;
    tlsPort: number | undefined;
    certSubject: string | undefined;
    password: string | undefined;
    folder: string;
    process: PeerProcess;
    peer: QmpPeer;
  }) {
    this.name = parts.name;
    this.spicePort = parts.spicePort;
    this.tlsPort = parts.tlsPort;
    this.certSubject = parts.certSubject;
    this.password = parts.password;
    this.folder = parts.folder;
    this.migrateUri = `unix:${join(parts.folder, 'migrate')}`;
    this.process = parts.process;
    this.peer = parts.peer;
  }

  /** Runs a QMP command. */
  async qmp<T = QmpData>(command: string, args?: QmpData): Promise<T> {
    return await this.peer.execute<T>(command, args);
  }

  /** The QMP events: `events.waitFor('MIGRATION', (data) => data.status === 'completed')`. */
  get events(): QmpPeer {
    return this.peer;
  }

  /** The channels that clients have open here, as QEMU counts them. */
  async channels(): Promise<QemuChannel[]> {
    const answer = await this.qmp<{ channels?: QemuChannel[] }>('query-spice');
    return answer.channels ?? [];
  }

  /** What the guest's screen shows, in QEMU's own view of it. */
  async screendump(): Promise<Picture> {
    const filename = join(this.folder, 'screen.ppm');
    await this.qmp('screendump', { filename });
    return parsePpm(await readFile(filename));
  }

  /**
   * The clock and last key of a moving guest, out of QEMU's own picture; waits until the test holds for them. Throws when
   * it does not within `timeoutMs` (default 5 s), or the guest is not to be seen.
   */
  async reading(holds: (reading: GuestReading) => boolean = () => true, timeoutMs = 5000): Promise<GuestReading> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const reading = readGuest(await this.screendump());
      if (reading !== undefined && holds(reading)) return reading;
      if (Date.now() > deadline) throw new Error(`${this.name} shows ${JSON.stringify(reading) ?? 'no guest'}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Waits for a line that the guest says on its debug console, e.g. `keyWord(0x1e)`. */
  async waitForGuest(text: string, since = 0): Promise<void> {
    await this.process.waitForLine(new RegExp(`^${text}$`), { since, stream: 'out' });
  }

  /** Ends this QEMU at once and removes its folder. May be called twice. */
  async stop(): Promise<void> {
    this.peer.close();
    await this.process.stop('SIGKILL');
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** The command line of a QEMU, without the name of the program. */
export function qemuArguments(
  options: QemuOptions,
  folder: string,
  port: number | undefined,
  tlsPort: number | undefined,
): string[] {
  const audio = options.audio ?? 'speaker';
  const machine = ['pc', `usb=${options.tablet ? 'on' : 'off'}`];
  if (audio !== 'none') machine.push('pcspk-audiodev=snd0');
  const spice = ['addr=127.0.0.1'];
  if (port !== undefined) spice.push(`port=${port}`);
  if (tlsPort !== undefined && options.tls !== undefined) {
    const { ca, cert, key } = options.tls;
    spice.push(`tls-port=${tlsPort}`, `x509-cacert-file=${ca}`, `x509-cert-file=${cert}`, `x509-key-file=${key}`);
    for (const channel of options.tls.secureChannels ?? []) spice.push(`tls-channel=${channel}`);
  }
  spice.push(options.password === undefined ? 'disable-ticketing=on' : 'password-secret=ticket');
  spice.push(`seamless-migration=${options.seamless ? 'on' : 'off'}`);
  spice.push(`image-compression=${options.imageCompression ?? 'off'}`);
  spice.push(`streaming-video=${options.streamingVideo ?? 'off'}`);
  spice.push(`playback-compression=${(options.playbackCompression ?? true) ? 'on' : 'off'}`);
  return [
    ...['-nodefaults', '-no-user-config', '-name', options.name ?? 'guest'],
    ...['-accel', 'tcg', '-machine', machine.join(','), '-m', String(options.memoryMiB ?? 32)],
    ...['-display', 'none', '-vga', options.vga ?? 'std'],
    // The guest's tick count starts at midnight, so it starts at nought in every run.
    ...['-rtc', 'base=2000-01-01T00:00:00'],
    ...(options.password === undefined ? [] : ['-object', `secret,id=ticket,data=${options.password}`]),
    ...['-spice', spice.join(',')],
    ...(audio === 'none' ? [] : ['-audiodev', 'spice,id=snd0']),
    ...(audio === 'duplex' ? ['-device', 'AC97,audiodev=snd0'] : []),
    ...(options.tablet ? ['-device', 'usb-tablet'] : []),
    ...['-drive', `if=floppy,format=raw,readonly=on,file=${join(folder, 'guest.img')}`],
    ...['-debugcon', 'stdio', '-qmp', `unix:${join(folder, 'qmp')},server=on,wait=off`],
    ...(options.incoming ? ['-incoming', `unix:${join(folder, 'migrate')}`] : []),
    ...(options.more ?? []),
  ];
}

/**
 * Starts a QEMU and waits until its guest's first picture stands (or, with `incoming`, until QMP answers). Throws with
 * the end of QEMU's log when that fails.
 */
export async function startQemu(options: QemuOptions): Promise<Qemu> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await tryQemu(options);
    } catch (error) {
      // A port that was free can be taken by another before QEMU binds it.
      if (attempt === 3 || !/address already in use|binding socket/i.test(String(error))) throw error;
    }
  }
}

async function tryQemu(options: QemuOptions): Promise<Qemu> {
  const folder = await mkdtemp(join(tmpdir(), 'sumac-qemu-'));
  const name = options.name ?? 'guest';
  let process: PeerProcess | undefined;
  let peer: QmpPeer | undefined;
  try {
    await writeFile(join(folder, 'guest.img'), guestImage(options.image));
    const spicePort = options.tls?.plain === false ? undefined : await freePort();
    const tlsPort = options.tls === undefined ? undefined : await freePort();
    const program = new PeerProcess(
      `qemu ${name}`,
      'qemu-system-x86_64',
      qemuArguments(options, folder, spicePort, tlsPort),
      { cwd: folder },
    );
    process = program;
    const dead = (): Error | undefined =>
      program.alive ? undefined : new Error(`${program.name} did not start\n${program.tail()}`);
    peer = await QmpPeer.connect({ path: join(folder, 'qmp') }, 10_000, dead);
    const { certSubject } = options.tls ?? {};
    const qemu = new Qemu({ name, spicePort, tlsPort, certSubject, password: options.password, folder, process, peer });
    await qemu.qmp('migrate-set-capabilities', { capabilities: [{ capability: 'events', state: true }] });
    if (options.tablet) {
      const mice = await qemu.qmp<{ index: number; absolute: boolean }[]>('query-mice');
      const tablet = mice.find((mouse) => mouse.absolute);
      if (tablet === undefined) throw new Error('QEMU has no tablet');
      await qemu.qmp('human-monitor-command', { 'command-line': `mouse_set ${tablet.index}` });
    }
    if (!options.incoming) await qemu.waitForGuest(READY_WORD);
    return qemu;
  } catch (error) {
    peer?.close();
    await process?.stop('SIGKILL');
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/** A source with a running guest, and a target of the same make that waits for it. */
export interface QemuPair {
  readonly source: Qemu;
  readonly target: Qemu;
  /** Stops both. */
  stop(): Promise<void>;
}

/** Starts two QEMUs of the same make, named `source` and `target`; the latter with `-incoming`. */
export async function startQemuPair(options: Omit<QemuOptions, 'incoming' | 'name'>): Promise<QemuPair> {
  const [source, target] = await Promise.allSettled([
    startQemu({ ...options, name: 'source' }),
    startQemu({ ...options, name: 'target', incoming: true }),
  ]);
  if (source.status === 'fulfilled' && target.status === 'fulfilled') {
    const pair = { source: source.value, target: target.value };
    return { ...pair, stop: async () => void (await Promise.all([pair.source.stop(), pair.target.stop()])) };
  }
  for (const one of [source, target]) if (one.status === 'fulfilled') await one.value.stop();
  throw source.status === 'rejected' ? source.reason : (target as PromiseRejectedResult).reason;
}

/**
 * Parses a binary PPM (P6, 255 levels), as QEMU and spicy-screenshot write it. Throws an Error on anything else.
 */
export function parsePpm(bytes: Uint8Array): Picture {
  const head = /^P6\s+(?:#[^\n]*\n)?\s*(\d+)\s+(\d+)\s+255\s/.exec(
    new TextDecoder('latin1').decode(bytes.subarray(0, 200)),
  );
  if (head === null) throw new Error('not a binary PPM of 8 bits');
  const [text, width, height] = [head[0], Number(head[1]), Number(head[2])];
  const rgb = bytes.subarray(text.length);
  if (rgb.length !== width * height * 3) throw new Error(`a PPM of ${width} x ${height} with ${rgb.length} bytes`);
  return { width, height, rgb: Uint8Array.from(rgb) };
}
