/** npm run check:model */
import { charts as all } from '../../machines/index.ts';
import { Chart } from './alphabet.ts';
import { explore, walk } from './explore.ts';
import type { Scenario } from './scenario.ts';

const charts = new Map(Object.values(all).map((machine) => [machine.id, new Chart(machine)]));
const options = Object.fromEntries(process.argv.slice(2).map((word) => word.split('=') as [string, string]));
const {
  schemes = 'seamless,semi-seamless,early-link,switch-host',
  channels = 'inputs:0',
  most = '0',
  rush = '0',
  faults = '',
  limit = '60000',
  findings = '3',
  typed,
  cold,
  chatter,
  added,
  extra = '{}',
} = options;
for (const scheme of schemes.split(',')) {
  const scenario: Scenario = {
    name: scheme,
    scheme: scheme as never,
    channels: channels.split(','),
    faults: faults === '' ? [] : (faults.split(',') as never),
    most: Number(most),
    rush: Number(rush),
    ...(typed === undefined ? {} : { typed: { channel: typed.split('/')[0]!, messages: Number(typed.split('/')[1]) } }),
    ...(cold === undefined ? {} : { cold: true }),
    ...(chatter === undefined ? {} : { chatter: Number(chatter) }),
    ...(added === undefined ? {} : { added }),
    ...JSON.parse(extra),
  };
  const {
    findings: found,
    outcomes,
    ...rest
  } = explore(scenario, charts, { milliseconds: Number(limit), findings: Number(findings) });
  console.log(
    `=== ${scheme}: ${rest.worlds} worlds, ${rest.moves} moves, depth ${rest.depth}, ${rest.rests} rests, ${rest.milliseconds} ms, ${((rest.moves / rest.milliseconds) * 1000) | 0}/s ${rest.complete ? '' : 'INCOMPLETE'} ${(process.memoryUsage().rss / 1e6) | 0} MB`,
  );
  for (const [outcome, count] of outcomes) console.log(`    ${count} x ${outcome}`);
  for (const finding of found) {
    console.log(`--- ${finding.invariant}: ${finding.why}`);
    walk(scenario, charts, finding.way, ({ move }) => console.log('  ', move.text()));
  }
}
