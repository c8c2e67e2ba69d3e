/** What every channel of a server keeps to, whatever else it does: held against each of their charts by its own test. */
import { describe, expect, test } from 'vitest';
import type { AnyStateMachine } from 'xstate';
import type { Beginning } from '../../../machines/contract.ts';
import { type Act, begins, done, elapsed, ends, failed, given } from '../../support/given.ts';
import {
  attach,
  close,
  closed,
  goesDown,
  greet,
  hangUp,
  move,
  news,
  nonsense,
  ready,
  send,
  stray,
  unexpected,
} from '../words.ts';

export interface ServerChannelCase {
  readonly chart: AnyStateMachine;
  readonly channel: string;
  /** What goes with a seamless move (spec §3d 6): its state, a mark behind all that the client has said, or nothing. */
  readonly travels: 'state' | 'mark' | 'nothing';
  /** Messages of a hand-over that are no offence here. */
  readonly ignores?: readonly string[];
  /** What it does on a new link besides using it. */
  readonly onAttach?: (beginning: Beginning) => readonly Act[];
  /** Actors that it leaves running, by their words, once it is linked; they end with the link. */
  readonly asks?: (beginning: Beginning) => readonly string[];
}

const state = new Uint8Array([4, 5, 6]);
const data = stray('msgc.migrate_data', { data: state });
const mark = stray('msgc.migrate_flush_mark');
const unfit = 'the migrate data do not fit';
const late = 'no migrate data in time';

