/** ELK in this process: for drawing charts without a page. It blocks while it works, so never call it beside a live session. */
import { createRequire } from 'node:module';
import type { ELK } from 'elkjs/lib/elk-api.js';

/** Loads ELK on first need: it is a megabyte and takes some hundred milliseconds to start. */
export function elkHere(): ELK {
  const Elk = createRequire(import.meta.url)('elkjs/lib/elk.bundled.js') as new () => ELK;
  return new Elk();
}
