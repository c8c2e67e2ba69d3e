/**
 * `sumac screenshot`: one picture of a server as a PNG file, taken when it is whole and still. It links the display alone,
 * and leaves everything at the server as it was.
 */
import { filter, firstValueFrom, fromEvent, map, merge, of, timer } from 'rxjs';
import { connect as openClient } from '../connect.ts';
import { SumacError } from '../errors.ts';
import { explainReason } from './client-lines.ts';
import { checkWritable, settle, takePicture, undrawnLines, writePicture } from './picture-file.ts';
import { readTarget, targetAbout, targetFlags } from './target.ts';
import { plain, type Terminal } from './terminal.ts';
import { duration } from './values.ts';
import { flag, type Values, verb } from './verb.ts';

const flags = {
  ...targetFlags,
  settle: flag('DURATION', duration, 'Waits until nothing has changed for so long, but 3 s at most. Default 200ms.'),
  timeout: flag('DURATION', duration, 'Gives up when there is no picture by then. Default 10s.'),
} as const;

const mostSettling = 3_000;

export const screenshot = verb({
  name: 'screenshot',
  summary: 'One picture of a SPICE server, as a PNG file',
  words: ['URI', 'FILE.png'],
  flags,
  about: ['Waits for the first whole picture, lets it come to rest, and writes it.', ...targetAbout],
  examples: [
    ['sumac screenshot spice://127.0.0.1:5900 screen.png', 'What the guest shows now.'],
    ['sumac screenshot spice://127.0.0.1:5900 screen.png --settle 0ms', 'The first whole picture, moving or not.'],
  ],
  run,
});

async function run(values: Values<typeof flags>, words: readonly string[], terminal: Terminal): Promise<number> {
  const [word, file] = words as [string, string];
  checkWritable(file, 'The picture');
  const target = readTarget(word, values, terminal.env);
  const client = openClient({ ...target.options, channels: ['display'], reconnect: false, log: () => {} });
  const most = values.timeout ?? 10_000;
  const interrupt = terminal.stopped.aborted ? of(true) : fromEvent(terminal.stopped, 'abort').pipe(map(() => true));
  let isClosed = false;
  client.events.subscribe({ complete: () => (isClosed = true) });
  const failed = (why: string) => new SumacError('session', `${target.name}: ${why}`);
  try {
    const outcome = await firstValueFrom(
      merge(
        client.events.pipe(filter((event) => event.event === 'frame' || event.event === 'closed')),
        timer(most).pipe(map(() => ({ event: 'late' }) as const)),
        interrupt.pipe(map(() => ({ event: 'stopped' }) as const)),
      ),
    );
    if (outcome.event === 'stopped') return 0;
    if (outcome.event === 'late') throw failed(`no picture within ${most} ms`);
    if (outcome.event === 'closed') throw failed(explainReason(outcome.reason));
    await settle(client, values.settle ?? 200, mostSettling);
    const picture = takePicture(client);
    if (picture === undefined) throw failed('the session has ended before the picture was whole');
    writePicture(file, picture);
    for (const line of undrawnLines(client)) terminal.err(plain(line));
    return 0;
  } finally {
    if (!isClosed) client.close();
  }
}
