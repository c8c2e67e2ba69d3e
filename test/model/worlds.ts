/**
 * The worlds that are gone through, each within bounds that it states: one client, two servers (three where the guest goes on
 * to another), few channels, and a number of faults and of early timers. Every scheme and every fault comes up in the small
 * set; the long one has more channels, more faults in one run, and every timer at any time.
 */
import type { Scheme } from '../../machines/contract.ts';
import { allSchemes, type Fault, faults, type Scenario } from './scenario.ts';

export interface Bounds {
  /** Worlds of the long set too. */
  readonly long: boolean;
  /** Faults in one run, where a world has any. Default: 1. */
  readonly faults?: number;
  /** Timers in one run that are over before what is about to happen anyway. Default: what each world says. */
  readonly early?: number;
}

/** What can befall the hosts that move the guest, where their charts do. */
const ofTheLine: readonly Fault[] = ['line refused', 'line cut'];
const everyFault = (Object.keys(faults) as Fault[]).filter((fault) => !ofTheLine.includes(fault));
/** What a move that is led by charts is tried with. */
const ofTheHosts: readonly Fault[] = [...ofTheLine, 'target silent', 'restart', 'source ends', 'again', 'elsewhere'];

/** A scenario without a word of its own. */
const world = (name: string, scheme: Scheme, channels: readonly string[], more: Partial<Scenario> = {}): Scenario => ({
  name: `${scheme}: ${name}`,
  scheme,
  channels,
  faults: [],
  most: 0,
  rush: 0,
  ...more,
});

const without = (...schemes: Scheme[]) => allSchemes.filter((scheme) => !schemes.includes(scheme));

/** What each end may lack (spec §3.0, §5.6). */
const lacks: Readonly<Record<string, Partial<Scenario>>> = {
  'the client knows no seamless': { schemes: { client: without('seamless') } },
  'the client knows no agent tokens': { tokenless: true },
  'the client knows no early link': { schemes: { client: without('early-link') } },
  'the client knows only semi-seamless': { schemes: { client: ['semi-seamless', 'switch-host'] } },
  'the client knows only switch-host': { schemes: { client: ['switch-host'] } },
  'the source knows no seamless': { schemes: { source: without('seamless') } },
  'the source knows only switch-host': { schemes: { source: ['switch-host'] } },
  'the target knows no seamless': { schemes: { target: without('seamless') } },
  'the target knows no early link': { schemes: { target: without('early-link') } },
  'the target knows only switch-host': { schemes: { target: ['switch-host'] } },
  'the target declines': { schemes: { target: without('seamless') }, declines: true },
};

/** What a client that may return must live through. */
const losses: readonly Fault[] = ['cut', 'host cut', 'restart', 'source ends', 'target silent', 'expired'];

const added = (fault: Fault): Partial<Scenario> => (fault === 'channel added' ? { added: 'display:1' } : {});

const led = (scheme: Scheme, fault: Fault, more: Partial<Scenario> = {}): Scenario =>
  world(`led by its hypervisor, ${fault}`, scheme, ['inputs:0'], { led: true, faults: [fault], most: 1, ...more });

function small(scheme: Scheme): Scenario[] {
  return [
    world('two displays', scheme, ['display:0', 'display:1']),
    world('keys and picture, things said', scheme, ['inputs:0', 'display:0'], { chatter: 1 }),
    world('pointer', scheme, ['cursor:0', 'inputs:0']),
    world('sound', scheme, ['playback:0', 'record:0']),
    ...(scheme === 'seamless'
      ? [world('servers that move the state of all', scheme, ['cursor:0', 'playback:0'], { stateOfAll: true })]
      : []),
    world('a source that lists its channels late', scheme, ['inputs:0'], { listsLate: true }),
    world('a client that comes meanwhile', scheme, ['display:0'], { cold: true }),
    world('keys typed', scheme, ['inputs:0'], { typed: { channel: 'inputs:0', messages: 3 } }),
    world('agent messages', scheme, ['inputs:0'], { typed: { channel: 'main:0', messages: 3 } }),
    world('record data', scheme, ['record:0'], { typed: { channel: 'record:0', messages: 2 } }),
    world('a guest with an agent', scheme, ['inputs:0'], { agent: true }),
    world('a timer early', scheme, ['inputs:0'], { rush: 1 }),
    ...Object.entries(lacks).map(([name, more]) => world(name, scheme, ['inputs:0'], more)),
    ...losses.map((fault) =>
      world(`${fault}, and it may return`, scheme, ['inputs:0'], { faults: [fault], most: 1, returns: true }),
    ),
    ...everyFault.map((fault) => world(fault, scheme, ['inputs:0'], { faults: [fault], most: 1, ...added(fault) })),
    world('led by its hypervisor', scheme, ['inputs:0'], { led: true }),
    ...ofTheHosts.map((fault) => led(scheme, fault)),
    world('restart, and linked again', scheme, ['inputs:0'], { faults: ['restart'], most: 1, relinks: 1 }),
  ];
}

function long(scheme: Scheme): Scenario[] {
  return [
    world('two displays and keys', scheme, ['display:0', 'display:1', 'inputs:0']),
    world('two displays, a timer early', scheme, ['display:0', 'display:1'], { rush: 1 }),
    world('pointer, a timer early', scheme, ['cursor:0', 'inputs:0'], { rush: 1 }),
    world('sound, a timer early', scheme, ['playback:0', 'record:0'], { rush: 1 }),
    world('a client that comes meanwhile, a timer early', scheme, ['display:0'], { cold: true, rush: 1 }),
    world('keys typed, a timer early', scheme, ['inputs:0'], { rush: 1, typed: { channel: 'inputs:0', messages: 2 } }),
    ...(['onward', 'back'] as const).map((fault) => led(scheme, fault)),
    world('led by its hypervisor, a timer early', scheme, ['inputs:0'], { led: true, rush: 1 }),
    world('two timers early', scheme, ['inputs:0'], { rush: 2 }),
    ...everyFault.flatMap((fault) => [
      world(`${fault}, picture`, scheme, ['display:0'], { faults: [fault], most: 1, ...added(fault) }),
      world(`${fault}, a timer early`, scheme, ['inputs:0'], { faults: [fault], most: 1, rush: 1, ...added(fault) }),
    ]),
    ...(['cut', 'host cut', 'expired', 'target silent', 'retarget'] as const).map((fault) =>
      world(`${fault}, and linked again`, scheme, ['inputs:0'], { faults: [fault], most: 1, relinks: 1 }),
    ),
    world('linked again, a timer early', scheme, ['inputs:0'], { rush: 1, relinks: 1 }),
    world('restart, and linked again twice', scheme, ['inputs:0'], { faults: ['restart'], most: 2, relinks: 2 }),
    ...Object.entries(lacks).map(([name, more]) =>
      world(`${name}, any fault`, scheme, ['inputs:0'], { ...more, faults: everyFault, most: 1 }),
    ),
  ];
}

export function worlds({ long: all, faults: most, early }: Bounds): Scenario[] {
  return allSchemes
    .flatMap((scheme) => [...small(scheme), ...(all ? long(scheme) : [])])
    .map((scenario) => ({
      ...scenario,
      ...(early === undefined ? {} : { rush: early }),
      ...(most === undefined || scenario.most === 0
        ? {}
        : { most, faults: scenario.led ? [...everyFault, ...ofTheLine] : everyFault }),
    }));
}
