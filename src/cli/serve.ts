/**
 * `sumac serve`: a SPICE server that shows the test card, controlled like a QEMU. It opens what the flags say, prints where
 * that is, and tells what happens until it is ended; everything else is the host's.
 */
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { merge } from 'rxjs';
import { filter, map } from 'rxjs/operators';
import { schemes as allSchemes, type Scheme } from '../../machines/contract.ts';
import { type SumacError, UsageError } from '../errors.ts';
import { formatAddress } from '../qmp/address.ts';
import { streamingVideos } from '../server/motion.ts';
import { imageCompressions, wanCompressions } from '../server/picture-encoder.ts';
import type { Server } from '../server/server.ts';
import { inspectFlags, openInspection } from './inspector.ts';
import { journalFlags, openJournals } from './journal-flags.ts';
import { type HostEvent, hostJson, hostSentence, isOfGuest } from './server-lines.ts';
import { readText } from './target.ts';
import { jsonLine, plain, type Terminal } from './terminal.ts';
import { createTestCardHost } from './test-card-host.ts';
import { writeSpiceUri } from './uri.ts';
import { count, duration, oneOf, onOff, port, schemes, size, socketAddress, text } from './values.ts';
import { flag, toggle, type Values, verb } from './verb.ts';
import { version } from './version.ts';

const flags = {
  port: flag('PORT', port, 'The plain port, 0 for any that is free. Default 5900, where nothing else is to be opened.'),
  'tls-port': flag('PORT', port, 'The TLS port. Needs --tls-cert and --tls-key.'),
  'tls-cert': flag('FILE', text, "The server's certificate, in PEM."),
  'tls-key': flag('FILE', text, 'Its key, in PEM.'),
  'tls-ca': flag('FILE', text, "The CA's certificate, in PEM; clients are sent it, and the printed command names it."),
  unix: flag('PATH', text, 'A unix socket for clients.'),
  addr: flag('ADDRESS', text, 'The address to listen on. Default 127.0.0.1.'),
  password: flag('TEXT', text, 'What clients must know. SUMAC_PASSWORD in the environment does the same, unseen.'),
  name: flag('TEXT', text, "The guest's name, which clients and the test card show. Default sumac."),
  size: flag('WxH', size, 'The size of the screen in pixels. Default 640x480.'),
  qmp: flag('ADDRESS', socketAddress, 'Serves the QEMU Machine Protocol on unix:PATH or tcp:HOST:PORT.'),
  incoming: flag(
    'ADDRESS',
    socketAddress,
    'Waits on tcp:HOST:PORT for a guest to move in, instead of running its own.',
  ),
  'migrate-ms': flag('N', count, 'How long the guest takes to move, in milliseconds. Default 300.'),
  return: flag(
    'DURATION',
    duration,
    'How long a session waits for a client that was lost and knows how to return; 0s for not at all. Default 60s.',
  ),
  'image-compression': flag(
    'HOW',
    oneOf(...imageCompressions),
    `How pictures are encoded, unless a client prefers another way: ${imageCompressions.join(', ')}. Default auto_glz.`,
  ),
  'jpeg-wan-compression': flag(
    'WHEN',
    oneOf(...wanCompressions),
    'auto, never or always: whether photographs may be sent as JPEG, which changes them a little. auto does so where the ' +
      'link is slow, below 10 Mbit/s, and makes it good when the screen rests. Default auto.',
  ),
  'zlib-glz-wan-compression': flag(
    'WHEN',
    oneOf(...wanCompressions),
    'auto, never or always: whether GLZ is packed once more; auto does so where the link is slow. Default auto.',
  ),
  'streaming-video': flag(
    'WHICH',
    oneOf(...streamingVideos),
    'off, filter or all: which moving regions go as MJPEG: none, those like films, or all. Default off.',
  ),
  'playback-compression': flag('on|off', onOff, 'Whether sound may go as Opus. Default on.'),
  schemes: flag('LIST', schemes, 'Hand-over schemes, best first. Default seamless,semi-seamless,switch-host.'),
  seamless: flag('on|off', onOff, 'off takes seamless out of the schemes. Default on.'),
  ...inspectFlags,
  ...journalFlags,
  resume: toggle('Takes up the sessions that a killed server left in --journal: their clients may come back to them.'),
  json: toggle('One line of JSON for each event instead of sentences; `at` is milliseconds since the start.'),
} as const;

