/** A hand-over at a client: linking ahead, answering, leading the channels over (spec §3, §5.1–5.4, §5.7). */
import { describe, expect, test } from 'vitest';
import type { HandoverPhase, Scheme } from '../../../machines/contract.ts';
import {
  destinationOf,
  linkName,
  type MigrationClientEvent,
  type MigrationClientInput,
  migrationClient,
} from '../../../machines/migration/client.ts';
import { type Caps, caps, MainCap } from '../../../src/protocol/capabilities.ts';
import { type Act, begins, done, elapsed, ends, failed, given, tells } from '../../support/given.ts';
import { untouched } from '../../support/touched.ts';
import { agreedOn } from '../words.ts';

const from = { host: 'here', port: 5900 };
const to = { host: 'there', port: 5900, tlsPort: undefined, certSubject: '' };
const channels = ['main:0', 'display:0', 'inputs:0'];
const others = ['display:0', 'inputs:0'];
const able = caps(MainCap.semiSeamlessMigrate, MainCap.seamlessMigrate, MainCap.earlyLink);
const input = (scheme: MigrationClientInput['scheme']): MigrationClientInput => ({
  attempt: 4,
  scheme,
  srcVersion: 1,
  from,
  destination: to,
  connectionId: 7,
  channels,
  left: [],
});

// ----------------------------------------------------------------------------------------------------------- words

const link = (channel: string) => linkName(channel, 4);
const up = (channel: string, channelCaps: Caps = able): MigrationClientEvent => ({
  type: 'link.up',
  link: link(channel),
  channel,
  agreed: agreedOn(channelCaps),
});
const linkFailed = (channel: string): MigrationClientEvent => ({
  type: 'link.failed',
  link: link(channel),
  channel,
  reason: 'refused',
});
const lost = (channel: string): MigrationClientEvent => ({ type: 'link.lost', link: link(channel), channel });
/** With what the schemes have a channel take along, or without. */
const left = (channel: string, data = true): MigrationClientEvent => ({ type: 'channel.left', channel, data });
const switched = (channel: string): MigrationClientEvent => ({ type: 'channel.switched', channel });
const down = (channel: string): MigrationClientEvent => ({ type: 'channel.down', channel, reason: 'gone' });
const cancel: MigrationClientEvent = { type: 'msg.migrate_cancel', body: {} };
const end: MigrationClientEvent = { type: 'msg.migrate_end', body: {} };
const init = { type: 'msg.init', body: {} } as unknown as MigrationClientEvent;
const switchHost: MigrationClientEvent = {
  type: 'msg.migrate_switch_host',
  body: { host: 'elsewhere', port: 0xffff, sport: 5999, certSubject: 'CN=elsewhere' },
};
const yes: MigrationClientEvent = { type: 'handshake.agreed' };
const no: MigrationClientEvent = { type: 'handshake.declined' };

const linking = (channel: string) =>
  begins(link(channel), {
    as: 'link',
    input: { link: link(channel), channel, connectionId: 7, destination: to },
  });
const tell = (channel: string, event: object) =>
  tells('parent', { type: 'migration.tell', channel, event } as { type: string });
const say = (type: string) => tell('main:0', { type: 'session.say', message: { type, body: {} } });
const leadOver = (scheme: Scheme, channel: string, channelCaps: Caps = able) =>
  tell(channel, { type: 'migration.switch', link: link(channel), agreed: agreedOn(channelCaps), scheme });
const settle = (channel: string) => tell(channel, { type: 'migration.settled' });
const report = (phase: HandoverPhase, scheme: Scheme, more: { channels?: string[]; reason?: string } = {}) => ({
  type: 'report',
  news: {
    event: 'handover',
    phase,
    scheme,
    attempt: 4,
    from: 'here:5900',
    to: 'there:5900',
    channels,
    ...more,
  },
});
const connected = say('msgc.migrate_connected');
const connectedSeamless = say('msgc.migrate_connected_seamless');
const connectError = say('msgc.migrate_connect_error');
const links = (...those: string[]) => those.map((channel) => ends(link(channel)));

const stays = { output: { outcome: 'stay' }, waits: [], runs: [] } as const;
const afresh = (destination: object = to, resolved = true) => ({
  output: { outcome: 'begin afresh', destination, resolved },
  waits: [],
  runs: [],
});
const sourceLost = (resolved = true) => ({
  output: { outcome: 'look for the guest', source: from, target: to, resolved },
  waits: [],
  runs: [],
});

