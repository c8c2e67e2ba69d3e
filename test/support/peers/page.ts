/**
 * A page in a real Chromium that runs one file of ours and all that it needs, bundled and served on a loopback port. Nothing
 * comes from elsewhere, and whatever the page throws is kept.
 */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { dirname } from 'node:path';
import { chromium, type Page } from 'playwright-core';
import { build } from 'vite';

export interface OpenPage {
  readonly page: Page;
  readonly faults: readonly string[];
  close(): Promise<void>;
}

/** The file and all that it needs, by their paths. */
async function bundle(entry: string): Promise<Map<string, string | Uint8Array>> {
  const built = await build({
    configFile: false,
    logLevel: 'error',
    root: dirname(entry),
    build: {
      write: false,
      target: 'es2022',
      rollupOptions: { input: entry, output: { entryFileNames: 'page.js' } },
    },
  });
  const outputs = (Array.isArray(built) ? built : [built]) as {
    output: { fileName: string; code?: string; source?: string | Uint8Array }[];
  }[];
  return new Map(
    outputs.flatMap(({ output }) => output.map((file) => [`/${file.fileName}`, file.code ?? file.source!])),
  );
}

const typeOf = (path: string, isFile: boolean) =>
  path.endsWith('.wasm') ? 'application/wasm' : isFile ? 'text/javascript' : 'text/html';

/**
 * Opens a page that runs `entry`, the path of a TypeScript file, and waits until it has set `globalThis.sumac`. `assets` are
 * files of npm packages by the paths at which the page finds them.
 */
export async function openPage(entry: string, assets: { readonly [path: string]: string } = {}): Promise<OpenPage> {
  const files = await bundle(entry);
  const require = createRequire(import.meta.url);
  for (const [path, name] of Object.entries(assets)) files.set(path, await readFile(require.resolve(name)));
  const server = createServer((request, response) => {
    const path = request.url ?? '/';
    const file = files.get(path);
    response.setHeader('content-type', typeOf(path, file !== undefined));
    response.end(file ?? '<!doctype html><script type="module" src="/page.js"></script>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu'],
  });
  const close = async () => {
    await browser.close();
    server.close();
  };
  try {
    const page = await browser.newPage();
    const faults: string[] = [];
    page.on('pageerror', (error) => faults.push(error.message));
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await page.waitForFunction('globalThis.sumac !== undefined');
    return { page, faults, close };
  } catch (error) {
    await close();
    throw error;
  }
}
