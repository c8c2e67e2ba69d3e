/**
 * The script of a hand-over as a management program runs it, over QMP alone: tickets, `client_migrate_info`, wait for
 * the client's links at the target, `migrate`, wait for the end. It drives QEMU and whatever else speaks QMP by the same
 * steps, and must know nothing of the client that is handed over.
 */
import type { QmpData, QmpEvent, QmpPeer } from './qmp-peer.ts';

/** One end of a move: a QEMU, or anything that is controlled like one. */
export interface MigrationHost {
  readonly name: string;
  readonly peer: QmpPeer;
  /** Where clients reach it. */
  readonly host: string;
  readonly spicePort: number | undefined;
  readonly tlsPort: number | undefined;
  readonly certSubject: string | undefined;
  readonly password: string | undefined;
  /** Where a machine that is to move in here must be sent. */
  readonly migrateUri: string;
}

/** The end of a move, by QEMU's name for it. */
export type MigrationOutcome = 'completed' | 'failed' | 'cancelled';

export interface LinkOptions {
  /**
   * What to wait for after telling the client of its target: `linked` (default), until every channel it has at the
   * source is up at the target; `refused`, the target's ticket is made void first, so that the attempt fails and the
   * move ends as a switch-host; `nothing`, do not wait.
   */
  readonly link?: 'linked' | 'refused' | 'nothing';
  /** Makes the target's ticket void as soon as the client has linked. */
  readonly expireTarget?: boolean;
  /** How many channels to wait for. Default: as many as the source lists. */
  readonly channels?: number;
  /** What else to wait for before going on, e.g. the client's own word that it has linked. */
  readonly until?: () => Promise<unknown>;
  /** Lets the client answer the source after its last link. Milliseconds, default 50. */
  readonly settleMs?: number;
  /** Other things to say in `client_migrate_info`, e.g. another `hostname`, or `port: undefined` to leave it out. */
  readonly info?: QmpData;
  /** Default 15000. */
  readonly timeoutMs?: number;
}

export interface MoveOptions {
  /** Where to send the machine instead of the target's own address. */
  readonly uri?: string;
  /** Bytes a second that the move may use; a few thousand hold a dirtying guest back for ever. */
  readonly bandwidth?: number;
  readonly timeoutMs?: number;
}

/** What a move did and when; all times in milliseconds since 1970, by the hosts' own stamps. */
export interface MoveReport {
  readonly outcome: MigrationOutcome;
  /** Why it failed, where QMP says so. */
  readonly error?: string;
  readonly startedAt: number;
  readonly stoppedAt?: number;
  readonly endedAt: number;
  /** SPICE_MIGRATE_COMPLETED at the source. */
  readonly spiceDoneAt?: number;
}

const OUTCOMES: readonly string[] = ['completed', 'failed', 'cancelled'];

/** Points the clients of the source to the target, and waits as `link` says. */
export async function linkClients(
  source: MigrationHost,
  target: MigrationHost,
  options: LinkOptions = {},
): Promise<void> {
  const link = options.link ?? 'linked';
  const timeoutMs = options.timeoutMs ?? 15_000;
  if (link === 'refused' && target.password === undefined) {
    throw new Error('a target can refuse only if it asks for a password');
  }
  if (target.password !== undefined) {
    await target.peer.execute('set_password', { protocol: 'spice', password: target.password });
    await expire(target, link === 'refused' ? 'now' : '+120');
  }
  const channels = options.channels ?? (await openChannels(source));
  const since = target.peer.mark();
  await source.peer.execute('client_migrate_info', {
    protocol: 'spice',
    hostname: target.host,
    // QEMU says 65535 to the client for a port that is left out, which spice-gtk then dials; 0 it takes for none.
    port: target.spicePort ?? 0,
    ...(target.tlsPort === undefined ? {} : { 'tls-port': target.tlsPort }),
    ...(target.certSubject === undefined ? {} : { 'cert-subject': target.certSubject }),
    ...options.info,
  });
  if (link === 'linked') {
    const up = (): number => count(target.peer, 'SPICE_INITIALIZED', since);
    await target.peer.waitUntil(() => up() >= channels, `${channels} channels at ${target.name}`, timeoutMs);
  } else if (link === 'refused') {
    await target.peer.waitFor('SPICE_DISCONNECTED', undefined, { since, timeoutMs });
  }
  await options.until?.();
  if (link !== 'nothing') await new Promise((resolve) => setTimeout(resolve, options.settleMs ?? 50));
  if (link === 'refused') await expire(target, '+120');
  if (options.expireTarget) await expire(target, 'now');
}

