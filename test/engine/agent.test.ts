/**
 * What client and guest agent say to each other through our server: whole messages, in order, no faster than there is room for,
 * across every kind of hand-over. In a seamless one nothing of it is lost, doubled or cut, not even a message that is half said.
 */
import { Subject } from 'rxjs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Scheme } from '../../machines/contract.ts';
import type { Client, ClientEvent } from '../../src/client/client.ts';
import type { ChannelHost, ChannelState } from '../../src/engine/channel-host.ts';
import {
  AgentCap,
  type AgentMessage,
  AgentMessageType,
  agentMessageHeaderSize,
  ClipboardType,
  decodeAgentMessage,
  encodeAgentMessage,
} from '../../src/protocol/agent.ts';
import { caps } from '../../src/protocol/capabilities.ts';
import type { AnyMessage } from '../../src/protocol/channel.ts';
import { type AgentNews, ServerAgent } from '../../src/server/agent.ts';
import type { Server } from '../../src/server/server.ts';
import { first, Network } from '../support/network.ts';

let network: Network;
afterEach(async () => {
  await network.close();
});

const every: readonly Scheme[] = ['seamless', 'early-link', 'semi-seamless', 'switch-host'];
const theirs = [...caps(AgentCap.clipboardByDemand, AgentCap.clipboardSelection, AgentCap.maxClipboard)];
const abilities = { clipboardSelection: true };

/** The program in the guest: it answers what an agent answers, and keeps what it hears. */
class Agent {
  readonly heard: AgentMessage[] = [];
  readonly sessions: string[] = [];
  private readonly server: Server;
  private readonly answers: boolean;

  /** One that moves with its guest knows the client already: it does not answer. */
  constructor(server: Server, { answers = true } = {}) {
    this.server = server;
    this.answers = answers;
    server.agent.news.subscribe((news) => this.take(news));
    server.agent.connect();
  }

  private take(news: AgentNews): void {
    if (news.type === 'joined') this.sessions.push(news.session);
    if (news.type !== 'message') return;
    const message = decodeAgentMessage(news.message.type, news.message.body, abilities);
    this.heard.push(message);
    if (message.type === 'announce_capabilities' && message.body.request !== 0 && this.answers) {
      this.say({ type: 'announce_capabilities', body: { request: 0, caps: theirs } });
    }
  }

  say(message: AgentMessage): number {
    const body = encodeAgentMessage(message, abilities).subarray(agentMessageHeaderSize);
    return this.server.agent.send({ type: AgentMessageType[message.type], body });
  }

  /** The texts of the clipboard that it was handed. */
  get texts(): string[] {
    return this.heard.flatMap(({ type, body }) => (type === 'clipboard' ? [new TextDecoder().decode(body.data)] : []));
  }
}

const connected = async (client: Client, state = true) => {
  await vi.waitFor(() => expect(client.agent.connected && client.agent.caps.length > 0).toBe(state));
};
const phase = (client: Client, wanted: string) =>
  first(
    client.events,
    (event): event is Extract<ClientEvent, { event: 'handover' }> =>
      event.event === 'handover' && event.phase === wanted,
  );
const text = (one: string) => new TextEncoder().encode(one);
const paste = (one: string): AgentMessage => ({
  type: 'clipboard',
  body: { type: ClipboardType.utf8Text, data: text(one) },
});

async function serving() {
  network = new Network();
  const server = network.server('source');
  const agent = new Agent(server);
  const client = network.client('source');
  await connected(client);
  return { server, agent, client };
}

