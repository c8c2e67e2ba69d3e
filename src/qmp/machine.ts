/**
 * One guest and the SPICE server in front of it, as their hypervisor: runs, stops and moves the guest, and tells the server of
 * a move by `migrateStart` and `migrateEnd` alone, when the chart (machines/migration/hypervisor.ts) says so. Knows nothing
 * of the protocol that it is controlled by.
 */

import { type Observable, Subject, type Subscription } from 'rxjs';
import { type Actor, type ActorOptions, createActor, fromPromise } from 'xstate';
import { type HypervisorCommand, hypervisor, type MigrationStatus } from '../../machines/migration/hypervisor.ts';
import { UsageError } from '../errors.ts';
import type { Guest, Spice } from '../sources/console.ts';
import { type Clock, wallClock } from '../transport/clock.ts';
import { formatAddress, parseAddress, type SocketAddress } from './address.ts';
import { type Arrivals, awaitGuest } from './guest-arrival.ts';
import { Departure } from './guest-departure.ts';
import { type Notice, noticeOf } from './spice-words.ts';

/** QEMU's words for what a machine is doing. */
export type RunState = 'running' | 'paused' | 'inmigrate' | 'finish-migrate' | 'postmigrate';

export interface VirtualMachineOptions {
  readonly name?: string;
  readonly guest: Guest;
  readonly spice: Spice;
  /** Waits at this address for a guest to move in, instead of running its own: `tcp:HOST:PORT` or `unix:PATH`. */
  readonly incoming?: string;
  /** Milliseconds that its guest takes to move, at the bandwidth that QEMU has by default. Default 300. */
  readonly moveMs?: number;
  /** Milliseconds that the other host may say nothing during a move. Default 5000. */
  readonly patience?: number;
  readonly clock?: Clock;
  /** What the screen shows, as a file. Without it there is no screendump. */
  readonly screendump?: (format: 'ppm' | 'png') => Uint8Array;
  /** Whether clients are asked for a ticket. Default: `spice` once a password was set here, else `none`. */
  readonly auth?: () => 'none' | 'spice';
  /** MouseMode. */
  readonly mouseMode?: () => number;
  /** `quit` was asked for, and the answer is out. */
  readonly onQuit?: () => void;
  readonly log?: (line: string) => void;
  /** Sees every event of the chart. */
  readonly inspect?: ActorOptions<typeof hypervisor>['inspect'];
}

/** How the last move went, or goes. Times in milliseconds. */
export interface Migration {
  readonly status: MigrationStatus;
  readonly reason?: string;
  readonly setupTime?: number;
  readonly totalTime?: number;
  readonly downtime?: number;
}

/** Bytes a second; QEMU's default for `max-bandwidth`. */
export const defaultBandwidth = 128 * 1024 * 1024;

/** Opens the address of `incoming`, if any, and runs the guest otherwise. Throws UsageError. */
export async function createVirtualMachine(options: VirtualMachineOptions): Promise<VirtualMachine> {
  const machine = new VirtualMachine(options);
  if (options.incoming === undefined) machine.cont();
  else await machine.awaitGuest(options.incoming);
  return machine;
}

/** Made by `createVirtualMachine`. */
export class VirtualMachine {
  readonly name: string;
  readonly spice: Spice;
  readonly screendump: ((format: 'ppm' | 'png') => Uint8Array) | undefined;
  readonly chart: Actor<typeof hypervisor>;
  private readonly options: VirtualMachineOptions;
  private readonly guest: Guest;
  private readonly clock: Clock;
  private readonly notices = new Subject<Notice>();
  private readonly subscription: Subscription;
  private state: RunState = 'paused';
  private passwordSet = false;
  private departure: Departure | undefined;
  private arrivals: Arrivals | undefined;
  /** Of a move to here; undefined when the last move was one from here. */
  private arrival: MigrationStatus | undefined = 'none';
  /** Whether a guest that moves in is to run; `stop` and `cont` say so while it is awaited. */
  private runsOnArrival = true;
  private bandwidth = defaultBandwidth;
  private times: { started: number; active?: number; stopped?: number; ended?: number } | undefined;
  private migratedOnce = false;

