/** A display channel at a client. */
import { describe, expect, test } from 'vitest';
import type { Scheme } from '../../../machines/contract.ts';
import { displayClient } from '../../../machines/display/client.ts';
import { given } from '../../support/given.ts';
import { untouched } from '../../support/touched.ts';
import { clientFlowContract } from '../channel/client-flow.ts';
import { attach, closed, goesDown, leave, migrate, news, send, stray, switchTo, unexpected } from '../words.ts';

const introduction = send('msgc.init', {
  pixmapCacheId: 1,
  pixmapCacheSize: 20_971_520n,
  glzDictionaryId: 1,
  glzDictionaryWindowSize: 6_291_456,
});

clientFlowContract({
  chart: displayClient,
  channel: 'display:0',
  onAttach: [introduction],
  onSwitch: (scheme: Scheme) => (scheme === 'seamless' ? [] : [introduction]),
});

describe('the picture at a client', () => {
  const surface = (surfaceId: number, flags: number) =>
    ({ type: 'msg.surface_create', body: { surfaceId, width: 640, height: 480, format: 32, flags } }) as const;
  const gone = (surfaceId: number) => ({ type: 'msg.surface_destroy', body: { surfaceId } }) as const;
  const mark = { type: 'msg.mark', body: {} } as const;
  const linked = given(displayClient, { channel: 'display:0' }).after(attach());
  const shown = linked.after(surface(0, 1), mark);

  test('is shown when there is a primary surface and it is marked', () => {
    linked.expect({ in: { picture: 'none' } });
    linked.when(surface(0, 1)).expect({ in: { picture: 'unmarked' } });
    shown.expect({ in: { picture: 'shown' } });
    linked.when(mark).expect({ in: { picture: 'none' } });
    shown.when(mark).expect({ in: { picture: 'shown' } });
  });

  test('has a primary surface by the old way too', () => {
    linked.when({ type: 'msg.mode', body: { xRes: 640, yRes: 480, bits: 32 } }).expect({ in: { picture: 'unmarked' } });
  });

  test('is not touched by other surfaces', () => {
    shown.when(surface(3, 0), gone(3)).expect({ in: { picture: 'shown' } });
    linked.when(surface(3, 0)).expect({ in: { picture: 'none' } });
  });

  test('goes with its surface, and with a reset', () => {
    shown.when(gone(0)).expect({ in: { picture: 'none' } });
    shown.when({ type: 'msg.reset', body: {} }).expect({ in: { picture: 'none' } });
    shown.when(surface(0, 1)).expect({ in: { picture: 'unmarked' } });
  });

  test('is kept by a seamless hand-over, and made anew by every other', () => {
    shown.after(migrate(0), switchTo('seamless')).expect({ in: { picture: 'shown' } });
    shown.after(migrate(0), switchTo('early-link')).expect({ in: { picture: 'none' } });
    shown.after(leave, switchTo('semi-seamless')).expect({ in: { picture: 'none' } });
  });

  test('goes on being described while the source lets the channel go', () => {
    shown
      .when(migrate(3), gone(0))
      .expect({ in: { flow: 'flushing', picture: 'none' }, does: [send('msgc.migrate_flush_mark')] });
  });

  test('is forgotten when the channel goes down', () => {
    shown
      .when(closed())
      .expect({ in: { flow: 'down', picture: 'none' }, does: [news.gone('display:0', 'the peer hung up')] });
    shown
      .when(stray('msg.migrate_end'))
      .expect({ in: { picture: 'none' }, does: goesDown('display:0', unexpected('msg.migrate_end')) });
  });
});

test('nothing of the chart is left untested', () => expect(untouched(displayClient)).toEqual([]));
