/** A link at a server: every way it comes up, and every way it does not (spec §1). */
import { describe, expect, test } from 'vitest';
import { type LinkServerEvent, linkServer } from '../../../machines/link/server.ts';
import { type Caps, CommonCap, caps, MainCap } from '../../../src/protocol/capabilities.ts';
import { LinkErrorCode } from '../../../src/protocol/link.ts';
import { begins, done, elapsed, ends, failed, given, tells } from '../../support/given.ts';
import { untouched } from '../../support/touched.ts';

const link = 'link:17';
const pubKey = new Uint8Array(162).fill(9);
const ticket = new Uint8Array(128).fill(8);
const common = caps(CommonCap.authSelection, CommonCap.miniHeader);
const channelCaps = caps(MainCap.semiSeamlessMigrate);
const noKey = new Uint8Array(162);

const mess = (commonCaps: Caps = common): LinkServerEvent => ({
  type: 'link.mess',
  connectionId: 7,
  channel: 'main:0',
  commonCaps,
  channelCaps,
});
const agreed = { commonCaps: common, channelCaps, miniHeader: true };
const sendResult = (code: number) => ({ type: 'link.send_result', code });
const sendReply = (error: number, key: Uint8Array) => ({ type: 'link.send_reply', error, pubKey: key });
const fails = (reason: string, channel = 'main:0') => [
  { type: 'link.close', reason },
  tells('parent', { type: 'link.failed', link, channel, reason }),
];
const over = { in: 'failed', ended: true, waits: [], runs: [] } as const;

const begun = given(linkServer, { link, nonce: 1234 });
const keying = begun.after(mess());
const choosing = keying.after(done('make key', pubKey));
const awaitingTicket = choosing.after({ type: 'link.mechanism', mechanism: 1 });
const checking = awaitingTicket.after({ type: 'link.ticket', ticket });
const asking = checking.after(done('check ticket', 'good'));
const up = asking.after({ type: 'link.admit' });

describe('a link at a server comes up', () => {
  test('from a message', () => {
    begun.expect({ in: { linking: 'awaiting message' }, waits: ['link deadline'], runs: [] });
    begun.when(mess()).expect({
      in: { linking: 'making key' },
      does: [begins('make key', { input: { link } })],
      context: { channel: 'main:0', connectionId: 7, agreed },
    });
  });

  test('with a key of its own, and a mechanism if the client chooses one', () => {
    keying
      .when(done('make key', pubKey))
      .expect({ in: { linking: 'awaiting mechanism' }, does: [sendReply(LinkErrorCode.ok, pubKey)] });
    choosing.when({ type: 'link.mechanism', mechanism: 1 }).expect({ in: { linking: 'awaiting ticket' } });
    begun
      .after(mess(caps(CommonCap.miniHeader)))
      .when(done('make key', pubKey))
      .expect({ in: { linking: 'awaiting ticket' }, does: [sendReply(LinkErrorCode.ok, pubKey)] });
  });

  test('by a ticket that is good, and only then reaches the server', () => {
    awaitingTicket
      .when({ type: 'link.ticket', ticket })
      .expect({ in: { linking: 'checking ticket' }, does: [begins('check ticket', { input: { link, ticket } })] });
    checking.when(done('check ticket', 'good')).expect({
      in: { linking: 'awaiting admission' },
      does: [tells('parent', { type: 'link.asks', link, channel: 'main:0', connectionId: 7, agreed, nonce: 1234 })],
    });
  });

  test('when it is admitted: the result goes first, then the link is kept until a channel takes it', () => {
    asking.when({ type: 'link.admit' }).expect({
      in: 'up',
      does: [
        sendResult(LinkErrorCode.ok),
        { type: 'link.park' },
        tells('parent', { type: 'link.up', link, channel: 'main:0', agreed }),
      ],
      waits: [],
      runs: [],
    });
    up.when({ type: 'link.taken' }).expect({ in: 'taken', ended: true });
  });
});