// --------------------------------------------------------------------------------------------------------- stories

const begin = (scheme: MigrationClientInput['scheme']) => given(migrationClient, input(scheme));
const resolved = (scheme: MigrationClientInput['scheme']) => begin(scheme).after(done('resolve destination', to));
const asking = resolved('seamless').after(up('main:0'));
const linkedBy = {
  seamless: asking.after(up('display:0'), up('inputs:0'), yes),
  'semi-seamless': resolved('semi-seamless').after(up('main:0'), up('display:0'), up('inputs:0')),
  'early-link': resolved('early-link').after(up('main:0'), up('display:0'), up('inputs:0')),
};
const each = Object.entries(linkedBy) as [MigrationClientInput['scheme'], (typeof linkedBy)['seamless']][];
/** Links and actors that still run when a linked hand-over ends; only unnamed ones end by themselves. */
const allLinks = [...links('main:0', 'display:0', 'inputs:0')];
const running = (scheme: Scheme): Act[] => [
  ...links('main:0', 'display:0', 'inputs:0'),
  ...(scheme === 'seamless' ? [ends('handshake@4')] : []),
];

describe('linking ahead', () => {
  test('begins where the program says that the target is', () => {
    begin('seamless').expect({
      in: { preparing: 'resolving' },
      does: [report('begun', 'seamless'), begins('resolve destination', { input: { destination: to } })],
      waits: ['link deadline'],
    });
    // Spec §3g: sooner than a source gives up.
    expect(begin('seamless').pending('link deadline').delay).toBeLessThan(10_000);
    const elsewhere = { host: 'proxy', port: 1 };
    begin('semi-seamless')
      .when(done('resolve destination', elsewhere))
      .expect({
        in: { preparing: 'linking main' },
        does: [
          begins(link('main:0'), {
            as: 'link',
            input: { link: link('main:0'), channel: 'main:0', connectionId: 7, destination: elsewhere },
          }),
        ],
      });
  });

  test('links main, then all others at once', () => {
    resolved('semi-seamless')
      .when(up('main:0'))
      .expect({ in: { preparing: 'linking' }, does: others.map(linking) });
    resolved('semi-seamless')
      .after(up('main:0'))
      .when(up('display:0'))
      .expect({ in: { preparing: 'linking' } });
  });

  test('answers when every channel is linked', () => {
    resolved('semi-seamless')
      .after(up('main:0'), up('display:0'))
      .when(up('inputs:0'))
      .expect({ in: 'linked', does: [connected, report('linked', 'semi-seamless')], waits: [] });
    resolved('early-link')
      .after(up('main:0'), up('display:0'))
      .when(up('inputs:0'))
      .expect({ in: 'linked', does: [report('linked', 'early-link')], waits: [] });
  });

  test('asks the target for seamless meanwhile, and waits for both', () => {
    resolved('seamless')
      .when(up('main:0'))
      .expect({
        in: { preparing: { 'linking seamlessly': { channels: 'linking', handshake: 'asking' } } },
        does: [
          ...others.map(linking),
          begins('handshake@4', {
            as: 'handshake',
            input: { link: link('main:0'), agreed: agreedOn(able), srcVersion: 1 },
          }),
        ],
      });
    asking
      .after(yes)
      .when(up('display:0'))
      .expect({ in: { preparing: { 'linking seamlessly': { handshake: 'answered' } } } });
    asking
      .after(yes, up('display:0'))
      .when(up('inputs:0'))
      .expect({ in: 'linked', does: [connectedSeamless, report('linked', 'seamless')], waits: [] });
    asking
      .after(up('display:0'), up('inputs:0'))
      .when(yes)
      .expect({ in: 'linked', does: [connectedSeamless, report('linked', 'seamless')] });
  });

  // Spec §3.0.
  test('settles for semi-seamless when the target declines, or does not know of more', () => {
    asking
      .after(up('display:0'), up('inputs:0'))
      .when(no)
      .expect({ in: 'linked', does: [connected, report('linked', 'semi-seamless')] });
    const plain = caps(MainCap.semiSeamlessMigrate);
    resolved('seamless')
      .when(up('main:0', plain))
      .expect({ in: { preparing: 'linking' }, does: others.map(linking), context: { scheme: 'semi-seamless' } });
    resolved('semi-seamless')
      .when(up('main:0'))
      .expect({ in: { preparing: 'linking' }, does: others.map(linking) });
  });

  test('does not wait for a channel that went down at the source', () => {
    resolved('semi-seamless')
      .after(up('main:0'), up('display:0'))
      .when(down('inputs:0'))
      .expect({
        in: 'linked',
        does: [connected, report('linked', 'semi-seamless', { channels: ['main:0', 'display:0'] })],
      });
    asking
      .after(yes, up('display:0'))
      .when(down('inputs:0'))
      .expect({
        in: 'linked',
        does: [connectedSeamless, report('linked', 'seamless', { channels: ['main:0', 'display:0'] })],
      });
  });

  test('is quick where there is only main', () => {
    given(migrationClient, { ...input('semi-seamless'), channels: ['main:0'] })
      .after(done('resolve destination', to))
      .when(up('main:0'))
      .expect({ in: 'linked', does: [connected, report('linked', 'semi-seamless', { channels: ['main:0'] })] });
  });
});

