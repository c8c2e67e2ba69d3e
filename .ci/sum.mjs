// Adds up the reports of several test runs and prints `N passed, N failed, N skipped` as its only line on stdout. Before it,
// on stderr, comes each test that failed, or did at its first try, with the head of its error: the end of a log tells what
// was wrong. A run that failed without naming a failed test (it did not compile, a file did not load) counts as one failure,
// so the line and the exit status always agree. Usage: node sum.mjs PROBLEMS RUN..., where RUN.json and RUN.status are
// what one left.
import { readFileSync } from 'node:fs';

const LINES_OF_AN_ERROR = 12;

const [problems, ...runs] = process.argv.slice(2);
const sum = { passed: 0, failed: 0, skipped: 0 };

for (const run of runs) {
  const failedBefore = sum.failed;
  try {
    for (const file of JSON.parse(readFileSync(`${run}.json`, 'utf8')).testResults) {
      const failedInFile = sum.failed;
      for (const { status, fullName, failureMessages } of file.assertionResults) {
        sum[status === 'passed' || status === 'failed' ? status : 'skipped'] += 1;
        if (failureMessages.length > 0) {
          const head = failureMessages.map((message) => message.split('\n').slice(0, LINES_OF_AN_ERROR).join('\n  '));
          const what = status === 'failed' ? 'failed' : 'passed at its second try';
          process.stderr.write(`${what}: ${file.name} > ${fullName}\n  ${head.join('\n  ')}\n`);
        }
      }
      if (file.status === 'failed' && sum.failed === failedInFile) {
        process.stderr.write(`${file.name} failed outside of its tests\n`);
        sum.failed += 1;
      }
    }
  } catch (error) {
    process.stderr.write(`no report of ${run}: ${error.message}\n`);
    sum.failed += 1;
  }
  if (readFileSync(`${run}.status`, 'utf8').trim() !== '0' && sum.failed === failedBefore) {
    process.stderr.write(`${run} ended with an error although no test failed\n`);
    sum.failed += 1;
  }
}

process.stdout.write(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped\n`);
process.exitCode = problems !== '0' || sum.failed > 0 || sum.passed === 0 ? 1 : 0;
