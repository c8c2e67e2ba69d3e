/** Hand-overs as they should be, by each scheme and by what each end is capable of; and those that are given up. */
import assert from 'node:assert/strict';
import type { Scheme } from '../../../machines/contract.ts';
import type { Scenario } from '../play.ts';

const eager: readonly Scheme[] = ['seamless', 'early-link', 'semi-seamless'];

const done = (scheme: Scheme): Scenario => ({
  name: `${scheme}-done`,
  about: `A ${scheme} hand-over without a fault: the client is linked ahead, goes over when the guest has moved, and stays.`,
  story: async (stage) => {
    const { a, b, client } = await stage.pair();
    a.server.playback.start({ channels: 2, frequency: 48_000 });
    a.server.record.start({ channels: 1, frequency: 48_000 });
    await stage.for(100);
    a.announce(b, scheme);
    await stage.for(1_000);
    assert.deepEqual(client.phases(), [`begun ${scheme}`, `linked ${scheme}`]);
    assert.deepEqual(a.heard('migrate_connect_complete'), [
      { event: 'migrate_connect_complete', linked: 1, clients: 1 },
    ]);
    a.complete(b);
    await stage.for(3_000);
    assert.deepEqual(client.phases(), [`begun ${scheme}`, `linked ${scheme}`, `switched ${scheme}`]);
    assert.deepEqual(client.reconnects, []);
    assert.equal(a.heard('migrate_end_complete').length, 1);
    assert.deepEqual(
      b.heard('arrived').map(({ scheme: by }) => by),
      [scheme],
    );
    await stage.endsAt(client, b);
    await stage.for(40_000);
    assert(client.whole);
  },
});

/** The guest moves on, and back: names, links and answers of one move are not those of another. */
const onward = (scheme: Scheme): Scenario => ({
  name: `${scheme}-and-back`,
  about: `After a ${scheme} hand-over the guest moves back at once, and the client follows both times.`,
  story: async (stage) => {
    const { a, b, client } = await stage.pair({ client: { channels: ['inputs', 'record'] } });
    a.announce(b, scheme);
    await stage.for(100);
    a.complete(b);
    await stage.for(100);
    b.announce(a, scheme);
    await stage.for(100);
    b.complete(a);
    await stage.for(3_000);
    assert.deepEqual(
      client.phases().filter((one) => one.startsWith('switched')),
      [`switched ${scheme}`, `switched ${scheme}`],
    );
    await stage.endsAt(client, a);
    await stage.for(20_000);
  },
});

const cancelled = (scheme: Scheme, when: string, ms: number): Scenario => ({
  name: `${scheme}-cancelled-${when}`,
  about: `A ${scheme} hand-over is given up ${ms} ms after it was announced: the client stays, the target is rid of it.`,
  story: async (stage) => {
    const { a, b, client } = await stage.pair({ client: { channels: ['display', 'inputs'] } });
    a.announce(b, scheme);
    await stage.for(ms);
    a.giveUp();
    await stage.for(3_000);
    assert.equal(client.phases().at(-1), `cancelled ${scheme}`);
    await stage.endsAt(client, a);
    assert.deepEqual(b.server.channels(), []);
    await stage.for(20_000);
    stage.curtain('the guest moves after all');
    a.announce(b, scheme);
    await stage.for(1_000);
    a.complete(b);
    await stage.for(3_000);
    assert.equal(client.phases().at(-1), `switched ${scheme}`);
    assert.deepEqual(a.live(), []);
  },
});

const early = (scheme: Scheme, ms: number): Scenario => ({
  name: `${scheme}-over-after-${ms}-ms`,
  about: `The guest has moved ${ms} ms after a ${scheme} hand-over was announced: the end is held back until the client can follow.`,
  story: async (stage) => {
    const { a, b, client } = await stage.pair({ client: { channels: ['display', 'inputs'] } });
    a.announce(b, scheme);
    await stage.for(ms);
    a.complete(b);
    await stage.for(4_000);
    assert.deepEqual(client.reconnects, []);
    await stage.endsAt(client, b);
    await stage.for(20_000);
  },
});

/** What comes of it where an end knows less. */
const capable = (
  name: string,
  best: Scheme,
  schemes: { client?: readonly Scheme[]; a?: readonly Scheme[]; b?: readonly Scheme[] },
  gone: Scheme,
): Scenario => ({
  name: `capable-${name}`,
  about: `${best} at best, but ${name.replaceAll('-', ' ')}: the client goes by ${gone}.`,
  story: async (stage) => {
    const { a, b, client } = await stage.pair({
      client: { channels: ['display', 'inputs'], ...(schemes.client && { schemes: schemes.client }) },
      ...(schemes.a && { a: { schemes: schemes.a } }),
      ...(schemes.b && { b: { schemes: schemes.b } }),
    });
    a.announce(b, best);
    await stage.for(1_000);
    a.complete(b);
    await stage.for(4_000);
    assert.equal(client.phases().at(-1), `switched ${gone}`);
    assert.deepEqual(client.reconnects, []);
    await stage.endsAt(client, b);
    await stage.for(40_000);
  },
});

const usual: readonly Scheme[] = ['seamless', 'semi-seamless', 'switch-host'];

export const handOvers: readonly Scenario[] = [
  ...eager.map(done),
  ...eager.map(onward),
  ...eager.flatMap((scheme) => [
    cancelled(scheme, 'at-once', 0),
    cancelled(scheme, 'on-the-way', 5),
    cancelled(scheme, 'linked', 1_000),
    early(scheme, 0),
    early(scheme, 5),
  ]),
  capable('the-client-knows-the-usual', 'seamless', { client: usual }, 'seamless'),
  capable('the-client-knows-no-seamless', 'seamless', { client: ['semi-seamless', 'switch-host'] }, 'semi-seamless'),
  capable('the-client-knows-only-switch-host', 'seamless', { client: ['switch-host'] }, 'switch-host'),
  capable('the-client-knows-only-early-link', 'seamless', { client: ['early-link', 'switch-host'] }, 'early-link'),
  capable('the-source-knows-only-switch-host', 'seamless', { a: ['switch-host'] }, 'switch-host'),
  capable('the-source-knows-no-seamless', 'seamless', { a: ['semi-seamless', 'switch-host'] }, 'semi-seamless'),
  capable('the-target-knows-no-seamless', 'seamless', { b: ['semi-seamless', 'switch-host'] }, 'semi-seamless'),
  capable('the-target-knows-no-early-link', 'early-link', { b: usual }, 'switch-host'),
  capable('only-switch-host-is-allowed', 'switch-host', { client: usual, a: usual, b: usual }, 'switch-host'),
  capable('switch-host-where-all-know-early-link', 'switch-host', {}, 'early-link'),
];
