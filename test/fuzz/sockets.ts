/** Doors that are ports: the WebSocket upgrade, the machine protocol, and the one on which a guest arrives. */
import { connect, type Socket } from 'node:net';
import { createTestCardHost } from '../../src/cli/test-card-host.ts';
import { moveMagic } from '../../src/qmp/move-line.ts';
import { createServer } from '../../src/server/server.ts';
import { linkMessage } from '../support/raw-client.ts';
import { glue, mutate, spoiledText } from './mutate.ts';
import { demand, type Target } from './target.ts';

const utf8 = new TextEncoder();

/** Says something to a port, and resolves when it was answered, closed or ignored for a while. */
async function say(port: number, bytes: Uint8Array, ms = 12): Promise<string> {
  const socket: Socket = connect({ host: '127.0.0.1', port });
  let heard = '';
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    const done = () => {
      clearTimeout(timer);
      resolve();
    };
    socket.on('error', done).on('close', done);
    socket.on('data', (chunk) => {
      heard += chunk.toString('latin1').slice(0, 2_000);
    });
    socket.on('connect', () => socket.write(bytes));
  });
  socket.destroy();
  return heard;
}

const upgrade = (more = '') =>
  `GET /spice HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
  `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: binary\r\n${more}\r\n`;

/** A frame with a mask, as a browser sends them. */
const frame = (opcode: number, payload: Uint8Array): Uint8Array => {
  const masked = payload.slice(0, 125);
  return glue(Uint8Array.of(0x80 | opcode, 0x80 | masked.length, 0, 0, 0, 0), masked);
};

async function websocket(): Promise<Target> {
  const log: string[] = [];
  const server = await createServer({
    port: 0,
    helloMs: 200,
    maxUnfinishedLinks: 1_000,
    log: (line) => log.push(line),
  });
  const port = server.addresses.port!;
  return {
    name: 'websocket',
    generate(random) {
      const head = utf8.encode(
        upgrade(random.once(4) ? `X-${random.u32()}: ${'a'.repeat(random.size(9_000))}\r\n` : ''),
      );
      const frames = [frame(2, linkMessage()), frame(random.below(16), random.bytes(random.size(100)))];
      const whole = glue(head, ...frames);
      return random.once(2) ? glue(head, mutate(glue(...frames), random)) : mutate(whole, random);
    },
    async run(input) {
      await say(port, input);
      demand(!log.some((line) => line.includes('a fault of ours')), log.join('\n'));
      log.length = 0;
    },
    async check() {
      const answer = await say(port, glue(utf8.encode(upgrade()), frame(2, linkMessage())), 1_000);
      demand(
        answer.includes('101 Switching') && answer.includes('REDQ'),
        `no answer any more: ${answer.slice(0, 100)}`,
      );
      await new Promise((resolve) => setTimeout(resolve, 400));
      demand(server.channels().length === 0, 'connections are left');
    },
    close: () => server.close(),
  };
}

const commands = [
  '{"execute":"qmp_capabilities"}\n',
  '{"execute":"query-status","id":7}\n',
  '{"execute":"query-spice","id":{"a":[1,2]}}\n',
  '{"execute":"client_migrate_info","arguments":{"protocol":"spice","hostname":"192.0.2.1","port":5900}}\n',
  '{"execute":"set_password","arguments":{"protocol":"spice","password":"secret","connected":"keep"}}\n',
  '{"execute":"expire_password","arguments":{"protocol":"spice","time":"+60"}}\n',
  '{"execute":"migrate_cancel"}{"execute":"stop"}{"execute":"cont"}{"execute":"query-migrate"}\n',
  '{"execute":"migrate-set-parameters","arguments":{"max-bandwidth":1000000}}\n',
  '{"execute":"query-commands"}{"execute":"query-version"}\n',
];

async function qmp(): Promise<Target> {
  const host = await createTestCardHost({ qmp: { host: '127.0.0.1', port: 0 } });
  const { address } = host.qmp!;
  const port = 'port' in address ? address.port : 0;
  return {
    name: 'qmp',
    generate(random) {
      const seeds = Array.from({ length: 1 + random.below(4) }, () => random.pick(commands));
      const words = ['{', '}', '"', '[', '\\', ':', 'null', '1e999', '-0', '__proto__', '"id":', '\0', '\n', '\ud800'];
      const text = spoiledText([seeds.join('')], words, random);
      return random.once(3) ? text : glue(utf8.encode(commands[0]!), text);
    },
    run: async (input) => {
      // Files are not its own to write.
      if (new TextDecoder().decode(input).includes('screendump')) return;
      await say(port, input);
    },
    async check() {
      const answer = await say(port, utf8.encode(`${commands[0]}${commands[1]}`), 1_000);
      demand(answer.includes('"id":7'), `no answer any more: ${answer.slice(0, 200)}`);
    },
    close: () => host.close(),
  };
}

async function arrival(): Promise<Target> {
  const host = await createTestCardHost({ incoming: { host: '127.0.0.1', port: 0 } });
  const port = Number(/(\d+)$/.exec(host.machine.incoming!)![1]);
  const state = JSON.stringify(host.card.save());
  const seeds = [
    `${moveMagic} 1\n{"type":"hello","name":"source"}\n{"type":"state","state":${state}}\n`,
    `${moveMagic} 1\n{"type":"hello","name":"source"}\n{"type":"stopped","state":${state},"running":true}\n{"type":"g"}\n`,
    `${moveMagic} 2\n`,
  ];
  return {
    name: 'arrival',
    generate(random) {
      return spoiledText(seeds, ['{', '}', '"', '\n', '__proto__', '1e999', 'null', '{"type":"go"', '\0'], random);
    },
    run: async (input) => {
      await say(port, input);
    },
    async check() {
      const answer = await say(port, utf8.encode(seeds[0]!), 1_000);
      demand(answer.startsWith(moveMagic), `no answer any more: ${answer.slice(0, 200)}`);
    },
    close: () => host.close(),
  };
}

export const sockets = async (): Promise<Target[]> => [await websocket(), await qmp(), await arrival()];
