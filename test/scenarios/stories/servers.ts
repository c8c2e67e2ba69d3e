/** Servers with several clients or none, and clients that come, go or are away while the guest moves. */
import assert from 'node:assert/strict';
import { createActor, fromPromise } from 'xstate';
import type { Scheme } from '../../../machines/contract.ts';
import { hypervisor } from '../../../machines/migration/hypervisor.ts';
import type { Scenario } from '../play.ts';
import type { Guest, Host, Stage } from '../stage.ts';

const eager: readonly Scheme[] = ['seamless', 'early-link', 'semi-seamless'];

const small = { channels: ['inputs'] as const };

const crowd = (
  name: string,
  about: string,
  story: (stage: Stage, a: Host, b: Host, client: Guest) => Promise<void>,
): Scenario => ({
  name: `server-${name}`,
  about,
  story: async (stage) => {
    const { a, b, client } = await stage.pair({ client: small });
    await story(stage, a, b, client);
    await stage.for(70_000);
  },
});

const servers: readonly Scenario[] = [
  crowd('of-three', 'Three clients, each with its own capabilities, follow one guest.', async (stage, a, b, client) => {
    const second = stage.client({ to: 'a', ...small, schemes: ['semi-seamless', 'switch-host'] });
    const third = stage.client({ to: 'a', ...small, schemes: ['switch-host'] });
    await stage.for(1_000);
    a.announce(b);
    await stage.for(1_000);
    assert.deepEqual(
      a.heard('migrate_connect_complete').map(({ linked, clients }) => [linked, clients]),
      [[2, 3]],
    );
    a.complete(b);
    await stage.for(5_000);
    assert.equal(a.heard('migrate_end_complete').length, 1);
    for (const one of [client, second, third]) assert(one.whole);
    assert.deepEqual(a.live(), []);
  }),
  {
    name: 'server-without-clients',
    about: 'A guest without clients moves away, and comes back, and is given up.',
    story: async (stage) => {
      const a = stage.host('a');
      const b = stage.host('b');
      stage.begin();
      a.announce(b);
      await stage.for(10);
      a.complete(b);
      await stage.for(10);
      stage.say('the guest is back');
      a.server.guestArrived();
      await stage.for(10);
      a.announce(b);
      a.giveUp();
      await stage.for(10);
      a.announce(b);
      await stage.for(10);
      a.announce(b);
      await stage.for(10);
      a.giveUp();
      await stage.for(30_000);
      assert.equal(a.heard('migrate_connect_complete').length, 4);
      assert.equal(a.heard('migrate_end_complete').length, 1);
    },
  },
  crowd('whose-guest-is-away', 'A client that comes when the guest is away is sent after it.', async (stage, a, b) => {
    a.announce(b);
    await stage.for(100);
    a.complete(b);
    await stage.for(3_000);
    const late = stage.client({ to: 'a', ...small });
    await stage.for(5_000);
    assert(late.whole);
    assert.deepEqual(a.live(), []);
    const old = stage.client({ to: 'a', ...small, schemes: ['switch-host'], reconnect: false });
    await stage.for(15_000);
    assert(old.whole);
    assert.deepEqual(a.live(), []);
  }),
  crowd(
    'whose-guest-is-leaving',
    'A client that comes while others are leaving is sent after the guest too.',
    async (stage, a, b, client) => {
      a.announce(b);
      await stage.for(100);
      a.stall();
      a.complete(b);
      await stage.for(1_000);
      const late = stage.client({ to: 'a', ...small });
      await stage.for(3_000);
      assert(late.whole);
      a.cut();
      await stage.for(30_000);
      assert(client.whole);
      assert.deepEqual(a.live(), []);
    },
  ),
  crowd(
    'where-one-comes-after-the-announcement',
    'A client that comes after the announcement hears of the move at its end.',
    async (stage, a, b) => {
      a.announce(b);
      await stage.for(100);
      const late = stage.client({ to: 'a', ...small });
      await stage.for(1_000);
      a.complete(b);
      await stage.for(5_000);
      assert(late.whole);
      assert.deepEqual(a.live(), []);
    },
  ),
  crowd(
    'where-one-comes-and-it-is-given-up',
    'A client that comes after the announcement hears nothing of a move that is given up.',
    async (stage, a, b) => {
      a.announce(b);
      await stage.for(100);
      const late = stage.client({ to: 'a', ...small });
      await stage.for(1_000);
      a.giveUp();
      await stage.for(5_000);
      assert(late.whole);
      assert.deepEqual(late.phases(), []);
      assert.deepEqual(b.live(), []);
    },
  ),
  crowd('where-one-leaves', 'One of two clients is closed while the target is linked.', async (stage, a, b, client) => {
    const second = stage.client({ to: 'a', ...small });
    await stage.for(1_000);
    a.announce(b);
    await stage.for(3);
    second.client.close();
    await stage.for(1_000);
    a.complete(b);
    await stage.for(5_000);
    assert(client.whole);
    assert.deepEqual(a.live(), []);
  }),
  crowd(
    'where-one-leaves-in-the-end',
    'One of two clients is closed when the guest has moved.',
    async (stage, a, b, client) => {
      const second = stage.client({ to: 'a', ...small });
      await stage.for(1_000);
      a.announce(b);
      await stage.for(1_000);
      a.complete(b);
      second.client.close();
      await stage.for(5_000);
      assert(client.whole);
      assert.deepEqual(a.live(), []);
    },
  ),
  crowd('whose-guest-is-back-early', 'The guest is back before the last client has left.', async (stage, a, b) => {
    a.announce(b);
    await stage.for(100);
    a.stall();
    a.complete(b);
    await stage.for(100);
    stage.say('the guest is back');
    a.server.guestArrived();
    await stage.for(15_000);
    a.cut();
    await stage.for(30_000);
  }),
  crowd(
    'that-disconnects-in-a-move',
    'The server disconnects everybody while the target is linked.',
    async (stage, a, b, client) => {
      a.announce(b);
      await stage.for(100);
      a.server.disconnectAll('maintenance');
      await stage.for(2_000);
      // Its goodbye might be that of a program which the guest has left: the guest is looked for, and found.
      await stage.endsAt(client, a);
    },
  ),
  crowd(
    'where-the-client-is-closed-in-a-move',
    'The client is closed while the target is linked.',
    async (stage, a, b, client) => {
      a.announce(b);
      await stage.for(100);
      client.client.close('enough');
      await stage.for(2_000);
      stage.endsClosed(client, 'enough');
      a.complete(b);
      await stage.for(15_000);
    },
  ),
  crowd(
    'whose-guest-goes-on',
    'The client follows its guest to b, which has gone on to c by then.',
    async (stage, a, b, client) => {
      const c = stage.host('c');
      a.announce(b);
      await stage.for(1_000);
      b.announce(c);
      await stage.for(100);
      b.complete(c);
      a.complete();
      await stage.for(10_000);
      await stage.endsAt(client, c);
    },
  ),
  crowd(
    'whose-guest-goes-on-at-once',
    'The guest goes on from b to c while the client goes over to b.',
    async (stage, a, b, client) => {
      const c = stage.host('c');
      a.announce(b);
      await stage.for(1_000);
      a.complete(b);
      await stage.for(1);
      b.announce(c);
      await stage.for(1_000);
      b.complete(c);
      await stage.for(10_000);
      await stage.endsAt(client, c);
    },
  ),
  crowd(
    'whose-next-move-is-given-up',
    'b announces a move while the client is only linked there, and gives it up.',
    async (stage, a, b, client) => {
      const c = stage.host('c');
      a.announce(b);
      await stage.for(1_000);
      b.announce(c);
      await stage.for(100);
      b.giveUp();
      await stage.for(100);
      a.complete(b);
      await stage.for(10_000);
      await stage.endsAt(client, b);
    },
  ),
  ...(['away', 'leaving', 'away-and-it-closes', 'leaving-and-it-closes'] as const).map((how) =>
    crowd(
      `to-which-a-client-is-sent-when-its-guest-is-${how}`,
      `A client is sent to b, whose guest is ${how.replaceAll('-', ' ')} then: it is sent on to c.`,
      async (stage, a, b, client) => {
        const c = stage.host('c');
        const other = stage.client({ to: 'b', ...small });
        await stage.for(1_000);
        if (how.startsWith('leaving')) b.stall();
        b.announce(c);
        await stage.for(100);
        b.complete(c);
        await stage.for(100);
        a.announce(b);
        await stage.for(1_000);
        a.complete();
        await stage.for(1_500);
        if (how.endsWith('closes')) {
          stage.say('the client is closed');
          client.client.close();
        }
        await stage.for(10_000);
        if (how.startsWith('leaving')) b.cut();
        await stage.for(20_000);
        assert(other.whole);
        if (how.endsWith('closes')) assert.equal(client.closed, 'closed by this program');
        else
          assert.deepEqual(
            [client.whole, client.client.system.root.getSnapshot().context.destination.host],
            [true, 'c'],
          );
        assert.deepEqual([a.live(), b.live()], [[], []]);
      },
    ),
  ),
  ...[1, 3, 4, 5, 7, 9].map((ms) =>
    crowd(
      `where-one-comes-${ms}-ms-before-the-end`,
      `A client comes ${ms} ms before the guest has moved: it is sent after it.`,
      async (stage, a, b, client) => {
        a.announce(b);
        await stage.for(100);
        const late = stage.client({ to: 'a', ...small });
        await stage.for(ms);
        a.complete(b);
        await stage.for(15_000);
        assert(client.whole && late.whole);
        assert.deepEqual(a.live(), []);
      },
    ),
  ),
  ...eager.flatMap((scheme) => [
    crowd(
      `whose-client-is-away-and-back-in-a-${scheme}-move`,
      `The client is lost after a ${scheme} announcement, is back, and is told again.`,
      async (stage, a, b, client) => {
        a.announce(b, scheme);
        await stage.for(100);
        a.cut();
        await stage.for(5_000);
        a.complete(b);
        await stage.for(10_000);
        await stage.endsAt(client, b);
      },
    ),
    crowd(
      `whose-client-is-away-before-a-${scheme}-move`,
      `The client is away when a ${scheme} move is announced, and when it is over.`,
      async (stage, a, b, client) => {
        a.become('refuses');
        a.cut();
        await stage.for(100);
        a.announce(b, scheme);
        await stage.for(100);
        a.complete(b);
        await stage.for(100);
        a.become('serves');
        await stage.for(20_000);
        await stage.endsAt(client, b);
      },
    ),
    crowd(
      `whose-client-is-away-in-a-${scheme}-move-that-is-given-up`,
      `The client is away when a ${scheme} move is announced, and when it is given up.`,
      async (stage, a, b, client) => {
        a.become('refuses');
        a.cut();
        await stage.for(100);
        a.announce(b, scheme);
        await stage.for(100);
        a.giveUp();
        await stage.for(100);
        a.become('serves');
        await stage.for(20_000);
        await stage.endsAt(client, a);
      },
    ),
    crowd(
      `whose-client-comes-back-unnoticed-in-a-${scheme}-move`,
      `The source does not notice that the client is lost after a ${scheme} announcement, until it is back.`,
      async (stage, a, b, client) => {
        a.announce(b, scheme);
        await stage.for(100);
        a.lose();
        await stage.for(5_000);
        a.complete(b);
        await stage.for(10_000);
        await stage.endsAt(client, b);
      },
    ),
  ]),
  crowd(
    'whose-guest-comes-back-while-the-client-is-away',
    'The guest has gone and is back while the client was away.',
    async (stage, a, b, client) => {
      a.become('refuses');
      a.cut();
      await stage.for(100);
      a.announce(b);
      await stage.for(100);
      a.complete(b);
      await stage.for(100);
      stage.say('the guest is back');
      a.server.guestArrived();
      await stage.for(100);
      a.become('serves');
      await stage.for(20_000);
      await stage.endsAt(client, a);
    },
  ),
  crowd(
    'whose-client-is-away-for-good',
    'The client is lost in a move and does not come back.',
    async (stage, a, b, client) => {
      a.announce(b);
      await stage.for(100);
      a.become('refuses');
      b.become('refuses');
      a.cut();
      b.cut();
      await stage.for(100);
      a.complete(b);
      await stage.for(150_000);
      stage.endsClosed(client, /./);
    },
  ),
];