export const serve = verb({
  name: 'serve',
  summary: 'A SPICE server that shows a moving test card, controlled like a QEMU',
  words: [],
  flags,
  about: [
    'Shows a moving picture with a clock, sounds a tone, and shows the keys, the pointer and the microphone of its clients. ' +
      'With --qmp it is driven by the scripts that drive a QEMU: client_migrate_info and migrate hand its clients over to ' +
      'another sumac serve --incoming, which goes on where this one was.',
    'Ends with Ctrl-C, or with quit by QMP.',
  ],
  examples: [
    ['sumac serve', 'Port 5900 on this machine; prints the command to watch with.'],
    [
      'sumac serve --port 5901 --name source --qmp unix:/tmp/source.qmp',
      'The source of a hand-over. The target: sumac serve --port 5902 --name target --incoming tcp:127.0.0.1:4444',
    ],
    ['sumac serve --tls-port 5930 --tls-cert cert.pem --tls-key key.pem --tls-ca ca.pem', 'TLS alone.'],
  ],
  run,
});

const mostPem = 1024 * 1024;

async function run(values: Values<typeof flags>, _words: readonly string[], terminal: Terminal): Promise<number> {
  const started = performance.now();
  const tell = (event: HostEvent) => {
    const at = performance.now() - started;
    const line = values.json ? hostJson(at, event) : hostSentence(at, event);
    if (line !== undefined) terminal.out(line);
  };
  const tls = readTls(values);
  const addr = values.addr ?? '127.0.0.1';
  const password = values.password ?? (terminal.env.SUMAC_PASSWORD || undefined);
  const plainPort = values.port ?? (values['tls-port'] === undefined && values.unix === undefined ? 5900 : undefined);
  let quit = () => {};
  const ended = new Promise<void>((resolve) => {
    quit = resolve;
    if (terminal.stopped.aborted) resolve();
    terminal.stopped.addEventListener('abort', () => resolve(), { once: true });
  });
  if (values.resume && values.journal === undefined) throw new UsageError('--resume is of no use without --journal');
  let failure: SumacError | undefined;
  const journals = await openJournals(values, terminal, (error) => {
    failure = error;
    quit();
  });
  const host = await createTestCardHost({
    journal: journals?.journal(values.name),
    resume: values.resume,
    host: addr,
    port: plainPort,
    tlsPort: values['tls-port'],
    tls,
    path: values.unix,
    password,
    name: values.name,
    width: values.size?.width,
    height: values.size?.height,
    schemes: schemesOf(values),
    imageCompression: values['image-compression'],
    jpegWanCompression: values['jpeg-wan-compression'],
    zlibGlzWanCompression: values['zlib-glz-wan-compression'],
    streamingVideo: values['streaming-video'],
    playbackCompression: values['playback-compression'],
    qmp: values.qmp,
    package: `sumac ${version()}`,
    incoming: values.incoming,
    moveMs: values['migrate-ms'],
    returnMs: values.return,
    onQuit: quit,
    log: (line) => tell({ event: 'log', line }),
  }).catch(async (error) => {
    await journals?.close().catch(() => {});
    throw error;
  });
  const inspection = await openInspection(values, (line) => terminal.err(plain(line))).catch(async (error) => {
    await host.close();
    await journals?.close().catch(() => {});
    throw error;
  });
  inspection?.server(values.name ?? 'sumac', host.server);
  try {
    const { server, machine, qmp } = host;
    merge(
      server.events,
      machine.events.pipe(
        filter(isOfGuest),
        map((notice) => ({ event: 'guest', notice }) as const),
      ),
    ).subscribe(tell);
    const watch = watchCommands(server, values, tls?.cert);
    const control = qmp === undefined ? undefined : formatAddress(qmp.address);
    if (values.json) {
      const { incoming } = machine;
      terminal.out(jsonLine({ at: 0, event: 'listening', ...server.addresses, watch, qmp: control, incoming }));
    } else for (const line of openingLines(server, watch, control, machine.incoming)) terminal.out(plain(line));
    if (password === undefined && !isLoopback(addr) && server.addresses.port !== undefined) {
      terminal.err(`sumac: everybody who reaches ${plain(addr)} may connect: there is no password`);
    }
    if (inspection?.url !== undefined) terminal.err(`inspector: ${inspection.url}`);
    if (journals !== undefined) terminal.err(`journal: ${plain(journals.place)}`);
    await ended;
    if (failure !== undefined) throw failure;
    return 0;
  } finally {
    await inspection?.close();
    await host.close();
    await journals?.close();
  }
}