  /** Use `createVirtualMachine`. */
  constructor(options: VirtualMachineOptions) {
    this.options = options;
    this.name = options.name ?? 'sumac';
    this.spice = options.spice;
    this.guest = options.guest;
    this.screendump = options.screendump;
    this.clock = options.clock ?? wallClock;
    this.subscription = this.spice.events.subscribe((event) => {
      if (event.event === 'migrate_end_complete' && event.completed) this.migratedOnce = true;
      const notice = noticeOf(event, this.auth);
      if (notice !== undefined) this.notices.next(notice);
    });
    this.chart = this.startChart();
  }

  /** QEMU's events: what happens to the guest, its moves and its clients. */
  get events(): Observable<Notice> {
    return this.notices.asObservable();
  }

  get runState(): RunState {
    return this.state;
  }

  /** Where a guest is awaited, as `migrate` at another host takes it. */
  get incoming(): string | undefined {
    return this.arrivals === undefined ? undefined : formatAddress(this.arrivals.address);
  }

  /** The clients of a guest that has moved away have left, or were given up. */
  get migrated(): boolean {
    return this.migratedOnce;
  }

  get auth(): 'none' | 'spice' {
    return this.options.auth?.() ?? (this.passwordSet ? 'spice' : 'none');
  }

  /** MouseMode; 0 when nobody knows. */
  get mouseMode(): number {
    return this.options.mouseMode?.() ?? 0;
  }

  /** As `setPassword` of the SPICE server; throws what that throws. */
  setPassword(password: string, ifConnected: 'keep' | 'disconnect' | 'fail'): void {
    this.spice.setPassword(password, { ifConnected });
    this.passwordSet = true;
  }

  stop(): void {
    if (this.state === 'inmigrate') this.runsOnArrival = false;
    if (this.state === 'running') this.halt('paused');
  }

  /** Runs the guest, also one that had moved away. While it is being handed over this does nothing. */
  cont(): void {
    if (this.state === 'inmigrate') this.runsOnArrival = true;
    if (this.state === 'postmigrate') this.attempt('guest arrived', () => this.spice.guestArrived());
    if (this.state === 'paused' || this.state === 'postmigrate') this.go();
  }

  /**
   * Begins to move the guest. Throws UsageError when the address is none, or the machine is not in a state to begin; what
   * goes wrong later is told by a MIGRATION event.
   */
  migrate(uri: string): void {
    parseAddress(uri);
    if (this.moving) throw new UsageError("There's a migration process in progress");
    if (this.state === 'inmigrate') throw new UsageError('Guest is waiting for an incoming migration');
    if (this.state === 'postmigrate') {
      throw new UsageError("Can't migrate the vm that was paused due to previous migration");
    }
    this.migratedOnce = false;
    this.arrival = undefined;
    this.times = { started: this.clock.now() };
    this.chart.send({ type: 'api.migrate', uri });
  }

  /** Gives the move up; does nothing when there is none, or when the target was already told to run the guest. */
  cancel(): void {
    this.chart.send({ type: 'api.migrate_cancel' });
  }

  /** Bytes a second, 0 for no limit. The guest takes `moveMs` at QEMU's default of 128 MiB. */
  setBandwidth(bytesPerSecond: number): void {
    this.bandwidth = bytesPerSecond;
  }

  migration(): Migration {
    const { value, context } = this.chart.getSnapshot();
    const status = (typeof value === 'string' ? value : Object.keys(value)[0]) as MigrationStatus;
    if (this.arrival !== undefined) return { status: this.arrival };
    const { started = 0, active, stopped, ended } = this.times ?? {};
    return {
      status,
      ...(context.reason === '' ? {} : { reason: context.reason }),
      ...(active === undefined ? {} : { setupTime: active - started }),
      totalTime: (ended ?? this.clock.now()) - started,
      ...(status === 'completed' && stopped !== undefined ? { downtime: ended! - stopped } : {}),
    };
  }

  /**
   * Waits at this address for a guest to move in: at the start, or once the own guest has moved away or stands. Returns the
   * address with its port. Throws UsageError.
   */
  async awaitGuest(at: string): Promise<string> {
    if (this.state === 'running' || this.moving) throw new UsageError('A guest runs here already');
    const address = parseAddress(at);
    await this.arrivals?.close();
    this.arrivals = undefined;
    this.arrivals = await this.listenForGuest(address);
    this.state = 'inmigrate';
    this.runsOnArrival = true;
    this.arrival = 'none';
    return formatAddress(this.arrivals.address);
  }

  /** Says SHUTDOWN, and has the program end once `answered` is over. */
  quit(answered: Promise<unknown> = Promise.resolve()): void {
    this.notices.next({ event: 'SHUTDOWN', data: { guest: false, reason: 'host-qmp-quit' } });
    void answered.then(() => this.options.onQuit?.());
  }

