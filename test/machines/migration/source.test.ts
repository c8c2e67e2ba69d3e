/** A hand-over at its source: announcing, counting answers, letting go (spec §3.0, §5.1–5.3, §5.6–5.7). */
import { describe, expect, test } from 'vitest';
import type { Scheme } from '../../../machines/contract.ts';
import { type MigrationSourceInput, migrationSource } from '../../../machines/migration/source.ts';
import type { MainReceived } from '../../../src/protocol/main.ts';
import { elapsed, given, tells } from '../../support/given.ts';
import { untouched } from '../../support/touched.ts';

const destination = { host: 'there', port: 5900, tlsPort: 5901, certSubject: 'CN=there' };
const dstInfo = { host: 'there', port: 5900, sport: 5901, certSubject: 'CN=there' };
const input = (scheme: Scheme, more: Partial<MigrationSourceInput> = {}): MigrationSourceInput => ({
  destination,
  scheme,
  gone: false,
  earlyLink: false,
  answersOwed: scheme === 'seamless' || scheme === 'semi-seamless' ? 1 : 0,
  ...more,
});
const begin = (scheme: Scheme, more?: Partial<MigrationSourceInput>) => given(migrationSource, input(scheme, more));

const connected: MainReceived<'server'> = { type: 'msgc.migrate_connected', body: {} };
const connectedSeamless: MainReceived<'server'> = { type: 'msgc.migrate_connected_seamless', body: {} };
const connectError: MainReceived<'server'> = { type: 'msgc.migrate_connect_error', body: {} };
const answers = [connected, connectedSeamless, connectError];
const moved = { type: 'migration.end', completed: true } as const;
const stays = { type: 'migration.end', completed: false } as const;
const empty = { type: 'session.empty' } as const;

const say = (type: string, body: object = {}) =>
  tells('parent', {
    type: 'migration.tell',
    channel: 'main:0',
    event: { type: 'session.say', message: { type, body } },
  });
const letGo = (scheme: Scheme) =>
  tells('parent', { type: 'migration.tell', channel: 'every', event: { type: 'migration.move', scheme } });
const answered = (linked: boolean, scheme: Scheme) => tells('parent', { type: 'source.answered', linked, scheme });
const counted = tells('parent', { type: 'source.answer_counted' });
const cancels = say('msg.migrate_cancel');
const switchHost = say('msg.migrate_switch_host', dstInfo);
const awayWith = (scheme: Scheme) => [switchHost, letGo(scheme)];

describe('an announcement', () => {
  test('is the best that was agreed on, and is answered within 10 s', () => {
    const seamless = begin('seamless');
    seamless.expect({
      in: 'awaiting the answer',
      does: [say('msg.migrate_begin_seamless', { ...dstInfo, srcMigVersion: 1 })],
      waits: ['answer deadline'],
    });
    expect(seamless.pending('answer deadline').delay).toBe(10_000);
    begin('semi-seamless').expect({ in: 'awaiting the answer', does: [say('msg.migrate_begin', dstInfo)] });
  });

  test('is not answered on an early link', () => {
    begin('early-link').expect({ in: 'linked', does: [switchHost, answered(true, 'early-link')], waits: [] });
  });

  // Spec §5.6.
  test('is not made to a client that knows none', () => {
    begin('switch-host').expect({ in: 'not linked', does: [answered(false, 'switch-host')], waits: [] });
  });

  test('says 0 for a port that is not there', () => {
    given(migrationSource, { ...input('semi-seamless'), destination: { host: 'there', tlsPort: 5901 } }).expect({
      does: [say('msg.migrate_begin', { host: 'there', port: 0, sport: 5901, certSubject: '' })],
    });
    given(migrationSource, { ...input('semi-seamless'), destination: { host: 'there', port: 5900 } }).expect({
      does: [say('msg.migrate_begin', { host: 'there', port: 5900, sport: 0, certSubject: '' })],
    });
  });

  // Spec §5.7: a client that comes when the guest has gone.
  test('is not made any more when the guest has gone', () => {
    begin('switch-host', { gone: true }).expect({
      in: 'departing',
      does: awayWith('switch-host'),
      waits: ['departure deadline'],
    });
  });
});

