/**
 * `sumac connect`: a client without a window. It tells what happens in lines, and takes along pictures and sound. It decides
 * nothing about the session: that is the client's.
 */
import type { Client, ClientEvent } from '../client/client.ts';
import type { Bgrx } from '../client/png.ts';
import { type ConnectOptions, connect as openClient } from '../connect.ts';
import { SumacError, UsageError } from '../errors.ts';
import { clientJson, clientSentence, explainReason } from './client-lines.ts';
import { inspectFlags, openInspection } from './inspector.ts';
import { journalFlags, openJournals } from './journal-flags.ts';
import { checkWritable, settle, takePicture, undrawnLines, writePicture } from './picture-file.ts';
import { Microphone, readSound, SoundRecorder } from './sound-file.ts';
import { bothAllow, channelsFlag, readTarget, targetAbout, targetFlags } from './target.ts';
import { plain, type Terminal } from './terminal.ts';
import { duration, oneOf, schemes, text, triesOrOff } from './values.ts';
import { flag, toggle, type Values, verb } from './verb.ts';

const flags = {
  ...targetFlags,
  ...inspectFlags,
  ...journalFlags,
  json: toggle('One line of JSON for each event instead of sentences; `at` is milliseconds since the start.'),
  for: flag('DURATION', duration, 'Ends after so long, such as 500ms, 10s or 2m.'),
  until: flag(
    'WHAT',
    oneOf('frame', 'handover', 'closed'),
    'Ends with the first whole picture, with the first hand-over that has switched, or when the session has ended.',
  ),
  screenshot: flag('FILE.png', text, 'Writes the picture of the first display at the end.'),
  record: flag('FILE.wav', text, 'Records what the guest plays.'),
  play: flag('FILE.wav', text, 'Says this into the microphone, once, when the guest listens. 16-bit PCM of any rate.'),
  'raw-sound': toggle('Takes and says sound as samples, not as Opus: larger, and exact.'),
  reconnect: flag(
    'N|off',
    triesOrOff,
    'Tries in a row to find a server again that was lost, within two minutes. Default 10.',
  ),
  resume: toggle(
    'Takes up the session of a client that was killed and kept this --journal: it asks for it back where it was. Where ' +
      'there is none it begins anew, at URI.',
  ),
  'wait-for-server': toggle('Tries as often to find one that is not there yet.'),
  channels: channelsFlag,
  schemes: flag('LIST', schemes, 'Hand-over schemes to admit to: seamless, early-link, semi-seamless, switch-host.'),
} as const;

/** What a picture at the end waits for: so long without a change, but not longer than that. Milliseconds. */
const stillness = { quiet: 200, most: 1_000 } as const;

export const connect = verb({
  name: 'connect',
  summary: 'A client without a window: tells what happens, takes pictures and sound, follows hand-overs',
  words: ['URI'],
  flags,
  about: [
    'Connects to a SPICE server and stays until it is interrupted, or as --for and --until say. It follows the guest to ' +
      'another host when it moves, and finds a server again that was lost, with its session if that is still there.',
    ...targetAbout,
    'Exit code: 0 when it ended as it should, 1 when the session could not be had or ended before, 2 for a command that ' +
      'cannot be carried out.',
  ],
  examples: [
    ['sumac connect spice://127.0.0.1:5900', 'Tells what happens until Ctrl-C.'],
    [
      'sumac connect spice://127.0.0.1:5900 --json --until handover --screenshot after.png',
      'Waits for a hand-over and takes a picture at the new host; an event a line.',
    ],
    [
      'sumac connect spice://127.0.0.1:5900 --journal ./journal --resume',
      'Goes on where a client that was killed broke off.',
    ],
    [
      'sumac connect console.vv --for 10s --record heard.wav',
      'Listens for ten seconds to where a connection file says.',
    ],
  ],
  run,
});

async function run(values: Values<typeof flags>, [word]: readonly string[], terminal: Terminal): Promise<number> {
  const { screenshot, record, play } = values;
  if (screenshot !== undefined) checkWritable(screenshot, 'The picture');
  const sound = play === undefined ? undefined : readSound(play);
  const target = readTarget(word!, values, terminal.env);
  const channels = bothAllow(values.channels, target.channels);
  checkChannels(values, channels);
  const { reconnect: tries, 'wait-for-server': atStart } = values;
  if (tries === false && atStart) throw new UsageError('--wait-for-server is of no use with --reconnect off');
  if (values.resume && values.journal === undefined) throw new UsageError('--resume is of no use without --journal');
  if (values.resume && tries === false) throw new UsageError('--resume is of no use with --reconnect off');
  const recorder = record === undefined ? undefined : new SoundRecorder(record);
  let session: Session | undefined;
  let microphone: Microphone | undefined;
  let broken: SumacError | undefined;
  const journals = await openJournals(values, terminal, (error) => {
    broken = error;
    session?.finish('stopped');
  });
  const inspection = await openInspection(values, (line) => terminal.err(plain(line)));
  try {
    const options: ConnectOptions = {
      ...target.options,
      journal: journals?.journal(),
      channels,
      schemes: values.schemes,
      rawSound: values['raw-sound'],
      reconnect: tries === false ? false : { tries, atStart },
      log: (line) => terminal.err(plain(line)),
    };
    const client = values.resume ? await openClient({ ...options, resume: true }) : openClient(options);
    inspection?.client(target.name, client);
    if (inspection?.url !== undefined) terminal.err(`inspector: ${inspection.url}`);
    if (journals !== undefined) terminal.err(`journal: ${plain(journals.place)}`);
    session = new Session(client, values, terminal);
    recorder?.follow(client.playback.played);
    if (sound !== undefined) microphone = new Microphone(client.record, sound);
    await session.ended;
    if (screenshot !== undefined) await session.settle();
    session.close();
    recorder?.close();
    if (recorder !== undefined) tellRecording(recorder, values, terminal);
    const failure = broken ?? session.failure(target.name);
    const wrote = screenshot === undefined || session.writePicture(screenshot);
    if (failure !== undefined) throw failure;
    if (!wrote) throw new SumacError('picture', 'There was no picture to write');
    return 0;
  } finally {
    microphone?.close();
    session?.close();
    recorder?.close();
    await inspection?.close();
    await journals?.close();
  }
}