describe('a target that cannot be linked', () => {
  const failing = (reason: string, scheme: Scheme = 'semi-seamless') => report('failed', scheme, { reason });

  // Spec §5.2: the first failure is answered at once.
  test('is answered with an error at once, whichever channel it was', () => {
    resolved('semi-seamless')
      .when(linkFailed('main:0'))
      .expect({ ...stays, does: [connectError, failing('main:0: refused'), ...links('main:0')] });
    resolved('semi-seamless')
      .after(up('main:0'))
      .when(linkFailed('inputs:0'))
      .expect({ ...stays, does: [connectError, failing('inputs:0: refused'), ...allLinks] });
    resolved('semi-seamless')
      .after(up('main:0'))
      .when(lost('main:0'))
      .expect({ ...stays, does: [connectError, failing('the target hung up'), ...allLinks] });
    asking
      .when({ type: 'handshake.lost' })
      .expect({ ...stays, does: [connectError, failing('the target hung up', 'seamless'), ...running('seamless')] });
    begin('semi-seamless')
      .when(failed('resolve destination'))
      .expect({ ...stays, does: [connectError, failing('no destination')] });
  });

  // Spec §3g, §6.3: the C client hangs for ever when the target is silent.
  test('is answered with an error when it is silent', () => {
    const late = failing('the target does not answer in time');
    begin('semi-seamless')
      .when(elapsed('link deadline'))
      .expect({ ...stays, does: [ends('resolve destination'), connectError, late] });
    resolved('semi-seamless')
      .when(elapsed('link deadline'))
      .expect({ ...stays, does: [connectError, late, ...links('main:0')] });
    asking.when(elapsed('link deadline')).expect({
      ...stays,
      does: [connectError, failing('the target does not answer in time', 'seamless'), ...running('seamless')],
    });
  });

  // Spec §3b: nobody hears of it; the source lets every channel go at the end all the same.
  test('is not answered on an early link: the end is awaited, and begun there afresh', () => {
    const refused = resolved('early-link').when(linkFailed('main:0'));
    refused.expect({ in: 'target lost', does: [failing('main:0: refused', 'early-link')], waits: [] });
    refused.when(left('display:0')).expect({ in: 'target lost' });
    refused.when(left('display:0'), left('main:0')).expect({ ...afresh(), does: links('main:0') });
    refused.when(cancel).expect({
      ...stays,
      does: [report('cancelled', 'early-link', { reason: 'main:0: refused' }), ...links('main:0')],
    });
  });

  // Spec §3b: such a target waits for a word that nobody says in this scheme.
  test('is one that knows no early link, if that is the scheme', () => {
    const plain = caps(MainCap.semiSeamlessMigrate, MainCap.seamlessMigrate);
    const refused = resolved('early-link').when(up('main:0', plain));
    refused.expect({ in: 'target lost', does: [failing('the target knows no early link', 'early-link')], waits: [] });
    refused.when(left('main:0', false)).expect({ ...afresh(), does: links('main:0') });
    resolved('semi-seamless')
      .when(up('main:0', plain))
      .expect({ in: { preparing: 'linking' }, does: others.map(linking) });
  });

  // Main hears first if the guest has gone elsewhere meanwhile; another channel may be let go before that.
  test('is begun afresh if the source has let main go already, and not before', () => {
    const hanging = resolved('semi-seamless').after(up('main:0'), left('display:0')).when(linkFailed('inputs:0'));
    hanging.expect({ in: 'target lost', does: [connectError, failing('inputs:0: refused')], waits: [] });
    hanging.when(left('main:0')).expect({ ...afresh(), does: allLinks });
    resolved('semi-seamless')
      .after(up('main:0'), left('main:0'))
      .when(linkFailed('inputs:0'))
      .expect({ ...afresh(), does: [connectError, failing('inputs:0: refused'), ...allLinks] });
  });
});

