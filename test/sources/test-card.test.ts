import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../src/errors.ts';
import type { GuestInput, Picture } from '../../src/sources/console.ts';
import { readTestCard } from '../../src/sources/read-test-card.ts';
import { createTestCard } from '../../src/sources/test-card.ts';
import { clockText } from '../../src/sources/test-card-layers.ts';
import { GuestStateError, readGuestState } from '../../src/sources/test-card-state.ts';
import { tone } from '../../src/sources/tone.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { colorsOf, createTestConsole, type TestConsole } from './test-console.ts';

const reading = ({ screen }: TestConsole) =>
  readTestCard(screen.width, screen.height, (x, y) => screen.pixels[y * screen.width + x]!);

const same = (a: Uint32Array, b: Uint32Array): boolean =>
  a.length === b.length && a.every((pixel, i) => pixel === b[i]);

const equal = (a: Picture, b: Picture): boolean => Buffer.compare(a.pixels, b.pixels) === 0;

function plugged(options: Partial<Parameters<typeof createTestCard>[0]> = {}) {
  const clock = new VirtualClock(1_000);
  const card = createTestCard({ clock, name: 'one', ...options });
  const console = createTestConsole();
  const unplug = card.plug(console);
  return { clock, card, console, unplug };
}

describe('the picture', () => {
  test('a console that is plugged in shows all of it, running or not', () => {
    const { card, console } = plugged();
    expect(console.calls[0]).toBe('cursor set');
    expect(console.calls[1]).toBe('resize 640 480');
    expect(same(console.screen.pixels, colorsOf(card.picture()))).toBe(true);
    expect(new Set(console.screen.pixels).size).toBeGreaterThan(100);
    expect(reading(console)).toEqual({ ticks: 0, key: 0, left: 0, top: 0 });
    expect(console.calls.filter((call) => call.startsWith('playback'))).toEqual([]);
  });

  test('the changes that are drawn add up to the picture, whatever happens', async () => {
    const input: fc.Arbitrary<GuestInput> = fc.oneof(
      fc.record({ type: fc.constant('key' as const), code: fc.integer({ min: 0, max: 0xffff }), down: fc.boolean() }),
      fc.record({ type: fc.constant('modifiers' as const), modifiers: fc.nat(9) }),
      fc.record({
        type: fc.constant('motion' as const),
        dx: fc.integer({ min: -300, max: 300 }),
        dy: fc.integer({ min: -300, max: 300 }),
        buttons: fc.nat(31),
      }),
      fc.record({
        type: fc.constant('position' as const),
        x: fc.nat(700),
        y: fc.nat(500),
        buttons: fc.nat(31),
        display: fc.nat(1),
      }),
      fc.record({ type: fc.constant('button' as const), button: fc.nat(5), down: fc.boolean(), buttons: fc.nat(31) }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(input, fc.integer({ min: 0, max: 700 })), { minLength: 1, maxLength: 10 }),
        fc.constantFrom([640, 480], [480, 320], [801, 601]),
        async (steps, [width, height]) => {
          const { clock, card, console } = plugged({ width: width!, height: height! });
          card.run();
          for (const [what, ms] of steps) {
            console.input.next(what);
            await clock.advance(ms);
          }
          card.stop();
          expect(same(console.screen.pixels, colorsOf(card.picture()))).toBe(true);
          const again = createTestCard({ clock });
          again.load(card.save());
          expect(same(colorsOf(again.picture()), console.screen.pixels)).toBe(true);
          expect(clock.waiting).toBe(0);
        },
      ),
      { numRuns: 25 },
    );
  }, 60_000);

  test('a second of it costs few bytes, and uses fills and copies too', async () => {
    const { clock, card, console } = plugged();
    card.run();
    console.drawn = 0;
    console.calls.length = 0;
    await clock.advance(1_000);
    expect(reading(console)?.ticks).toBe(25);
    expect(console.drawn).toBeLessThan(400_000);
    expect(console.calls.filter((call) => call === 'copy')).toHaveLength(25);
    expect(console.calls).toContain('fill');
  });

  test('its clock counts the time that it has run, and no other', async () => {
    const { clock, card } = plugged();
    await clock.advance(500);
    card.run();
    await clock.advance(1_250);
    card.stop();
    expect(card.state).toMatchObject({ time: 1_250, ticks: 31, samplePosition: 60_000 });
    const still = card.picture();
    await clock.advance(5_000);
    expect(equal(card.picture(), still)).toBe(true);
    card.run();
    await clock.advance(40);
    card.stop();
    expect(card.state.time).toBe(1_290);
    expect(clockText({ time: 3_723_456 })).toBe('01:02:03.4');
  });

  test('a host that was held up does not make it jump', () => {
    let now = 0;
    const card = createTestCard({ clock: { now: () => now, setTimeout: () => 0, clearTimeout: () => {} } });
    card.run();
    now = 60_000;
    card.stop();
    expect(card.state.time).toBe(1_000);
    card.run();
    now = 10;
    card.stop();
    expect(card.state.time).toBe(1_000);
  });

  test('names the server that it runs on, and the one it came from when it runs on none', () => {
    const { card } = plugged({ name: 'source' });
    const clock = new VirtualClock();
    const [named, nameless] = [createTestCard({ clock, name: 'target' }), createTestCard({ clock })];
    named.load(card.save());
    nameless.load(card.save());
    expect(named.state).toEqual({ ...card.state, name: 'target' });
    expect(nameless.state).toEqual(card.state);
    expect(equal(named.picture(), card.picture())).toBe(false);
    expect(equal(nameless.picture(), card.picture())).toBe(true);
  });

  test.each([{ width: 100 }, { width: 4_000 }, { height: 100 }, { rate: 0 }, { rate: 1.5 }, { width: Number.NaN }])(
    'is not made as %j',
    (options) => {
      expect(() => createTestCard({ clock: new VirtualClock(), ...options })).toThrow(UsageError);
    },
  );
});

