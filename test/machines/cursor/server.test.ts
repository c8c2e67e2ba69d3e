/** The cursor channel at a server. */
import { expect, test } from 'vitest';
import { cursorServer } from '../../../machines/cursor/server.ts';
import { given } from '../../support/given.ts';
import { untouched } from '../../support/touched.ts';
import { serverFlowContract } from '../channel/server-flow.ts';
import { agreedOn, ready } from '../words.ts';

serverFlowContract({
  chart: cursorServer,
  channel: 'cursor:0',
  travels: 'nothing',
  onAttach: () => [ready(true)],
});

// Spec §3d 12: a client that came seamlessly has had its init from the source.
test('begins where the source left off', () => {
  given(cursorServer, { channel: 'cursor:0' })
    .after({ type: 'link.attach', link: 'link:1', agreed: agreedOn(), beginning: 'kept' })
    .expect({ in: { flow: 'flowing', pointer: {} } });
  const [first, second] = (['kept', 'fresh'] as const).map((beginning) =>
    given(cursorServer, { channel: 'cursor:0' })
      .when({ type: 'link.attach', link: 'link:1', agreed: agreedOn(), beginning })
      .acts.filter((act) => (act as { type?: string }).type === 'ready'),
  );
  expect(first).toEqual([ready(false)]);
  expect(second).toEqual([ready(true)]);
});

test('nothing of the chart is left untested', () => {
  expect(untouched(cursorServer)).toEqual([]);
});