// Spec §5.1.
describe('a move that is given up', () => {
  test('is answered, so that the source can count, and its links go', () => {
    resolved('semi-seamless')
      .after(up('main:0'))
      .when(cancel)
      .expect({ ...stays, does: [connectError, report('cancelled', 'semi-seamless'), ...allLinks] });
  });

  // The source has another target in mind, and on main it says so next.
  test('is not given up when a channel was let go already', () => {
    const going = resolved('early-link').after(left('display:0'));
    going.when(cancel).expect({ in: { preparing: 'linking main' } });
    going.when(linkFailed('main:0'), cancel).expect({
      in: 'target lost',
      does: [report('failed', 'early-link', { reason: 'main:0: refused' })],
    });
  });

  test.each(each)('is not answered twice once linked (%s)', (scheme, linked) => {
    linked.when(cancel).expect({ ...stays, does: [report('cancelled', scheme), ...running(scheme)] });
  });

  test('is no answer’s business on an early link', () => {
    resolved('early-link')
      .when(cancel)
      .expect({ ...stays, does: [report('cancelled', 'early-link'), ...links('main:0')] });
  });
});

// Spec §5.2: the guest has moved before the client was linked.
describe('a source that sends the client away the old way', () => {
  const elsewhere = { host: 'elsewhere', port: undefined, tlsPort: 5999, certSubject: 'CN=elsewhere' };

  test('is obeyed at any time', () => {
    resolved('semi-seamless')
      .when(switchHost)
      .expect({ ...afresh(elsewhere, false), does: links('main:0') });
    for (const [scheme, linked] of each) {
      linked.when(switchHost).expect({ ...afresh(elsewhere, false), does: running(scheme) });
    }
  });

  test('is obeyed when another channel was let go first, and went to the target that does not count any more', () => {
    linkedBy['early-link']
      .after(left('display:0'), switched('display:0'))
      .when(cancel, switchHost)
      .expect({ ...afresh(elsewhere, false), does: running('early-link') });
  });
});