export function serverFlowContract({
  chart,
  channel,
  travels,
  ignores = [],
  onAttach = () => [],
  asks = () => [],
}: ServerChannelCase): void {
  const begun = given(chart, { channel, connectionId: 77 });
  const linked = begun.after(attach('link:1'));
  const awaiting = begun.after(attach('link:1', 'migrate data'));
  const awaits = travels === 'state';
  const beginningsHere: readonly Beginning[] = awaits ? ['fresh', 'arrived', 'migrate data'] : ['fresh', 'arrived'];
  const beginnings = begun.snapshot.value as object;
  const gone = (beginning: Beginning) => asks(beginning).map(ends);
  const tags = (story: typeof begun) => [...story.snapshot.tags].sort();

  describe(`the flow of ${channel} at a server`, () => {
    test('begins down, and does nothing of itself', () => {
      begun.expect({ in: { flow: 'down' }, waits: [], runs: [] });
      expect(tags(begun)).toEqual([]);
    });

    test('takes the link that it is given, and says that it is up', () => {
      for (const beginning of beginningsHere) {
        begun.when(attach('link:1', beginning)).expect({
          in: { flow: beginning === 'migrate data' ? 'awaiting migrate data' : 'flowing' },
          does: [{ type: 'attach', link: 'link:1' }, news.up(channel), ...onAttach(beginning)],
          context: { link: 'link:1', reason: '', connectionId: 77 },
          runs: asks(beginning),
        });
      }
      expect(tags(linked)).toEqual(['flowing', 'speaking']);
      if (awaits) expect(tags(awaiting)).toEqual([]);
    });

    test('is not stirred while it is down', () => {
      for (const event of [closed('link:1'), nonsense, hangUp, stray('msgc.no_such_message')]) {
        begun.when(event).expect({ in: beginnings });
      }
    });

    test('goes down with its link, and with no other', () => {
      linked.when(closed('link:7')).expect({ in: { flow: 'flowing' } });
      linked.when(closed('link:1')).expect({
        in: beginnings,
        does: [...gone('fresh'), news.gone(channel, 'the peer hung up')],
        context: { link: null, reason: 'the peer hung up' },
        waits: [],
        runs: [],
      });
    });

    test('goes down when it is told to, and hangs up', () => {
      linked.when(hangUp).expect({
        in: beginnings,
        does: [...gone('fresh'), close('enough'), news.down(channel, 'enough')],
        waits: [],
        runs: [],
      });
      awaiting.when(hangUp).expect({
        in: beginnings,
        does: [...gone('migrate data'), close('enough'), news.down(channel, 'enough')],
        waits: [],
        runs: [],
      });
    });

    test('goes down once when bytes or a message are not expected, and is back on the next link', () => {
      linked.when(nonsense).expect({ in: beginnings, does: [...gone('fresh'), ...goesDown(channel, nonsense.reason)] });
      const strayed = linked.when(stray('msgc.no_such_message'));
      strayed.expect({
        in: beginnings,
        does: [...gone('fresh'), ...goesDown(channel, unexpected('msgc.no_such_message'))],
        waits: [],
        runs: [],
      });
      strayed.when(stray('msgc.no_such_message'), nonsense, closed('link:1')).expect({ in: beginnings });
      strayed.when(attach('link:9')).expect({
        in: { flow: 'flowing' },
        does: [{ type: 'attach', link: 'link:9' }, news.up(channel), ...onAttach('fresh')],
        context: { link: 'link:9', reason: '' },
      });
    });

    test('takes messages of a hand-over for violations where there is none', () => {
      for (const event of ['msgc.migrate_flush_mark', 'msgc.migrate_data'] as const) {
        if (ignores.includes(event)) continue;
        linked.when(stray(event)).expect({ does: [...gone('fresh'), ...goesDown(channel, unexpected(event))] });
      }
    });

    test('lets the client announce that it will hang up', () => {
      const bye = linked.when(stray('msgc.disconnecting'));
      bye.expect({ in: { flow: 'flowing' } });
      const farewell = bye.when(closed('link:1'));
      expect(farewell.acts.at(-1)).toEqual(news.down(channel, 'the peer hung up'));
      const again = farewell.after(attach('link:9')).when(closed('link:9'));
      expect(again.acts.at(-1)).toEqual(news.gone(channel, 'the peer hung up'));
    });

    test('is let go seamlessly, with its state if that travels', () => {
      const moved = linked.when(move('seamless'));
      if (travels === 'nothing') {
        moved.expect({ in: { flow: 'handing over' }, does: [send('msg.migrate', { flags: 0 })] });
        expect(tags(moved)).toEqual(['deaf']);
        return;
      }
      moved.expect({ in: { flow: 'flushing' }, does: [send('msg.migrate', { flags: 3 })] });
      moved.pending('flush deadline');
      expect(tags(moved)).toEqual(['flowing']);
      const collecting = moved.when(mark);
      collecting.expect({
        in: { flow: 'collecting' },
        does: [begins('collect migrate data', { input: { channel } })],
      });
      expect(tags(collecting)).toEqual([]);
      const left = collecting.when(done('collect migrate data', state));
      left.expect({ in: { flow: 'handing over' }, does: [send('msg.migrate_data', { data: state })] });
      expect(tags(left)).toEqual(['deaf']);
    });

    test('waits for the move of the others when its state cannot be had, or the client does not flush', () => {
      if (travels === 'nothing') return;
      const flushing = linked.after(move('seamless'));
      flushing.when(elapsed('flush deadline')).expect({ in: { flow: 'handing over' } });
      flushing
        .after(mark)
        .when(failed('collect migrate data'))
        .expect({ in: { flow: 'handing over' } });
      flushing
        .after(mark)
        .when(closed('link:1'))
        .expect({
          in: beginnings,
          does: [...gone('fresh'), ends('collect migrate data'), news.gone(channel, 'the peer hung up')],
        });
    });

    test('is let go by every other scheme', () => {
      linked
        .when(move('early-link'))
        .expect({ in: { flow: 'handing over' }, does: [send('msg.migrate', { flags: 0 })] });
      linked.when(move('semi-seamless')).expect({ in: { flow: 'handing over' } });
      linked.when(move('switch-host')).expect({ in: { flow: 'handing over' } });
    });

    test('does not listen to a client that it has let go, and sees it hang up', () => {
      const left = linked.after(move('switch-host'));
      left
        .when(stray('msgc.no_such_message'), stray('msgc.migrate_flush_mark'))
        .expect({ in: { flow: 'handing over' } });
      left.when(closed('link:1')).expect({
        in: beginnings,
        does: [...gone('fresh'), news.gone(channel, 'the peer hung up')],
        waits: [],
        runs: [],
      });
    });

    if (travels !== 'state') return;

    test('takes over what the client brings from the source', () => {
      awaiting.pending('migrate data deadline');
      const loading = awaiting.when(data);
      loading.expect({
        in: { flow: 'loading migrate data' },
        does: [begins('load migrate data', { input: { channel, data: state } })],
      });
      expect(tags(loading)).toEqual(['flowing']);
      const loaded = loading.when(done('load migrate data'));
      loaded.expect({ in: { flow: 'flowing' }, does: [news.loaded(channel), ready(false)] });
      expect(tags(loaded)).toEqual(['flowing', 'speaking']);
      loaded
        .when(data)
        .expect({ does: [...gone('migrate data'), ...goesDown(channel, unexpected('msgc.migrate_data'))] });
    });

    test('goes down when what the client brings does not fit, or does not come', () => {
      const loading = awaiting.after(data);
      loading.when(failed('load migrate data')).expect({
        in: beginnings,
        does: [...gone('migrate data'), ...goesDown(channel, unfit)],
        waits: [],
        runs: [],
      });
      // A guest that takes its time is no offence of the client's.
      awaiting.when(elapsed('migrate data deadline')).expect({
        in: beginnings,
        does: [...gone('migrate data'), close(late), news.down(channel, late)],
        waits: [],
        runs: [],
      });
      loading.when(closed('link:1')).expect({
        in: beginnings,
        does: [...gone('migrate data'), ends('load migrate data'), news.gone(channel, 'the peer hung up')],
      });
    });

    test('waits for migrate data once a seamless client is here to stay', () => {
      linked.when(greet('seamless')).expect({ in: { flow: 'awaiting migrate data' } });
      linked.when(greet('semi-seamless')).expect({ in: { flow: 'flowing' } });
    });
  });
}
