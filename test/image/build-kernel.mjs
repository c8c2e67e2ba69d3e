/**
 * Compiles the AssemblyScript in src/image/kernel and, when run by itself, writes the result to
 * src/image/kernel/module.ts. A test compiles it too and compares, so the two cannot come apart.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const folder = new URL('../../src/image/kernel/', import.meta.url);

/** The WebAssembly of the kernel, as bytes. */
export async function compileKernel() {
  let wasm;
  const { error, stderr } = await asc.main(
    [
      'index.ts',
      '--outFile',
      'kernel.wasm',
      '-O3',
      '--converge',
      '--noAssert',
      '--runtime',
      'stub',
      '--use',
      'abort=',
    ].concat(['--enable', 'simd', '--initialMemory', '1']),
    {
      readFile: (name) => {
        const match = /^([\w-]+)\.ts$/.exec(name);
        if (match === null) return null;
        try {
          return readFileSync(new URL(`${match[1]}.as`, folder), 'utf8');
        } catch {
          return null;
        }
      },
      writeFile: (_, contents) => {
        wasm = contents;
      },
      listFiles: () => [],
    },
  );
  if (error !== null) throw new Error(`${error.message}\n${stderr.toString()}`);
  return wasm;
}

/** The text of module.ts for these bytes. */
export function moduleText(wasm) {
  const lines = Buffer.from(wasm)
    .toString('base64')
    .match(/.{1,112}/g);
  return `/**
 * The compiled kernel, generated from the .as files beside it by test/image/build-kernel.mjs. Never edit this by hand.
 */
export const KERNEL_BASE64 =
${lines.map((line) => `  '${line}'`).join(' +\n')};
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const wasm = await compileKernel();
  writeFileSync(new URL('module.ts', folder), moduleText(wasm));
  console.log(`${wasm.length} bytes of WebAssembly`);
}
