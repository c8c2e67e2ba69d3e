/** What every channel of a client keeps to, whatever else it does: held against each of their charts by its own test. */
import { describe, expect, test } from 'vitest';
import type { AnyStateMachine } from 'xstate';
import type { Scheme } from '../../../machines/contract.ts';
import { type Act, elapsed, given } from '../../support/given.ts';
import {
  attach,
  close,
  closed,
  goesDown,
  hangUp,
  leave,
  migrate,
  news,
  nonsense,
  reset,
  send,
  settled,
  stray,
  switchTo,
  unexpected,
} from '../words.ts';

export interface ClientChannelCase {
  readonly chart: AnyStateMachine;
  readonly channel: string;
  /** What the channel does on a new link besides using it. */
  readonly onAttach?: readonly Act[];
  /** What it does at the target besides using it. */
  readonly onSwitch?: (scheme: Scheme) => readonly Act[];
}

const carried = new Uint8Array([1, 2, 3]);

export function clientFlowContract({ chart, channel, onAttach = [], onSwitch = () => [] }: ClientChannelCase): void {
  const begun = given(chart, { channel });
  const linked = begun.after(attach('link:1'));
  const beginnings = begun.snapshot.value;
  const tags = (story: typeof begun) => [...story.snapshot.tags].sort();

  describe(`the flow of ${channel} at a client`, () => {
    test('begins down, and does nothing of itself', () => {
      begun.expect({ in: { flow: 'down' }, waits: [], runs: [] });
      expect(tags(begun)).toEqual([]);
    });

    test('takes the link that it is given, and says that it is up', () => {
      linked.expect({ in: { flow: 'flowing' } });
      expect(tags(linked)).toEqual(['flowing', 'speaking']);
      begun.when(attach('link:1')).expect({
        in: { flow: 'flowing' },
        does: [{ type: 'attach', link: 'link:1' }, news.up(channel), ...onAttach],
        context: { link: 'link:1', reason: '' },
      });
    });

    test('is not stirred while it is down', () => {
      for (const event of [closed('link:1'), nonsense, hangUp, stray('msg.no_such_message')]) {
        begun.when(event).expect({ in: beginnings as object });
      }
    });

    test('goes down with its link, and with no other', () => {
      linked.when(closed('link:7')).expect({ in: { flow: 'flowing' } });
      linked.when(closed('link:1')).expect({
        in: beginnings as object,
        does: [news.gone(channel, 'the peer hung up')],
        context: { link: null, reason: 'the peer hung up' },
        waits: [],
        runs: [],
      });
    });

    test('goes down when it is told to, and hangs up', () => {
      for (const busy of [linked, linked.after(migrate(3)), linked.after(leave)]) {
        busy.when(hangUp).expect({ in: beginnings as object, does: [close('enough'), news.down(channel, 'enough')] });
      }
    });

    test('goes down when bytes make no sense', () => {
      for (const busy of [linked, linked.after(migrate(3)), linked.after(leave)]) {
        busy.when(nonsense).expect({ in: beginnings as object, does: goesDown(channel, nonsense.reason) });
      }
    });

    test('goes down once when a message is not expected, and is back on the next link', () => {
      const strayed = linked.when(stray('msg.no_such_message'));
      strayed.expect({
        in: beginnings as object,
        does: goesDown(channel, unexpected('msg.no_such_message')),
        waits: [],
        runs: [],
      });
      strayed.when(stray('msg.no_such_message'), nonsense, closed('link:1')).expect({ in: beginnings as object });
      strayed.when(attach('link:9')).expect({
        in: { flow: 'flowing' },
        does: [{ type: 'attach', link: 'link:9' }, news.up(channel), ...onAttach],
        context: { link: 'link:9', reason: '' },
      });
    });

    test('takes migrate data for a violation where none were promised', () => {
      linked
        .when(stray('msg.migrate_data', { data: carried }))
        .expect({ does: goesDown(channel, unexpected('msg.migrate_data')) });
    });

    test('lets the server announce that it will hang up', () => {
      const bye = linked.when(stray('msg.disconnecting'));
      bye.expect({ in: { flow: 'flowing' } });
      const farewell = bye.when(closed('link:1'));
      expect(farewell.acts.at(-1)).toEqual(news.down(channel, 'the peer hung up'));
      const again = farewell.after(attach('link:9')).when(closed('link:9'));
      expect(again.acts.at(-1)).toEqual(news.gone(channel, 'the peer hung up'));
    });

    test('is let go with its state: marks, then carries what comes', () => {
      const flushing = linked.when(migrate(3));
      flushing.expect({ in: { flow: 'flushing' }, does: [send('msgc.migrate_flush_mark')] });
      expect(tags(flushing)).toEqual([]);
      const left = flushing.when(stray('msg.migrate_data', { data: carried }));
      left.expect({ in: { flow: 'handing over' }, does: [{ type: 'carry', data: carried }, news.left(channel, true)] });
      expect(tags(left)).toEqual(['deaf']);
    });

    test('does each part of a migrate that it is asked for, and no other', () => {
      linked.when(migrate(2)).expect({ in: { flow: 'flushing' } });
      linked
        .when(migrate(1))
        .expect({ in: { flow: 'handing over' }, does: [send('msgc.migrate_flush_mark'), news.left(channel, false)] });
      linked.when(migrate(0)).expect({ in: { flow: 'handing over' }, does: [news.left(channel, false)] });
    });

    test('takes only migrate data while they are awaited, and goes down with the source', () => {
      const flushing = linked.after(migrate(3));
      flushing.when(stray('msg.no_such_message')).expect({
        in: beginnings as object,
        does: goesDown(channel, unexpected('msg.no_such_message')),
      });
      flushing.expect({ waits: ['flush deadline'] });
      flushing.when(elapsed('flush deadline')).expect({
        in: beginnings as object,
        does: [close('no migrate data in time'), news.down(channel, 'no migrate data in time')],
        waits: [],
      });
      flushing
        .when(closed('link:1'))
        .expect({ in: beginnings as object, does: [news.gone(channel, 'the peer hung up')] });
    });

    test('leaves the source at once when the hand-over says so, and keeps the picture', () => {
      linked
        .when(leave)
        .expect({ in: { flow: 'handing over' }, does: [reset('primary'), close('the guest has moved')] });
    });

    test('does not mind that the source hangs up once it has left', () => {
      for (const left of [linked.after(leave), linked.after(migrate(0))]) {
        left.when(closed('link:1')).expect({ in: { flow: 'handing over' } });
      }
    });

    test('goes on at the target seamlessly: serials go on, and the state goes first', () => {
      linked
        .after(migrate(3), stray('msg.migrate_data', { data: carried }))
        .when(switchTo('seamless'))
        .expect({
          in: { flow: 'flowing' },
          does: [
            { type: 'switch', link: 'link:2', serials: 'go on' },
            { type: 'send carried' },
            news.switched(channel),
            ...onSwitch('seamless'),
          ],
          context: { link: 'link:2' },
        });
    });

    test('goes on at the target of an early link, with the picture and nothing else', () => {
      linked
        .after(migrate(0))
        .when(switchTo('early-link'))
        .expect({
          in: { flow: 'flowing' },
          does: [
            reset('primary'),
            { type: 'switch', link: 'link:2', serials: 'restart' },
            news.switched(channel),
            ...onSwitch('early-link'),
          ],
          context: { link: 'link:2' },
        });
    });

    test('goes on at the target semi-seamlessly after it has left the source', () => {
      linked
        .after(leave)
        .when(switchTo('semi-seamless'))
        .expect({
          in: { flow: 'flowing' },
          does: [
            { type: 'switch', link: 'link:2', serials: 'restart' },
            news.switched(channel),
            ...onSwitch('semi-seamless'),
          ],
          context: { link: 'link:2' },
        });
    });

    test('switches without having left, as main does, and lets the source go at once', () => {
      linked.when(switchTo('semi-seamless')).expect({
        in: { flow: 'flowing' },
        does: [
          reset('primary'),
          { type: 'switch', link: 'link:2', serials: 'restart' },
          { type: 'close previous' },
          news.switched(channel),
          ...onSwitch('semi-seamless'),
        ],
        context: { link: 'link:2' },
      });
    });

    test('closes the source when every channel has switched', () => {
      const moved = linked.after(migrate(0), switchTo('early-link'));
      moved.when(settled).expect({ in: { flow: 'flowing' }, does: [{ type: 'close previous' }] });
      moved.when(closed('link:1')).expect({ in: { flow: 'flowing' } });
      moved.when(closed('link:2')).expect({ in: { flow: 'down' }, does: [news.gone(channel, 'the peer hung up')] });
    });
  });
}
