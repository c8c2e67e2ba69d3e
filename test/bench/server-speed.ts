/**
 * How fast the server makes pictures: whole screens of 1024×768, drawn again and again as fast as one client takes them, and
 * small fills; libspice-server does the same in the same run where it is installed. The client decodes nothing. Both are told
 * by the second and by the second of processor time, because the machine is shared.
 */

import { SurfaceFmt } from '../../src/protocol/constants.ts';
import { createServer } from '../../src/server/server.ts';
import { startGuest } from '../peers/c/guest.ts';
import { naturalPicture, screenPicture, xorshift } from './image-pictures.ts';
import type { BenchRow } from './main.ts';
import { bitmapMessage, childOf, cpuSeconds, hasLibrary, pause, round, Watcher } from './server-stage.ts';

const [width, height] = [1024, 768];
const whole = { left: 0, top: 0, right: width, bottom: height };
const codings = ['off', 'quic', 'lz', 'glz', 'lz4'] as const;
type Coding = (typeof codings)[number];
const subjects = ['natural', 'screen', 'fills'] as const;
type Subject = (typeof subjects)[number];

/** Milliseconds before, and of, each measurement. */
const [warming, measuring] = [700, 2_000];

interface Figure {
  /** Pictures or fills. */
  readonly perSecond: number;
  readonly perCpuSecond: number;
}

export async function benches(): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const subject of subjects) {
    const unit = subject === 'fills' ? 'fills' : 'pictures';
    for (const coding of subject === 'fills' ? (['off'] as const) : codings) {
      const name = subject === 'fills' ? 'small fills' : `${coding === 'off' ? 'raw' : coding}, ${subject}`;
      const ours = await ofOurs(subject, coding);
      rows.push({ name, value: round(ours.perSecond), unit: `${unit}/s` });
      rows.push({ name: `${name}, a second of CPU`, value: round(ours.perCpuSecond), unit });
      if (!hasLibrary()) continue;
      const theirs = await ofLibrary(subject, coding);
      rows.push({ name: `${name}, libspice-server`, value: round(theirs.perSecond), unit: `${unit}/s` });
      rows.push({ name: `${name}, libspice-server, a second of CPU`, value: round(theirs.perCpuSecond), unit });
      rows.push({
        name: `${name}: against libspice-server`,
        value: round(ours.perSecond / theirs.perSecond),
        unit: '×',
      });
      const perCpu = round(ours.perCpuSecond / theirs.perCpuSecond);
      rows.push({ name: `${name}: against libspice-server, at the same CPU`, value: perCpu, unit: '×' });
    }
  }
  return rows;
}

async function measure(subject: Subject, coding: Coding, port: number, pid: number): Promise<Figure> {
  const watcher = await Watcher.start(port, { preferredCompression: coding === 'lz4' ? 'lz4' : undefined });
  await pause(warming);
  const count = () => (subject === 'fills' ? watcher.fills : watcher.pixels / (width * height));
  const before = { at: performance.now(), count: count(), cpu: cpuSeconds(pid) };
  await pause(measuring);
  const made = count() - before.count;
  const seconds = (performance.now() - before.at) / 1000;
  const cpu = cpuSeconds(pid) - before.cpu;
  watcher.client.close();
  if (subject !== 'fills') check(coding, watcher.kinds);
  return { perSecond: made / seconds, perCpuSecond: made / cpu };
}

/** Nothing else than what is measured may have come. */
function check(coding: Coding, kinds: ReadonlyMap<string, number>): void {
  const type = { off: 'bitmap', quic: 'quic', lz: 'lz_rgb', glz: 'glz_rgb', lz4: 'lz4' }[coding];
  const others = [...kinds].filter(([kind]) => kind.startsWith('draw_') && kind !== `draw_copy ${type}`);
  const strange = others.reduce((sum, [, count]) => sum + count, 0);
  const right = kinds.get(`draw_copy ${type}`) ?? 0;
  if (right < strange * 20) throw new Error(`${coding}: ${JSON.stringify([...kinds])}`);
}

async function ofOurs(subject: Subject, coding: Coding): Promise<Figure> {
  const { child, said: port } = await childOf<number>(import.meta.url, 'server', subject, coding);
  try {
    return await measure(subject, coding, port, child.pid!);
  } finally {
    child.kill('SIGKILL');
  }
}

async function ofLibrary(subject: Subject, coding: Coding): Promise<Figure> {
  const guest = await startGuest({ imageCompression: coding });
  try {
    guest.primary(width, height, SurfaceFmt['32_xrgb']);
    const fill = (area: object, color: number) => ({
      base: { surfaceId: 0, box: area, clip: { type: 'none' } },
      brush: { type: 'solid', color },
      ropDescriptor: 8,
      mask: { flags: 0, pos: { x: 0, y: 0 }, bitmap: null },
    });
    if (subject === 'fills') guest.flood(places().map(([area, color]) => ['draw_fill', fill(area, color)]));
    else guest.flood(pictures(subject).map((pixels, i) => ['draw_copy', bitmapMessage(whole, pixels, BigInt(i + 1))]));
    return await measure(subject, coding, guest.spicePort, guest.pid);
  } finally {
    await guest.stop();
  }
}

/** Two pictures of a kind that differ in most of their pixels, so that each is a new one. */
function pictures(subject: Exclude<Subject, 'fills'>): Uint8Array[] {
  const draw = subject === 'natural' ? naturalPicture : screenPicture;
  const wide = draw(width + 160, height);
  return [0, 157].map((from) => {
    const pixels = new Uint8Array(width * height * 4);
    for (let y = 0; y < height; y++) {
      const at = (y * (width + 160) + from) * 4;
      pixels.set(wide.data.subarray(at, at + width * 4), y * width * 4);
    }
    return pixels;
  });
}

/** Small rectangles all over the screen. */
function places(): [{ left: number; top: number; right: number; bottom: number }, number][] {
  const random = xorshift(5);
  return Array.from({ length: 251 }, () => {
    const [left, top] = [random() % (width - 16), random() % (height - 16)];
    return [{ left, top, right: left + 16, bottom: top + 16 }, random() & 0xffffff];
  });
}

// ------------------------------------------------------------------------------------------------- in the child

/** Draws as fast as the client is sent what was drawn. */
async function serve(subject: Subject, imageCompression: Coding): Promise<void> {
  const server = await createServer({ host: '127.0.0.1', port: 0, width, height, imageCompression });
  const { display } = server;
  let turn = 0;
  if (subject === 'fills') {
    const all = places();
    const go = () => {
      for (let i = 0; i < 20 && !display.isBehind; i++) {
        const [area, color] = all[turn++ % all.length]!;
        // Another colour each time around, so that none is what is there already.
        display.fill(area, (color + turn) & 0xffffff);
      }
      setImmediate(go);
    };
    go();
  } else {
    const both = pictures(subject);
    const go = () => {
      if (!display.isBehind) {
        const picture = both[turn++ % 2]!;
        // None is what the client keeps already, in whatever bands it is sent.
        for (let y = 0; y < height; y += 16) picture[y * width * 4] = turn;
        display.draw(whole, picture);
      }
      setImmediate(go);
    };
    go();
  }
  process.send!(server.addresses.port);
}

const [role, subject, coding] = process.argv.slice(2);
if (process.send !== undefined && role === 'server') await serve(subject as Subject, coding as Coding);
