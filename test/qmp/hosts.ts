/** Machines for tests: a SPICE server that only writes down what it is told, and guests that are test cards. */
import { Subject } from 'rxjs';
import { createVirtualMachine, type VirtualMachine, type VirtualMachineOptions } from '../../src/qmp/machine.ts';
import type { Notice } from '../../src/qmp/spice-words.ts';
import type { OpenChannel, Spice, SpiceEvent } from '../../src/sources/console.ts';
import { createTestCard, type TestCard } from '../../src/sources/test-card.ts';
import { wallClock } from '../../src/transport/clock.ts';

export interface FakeSpice extends Spice {
  readonly events: Subject<SpiceEvent>;
  /** What it was told, in order: "migrate_start", "migrate_end true", … */
  readonly told: string[];
  open: OpenChannel[];
  /** Thrown by the next call of anything that may throw. */
  objection: Error | undefined;
}

export function createFakeSpice(): FakeSpice {
  const object = () => {
    const { objection } = spice;
    spice.objection = undefined;
    if (objection !== undefined) throw objection;
  };
  const spice: FakeSpice = {
    told: [],
    open: [],
    objection: undefined,
    events: new Subject<SpiceEvent>(),
    addresses: { host: '127.0.0.1', port: 5900 },
    channels: () => spice.open,
    setPassword: (password, { ifConnected = 'keep' } = {}) => {
      object();
      spice.told.push(`password ${password} ${ifConnected}`);
    },
    expirePassword: (at) => {
      object();
      spice.told.push(`expire ${at}`);
    },
    migrateConnect: (to) => {
      object();
      spice.told.push(`migrate_connect ${JSON.stringify(to)}`);
    },
    migrateStart: () => {
      spice.told.push('migrate_start');
      object();
    },
    migrateEnd: (completed) => {
      spice.told.push(`migrate_end ${completed}`);
      if (completed) spice.events.next({ event: 'migrate_end_complete', completed, overdue: 0 });
    },
    guestArrived: () => void spice.told.push('guest_arrived'),
    guestLost: () => void spice.told.push('guest_lost'),
  };
  return spice;
}

export interface Host {
  readonly machine: VirtualMachine;
  readonly spice: FakeSpice;
  readonly card: TestCard;
  /** All events so far. */
  readonly notices: Notice[];
  /** As "MIGRATION active" or "STOP". */
  said(): string[];
  close(): Promise<void>;
}

/** A machine with a test card that runs, or that waits with `incoming`. */
export async function startHost(options: Partial<VirtualMachineOptions> = {}): Promise<Host> {
  const spice = createFakeSpice();
  const name = options.name ?? 'one';
  const card = createTestCard({ clock: options.clock ?? wallClock, name });
  const machine = await createVirtualMachine({
    moveMs: 30,
    patience: 1_000,
    ...options,
    name,
    guest: options.guest ?? card,
    spice,
  });
  const notices: Notice[] = [];
  machine.events.subscribe((notice) => notices.push(notice));
  return {
    machine,
    spice,
    card,
    notices,
    said: () => notices.map(({ event, data }) => (event === 'MIGRATION' ? `MIGRATION ${data?.status}` : event)),
    close: () => machine.close(),
  };
}

/** Waits until it holds; throws after a while. */
export async function until(holds: () => boolean, what = String(holds), ms = 5_000): Promise<void> {
  const end = performance.now() + ms;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`not so within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
