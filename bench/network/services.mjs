// A node among few and among many services.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { median, ms, quantile } from '../lib/stats.mjs';
import { row } from '../lib/table.mjs';

const CHILD = new URL('./services-child.mjs', import.meta.url).pathname;
const CHANGE_GOAL_MS = 5;
/** 10,000 services may cost a fifth more than 10. */
const FLAT = Number((1 / 1.2).toFixed(2));

export const networkServices = {
  name: 'network-services',
  title: 'A node with ten containers among 10,000 services',
  peer: 'among 10',
  async run({ quick }) {
    const rounds = quick ? '1' : '3';
    const options = { maxBuffer: 64 * 2 ** 20 };
    const { stdout } = await promisify(execFile)(process.execPath, [CHILD, rounds], options);
    const figures = JSON.parse(stdout);
    const of = (name, q) => [10_000, 10].map((count) => quantile(figures[`${name} ${count}`], q));
    const format = (value) => `${value.toFixed(0)} µs`;
    const flat = { format, goal: { ratio: FLAT } };
    const [load] = [10_000, 10].map((count) => median(figures[`load ${count}`]));
    return [
      row('connect to a virtual IP, p50', ...of('vip', 0.5), flat),
      row('connect to a published port, p50', ...of('port', 0.5), flat),
      row('one backend changed until in the kernel, p50', ...of('change', 0.5), {
        goal: { most: CHANGE_GOAL_MS },
      }),
      row('the same, p90', ...of('change', 0.9)),
      row('all services at once', load, undefined, { format: ms }),
    ];
  },
};
