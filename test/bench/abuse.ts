/**
 * What strangers cost a healthy client: how long its key takes to the guest and its picture back, and how long a newcomer takes
 * to come in. The attacked server, a bystander of the same kind, the attacker and the healthy clients (the gauge) are processes
 * of their own; the attacker is niced, because its processors would be another machine's. Each figure is told against the same
 * server alone, earlier in the run, and against the bystander: measured trip by trip beside it, it has the same share of the
 * machine, attacker and all, so that this ratio is what the server makes of the attack.
 */
import { attacks } from './abuse/attacks.ts';
import { Actor, niceness, type Spent, type Times } from './abuse/roles.ts';
import type { BenchRow } from './main.ts';

export async function benches(): Promise<BenchRow[]> {
  const rows: BenchRow[] = [{ name: 'the attacker is niced by', value: niceness, unit: '(ABUSE_NICE)' }];
  // Some of them: a word of their names.
  const wanted = process.env.ABUSE ?? '';
  for (const { name, crowd } of attacks.filter((one) => one.name.includes(wanted))) {
    const server = new Actor('server', name);
    const bystander = new Actor('server', name);
    const ports = [await server.ask<number>('port'), await bystander.ask<number>('port')];
    const gauge = new Actor('gauge', ...ports.map(String));
    const attacker = new Actor('attacker', name, String(ports[0]));
    try {
      // The first round warms everybody up.
      await gauge.ask('measure');
      const [alone] = await gauge.ask<Times[]>('measure');
      await attacker.ask('begin');
      // A crowd has come in before it is measured; a flood is measured from its first moments on.
      await new Promise((resolve) => setTimeout(resolve, crowd ? 500 : 300));
      await server.ask('begin');
      const [start, before] = [performance.now(), await attacker.ask<number>('tried')];
      const [attacked, base] = await gauge.ask<Times[]>('measure');
      const spent = await server.ask<Spent>('spent');
      const tried = (await attacker.ask<number>('tried')) - before;
      const row = (what: string, value: number, unit: string) =>
        rows.push({ name: `${name}: ${what}`, value: Math.round(value * 100) / 100, unit });
      const compare = (what: string, of: (times: Times) => number) => {
        row(what, of(attacked!), 'ms');
        row(`${what}, of alone`, of(attacked!) / of(alone!), 'times');
        row(`${what}, of the base line`, of(attacked!) / of(base!), 'times');
      };
      compare('median', ({ trips }) => within(trips, 0.5));
      compare('95 % within', ({ trips }) => within(trips, 0.95));
      compare('newcomer, median', ({ newcomers }) => within(newcomers, 0.5));
      if (!crowd) row('tried', (tried * 1000) / (performance.now() - start), 'a second');
      row('processor time of the server', spent.processor, 'ms a second');
    } finally {
      for (const one of [server, bystander, gauge, attacker]) one.kill();
    }
  }
  return rows;
}

const within = (times: readonly number[], share: number): number =>
  [...times].sort((a, b) => a - b)[Math.floor(times.length * share)]!;
