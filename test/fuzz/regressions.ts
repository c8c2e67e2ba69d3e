/** Inputs that have failed once, each with the target that they are for. They are given again in every run of the tests. */
export const regressions: readonly { readonly target: string; readonly was: string; readonly input: string }[] = [];
