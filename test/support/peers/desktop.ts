/**
 * A real desktop: an X server whose graphics card is libspice-server itself (Debian's xserver-xspice), with a window manager.
 * What its programs draw crosses the wire as the commands of a real driver; what the X server says its screen looks like was
 * painted by libspice's own canvas. It needs no guest and no machine.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Picture } from './boot-sector.ts';
import { freePort, PeerProcess } from './process.ts';
import { parsePpm } from './qemu.ts';
import type { SpiceAddress } from './spicy.ts';

const run = promisify(execFile);

/** The X server itself; the script `Xspice` only sets its variables, and outlives it. */
const xServer = '/usr/lib/xorg/Xorg';

/** What a suite with a desktop needs, but for the programs that it runs there. */
export const desktopNeeds = ['/usr/lib/xorg/modules/drivers/spiceqxl_drv.so', 'openbox', 'xdotool', 'import'] as const;

export interface DesktopOptions {
  readonly width?: number;
  readonly height?: number;
  /** As libspice-server's option of the same name; default auto_glz. */
  readonly imageCompression?: 'off' | 'auto_glz' | 'auto_lz' | 'quic' | 'glz' | 'lz';
  /** Whether what moves is sent as lossy video; default off, so that every picture is exact. */
  readonly streamingVideo?: 'off' | 'filter' | 'all';
}

export interface Desktop extends SpiceAddress {
  readonly spicePort: number;
  /** Runs a program on this desktop until the desktop is stopped. */
  start(program: string, ...words: string[]): PeerProcess;
  /** Drives the desktop as a person would: xdotool with these words. Returns what it printed. */
  drive(...words: string[]): Promise<string>;
  /** The whole screen as the X server has it, without the pointer. */
  screenshot(): Promise<Picture>;
  stop(): Promise<void>;
}

/** Starts a desktop; a second try is made when its port was taken meanwhile. */
export async function startDesktop(options: DesktopOptions = {}): Promise<Desktop> {
  const folder = await mkdtemp(join(tmpdir(), 'sumac-desktop-'));
  const spicePort = await freePort();
  const config = join(folder, 'xorg.conf');
  await writeFile(
    config,
    configOf({ width: 1024, height: 768, imageCompression: 'auto_glz', streamingVideo: 'off', ...options }, spicePort),
  );
  const programs: PeerProcess[] = [];
  // It closes the descriptor that it told its number on; were that 1, the driver's prints would go to whoever gets 1 next.
  const words = ['-config', config, '-displayfd', '3', '-nolisten', 'tcp', '-noreset', '-logfile', join(folder, 'log')];
  const server = new PeerProcess('Xorg', 'sh', ['-c', 'exec "$0" "$@" 3>&1', xServer, ...words]);
  const stop = async (): Promise<void> => {
    await Promise.all(programs.map((program) => program.stop('SIGKILL')));
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const env = { DISPLAY: `:${(await server.waitForLine(/^\d+$/, { stream: 'out' })).text}` };
    const start = (program: string, ...words: string[]): PeerProcess => {
      const started = new PeerProcess(program, program, words, { env });
      programs.push(started);
      return started;
    };
    start('openbox', '--sm-disable');
    return {
      host: '127.0.0.1',
      spicePort,
      start,
      drive: async (...words) => {
        const { stdout } = await run('xdotool', words, { env: { ...process.env, ...env }, timeout: 10_000 });
        return stdout;
      },
      screenshot: async () => {
        const { stdout } = await run('import', ['-silent', '-window', 'root', '-depth', '8', 'ppm:-'], {
          ...{ env: { ...process.env, ...env }, encoding: 'buffer', maxBuffer: 1 << 26, timeout: 10_000 },
        });
        return parsePpm(stdout);
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * The X server's configuration. The sizes, in MiB, are not free: the driver puts one memory into another and writes past its
 * end with most of them.
 */
function configOf(options: Required<DesktopOptions>, spicePort: number): string {
  return `
Section "Device"
  Identifier "card"
  Driver "spiceqxl"
  Option "SpicePort" "${spicePort}"
  Option "SpiceAddr" "127.0.0.1"
  Option "SpiceDisableTicketing" "1"
  Option "SpiceImageCompression" "${options.imageCompression}"
  Option "SpiceStreamingVideo" "${options.streamingVideo}"
  Option "NumHeads" "1"
  Option "FrameBufferSize" "16"
  Option "SurfaceBufferSize" "64"
  Option "CommandBufferSize" "256"
EndSection
Section "InputDevice"
  Identifier "pointer"
  Driver "xspice pointer"
EndSection
Section "InputDevice"
  Identifier "keyboard"
  Driver "xspice keyboard"
EndSection
Section "Monitor"
  Identifier "monitor"
  HorizSync 1-1000
  VertRefresh 1-1000
EndSection
Section "Screen"
  Identifier "screen"
  Monitor "monitor"
  Device "card"
  DefaultDepth 24
  SubSection "Display"
    Depth 24
    Modes "${options.width}x${options.height}"
  EndSubSection
EndSection
Section "ServerLayout"
  Identifier "desktop"
  Screen "screen"
  InputDevice "keyboard" "CoreKeyboard"
  InputDevice "pointer" "CorePointer"
EndSection
Section "ServerFlags"
  Option "AutoAddDevices" "False"
EndSection
`;
}
