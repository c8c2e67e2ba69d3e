/**
 * What strangers cost a healthy client: how long its key takes to the guest and its picture back, and how long a newcomer takes
 * to come in. The attacked server, a bystander of the same kind, the attacker and the healthy clients (the gauge) are processes
 * of their own, on one machine; so each figure is told three times. Of alone: against the same server before. Of the bystander:
 * against a server that is measured trip by trip beside it, and shares the machine with the same attack on another. Of the same
 * load: against the same server later, while a process that attacks nobody burns as much as the attacker did. The attacker is
 * niced, as its processors would be another machine's, and then it is not.
 */
import { attacks } from './abuse/attacks.ts';
import { Actor, type Attacked, nicenesses, type Spent, type Times } from './abuse/roles.ts';
import type { BenchRow } from './main.ts';

export async function benches(): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  // Some of them: a word of their names.
  const wanted = process.env.ABUSE ?? '';
  for (const { name, crowd } of attacks.filter((one) => one.name.includes(wanted))) {
    for (const nice of nicenesses) rows.push(...(await measured(name, crowd === true, nice)));
  }
  return rows;
}

async function measured(name: string, crowd: boolean, nice: number): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  const server = new Actor('server', name);
  const bystander = new Actor('server', name);
  const ports = [await server.ask<number>('port'), await bystander.ask<number>('port')];
  const gauge = new Actor('gauge', ...ports.map(String));
  const attacker = new Actor('attacker', name, String(ports[0]), String(nice));
  const actors = [server, bystander, gauge, attacker];
  try {
    // The first round warms everybody up.
    await gauge.ask('measure');
    const [alone] = await gauge.ask<Times[]>('measure');
    await attacker.ask('begin');
    // A crowd has come in before it is measured; a flood is measured from its first moments on.
    await new Promise((resolve) => setTimeout(resolve, crowd ? 500 : 300));
    await server.ask('begin');
    const before = await attacker.ask<Attacked>('spent');
    const [attacked, base] = await gauge.ask<Times[]>('measure');
    const spent = await server.ask<Spent>('spent');
    const after = await attacker.ask<Attacked>('spent');
    const ms = after.at - before.at;
    attacker.kill();
    const burner = new Actor('burner', String((after.processor - before.processor) / ms), String(nice));
    actors.push(burner);
    await burner.ask('begin');
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const [burnt] = await gauge.ask<Times[]>('measure');
    const row = (what: string, value: number, unit: string) =>
      rows.push({ name: `${name}, niced by ${nice}: ${what}`, value: Math.round(value * 100) / 100, unit });
    const compare = (what: string, of: (times: Times) => number) => {
      row(what, of(attacked!), 'ms');
      row(`${what}, of alone`, of(attacked!) / of(alone!), 'times');
      row(`${what}, of the bystander`, of(attacked!) / of(base!), 'times');
      row(`${what}, of the same load`, of(attacked!) / of(burnt!), 'times');
    };
    compare('median', ({ trips }) => within(trips, 0.5));
    compare('95 % within', ({ trips }) => within(trips, 0.95));
    compare('newcomer, median', ({ newcomers }) => within(newcomers, 0.5));
    if (!crowd) row('tried', ((after.tried - before.tried) * 1000) / ms, 'a second');
    row('processor time of the server', spent.processor, 'ms a second');
    row('processor time of the attacker', ((after.processor - before.processor) * 1000) / ms, 'ms a second');
    return rows;
  } finally {
    for (const one of actors) one.kill();
  }
}

const within = (times: readonly number[], share: number): number =>
  [...times].sort((a, b) => a - b)[Math.floor(times.length * share)]!;