describe('the guest’s agent', () => {
  it('hears what the client can do, and says the same of itself', async () => {
    const { agent, client } = await serving();
    expect(agent.heard.slice(0, 2).map(({ type }) => type)).toEqual(['announce_capabilities', 'max_clipboard']);
    expect(client.agent.caps).toEqual(theirs);
  });

  it('pastes what the client offers, and the client what the guest does', async () => {
    const { agent, client } = await serving();
    expect(client.agent.clipboard.offerText('from the client')).toBe(true);
    await vi.waitFor(() => expect(agent.heard.at(-1)?.type).toBe('clipboard_grab'));
    agent.say({ type: 'clipboard_request', body: { type: ClipboardType.utf8Text } });
    await vi.waitFor(() => expect(agent.texts).toEqual(['from the client']));
    agent.say({ type: 'clipboard_request', body: { type: ClipboardType.imagePng } });
    await vi.waitFor(() => expect(agent.heard.at(-1)?.body).toMatchObject({ type: ClipboardType.none }));

    const offered = first(client.agent.clipboard.offered, (types) => types.length > 0);
    agent.say({ type: 'clipboard_grab', body: { types: [ClipboardType.utf8Text] } });
    expect(await offered).toEqual([ClipboardType.utf8Text]);
    const reading = [client.agent.clipboard.readText(), client.agent.clipboard.readText()];
    for (const answer of ['one', 'two']) {
      await vi.waitFor(() => expect(agent.heard.at(-1)?.type).toBe('clipboard_request'));
      agent.heard.push({ type: 'client_disconnected', body: {} });
      agent.say(paste(answer));
    }
    expect(await Promise.all(reading)).toEqual(['one', 'two']);
    await expect(client.agent.clipboard.read(ClipboardType.imagePng)).rejects.toThrow('offers nothing of type 2');
    agent.say({ type: 'clipboard_release', body: {} });
    await first(client.agent.clipboard.offered, (types) => types.length === 0);
    await expect(client.agent.clipboard.readText()).rejects.toThrow('offers nothing');
  });

  it('is offered what the client had before it came', async () => {
    network = new Network();
    const server = network.server('source');
    const client = network.client('source');
    await first(client.events, (event) => event.event === 'frame');
    expect(client.agent.connected).toBe(false);
    expect(client.agent.clipboard.offerText('early')).toBe(false);
    const agent = new Agent(server);
    await vi.waitFor(() => expect(agent.heard.at(-1)?.type).toBe('clipboard_grab'));
  });

  it('takes long messages in pieces, as many as there is room for', async () => {
    const { agent, client } = await serving();
    const long = 'x'.repeat(300_000);
    expect(client.agent.send(paste(long))).toBe(true);
    expect(client.agent.send(paste('and more'))).toBe(true);
    await vi.waitFor(() => expect(agent.texts).toEqual([long, 'and more']));
    const heard: string[] = [];
    client.agent.messages.subscribe(
      ({ type, body }) => type === 'clipboard' && heard.push(new TextDecoder().decode(body.data)),
    );
    expect(agent.say(paste(long))).toBe(1);
    await vi.waitFor(() => expect(heard).toEqual([long]));
  });

  it('comes and goes', async () => {
    const { server, agent, client } = await serving();
    agent.say({ type: 'clipboard_grab', body: { types: [ClipboardType.utf8Text] } });
    await first(client.agent.clipboard.offered, (types) => types.length > 0);
    const reading = client.agent.clipboard.readText();
    server.agent.disconnect();
    await expect(reading).rejects.toThrow('agent is gone');
    expect(client.agent.connected).toBe(false);
    expect(client.agent.send(paste('into nothing'))).toBe(false);
    expect(agent.say(paste('from nowhere'))).toBe(0);
    server.agent.connect();
    await connected(client);
    expect(agent.sessions).toEqual(['session:1', 'session:1']);
  });

  it('that says nonsense is not listened to, and the session goes on', async () => {
    const { server, client } = await serving();
    server.agent.send({ type: 9_999, body: new Uint8Array(3) });
    server.agent.send({ type: AgentMessageType.monitors_config, body: new Uint8Array(3) });
    await first(client.agent.states, (there) => !there);
    expect(network.log.join()).toMatch(/agent is not listened to any more: .*monitors_config/);
    expect(client.channels.has('main:0')).toBe(true);
  });
});

describe('a client', () => {
  const main = (client: Client) => (client as any).main;

  it.each([
    ['is no agent’s client', new Uint8Array(20).fill(9), /agent protocol 151587081/],
    [
      'says more at once than anybody takes',
      Uint8Array.of(1, 0, 0, 0, 4, ...Array(11).fill(0), 255, 255, 255, 127),
      /2147483647 bytes/,
    ],
  ])('that %s is hung up on', async (_, data, reason) => {
    const { client } = await serving();
    const over = first(client.events, (event) => event.event === 'channel' && event.state === 'down');
    main(client).send({ type: 'msgc.agent_data', body: { data } });
    await over;
    expect(network.log.join('\n')).toMatch(reason);
  });

  it('that says more than there is room for is hung up on', () => {
    const agent = new ServerAgent();
    agent.connect();
    const refused: string[] = [];
    const host = {
      ...{ address: 'server/session:1/main:0', peerCaps: [], open: true },
      ...{ states: new Subject<ChannelState>(), messages: new Subject<AnyMessage>() },
      // No room can be given back: the channel is being handed over.
      send: () => false,
      refuse: (reason: string) => refused.push(reason),
    };
    agent.attach(host as unknown as ChannelHost);
    host.messages.next({ type: 'msgc.agent_start', body: { numTokens: 10 } });
    const say = () => host.messages.next({ type: 'msgc.agent_data', body: { data: new Uint8Array() } });
    for (let i = 0; i < 10; i++) say();
    expect(refused).toEqual([]);
    say();
    expect(refused).toEqual(['more for the agent than there is room for']);
  });
});

