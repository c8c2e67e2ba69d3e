// Makes a checkout ready to run: installs the packages when the lock file asks for it, compiles the sources (and the
// inspector's page) when they have changed, and puts the `sumac` command where npx finds it. Says nothing and takes a
// few milliseconds when there is nothing to do. It writes to stderr only, never leaves half a dist/ behind, and may be
// run by several processes at once: one works, the others wait for it.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const at = (...parts) => join(root, ...parts);

const SOURCES = ['src', 'machines', 'inspector', 'test/bench', 'test/fuzz', 'test/soak', 'test/model', 'test/mutation', 'test/scenarios', 'test/machines', 'test/support', 'test/peers/c', 'package.json', 'package-lock.json'];
const PAGE = at('inspector', 'page', 'vite.config.ts');
const STAMP = at('dist', '.ready');
const COMMAND = at('dist', 'src', 'cli', 'sumac.js');
const ENTRY = at('src', 'cli', 'sumac.ts');
const LINK = at('node_modules', '.bin', 'sumac');
// Compiled beside dist/, so that the paths in source maps are right, and renamed when it is whole.
const STAGE = at('.dist-next');
const LOCK = join(tmpdir(), `sumac-ready-${createHash('sha256').update(root).digest('hex').slice(0, 16)}`);
const LOCK_PATIENCE_MS = 10 * 60_000;
let locked = false;

if (!isReady()) {
  lock();
  try {
    if (!isInstalled()) install();
    if (!isBuilt()) build();
    link();
  } finally {
    unlock();
  }
}

function isReady() {
  return isInstalled() && isBuilt() && isLinked();
}

/**
 * True when what is installed is what the lock file names. The two files' times decide; when npm wrote the lock file last,
 * as after an `npm install`, their contents do.
 */
function isInstalled() {
  const wanted = statOf(at('package-lock.json'));
  const present = statOf(at('node_modules', '.package-lock.json'));
  if (present === undefined) return false;
  if (wanted === undefined || wanted.mtimeMs <= present.mtimeMs) return true;
  const packages = (file) => JSON.parse(readFileSync(file, 'utf8')).packages ?? {};
  try {
    const [names, have] = [packages(at('package-lock.json')), packages(at('node_modules', '.package-lock.json'))];
    return Object.entries(names).every(([name, entry]) => {
      const other = have[name];
      // Packages for other systems are in the lock file alone.
      if (other === undefined) return name === '' || entry.optional === true || entry.peer === true;
      return other.version === entry.version && other.integrity === entry.integrity;
    });
  } catch {
    return false;
  }
}

