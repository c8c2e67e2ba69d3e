/** Module hooks of Node: test files get our stand-in for vitest. */
interface Context {
  readonly parentURL?: string;
}
type Next = (specifier: string, context: Context) => Promise<{ url: string }>;

const standIn = new URL('./collect.js', import.meta.url).href;

export async function resolve(specifier: string, context: Context, next: Next) {
  if (specifier !== 'vitest' || context.parentURL === standIn) return next(specifier, context);
  return { url: standIn, shortCircuit: true };
}
