/** Doors that are one function: bytes or text in, a value or an error out. */
import { readConnectionFile } from '../../src/cli/connection-file.ts';
import { readSpiceUri } from '../../src/cli/uri.ts';
import { cursorShape, ShapeError } from '../../src/client/cursor-shape.ts';
import { ByteQueue } from '../../src/engine/byte-queue.ts';
import { Deframer } from '../../src/engine/deframe.ts';
import { readMess, readReply } from '../../src/engine/link-stage.ts';
import { ChunkReader, ChunkWriter } from '../../src/journal/chunk.ts';
import { AgentAssembler, agentMessages, decodeAgentMessage } from '../../src/protocol/agent.ts';
import {
  channels,
  decodeMessage,
  encodeMessage,
  type MigrateDataChannel,
  migrateData,
  readMigrateData,
  readSubMessages,
} from '../../src/protocol/index.ts';
import { JsonStream } from '../../src/qmp/protocol.ts';
import { readGuestState } from '../../src/sources/test-card-state.ts';
import { readWav, writeWav } from '../../src/sources/wav.ts';
import { explain, renderExplanation } from '../../src/wire/explain.ts';
import { linkMessage } from '../support/raw-client.ts';
import { linkReply } from '../support/raw-server.ts';
import { glue, mutate } from './mutate.ts';
import type { Random } from './random.ts';
import { bytesOf, entriesOf, framed, messageOf, streamOf, words } from './samples.ts';
import { demand, type Target } from './target.ts';

const utf8 = new TextEncoder();
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const sides = ['server', 'client'] as const;

/** A channel, a side and a number in front of a body. */
const header = (random: Random) => {
  const word = random.below(words.length);
  const side = random.below(2);
  return { word, side, front: Uint8Array.of(word, side) };
};

const messages: Target = {
  name: 'messages',
  generate(random) {
    const { word, side, front } = header(random);
    const { number, body } = messageOf(words[word]!, sides[side]!, random);
    const spoiled = random.once(8) ? random.bytes(random.size(300)) : mutate(body, random);
    return glue(front, Uint8Array.of(number & 255, number >> 8), spoiled);
  },
  run(input) {
    const channel = channels[words[(input[0] ?? 0) % words.length]!];
    const side = sides[(input[1] ?? 0) % 2]!;
    const number = (input[2] ?? 0) | ((input[3] ?? 0) << 8);
    const message = decodeMessage(channel, side, number, input.subarray(4));
    // What was read can be written, and is then read as the same.
    const again = decodeMessage(channel, side, number, encodeMessage(channel, side, message).body);
    demand(same(message, again), `${message.type} is not what was written`);
  },
};

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a, plain) === JSON.stringify(b, plain);
const plain = (_key: string, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value);

const explanations: Target = {
  name: 'explanations',
  generate: (random) => messages.generate(random),
  run(input) {
    const word = words[(input[0] ?? 0) % words.length]!;
    const side = sides[(input[1] ?? 0) % 2]!;
    const number = (input[2] ?? 0) | ((input[3] ?? 0) << 8);
    const entry = entriesOf(word, side).find((one) => one.number === number);
    if (entry === undefined) return;
    const body = input.subarray(4);
    renderExplanation(explain(entry.codec, body), body);
  },
};

const states = Object.keys(migrateData) as MigrateDataChannel[];

const migrateDatas: Target = {
  name: 'migrate-data',
  generate(random) {
    const which = random.below(states.length);
    const body = bytesOf(migrateData[states[which]!], random);
    return glue(Uint8Array.of(which), random.once(10) ? body : mutate(body, random));
  },
  run(input) {
    readMigrateData(states[(input[0] ?? 0) % states.length]!, input.subarray(1));
  },
};

const lists: Target = {
  name: 'sub-messages',
  generate(random) {
    const word = random.pick(words);
    const subs: Uint8Array[] = [];
    for (let left = random.below(5); left > 0; left--) {
      const { number, body } = messageOf(word, 'server', random);
      subs.push(framed(number, body, true));
    }
    const offsets: number[] = [];
    let at = 2 + subs.length * 4;
    for (const sub of subs) {
      offsets.push(at);
      at += sub.length;
    }
    const list = glue(Uint8Array.of(subs.length, 0), new Uint8Array(Uint32Array.from(offsets).buffer), ...subs);
    return mutate(list, random);
  },
  run(input) {
    const work = readSubMessages(input, 0).reduce((sum, { body }) => sum + body.length + 6, 0);
    demand(work <= input.length, 'more than the bytes that came');
  },
};

