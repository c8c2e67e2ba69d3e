/** Unix sockets whose process is gone: their files keep the next one from listening there. Never removes anything else. */
import { lstatSync, rmSync } from 'node:fs';
import { connect } from 'node:net';

/** Removes a unix socket that nobody listens on any more, and nothing but a socket. */
export async function removeDeadSocket(path: string): Promise<void> {
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSocket()) return;
  const dead = await new Promise<boolean>((resolve) => {
    const probe = connect({ path }, () => {
      probe.destroy();
      resolve(false);
    });
    probe.on('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
  });
  if (dead) rmSync(path, { force: true });
}
