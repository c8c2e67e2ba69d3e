/** The README's code must compile against the public API as it is written there. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

test('every TypeScript block of the README compiles', async () => {
  const readme = await readFile(join(root, 'README.md'), 'utf8');
  const blocks = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code!);
  expect(blocks.length).toBeGreaterThan(2);
  // Within the checkout, so that packages resolve as for the sources.
  const folder = await mkdtemp(join(root, 'test', '.readme-'));
  try {
    for (const [i, code] of blocks.entries()) {
      const local = code.replaceAll(/from 'sumac'/g, `from '../../src/index.ts'`);
      await writeFile(join(folder, `block-${i}.ts`), `${local}\nexport {};\n`);
    }
    await writeFile(
      join(folder, 'tsconfig.json'),
      JSON.stringify({
        extends: '../../tsconfig.json',
        include: ['*.ts', '../../src/**/*.d.ts'],
        compilerOptions: { noUnusedLocals: false },
      }),
    );
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const said = await promisify(execFile)(process.execPath, [tsc, '-p', folder], { cwd: root }).then(
      () => '',
      (error: { stdout?: string; stderr?: string }) => `${error.stdout}${error.stderr}`,
    );
    expect(said).toBe('');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}, 60_000);