const needs = { screenshot: 'display', record: 'playback', play: 'record' } as const;

function checkChannels(values: Values<typeof flags>, channels: readonly string[] | undefined): void {
  for (const [name, channel] of Object.entries(needs)) {
    if (values[name as keyof typeof needs] === undefined || (channels?.includes(channel) ?? true)) continue;
    throw new UsageError(`--${name} needs the channel ${channel}`);
  }
}

function tellRecording({ seconds, trouble }: SoundRecorder, values: Values<typeof flags>, terminal: Terminal): void {
  if (trouble !== undefined) terminal.err(`sumac: ${values.record}: ${plain(trouble)}`);
  if (!values.json) terminal.out(`${values.record} holds ${seconds.toFixed(2)} s of sound`);
}

type Ending = 'reached' | 'time is over' | 'stopped' | 'closed';

/** One session, from the first dial to the line that tells of its end. */
class Session {
  /** Resolves when there is nothing more to wait for. */
  readonly ended: Promise<void>;
  private readonly client: Client;
  private readonly values: Values<typeof flags>;
  private readonly terminal: Terminal;
  private readonly started = performance.now();
  private readonly timer: NodeJS.Timeout | undefined;
  private end!: () => void;
  private ending: Ending | undefined;
  private isUp = false;
  private hasFrame = false;
  private isClosed = false;
  private reason = '';
  private picture: Bgrx | undefined;

  constructor(client: Client, values: Values<typeof flags>, terminal: Terminal) {
    this.client = client;
    this.values = values;
    this.terminal = terminal;
    this.ended = new Promise((resolve) => {
      this.end = resolve;
    });
    client.events.subscribe((event) => this.take(event));
    if (values.for !== undefined) this.timer = setTimeout(() => this.finish('time is over'), values.for);
    if (terminal.stopped.aborted) this.stop();
    else terminal.stopped.addEventListener('abort', this.stop);
  }

  /** Waits until the picture is all there. */
  async settle(): Promise<void> {
    if (this.isClosed || !this.hasFrame) return;
    await settle(this.client, this.ending === 'reached' ? stillness.quiet : 0, stillness.most);
  }

  /** Ends the session, if it has not ended by itself. */
  close(): void {
    clearTimeout(this.timer);
    this.terminal.stopped.removeEventListener('abort', this.stop);
    if (!this.isClosed) this.client.close();
  }

  /** After `close`. False when there is no picture; throws when the file cannot be written. */
  writePicture(file: string): boolean {
    if (this.picture === undefined) return false;
    writePicture(file, this.picture);
    for (const line of undrawnLines(this.client)) this.terminal.err(plain(line));
    return true;
  }

  /** What went wrong, if something did. `name`: where it wanted to go. */
  failure(name: string): SumacError | undefined {
    const { until, for: most } = this.values;
    if (!this.isUp && this.ending !== 'stopped') {
      const why = this.ending === 'closed' ? explainReason(this.reason) : `no session within ${most} ms`;
      return new SumacError('session', `${name}: ${why}`);
    }
    if (this.ending === 'closed' && until !== 'closed') {
      return new SumacError('session', `${name}: the session has ended: ${explainReason(this.reason)}`);
    }
    if (until !== undefined && (this.ending === 'time is over' || this.ending === 'stopped')) {
      return new SumacError('session', `${name}: ${awaited[until]} was not reached`);
    }
    return undefined;
  }

  private readonly stop = () => this.finish('stopped');

  private take(event: ClientEvent): void {
    const at = performance.now() - this.started;
    const line = this.values.json ? clientJson(at, event) : clientSentence(at, event);
    // For people an end that nobody asked for is told once, as what went wrong.
    const isFault = event.event === 'closed' && this.ending === undefined && this.values.until !== 'closed';
    if (line !== undefined && (this.values.json || !isFault)) this.terminal.out(line);
    if (event.event === 'session') this.isUp = true;
    else if (event.event === 'frame') this.hasFrame = true;
    else if (event.event === 'closed') {
      // The last moment at which there is a picture.
      if (this.hasFrame) this.picture = takePicture(this.client);
      this.isClosed = true;
      this.reason = event.reason;
      this.finish('closed');
    }
    const { until } = this.values;
    if (until === event.event && (event.event !== 'handover' || event.phase === 'switched')) this.finish('reached');
  }

  finish(ending: Ending): void {
    if (this.ending !== undefined) return;
    this.ending = ending;
    this.end();
  }
}

const awaited = { frame: 'the first picture', handover: 'a hand-over', closed: 'the end of the session' } as const;
