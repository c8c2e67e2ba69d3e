/**
 * Has mutants live through the suite, in child processes. A mutant that says nothing for a while, or takes the process with
 * it, is killed by that.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { control, type Stage } from './stages.ts';
import type { Order, Verdict } from './worker.ts';

/** What a mutant came to in one stage. */
export interface Result {
  readonly id: string;
  readonly stage: Stage;
  /** Why that kills it; undefined if it lives. */
  readonly why?: string;
}

/** A mutant that takes longer hangs: each takes a fraction of it where nothing is wrong. */
const patienceMs: Readonly<Record<Stage, number>> = { scenarios: 90_000, model: 120_000, 'chart tests': 20_000 };
/** The first order of a stage in a process finds out how things are without a mutant. */
const preparationMs = 120_000;
/** Test files that were read again stay in a process for its life. */
const mostPerProcess = 400;

export class Killing {
  private readonly worker: URL;
  private readonly stages: readonly Stage[];
  private readonly tell: (result: Result) => void;

  /** `worker` is the compiled worker.ts. `tell` is told of each mutant and stage. */
  constructor(worker: URL, stages: readonly Stage[], tell: (result: Result) => void) {
    this.worker = worker;
    this.stages = stages;
    this.tell = tell;
  }

  /** `alone`: each stage is tried on every mutant; otherwise on those that the stages before it have left alive. */
  async run(ids: readonly string[], jobs: number, alone = false): Promise<void> {
    const charts = [...new Set(ids.map((id) => id.slice(0, id.indexOf(' | '))))];
    const alive = new Set(ids);
    for (const stage of this.stages) {
      const queue = alone ? [...ids] : [...alive];
      if (queue.length === 0) break;
      // What does not look at one chart alone is tried once as it is.
      const whole = await this.work((stage === 'chart tests' ? charts : charts.slice(0, 1)).map(control), stage);
      const broken = whole.find(({ why }) => why !== undefined);
      if (broken !== undefined) throw new Error(`${broken.id}: killed by ${stage}: ${broken.why}`);
      const results = await Promise.all(Array.from({ length: Math.max(1, jobs) }, () => this.work(queue, stage)));
      for (const { id, why } of results.flat()) if (why !== undefined) alive.delete(id);
    }
  }

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
        const result = await this.verdict(child, id, stage, done === 0);
        done++;
        if (result.why === hangs || result.why === dies) {
          child.kill('SIGKILL');
          child = undefined;
        }
        results.push(result);
        if (!id.endsWith(control(''))) this.tell(result);
      }
    } finally {
      child?.kill('SIGKILL');
    }
    return results;
  }

  private verdict(child: ChildProcess, id: string, stage: Stage, isFirst: boolean): Promise<Result> {
    return new Promise((resolve) => {
      const settle = (result: Result) => {
        clearTimeout(timer);
        child.off('message', heard);
        child.off('exit', died);
        resolve(result);
      };
      const heard = ({ why }: Verdict) => settle({ id, stage, ...(why === undefined ? {} : { why }) });
      const died = () => settle({ id, stage, why: dies });
      const patience = patienceMs[stage] + (isFirst ? preparationMs : 0);
      const timer = setTimeout(() => settle({ id, stage, why: hangs }), patience);
      child.on('message', heard);
      child.on('exit', died);
      child.send({ id, stage } satisfies Order);
    });
  }
}

const hangs = 'it hangs';
const dies = 'the process died';

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
