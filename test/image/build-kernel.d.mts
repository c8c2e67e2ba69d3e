/** The WebAssembly of the kernel, as bytes. */
export function compileKernel(): Promise<Uint8Array>;
/** The text of module.ts for these bytes. */
export function moduleText(wasm: Uint8Array): string;
