/**
 * Has mutants live through the suite, in child processes. A mutant that says nothing for a while, or takes the process with
 * it, is killed by that.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { control, type Stage } from './stages.ts';
import type { Order, Verdict } from './worker.ts';

export interface Result {
  readonly id: string;
  /** What killed it; undefined if it lives. */
  readonly stage?: Stage;
  readonly why?: string;
}

/** A mutant that takes longer hangs: each takes a fraction of it where nothing is wrong. */
const patienceMs: Readonly<Record<Stage, number>> = { 'chart tests': 20_000, 'hand-overs': 60_000, model: 180_000 };
/** Test files that were read again stay in a process for its life. */
const mostPerProcess = 400;

export class Killing {
  private readonly worker: URL;
  private readonly stages: readonly Stage[];
  private readonly tell: (result: Result) => void;

  /** `worker` is the compiled worker.ts. */
  constructor(worker: URL, stages: readonly Stage[], tell: (result: Result) => void) {
    this.worker = worker;
    this.stages = stages;
    this.tell = tell;
  }

  async run(ids: readonly string[], jobs: number): Promise<void> {
    const charts = [...new Set(ids.map((id) => id.slice(0, id.indexOf(' | '))))];
    let alive = [...ids];
    for (const stage of this.stages) {
      if (alive.length === 0) break;
      // What does not look at one chart alone is tried once as it is.
      const whole = await this.work((stage === 'chart tests' ? charts : charts.slice(0, 1)).map(control), stage);
      const [broken] = whole.filter((result) => result.stage !== undefined);
      if (broken !== undefined) throw new Error(`${broken.id}: killed by ${stage}: ${broken.why}`);
      const queue = [...alive];
      const results = await Promise.all(Array.from({ length: Math.max(1, jobs) }, () => this.work(queue, stage)));
      const dead = new Set(results.flat().flatMap(({ id, stage: killer }) => (killer === undefined ? [] : [id])));
      alive = alive.filter((id) => !dead.has(id));
    }
    for (const id of alive) this.tell({ id });
  }

  /** Tells of those that die. */
  private async work(queue: string[], stage: Stage): Promise<readonly Result[]> {
    const results: Result[] = [];
    let child: ChildProcess | undefined;
    let done = 0;
    try {
      for (let id = queue.shift(); id !== undefined; id = queue.shift()) {
        if (child === undefined || done >= mostPerProcess) {
          child?.kill('SIGKILL');
          child = await started(this.worker);
          done = 0;
        }
        const result = await this.verdict(child, id, stage);
        done++;
        const died = result.why === 'it hangs' || result.why === 'the process died';
        // Hosts that were left in the middle of something would be in the way of the next one.
        if (died || (stage === 'hand-overs' && result.stage !== undefined)) {
          child.kill('SIGKILL');
          child = undefined;
        }
        results.push(result);
        if (result.stage !== undefined && !id.endsWith(control(''))) this.tell(result);
      }
    } finally {
      child?.kill('SIGKILL');
    }
    return results;
  }

  private verdict(child: ChildProcess, id: string, stage: Stage): Promise<Result> {
    return new Promise((resolve) => {
      const settle = (result: Result) => {
        clearTimeout(timer);
        child.off('message', heard);
        child.off('exit', died);
        resolve(result);
      };
      const heard = (verdict: Verdict) => settle(verdict);
      const died = () => settle({ id, stage, why: 'the process died' });
      const timer = setTimeout(() => settle({ id, stage, why: 'it hangs' }), patienceMs[stage]);
      child.on('message', heard);
      child.on('exit', died);
      child.send({ id, stage } satisfies Order);
    });
  }
}

async function started(worker: URL): Promise<ChildProcess> {
  const execArgv = ['--max-old-space-size=3000'];
  // What a process says that runs out of memory for a mutant is of no use to anybody.
  const child = fork(worker, { stdio: ['ignore', 'ignore', 'ignore', 'ipc'], execArgv });
  await new Promise<void>((resolve, reject) => {
    child.once('message', () => resolve());
    child.once('exit', () => reject(new Error('the process that kills mutants cannot start')));
  });
  return child;
}