const linkMessages: Target = {
  name: 'link-messages',
  generate: (random) =>
    glue(Uint8Array.of(random.below(2)), mutate(random.once(2) ? linkMessage() : linkReply(), random)),
  run(input) {
    const queue = new ByteQueue();
    queue.push(input.subarray(1));
    if (input[0]) readMess(queue);
    else readReply(queue);
  },
};

/** Whatever its chunks are, a stream is the same messages. */
const deframing: Target = {
  name: 'frames',
  generate(random) {
    const mini = random.once(2);
    const stream = streamOf(random.pick(words), 'client', mini, random);
    return glue(Uint8Array.of(mini ? 1 : 0, 1 + random.below(20)), stream);
  },
  run(input) {
    const [mini = 0, step = 1] = input;
    const stream = input.subarray(2);
    const read = (size: number) => {
      const seen: string[] = [];
      const deframer = new Deframer(mini === 1, 100_000, (number, body, subList) => {
        seen.push(`${number}/${body.length}/${subList}`);
      });
      let thrown: unknown;
      try {
        for (let at = 0; at < stream.length; at += size) deframer.push(stream.subarray(at, at + size));
      } catch (error) {
        thrown = error;
      }
      return { seen, thrown };
    };
    const whole = read(stream.length || 1);
    const cut = read(step || 1);
    demand(same(whole.seen, cut.seen), 'chunks make a difference');
    if (whole.thrown !== undefined) throw whole.thrown;
  },
};

const agents: Target = {
  name: 'agent',
  generate(random) {
    const [number, codec] = random.pick(Object.values(agentMessages()));
    return glue(Uint8Array.of(number, number >> 8), mutate(bytesOf(codec, random), random));
  },
  run(input) {
    decodeAgentMessage((input[0] ?? 0) | ((input[1] ?? 0) << 8), input.subarray(2));
  },
};

/** Pieces of agent messages, put together again; the first byte says how long the pieces are. */
const pieces: Target = {
  name: 'agent-pieces',
  generate(random) {
    const parts: Uint8Array[] = [];
    for (let left = random.below(4); left >= 0; left--) {
      const [number, codec] = random.pick(Object.values(agentMessages()));
      const body = bytesOf(codec, random);
      parts.push(new Uint8Array(Uint32Array.of(1, number, 0, 0, body.length).buffer), body);
    }
    return glue(Uint8Array.of(random.size(40)), mutate(glue(...parts), random));
  },
  run(input) {
    const assembler = new AgentAssembler();
    const step = Math.max(1, input[0] ?? 1);
    for (let at = 1; at < input.length; at += step) assembler.push(input.subarray(at, at + step));
    demand(assembler.held <= input.length, 'it holds more than it was given');
  },
};

const cursors: Target = {
  name: 'cursor-shapes',
  generate(random) {
    const front = Uint8Array.of(random.below(9), random.size(70), random.size(70), random.below(70), random.below(70));
    return glue(front, random.bytes(random.size(5_000)));
  },
  run(input) {
    const [type = 0, width = 0, height = 0, hotSpotX = 0, hotSpotY = 0] = input;
    try {
      cursorShape({ unique: 1n, type, width, height, hotSpotX, hotSpotY }, input.subarray(5));
    } catch (error) {
      // The pointer catches these; they are no errors of a session.
      if (!(error instanceof ShapeError)) throw error;
    }
  },
};

// ------------------------------------------------------------------------------------------------------------ texts

const vv = `[virt-viewer]
type=spice
host=192.0.2.1
port=5900
tls-port=5901
password=secret
ca=-----BEGIN CERTIFICATE-----\\nMIIB\\n-----END CERTIFICATE-----\\n
host-subject=O=Sumac,CN=host
secure-channels=main;inputs
disable-channels=record
delete-this-file=1
title=A guest
`;

