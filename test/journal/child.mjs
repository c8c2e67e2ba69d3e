// A program of its own that writes to a journal in a folder: `node child.mjs FOLDER STREAM hold|flood|read`. It prints a line
// for each thing that it has done, and what went wrong as JSON. It needs dist/.
import { ChunkWriter } from '../../dist/src/journal/chunk.js';
import { LmdbStore } from '../../dist/src/journal/lmdb.js';

const [folder, name, what] = process.argv.slice(2);
const say = (line) => process.stdout.write(`${line}\n`);
const birth = { born: Date.now(), epoch: 0, program: 'child', secrets: true };

try {
  const store = LmdbStore.open(folder, { now: () => Date.now(), readOnly: what === 'read' });
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