  /** Gives a move up, stops the guest and frees what is open. */
  async close(): Promise<void> {
    this.chart.stop();
    this.departure?.abort();
    this.subscription.unsubscribe();
    if (this.state === 'running') this.guest.stop();
    this.state = 'paused';
    await this.arrivals?.close();
    this.arrivals = undefined;
    this.notices.complete();
  }

  private get moving(): boolean {
    return ['setup', 'active', 'cancelling'].some((state) => this.chart.getSnapshot().matches(state as 'setup'));
  }

  private halt(state: RunState): void {
    this.guest.stop();
    this.state = state;
    this.notices.next({ event: 'STOP' });
  }

  private go(): void {
    this.state = 'running';
    this.guest.run();
    this.notices.next({ event: 'RESUME' });
  }

  private startChart(): Actor<typeof hypervisor> {
    const { clock, name } = this;
    const { patience = 5_000, moveMs = 300, inspect } = this.options;
    const chart = createActor(
      hypervisor.provide({
        actors: {
          'reach the target': fromPromise<void, { uri: string }>(async ({ input, signal }) => {
            this.departure = await Departure.open({ to: parseAddress(input.uri), name, clock, signal, patience });
          }),
          'move the guest': fromPromise<void, { uri: string }>(async ({ signal }) => {
            // The chart must have settled before it is told anything, or it would obey too late.
            await Promise.resolve();
            await this.departure?.carry({
              moveMs,
              signal,
              save: () => this.guest.save(),
              running: () => this.state === 'running',
              speed: () => (this.bandwidth === 0 ? unlimited : this.bandwidth / defaultBandwidth),
              stop: () => chart.send({ type: 'move.stopped' }),
              commit: () => chart.send({ type: 'move.committed' }),
            });
          }),
        },
      }),
      { clock, id: 'hypervisor', ...(inspect === undefined ? {} : { inspect }) },
    );
    chart.on('*', (command) => this.obey(command));
    chart.start();
    return chart;
  }

  private obey(command: HypervisorCommand): void {
    switch (command.type) {
      case 'migration status':
        this.note(command.status);
        this.notices.next({ event: 'MIGRATION', data: { status: command.status } });
        break;
      case 'migrate start':
        this.attempt('migrate_start', () => this.spice.migrateStart());
        break;
      case 'migrate end':
        this.attempt('migrate_end', () => this.spice.migrateEnd(command.completed));
        break;
      case 'stop the guest':
        if (this.times !== undefined) this.times.stopped = this.clock.now();
        this.halt('finish-migrate');
        break;
      case 'run the guest':
        this.go();
        break;
    }
  }

  private note(status: MigrationStatus): void {
    const { times } = this;
    if (times === undefined) return;
    if (status === 'active') times.active = this.clock.now();
    if (status !== 'completed' && status !== 'failed' && status !== 'cancelled') return;
    times.ended = this.clock.now();
    if (status === 'completed') this.state = 'postmigrate';
    else this.departure?.abort();
    this.departure = undefined;
  }

  /** A SPICE server that fails must not take the guest with it. */
  private attempt(what: string, act: () => void): void {
    try {
      act();
    } catch (error) {
      this.options.log?.(`${what}: ${(error as Error).message}`);
    }
  }

  private listenForGuest(at: SocketAddress): Promise<Arrivals> {
    return awaitGuest({
      at,
      name: this.name,
      clock: this.clock,
      patience: this.options.patience ?? 5_000,
      onBegun: () => this.tellArrival('active'),
      load: (state) => this.guest.load(state),
      onFailed: (error) => {
        this.options.log?.(`the guest did not arrive: ${error.message}`);
        this.tellArrival('failed');
        this.attempt('guest lost', () => this.spice.guestLost());
      },
      onArrived: ({ running }) => {
        this.state = 'paused';
        this.attempt('guest arrived', () => this.spice.guestArrived());
        if (running && this.runsOnArrival) this.go();
        this.tellArrival('completed');
        const { arrivals } = this;
        this.arrivals = undefined;
        void arrivals?.close();
      },
    });
  }

  private tellArrival(status: 'active' | 'failed' | 'completed'): void {
    this.arrival = status;
    this.notices.next({ event: 'MIGRATION', data: { status } });
  }
}

/** A speed at which every move is over at once. */
const unlimited = 1e12;
