/**
 * Half a minute of a real desktop, recorded as libspice-server sent it: a terminal that scrolls, a clock, windows that are
 * dragged, text that is typed. How fast our client decodes and draws it, and what our server sends when an application hands it
 * the same pictures at the same times, without being told of any drawing command.
 */
import { createServer } from '../../src/server/server.ts';
import type { Rect } from '../../src/sources/console.ts';
import { around, overlap } from '../../src/sources/rect.ts';
import { type Desktop, desktopNeeds, startDesktop } from '../support/peers/desktop.ts';
import { whereIs } from '../support/peers/present.ts';
import type { BenchRow } from './main.ts';
import { apply, newScreen, type Recorded, record, replay } from './recorded.ts';
import { pause, round, Watcher } from './server-stage.ts';

const size = { width: 1024, height: 768 } as const;
const seconds = 30;
/** Milliseconds in which an application gathers what has changed. */
const pace = 16;

export async function benches(): Promise<BenchRow[]> {
  const absent = [...desktopNeeds, 'xterm', 'xclock', 'xeyes'].filter((need) => whereIs(need) === undefined);
  if (absent.length > 0) {
    console.error(`no real desktop is measured: there is no ${absent.join(', ')}`);
    return [];
  }
  const { session, bytes } = await recordDesktop();
  const drawn = await replay(session);
  const frames = new Set(session.map(({ at }) => Math.floor((at * 60) / 1000))).size;
  const ours = await serveAgain(session);
  return [
    { name: 'a real desktop: decode and draw, commands', value: round(session.length / drawn.seconds), unit: '/s' },
    {
      name: 'the same, sixtieths of a second in which something changed',
      value: round(frames / drawn.seconds),
      unit: 'frames/s',
    },
    { name: 'that is, of the time it took to make', value: round(seconds / drawn.seconds), unit: 'times' },
    { name: 'libspice-server, told of each drawing command, sent', value: round(bytes / 1e6), unit: 'MB' },
    { name: 'our server, shown the pictures, sent', value: round(ours / 1e6), unit: 'MB' },
    { name: 'bytes, of libspice-server’s', value: round(ours / bytes), unit: '×' },
  ];
}

async function recordDesktop(): Promise<{ session: readonly Recorded[]; bytes: number }> {
  const desktop = await startDesktop({ ...size, imageCompression: 'auto_glz' });
  try {
    const session: Recorded[] = [];
    const start = performance.now();
    const watcher = await Watcher.start(desktop.spicePort, {
      onMessage: (message) => record(session, message, performance.now() - start),
    });
    await work(desktop, start + seconds * 1000);
    watcher.client.close();
    return { session, bytes: watcher.bytes };
  } finally {
    await desktop.stop();
  }
}

/** What somebody does at this desktop until `end`. */
async function work(desktop: Desktop, end: number): Promise<void> {
  desktop.start(
    'xterm',
    '-geometry',
    '100x40',
    '-e',
    'while true; do ls --color -l /usr/bin | tail -90; sleep 0.7; done',
  );
  desktop.start('xclock', '-render', '-update', '1', '-geometry', '200x200');
  desktop.start('xeyes', '-geometry', '160x120');
  desktop.start('xterm', '-class', 'Editor', '-geometry', '60x20+500+40', '-e', 'cat');
  const windows = await Promise.all(['XClock', 'XEyes', 'Editor'].map((of) => windowOf(desktop, of)));
  for (let turn = 0; performance.now() < end; turn++) {
    const window = windows[turn % windows.length]!;
    for (let step = 0; step < 25 && performance.now() < end; step++) {
      await desktop.drive(
        'windowmove',
        window,
        `${(40 + turn * 67 + step * 13) % 800}`,
        `${(30 + turn * 41 + step * 9) % 560}`,
      );
      await pause(20);
    }
    await desktop.drive('windowraise', windows[2]!, 'windowfocus', windows[2]!);
    await desktop.drive('type', '--delay', '30', `line ${turn} of what is written here, word by word\r`);
  }
}

async function windowOf(desktop: Desktop, of: string): Promise<string> {
  const found = await desktop.drive('search', '--sync', '--onlyvisible', '--class', of);
  return found.trim().split('\n').at(-1)!;
}

/** Bytes that our server sends when it is shown the same pictures at the same times. Throws when others come of them. */
async function serveAgain(session: readonly Recorded[]): Promise<number> {
  const server = await createServer({ host: '127.0.0.1', port: 0, ...size });
  try {
    const sent: Recorded[] = [];
    const watcher = await Watcher.start(server.addresses.port!, { onMessage: (message) => record(sent, message) });
    const screen = await newScreen();
    let changed: Rect[] = [];
    screen.dirty.subscribe((one) => {
      const touched = changed.filter((other) => overlap(one, other));
      changed = [...changed.filter((other) => !touched.includes(other)), touched.reduce(around, one)];
    });
    const start = performance.now();
    let next = 0;
    while (next < session.length) {
      await pause(pace);
      for (; next < session.length && session[next]!.at <= performance.now() - start; next++)
        apply(screen, session[next]!);
      await screen.settled();
      const areas = changed;
      changed = [];
      for (const area of areas) server.display.draw(area, cut(screen.primary()!, area));
    }
    await pause(500);
    watcher.client.close();
    const seen = (await replay(sent)).screen.primary()!.data;
    const { data } = screen.primary()!;
    if (data.some((value, i) => (i & 3) !== 3 && value !== seen[i]))
      throw new Error('our server’s last picture is wrong');
    return watcher.bytes;
  } finally {
    await server.close();
  }
}

/** An area of a picture, row by row without gaps. */
function cut({ data, stride }: { data: Uint8Array; stride: number }, { left, top, right, bottom }: Rect): Uint8Array {
  const bytes = (right - left) * 4;
  const pixels = new Uint8Array(bytes * (bottom - top));
  for (let y = top; y < bottom; y++) {
    const from = y * stride + left * 4;
    pixels.set(data.subarray(from, from + bytes), (y - top) * bytes);
  }
  return pixels;
}
