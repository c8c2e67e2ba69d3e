/** The inputs channel at a server. */
import { describe, expect, test } from 'vitest';
import { inputsServer } from '../../../machines/inputs/server.ts';
import { begins, done, failed, given } from '../../support/given.ts';
import { untouched } from '../../support/touched.ts';
import { serverFlowContract } from '../channel/server-flow.ts';
import { attach, close, closed, news, ready, send } from '../words.ts';

const question = begins('ask the guest', { input: { what: 'keyboard modifiers' } });

serverFlowContract({
  chart: inputsServer,
  channel: 'inputs:0',
  travels: 'state',
  onAttach: () => [question],
  asks: () => ['ask the guest'],
});

describe('the locks at a server', () => {
  const begun = given(inputsServer, { channel: 'inputs:0' });
  const linked = begun.after(attach());

  test('are told to the client, and the channel is open', () => {
    linked.expect({ in: { locks: 'asked' } });
    linked
      .when(done('ask the guest', 5))
      .expect({ in: { locks: 'told' }, does: [send('msg.init', { keyboardModifiers: 5 }), ready(true)] });
  });

  test('end the channel when the guest does not know them', () => {
    const reason = 'the guest does not answer';
    linked.when(failed('ask the guest')).expect({
      in: { flow: 'down', locks: 'not linked' },
      does: [close(reason), news.down('inputs:0', reason)],
    });
  });

  test('are told to no link that is gone', () => {
    expect(() => linked.after(closed()).when(done('ask the guest', 5))).toThrow(/0 actors "ask the guest" run/);
    linked.after(closed(), attach('link:2')).expect({ in: { locks: 'asked' }, runs: ['ask the guest'] });
  });

  // Spec §3d 3: a seamless target says init at once, long before the client reads it.
  test('are told at a seamless target before the state has come', () => {
    begun
      .after(attach('link:1', 'migrate data'))
      .when(done('ask the guest', 0))
      .expect({
        in: { flow: 'awaiting migrate data', locks: 'told' },
        does: [send('msg.init', { keyboardModifiers: 0 }), ready(true)],
      });
  });
});

test('nothing of the chart is left untested', () => {
  expect(untouched(inputsServer)).toEqual([]);
});