/** A hypervisor that moves its guest from a to b, and what it tells SPICE. */
const moved = (
  name: string,
  about: string,
  steps: readonly ('migrate' | 'reached' | 'unreachable' | 'stopped' | 'committed' | 'moved' | 'broken' | 'cancel')[],
): Scenario => ({
  name: `hypervisor-${name}`,
  about,
  story: async (stage) => {
    const { a, b, client } = await stage.pair({ client: small });
    let settle = { done: () => {}, failed: (_: Error) => {} };
    const wait = () =>
      fromPromise<void, { uri: string }>(
        () =>
          new Promise((done, failed) => {
            settle = { done, failed };
          }),
      );
    const told: string[] = [];
    let nodes: readonly string[] = [];
    const chart = createActor(
      hypervisor.provide({ actors: { 'reach the target': wait(), 'move the guest': wait() } } as never),
      {
        clock: stage.clock,
        id: 'hypervisor',
        inspect: (seen) => {
          if (seen.type === '@xstate.snapshot' && '_nodes' in seen.snapshot)
            nodes = stage.transcript.visit(nodes, seen.event, seen.snapshot);
        },
      },
    );
    chart.subscribe((snapshot) => stage.transcript.note('hypervisor', `is in ${JSON.stringify(snapshot.value)}`));
    chart.on('*', (command) => {
      const { type, ...more } = command as { type: string };
      told.push(type);
      stage.transcript.note('hypervisor', `${type} {${stage.transcript.fields(more)}}`);
      if (type === 'migrate start') a.server.migrateStart();
      if (type === 'migrate end') {
        const { completed } = command as unknown as { completed: boolean };
        if (completed) b.server.guestArrived();
        a.server.migrateEnd(completed);
      }
    });
    chart.start();
    let runs = true;
    for (const step of steps) {
      stage.say(`the guest's move: ${step}`);
      const before = told.length;
      if (step === 'migrate') {
        a.server.migrateConnect({ host: 'b', port: 1 });
        chart.send({ type: 'api.migrate', uri: 'tcp:b:1' });
      } else if (step === 'cancel') chart.send({ type: 'api.migrate_cancel' });
      else if (step === 'stopped') chart.send({ type: 'move.stopped' });
      else if (step === 'committed') chart.send({ type: 'move.committed' });
      else if (step === 'reached' || step === 'moved') settle.done();
      else settle.failed(new Error(step));
      await stage.for(500);
      for (const type of told.slice(before)) {
        if (type === 'stop the guest') {
          assert(runs, 'a guest that runs is stopped');
          runs = false;
        } else if (type === 'run the guest') {
          assert(!runs, 'a guest that stands is run');
          runs = true;
        }
      }
    }
    await stage.for(3_000);
    // What the target was told to run is the target's, whatever is heard of it.
    const gone = steps.at(-1) === 'moved' || steps.slice(steps.lastIndexOf('migrate')).includes('committed');
    assert.equal(runs, !gone, 'the guest runs where it is');
    assert.equal(
      told.filter((type) => type === 'migrate start').length,
      steps.filter((step) => step === 'migrate').length,
    );
    stage.say(`it ends in ${JSON.stringify(chart.getSnapshot().value)}: ${chart.getSnapshot().context.reason}`);
    chart.stop();
    await stage.endsAt(client, gone ? b : a);
  },
});

