/** The command as people run it: compiled, in processes of its own, which end with the test that started them. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { PeerProcess } from './peers/process.ts';

export const program = fileURLToPath(new URL('../../dist/src/cli/sumac.js', import.meta.url));

const started: PeerProcess[] = [];

/** Compiles, unless what is compiled is what is here. Throws what the compiler says. */
export function compile(): void {
  const ready = fileURLToPath(new URL('../../.ci/ready.mjs', import.meta.url));
  const made = spawnSync(process.execPath, [ready], { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`it does not compile:\n${made.stderr}`);
}

export function sumac(...args: string[]): PeerProcess {
  const one = new PeerProcess(`sumac ${args[0]}`, process.execPath, [program, ...args]);
  started.push(one);
  return one;
}

/** Ends those that were started, the last one first. */
export async function endAll(): Promise<void> {
  for (const one of started.splice(0).reverse()) await one.stop();
}