describe('a link at a server fails', () => {
  test('when its bytes are no link message, and says which if there is a code for it', () => {
    begun.when({ type: 'link.refused', code: LinkErrorCode.invalidMagic, reason: 'not REDQ' }).expect({
      ...over,
      does: [sendReply(LinkErrorCode.invalidMagic, noKey), ...fails('not REDQ', '')],
    });
    begun
      .when({ type: 'link.refused', code: undefined, reason: 'major version 0' })
      .expect({ ...over, does: fails('major version 0', '') });
  });

  test('when no key can be made', () => {
    keying.when(failed('make key')).expect({ ...over, does: fails('no key could be made') });
  });

  test('when the mechanism is not ours', () => {
    choosing.when({ type: 'link.mechanism', mechanism: 2 }).expect({
      ...over,
      does: [sendReply(LinkErrorCode.invalidData, noKey), ...fails('an authentication mechanism that is not offered')],
    });
  });

  test('when the ticket is bad, or is none: the same answer to both', () => {
    checking.when(done('check ticket', 'bad')).expect({
      ...over,
      does: [sendResult(LinkErrorCode.permissionDenied), ...fails('the password is wrong or expired')],
    });
    checking.when(failed('check ticket')).expect({
      ...over,
      does: [sendResult(LinkErrorCode.permissionDenied), ...fails('the ticket cannot be decrypted')],
    });
  });

  test('when it is denied', () => {
    const reason = 'no session has this connection id';
    asking.when({ type: 'link.deny', code: LinkErrorCode.badConnectionId, reason }).expect({
      ...over,
      does: [sendResult(LinkErrorCode.badConnectionId), ...fails(reason)],
    });
  });

  const everywhere = [
    ['awaiting message', begun, [], ''],
    ['making key', keying, [ends('make key')], 'main:0'],
    ['awaiting mechanism', choosing, [], 'main:0'],
    ['awaiting ticket', awaitingTicket, [], 'main:0'],
    ['checking ticket', checking, [ends('check ticket')], 'main:0'],
    ['awaiting admission', asking, [], 'main:0'],
  ] as const;

  test.each(everywhere)(
    'while %s: when the peer hangs up, is dropped, or takes too long',
    (state, story, running, channel) => {
      story.when().expect({ in: { linking: state } });
      story
        .when({ type: 'link.closed', reason: 'the peer hung up' })
        .expect({ ...over, does: [...running, ...fails('the peer hung up', channel)] });
      story
        .when({ type: 'link.drop', reason: 'the server stops' })
        .expect({ ...over, does: [...running, ...fails('the server stops', channel)] });
      expect(story.pending('link deadline').delay).toBe(10_000);
      story
        .when(elapsed('link deadline'))
        .expect({ ...over, does: [...running, ...fails('the link was not finished in time', channel)] });
    },
  );

  test('by nothing that comes out of turn', () => {
    begun.when({ type: 'link.ticket', ticket }, { type: 'link.admit' }, { type: 'link.taken' }).expect({
      in: { linking: 'awaiting message' },
    });
    checking.when({ type: 'link.admit' }).expect({ in: { linking: 'checking ticket' } });
  });
});

describe('a link that is up at a server', () => {
  const lost = tells('parent', { type: 'link.lost', link, channel: 'main:0' });

  test('says that it is lost before it is taken', () => {
    up.when({ type: 'link.closed', reason: 'the peer hung up' }).expect({ in: 'lost', ended: true, does: [lost] });
  });

  test('can be dropped', () => {
    up.when({ type: 'link.drop', reason: 'its session is over' }).expect({
      in: 'lost',
      ended: true,
      does: [{ type: 'link.close', reason: 'its session is over' }, lost],
    });
  });
});

test('nothing of the chart is left untested', () => expect(untouched(linkServer)).toEqual([]));
