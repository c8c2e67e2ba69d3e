/**
 * The verbs of the command line, in the order in which the help lists them. A verb's code is loaded only when it is asked
 * for. A new verb is a file and a line here.
 */
import type { Verb } from './verb.ts';

export interface VerbEntry {
  readonly summary: string;
  load(): Promise<Verb>;
}

export const verbs: Readonly<Record<string, VerbEntry>> = {
  demo: {
    summary: 'The main job: two servers, one guest that moves between them, and a client that follows it',
    load: async () => (await import('./demo.ts')).demo,
  },
  serve: {
    summary: 'A SPICE server that shows a moving test card, controlled like a QEMU',
    load: async () => (await import('./serve.ts')).serve,
  },
  connect: {
    summary: 'A client without a window: tells what happens, takes pictures and sound, follows hand-overs',
    load: async () => (await import('./connect.ts')).connect,
  },
  screenshot: {
    summary: 'One picture of a SPICE server, as a PNG file',
    load: async () => (await import('./screenshot.ts')).screenshot,
  },
  journal: {
    summary: 'Journals of sessions: lists, shows and proves them, and writes them as packets for Wireshark',
    load: async () => (await import('./journal.ts')).journal,
  },
  replay: {
    summary: 'A moment of a recorded session: its picture, and where its charts were',
    load: async () => (await import('./replay.ts')).replay,
  },
  charts: {
    summary: 'The statecharts that everything runs on: their names, or one as a picture or a text',
    load: async () => (await import('./charts.ts')).charts,
  },
  inspect: {
    summary: 'A journal in the inspector’s page: its hand-overs, charts and messages, as they were',
    load: async () => (await import('./inspect.ts')).inspect,
  },
};
