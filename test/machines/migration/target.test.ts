/** A hand-over at its target: parking, arriving, waiting for the state (spec §3b–d, §5.4, §5.7, §5.8). */
import { describe, expect, test } from 'vitest';
import type { Beginning, Scheme } from '../../../machines/contract.ts';
import { type MigrationTargetEvent, migrationTarget } from '../../../machines/migration/target.ts';
import { elapsed, given, tells } from '../../support/given.ts';
import { untouched } from '../../support/touched.ts';
import { agreedOn } from '../words.ts';

const agreed = agreedOn();
const linkOf = (channel: string) => `link:${channel}`;
const park = (channel: string): MigrationTargetEvent => ({
  type: 'target.park',
  channel,
  link: linkOf(channel),
  agreed,
});
const lost = (channel: string): MigrationTargetEvent => ({ type: 'link.lost', link: linkOf(channel), channel });
const loaded = (channel: string): MigrationTargetEvent => ({ type: 'channel.loaded', channel });
const down = (channel: string): MigrationTargetEvent => ({ type: 'channel.down', channel, reason: 'gone' });
const end: MigrationTargetEvent = { type: 'msgc.migrate_end', body: {} };
const attachChannels: MigrationTargetEvent = { type: 'msgc.attach_channels', body: {} };
const spoke: MigrationTargetEvent = { type: 'link.spoke', link: linkOf('display:0') };
const ask = (srcVersion = 1): MigrationTargetEvent => ({ type: 'msgc.migrate_dst_do_seamless', body: { srcVersion } });

const tell = (channel: string, event: { type: string }) => tells('parent', { type: 'migration.tell', channel, event });
const say = (type: string) => tell('main:0', { type: 'session.say', message: { type, body: {} } } as never);
const greet = (scheme: Scheme) => tell('main:0', { type: 'migration.greet', scheme } as never);
const begin = (channel: string, beginning: Beginning) =>
  tells('parent', { type: 'target.begin', parked: { channel, link: linkOf(channel), agreed }, beginning });

const all = ['display:0', 'inputs:0', 'cursor:0', 'playback:0'];
const begun = given(migrationTarget, { seamless: true, earlyLink: true });
const parked = begun.after(...all.map(park));

describe('links at a target', () => {
  test('are parked, and nothing is said, for half an hour at most', () => {
    begun.expect({ in: 'parked', waits: ['arrival deadline'] });
    begun.when(...all.map(park)).expect({ in: 'parked' });
    expect(begun.pending('arrival deadline').delay).toBe(30 * 60_000);
    parked.when(elapsed('arrival deadline')).expect({
      output: { outcome: 'abandoned', reason: 'the client did not arrive in time' },
      waits: [],
    });
  });

  // Spec §5.7: the reference does not notice.
  test('are forgotten when they are lost', () => {
    parked
      .after(lost('inputs:0'), lost('nothing:0'))
      .when(end)
      .expect({
        ended: true,
        does: [greet('semi-seamless'), ...['display:0', 'cursor:0', 'playback:0'].map((c) => begin(c, 'fresh'))],
      });
  });

  test('are begun one for one when there are several displays', () => {
    begun
      .after(park('display:0'), park('display:1'))
      .when(end)
      .expect({
        ended: true,
        does: [greet('semi-seamless'), begin('display:0', 'fresh'), begin('display:1', 'fresh')],
      });
  });
});

