/** The playback channel at a client. */
import { describe, expect, test } from 'vitest';
import { playbackClient } from '../../../machines/playback/client.ts';
import { given } from '../../support/given.ts';
import { untouched } from '../../support/touched.ts';
import { clientFlowContract } from '../channel/client-flow.ts';
import { attach, close, closed, leave, migrate, news, reset, stray, switchTo } from '../words.ts';

clientFlowContract({ chart: playbackClient, channel: 'playback:0' });

describe('the sound at a client', () => {
  const linked = given(playbackClient, { channel: 'playback:0' }).after(attach());
  const playing = linked.after(stray('msg.start'));

  test('is heard between start and stop, whatever the mode', () => {
    linked.expect({ in: { sound: 'silent' } });
    linked.when(stray('msg.mode'), stray('msg.start')).expect({ in: { sound: 'playing' } });
    playing.when(stray('msg.mode'), stray('msg.start')).expect({ in: { sound: 'playing' } });
    playing.when(stray('msg.stop')).expect({ in: { sound: 'silent' } });
    linked.when(stray('msg.stop')).expect({ in: { sound: 'silent' } });
  });

  test('stops when the channel leaves the source', () => {
    playing.when(leave).expect({
      in: { flow: 'handing over', sound: 'silent' },
      does: [reset('primary'), close('the guest has moved')],
    });
  });

  test('goes on over a seamless switch, and stops at every other', () => {
    playing.after(migrate(0), switchTo('seamless')).expect({ in: { sound: 'playing' } });
    playing.after(migrate(0), switchTo('early-link')).expect({ in: { sound: 'silent' } });
  });

  test('stops with the link', () => {
    playing
      .when(closed())
      .expect({ in: { flow: 'down', sound: 'silent' }, does: [news.gone('playback:0', 'the peer hung up')] });
    playing.after(closed(), attach('link:2')).expect({ in: { sound: 'silent' } });
  });
});

test('nothing of the chart is left untested', () => expect(untouched(playbackClient)).toEqual([]));