/** Starts the move of the machine and returns once it is active. `finish` of what it returns waits for the end. */
export async function beginMove(
  source: MigrationHost,
  target: MigrationHost,
  options: MoveOptions = {},
): Promise<{ finish(): Promise<MoveReport>; cancel(): Promise<MoveReport>; hurry(): Promise<void> }> {
  const timeoutMs = options.timeoutMs ?? 20_000;
  const { peer } = source;
  await peer.tryExecute('migrate-set-capabilities', { capabilities: [{ capability: 'events', state: true }] });
  if (options.bandwidth !== undefined) await setBandwidth(source, options.bandwidth);
  const since = peer.mark();
  // A move to an address where nobody listens can fail within the command, before any event; both count.
  const refused = await peer.execute('migrate', { uri: options.uri ?? target.migrateUri }).then(
    () => undefined,
    (error: Error) => error,
  );
  const migration = (wanted: (status: string) => boolean) => (event: QmpEvent) =>
    event.event === 'MIGRATION' && wanted(String(event.data.status));
  const from = (): QmpEvent[] => peer.events.slice(since);
  const ended = (): QmpEvent | undefined => from().find(migration((status) => OUTCOMES.includes(status)));
  const started = (): QmpEvent | undefined => from().find(migration((status) => status === 'active')) ?? ended();
  if (refused !== undefined && started() === undefined) throw refused;
  await peer.waitUntil(() => started() !== undefined, 'the move to start', timeoutMs);

  const finish = async (): Promise<MoveReport> => {
    await peer.waitUntil(() => ended() !== undefined, 'the end of the move', timeoutMs);
    const end = ended()!;
    const outcome = end.data.status as MigrationOutcome;
    const spiceDone = (): QmpEvent | undefined => from().find((event) => event.event === 'SPICE_MIGRATE_COMPLETED');
    if (outcome === 'completed') {
      // The source must live until its clients have left it; QEMU says so in any case within ten seconds.
      await peer.waitUntil(() => spiceDone() !== undefined, 'SPICE_MIGRATE_COMPLETED', timeoutMs);
    }
    const answer = await peer.execute<{ 'error-desc'?: string }>('query-migrate');
    const stop = from().find((event) => event.event === 'STOP');
    const done = spiceDone();
    return {
      outcome,
      ...(answer['error-desc'] === undefined ? {} : { error: answer['error-desc'] }),
      startedAt: started()!.at,
      ...(stop === undefined ? {} : { stoppedAt: stop.at }),
      endedAt: end.at,
      ...(done === undefined ? {} : { spiceDoneAt: done.at }),
    };
  };
  return {
    finish,
    cancel: async () => {
      await peer.execute('migrate_cancel');
      return await finish();
    },
    hurry: async () => await setBandwidth(source, 1 << 30),
  };
}

/** A whole hand-over: links the clients, moves the machine, and waits for the end, whichever it is. */
export async function liveMigrate(
  source: MigrationHost,
  target: MigrationHost,
  options: LinkOptions & MoveOptions = {},
): Promise<MoveReport> {
  await linkClients(source, target, options);
  const move = await beginMove(source, target, options);
  return await move.finish();
}

/** How many different channels clients have open at a host. */
export async function openChannels(host: MigrationHost): Promise<number> {
  const answer = await host.peer.execute<{ channels?: QmpData[] }>('query-spice');
  // An entry that an earlier attempt left behind has the same numbers, and counts once.
  return new Set(
    (answer.channels ?? []).map((one) => `${one['connection-id']}/${one['channel-type']}/${one['channel-id']}`),
  ).size;
}

async function expire(host: MigrationHost, time: string): Promise<void> {
  await host.peer.execute('expire_password', { protocol: 'spice', time });
}

async function setBandwidth(host: MigrationHost, bytesPerSecond: number): Promise<void> {
  await host.peer.execute('migrate-set-parameters', { 'max-bandwidth': bytesPerSecond });
}

function count(peer: QmpPeer, name: string, since: number): number {
  return peer.events.slice(since).filter((event) => event.event === name).length;
}