function install() {
  say('installing the packages …');
  const quiet = ['--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  const first = npm(['ci', ...quiet], 'pipe');
  if (first.status === 0) return;
  // `npm ci` also refuses a lock file that lacks packages for other systems; `npm install` keeps to its versions too.
  const second = npm(['install', '--no-save', ...quiet]);
  if (second.status === 0) return;
  process.stderr.write(first.output);
  fail(`the packages could not be installed (npm ended with ${second.status}); is the registry within reach?`);
}

/** True when dist/ was made from exactly the sources that are here now. */
function isBuilt() {
  try {
    return (existsSync(COMMAND) || !existsSync(ENTRY)) && readFileSync(STAMP, 'utf8') === fingerprint();
  } catch {
    return false;
  }
}

/** One hash over the name, size and time of every source: a changed, new or removed one changes it. */
function fingerprint() {
  const hash = createHash('sha256');
  const visit = (path) => {
    const stat = statOf(at(path));
    if (stat === undefined) return;
    if (!stat.isDirectory()) {
      hash.update(`${path}\0${stat.size}\0${stat.mtimeMs}\0`);
      return;
    }
    for (const name of readdirSync(at(path)).sort()) {
      if (name !== 'node_modules' && name !== 'dist' && !name.startsWith('.')) visit(`${path}/${name}`);
    }
  };
  for (const path of SOURCES) visit(path);
  for (const name of readdirSync(root).sort()) if (/^tsconfig.*\.json$/.test(name)) visit(name);
  return hash.digest('hex');
}

function build() {
  say('compiling …');
  // Taken first: what is edited while the compiler runs must be compiled again next time.
  const made = fingerprint();
  rmSync(STAGE, { recursive: true, force: true });
  const { status } = npm(['run', '--silent', 'build', '--', '--outDir', STAGE]);
  if (status !== 0) {
    rmSync(STAGE, { recursive: true, force: true });
    fail(`the sources do not compile (tsc ended with ${status})`);
  }
  const old = `${STAGE}-old`;
  rmSync(old, { recursive: true, force: true });
  if (existsSync(at('dist'))) renameSync(at('dist'), old);
  renameSync(STAGE, at('dist'));
  rmSync(old, { recursive: true, force: true });
  if (existsSync(PAGE)) {
    const vite = at('node_modules', 'vite', 'bin', 'vite.js');
    const page = run(process.execPath, [vite, 'build', '--config', PAGE, '--logLevel', 'warn']);
    if (page.status !== 0) fail(`the inspector's page could not be built (vite ended with ${page.status})`);
  }
  if (existsSync(COMMAND)) chmodSync(COMMAND, 0o755);
  writeFileSync(STAMP, made);
}

function isLinked() {
  return process.platform === 'win32' || !existsSync(COMMAND) || lstatSync(LINK, { throwIfNoEntry: false }) !== undefined;
}

/** Puts the command beside those of the packages, where npx and npm scripts look first. */
function link() {
  if (isLinked()) return;
  mkdirSync(dirname(LINK), { recursive: true });
  symlinkSync(join('..', '..', 'dist', 'src', 'cli', 'sumac.js'), LINK);
}

/** Waits until no other process is at this, and holds the lock. One whose holder has died is taken over. */
function lock() {
  const giveUp = Date.now() + LOCK_PATIENCE_MS;
  for (;;) {
    try {
      mkdirSync(LOCK);
      locked = true;
      writeFileSync(join(LOCK, 'pid'), String(process.pid));
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') fail(`no lock can be made at ${LOCK}: ${error.message}`);
    }
    if (isAbandoned()) bury();
    if (Date.now() > giveUp) fail(`another process is still at work (${LOCK}); remove that folder if it is not`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  }
}

function unlock() {
  if (locked) rmSync(LOCK, { recursive: true, force: true });
  locked = false;
}

/** Removes an abandoned lock. A second lock around that keeps another who saw the same from removing a new one. */
function bury() {
  const spade = `${LOCK}-spade`;
  try {
    mkdirSync(spade);
  } catch {
    const stat = statOf(spade);
    if (stat !== undefined && Date.now() - stat.mtimeMs > 5000) rmSync(spade, { recursive: true, force: true });
    return;
  }
  if (isAbandoned()) rmSync(LOCK, { recursive: true, force: true });
  rmSync(spade, { recursive: true, force: true });
}

function isAbandoned() {
  let holder;
  try {
    holder = Number(readFileSync(join(LOCK, 'pid'), 'utf8'));
  } catch {
    // Between making the folder and writing the number; a holder that died there is known by the folder's age.
    const stat = statOf(LOCK);
    return stat !== undefined && Date.now() - stat.mtimeMs > 5000;
  }
  if (!Number.isInteger(holder) || holder <= 0) return false;
  try {
    process.kill(holder, 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}

function statOf(path) {
  return statSync(path, { throwIfNoEntry: false });
}

/** Runs npm: the one that runs this, where there is one. */
function npm(args, output = 2) {
  const own = process.env.npm_execpath;
  if (own?.endsWith('.js')) return run(process.execPath, [own, ...args], output);
  return process.platform === 'win32' ? run('npm.cmd', args, output, true) : run('npm', args, output);
}

/** Runs a program with its output on stderr (2) or kept ('pipe'), and returns its exit status and what was kept. */
function run(command, args, output = 2, shell = false) {
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', output, output], shell, encoding: 'utf8' });
  return {
    status: result.status ?? result.error?.code ?? result.signal,
    output: `${result.stdout ?? ''}${result.stderr ?? ''}`,
  };
}

function say(text) {
  process.stderr.write(`sumac: ${text}\n`);
}

function fail(text) {
  say(text);
  unlock();
  process.exit(1);
}
