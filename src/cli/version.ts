/** Which version of the package this is: read from the package itself, so that there is one place that says it. */
import { readFileSync } from 'node:fs';

/** The version of the package that this file belongs to. */
export function version(): string {
  // From the sources the package is two folders up, from what was compiled three.
  for (const up of ['../../package.json', '../../../package.json']) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(up, import.meta.url), 'utf8'));
      if (name === 'sumac') return version;
    } catch {
      // Not there.
    }
  }
  return 'unknown';
}
