/** The inputs channel at a client. */
import { describe, expect, test } from 'vitest';
import { inputsClient } from '../../../machines/inputs/client.ts';
import { given } from '../../support/given.ts';
import { untouched } from '../../support/touched.ts';
import { clientFlowContract } from '../channel/client-flow.ts';
import { attach, goesDown, leave, migrate, ready, switchTo, unexpected } from '../words.ts';

clientFlowContract({ chart: inputsClient, channel: 'inputs:0' });

describe('the locks at a client', () => {
  const init = { type: 'msg.init', body: { keyboardModifiers: 2 } } as const;
  const linked = given(inputsClient, { channel: 'inputs:0' }).after(attach());
  const known = linked.after(init);

  test('open the channel to the application when they are known', () => {
    linked.expect({ in: { locks: 'unknown' } });
    linked.when(init).expect({ in: { locks: 'known' }, does: [ready(true)] });
  });

  test('are told once', () => {
    known
      .when(init)
      .expect({ in: { flow: 'down', locks: 'unknown' }, does: goesDown('inputs:0', unexpected('msg.init')) });
  });

  // Spec §3d 3: a seamless target has said init while the client did not read it.
  test('may be told once more by a seamless target, and nothing begins anew', () => {
    const moved = known.after(migrate(0), switchTo('seamless'));
    moved.expect({ in: { locks: 'awaited again' } });
    moved.when(init).expect({ in: { locks: 'known' } });
  });

  test('are asked for anew by every other hand-over', () => {
    for (const moved of [
      known.after(migrate(0), switchTo('early-link')),
      known.after(leave, switchTo('semi-seamless')),
    ]) {
      moved.expect({ in: { locks: 'unknown' } });
      moved.when(init).expect({ in: { locks: 'known' }, does: [ready(true)] });
    }
  });

  test('are not known on a new link', () => {
    known.after({ type: 'api.close', reason: 'enough' }, attach('link:2')).expect({ in: { locks: 'unknown' } });
  });
});

test('nothing of the chart is left untested', () => expect(untouched(inputsClient)).toEqual([]));
