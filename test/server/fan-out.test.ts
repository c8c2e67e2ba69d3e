/** A display that many watch: all are shown the same, some of them later, and nobody is kept waiting by the others. */
import { expect, it } from 'vitest';
import { Caches } from '../../src/client/caches.ts';
import { loadJpeg } from '../../src/image/jpeg.ts';
import { caps, DisplayCap } from '../../src/protocol/capabilities.ts';
import { ServerDisplay } from '../../src/server/display.ts';
import { wallClock } from '../../src/transport/clock.ts';
import { naturalPicture, screenPicture, xorshift } from '../bench/image-pictures.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { turns, Watcher } from './watcher.ts';

const rect = (left: number, top: number, right: number, bottom: number) => ({ left, top, right, bottom });
const [width, height] = [160, 120];
const all = rect(0, 0, width, height);
const photo = naturalPicture(width, height * 4);
const desktop = screenPicture(width, height * 4);
const rows = (picture: { data: Uint8Array }, from: number) =>
  picture.data.slice(from * width * 4, (from + height) * width * 4);

const look = () => new Promise<void>((resolve) => setImmediate(resolve));

async function crowd(count: number, options = {}) {
  const display = new ServerDisplay(width, height, options, { clock: wallClock });
  display.draw(all, rows(desktop, 0));
  const watchers = Array.from({ length: count }, () => new Watcher(display).begin());
  await turns(5);
  for (const watcher of watchers) watcher.counts.clear();
  return { display, watchers };
}
/** Until everybody has been told. */
const settled = async (display: ServerDisplay) => {
  await turns(2);
  while (display.isBehind) await turns(1);
  await turns(2);
};
const told = (watchers: readonly Watcher[]) => watchers.filter(({ counts }) => counts.size > 0).length;

it('a few are told at once, the others in turns between which others are heard', async () => {
  const { display, watchers } = await crowd(60);
  display.fill(rect(0, 0, 10, 10), 0xff0000);
  expect(told(watchers)).toBe(8);
  expect(display.isBehind).toBe(true);
  const seen: number[] = [];
  while (told(watchers) < 60) {
    await look();
    seen.push(told(watchers));
  }
  expect(seen.length).toBeGreaterThanOrEqual(4);
  seen.reduce((before, now) => {
    expect(now - before).toBeLessThanOrEqual(16);
    return now;
  }, 8);
  await look();
  expect(display.isBehind).toBe(false);
  for (const watcher of watchers) expect(watcher.counts).toEqual(new Map([['draw_fill', 1]]));
});

it('those whose people did something are told first', async () => {
  const { display, watchers } = await crowd(60);
  const last = watchers.at(-1)!;
  display.fill(rect(0, 0, 10, 10), 0xff0000);
  expect(last.counts.size).toBe(0);
  display.favour(last.host.address.replace(/\/[^/]*$/, ''));
  // It still waits for the fill before, which comes first.
  display.copy(rect(10, 10, 20, 20), { x: 0, y: 0 });
  expect([...last.counts]).toEqual([
    ['draw_fill', 1],
    ['copy_bits', 1],
  ]);
  expect(await last.differs(display)).toBe(0);
  await settled(display);
  for (const watcher of watchers) expect(await watcher.differs(display)).toBe(0);
});

it('late ones are told the same: what moves is copied', async () => {
  const { display, watchers } = await crowd(40);
  for (let i = 1; i <= 5; i++) {
    display.draw(all, rows(desktop, i * 20));
    await settled(display);
  }
  const [first] = watchers;
  expect(first!.counts.get('copy_bits')).toBe(5);
  for (const watcher of watchers) {
    expect(watcher.counts.get('copy_bits')).toBe(5);
    expect(await watcher.differs(display)).toBe(0);
  }
});

it('who is late for long is shown what there is now', async () => {
  const { display, watchers } = await crowd(40);
  for (let i = 0; i < 300; i++) display.fill(rect(i % 100, i % 90, (i % 100) + 20, (i % 90) + 20), i * 65_793);
  await settled(display);
  expect(watchers[0]!.counts.get('draw_fill')).toBe(300);
  expect(watchers[39]!.sent).toBeLessThan(200);
  for (const watcher of watchers) expect(await watcher.differs(display)).toBe(0);
});