describe('across a hand-over', () => {
  const pair = async (schemes: readonly Scheme[] = every) => {
    network = new Network();
    const source = network.server('source', { schemes });
    const target = network.server('target', { schemes });
    const client = network.client('source', { schemes });
    await first(client.events, (event) => event.event === 'frame');
    return { source, target, client };
  };
  const move = async (
    { source, target, client }: { source: Server; target: Server; client: Client },
    scheme: Scheme,
  ) => {
    if (scheme !== 'switch-host') {
      const linked = phase(client, 'linked');
      source.migrateConnect({ host: 'target', port: 1 }, { scheme });
      await linked;
    } else source.migrateConnect({ host: 'target', port: 1 }, { scheme });
    const switched = phase(client, 'switched');
    target.guestArrived();
    source.migrateEnd(true);
    expect(await switched).toMatchObject({ scheme });
  };

  it('seamless: every message once and in order, and one that is half said goes on', async () => {
    const both = await pair();
    const [here, there] = [new Agent(both.source), new Agent(both.target, { answers: false })];
    await connected(both.client);
    const states: boolean[] = [];
    both.client.agent.states.subscribe((state) => states.push(state));
    network.latencyMs = 3;
    const said = Array.from({ length: 40 }, (_, i) => `${i} ${'y'.repeat(i % 3 === 0 ? 60_000 : 10)}`);
    let next = 0;
    const saying = setInterval(() => next < said.length && both.client.agent.send(paste(said[next++]!)), 1);
    try {
      await move(both, 'seamless');
      await vi.waitFor(() => expect(here.texts.length + there.texts.length).toBe(said.length), { timeout: 10_000 });
    } finally {
      clearInterval(saying);
    }
    expect([...here.texts, ...there.texts]).toEqual(said);
    expect(there.texts.length).toBeGreaterThan(0);
    expect(there.sessions).toHaveLength(1);
    expect(states).toEqual([true]);
    // The other way.
    const heard = first(both.client.agent.messages, ({ type }) => type === 'clipboard');
    expect(there.say(paste('back'))).toBe(1);
    expect(await heard).toMatchObject({ body: { data: text('back') } });
    expect(network.log).toEqual([]);
  });

  it.each(['early-link', 'semi-seamless', 'switch-host'] as const)('%s: both begin anew', async (scheme) => {
    const both = await pair([scheme]);
    const [here, there] = [new Agent(both.source), new Agent(both.target)];
    await connected(both.client);
    both.client.agent.clipboard.offerText('kept');
    await vi.waitFor(() => expect(here.heard.at(-1)?.type).toBe('clipboard_grab'));
    await move(both, scheme);
    await connected(both.client);
    await vi.waitFor(() => expect(there.heard.map(({ type }) => type)).toContain('clipboard_grab'));
    there.say({ type: 'clipboard_request', body: { type: ClipboardType.utf8Text } });
    await vi.waitFor(() => expect(there.texts).toEqual(['kept']));
  });

  it.each([
    ['seamless', true, false],
    ['seamless', false, true],
    ['early-link', true, false],
    ['early-link', false, true],
  ] as const)('%s, where there was one (%s) and is one (%s): the client knows', async (scheme, was, is) => {
    const both = await pair();
    if (was) {
      new Agent(both.source);
      await connected(both.client);
    }
    if (is) new Agent(both.target);
    await move(both, scheme);
    await connected(both.client, is);
    expect(both.client.agent.send(paste('anybody?'))).toBe(is);
  });

  it('goes back: the agent of the source is heard as before', async () => {
    const both = await pair();
    const here = new Agent(both.source);
    new Agent(both.target);
    await connected(both.client);
    const linked = phase(both.client, 'linked');
    both.source.migrateConnect({ host: 'target', port: 1 }, { scheme: 'seamless' });
    await linked;
    const cancelled = phase(both.client, 'cancelled');
    both.source.migrateEnd(false);
    await cancelled;
    both.client.agent.send(paste('still here'));
    await vi.waitFor(() => expect(here.texts).toEqual(['still here']));
    expect(here.sessions).toHaveLength(1);
  });
});
