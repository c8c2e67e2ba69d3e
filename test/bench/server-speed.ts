/**
 * How fast the server makes pictures: whole screens of 1024×768, each drawn when the client has the one before it, and small
 * fills without a pause; libspice-server does the same in the same run where it is installed. Both are given drawing commands
 * whose pixels lie ready in memory that is handed over until they are released; ours is then given the same pictures as a
 * framebuffer too, which it compares and copies. Each server has a process of its own; what counts is how many pictures it makes
 * of a second of that process's time (user and system), for the machine is shared. Once a client of ours watches, which decodes
 * nothing, and once spicy, where it is installed.
 */

import { SurfaceFmt } from '../../src/protocol/constants.ts';
import { createServer } from '../../src/server/server.ts';
import { startGuest } from '../peers/c/guest.ts';
import { naturalPicture, screenPicture, xorshift } from './image-pictures.ts';
import type { BenchRow } from './main.ts';
import { bitmapMessage, childOf, cpuSeconds, hasLibrary, pause, round } from './server-stage.ts';
import { type Eye, hasSpicy, ourEye, spicyEye, stopSpicy } from './server-watchers.ts';

const [width, height] = [1024, 768];
const whole = { left: 0, top: 0, right: width, bottom: height };
const codings = ['off', 'quic', 'lz', 'glz', 'lz4'] as const;
type Coding = (typeof codings)[number];
const subjects = ['natural', 'screen', 'fills'] as const;
type Subject = (typeof subjects)[number];
/** How an application gives its pictures. */
type How = 'command' | 'framebuffer';

/** Milliseconds before, and of, each measurement. A busy machine is given longer, until so many pictures have been drawn. */
const [warming, mostWarming, measuring] = [1_500, 5_000, 2_000];
const warm = 100;

interface Figure {
  /** Pictures or fills. */
  readonly perSecond: number;
  readonly perCpuSecond: number;
  /** Bytes of a picture. */
  readonly bytes: number;
}

/** A server in a process of its own. */
interface Drawer {
  readonly port: number;
  readonly pid: number;
  /** Draws so many more pictures or fills. */
  draw(more: number): void;
  stop(): unknown;
}

export async function benches(): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  const eyes = [{ of: '', look: ourEye }, ...(hasSpicy() ? [{ of: ', spicy', look: spicyEye }] : [])];
  for (const { of, look } of eyes) {
    for (const subject of subjects) {
      const isFills = subject === 'fills';
      if (isFills && of !== '') continue;
      const unit = isFills ? 'fills' : 'pictures';
      for (const coding of isFills ? (['off'] as const) : codings) {
        const name = (isFills ? 'small fills' : `${coding === 'off' ? 'raw' : coding}, ${subject}`) + of;
        const tell = (whose: string, { perSecond, perCpuSecond, bytes }: Figure) => {
          rows.push({ name: `${name}${whose}`, value: round(perSecond), unit: `${unit}/s` });
          rows.push({ name: `${name}${whose}, a second of CPU`, value: round(perCpuSecond), unit });
          if (!isFills) rows.push({ name: `${name}${whose}, bytes`, value: Math.round(bytes), unit: 'a picture' });
        };
        const ours = await measure(subject, coding, await ourDrawer(subject, coding, 'command'), look);
        tell('', ours);
        if (!isFills && of === '') {
          const framebuffer = await ourDrawer(subject, coding, 'framebuffer');
          tell(', framebuffer', await measure(subject, coding, framebuffer, look));
        }
        if (!hasLibrary()) continue;
        const theirs = await measure(subject, coding, await theirDrawer(subject, coding), look);
        tell(', libspice-server', theirs);
        const ratio = (one: number, other: number) => ({ value: round(one / other), unit: '×' });
        rows.push({ name: `${name}: against libspice-server`, ...ratio(ours.perSecond, theirs.perSecond) });
        const perCpu = ratio(ours.perCpuSecond, theirs.perCpuSecond);
        rows.push({ name: `${name}: against libspice-server, at the same CPU`, ...perCpu });
      }
    }
  }
  await stopSpicy();
  return rows;
}

/** How many fills are drawn ahead of those that have come. */
const fillsAhead = 20_000;