it.each([1, 2, 3, 4])('whatever is drawn, and whoever comes, goes and acts (%i)', async (seed) => {
  const { display, watchers } = await crowd(24, { imageCompression: seed % 2 ? 'auto_glz' : 'lz4' });
  const random = xorshift(seed * 7_919);
  const some = (most: number) => random() % most;
  for (let step = 0; step < 200; step++) {
    const [left, top] = [some(width) - 10, some(height) - 10];
    const place = rect(left, top, left + 1 + some(90), top + 1 + some(70));
    const act = some(10);
    // Seldom all of it, which would hide what went wrong before.
    const where = some(15) === 0 ? all : place;
    const pixels = rows(some(2) ? photo : desktop, some(300));
    if (act < 3) display.fill(place, random());
    else if (act < 7) display.copy(place, { x: some(width) - 5, y: some(height) - 5 });
    else if (act < 9) display.draw(where, pixels);
    else display.draw(where, pixels, { release: () => pixels.fill(0xdb) });
    const watcher = watchers[some(watchers.length)]!;
    if (some(3) === 0) display.favour(watcher.host.address.replace(/\/[^/]*$/, ''));
    if (some(4) === 0) watcher.makeRoom(some(3) === 0 ? 1_000 : some(6));
    if (some(40) === 0) watchers.push(new Watcher(display).begin());
    if (some(40) === 0) {
      watcher.end();
      watchers.splice(watchers.indexOf(watcher), 1);
    }
    if (step === 120) display.resize(width, height);
    if (some(5) === 0) await look();
  }
  for (const watcher of watchers) watcher.makeRoom(10_000);
  await settled(display);
  for (const watcher of watchers) {
    expect(await watcher.differs(display)).toBe(0);
    expect([...watcher.screen.undrawn]).toEqual([]);
  }
});

it('a film is shown to all, and exact when it rests', async () => {
  const jpeg = await loadJpeg();
  const clock = new VirtualClock(5_000);
  const display = new ServerDisplay(width, height, { streamingVideo: 'all' }, { clock, jpeg });
  const peerCaps = caps(DisplayCap.monitorsConfig, DisplayCap.multiCodec, DisplayCap.codecMjpeg);
  const watchers = Array.from({ length: 24 }, () =>
    new Watcher(display, { peerCaps, caches: new Caches({}, async () => jpeg) }).begin(),
  );
  for (let i = 0; i < 40; i++) {
    display.draw(all, rows(photo, i * 3));
    // Some frames come before all have seen the last.
    if (i % 2 === 0) for (let j = 0; j < 4; j++) await look();
    await clock.advance(40);
  }
  await clock.advance(1_000);
  for (let j = 0; j < 8; j++) await look();
  for (const watcher of watchers) {
    expect(watcher.counts.get('stream_create')).toBe(1);
    expect(watcher.counts.get('stream_data')).toBeGreaterThan(8);
    expect(watcher.counts.get('stream_destroy')).toBe(1);
    expect(await watcher.differs(display)).toBe(0);
  }
});

it('who draws is told when all have been told, or the one who was behind has caught up', async () => {
  const { display, watchers } = await crowd(40);
  let told = 0;
  display.caughtUp.subscribe(() => told++);
  display.fill(all, 1);
  await settled(display);
  told = 0;
  display.fill(all, 2);
  for (let i = 0; i < 20; i++) await look();
  // Nobody has asked.
  expect(told).toBe(0);
  display.fill(all, 3);
  expect(display.isBehind).toBe(true);
  await expect.poll(() => told).toBe(1);
  const [slow] = watchers;
  slow!.makeRoom(0);
  display.fill(all, 4);
  for (let i = 0; i < 20; i++) await look();
  expect(display.isBehind).toBe(true);
  expect(told).toBe(1);
  slow!.makeRoom(1_000);
  await expect.poll(() => told).toBe(2);
  expect(display.isBehind).toBe(false);
  slow!.makeRoom(0);
  display.fill(all, 5);
  for (let i = 0; i < 20; i++) await look();
  expect(display.isBehind).toBe(true);
  slow!.end();
  await expect.poll(() => told).toBe(3);
});
