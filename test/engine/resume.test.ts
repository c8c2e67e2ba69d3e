/** What a program that takes up another one's sessions knows of them, and how long they wait. */
import { describe, expect, it } from 'vitest';
import { ResumeWorld } from '../replay/resume-world.ts';

const schemes = ['seamless', 'semi-seamless', 'switch-host'] as const;
const channels = ['main:0', 'display:0', 'inputs:0'];

async function world(): Promise<ResumeWorld> {
  const made = new ResumeWorld({ schemes });
  await made.begin();
  await back(made);
  return made;
}

const back = (one: ResumeWorld) =>
  one.clock.until(() => channels.every((channel) => one.client?.channels.has(channel) === true), 120_000);

describe('a server that is taken up', () => {
  it('has the mouse mode and the clock that it had, and so has its client', async () => {
    const one = await world();
    one.client!.requestMouseMode(2);
    await one.clock.advance(10);
    one.server('source')!.multiMediaTime = 5_000_000;
    const since = one.clock.now();
    await one.clock.advance(7_000);
    await one.kill('source');
    await back(one);
    expect(one.server('source')!.mouseMode).toBe(2);
    expect(one.client!.mouseMode.current).toBe(2);
    const passed = one.clock.now() - since;
    expect(one.server('source')!.multiMediaTime).toBe(5_000_000 + passed);
    expect(one.client!.multiMediaTime).toBe(5_000_000 + passed - 400);
    expect(one.news.at(-1)).toMatchObject({ event: 'frame', channel: 'display:0' });
    await one.end();
  });

  it('waits for a client no longer than it would have, however often it dies', async () => {
    const one = await world();
    one.refuses = 'source';
    await one.kill('source');
    const since = one.clock.now();
    for (let i = 0; i < 3; i++) {
      await one.clock.advance(15_000);
      await one.kill('source');
      expect(one.server('source')!.resumed).toEqual(['session:1']);
    }
    const isOver = () => one.told.some(({ event }) => event.event === 'session' && event.state === 'over');
    await one.clock.until(isOver, 60_000);
    expect(one.clock.now() - since).toBe(60_000);
    await one.end();
  });

  it('has nothing left when the time was over while nobody ran', async () => {
    const one = await world();
    one.refuses = 'source';
    await one.kill('source');
    await one.clock.advance(59_980);
    // Its deadline passes while it is away.
    await one.kill('source');
    await one.clock.advance(1);
    expect(one.told.findLast(({ event }) => event.event === 'session')?.event).toMatchObject({
      state: 'over',
      reason: 'the client did not return in time',
    });
    await one.end();
  });
});

describe('a client that is taken up', () => {
  it('proves itself and has its session back', async () => {
    const one = await world();
    const id = one.news.find((news) => news.event === 'session')!;
    await one.kill('client');
    await back(one);
    expect(one.news.filter((news) => news.event === 'session')).toEqual([id, id]);
    expect(one.news.filter((news) => news.event === 'reconnect').at(-1)).toMatchObject({
      phase: 'back',
      returned: true,
    });
    await one.end();
  });
});
