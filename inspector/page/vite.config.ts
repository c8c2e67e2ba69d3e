/** Builds the inspector's page into dist/inspector/page: a few files with relative addresses, which ask nobody for anything. */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: at('.'),
  base: './',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: at('../../dist/inspector/page'),
    emptyOutDir: true,
    assetsDir: 'assets',
    // A data: address inside a style sheet or script would be one more thing to allow.
    assetsInlineLimit: 0,
    target: 'es2022',
    sourcemap: false,
    chunkSizeWarningLimit: 2_000,
  },
});
