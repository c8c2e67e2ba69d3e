// A program of its own that writes to a journal in a folder: `node child.mjs FOLDER STREAM hold|flood|read`. It prints a line
// for each thing that it has done, and what went wrong as JSON. With `die` STREAM is a run, and the program kills itself as soon as
// its journal says that what was appended is kept. With `look` it reads all that is in each folder of FOLDER, and
// prints a line for each. It needs dist/.
import { readdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { ChunkWriter } from '../../dist/src/journal/chunk.js';
import { LmdbStore } from '../../dist/src/journal/lmdb.js';
import { readStream } from '../../dist/src/journal/read.js';
import { StoredJournal } from '../../dist/src/journal/stored.js';

const [folder, name, what] = process.argv.slice(2);
const say = (line) => process.stdout.write(`${line}\n`);
const birth = { born: Date.now(), epoch: 0, program: 'child', secrets: true };

if (what === 'look') {
  for (const one of readdirSync(folder)) say(JSON.stringify({ one, ...(await look(join(folder, one))) }));
  process.exit(0);
}

try {
  const store = LmdbStore.open(folder, { now: () => Date.now(), readOnly: what === 'read' });
  if (what === 'die') await keepAndDie(store);
  if (what === 'read') say((await store.list()).map(({ last }) => last).join());
  else {
    const writer = await store.write(name, birth);
    say('open');
    if (what === 'hold') {
      await new Promise((resolve) => process.stdin.on('end', resolve).resume());
      await writer.close();
    } else await flood(writer);
  }
  await store.close();
} catch (error) {
  say(JSON.stringify({ fault: error.fault, message: error.message }));
}

async function look(place) {
  let records = 0;
  let store;
  try {
    store = LmdbStore.open(place, { now: () => Date.now(), readOnly: true });
    for (const { name } of await store.list()) for await (const _ of readStream(store, name)) records++;
    return { records };
  } catch (error) {
    return { records, fault: error.fault, message: error.message };
  } finally {
    await store?.close();
  }
}

async function keepAndDie(store) {
  const clock = { now: () => performance.now(), calendar: () => Date.now(), setTimeout, clearTimeout };
  const journal = new StoredJournal({ store, run: name, program: 'child', clock });
  const actor = 'server/session:1/main:0';
  journal.append({ kind: 'event', at: 0, actor, chart: 'main/server', event: { type: 'xstate.init' } });
  for (let n = 1; n < 50; n++) {
    journal.append({ kind: 'command', at: n, actor, command: { type: 'some.command', n } });
    if (n % 10 !== 9) continue;
    const bytes = new Uint8Array(50_000).fill(n);
    journal.append({ kind: 'wire', at: n, actor, link: 'l', direction: 'in', bytes });
    await journal.kept();
  }
  writeSync(1, 'kept 55\n');
  process.kill(process.pid, 'SIGKILL');
}

async function flood(writer) {
  const records = new ChunkWriter(writer.head.last, writer.head.checksum);
  for (let n = writer.head.last + 1; ; ) {
    for (let i = 0; i < 64; i++, n++) {
      const bytes = new Uint8Array(100).fill(n);
      records.add({ kind: 'wire', at: n, actor: 'client/display:0', link: 'l', direction: 'in', bytes });
    }
    const chunk = records.cut();
    await writer.append(chunk);
    say(`kept ${chunk.last}`);
  }
}
