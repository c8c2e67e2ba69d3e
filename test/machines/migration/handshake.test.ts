/** Asking a target whether it can take a client over seamlessly (spec §3d 2, §5.9). */
import { describe, expect, test } from 'vitest';
import { migrationHandshake } from '../../../machines/migration/handshake.ts';
import { given, tells } from '../../support/given.ts';
import { untouched } from '../../support/touched.ts';
import { agreedOn, closed, nonsense, send, stray } from '../words.ts';

const link = 'link:main:0@4';
const asking = (srcVersion: number) => given(migrationHandshake, { link, agreed: agreedOn(), srcVersion });
const lost = [tells('parent', { type: 'handshake.lost' })];

describe('the question to a target', () => {
  test('goes out first, over the link that waits there', () => {
    asking(1).expect({
      in: 'awaiting the answer',
      does: [{ type: 'attach', link }, send('msgc.migrate_dst_do_seamless', { srcVersion: 1 })],
      waits: [],
    });
    expect([...asking(1).snapshot.tags]).toEqual(['flowing']);
  });

  test('never names a version that we do not know ourselves', () => {
    asking(9).expect({
      does: [{ type: 'attach', link }, send('msgc.migrate_dst_do_seamless', { srcVersion: 1 })],
    });
    asking(0).expect({
      does: [{ type: 'attach', link }, send('msgc.migrate_dst_do_seamless', { srcVersion: 0 })],
    });
  });

  test('is answered with yes or no, and the link is given back before anybody hears of it', () => {
    asking(1)
      .when(stray('msg.migrate_dst_seamless_ack'))
      .expect({
        in: 'answered',
        ended: true,
        does: [{ type: 'give back' }, tells('parent', { type: 'handshake.agreed' })],
      });
    asking(1)
      .when(stray('msg.migrate_dst_seamless_nack'))
      .expect({
        in: 'answered',
        ended: true,
        does: [{ type: 'give back' }, tells('parent', { type: 'handshake.declined' })],
      });
  });

  test('is lost when the target says anything else, makes no sense, or hangs up', () => {
    asking(1).when(stray('msg.init')).expect({ in: 'lost', ended: true, does: lost });
    asking(1).when(nonsense).expect({ in: 'lost', ended: true, does: lost });
    asking(1).when(closed(link)).expect({ in: 'lost', ended: true, does: lost });
  });
});

test('nothing of the chart is left untested', () => expect(untouched(migrationHandshake)).toEqual([]));
