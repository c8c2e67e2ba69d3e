/** A link at a client: every way it comes up, and every way it does not (spec §1, §5.2). */
import { describe, expect, test } from 'vitest';
import type { Destination } from '../../../machines/contract.ts';
import { type LinkClientEvent, linkClient } from '../../../machines/link/client.ts';
import { CommonCap, caps, MainCap } from '../../../src/protocol/capabilities.ts';
import { LinkErrorCode } from '../../../src/protocol/link.ts';
import { begins, done, elapsed, ends, failed, given, tells } from '../../support/given.ts';
import { untouched } from '../../support/touched.ts';

const link = 'link:display:0@2';
const to: Destination = { host: 'there', port: 5900, tlsPort: 5901 };
const who = { link, channel: 'display:0', connectionId: 7 };
const pubKey = new Uint8Array(162).fill(9);
const ticket = new Uint8Array(128).fill(8);
const both = caps(CommonCap.authSelection, CommonCap.authSpice, CommonCap.miniHeader);
const channelCaps = [0x1052];

const reply = (error: number, commonCaps = both, own = channelCaps): LinkClientEvent => ({
  type: 'link.reply',
  error,
  pubKey,
  commonCaps,
  channelCaps: own,
});
const result = (code: number): LinkClientEvent => ({ type: 'link.result', code });
const dial = (secure: boolean, destination = to) => begins('dial', { input: { link, destination, secure } });
const fails = (reason: string, code?: number) => [
  { type: 'link.close', reason },
  tells('parent', { type: 'link.failed', link, channel: 'display:0', reason, code }),
];

const begun = given(linkClient, { ...who, destination: to });
const dialled = begun.after(done('dial'));
const encrypting = dialled.after(reply(LinkErrorCode.ok));
const proving = encrypting.after(done('encrypt ticket', ticket));
const up = proving.after(result(LinkErrorCode.ok));

describe('a link at a client comes up', () => {
  test('by dialling first', () => {
    begun.expect({ in: { linking: 'dialling' }, does: [dial(false)], waits: ['link deadline'], runs: ['dial'] });
  });

  test('by saying who it is', () => {
    begun.when(done('dial')).expect({
      in: { linking: 'awaiting reply' },
      does: [{ type: 'link.send_mess', connectionId: 7, channel: 'display:0' }],
    });
  });

  test('by proving the password, by the mechanism if the server lets it choose', () => {
    dialled.when(reply(LinkErrorCode.ok)).expect({
      in: { linking: 'encrypting ticket' },
      does: [begins('encrypt ticket', { input: { pubKey } })],
      context: { agreed: { commonCaps: both, channelCaps, miniHeader: true } },
    });
    encrypting.when(done('encrypt ticket', ticket)).expect({
      in: { linking: 'awaiting result' },
      does: [
        { type: 'link.send_mechanism', mechanism: 1 },
        { type: 'link.send_ticket', ticket },
      ],
    });
    dialled
      .after(reply(LinkErrorCode.ok, caps(CommonCap.authSpice)))
      .when(done('encrypt ticket', ticket))
      .expect({ does: [{ type: 'link.send_ticket', ticket }] });
  });

  test('and is kept until a channel takes it', () => {
    proving.when(result(LinkErrorCode.ok)).expect({
      in: 'up',
      does: [
        { type: 'link.park' },
        tells('parent', {
          type: 'link.up',
          link,
          channel: 'display:0',
          agreed: { commonCaps: both, channelCaps, miniHeader: true },
        }),
      ],
      waits: [],
      runs: [],
    });
    up.when({ type: 'link.taken' }).expect({ in: 'taken', ended: true, waits: [], runs: [] });
  });

  test('with full headers where the server has no small ones', () => {
    dialled.when(reply(LinkErrorCode.ok, caps(CommonCap.authSelection))).expect({
      does: [begins('encrypt ticket')],
      context: { agreed: { commonCaps: [1], channelCaps, miniHeader: false } },
    });
  });
});

