/**
 * The same minute of a desktop through our server and through libspice-server, at its own pace: the bytes that each sends, the
 * processor time that each takes, and how fast our client then decodes and draws what each has sent. Both are told to be exact,
 * and then to send films as MJPEG; whatever was sent must leave the desktop's last picture, to the pixel.
 */
import type { Screen } from '../../src/client/screen.ts';
import { SurfaceFmt } from '../../src/protocol/constants.ts';
import { createServer } from '../../src/server/server.ts';
import { type SpiceGuest, startGuest } from '../peers/c/guest.ts';
import { desktop, desktopMs, desktopSize, type Step } from './desktop.ts';
import type { BenchRow } from './main.ts';
import { type Recorded, record, replay } from './recorded.ts';
import { bitmapMessage, childOf, cpuSeconds, hasLibrary, pause, round, Watcher } from './server-stage.ts';

const { width, height } = desktopSize;
const streamings = ['off', 'filter'] as const;
type Streaming = (typeof streamings)[number];

interface Subject {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  begin(): void;
  stop(): unknown;
}

export async function benches(): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const streaming of streamings) {
    const how = streaming === 'off' ? 'exact' : 'films as MJPEG';
    const subjects = [await ourServer(streaming), ...(hasLibrary() ? [await theirServer(streaming)] : [])];
    const sent = await Promise.all(subjects.map((subject) => minute(subject)));
    for (const [i, { name }] of subjects.entries()) {
      const { bytes, cpu, session } = sent[i]!;
      rows.push({ name: `${how}: ${name}, sent`, value: round(bytes / 1e6), unit: 'MB' });
      rows.push({ name: `${how}: ${name}, processor time`, value: round(cpu), unit: 's' });
      const { screen, seconds } = await replay(session);
      checkLast(screen, how);
      rows.push({
        name: `${how}: decode and draw what ${name} sent`,
        value: round(frames() / seconds),
        unit: 'frames/s',
      });
      rows.push({ name: `${how}: that is, of a minute`, value: round(desktopMs / 1000 / seconds), unit: 'times' });
    }
    if (sent.length < 2) continue;
    const [ours, theirs] = sent as [Sent, Sent];
    rows.push({ name: `${how}: bytes, of libspice-server's`, value: round(ours.bytes / theirs.bytes), unit: '×' });
  }
  return rows;
}

interface Sent {
  readonly bytes: number;
  readonly cpu: number;
  readonly session: readonly Recorded[];
}

async function minute({ port, pid, begin, stop }: Subject): Promise<Sent> {
  const session: Recorded[] = [];
  const watcher = await Watcher.start(port, { onMessage: (message) => record(session, message) });
  const before = { bytes: watcher.bytes, cpu: cpuSeconds(pid) };
  begin();
  await pause(desktopMs + 1_500);
  const [bytes, cpu] = [watcher.bytes - before.bytes, cpuSeconds(pid) - before.cpu];
  watcher.client.close();
  await stop();
  return { bytes, cpu, session };
}

/** Throws when the last picture that a session leaves is another one. */
function checkLast(screen: Screen, how: string): void {
  const shown = screen.primary()!.data;
  const last = lastPicture();
  let wrong = 0;
  for (let i = 0; i < last.length; i++) if ((i & 3) !== 3 && shown[i] !== last[i]) wrong++;
  if (wrong > 0) throw new Error(`${wrong} bytes of the last picture are wrong (${how})`);
}

/** Moments at which something changes. */
const frames = () => steps().filter(({ at }, i, all) => at !== all[i - 1]?.at).length;

let all: Step[] | undefined;
function steps(): Step[] {
  all ??= [...desktop()];
  return all;
}

function lastPicture(): Uint8Array {
  const picture = new Uint8Array(width * height * 4);
  for (const { area, pixels } of steps()) {
    const bytes = (area.right - area.left) * 4;
    for (let y = area.top; y < area.bottom; y++) {
      const from = (y - area.top) * bytes;
      picture.set(pixels.subarray(from, from + bytes), (y * width + area.left) * 4);
    }
  }
  return picture;
}

/** Calls `draw` for each step at its time. */
async function play(draw: (step: Step) => void): Promise<void> {
  const start = performance.now();
  for (const step of steps()) {
    const early = step.at - (performance.now() - start);
    if (early > 1) await pause(early);
    draw(step);
  }
}

async function ourServer(streaming: Streaming): Promise<Subject> {
  const { child, said: port } = await childOf<number>(import.meta.url, 'server', streaming);
  return {
    name: 'our server',
    port,
    pid: child.pid!,
    begin: () => child.send('begin'),
    stop: () => child.kill('SIGKILL'),
  };
}

async function theirServer(streaming: Streaming): Promise<Subject> {
  const guest: SpiceGuest = await startGuest({ imageCompression: 'auto_glz', streamingVideo: streaming });
  guest.primary(width, height, SurfaceFmt['32_xrgb']);
  let id = 0n;
  const draw = ({ area, pixels }: Step) => guest.draw('draw_copy', bitmapMessage(area, pixels, ++id), { opaque: true });
  return {
    name: 'libspice-server',
    port: guest.spicePort,
    pid: guest.pid,
    begin: () => void play(draw),
    stop: () => guest.stop(),
  };
}

// ------------------------------------------------------------------------------------------------- in the child

async function serve(streamingVideo: Streaming): Promise<void> {
  const server = await createServer({ host: '127.0.0.1', port: 0, width, height, streamingVideo });
  steps();
  process.on('message', () => void play(({ area, pixels }) => server.display.draw(area, pixels)));
  process.send!(server.addresses.port);
}

const [role, streaming] = process.argv.slice(2);
if (process.send !== undefined && role === 'server') await serve(streaming as Streaming);
