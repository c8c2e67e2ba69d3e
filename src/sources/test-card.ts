/**
 * A guest of our own: it shows a moving test card, sounds a tone, listens to keyboard, mouse and microphone, and can be moved
 * to another host while it runs. All that it shows and says follows from its state; it knows time only through the clock that
 * it is given, and never sees a client. Runs anywhere.
 */

import type { Subscription } from 'rxjs';
import { UsageError } from '../errors.ts';
import { KeyboardModifierFlags } from '../protocol/constants.ts';
import { MouseMode } from '../protocol/main.ts';
import type { Clock } from '../transport/clock.ts';
import type { Console, CursorShape, Guest, GuestInput, Picture } from './console.ts';
import { keyOf } from './key-names.ts';
import { TestCardPicture } from './test-card-picture.ts';
import { type GuestState, keyLimit, nameLimit, readGuestState, screenLimits } from './test-card-state.ts';
import { tone, toneChannels, toneRate } from './tone.ts';

export interface TestCardOptions {
  /** Pixels; 480 to 3840 by 320 to 2160. Default 640 × 480. */
  readonly width?: number;
  readonly height?: number;
  readonly clock: Clock;
  /** Pictures a second, 1 to 100. Default 25. Not part of the state: two hosts of one guest should agree on it. */
  readonly rate?: number;
  /** The server that it runs on, as the picture names it. Without one it shows the name that a state brings along. */
  readonly name?: string;
  /** Default: client, so that clients send positions. */
  readonly mouseMode?: 1 | 2;
  /** Whether it opens the clients' microphones while it runs, to show how loud they are. Default true. */
  readonly microphone?: boolean;
}

export interface TestCard extends Guest {
  /**
   * Connects it to a server: screen, cursor, mouse modes and modifiers are told at once, sound too if it runs. A console
   * that it was plugged into before is let go. Returns a function that pulls the plug.
   */
  plug(console: Console): () => void;
  run(): void;
  /** Its time stands still from now on. What is due until now is shown and sounded first. */
  stop(): void;
  save(): GuestState;
  /**
   * Becomes what the state says, except for its own name, and draws what is different; whether it runs stays as it is.
   * Throws GuestStateError, and changes nothing, for what no test card can have saved.
   */
  load(state: unknown): void;
  /** A copy of what its screen shows. */
  picture(): Picture;
  /** As `save()`. */
  readonly state: GuestState;
  readonly running: boolean;
  /** The clients' MouseMode, or the one that they will have. */
  readonly mouseMode: 1 | 2;
  setMouseMode(mode: 1 | 2): void;
}

/** Milliseconds that one step may stand for; a host that was held up for longer has held up its guest. */
const longestStep = 1_000;

const locks = new Map<number, number>([
  [0x46, KeyboardModifierFlags.scrollLock],
  [0x45, KeyboardModifierFlags.numLock],
  [0x3a, KeyboardModifierFlags.capsLock],
]);

/** Throws UsageError for a size or rate out of range. */
export function createTestCard(options: TestCardOptions): TestCard {
  return new Card(options);
}

class Card implements TestCard {
  private readonly clock: Clock;
  private readonly rate: number;
  private readonly name: string | undefined;
  private readonly microphone: boolean;
  private now: GuestState;
  private shown: TestCardPicture;
  private console: Console | undefined;
  private subscriptions: Subscription[] = [];
  private timer: unknown;
  /** The clock's time up to which its own time has gone; undefined while it stands. */
  private until: number | undefined;

  constructor(options: TestCardOptions) {
    const { width = 640, height = 480, rate = 25, name, mouseMode = MouseMode.client } = options;
    const { minWidth, maxWidth, minHeight, maxHeight } = screenLimits;
    within('The width of the test card', width, minWidth, maxWidth);
    within('The height of the test card', height, minHeight, maxHeight);
    within("The test card's rate", rate, 1, 100);
    this.clock = options.clock;
    this.rate = rate;
    this.name = name?.slice(0, nameLimit);
    this.microphone = options.microphone ?? true;
    this.now = {
      version: 1,
      name: this.name ?? '',
      width,
      height,
      ticks: 0,
      time: 0,
      samplePosition: 0,
      keys: [],
      pointer: { x: width >> 1, y: height >> 1 },
      buttons: 0,
      mouseMode,
      mmTime: 0,
      modifiers: 0,
      heard: { samples: 0, peak: 0 },
    };
    this.shown = new TestCardPicture(this.now);
  }

  get state(): GuestState {
    const { mouseMode, console } = this;
    return { ...structuredClone(this.now), mouseMode, mmTime: console?.multiMediaTime ?? this.now.mmTime };
  }

  get running(): boolean {
    return this.until !== undefined;
  }

  get mouseMode(): 1 | 2 {
    const mode = this.console?.mouseMode;
    return mode === MouseMode.server || mode === MouseMode.client ? mode : this.now.mouseMode;
  }

  picture(): Picture {
    return this.shown.copy();
  }

  save(): GuestState {
    return this.state;
  }

  load(state: unknown): void {
    const loaded = readGuestState(state);
    this.now = this.name === undefined ? loaded : { ...loaded, name: this.name };
    if (this.until !== undefined) this.until = this.clock.now();
    if (this.console !== undefined) this.console.multiMediaTime = this.now.mmTime;
    if (this.shown.fits(this.now)) this.shown.turn(this.now, this.console?.display);
    else {
      this.shown = new TestCardPicture(this.now);
      this.drawAll();
    }
    this.tellModes();
  }

  setMouseMode(mode: 1 | 2): void {
    this.now.mouseMode = mode;
    this.tellMouseMode();
  }

