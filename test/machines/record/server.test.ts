/** The record channel at a server. */
import { describe, expect, test } from 'vitest';
import { type RecordApi, recordServer } from '../../../machines/record/server.ts';
import { given } from '../../support/given.ts';
import { untouched } from '../../support/touched.ts';
import { serverFlowContract } from '../channel/server-flow.ts';
import { attach, closed, goesDown, move, news, ready, send, stray, unexpected } from '../words.ts';

serverFlowContract({
  chart: recordServer,
  channel: 'record:0',
  travels: 'mark',
  ignores: ['msgc.migrate_data'],
  onAttach: () => [ready(true)],
});

describe('the microphone at a server', () => {
  const say = (message: RecordApi['message']): RecordApi => ({ type: 'api.say', message });
  const start = { type: 'msg.start', body: { channels: 1, format: 1, frequency: 48_000 } } as const;
  const stop = { type: 'msg.stop', body: {} } as const;
  const mode = stray('msgc.mode');
  const mark = stray('msgc.start_mark');
  const begun = given(recordServer, { channel: 'record:0' });
  const linked = begun.after(attach());
  const open = linked.after(say(start));

  test('is opened and closed as the guest listens, in this order only', () => {
    linked.expect({ in: { microphone: 'closed' } });
    linked.when(say(start)).expect({ in: { microphone: 'open' }, does: [send('msg.start', start.body)] });
    open.when(say(start)).expect({ in: { microphone: 'open' } });
    open.when(say(stop)).expect({ in: { microphone: 'closed' }, does: [send('msg.stop')] });
    linked.when(say(stop)).expect({ in: { microphone: 'closed' } });
  });

  test('may be talked about by the client, also when it has just been closed', () => {
    open.when(mode, mark).expect({ in: { microphone: 'open' } });
    open
      .after(say(stop))
      .when(mode, mark)
      .expect({ in: { flow: 'flowing', microphone: 'closed' } });
  });

  test('is not opened before the link, after it, or after the move', () => {
    begun.when(say(start)).expect({ in: { microphone: 'not linked' } });
    open.when(closed()).expect({ in: { microphone: 'not linked' }, does: [news.gone('record:0', 'the peer hung up')] });
    open
      .after(closed())
      .when(say(stop), say(start))
      .expect({ in: { microphone: 'not linked' } });
    const moved = open.when(move('early-link'));
    moved.expect({ in: { flow: 'handing over', microphone: 'not linked' }, does: [send('msg.migrate', { flags: 0 })] });
    moved.when(say(stop), mode).expect({});
  });

  test('is heard to its end when it is let go seamlessly', () => {
    const moved = open.when(move('seamless'));
    moved.expect({ in: { flow: 'flushing' }, does: [send('msg.migrate', { flags: 3 })], waits: ['flush deadline'] });
    moved.when(mode, mark).expect({ in: { flow: 'flushing', microphone: 'not linked' } });
    for (const at of [linked, open]) at.when(stray('msgc.migrate_data')).expect({ in: { flow: 'flowing' } });
  });

  test('takes no other word', () => {
    open.when(stray('msgc.init')).expect({ does: goesDown('record:0', unexpected('msgc.init')) });
  });
});

test('nothing of the chart is left untested', () => {
  expect(untouched(recordServer)).toEqual([]);
});
