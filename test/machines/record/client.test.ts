/** The record channel at a client. */
import { describe, expect, test } from 'vitest';
import { recordClient } from '../../../machines/record/client.ts';
import { given } from '../../support/given.ts';
import { untouched } from '../../support/touched.ts';
import { clientFlowContract } from '../channel/client-flow.ts';
import { attach, close, closed, leave, migrate, news, ready, reset, stray, switchTo } from '../words.ts';

clientFlowContract({ chart: recordClient, channel: 'record:0' });

describe('the microphone at a client', () => {
  const linked = given(recordClient, { channel: 'record:0' }).after(attach());
  const open = linked.after(stray('msg.start'));

  test('is open between start and stop', () => {
    linked.expect({ in: { microphone: 'closed' } });
    linked.when(stray('msg.start')).expect({ in: { microphone: 'open' }, does: [ready(true)] });
    open.when(stray('msg.stop')).expect({ in: { microphone: 'closed' } });
    linked.when(stray('msg.stop')).expect({ in: { microphone: 'closed' } });
  });

  test('is closed when the channel leaves the source', () => {
    open.when(leave).expect({
      in: { flow: 'handing over', microphone: 'closed' },
      does: [reset('primary'), close('the guest has moved')],
    });
  });

  test('stays open over a seamless switch, and is closed by every other', () => {
    open.after(migrate(0), switchTo('seamless')).expect({ in: { microphone: 'open' } });
    open.after(migrate(0), switchTo('early-link')).expect({ in: { microphone: 'closed' } });
  });

  test('is closed with the link', () => {
    open
      .when(closed())
      .expect({ in: { flow: 'down', microphone: 'closed' }, does: [news.gone('record:0', 'the peer hung up')] });
    open.after(closed(), attach('link:2')).expect({ in: { microphone: 'closed' } });
  });
});

test('nothing of the chart is left untested', () => expect(untouched(recordClient)).toEqual([]));