  plug(console: Console): () => void {
    this.unplug();
    this.console = console;
    this.subscriptions = [
      console.input.subscribe((input) => this.take(input)),
      console.record.heard.subscribe((pcm) => this.hear(pcm)),
    ];
    console.cursor.set(arrow);
    this.drawAll();
    this.tellModes();
    if (this.running) this.sound();
    return () => {
      if (this.console === console) this.unplug();
    };
  }

  run(): void {
    if (this.running) return;
    this.until = this.clock.now();
    this.sound();
    this.wait();
  }

  stop(): void {
    if (!this.running) return;
    this.step();
    this.until = undefined;
    this.clock.clearTimeout(this.timer);
    this.hush();
  }

  private unplug(): void {
    for (const one of this.subscriptions.splice(0)) one.unsubscribe();
    if (this.running) this.hush();
    this.console = undefined;
  }

  private wait(): void {
    const period = 1000 / this.rate;
    this.timer = this.clock.setTimeout(
      () => {
        this.step();
        this.wait();
      },
      Math.max(1, period - (this.now.time % period)),
    );
  }

  /** Lets its time go on to the clock's, sounds what is due and shows what has changed. */
  private step(): void {
    const elapsed = Math.min(Math.max(0, this.clock.now() - this.until!), longestStep);
    this.until = this.clock.now();
    const [before, after] = [this.now.time, this.now.time + elapsed];
    const due = (perSecond: number) => Math.floor((after * perSecond) / 1000) - Math.floor((before * perSecond) / 1000);
    const samples = due(toneRate);
    const ticks = due(this.rate);
    if (samples > 0) this.console?.playback.write(tone(this.now.samplePosition, samples));
    this.now.time = after;
    this.now.ticks += ticks;
    this.now.samplePosition += samples;
    this.now.mouseMode = this.mouseMode;
    // What was loud falls silent within half a second.
    if (ticks > 0) this.now.heard.peak = Math.floor(this.now.heard.peak * 0.7 ** ((ticks * 25) / this.rate));
    this.shown.turn(this.now, this.console?.display);
  }

  private sound(): void {
    this.console?.playback.start({ channels: toneChannels, frequency: toneRate });
    if (this.microphone) this.console?.record.start({ channels: toneChannels, frequency: toneRate });
  }

  private hush(): void {
    this.console?.playback.stop();
    if (this.microphone) this.console?.record.stop();
  }

  private drawAll(): void {
    if (this.console === undefined) return;
    this.console.display.resize(this.now.width, this.now.height);
    this.shown.show(this.console.display);
  }

  private tellModes(): void {
    this.tellMouseMode();
    this.console?.setModifiers(this.now.modifiers);
  }

  private tellMouseMode(): void {
    this.console?.setMouseModes({ supported: MouseMode.server | MouseMode.client, current: this.now.mouseMode });
    if (this.now.mouseMode === MouseMode.server) this.console?.cursor.move(this.now.pointer.x, this.now.pointer.y);
  }

  /** A guest that stands takes nothing in. */
  private take(input: GuestInput): void {
    if (!this.running) return;
    switch (input.type) {
      case 'key':
        if (input.down) this.press(keyOf(input.code));
        break;
      case 'modifiers':
        this.light(input.modifiers & 7);
        break;
      case 'motion':
        this.point(this.now.pointer.x + input.dx, this.now.pointer.y + input.dy, input.buttons);
        this.console?.cursor.move(this.now.pointer.x, this.now.pointer.y);
        break;
      case 'position':
        if (input.display === 0) this.point(input.x, input.y, input.buttons);
        break;
      case 'button':
        this.now.buttons = input.buttons & 0x7f;
        break;
    }
  }

  private press(key: number): void {
    this.now.keys = [...this.now.keys, key].slice(-keyLimit);
    const lock = locks.get(key);
    if (lock !== undefined) this.light(this.now.modifiers ^ lock);
  }

  private light(modifiers: number): void {
    if (modifiers === this.now.modifiers) return;
    this.now.modifiers = modifiers;
    this.console?.setModifiers(modifiers);
  }

  private point(x: number, y: number, buttons: number): void {
    const keep = (at: number, size: number) => Math.min(Math.max(0, Math.trunc(at) || 0), size - 1);
    this.now.pointer = { x: keep(x, this.now.width), y: keep(y, this.now.height) };
    this.now.buttons = buttons & 0x7f;
  }

  private hear(pcm: Int16Array): void {
    if (!this.running) return;
    const { heard } = this.now;
    heard.samples += Math.floor(pcm.length / toneChannels);
    for (const sample of pcm) heard.peak = Math.max(heard.peak, Math.abs(sample));
  }
}

function within(what: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new UsageError(`${what} must be a whole number from ${min} to ${max}, not ${value}`);
}

/** The pointer: a white arrow with a black edge. */
const arrow: CursorShape = (() => {
  const drawn = [
    'x...........',
    'xx..........',
    'xox.........',
    'xoox........',
    'xooox.......',
    'xoooox......',
    'xooooox.....',
    'xoooooox....',
    'xooooooox...',
    'xoooooooox..',
    'xooooooxxxx.',
    'xooxooox....',
    'xox.xoox....',
    'xx..xooox...',
    'x....xoox...',
    '......xx....',
  ];
  const bgra = Uint8Array.from(
    drawn
      .join('')
      .match(/./g)!
      .flatMap((dot) => (dot === '.' ? [0, 0, 0, 0] : dot === 'x' ? [0, 0, 0, 255] : [255, 255, 255, 255])),
  );
  return { width: drawn[0]!.length, height: drawn.length, hotX: 0, hotY: 0, bgra };
})();
