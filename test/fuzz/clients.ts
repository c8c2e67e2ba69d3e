/** A client that a stranger serves: at the link stage, and on every channel, staying and being handed over. */
import { type ChannelWord, channelType } from '../support/raw-client.ts';
import { dstInfo, init, linkReply } from '../support/raw-server.ts';
import { readU32, u32 } from '../support/raw-wire.ts';
import { glue, mutate } from './mutate.ts';
import { framed, streamOf } from './samples.ts';
import { demand, type Target } from './target.ts';
import { endStrangers, type Stranger, settle, strangersClient } from './wires.ts';

const words: readonly ChannelWord[] = ['main', 'display', 'inputs', 'cursor', 'playback', 'record'];
const wordOf = new Map(words.map((word) => [channelType[word], word]));

interface Served {
  readonly word: ChannelWord | undefined;
  /** The client has an id from another server: this is a target. */
  readonly again: boolean;
  readonly stranger: Stranger;
}

/** Calls `serve` when a link message has come. */
const served = (serve: (served: Served) => void) => (stranger: Stranger) => {
  let told = false;
  stranger.onHeard = () => {
    if (told || stranger.said.length < 34) return;
    told = true;
    serve({ word: wordOf.get(stranger.said[20] as never), again: readU32(stranger.said, 16) !== 0, stranger });
  };
};

export const clientLink: Target = {
  name: 'client link',
  generate(random) {
    const whole = glue(
      linkReply(),
      u32(random.once(3) ? random.below(10) : 0),
      streamOf('main', 'server', true, random, 2),
    );
    return glue(
      Uint8Array.of(random.size(200)),
      random.once(12) ? random.bytes(random.size(300)) : mutate(whole, random),
    );
  },
  async run(input) {
    const made = strangersClient({}, (stranger) => stranger.writeIn(input.subarray(1), Math.max(1, input[0] ?? 1)));
    await settle(4);
    await made.clock.advance(8_001);
    demand(made.strangers.length < 64, 'it dials again and again');
    await endStrangers(made, input.length);
  },
};

/** Bits of an input's second byte. */
const flags = { full: 1, begins: 2, seamless: 4, ends: 8, cancels: 16, agrees: 32, talks: 64 } as const;

export function clientChannel(word: ChannelWord): Target {
  return {
    name: `client ${word}`,
    memory: 200 * 1024 * 1024,
    generate(random) {
      const how = random.below(128);
      const mini = (how & flags.full) === 0;
      const before: Uint8Array[] = [];
      if (word === 'inputs' && !random.once(3)) before.push(framed(101, new Uint8Array(2), mini));
      if (word === 'display' && !random.once(3)) before.push(framed(314, u32(0, 30, 20, 32, 1), mini));
      return glue(Uint8Array.of(how, random.size(60)), ...before, streamOf(word as never, 'server', mini, random));
    },
    async run(input) {
      const [how = 0, step = 0] = input;
      const mini = (how & flags.full) === 0;
      const stream = input.subarray(2);
      const say = (number: number, body: Uint8Array = new Uint8Array()) => framed(number, body, mini);
      let main: Stranger | undefined;
      const serve = ({ word: linked, again, stranger }: Served) => {
        stranger.write(glue(linkReply({ tail: u32(mini ? 0x0b : 0x03, 0x0f) }), u32(0)));
        if (linked === 'main' && again) {
          if ((how & flags.agrees) !== 0) stranger.write(say(117));
          if ((how & flags.talks) !== 0) stranger.write(say(103, init(7)));
        } else if (linked === 'main') {
          main = stranger;
          const others: Uint8Array =
            word === 'main' ? new Uint8Array(4) : glue(u32(1), Uint8Array.of(channelType[word], 0));
          stranger.write(glue(say(103, init(7)), say(104, others)));
          if ((how & flags.begins) !== 0) {
            const seamless = (how & flags.seamless) !== 0;
            stranger.write(seamless ? say(116, dstInfo(9, { seamless: 1 })) : say(101, dstInfo(9)));
          }
        }
        if (linked === word && (!again || (how & flags.talks) !== 0))
          stranger.writeIn(stream, step || stream.length || 1);
      };
      const made = strangersClient({}, served(serve));
      await settle(12);
      await made.clock.advance(600);
      if ((how & flags.ends) !== 0) main?.write(say((how & flags.seamless) !== 0 ? 1 : 112, u32(0)));
      if ((how & flags.cancels) !== 0) main?.write(say(102));
      await settle(3);
      await made.clock.advance(11_000);
      await endStrangers(made, input.length);
    },
  };
}

export const clients = (): Target[] => [clientLink, ...words.map(clientChannel)];
