/**
 * The commands that a Sumac knows, each with its arguments and what it does to the machine, in the manner of QEMU 7.2: same
 * names, same answers, same errors. Anything that is thrown here and is no QmpError is told as a GenericError.
 */

import { writeFile } from 'node:fs/promises';
import { SumacError } from '../errors.ts';
import { parseAddress } from './address.ts';
import { type ArgumentsOf, type ArgumentTable, optional, readArguments, required, shorten } from './arguments.ts';
import type { VirtualMachine } from './machine.ts';
import { isObject, QmpError, type QmpObject, type QmpVersion } from './protocol.ts';
import { querySpice } from './spice-words.ts';

export interface CommandContext {
  readonly machine: VirtualMachine;
  readonly version: QmpVersion;
  /** Milliseconds since 1970. */
  readonly epoch: () => number;
  /** Resolves when the answer to this command is out, or its client gone. */
  readonly answered: () => Promise<void>;
}

type Answer = QmpObject | readonly QmpObject[];
type Command = (context: CommandContext, given: QmpObject) => Answer | Promise<Answer>;

const done: QmpObject = {};

function command<T extends ArgumentTable>(
  table: T,
  run: (context: CommandContext, given: ArgumentsOf<T>) => Answer | Promise<Answer>,
): Command {
  return (context, given) => run(context, readArguments(table, given));
}

const generic = (desc: string): QmpError => new QmpError('GenericError', desc);

/** Of QEMU 7.2. Only max-bandwidth makes a difference here. */
const migrationParameters = {
  ...Object.fromEntries(
    [
      ...['announce-initial', 'announce-max', 'announce-rounds', 'announce-step', 'compress-level', 'compress-threads'],
      ...['decompress-threads', 'throttle-trigger-threshold', 'cpu-throttle-initial', 'cpu-throttle-increment'],
      ...['downtime-limit', 'x-checkpoint-delay', 'multifd-channels', 'xbzrle-cache-size', 'max-postcopy-bandwidth'],
      ...['max-cpu-throttle', 'multifd-zlib-level', 'multifd-zstd-level'],
    ].map((name) => [name, optional('integer')]),
  ),
  'compress-wait-thread': optional('boolean'),
  'cpu-throttle-tailslow': optional('boolean'),
  'block-incremental': optional('boolean'),
  'tls-creds': optional('string'),
  'tls-hostname': optional('string'),
  'tls-authz': optional('string'),
  'multifd-compression': optional('string'),
} as const;

const protocols = ['vnc', 'spice'] as const;

const commands = new Map<string, Command>([
  ['query-version', command({}, ({ version }) => ({ ...version }))],
  ['query-name', command({}, ({ machine }) => ({ name: machine.name }))],
  [
    'query-status',
    command({}, ({ machine: { runState } }) => ({
      status: runState,
      singlestep: false,
      running: runState === 'running',
    })),
  ],
  ['query-commands', command({}, () => [...commandNames()].map((name) => ({ name })))],
  ['query-spice', command({}, ({ machine }) => querySpice(machine.spice, machine))],
  [
    'stop',
    command({}, ({ machine }) => {
      machine.stop();
      return done;
    }),
  ],
  [
    'cont',
    command({}, ({ machine }) => {
      machine.cont();
      return done;
    }),
  ],
  [
    'quit',
    command({}, ({ machine, answered }) => {
      machine.quit(answered());
      return done;
    }),
  ],
  [
    'screendump',
    command(
      {
        filename: required('string'),
        device: optional('string'),
        head: optional('integer'),
        format: optional(['ppm', 'png']),
      },
      screendump,
    ),
  ],
  [
    'client_migrate_info',
    command(
      {
        protocol: required('string'),
        hostname: required('string'),
        port: optional('integer'),
        'tls-port': optional('integer'),
        'cert-subject': optional('string'),
      },
      clientMigrateInfo,
    ),
  ],
  [
    'migrate',
    command({ uri: required('string'), detach: optional('boolean') }, ({ machine }, { uri }) => {
      try {
        parseAddress(uri);
      } catch {
        const [, scheme, rest = ''] = /^(tcp|unix):(.*)$/s.exec(uri) ?? [];
        if (scheme === undefined) throw generic("Parameter 'uri' expects a valid migration protocol");
        throw generic(`error parsing address '${shorten(rest)}'`);
      }
      machine.migrate(uri);
      return done;
    }),
  ],
  [
    'migrate_cancel',
    command({}, ({ machine }) => {
      machine.cancel();
      return done;
    }),
  ],
  ['query-migrate', command({}, queryMigrate)],
  [
    'migrate-set-parameters',
    command({ ...migrationParameters, 'max-bandwidth': optional('integer') }, ({ machine }, given) => {
      const bandwidth = given['max-bandwidth'];
      if (bandwidth !== undefined && bandwidth < 0) throw generic("Parameter 'max-bandwidth' expects uint64");
      if (bandwidth !== undefined) machine.setBandwidth(bandwidth);
      return done;
    }),
  ],
  // QEMU says MIGRATION only to those who ask for it so; here it is always said, and no other capability is had.
  [
    'migrate-set-capabilities',
    command({ capabilities: required('array') }, (_, { capabilities }) => {
      for (const one of capabilities) {
        const { capability, state } = isObject(one) ? one : {};
        if (typeof capability !== 'string' || typeof state !== 'boolean') {
          throw generic("Invalid parameter type for 'capabilities', expected: object");
        }
        if (state && capability !== 'events') {
          throw generic(`Parameter 'capability' does not accept value '${shorten(capability)}'`);
        }
      }
      return done;
    }),
  ],
  [
    'set_password',
    command(
      {
        protocol: required(protocols),
        password: required('string'),
        connected: optional(['fail', 'disconnect', 'keep']),
      },
      ({ machine }, { protocol, password, connected = 'keep' }) => {
        if (protocol !== 'spice') throw generic('Could not set password');
        try {
          machine.setPassword(password, connected);
        } catch {
          throw generic('Could not set password');
        }
        return done;
      },
    ),
  ],
  [
    'expire_password',
    command({ protocol: required(protocols), time: required('string') }, ({ machine, epoch }, { protocol, time }) => {
      if (protocol !== 'spice') throw generic('Could not set password expire time');
      try {
        machine.spice.expirePassword(expiry(time, epoch()));
      } catch {
        throw generic('Could not set password expire time');
      }
      return done;
    }),
  ],
]);

