/** A display channel at a server. */
import { describe, expect, test } from 'vitest';
import { displayServer } from '../../../machines/display/server.ts';
import { elapsed, given } from '../../support/given.ts';
import { untouched } from '../../support/touched.ts';
import { serverFlowContract } from '../channel/server-flow.ts';
import { attach, close, closed, goesDown, news, ready, stray, unexpected } from '../words.ts';

serverFlowContract({ chart: displayServer, channel: 'display:0', travels: 'state' });

describe('the introduction of a client to a display', () => {
  const init = {
    type: 'msgc.init',
    body: { pixmapCacheId: 1, pixmapCacheSize: 1n, glzDictionaryId: 1, glzDictionaryWindowSize: 1 },
  } as const;
  const begun = given(displayServer, { channel: 'display:0' });
  const linked = begun.after(attach());

  test('opens the channel to the application', () => {
    linked.expect({ in: { introduction: 'awaited' }, waits: ['init deadline'] });
    linked.when(init).expect({ in: { introduction: 'done' }, does: [ready(true)], waits: [] });
  });

  test('must come in time', () => {
    linked.when(elapsed('init deadline')).expect({
      in: { flow: 'down', introduction: 'not linked' },
      does: [close('no init in time'), news.down('display:0', 'no init in time')],
      waits: [],
    });
  });

  test('is not awaited any more when the channel goes down', () => {
    linked.when(closed()).expect({
      in: { flow: 'down', introduction: 'not linked' },
      does: [news.gone('display:0', 'the peer hung up')],
      waits: [],
    });
  });

  // Spec §5.9: libspice-server ends the whole program on each of these.
  test('is a violation the second time, and at a seamless target', () => {
    linked
      .after(init)
      .when(init)
      .expect({ in: { flow: 'down' }, does: goesDown('display:0', unexpected('msgc.init')) });
    const seamless = begun.after(attach('link:1', 'migrate data'));
    seamless.expect({ in: { introduction: 'done' }, waits: ['migrate data deadline'] });
    seamless
      .when(init)
      .expect({ in: { flow: 'down' }, does: goesDown('display:0', unexpected('msgc.init')), waits: [] });
  });

  test('is awaited anew on the next link', () => {
    linked.after(init, stray('msgc.no_such_message'), attach('link:2')).expect({
      in: { flow: 'flowing', introduction: 'awaited' },
      waits: ['init deadline'],
    });
  });
});

test('nothing of the chart is left untested', () => {
  expect(untouched(displayServer)).toEqual([]);
});