function readTls(values: Values<typeof flags>): { key: string; cert: string; ca?: string } | undefined {
  const { 'tls-port': tlsPort, 'tls-cert': certFile, 'tls-key': keyFile, 'tls-ca': caFile } = values;
  if (tlsPort === undefined) {
    for (const name of ['tls-cert', 'tls-key', 'tls-ca'] as const) {
      if (values[name] !== undefined) throw new UsageError(`--${name} is of no use without --tls-port`);
    }
    return undefined;
  }
  if (certFile === undefined || keyFile === undefined) {
    throw new UsageError('--tls-port needs --tls-cert and --tls-key');
  }
  return {
    cert: readText(certFile, mostPem, `The certificate ${certFile}`),
    key: readText(keyFile, mostPem, `The key ${keyFile}`),
    ...(caFile === undefined ? {} : { ca: readText(caFile, mostPem, `The CA certificate ${caFile}`) }),
  };
}

function schemesOf({ schemes: wanted, seamless }: Values<typeof flags>): readonly Scheme[] | undefined {
  if (seamless !== false) return wanted;
  const rest = (wanted ?? allSchemes.filter((scheme) => scheme !== 'early-link')).filter((s) => s !== 'seamless');
  if (rest.length === 0) throw new UsageError('--seamless off leaves no hand-over scheme');
  return rest;
}

const isLoopback = (address: string): boolean => /^(127\.|::1$|localhost$)/.test(address);

/** Where to connect to when a server listens on this address. */
const reachable = (address: string): string =>
  address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? '::1' : address;

/** What to type to see it: one command for each way in. */
function watchCommands(server: Server, values: Values<typeof flags>, cert: string | undefined): string[] {
  const { host: address, port, tlsPort, path } = server.addresses;
  const host = reachable(address);
  const commands: string[] = [];
  if (port !== undefined) commands.push(`remote-viewer ${writeSpiceUri({ host, port })}`);
  if (tlsPort !== undefined) {
    const ca = values['tls-ca'] === undefined ? '' : ` --spice-ca-file=${quoted(values['tls-ca'])}`;
    const subject = cert === undefined ? undefined : subjectToName(cert, host);
    const name = subject === undefined ? '' : ` --spice-host-subject=${quoted(subject)}`;
    commands.push(`remote-viewer${ca}${name} ${writeSpiceUri({ host, tlsPort })}`);
  }
  if (path !== undefined) {
    const uri = writeSpiceUri({ host: path, path });
    // A path is taken as it is, and remote-viewer takes only what could be part of an address.
    const isPlain = encodeURI(path) === path;
    commands.push(isPlain ? `remote-viewer ${quoted(uri)}` : `spicy ${quoted(`--uri=${uri}`)}`);
  }
  return commands;
}

/** For a shell. */
const quoted = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);

/** The certificate's subject, where its names do not cover the host and clients must be told what to expect. */
function subjectToName(pem: string, host: string): string | undefined {
  const certificate = new X509Certificate(pem);
  if ((isIP(host) ? certificate.checkIP(host) : certificate.checkHost(host)) !== undefined) return undefined;
  // What has to be escaped is written differently by everybody; that is left to the user.
  return /[\\+,]/.test(certificate.subject) ? undefined : certificate.subject.split('\n').join(',');
}

function openingLines(
  server: Server,
  watch: readonly string[],
  qmp: string | undefined,
  incoming: string | undefined,
): string[] {
  const { host, port, tlsPort, path } = server.addresses;
  const name = host.includes(':') ? `[${host}]` : host;
  return [
    ...(port === undefined ? [] : [`listening on ${name}:${port}`]),
    ...(tlsPort === undefined ? [] : [`listening on ${name}:${tlsPort}, TLS`]),
    ...(path === undefined ? [] : [`listening on ${path}`]),
    ...(qmp === undefined ? [] : [`QMP on ${qmp}`]),
    ...(incoming === undefined ? [] : [`waiting for a guest on ${incoming}`]),
    'watch with:',
    ...watch.map((command) => `  ${command}`),
  ];
}
