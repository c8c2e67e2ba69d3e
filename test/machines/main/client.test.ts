/** The main channel at a client: greeting, agent, and what it passes on (spec §2.3, §5.1, §5.9). */
import { describe, expect, test } from 'vitest';
import type { Scheme } from '../../../machines/contract.ts';
import { mainClient } from '../../../machines/main/client.ts';
import type { MainReceived } from '../../../src/protocol/main.ts';
import { given, tells } from '../../support/given.ts';
import { untouched } from '../../support/touched.ts';
import { clientFlowContract } from '../channel/client-flow.ts';
import { attach, closed, goesDown, migrate, news, reset, send, stray, switchTo, unexpected } from '../words.ts';

const atTheTarget: Partial<Record<Scheme, object[]>> = {
  'semi-seamless': [send('msgc.migrate_end')],
  'early-link': [send('msgc.attach_channels')],
  // It was not told of any channels yet.
  seamless: [send('msgc.attach_channels')],
};

clientFlowContract({
  chart: mainClient,
  channel: 'main:0',
  onSwitch: (scheme) => (atTheTarget[scheme] ?? []) as never,
});

const init = (agentConnected: number): MainReceived<'client'> => ({
  type: 'msg.init',
  body: {
    sessionId: 7,
    displayChannelsHint: 1,
    supportedMouseModes: 3,
    currentMouseMode: 1,
    agentConnected,
    agentTokens: 10,
    multiMediaTime: 0,
    ramHint: 0,
  },
});
const dstInfo = { port: 5900, sport: 5901, host: 'there', certSubject: '' };
const agentStart = send('msgc.agent_start', { numTokens: 0xffffffff });
const passedOn = (event: { type: string }) => tells('parent', event);

const linked = given(mainClient, { channel: 'main:0' }).after(attach());
const list = stray('msg.channels_list', { channels: [] });
const greeted = linked.after(init(0), list);

describe('the greeting at a client', () => {
  test('is answered by asking for the channels', () => {
    linked.expect({ in: { greeting: 'awaiting init', agent: 'absent' } });
    linked
      .when(init(0))
      .expect({ in: { greeting: 'greeted' }, does: [passedOn(init(0)), send('msgc.attach_channels')] });
  });

  test('is passed on once; a second one is about the agent only', () => {
    greeted.when(init(1)).expect({ in: { greeting: 'greeted', agent: 'connected' }, does: [agentStart] });
  });

  // Spec §3c 12: the init of a target repeats the session; the channels are known.
  test('is heard again at a semi-seamless target, and asks for nothing', () => {
    const moved = greeted.when(switchTo('semi-seamless'));
    moved.expect({
      in: { flow: 'flowing', greeting: 'awaiting init at the target' },
      does: [
        reset('primary'),
        { type: 'switch', link: 'link:2', serials: 'restart' },
        { type: 'close previous' },
        news.switched('main:0'),
        send('msgc.migrate_end'),
      ],
    });
    moved.when(init(0)).expect({ in: { greeting: 'greeted' }, does: [passedOn(init(0))] });
  });

  test('asks for the channels at the target when the source had not told them yet', () => {
    const unlisted = linked.after(init(0));
    const moved = unlisted.after(switchTo('semi-seamless'));
    moved.when(init(0)).expect({ does: [passedOn(init(0)), send('msgc.attach_channels')] });
    moved.after(init(0), list).expect({ in: { channels: 'known' } });
    unlisted.after(migrate(0), closed(), attach('link:2')).expect({ in: { channels: 'unknown' } });
    greeted.after(closed(), attach('link:2')).expect({ in: { channels: 'unknown' } });
    greeted
      .after(migrate(0))
      .when(switchTo('seamless'))
      .expect({
        does: [{ type: 'switch', link: 'link:2', serials: 'go on' }, { type: 'send carried' }, news.switched('main:0')],
      });
  });

  test('stands over every other switch', () => {
    greeted.after(migrate(0), switchTo('early-link')).expect({ in: { greeting: 'greeted' } });
    greeted.after(migrate(0), switchTo('seamless')).expect({ in: { greeting: 'greeted' } });
  });

  test('begins anew on a new link', () => {
    greeted.after(closed(), attach('link:2')).expect({ in: { greeting: 'awaiting init' } });
  });
});

