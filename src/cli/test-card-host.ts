/**
 * A host as a hypervisor would run it, all in one: a SPICE server, the test card behind it, and the machine that runs, stops
 * and moves the card, with QMP if it is wanted. It wires and closes; it decides nothing.
 */
import { encodePng } from '../client/png.ts';
import { formatAddress, type SocketAddress } from '../qmp/address.ts';
import { createVirtualMachine, type VirtualMachine } from '../qmp/machine.ts';
import { encodePpm } from '../qmp/ppm.ts';
import { createQmpServer, type QmpServer } from '../qmp/server.ts';
import { createServer, type Server, type ServerOptions } from '../server/server.ts';
import type { Guest } from '../sources/console.ts';
import { createTestCard, type TestCard } from '../sources/test-card.ts';
import { wallClock } from '../transport/clock.ts';

export interface TestCardHostOptions extends ServerOptions {
  readonly qmp?: SocketAddress | undefined;
  /** What `query-version` says of the program. */
  readonly package?: string | undefined;
  /** Waits there for a guest to move in, instead of running its own. */
  readonly incoming?: SocketAddress | undefined;
  /** Milliseconds that the guest takes to move away. */
  readonly moveMs?: number | undefined;
  /** `quit` was asked for by QMP. */
  readonly onQuit?: (() => void) | undefined;
}

export interface TestCardHost {
  readonly server: Server;
  readonly card: TestCard;
  readonly machine: VirtualMachine;
  readonly qmp: QmpServer | undefined;
  /** Frees everything. May be called twice. */
  close(): Promise<void>;
}

/** Opens everything, or nothing: then it throws UsageError. */
export async function createTestCardHost(options: TestCardHostOptions): Promise<TestCardHost> {
  const clock = options.clock ?? wallClock;
  const { width = 640, height = 480, name = 'sumac', log, moveMs, onQuit } = options;
  // First, because it knows which sizes there are.
  const card = createTestCard({ clock, width, height, name });
  const server = await createServer({ ...options, name });
  const opened: { close(): Promise<void> }[] = [server];
  const close = async () => {
    for (const one of opened.splice(0).reverse()) await one.close();
  };
  try {
    card.plug(server);
    const machine = await createVirtualMachine({
      name,
      guest: withClock(card, server),
      spice: server,
      clock,
      screendump: (format) => dump(server, format),
      auth: () => (server.passwordRequired ? 'spice' : 'none'),
      mouseMode: () => server.mouseMode,
      ...(options.incoming === undefined ? {} : { incoming: formatAddress(options.incoming) }),
      ...(moveMs === undefined ? {} : { moveMs }),
      ...(onQuit === undefined ? {} : { onQuit }),
      ...(log === undefined ? {} : { log }),
    });
    opened.push(machine);
    let qmp: QmpServer | undefined;
    if (options.qmp !== undefined) {
      qmp = await createQmpServer({
        listen: options.qmp,
        machine,
        ...(options.package === undefined ? {} : { package: options.package }),
        ...(log === undefined ? {} : { log }),
      });
      opened.push(qmp);
    }
    return { server, card, machine, qmp, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The clock that sound and video follow is the server's, and goes where the guest goes. */
const withClock = (card: TestCard, server: Server): Guest => ({
  run: () => card.run(),
  stop: () => card.stop(),
  save: () => ({ ...card.save(), mmTime: server.multiMediaTime }),
  load: (state) => {
    card.load(state);
    server.multiMediaTime = card.state.mmTime;
  },
});

function dump({ display: { width, height, pixels } }: Server, format: 'ppm' | 'png'): Uint8Array {
  return format === 'ppm'
    ? encodePpm({ width, height, pixels })
    : encodePng({ width, height, stride: width * 4, data: pixels });
}