const textTarget = (
  name: string,
  seeds: readonly string[],
  read: (text: string) => unknown,
  words: string[],
): Target => ({
  name,
  generate(random) {
    const seed = utf8.encode(random.pick(seeds));
    let bytes = random.once(20)
      ? random.bytes(random.size(200))
      : mutate(
          seed,
          random,
          seeds.map((s) => utf8.encode(s)),
        );
    while (random.once(2)) {
      const at = random.below(bytes.length + 1);
      bytes = glue(bytes.subarray(0, at), utf8.encode(random.pick(words)), bytes.subarray(at));
    }
    return bytes;
  },
  run(input) {
    const value = read(text(input));
    demand(!isOdd(value), 'an object with a prototype of its own');
  },
});

/** An object whose prototype was put there by its text. */
const isOdd = (value: unknown): boolean => {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null && !(prototype.constructor?.name in globalThis)) return true;
  return Object.values(value).some(isOdd);
};

const pollution = [
  '__proto__',
  'constructor',
  'prototype',
  '[__proto__]\nx=1\n',
  '"__proto__":{"polluted":1},',
  '\0',
  '\r',
  '\u2028',
];

const guest = JSON.stringify({
  ...{
    version: 1,
    name: 'a guest',
    width: 640,
    height: 480,
    ticks: 7,
    time: 7.5,
    samplePosition: 44,
    keys: [30, 0xe048],
  },
  ...{ pointer: { x: 3, y: 4 }, buttons: 1, mouseMode: 2, mmTime: 77, modifiers: 4, heard: { samples: 5, peak: 6 } },
});

const texts: readonly Target[] = [
  textTarget('vv', [vv, '[virt-viewer]\nhost=a\nport=1\n'], readConnectionFile, [
    ...pollution,
    '[virt-viewer]\n',
    '=',
    ';',
    'port=',
    'host=',
  ]),
  textTarget(
    'uri',
    [
      'spice://192.0.2.1:5900',
      'spice+tls://host:5901',
      'spice://[::1]:5900',
      'spice+unix:///run/x',
      'spice://h?tls-port=3&port=4',
    ],
    readSpiceUri,
    [...pollution, '%00', '%', '@', ':', '/', '?', '#', '//'],
  ),
  textTarget('guest-state', [guest, '{}', '[]', 'null'], (json) => readGuestState(parse(json)), [
    ...pollution,
    '{',
    '[',
    '1e999',
    '"',
  ]),
  textTarget(
    'qmp-json',
    ['{"execute":"query-status","id":[1,{"a":"}"}]}', '{ "execute" : \'stop\' }\n', '[[[[]]]] "x" 17 nonsense {"a":1}'],
    (json) => new JsonStream(5_000).push(utf8.encode(json)),
    [...pollution, '{', '}', '[', ']', '"', "'", '\\', '\\u00', '[[[[[[[[[[[[[[[['],
  ),
];

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return json;
  }
}

// ------------------------------------------------------------------------------------------------------------ files

const wav: Target = {
  name: 'wav',
  generate(random) {
    const samples = Int16Array.from({ length: random.size(200) * 2 }, () => random.u32());
    return mutate(writeWav({ channels: 1 + random.below(2), frequency: 44_100, samples }), random);
  },
  run(input) {
    readWav(input);
  },
};

/** Some chunk that a journal has written. */
function chunk(random: Random): Uint8Array {
  const writer = new ChunkWriter();
  for (let left = random.below(4); left >= 0; left--) {
    const common = { at: left, actor: 'server/session:1/main:0' };
    writer.add({ ...common, kind: 'wire', link: 'link:1', direction: 'in', bytes: random.bytes(9) });
    writer.add({ ...common, kind: 'event', event: { type: 'x', list: [1, 'a', null, 7n, { b: random.bytes(3) }] } });
    writer.add({ ...common, kind: 'end' });
  }
  return writer.cut()!.bytes;
}

const journal: Target = {
  name: 'journal',
  generate: (random) => (random.once(10) ? random.bytes(random.size(300)) : mutate(chunk(random), random)),
  run(input) {
    for (const record of new ChunkReader().read(input)) demand(!isOdd(record), 'an odd record');
  },
};

export const pure: readonly Target[] = [
  messages,
  explanations,
  migrateDatas,
  lists,
  linkMessages,
  deframing,
  agents,
  pieces,
  cursors,
  ...texts,
  wav,
  journal,
];