/** All that can be executed, negotiation included. */
export const commandNames = (): readonly string[] => [...commands.keys(), 'qmp_capabilities'];

/** Runs a command. Throws QmpError, whatever goes wrong. */
export async function runCommand(name: string, context: CommandContext, given: QmpObject): Promise<Answer> {
  const run = commands.get(name);
  if (run === undefined) throw new QmpError('CommandNotFound', `The command ${shorten(name)} has not been found`);
  try {
    return await run(context, given);
  } catch (error) {
    if (error instanceof QmpError) throw error;
    if (error instanceof SumacError) throw generic(error.message);
    throw new QmpError('GenericError', `${name} failed`, { cause: error });
  }
}

async function screendump(
  { machine }: CommandContext,
  {
    filename,
    device,
    format = 'ppm',
  }: { filename: string; device: string | undefined; format: 'ppm' | 'png' | undefined },
): Promise<Answer> {
  // The one screen has no device's name.
  if (device !== undefined) throw new QmpError('DeviceNotFound', `Device '${shorten(device)}' not found`);
  if (machine.screendump === undefined) throw generic('There is no console to take a screendump from');
  const bytes = machine.screendump(format);
  try {
    await writeFile(filename, bytes);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw generic(`failed to open file '${shorten(filename)}': ${fileReasons[code ?? ''] ?? message}`);
  }
  return done;
}

const fileReasons: Readonly<Record<string, string>> = {
  ENOENT: 'No such file or directory',
  EACCES: 'Permission denied',
  EISDIR: 'Is a directory',
};

function clientMigrateInfo(
  { machine }: CommandContext,
  given: {
    protocol: string;
    hostname: string;
    port: number | undefined;
    'tls-port': number | undefined;
    'cert-subject': string | undefined;
  },
): Answer {
  const { protocol, hostname: host, port, 'tls-port': tlsPort, 'cert-subject': certSubject } = given;
  if (protocol !== 'spice') throw generic("Parameter 'protocol' expects 'spice'");
  if (port === undefined && tlsPort === undefined) throw generic("Parameter 'port/tls-port' is missing");
  // QEMU takes 0 for no port.
  const isPort = (value: number | undefined): value is number => value !== undefined && value > 0 && value <= 65_535;
  try {
    machine.spice.migrateConnect({
      host,
      ...(isPort(port) ? { port } : {}),
      ...(isPort(tlsPort) ? { tlsPort } : {}),
      ...(certSubject === undefined ? {} : { certSubject }),
    });
  } catch {
    throw generic('Could not set up display for migration');
  }
  return done;
}

function queryMigrate({ machine }: CommandContext): Answer {
  const { status, reason, setupTime, totalTime, downtime } = machine.migration();
  const whole = (name: string, ms: number | undefined) => (ms === undefined ? {} : { [name]: Math.round(ms) });
  const { incoming } = machine;
  // QEMU gives no times for a move that came to nothing.
  const timed = status === 'active' || status === 'completed';
  return {
    ...(status === 'none' ? {} : { status }),
    ...(reason === undefined ? {} : { 'error-desc': reason }),
    ...(timed ? { ...whole('setup-time', setupTime), ...whole('total-time', totalTime) } : {}),
    ...whole('downtime', downtime),
    ...(incoming === undefined ? {} : { 'socket-address': [socketAddress(incoming)] }),
  };
}

function socketAddress(text: string): QmpObject {
  const address = parseAddress(text);
  if ('path' in address) return { type: 'unix', path: address.path };
  return { type: 'inet', host: address.host, port: String(address.port) };
}

/** `now`, `never`, seconds from now with a plus, or seconds since 1970. */
function expiry(time: string, epoch: number): number | 'now' | 'never' {
  if (time === 'now' || time === 'never') return time;
  const [, plus, digits] = /^(\+?)(\d{1,12})$/.exec(time) ?? [];
  if (digits === undefined) throw generic(`Parameter 'time' expects 'now', 'never', '+SECONDS' or 'SECONDS'`);
  const ms = Number(digits) * 1000;
  return plus === '+' ? epoch + ms : ms;
}