describe('the answer', () => {
  const linkedNews = (scheme: Scheme) => [counted, answered(true, scheme)];

  test('says that the client is linked, and how', () => {
    begin('seamless')
      .when(connectedSeamless)
      .expect({ in: 'linked', does: linkedNews('seamless'), waits: [] });
    begin('seamless')
      .when(connected)
      .expect({ in: 'linked', does: linkedNews('semi-seamless'), waits: [] });
    begin('semi-seamless')
      .when(connected)
      .expect({ in: 'linked', does: linkedNews('semi-seamless') });
  });

  test('says that the client cannot link', () => {
    begin('seamless')
      .when(connectError)
      .expect({ in: 'not linked', does: [counted, answered(false, 'switch-host')], waits: [] });
  });

  test('is none if it claims what was not offered', () => {
    begin('semi-seamless').when(connectedSeamless).expect({ in: 'awaiting the answer' });
  });

  // Spec §5.2.
  test('that comes too late is told that it is too late, an error is not', () => {
    const late = begin('seamless').when(elapsed('answer deadline'));
    late.expect({ in: 'not linked', does: [answered(false, 'switch-host')], waits: [] });
    late.when(connected).expect({ in: 'not linked', does: [counted, cancels] });
    late.when(connectedSeamless).expect({ in: 'not linked', does: [counted, cancels] });
    late.when(connectError).expect({ in: 'not linked', does: [counted] });
  });

  // Spec §5.3: answers are not correlated on the wire, but they come in order, one each.
  test('to an earlier announcement is not taken for one to this', () => {
    for (const first of answers) {
      const second = begin('seamless', { answersOwed: 2 }).when(first);
      second.expect({ in: 'awaiting the answer', does: [counted], context: { answersOwed: 1 } });
      second.when(connectedSeamless).expect({ in: 'linked', does: linkedNews('seamless') });
      second.when(connectError).expect({ in: 'not linked', does: [counted, answered(false, 'switch-host')] });
    }
    begin('semi-seamless', { answersOwed: 3 })
      .after(connected, connectError)
      .when(connected)
      .expect({ in: 'linked', does: linkedNews('semi-seamless') });
  });

  test('to an earlier announcement is counted on an early link too', () => {
    for (const late of answers) {
      begin('early-link', { answersOwed: 1 })
        .when(late)
        .expect({ in: 'linked', does: [counted], context: { answersOwed: 0 } });
    }
  });

  test('does not count below nothing', () => {
    begin('semi-seamless')
      .after(connected)
      .when(connected)
      .expect({ does: [counted], context: { answersOwed: 0 } });
  });
});

