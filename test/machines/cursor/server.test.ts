/** The cursor channel at a server. */
import { expect, test } from 'vitest';
import { cursorServer } from '../../../machines/cursor/server.ts';
import { untouched } from '../../support/touched.ts';
import { serverFlowContract } from '../channel/server-flow.ts';
import { ready } from '../words.ts';

serverFlowContract({
  chart: cursorServer,
  channel: 'cursor:0',
  travels: false,
  onAttach: () => [ready(true)],
});

test('nothing of the chart is left untested', () => {
  // What only a channel does whose state travels; it stands in the region that all channels share.
  const ofOthers = /flushing|collecting|"state travels" is true|leaving seamlessly" on "always" \(1/;
  expect(untouched(cursorServer).filter((part) => !ofOthers.test(part))).toEqual([]);
});