const hypervisors: readonly Scenario[] = [
  moved('moves', 'A guest is moved.', ['migrate', 'reached', 'stopped', 'moved']),
  moved('is-committed', 'A guest is moved, and its target was told to run it.', [
    ...(['migrate', 'reached', 'stopped', 'committed', 'moved'] as const),
  ]),
  moved('breaks-when-committed', 'The target was told to run the guest, and is not heard of again: it has the guest.', [
    ...(['migrate', 'reached', 'stopped', 'committed', 'broken'] as const),
  ]),
  moved('is-cancelled-when-committed', 'The target was told to run the guest: it cannot be given up any more.', [
    ...(['migrate', 'reached', 'stopped', 'committed', 'cancel', 'moved'] as const),
  ]),
  moved('cannot-reach', 'The target cannot be reached; it is tried again.', [
    'migrate',
    'unreachable',
    'migrate',
    'reached',
    'stopped',
    'moved',
  ]),
  moved('breaks', 'The move breaks while the guest runs, and it is tried again.', [
    'migrate',
    'reached',
    'broken',
    'migrate',
    'reached',
    'stopped',
    'moved',
  ]),
  moved('breaks-in-the-end', 'The move breaks when the guest stands already: it runs on here.', [
    'migrate',
    'reached',
    'stopped',
    'broken',
    'migrate',
    'reached',
    'broken',
  ]),
  moved('is-cancelled-at-once', 'It is given up before the target is reached.', [
    'migrate',
    'cancel',
    'migrate',
    'reached',
    'stopped',
    'moved',
  ]),
  moved('is-cancelled', 'It is given up while the guest runs.', ['migrate', 'reached', 'cancel']),
  moved('is-cancelled-in-the-end', 'It is given up when the guest stands already: it runs on here.', [
    'migrate',
    'reached',
    'stopped',
    'cancel',
    'migrate',
    'reached',
    'cancel',
  ]),
];

export const serverStories: readonly Scenario[] = [...servers, ...hypervisors];