describe('a linked client goes over', () => {
  const outcome = (scheme: Scheme, those = channels) => ({
    output: { outcome: 'switched', scheme, destination: to, mainCaps: able, switched: those },
    waits: [],
    runs: [],
  });

  test('semi-seamlessly: all leave, main goes first, the others after its greeting', () => {
    const switching = linkedBy['semi-seamless'].when(end);
    switching.expect({
      in: 'switching main',
      does: [tell('every', { type: 'migration.leave' }), leadOver('semi-seamless', 'main:0')],
      waits: ['switch deadline'],
    });
    const greeted = switching.after(switched('main:0')).when(init);
    greeted.expect({
      in: 'switching',
      does: others.map((channel) => leadOver('semi-seamless', channel)),
      waits: ['switch deadline'],
    });
    greeted.when(switched('display:0')).expect({ in: 'switching' });
    greeted
      .after(switched('display:0'))
      .when(switched('inputs:0'))
      .expect({
        ...outcome('semi-seamless', ['main:0', 'display:0', 'inputs:0']),
        does: [...channels.map(settle), report('switched', 'semi-seamless'), ...allLinks],
      });
  });

  test.each([
    ['seamless', linkedBy.seamless],
    ['early-link', linkedBy['early-link']],
  ] as const)('channel by channel, in any order, as the source lets them go (%s)', (scheme, linked) => {
    const first = linked.when(left('inputs:0'));
    first.expect({ in: 'switching', does: [leadOver(scheme, 'inputs:0')], waits: ['switch deadline'] });
    const rest = first.after(switched('inputs:0'), left('main:0'), switched('main:0'));
    rest.when(left('display:0')).expect({ in: 'switching', does: [leadOver(scheme, 'display:0')] });
    const order = ['inputs:0', 'main:0', 'display:0'];
    rest
      .after(left('display:0'))
      .when(switched('display:0'))
      .expect({
        ...outcome(scheme, order),
        does: [...order.map(settle), report('switched', scheme, { channels: order }), ...running(scheme)],
      });
  });

  test('not by migrate_end, unless that is the scheme', () => {
    linkedBy.seamless.when(end).expect({ in: 'linked' });
    linkedBy['early-link'].when(end).expect({ in: 'linked' });
  });

  // Spec §3b, holes: MIGRATE(0) may arrive while a link is not finished.
  test('those first that left before the client was linked', () => {
    resolved('early-link')
      .after(up('main:0'), up('display:0'), left('display:0'), left('usb:9'))
      .when(up('inputs:0'))
      .expect({ in: 'switching', does: [report('linked', 'early-link'), leadOver('early-link', 'display:0')] });
    resolved('early-link')
      .after(up('main:0'), up('display:0'), left('display:0'), down('display:0'))
      .when(up('inputs:0'))
      .expect({ in: 'linked', does: [report('linked', 'early-link', { channels: ['main:0', 'inputs:0'] })] });
  });

  test('those first that left before main had heard of the move', () => {
    given(migrationClient, { ...input('early-link'), left: ['display:0'] })
      .after(done('resolve destination', to), up('main:0'), up('display:0'))
      .when(up('inputs:0'))
      .expect({ in: 'switching', does: [report('linked', 'early-link'), leadOver('early-link', 'display:0')] });
  });

  // Spec §3d 6-8: a source that has given its client up lets a channel go without data, and says so on main a little later.
  test.each([
    ['seamless', linkedBy.seamless],
    ['semi-seamless', linkedBy['semi-seamless']],
  ] as const)('without a channel that is not let go by this scheme: main says where to (%s)', (scheme, linked) => {
    const waiting = linked.when(left('inputs:0', false));
    waiting.expect({ in: 'switching', does: [], waits: ['switch deadline'] });
    const elsewhere = { host: 'elsewhere', port: undefined, tlsPort: 5999, certSubject: 'CN=elsewhere' };
    waiting.when(switchHost).expect({ ...afresh(elsewhere, false), does: running(scheme) });
    waiting.when(elapsed('switch deadline')).expect({ ...sourceLost(), does: running(scheme) });
    waiting.when(left('display:0', false)).expect({ in: 'switching', does: [] });
  });

  test('with one that takes nothing along, and those first that took their data before the client was linked', () => {
    const both = { ...input('seamless'), channels: ['main:0', 'inputs:0', 'cursor:0'] };
    const linking = given(migrationClient, both).after(done('resolve destination', to), up('main:0'), up('inputs:0'));
    const linked = linking.after(yes, up('cursor:0'));
    linked.when(left('cursor:0', false)).expect({ in: 'switching', does: [leadOver('seamless', 'cursor:0')] });
    linking
      .after(yes, left('inputs:0', false), left('cursor:0', false))
      .when(up('cursor:0'))
      .expect({
        in: 'switching',
        does: [
          connectedSeamless,
          report('linked', 'seamless', { channels: both.channels }),
          leadOver('seamless', 'cursor:0'),
        ],
      });
    linking
      .after(yes, left('inputs:0'), left('cursor:0', false))
      .when(up('cursor:0'))
      .expect({
        in: 'switching',
        does: [
          connectedSeamless,
          report('linked', 'seamless', { channels: both.channels }),
          leadOver('seamless', 'inputs:0'),
          leadOver('seamless', 'cursor:0'),
        ],
      });
  });

  // Spec §5.4: such a channel dies with the source.
  test('without a channel that was linked at the source only later', () => {
    linkedBy.seamless.when(left('display:1')).expect({ in: 'linked' });
    linkedBy.seamless.after(left('main:0')).when(left('display:1')).expect({ in: 'switching' });
  });

  test('without a channel that dies on the way', () => {
    linkedBy.seamless.when(down('inputs:0')).expect({ in: 'linked' });
    const switching = linkedBy['semi-seamless'].after(end);
    switching.when(down('inputs:0')).expect({ in: 'switching main' });
    switching
      .after(down('inputs:0'), switched('main:0'))
      .when(init)
      .expect({ in: 'switching', does: [leadOver('semi-seamless', 'display:0')] });
    switching
      .after(switched('main:0'), init, switched('display:0'), down('display:0'))
      .when(switched('inputs:0'))
      .expect({
        ...outcome('semi-seamless', ['main:0', 'inputs:0']),
        does: [
          settle('main:0'),
          settle('inputs:0'),
          report('switched', 'semi-seamless', { channels: ['main:0', 'inputs:0'] }),
          ...allLinks,
        ],
      });
  });

  test('without those that do not switch in time, but never without main', () => {
    const late = linkedBy.seamless.after(left('main:0'), switched('main:0'), left('display:0'));
    late.when(elapsed('switch deadline')).expect({
      ...outcome('seamless', ['main:0']),
      does: [settle('main:0'), report('switched', 'seamless', { channels: ['main:0'] }), ...running('seamless')],
    });
    // The source may have another target in mind, and main has not heard of it.
    linkedBy.seamless
      .after(left('display:0'), switched('display:0'))
      .when(elapsed('switch deadline'))
      .expect({ ...sourceLost(), does: running('seamless') });
    linkedBy.seamless
      .after(left('main:0'))
      .when(elapsed('switch deadline'))
      .expect({ ...afresh(), does: running('seamless') });
    linkedBy['semi-seamless']
      .after(end)
      .when(elapsed('switch deadline'))
      .expect({ ...afresh(), does: allLinks });
  });
});