describe('the agent at a client', () => {
  const spoken = linked.after(init(1), list);

  test('is greeted when it is there, whenever it comes', () => {
    linked.when(init(1)).expect({
      in: { agent: 'connected' },
      does: [passedOn(init(1)), send('msgc.attach_channels'), agentStart],
    });
    greeted.when(stray('msg.agent_connected')).expect({ in: { agent: 'connected' }, does: [agentStart] });
    greeted.when(stray('msg.agent_connected_tokens')).expect({ in: { agent: 'connected' }, does: [agentStart] });
    greeted.expect({ in: { agent: 'absent' } });
  });

  test('goes, and is gone at a target that has none', () => {
    spoken.when(stray('msg.agent_disconnected')).expect({ in: { agent: 'absent' } });
    const moved = spoken.after(switchTo('semi-seamless'));
    moved.when(init(0)).expect({ in: { agent: 'absent' }, does: [passedOn(init(0))] });
    moved.when(init(1)).expect({ in: { agent: 'connected' }, does: [passedOn(init(1)), agentStart] });
  });

  test('is not told of a seamless switch, nor of an early one', () => {
    spoken.after(migrate(0), switchTo('seamless')).expect({ in: { agent: 'connected' } });
    spoken.after(migrate(0), switchTo('early-link')).expect({ in: { agent: 'connected' } });
  });

  test('is forgotten with the link', () => {
    spoken.after(closed(), attach('link:2')).expect({ in: { agent: 'absent' } });
  });
});

describe('what the server says on main', () => {
  const announcements: MainReceived<'client'>[] = [
    { type: 'msg.migrate_begin', body: dstInfo },
    { type: 'msg.migrate_begin_seamless', body: { ...dstInfo, srcMigVersion: 1 } },
    { type: 'msg.migrate_cancel', body: {} },
    { type: 'msg.migrate_end', body: {} },
    { type: 'msg.migrate_switch_host', body: dstInfo },
    { type: 'msg.channels_list', body: { channels: [] } },
    { type: 'msg.mouse_mode', body: { supportedModes: 3, currentMode: 2 } },
    { type: 'msg.name', body: { name: 'a guest' } },
    { type: 'msg.uuid', body: { uuid: new Uint8Array(16) } },
  ];

  // Whatever it means is the session's to decide (spec §5.1, §5.3, §5.9), and it is decided at once, greeted or not.
  test.each(announcements)('$type is passed on', (event) => {
    for (const story of [linked, greeted, greeted.after(migrate(3)), greeted.after(migrate(0))]) {
      story.when(event).expect({ does: [passedOn(event)] });
    }
  });

  // Spec §5.8: a source may still say the mouse mode between migrate and migrate_data; that breaks the C client.
  test('does not break a flush', () => {
    const data = new Uint8Array([1]);
    greeted
      .after(migrate(3), { type: 'msg.mouse_mode', body: { supportedModes: 3, currentMode: 2 } })
      .when(stray('msg.migrate_data', { data }))
      .expect({ in: { flow: 'handing over' }, does: [{ type: 'carry', data }, news.left('main:0', true)] });
  });

  test('may be that it hangs up', () => {
    for (const story of [greeted, greeted.after(migrate(0))]) story.when(stray('msg.disconnecting')).expect({});
  });

  // Spec §5.9: these belong to the link that asks a target for seamless, and to no other.
  test.each(['msg.migrate_dst_seamless_ack', 'msg.migrate_dst_seamless_nack'] as const)('is not %s', (type) => {
    greeted.when(stray(type)).expect({
      in: { flow: 'down', greeting: 'awaiting init' },
      does: goesDown('main:0', unexpected(type)),
    });
  });
});

test('what the session says is said', () => {
  greeted
    .when({ type: 'session.say', message: { type: 'msgc.migrate_connected', body: {} } })
    .expect({ does: [send('msgc.migrate_connected')] });
});

test('nothing of the chart is left untested', () => expect(untouched(mainClient)).toEqual([]));
