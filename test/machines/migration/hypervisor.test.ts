/** What the hypervisor does about a move, and when SPICE hears of it (spec §4). */
import { describe, expect, test } from 'vitest';
import { hypervisor } from '../../../machines/migration/hypervisor.ts';
import { begins, done, ends, failed, given } from '../../support/given.ts';
import { untouched } from '../../support/touched.ts';

const migrate = { type: 'api.migrate', uri: 'tcp:there:4444' } as const;
const cancel = { type: 'api.migrate_cancel' } as const;
const stopped = { type: 'move.stopped' } as const;
const committed = { type: 'move.committed' } as const;
const status = (word: string) => ({ type: 'migration status', status: word });
const spice = {
  starts: { type: 'migrate start' },
  moved: { type: 'migrate end', completed: true },
  stays: { type: 'migrate end', completed: false },
};
const reach = begins('reach the target', { input: { uri: 'tcp:there:4444' } });
const transfer = begins('move the guest', { input: { uri: 'tcp:there:4444' } });

const begun = given(hypervisor);
const setup = begun.after(migrate);
const active = setup.after(done('reach the target'));
const standing = active.after(stopped);
const away = standing.after(committed);

describe('a move', () => {
  test('does nothing before it is asked for', () => {
    begun.expect({ in: 'none', runs: [], waits: [] });
    begun.when(cancel, stopped).expect({ in: 'none' });
  });

  test('goes by setup and active to completed, and SPICE hears of both ends', () => {
    begun.when(migrate).expect({ in: 'setup', does: [status('setup'), spice.starts, reach] });
    setup.when(done('reach the target')).expect({ in: { active: 'moving' }, does: [status('active'), transfer] });
    active.when(stopped).expect({ in: { active: 'moving' }, does: [{ type: 'stop the guest' }] });
    standing.when(committed).expect({ in: { active: 'committed' }, does: [] });
    away.when(done('move the guest')).expect({ in: 'completed', does: [status('completed'), spice.moved], runs: [] });
  });

  test('fails when the target cannot be reached, and the guest is not touched', () => {
    setup
      .when(failed('reach the target', new Error('refused')))
      .expect({ in: 'failed', does: [status('failed'), spice.stays], context: { reason: 'refused' } });
  });

  test('fails half-way, and a guest that stands runs again', () => {
    active
      .when(failed('move the guest', new Error('the line is cut')))
      .expect({ in: 'failed', does: [status('failed'), spice.stays] });
    standing.when(failed('move the guest', new Error('the line is cut'))).expect({
      in: 'failed',
      does: [status('failed'), spice.stays, { type: 'run the guest' }],
      context: { stopped: false, reason: 'the line is cut' },
    });
  });

  test('has come to its end when the target was told to run the guest, whatever is heard of it: it never runs twice', () => {
    away.when(cancel).expect({ in: { active: 'committed' }, does: [] });
    away.when(failed('move the guest', new Error('the line is cut'))).expect({
      in: 'completed',
      does: [status('completed'), spice.moved],
      runs: [],
      context: { stopped: false, reason: 'the line is cut' },
    });
  });

  test('is cancelled at any time before that, and what goes on is ended', () => {
    setup.when(cancel).expect({
      in: 'cancelled',
      does: [ends('reach the target'), status('cancelling'), status('cancelled'), spice.stays],
      runs: [],
    });
    active.when(cancel).expect({
      in: 'cancelled',
      does: [ends('move the guest'), status('cancelling'), status('cancelled'), spice.stays],
      runs: [],
    });
    standing.when(cancel).expect({
      in: 'cancelled',
      does: [ends('move the guest'), status('cancelling'), status('cancelled'), spice.stays, { type: 'run the guest' }],
    });
  });

  test('can be asked for again however the last one ended, and not while one is on', () => {
    for (const over of [
      standing.after(done('move the guest')),
      away.after(failed('move the guest')),
      standing.after(cancel),
      setup.after(failed('reach the target')),
    ]) {
      over.when(migrate).expect({
        in: 'setup',
        does: [status('setup'), spice.starts, reach],
        context: { reason: '', stopped: false },
      });
      over.when(cancel).expect({});
    }
    for (const on of [setup, active]) on.when(migrate).expect({});
  });
});

test('nothing of the chart is left untested', () => expect(untouched(hypervisor)).toEqual([]));