describe('a picture of it', () => {
  test('can be read wherever it is, and nothing else can', async () => {
    const { clock, card, console } = plugged();
    card.run();
    console.input.next({ type: 'key', code: 0x48e0, down: true });
    await clock.advance(3_000);
    const { width, height, pixels } = console.screen;
    const at = (x: number, y: number) => (x < 13 || y < 7 ? 0xff0000 : pixels[(y - 7) * width + x - 13]!);
    expect(readTestCard(width + 13, height + 7, at)).toEqual({ ticks: 75, key: 0xe048, left: 13, top: 7 });
    expect(readTestCard(200, 200, at)).toBeUndefined();
    expect(readTestCard(640, 480, () => 0xff0000)).toBeUndefined();
    expect(readTestCard(0, 0, () => 0)).toBeUndefined();
    card.stop();
  });
});

describe('keyboard, mouse and microphone', () => {
  test('the last keys are remembered once each, whether they have a prefix or not', () => {
    const { card, console } = plugged();
    card.run();
    for (const code of [0x1e, 0x9e, 0x48e0, 0xc8e0])
      console.input.next({ type: 'key', code, down: code < 0x80 || code === 0x48e0 });
    expect(card.state.keys).toEqual([0x1e, 0xe048]);
    for (let code = 2; code < 12; code++) console.input.next({ type: 'key', code, down: true });
    expect(card.state.keys).toEqual([4, 5, 6, 7, 8, 9, 10, 11]);
    card.stop();
  });

  test('lock keys light their lamps, by key and by the client’s word', () => {
    const { card, console } = plugged();
    expect(console.modifiers).toBe(0);
    card.run();
    console.input.next({ type: 'key', code: 0x3a, down: true });
    expect(console.modifiers).toBe(4);
    console.input.next({ type: 'modifiers', modifiers: 3 });
    expect([console.modifiers, card.state.modifiers]).toEqual([3, 3]);
    card.stop();
  });

  test('the pointer stays on the screen; motions tell where it is', () => {
    const { card, console } = plugged({ mouseMode: 1 });
    expect(console.modes).toEqual([{ supported: 3, current: 1 }]);
    card.run();
    console.input.next({ type: 'motion', dx: -5_000, dy: 10, buttons: 1 });
    expect(console.pointers.at(-1)).toEqual({ x: 0, y: 250 });
    console.input.next({ type: 'position', x: 5_000, y: 3, buttons: 0, display: 0 });
    expect(card.state.pointer).toEqual({ x: 639, y: 3 });
    console.input.next({ type: 'button', button: 3, down: true, buttons: 4 });
    expect(card.state.buttons).toBe(4);
    card.setMouseMode(2);
    expect(console.modes.at(-1)).toEqual({ supported: 3, current: 2 });
    card.stop();
  });

  test('a client that asks for another mouse mode has it, and it moves along with the clock', async () => {
    const { clock, card, console } = plugged();
    card.run();
    console.mouseMode = 1;
    console.multiMediaTime = 123_456;
    const before = card.picture();
    await clock.advance(40);
    card.stop();
    expect(equal(card.picture(), before)).toBe(false);
    expect(card.state).toMatchObject({ mouseMode: 1, mmTime: 123_456 });
    const target = plugged();
    target.card.load(card.save());
    expect([target.console.mouseMode, target.console.multiMediaTime]).toEqual([1, 123_456]);
  });

  test('a guest that stands takes nothing in', () => {
    const { card, console } = plugged();
    const before = card.state;
    console.input.next({ type: 'key', code: 0x1e, down: true });
    console.record.heard.next(Int16Array.of(1, 2));
    expect(card.state).toEqual(before);
  });

  test('what it hears shows, and fades', async () => {
    const { clock, card, console } = plugged();
    card.run();
    expect(console.calls).toContain('record start 2 48000');
    console.record.heard.next(Int16Array.of(-32768, 5, 7, 8));
    expect(card.state.heard).toEqual({ samples: 2, peak: 32768 });
    await clock.advance(40);
    const loud = card.picture();
    await clock.advance(2_000);
    expect(card.state.heard).toEqual({ samples: 2, peak: 0 });
    expect(equal(card.picture(), loud)).toBe(false);
    card.stop();
  });
});

