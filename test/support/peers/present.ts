/**
 * Which foreign programs are here to be tested against. A suite whose peers are missing is registered as skipped, with
 * the reason in its name, so that it is counted and seen; it must never pass without having run.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { describe } from 'vitest';

/** The programs (or files) of other people that suites here may ask for, and the Debian package that has each. */
export const PEERS = {
  'qemu-system-x86_64': 'qemu-system-x86 and qemu-system-gui',
  spicy: 'spice-client-gtk',
  'spicy-screenshot': 'spice-client-gtk',
  'spicy-stats': 'spice-client-gtk',
  'remote-viewer': 'virt-viewer',
  Xvfb: 'xvfb',
  xdotool: 'xdotool',
  tshark: 'tshark',
  convert: 'imagemagick',
  import: 'imagemagick',
  chromium: 'chromium',
  'nats-server': 'nats-server',
  openbox: 'openbox',
  xterm: 'xterm',
  x11perf: 'x11-apps',
  xeyes: 'x11-apps',
  '/usr/lib/xorg/modules/drivers/spiceqxl_drv.so': 'xserver-xspice',
} as const;

export type Peer = keyof typeof PEERS;

/** Where a program is, or undefined. An absolute path stands for itself (headers, for instance). */
export function whereIs(program: string): string | undefined {
  if (isAbsolute(program)) return existsSync(program) ? program : undefined;
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, program);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder; the next one may have it.
    }
  }
  return undefined;
}

const known = new Map<string, boolean>();

/** True when the program is installed and, for QEMU, was built with SPICE and its modules are there. */
export function isPresent(program: string): boolean {
  let present = known.get(program);
  if (present === undefined) {
    const path = whereIs(program);
    present = path !== undefined;
    if (path !== undefined && program.startsWith('qemu-system-')) {
      const help = spawnSync(path, ['-audiodev', 'help'], { encoding: 'utf8', timeout: 10_000 });
      present = /^spice$/m.test(help.stdout ?? '');
    }
    known.set(program, present);
  }
  return present;
}

/** Those of the given programs or absolute paths that are not here, in the order given. */
export function missing(needs: readonly string[]): string[] {
  return needs.filter((need) => !isPresent(need));
}

/**
 * A `describe` for what needs foreign programs (names as in PEERS) or files (absolute paths). When one is missing, all
 * tests of the suite are registered as skipped, and the suite's name says in one line what is missing.
 */
export function peerSuite(name: string, needs: readonly (Peer | `/${string}`)[], suite: () => void): void {
  const absent = missing(needs);
  if (absent.length === 0) {
    describe(name, suite);
    return;
  }
  const packages = new Set(absent.map((need) => (need in PEERS ? PEERS[need as Peer] : 'libspice-protocol-dev')));
  describe.skip(`${name} (skipped: no ${absent.join(', ')}; Debian: ${[...packages].join(', ')})`, suite);
}
