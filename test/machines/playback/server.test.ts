/** The playback channel at a server. */
import { describe, expect, test } from 'vitest';
import { type PlaybackApi, playbackServer } from '../../../machines/playback/server.ts';
import { given } from '../../support/given.ts';
import { untouched } from '../../support/touched.ts';
import { serverFlowContract } from '../channel/server-flow.ts';
import { attach, closed, goesDown, move, news, ready, send, stray, unexpected } from '../words.ts';

serverFlowContract({ chart: playbackServer, channel: 'playback:0', travels: 'nothing', onAttach: () => [ready(true)] });

describe('the sound at a server', () => {
  const say = (message: PlaybackApi['message']): PlaybackApi => ({ type: 'api.say', message });
  const start = { type: 'msg.start', body: { channels: 2, format: 1, frequency: 48_000, time: 0 } } as const;
  const stop = { type: 'msg.stop', body: {} } as const;
  const mode = { type: 'msg.mode', body: { time: 0, mode: 1, data: new Uint8Array() } } as const;
  const begun = given(playbackServer, { channel: 'playback:0' });
  const linked = begun.after(attach());
  const playing = linked.after(say(start));

  test('is started and stopped by the application, in this order only', () => {
    linked.expect({ in: { sound: 'silent' } });
    linked.when(say(start)).expect({ in: { sound: 'playing' }, does: [send('msg.start', start.body)] });
    playing.when(say(start)).expect({ in: { sound: 'playing' } });
    playing.when(say(stop)).expect({ in: { sound: 'silent' }, does: [send('msg.stop')] });
    linked.when(say(stop)).expect({ in: { sound: 'silent' } });
  });

  test('has its mode told while it is silent, and not in between', () => {
    linked.when(say(mode)).expect({ in: { sound: 'silent' }, does: [send('msg.mode', mode.body)] });
    playing.when(say(mode)).expect({ in: { sound: 'playing' } });
  });

  test('is not told to anybody before the link, after it, or after the move', () => {
    begun.when(say(start)).expect({ in: { sound: 'not linked' } });
    playing.when(closed()).expect({ in: { sound: 'not linked' }, does: [news.gone('playback:0', 'the peer hung up')] });
    playing
      .after(closed())
      .when(say(stop), say(start))
      .expect({ in: { sound: 'not linked' } });
    const moved = playing.when(move('seamless'));
    moved.expect({ in: { flow: 'handing over', sound: 'not linked' }, does: [send('msg.migrate', { flags: 0 })] });
    moved.when(say(stop)).expect({});
  });

  test('is none of the client’s business', () => {
    playing
      .when(stray('msgc.start_mark'))
      .expect({ in: { sound: 'not linked' }, does: goesDown('playback:0', unexpected('msgc.start_mark')) });
  });
});

test('nothing of the chart is left untested', () => {
  expect(untouched(playbackServer)).toEqual([]);
});
