/**
 * Runs a command line: finds the verb, reads its arguments, and turns what goes wrong into one line and an exit code: 2 for
 * what the user can put right in the command, 1 for all else.
 */
import { SumacError, UsageError } from '../errors.ts';
import { plain, type Terminal } from './terminal.ts';
import { helpOf, readArguments } from './verb.ts';
import { verbs } from './verbs.ts';
import { version } from './version.ts';

export const ExitCode = { ok: 0, failed: 1, usage: 2 } as const;

/** `args`: what stands behind `sumac`. Never rejects. */
export async function runSumac(args: readonly string[], terminal: Terminal): Promise<number> {
  try {
    return await dispatch(args, terminal);
  } catch (error) {
    return explain(error, terminal);
  }
}

async function dispatch(args: readonly string[], terminal: Terminal): Promise<number> {
  const [first, ...rest] = args;
  if (first === undefined) {
    for (const line of help().split('\n')) terminal.err(line);
    return ExitCode.usage;
  }
  if (first === '--version') {
    terminal.out(version());
    return ExitCode.ok;
  }
  if (first === '--help' || first === '-h' || (first === 'help' && rest.length === 0)) {
    terminal.out(help());
    return ExitCode.ok;
  }
  const [name, behind] = first === 'help' ? [rest[0]!, ['--help']] : [first, rest];
  if (!Object.hasOwn(verbs, name)) {
    const what = name.startsWith('-') ? 'flag' : 'verb';
    throw new UsageError(`There is no ${what} ${name}; sumac --help lists what there is`);
  }
  const verb = await verbs[name]!.load();
  const end = behind.indexOf('--');
  if ((end < 0 ? behind : behind.slice(0, end)).some((word) => word === '--help' || word === '-h')) {
    terminal.out(helpOf(verb));
    return ExitCode.ok;
  }
  const { values, words } = readArguments(verb, behind);
  return await verb.run(values, words, terminal);
}

function explain(error: unknown, terminal: Terminal): number {
  if (error instanceof UsageError) {
    terminal.err(`sumac: ${plain(error.message)}`);
    return ExitCode.usage;
  }
  if (error instanceof SumacError) terminal.err(`sumac: ${plain(error.message)}`);
  else {
    const [message, where] = error instanceof Error ? [error.message, error.stack ?? ''] : [String(error), ''];
    terminal.err(`sumac: a fault of this program: ${plain(message)}`);
    if (terminal.env.SUMAC_DEBUG) terminal.err(where);
  }
  return ExitCode.failed;
}

function help(): string {
  const column = Math.max(...Object.keys(verbs).map(({ length }) => length)) + 4;
  return [
    'Usage: sumac VERB [FLAGS]',
    '',
    'A SPICE engine: server, client, and the hand-over between two servers while a virtual machine moves.',
    '',
    'Verbs:',
    ...Object.entries(verbs).map(([name, { summary }]) => `  ${name.padEnd(column)}${summary}`),
    '',
    'sumac VERB --help tells more about a verb. sumac --version tells the version.',
    'A password may be in the environment, as SUMAC_PASSWORD, instead of on the command line.',
  ].join('\n');
}
