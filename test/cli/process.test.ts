/** The command as people run it: compiled, in processes of its own, with signals, pipes and exit codes. */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { QmpClient } from '../../src/qmp/client.ts';
import type { PeerProcess } from '../support/peers/process.ts';
import { compile, endAll, program, sumac } from '../support/sumac-command.ts';
import { readPng } from './captured.ts';

const root = new URL('../../', import.meta.url).pathname;
const run = promisify(execFile);

let folder: string;

beforeAll(compile, 120_000);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sumac-cli-'));
});
afterEach(async () => {
  await endAll();
  rmSync(folder, { recursive: true });
});

const at = (name: string) => join(folder, name);

async function serve(...args: string[]): Promise<{ process: PeerProcess; listening: any }> {
  const started = sumac('serve', '--json', ...args);
  const { text } = await started.waitForLine(/"event":"listening"/, { stream: 'out' });
  return { process: started, listening: JSON.parse(text) };
}

const said = (one: PeerProcess, stream: 'out' | 'err') =>
  one.lines
    .slice(1)
    .filter((line) => line.stream === stream)
    .map(({ text }) => text);

describe('it ends', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)('a server with 0 on %s, and its sockets are gone', async (signal) => {
    const { process } = await serve('--unix', at('spice'), '--qmp', `unix:${at('qmp')}`);
    const client = sumac('connect', `spice+unix://${at('spice')}`, '--json');
    await client.waitForLine(/"frame"/);
    expect(await process.stop(signal)).toEqual({ code: 0, signal: null });
    expect([existsSync(at('spice')), existsSync(at('qmp'))]).toEqual([false, false]);
    expect(said(process, 'err')).toEqual([]);
    expect(await client.exited).toEqual({ code: 1, signal: null });
    expect(said(client, 'err')).toEqual([expect.stringContaining('the session has ended')]);
  });

  test('a client with 0 on SIGINT, and the server goes on', async () => {
    const { process, listening } = await serve('--port', '0');
    const client = sumac('connect', `spice://127.0.0.1:${listening.port}`, '--json');
    await client.waitForLine(/"frame"/);
    expect(await client.stop('SIGINT')).toEqual({ code: 0, signal: null });
    expect(JSON.parse(said(client, 'out').at(-1)!).event).toBe('closed');
    await process.waitForLine(/"state":"over"/);
    expect(process.alive).toBe(true);
  });

  test('with nothing said when nobody reads what it says', async () => {
    const { listening } = await serve('--port', '0');
    const shell = `"$0" "$1" connect spice://127.0.0.1:${listening.port} --json; echo "code $?" >&2`;
    const { stdout, stderr } = await run('sh', ['-c', `( ${shell} ) | head -n 1`, process.execPath, program], {
      timeout: 15_000,
    });
    expect(JSON.parse(stdout).channel).toBe('main:0');
    expect(stderr).toBe('code 0\n');
  });

  test('with 1 and one line for a wrong password, with 2 and one line for a wrong flag', async () => {
    const { listening } = await serve('--port', '0', '--password', 'right');
    const wrong = sumac('connect', `spice://127.0.0.1:${listening.port}`, '--password', 'other', '--json');
    expect((await wrong.exited).code).toBe(1);
    expect(said(wrong, 'err')).toEqual([expect.stringMatching(/^sumac: .*password is wrong/)]);
    const odd = sumac('connect', '--prot');
    expect((await odd.exited).code).toBe(2);
    expect(said(odd, 'err')).toEqual(['sumac: There is no flag --prot']);
  });
});

test('a screenshot is, pixel for pixel, what QMP dumps', async () => {
  const { listening } = await serve('--port', '0', '--qmp', `unix:${at('qmp')}`, '--size', '1024x768');
  const qmp = await QmpClient.connect({ path: at('qmp') });
  await qmp.execute('stop');
  const uri = `spice://127.0.0.1:${listening.port}`;
  await run(process.execPath, [program, 'screenshot', uri, at('one.png')]);
  await qmp.execute('screendump', { filename: at('two.png'), format: 'png' });
  qmp.close();
  const [one, two] = [readPng(readFileSync(at('one.png'))), readPng(readFileSync(at('two.png')))];
  expect([one.width, one.height]).toEqual([1024, 768]);
  expect(Buffer.compare(one.rgb, two.rgb)).toBe(0);
});

test('a client that breaks off in the middle of a link leaves the server as it was', async () => {
  const { process: server, listening } = await serve('--port', '0');
  for (const bytes of ['REDQ', 'GET / HTTP/1.1\r\n\r\n', '\0'.repeat(4096), '']) {
    await new Promise<void>((resolve) => {
      const socket = createConnection(listening.port, '127.0.0.1', () => socket.write(bytes, () => socket.destroy()));
      socket.on('close', () => resolve());
      socket.on('error', () => {});
    });
  }
  await run(process.execPath, [program, 'connect', `spice://127.0.0.1:${listening.port}`, '--until', 'frame']);
  expect(server.alive).toBe(true);
});

test('a connection file may come on standard input', async () => {
  const { listening } = await serve('--port', '0', '--password', 'right');
  const file = `[virt-viewer]\ntype=spice\nhost=127.0.0.1\nport=${listening.port}\npassword=right\n`;
  const { status, stdout } = spawnSync(process.execPath, [program, 'connect', '-', '--json', '--until', 'frame'], {
    input: file,
    encoding: 'utf8',
    timeout: 15_000,
  });
  expect(status).toBe(0);
  expect(stdout).toContain('"frame"');
});

test('the version and the help come at once, from wherever it is run', async () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const told = await run(process.execPath, [program, '--version'], { cwd: tmpdir() });
  expect(told.stdout).toBe(`${version}\n`);
  const help = await run(process.execPath, [program, 'serve', '--help'], { cwd: tmpdir() });
  expect(help.stdout).toMatch(/^Usage: sumac serve/);
});