describe('the tone', () => {
  test('repeats without a seam, in both channels', () => {
    const all = tone(0, 3_000);
    expect([...tone(1_000, 300)]).toEqual([...all.subarray(2_000, 2_600)]);
    expect([...tone(1_200, 10)]).toEqual([...all.subarray(0, 20)]);
    expect(all.every((sample, i) => sample === all[i - (i % 2)])).toBe(true);
    let crossings = 0;
    const second = tone(0, 48_000);
    for (let i = 2; i < second.length; i += 2) if (second[i - 2]! < 0 && second[i]! >= 0) crossings++;
    expect(crossings).toBeGreaterThanOrEqual(439);
    expect(crossings).toBeLessThanOrEqual(440);
  });

  test('is told of and sounded only while it runs', async () => {
    const { clock, card, console, unplug } = plugged();
    card.run();
    await clock.advance(1_000);
    card.stop();
    await clock.advance(1_000);
    expect(console.sound).toHaveLength(96_000);
    expect(console.calls.filter((call) => call.startsWith('playback'))).toEqual([
      'playback start 2 48000',
      'playback stop',
    ]);
    card.run();
    unplug();
    expect(console.calls.at(-2)).toBe('playback stop');
    await clock.advance(1_000);
    expect(console.sound).toHaveLength(96_000);
    expect(console.input.observed).toBe(false);
    card.stop();
  });
});

describe('a move', () => {
  test('goes on at the next picture and the next sample, as if it had stayed', async () => {
    const stayed = plugged();
    const source = plugged();
    const target = plugged({ name: 'one' });
    for (const one of [stayed, source]) {
      one.card.run();
      one.console.input.next({ type: 'key', code: 0x1e, down: true });
      await one.clock.advance(777);
    }
    source.card.stop();
    target.card.load(JSON.parse(JSON.stringify(source.card.save())));
    expect(same(target.console.screen.pixels, source.console.screen.pixels)).toBe(true);
    target.card.run();
    for (const one of [stayed, target]) {
      await one.clock.advance(777);
      one.card.stop();
    }
    expect(target.card.state).toEqual(stayed.card.state);
    expect(same(target.console.screen.pixels, stayed.console.screen.pixels)).toBe(true);
    expect([...source.console.sound, ...target.console.sound]).toEqual(stayed.console.sound);
    expect(stayed.console.sound).toEqual([...tone(0, stayed.card.state.samplePosition)]);
  });

  test('brings the size of the screen along', () => {
    const source = plugged({ width: 800, height: 600 });
    const target = plugged();
    target.card.load(source.card.save());
    expect(target.console.calls.filter((call) => call.startsWith('resize'))).toEqual([
      'resize 640 480',
      'resize 800 600',
    ]);
    expect(same(target.console.screen.pixels, source.console.screen.pixels)).toBe(true);
  });
});

describe('a state from elsewhere', () => {
  const valid = () => createTestCard({ clock: new VirtualClock(), name: 'a' }).save();

  test('is taken if a card can have had it', () => {
    expect(readGuestState(valid())).toEqual(valid());
  });

  test.each([
    ['another version', { version: 2 }],
    ['no name', { name: undefined }],
    ['a name that is too long', { name: 'x'.repeat(65) }],
    ['a vast screen', { width: 1e9 }],
    ['a pointer off the screen', { pointer: { x: 640, y: 0 } }],
    ['a pointer of another form', { pointer: [1, 2] }],
    ['too many keys', { keys: Array(9).fill(1) }],
    ['a key that is none', { keys: ['a'] }],
    ['no number', { ticks: Number.NaN }],
    ['a fraction', { ticks: 0.5 }],
    ['no end', { time: Number.POSITIVE_INFINITY }],
    ['a mode that is none', { mouseMode: 3 }],
    ['something more', { more: 1 }],
  ])('is refused: %s', (_, change) => {
    const { card, console } = plugged();
    const [before, calls] = [card.state, console.calls.length];
    expect(() => card.load({ ...valid(), ...change })).toThrow(GuestStateError);
    expect(card.state).toEqual(before);
    expect(console.calls).toHaveLength(calls);
  });

  test('never does anything but load or throw GuestStateError', () => {
    const card = createTestCard({ clock: new VirtualClock() });
    const mutated = fc
      .tuple(fc.constantFrom(...Object.keys(valid())), fc.anything())
      .map(([key, value]) => ({ ...valid(), [key]: value }));
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.jsonValue(), mutated), (state) => {
        try {
          card.load(state);
        } catch (error) {
          expect(error).toBeInstanceOf(GuestStateError);
        }
      }),
      { numRuns: 300 },
    );
  });
});
