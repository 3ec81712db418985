// What an answer to a name costs, and how long a client waits for it.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { median } from '../lib/stats.mjs';
import { row } from '../lib/table.mjs';

const CHILD = new URL('./names-child.mjs', import.meta.url).pathname;
/** 15,000 answers a second on one core. */
const ANSWER_GOAL_US = 1e6 / 15_000;
const WAIT_GOAL_US = 1_000;

export const networkNames = {
  name: 'network-names',
  title: 'Names asked for in a container among 10,000 services',
  peer: 'among 10',
  async run({ quick }) {
    const seconds = quick ? '1' : '4';
    const { stdout } = await promisify(execFile)(process.execPath, [CHILD, seconds]);
    const figures = JSON.parse(stdout);
    const of = (name) =>
      [10_000, 10].map((count) => median(figures[count].map((each) => each[name])));
    const format = (value) => `${value.toFixed(1)} µs`;
    const perSecond = { better: 'more', format: (value) => `${Math.round(value)} /s` };
    return [
      row('processor time of an answer', ...of('answerUs'), {
        format,
        goal: { most: ANSWER_GOAL_US },
      }),
      row('answers, 32 clients asking at once', ...of('perSecond'), perSecond),
      row('one client waits, p50', ...of('p50Us'), { format }),
      row('the same, p99', ...of('p99Us'), { format, goal: { most: WAIT_GOAL_US } }),
    ];
  },
};

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const { printTable } = await import('../lib/table.mjs');
  printTable(
    await networkNames.run({ quick: process.argv.includes('--quick') }),
    networkNames.peer,
  );
}
