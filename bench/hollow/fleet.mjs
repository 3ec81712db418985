import { fork } from 'node:child_process';
import { once } from 'node:events';
import { until } from '../../scripts/lib.mjs';

const PROCESS = new URL('process.mjs', import.meta.url);
/** One process beside the manager's: these machines have few cores, and a manager that waits for one is no news. */
const NODE_FLAGS = ['--max-semi-space-size=16'];

/** Many hollow nodes in a process of their own. */
export class Fleet {
  #child;
  #counts = { joined: 0, assigned: 0, started: 0 };
  #failure;

  constructor({ address, token, size }) {
    this.size = size;
    const names = Array.from({ length: size }, (_, index) => `hollow${index + 1}`);
    const options = JSON.stringify({ address, token, names });
    this.#child = fork(PROCESS, [options], { execArgv: NODE_FLAGS });
    this.#child.on('message', (counts) => {
      this.#counts = counts;
    });
    this.#child.on('exit', (code) => {
      this.#failure = new Error(`the hollow nodes ended with ${code}`);
    });
  }

  /** Nodes that have had a session, tasks handed to their executors, tasks that run. */
  get counts() {
    if (this.#failure) throw this.#failure;
    return this.#counts;
  }

  /** Waits until one of the counts has reached a number. */
  async reached(count, number, timeoutMs) {
    const signal = AbortSignal.timeout(timeoutMs);
    while (this.counts[count] < number) {
      await once(this.#child, 'message', { signal }).catch(() => {
        const reached = `${JSON.stringify(this.counts)}, not ${number} ${count}`;
        throw new Error(`after ${timeoutMs} ms: ${reached}`);
      });
    }
  }

  async remove() {
    this.#child.kill('SIGKILL');
  }
}

/** Has hollow nodes join a swarm of one machine; they are removed with its lab. */
export async function joinHollow(swarm, size, timeoutMs) {
  const [{ engine, address }] = swarm.nodes;
  const { JoinTokens } = await engine.call('GET', '/swarm');
  const begunMs = performance.now();
  const where = { address: `${address}:2377`, token: JoinTokens.Worker };
  const fleet = swarm.lab.keep(new Fleet({ ...where, size }));
  await fleet.reached('joined', size, timeoutMs);
  const ready = async () => {
    const nodes = await engine.call('GET', '/nodes');
    return nodes.filter(({ Status }) => Status.State === 'ready').length > size;
  };
  if (!(await until(ready, timeoutMs))) throw new Error('not every node is ready');
  return { fleet, joinedMs: performance.now() - begunMs };
}
