/** The main channel's side of the guest: its name, its clock, its mouse mode and its agent, told to every client. */
import type { MainFacts, Scheme } from '../../machines/contract.ts';
import type { GuestFacts } from '../../machines/supervisor.ts';
import type { ChannelHost } from '../engine/channel-host.ts';
import type { Clock } from '../engine/clock.ts';
import { UsageError } from '../errors.ts';
import { caps, MainCap } from '../protocol/capabilities.ts';
import { MouseMode } from '../protocol/main.ts';
import { readMigrateData, writeMigrateData } from '../protocol/migrate-data.ts';
import { agentWindow, ServerAgent } from './agent.ts';
import type { Part } from './part.ts';

/** A server tells clients a clock that is a little behind, so that sound and video can be held back (spec §3g). */
const multiMediaLag = 400;

export class Main implements Part {
  readonly caps: readonly number[];
  readonly agent = new ServerAgent();
  private readonly name: string;
  private readonly uuid: Uint8Array;
  private readonly clock: Clock;
  private readonly hosts = new Set<ChannelHost>();
  private mouse = { supported: MouseMode.server | MouseMode.client, current: MouseMode.server as number };
  private timeAtZero = 0;
  /** Called when the guest is different from what it was. */
  onChange: (guest: GuestFacts) => void = () => {};

  /** Throws UsageError when `uuid` is none. */
  constructor(name: string, uuid: string, clock: Clock, schemes: readonly Scheme[], mayReturn = false) {
    this.name = name;
    this.uuid = uuidBytes(uuid);
    this.clock = clock;
    this.caps = caps(
      MainCap.semiSeamlessMigrate,
      MainCap.nameAndUuid,
      MainCap.agentConnectedTokens,
      ...(schemes.includes('seamless') ? [MainCap.seamlessMigrate] : []),
      ...(schemes.includes('early-link') ? [MainCap.earlyLink] : []),
      ...(mayReturn ? [MainCap.mayReturn] : []),
    );
  }

  attach(host: ChannelHost): void {
    this.agent.attach(host);
    host.states.subscribe((state) => {
      if (state.type === 'ready') {
        this.hosts.add(host);
        host.plane.ping();
        if (!state.afresh) this.tellTime(host);
      } else if (state.type === 'ended') this.hosts.delete(host);
    });
    host.messages.subscribe(({ type, body }) => {
      if (type === 'msgc.mouse_mode_request' && (this.mouse.supported & body.mode) !== 0) {
        this.setMouseModes({ supported: this.mouse.supported, current: body.mode });
      }
    });
  }

  get mouseMode(): number {
    return this.mouse.current;
  }

  /** Goes on with a guest of which a program that has ended was told this. */
  goOn({ supportedMouseModes, currentMouseMode, multiMediaTimeAtZero }: GuestFacts): void {
    this.mouse = { supported: supportedMouseModes, current: currentMouseMode };
    this.timeAtZero = multiMediaTimeAtZero;
  }

  setMouseModes(modes: { supported: number; current: number }): void {
    const isNew = modes.supported !== this.mouse.supported || modes.current !== this.mouse.current;
    this.mouse = { ...modes };
    if (isNew) this.onChange(this.facts);
    for (const host of this.hosts) {
      host.send({
        type: 'msg.mouse_mode',
        body: { supportedModes: modes.supported, currentMode: modes.current },
      });
    }
  }

  /** Milliseconds; wraps at 2³². */
  get multiMediaTime(): number {
    return Math.round(this.clock.now() + this.timeAtZero) >>> 0;
  }

  set multiMediaTime(time: number) {
    this.timeAtZero = time - this.clock.now();
    this.onChange(this.facts);
    for (const host of this.hosts) this.tellTime(host);
  }

  ask(host: ChannelHost): MainFacts {
    return {
      displayChannels: 1,
      supportedMouseModes: this.mouse.supported,
      currentMouseMode: this.mouse.current,
      agentConnected: this.agent.ask(host),
      agentTokens: agentWindow,
      multiMediaTime: this.toldTime,
      name: this.name,
      uuid: this.uuid,
    };
  }

  collect(host: ChannelHost): Uint8Array {
    return writeMigrateData('main', {
      version: 1,
      ...this.agent.collect(host),
      // What the agent says is passed on whole: there is never a part of it here.
      agent2client: {
        chunkHeaderSize: 0,
        chunkHeader: { port: 0, size: 0 },
        msgHeaderDone: false,
        msgHeader: new Uint8Array(),
        msgRemaining: 0,
        msgFilterResult: 0,
      },
    });
  }

  load(host: ChannelHost, data: Uint8Array): void {
    this.agent.load(host, readMigrateData('main', data));
  }

  private get facts(): GuestFacts {
    const { supported, current } = this.mouse;
    return { supportedMouseModes: supported, currentMouseMode: current, multiMediaTimeAtZero: this.timeAtZero };
  }

  private get toldTime(): number {
    return (this.multiMediaTime - multiMediaLag) >>> 0;
  }

  private tellTime(host: ChannelHost): void {
    host.send({ type: 'msg.multi_media_time', body: { time: this.toldTime } });
  }
}

function uuidBytes(uuid: string): Uint8Array {
  const hex = uuid.replaceAll('-', '');
  if (!/^[0-9a-f]{32}$/i.test(hex)) throw new UsageError(`${uuid} is no UUID`);
  return Uint8Array.from({ length: 16 }, (_, i) => Number.parseInt(hex.slice(i * 2, i * 2 + 2), 16));
}