describe('a link at a client is secured', () => {
  test('from the start where there is no other port', () => {
    const destination = { host: 'there', tlsPort: 5901 };
    given(linkClient, { ...who, destination }).expect({ does: [dial(true, destination as Destination)] });
  });

  test('when the server wants it, on the other port, within the same deadline', () => {
    const again = dialled.when(reply(LinkErrorCode.needSecured));
    again.expect({ in: { linking: 'dialling' }, does: [dial(true)], waits: ['link deadline'] });
    again.when(done('dial')).expect({ does: [{ type: 'link.send_mess', connectionId: 7, channel: 'display:0' }] });
    again
      .after(done('dial'))
      .when(reply(LinkErrorCode.needSecured))
      .expect({ in: 'failed', ended: true, does: fails('needSecured', LinkErrorCode.needSecured) });
  });

  test('not when there is no port for it', () => {
    given(linkClient, { ...who, destination: { host: 'there', port: 5900 } })
      .after(done('dial'))
      .when(reply(LinkErrorCode.needSecured))
      .expect({ ended: true, does: fails('needSecured', LinkErrorCode.needSecured) });
  });
});

describe('a link at a client fails', () => {
  const over = { in: 'failed', ended: true, waits: [], runs: [] } as const;

  test('when nobody answers the dial', () => {
    begun.when(failed('dial', new Error('refused'))).expect({ ...over, does: fails('refused') });
    begun.when(failed('dial', 'no route')).expect({ ...over, does: fails('no route') });
  });

  test.each(Object.entries(LinkErrorCode).filter(([name]) => name !== 'ok' && name !== 'needSecured'))(
    'when the server says %s',
    (name, code) => {
      dialled.when(reply(code)).expect({ ...over, does: fails(name, code) });
      proving.when(result(code)).expect({ ...over, does: fails(name, code) });
    },
  );

  test('when the key is no key', () => {
    encrypting
      .when(failed('encrypt ticket', new Error('the key is no key')))
      .expect({ ...over, does: fails('the key is no key') });
  });

  test('when the peer hangs up, or makes no sense, at any time', () => {
    for (const [story, running] of [
      [begun, [ends('dial')]],
      [dialled, []],
      [encrypting, [ends('encrypt ticket')]],
      [proving, []],
    ] as const) {
      story
        .when({ type: 'link.closed', reason: 'the peer hung up' })
        .expect({ ...over, does: [...running, ...fails('the peer hung up')] });
      story
        .when({ type: 'link.violation', reason: 'not REDQ' })
        .expect({ ...over, does: [...running, ...fails('not REDQ', LinkErrorCode.invalidData)] });
    }
  });

  // Spec §3g: the reference waits for ever; a client that answers a source must not.
  test('when it takes too long, wherever it stands', () => {
    for (const [story, running] of [
      [begun, [ends('dial')]],
      [dialled, []],
      [encrypting, [ends('encrypt ticket')]],
      [proving, []],
      [dialled.after(reply(LinkErrorCode.needSecured)), [ends('dial')]],
    ] as const) {
      expect(story.pending('link deadline').delay).toBe(8_000);
      story.when(elapsed('link deadline')).expect({ ...over, does: [...running, ...fails('no answer in time')] });
    }
  });
});

describe('a link that returns to a session', () => {
  const returning = given(linkClient, { ...who, channel: 'main:0', destination: to, returning: true }).after();
  const asked = returning.after(done('dial'));
  const main = (reason: string, code: number) => [
    { type: 'link.close', reason },
    tells('parent', { type: 'link.failed', link, channel: 'main:0', reason, code } as { type: string }),
  ];

  test('says so', () => {
    returning.when(done('dial')).expect({
      does: [{ type: 'link.send_mess', connectionId: 7, channel: 'main:0', returning: true }],
    });
  });

  test('proves the password to a server that gives sessions back', () => {
    asked
      .when(reply(LinkErrorCode.ok, both, [...caps(MainCap.mayReturn)]))
      .expect({ in: { linking: 'encrypting ticket' }, does: [begins('encrypt ticket')] });
  });

  // Spec §1.7: it would put its present client out, and wait for a hand-over.
  test('goes no further at any other server', () => {
    const reason = 'the server gives no session back';
    asked
      .when(reply(LinkErrorCode.ok))
      .expect({ in: 'failed', ended: true, does: main(reason, LinkErrorCode.badConnectionId) });
    asked
      .when(reply(LinkErrorCode.versionMismatch))
      .expect({ in: 'failed', ended: true, does: main('versionMismatch', LinkErrorCode.versionMismatch) });
  });
});

test('a link that is up and is lost before it is taken says so', () => {
  up.when({ type: 'link.closed', reason: 'the peer hung up' }).expect({
    in: 'lost',
    ended: true,
    does: [tells('parent', { type: 'link.lost', link, channel: 'display:0' })],
  });
});

test('nothing of the chart is left untested', () => expect(untouched(linkClient)).toEqual([]));