async function measure(
  subject: Subject,
  coding: Coding,
  drawer: Drawer,
  look: (port: number, isLz4: boolean) => Promise<Eye>,
): Promise<Figure> {
  try {
    const eye = await look(drawer.port, coding === 'lz4');
    try {
      const count = () => (subject === 'fills' ? eye.fills : eye.wholes);
      const first = count();
      let drawn = 0;
      const [ahead, atOnce] = subject === 'fills' ? [fillsAhead, fillsAhead / 10] : [1, 1];
      const goOn = () => {
        for (; drawn + atOnce <= count() - first + ahead; drawn += atOnce) drawer.draw(atOnce);
      };
      eye.onDrawn = goOn;
      goOn();
      const began = performance.now();
      await pause(warming);
      while (count() - first < warm && performance.now() - began < mostWarming) await pause(50);
      const before = { at: performance.now(), count: count(), bytes: eye.bytes, cpu: cpuSeconds(drawer.pid) };
      await pause(measuring);
      const made = count() - before.count;
      const seconds = (performance.now() - before.at) / 1000;
      const cpu = cpuSeconds(drawer.pid) - before.cpu;
      if (subject !== 'fills') check(coding, eye.kinds);
      if (made < 5) throw new Error(`${coding}: ${made} in ${seconds} s`);
      return { perSecond: made / seconds, perCpuSecond: made / cpu, bytes: (eye.bytes - before.bytes) / made };
    } finally {
      eye.onDrawn = undefined;
      await eye.close();
    }
  } finally {
    await drawer.stop();
  }
}

/** Nothing else than what is measured may have come. */
function check(coding: Coding, kinds: ReadonlyMap<string, number>): void {
  const type = { off: 'bitmap', quic: 'quic', lz: 'lz_rgb', glz: 'glz_rgb', lz4: 'lz4' }[coding];
  const others = [...kinds].filter(([kind]) => kind.startsWith('draw_') && kind !== `draw_copy ${type}`);
  const strange = others.reduce((sum, [, count]) => sum + count, 0);
  const right = kinds.get(`draw_copy ${type}`) ?? 0;
  if (right < strange * 20) throw new Error(`${coding}: ${JSON.stringify([...kinds])}`);
}

async function ourDrawer(subject: Subject, coding: Coding, how: How): Promise<Drawer> {
  const { child, said: port } = await childOf<number>(import.meta.url, 'server', subject, coding, how);
  return {
    port,
    pid: child.pid!,
    draw: (more) => child.send(more),
    stop: () => child.kill('SIGKILL'),
  };
}

async function theirDrawer(subject: Subject, coding: Coding): Promise<Drawer> {
  const guest = await startGuest({ imageCompression: coding });
  guest.primary(width, height, SurfaceFmt['32_xrgb']);
  const fill = (area: object, color: number) => ({
    base: { surfaceId: 0, box: area, clip: { type: 'none' } },
    brush: { type: 'solid', color },
    ropDescriptor: 8,
    mask: { flags: 0, pos: { x: 0, y: 0 }, bitmap: null },
  });
  if (subject === 'fills') guest.keep(places().map(([area, color]) => ['draw_fill', fill(area, color)]));
  else guest.keep(pictures(subject).map((pixels, i) => ['draw_copy', bitmapMessage(whole, pixels, BigInt(i + 1))]));
  return { port: guest.spicePort, pid: guest.pid, draw: (more) => guest.flood(more), stop: () => guest.stop() };
}

/** Pictures of a kind that differ in most of their pixels, and more of them than a client's GLZ window has room for. */
function pictures(subject: Exclude<Subject, 'fills'>): Uint8Array[] {
  const draw = subject === 'natural' ? naturalPicture : screenPicture;
  const wide = draw(width + 160, height);
  return Array.from({ length: 12 }, (_, i) => (i * 61) % 160).map((from) => {
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

/** Draws what it is told to. */
async function serve(subject: Subject, imageCompression: Coding, how: How): Promise<void> {
  const server = await createServer({ host: '127.0.0.1', port: 0, width, height, imageCompression });
  const { display } = server;
  let turn = 0;
  if (subject === 'fills') {
    const all = places();
    let left = 0;
    let isAtIt = false;
    const go = () => {
      for (; left > 0 && !display.isBehind; left--) {
        const [area, color] = all[turn++ % all.length]!;
        // Another colour each time around, so that none is what is there already.
        display.fill(area, (color + turn) & 0xffffff);
      }
      isAtIt = left > 0;
    };
    display.caughtUp.subscribe(go);
    process.on('message', (more: number) => {
      left += more;
      if (!isAtIt) go();
    });
  } else {
    const all = pictures(subject);
    process.on('message', () => {
      const picture = all[turn++ % all.length]!;
      // None is what the client keeps already, in whatever bands it is sent.
      const words = new Uint32Array(picture.buffer);
      for (let y = 0; y < height; y += 16) words[y * width] = turn;
      words[words.length - 1] = turn;
      // As in guest.c, a picture that is released is left where it is until its turn comes again.
      display.draw(whole, picture, how === 'command' ? { release: () => {} } : {});
    });
  }
  process.send!(server.addresses.port);
}

const [role, subject, coding, how] = process.argv.slice(2);
if (process.send !== undefined && role === 'server') await serve(subject as Subject, coding as Coding, how as How);