// Spec §5.2: the C client does not notice, or loses the session.
describe('a target that is lost after it was linked', () => {
  const hungUp = 'the target hung up';
  const answersLate = 'the target does not answer in time';
  const again = (channel: string, relink: number) => `${link(channel)}.${relink}`;
  const upAgain = (channel: string, relink: number, channelCaps = able): MigrationClientEvent => ({
    type: 'link.up',
    link: again(channel, relink),
    channel,
    agreed: agreedOn(channelCaps),
  });
  const linkingAgain = (channel: string, relink: number) =>
    begins(again(channel, relink), {
      as: 'link',
      input: { link: again(channel, relink), channel, connectionId: 7, destination: to },
    });
  const relinking = (scheme: Scheme) => report('relinking', scheme, { reason: hungUp });
  /** Everything linked anew, at the first try. */
  const relinked = (scheme: MigrationClientInput['scheme'], ...meanwhile: MigrationClientEvent[]) => {
    const tried = linkedBy[scheme].after(lost('inputs:0'), elapsed('relink delay'), ...meanwhile);
    const all = tried.after(upAgain('main:0', 1), upAgain('display:0', 1));
    return scheme === 'seamless' ? all.after(yes).when(upAgain('inputs:0', 1)) : all.when(upAgain('inputs:0', 1));
  };
  /** After so many tries that no other is left. */
  const exhausted = (scheme: MigrationClientInput['scheme'], ...before: MigrationClientEvent[]) => {
    let story = linkedBy[scheme].after(lost('inputs:0'), ...before);
    for (let tries = 1; tries < 6; tries++) story = story.after(elapsed('relink delay'), linkFailed('main:0'));
    return story.after(elapsed('relink delay'));
  };

  test.each(each)('is linked again, all of it, and the source hears nothing of that (%s)', (scheme, linked) => {
    const waiting = linked.when(lost('inputs:0'));
    waiting.expect({
      in: { relinking: 'waiting' },
      does: [relinking(scheme), ...running(scheme)],
      waits: ['relink delay'],
      runs: [],
    });
    const trying = waiting.when(elapsed('relink delay'));
    trying.expect({
      in: { relinking: { trying: 'linking main' } },
      does: [linkingAgain('main:0', 1)],
      waits: ['link deadline'],
    });
    const more = scheme === 'seamless' ? [begins('handshake@4.1', { as: 'handshake' })] : [];
    trying
      .when(upAgain('main:0', 1))
      .expect({ does: [linkingAgain('display:0', 1), linkingAgain('inputs:0', 1), ...more] });
    const whole = relinked(scheme);
    whole.expect({ in: 'linked', does: [report('linked', scheme, { reason: hungUp })], waits: [] });
    whole.when(lost('display:0')).expect({
      in: { relinking: 'waiting' },
      does: [
        relinking(scheme),
        ...channels.map((channel) => ends(again(channel, 1))),
        ...(scheme === 'seamless' ? [ends('handshake@4.1')] : []),
      ],
    });
  });

  test.each(each)('is linked again a few times, ever later, and then ends nothing (%s)', (scheme, linked) => {
    let story = linked.after(lost('inputs:0'));
    for (const ms of [500, 1_000, 2_000, 4_000, 4_000]) {
      expect(story.pending('relink delay').delay).toBe(ms);
      const trying = story.after(elapsed('relink delay'));
      for (const failing of [linkFailed('main:0'), lost('main:0'), elapsed('link deadline')]) {
        trying.when(failing).expect({
          in: { relinking: 'waiting' },
          does: [expect.objectContaining({ ends: expect.stringContaining('link:main:0@4.') }) as never],
        });
      }
      story = trying.after(linkFailed('main:0'));
    }
    const last = story.after(elapsed('relink delay'));
    const never = 'the target cannot be linked again';
    for (const failing of [linkFailed('main:0'), lost('main:0'), { type: 'handshake.lost' } as const])
      last.when(failing).expect({ in: 'target lost', does: [report('failed', scheme, { reason: never })], waits: [] });
    last
      .when(elapsed('link deadline'))
      .expect({ in: 'target lost', does: [report('failed', scheme, { reason: answersLate })], waits: [] });
    const whole = exhausted(scheme).after(upAgain('main:0', 6), upAgain('display:0', 6), upAgain('inputs:0', 6));
    (scheme === 'seamless' ? whole.after(yes) : whole)
      .when(lost('inputs:0'))
      .expect({ in: 'target lost', does: [report('failed', scheme, { reason: hungUp })] });
  });

  test.each(each)('ends nothing while the source has the guest (%s)', (scheme) => {
    const stranded = exhausted(scheme).after(linkFailed('main:0'));
    const rest = { does: [ends(again('main:0', 6))] };
    const reason = 'the target cannot be linked again';
    stranded.when(cancel).expect({ ...stays, does: [report('cancelled', scheme, { reason }), ...rest.does] });
    stranded.when(end).expect({ ...afresh(), ...rest });
    stranded.when(left('display:0')).expect({ in: 'target lost' });
    stranded.when(left('main:0')).expect({ ...afresh(), ...rest });
    stranded.when(switchHost).expect({
      ...afresh({ host: 'elsewhere', port: undefined, tlsPort: 5999, certSubject: 'CN=elsewhere' }, false),
      ...rest,
    });
    stranded.when(down('display:0')).expect({ in: 'target lost' });
    stranded.when(down('main:0')).expect({ ...sourceLost(), ...rest });
  });

  test.each(each)('does not hinder the source while it is linked again (%s)', (scheme, linked) => {
    const waiting = linked.after(lost('inputs:0'));
    const cancelled = report('cancelled', scheme, { reason: hungUp });
    waiting.when(cancel).expect({ ...stays, does: [cancelled] });
    waiting.when(switchHost).expect({
      ...afresh({ host: 'elsewhere', port: undefined, tlsPort: 5999, certSubject: 'CN=elsewhere' }, false),
      does: [],
    });
    waiting.when(down('main:0')).expect({ ...sourceLost(), does: [] });
    waiting.when(down('inputs:0')).expect({ in: 'relinking', context: { channels: ['main:0', 'display:0'] } });
  });

  test('is waited for when the guest moves meanwhile, but not for long', () => {
    const going = relinked('semi-seamless', end);
    going.expect({
      in: 'switching main',
      does: [
        report('linked', 'semi-seamless', { reason: hungUp }),
        tell('every', { type: 'migration.leave' }),
        tell('main:0', {
          type: 'migration.switch',
          link: again('main:0', 1),
          agreed: agreedOn(able),
          scheme: 'semi-seamless',
        }),
      ],
    });
    for (const scheme of ['seamless', 'early-link'] as const) {
      const leading = relinked(scheme, left('display:0'));
      leading.expect({
        in: 'switching',
        does: [
          report('linked', scheme, { reason: hungUp }),
          tell('display:0', {
            type: 'migration.switch',
            link: again('display:0', 1),
            agreed: agreedOn(able),
            scheme,
          }),
        ],
      });
    }
    for (const [scheme, word] of [
      ['semi-seamless', end],
      ['seamless', left('display:0')],
    ] as const) {
      const waiting = linkedBy[scheme].after(lost('inputs:0')).when(word);
      waiting.expect({ in: { relinking: 'waiting' }, waits: ['relink delay', 'late deadline'] });
      expect(waiting.pending('late deadline').delay).toBeLessThan(10_000);
      waiting.when(elapsed('late deadline')).expect({ ...afresh(), does: [] });
      // The source hangs up when it has waited for long enough.
      waiting.when(down('main:0')).expect({ ...afresh(), does: [] });
      const unlinked = exhausted(scheme, word);
      unlinked.when(linkFailed('main:0')).expect(
        scheme === 'semi-seamless'
          ? {
              ...afresh(),
              does: [
                report('failed', scheme, { reason: 'the target cannot be linked again' }),
                ends(again('main:0', 6)),
              ],
            }
          : {
              in: 'target lost',
              does: [report('failed', scheme, { reason: 'the target cannot be linked again' })],
            },
      );
      // What only a semi-seamless source says when all is over is no word for others.
      if (scheme === 'seamless') {
        waiting.when(cancel, end).expect({
          in: { relinking: 'waiting' },
          context: { ended: false },
          waits: ['relink delay', 'late deadline'],
        });
      }
    }
  });

  test('must be able to do what the source was told', () => {
    const reason = 'the target that was linked again cannot do what the first one could';
    const trying = linkedBy.seamless.after(lost('inputs:0'), elapsed('relink delay'));
    trying
      .when(upAgain('main:0', 1, caps(MainCap.semiSeamlessMigrate)))
      .expect({ in: 'target lost', does: [report('failed', 'seamless', { reason })] });
    linkedBy['early-link']
      .after(lost('inputs:0'), elapsed('relink delay'))
      .when(upAgain('main:0', 1, caps(MainCap.semiSeamlessMigrate)))
      .expect({ in: 'target lost', does: [report('failed', 'early-link', { reason })] });
    trying
      .after(upAgain('main:0', 1))
      .when({ type: 'handshake.lost' })
      .expect({
        in: { relinking: 'waiting' },
        does: [...channels.map((channel) => ends(again(channel, 1))), ends('handshake@4.1')],
      });
    trying
      .after(upAgain('main:0', 1))
      .when(no)
      .expect({ in: 'target lost', does: [report('failed', 'seamless', { reason })] });
  });

  test.each(['seamless', 'early-link'] as const)(
    'is gone to afresh when main has nothing left to go over to, and some channels have gone (%s)',
    (scheme) => {
      const going = linkedBy[scheme].after(left('display:0'), switched('display:0'));
      const stranded = going.when(lost('main:0'));
      stranded.expect({
        in: 'target lost',
        does: [report('failed', scheme, { reason: 'the target hung up' })],
        waits: [],
      });
      stranded.when(left('main:0')).expect({ ...afresh(), does: running(scheme) });
      going
        .after(left('main:0'))
        .when(lost('main:0'))
        .expect({
          ...afresh(),
          does: [report('failed', scheme, { reason: 'the target hung up' }), ...running(scheme)],
        });
      going.when(lost('inputs:0')).expect({ in: 'switching' });
    },
  );
});

