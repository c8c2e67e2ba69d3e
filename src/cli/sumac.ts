#!/usr/bin/env node
/**
 * The `sumac` command: binds a command line to this process, its streams and its signals. Nothing else is done here, so
 * that all verbs can be run without a process of their own.
 */
import { runSumac } from './run.ts';
import type { Terminal } from './terminal.ts';

const stop = new AbortController();

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    // The second time it is meant at once.
    if (stop.signal.aborted) process.exit(130);
    stop.abort(signal);
  });
}

for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // Whoever read the output has gone: that is an end like any other.
    if (error.code === 'EPIPE') stop.abort('EPIPE');
    else throw error;
  });
}

const terminal: Terminal = {
  out: (line) => void process.stdout.write(`${line}\n`),
  err: (line) => void process.stderr.write(`${line}\n`),
  env: process.env,
  stopped: stop.signal,
};

const code = await runSumac(process.argv.slice(2), terminal);
// What is written goes out first, however slowly it is read.
process.stdout.write('', () => process.exit(code));