describe('the end, when the guest has moved', () => {
  const gone = { in: 'departing', waits: ['departure deadline'] } as const;

  test('lets a linked client go by what was agreed on', () => {
    begin('seamless')
      .after(connectedSeamless)
      .when(moved)
      .expect({ ...gone, does: [letGo('seamless')] });
    begin('seamless')
      .after(connected)
      .when(moved)
      .expect({ ...gone, does: [say('msg.migrate_end'), letGo('semi-seamless')] });
    begin('semi-seamless')
      .after(connected)
      .when(moved)
      .expect({ ...gone, does: [say('msg.migrate_end'), letGo('semi-seamless')] });
    begin('early-link')
      .when(moved)
      .expect({ ...gone, does: [letGo('early-link')] });
  });

  test('sends every other client there the old way', () => {
    begin('seamless')
      .after(connectError)
      .when(moved)
      .expect({ ...gone, does: awayWith('switch-host') });
    begin('seamless')
      .after(elapsed('answer deadline'))
      .when(moved)
      .expect({ ...gone, does: awayWith('switch-host') });
    begin('switch-host')
      .when(moved)
      .expect({ ...gone, does: awayWith('switch-host') });
  });

  // To such a client switch_host says that it should link first: it leaves when its channels are let go.
  test('lets the channels of a client go that takes switch_host for an early link', () => {
    begin('semi-seamless', { earlyLink: true })
      .after(connectError)
      .when(moved)
      .expect({ ...gone, does: awayWith('early-link') });
    begin('switch-host', { earlyLink: true, gone: true }).expect({ does: awayWith('early-link') });
  });

  // Better than the reference, which falls back at once (spec §4, §6.32).
  test('is held back until the answer comes', () => {
    const held = begin('seamless').when(moved);
    held.expect({ in: 'holding the end back', waits: ['answer deadline'] });
    held.when(connectedSeamless).expect({ ...gone, does: [counted, letGo('seamless')] });
    held.when(connected).expect({ ...gone, does: [counted, say('msg.migrate_end'), letGo('semi-seamless')] });
    held.when(connectError).expect({ ...gone, does: [counted, ...awayWith('switch-host')] });
    held.when(elapsed('answer deadline')).expect({ ...gone, does: awayWith('switch-host') });
    begin('semi-seamless').after(moved).when(connectedSeamless).expect({ in: 'holding the end back' });
  });

  test('is held back for the right answer', () => {
    const held = begin('seamless', { answersOwed: 2 }).after(moved);
    for (const first of answers) held.when(first).expect({ in: 'holding the end back', does: [counted] });
    held
      .after(connectError)
      .when(connectedSeamless)
      .expect({ ...gone, does: [counted, letGo('seamless')] });
  });

  test('is over when the client has hung up, or must', () => {
    const departing = begin('seamless').after(connectedSeamless, moved);
    departing.when(empty).expect({ output: { outcome: 'departed', scheme: 'seamless' }, waits: [] });
    expect(departing.pending('departure deadline').delay).toBe(10_000);
    departing
      .when(elapsed('departure deadline'))
      .expect({ output: { outcome: 'overdue', scheme: 'seamless' }, waits: [] });
    begin('switch-host', { gone: true })
      .when(empty)
      .expect({ output: { outcome: 'departed', scheme: 'switch-host' } });
  });
});

describe('the end, when the guest stays', () => {
  // Spec §5.1: before the answer the reference says nothing; a client that hears at once can stop linking.
  test('is said to a client that was told of the move, and to no other', () => {
    const over = (scheme: Scheme) => ({ output: { outcome: 'stayed', scheme }, waits: [], runs: [] });
    begin('seamless')
      .when(stays)
      .expect({ ...over('seamless'), does: [cancels] });
    begin('seamless')
      .after(connectedSeamless)
      .when(stays)
      .expect({ ...over('seamless'), does: [cancels] });
    begin('early-link')
      .when(stays)
      .expect({ ...over('early-link'), does: [cancels] });
    begin('seamless')
      .after(elapsed('answer deadline'))
      .when(stays)
      .expect({ ...over('seamless'), does: [cancels] });
    begin('seamless').after(elapsed('answer deadline'), connectError).when(stays).expect(over('seamless'));
    begin('seamless').after(connectError).when(stays).expect(over('seamless'));
    begin('switch-host', { answersOwed: 0 }).when(stays).expect(over('switch-host'));
  });
});

// Spec §5.7.
test.each([
  ['awaiting the answer', begin('seamless')],
  ['linked', begin('seamless').after(connectedSeamless)],
  ['not linked', begin('switch-host')],
  ['holding the end back', begin('seamless').after(moved)],
])('a client that hangs up while %s is lost', (state, story) => {
  story.when().expect({ in: state });
  story.when(empty).expect({ in: 'lost', ended: true, waits: [] });
});
test('a client that hangs up when it was let go has departed', () => {
  const departing = begin('early-link').after(moved);
  departing.when().expect({ in: 'departing' });
  departing.when(empty).expect({ in: 'departed', ended: true, waits: [] });
});

test('nothing of the chart is left untested', () => expect(untouched(migrationSource)).toEqual([]));