// Spec §5.7.
describe('main that is lost', () => {
  test('at the source, is looked for there and at the target: the guest may have moved or not', () => {
    begin('semi-seamless')
      .when(down('main:0'))
      .expect({ ...sourceLost(false), does: [ends('resolve destination')] });
    resolved('semi-seamless')
      .when(down('main:0'))
      .expect({ ...sourceLost(), does: links('main:0') });
    for (const [scheme, linked] of each) linked.when(down('main:0')).expect({ ...sourceLost(), does: running(scheme) });
    linkedBy.seamless
      .after(left('display:0'), switched('display:0'))
      .when(down('main:0'))
      .expect({ ...sourceLost(), does: running('seamless') });
  });

  test('at the target, is looked for there', () => {
    const switching = linkedBy['semi-seamless'].after(end);
    switching.when(down('main:0')).expect({ ...afresh(), does: allLinks });
    switching
      .after(switched('main:0'), init)
      .when(down('main:0'))
      .expect({ ...afresh(), does: allLinks });
    linkedBy.seamless
      .after(left('main:0'), switched('main:0'))
      .when(down('main:0'))
      .expect({ ...afresh(), does: running('seamless') });
  });
});

test('ports 0 and 65535 stand for none', () => {
  const body = { host: 'there', certSubject: 'CN=x' };
  expect(destinationOf({ ...body, port: 0, sport: 0xffff })).toEqual({
    host: 'there',
    port: undefined,
    tlsPort: undefined,
    certSubject: 'CN=x',
  });
  expect(destinationOf({ ...body, port: 1, sport: 2 })).toEqual({
    host: 'there',
    port: 1,
    tlsPort: 2,
    certSubject: 'CN=x',
  });
});

test('nothing of the chart is left untested', () => expect(untouched(migrationClient)).toEqual([]));