describe('a client arrives', () => {
  const arrived = (scheme: Scheme) => ({ output: { outcome: 'arrived', scheme }, waits: [] });

  test('semi-seamlessly when it says that the source has let it go', () => {
    parked.when(end).expect({
      ...arrived('semi-seamless'),
      does: [greet('semi-seamless'), ...all.map((channel) => begin(channel, 'fresh'))],
    });
  });

  test('by an early link when it says something on any of its links', () => {
    for (const word of [attachChannels, spoke]) {
      parked.when(word).expect({
        ...arrived('early-link'),
        does: [greet('early-link'), ...all.map((channel) => begin(channel, 'fresh'))],
      });
    }
  });

  // Spec §5.8: attach_channels is ignored before the arrival; parked links are not read.
  test('by no early link where that is not spoken', () => {
    given(migrationTarget, { seamless: true, earlyLink: false }).when(attachChannels, spoke).expect({ in: 'parked' });
  });

  test('seamlessly: it is told so before anything begins, and its state is awaited', () => {
    parked.when(ask()).expect({
      in: 'awaiting migrate data',
      does: [
        say('msg.migrate_dst_seamless_ack'),
        greet('seamless'),
        begin('display:0', 'migrate data'),
        begin('inputs:0', 'migrate data'),
        begin('cursor:0', 'kept'),
        begin('playback:0', 'kept'),
      ],
      waits: ['arrival deadline'],
      context: { awaited: ['main:0', 'display:0', 'inputs:0'], parked: [] },
    });
  });

  // Spec §3.0: too new a version, or not wanted here.
  test('not seamlessly where that cannot be, and may come semi-seamlessly then', () => {
    for (const story of [
      parked.when(ask(2)),
      given(migrationTarget, { seamless: false, earlyLink: false }).when(ask()),
    ]) {
      story.expect({ in: 'parked', does: [say('msg.migrate_dst_seamless_nack')] });
      story.after(end).expect({ ended: true });
    }
    parked.when(ask(0)).expect({ in: 'awaiting migrate data', does: parked.when(ask()).acts });
  });
});

describe('the state of a seamless client', () => {
  const awaiting = begun.after(park('display:0'), ask());

  test('is all there when every channel has loaded its own', () => {
    awaiting.when(loaded('display:0')).expect({ in: 'awaiting migrate data' });
    awaiting
      .after(loaded('display:0'))
      .when(loaded('main:0'))
      .expect({ output: { outcome: 'arrived', scheme: 'seamless' }, waits: [] });
  });

  // Spec §3d 3: channels that link later are begun at once, and counted.
  test('may come over a link that came later', () => {
    awaiting.when(park('inputs:0')).expect({
      does: [begin('inputs:0', 'migrate data')],
      context: { awaited: ['main:0', 'display:0', 'inputs:0'] },
    });
    awaiting.when(park('cursor:0')).expect({
      does: [begin('cursor:0', 'kept')],
      context: { awaited: ['main:0', 'display:0'] },
    });
  });

  test('was left behind by a channel that is linked anew: it begins as any other', () => {
    for (const channel of ['display:0', 'cursor:0']) {
      const linked = awaiting.after(park('cursor:0'));
      linked
        .after(down(channel))
        .when(park(channel))
        .expect({
          does: [begin(channel, 'fresh')],
          context: { awaited: channel === 'display:0' ? ['main:0'] : ['main:0', 'display:0'] },
        });
    }
    const later = awaiting.after(park('inputs:0'), down('inputs:0')).when(park('inputs:0'));
    later.expect({ does: [begin('inputs:0', 'fresh')], context: { awaited: ['main:0', 'display:0'] } });
  });

  // Spec §5.7, §6.24: the reference waits for ever for a channel that is gone.
  test('is not awaited from a channel that is gone', () => {
    awaiting.after(down('display:0')).when(loaded('main:0')).expect({ ended: true });
    awaiting.when(down('cursor:0')).expect({ in: 'awaiting migrate data' });
  });

  test('is not awaited for ever', () => {
    awaiting.when(elapsed('arrival deadline')).expect({ in: 'overdue', ended: true, waits: [] });
  });

  // Spec §5.9: this ends the program of the reference. Main takes it for a violation before it comes here.
  test('is not cut short by migrate_end', () => {
    awaiting.when(end, ask(), attachChannels).expect({ in: 'awaiting migrate data' });
  });
});

test('nothing of the chart is left untested', () => expect(untouched(migrationTarget)).toEqual([]));
