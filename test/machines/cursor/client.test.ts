/** The cursor channel at a client. */
import { describe, expect, test } from 'vitest';
import { cursorClient } from '../../../machines/cursor/client.ts';
import { given } from '../../support/given.ts';
import { untouched } from '../../support/touched.ts';
import { clientFlowContract } from '../channel/client-flow.ts';
import { attach, leave, migrate, stray, switchTo } from '../words.ts';

clientFlowContract({ chart: cursorClient, channel: 'cursor:0' });

describe('the pointer at a client', () => {
  const linked = given(cursorClient, { channel: 'cursor:0' }).after(attach());
  const known = linked.after(stray('msg.init'));

  test('is known from the init on, until a reset', () => {
    linked.expect({ in: { pointer: 'unknown' } });
    linked.when(stray('msg.init')).expect({ in: { pointer: 'known' } });
    known.when(stray('msg.reset')).expect({ in: { pointer: 'unknown' } });
    known.when(stray('msg.init')).expect({ in: { pointer: 'known' } });
  });

  test('is kept by a seamless hand-over, and by no other', () => {
    expect(known.after(migrate(0), switchTo('seamless')).snapshot.value).toEqual({ flow: 'flowing', pointer: 'known' });
    expect(known.after(leave, switchTo('semi-seamless')).snapshot.value).toEqual({
      flow: 'flowing',
      pointer: 'unknown',
    });
  });

  test('is not known on a new link', () => {
    known.after({ type: 'api.close', reason: 'enough' }, attach('link:2')).expect({ in: { pointer: 'unknown' } });
  });
});

test('nothing of the chart is left untested', () => expect(untouched(cursorClient)).toEqual([]));
