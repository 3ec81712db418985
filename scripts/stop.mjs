// npm stop: removes the node of npm start and all it made, also when its daemon is dead already.
import { existsSync, rmdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { fail, requireRoot, until } from './lib.mjs';
import {
  containerIds,
  killProcesses,
  removeCgroups,
  removeNetwork,
  removeShimSockets,
  restoreForwarding,
  unmountAll,
} from './sandbox/leftovers.mjs';
import {
  daemonPid,
  dataRoot,
  engine,
  execRoot,
  RUN_DIRECTORY,
  STATE_DIRECTORY,
} from './sandbox/node.mjs';

const STOP_TIMEOUT_MS = 20_000;
const LEAVE_TIMEOUT_MS = 30_000;

/** Runs a step of the clean way; what it leaves undone is done by force later. */
async function attempt(what, step) {
  try {
    await step();
  } catch (error) {
    console.warn(`${what}: ${error.message}`);
  }
}

async function leaveSwarm() {
  const { Swarm } = await engine.call('GET', '/info');
  if (Swarm.LocalNodeState === 'inactive') return;
  await engine.call('POST', '/swarm/leave?force=1');
  console.log('left the swarm');
}

async function removeContainers() {
  const list = () => engine.call('GET', '/containers/json?all=1');
  const deadlineMs = performance.now() + LEAVE_TIMEOUT_MS;
  for (const { Id } of await list()) {
    if (performance.now() > deadlineMs) throw new Error('removing them takes too long');
    await attempt(`container ${Id.slice(0, 12)}`, () =>
      engine.call('DELETE', `/containers/${Id}?force=1&v=1`),
    );
  }
}

async function stopDaemon() {
  const pid = daemonPid();
  if (pid === undefined) return;
  process.kill(pid, 'SIGTERM');
  const ended = await until(() => daemonPid() === undefined, STOP_TIMEOUT_MS);
  console.log(ended ? `skepd (pid ${pid}) has ended` : `skepd (pid ${pid}) has to be killed`);
}

async function stopCleanly() {
  if (!(await engine.answers())) {
    console.log('skepd does not run: removing what it left');
    return;
  }
  await attempt('leaving the swarm', leaveSwarm);
  await attempt('removing containers', removeContainers);
}

/** A directory that others may use too goes when nobody does. */
function removeIfEmpty(directory) {
  try {
    rmdirSync(directory);
  } catch (error) {
    if (!['ENOTEMPTY', 'ENOENT'].includes(error.code)) throw error;
  }
}

try {
  requireRoot('npm stop');
  if (![STATE_DIRECTORY, RUN_DIRECTORY].some(existsSync)) {
    console.log('nothing to stop');
  } else {
    const ids = containerIds();
    await stopCleanly();
    await stopDaemon();
    await killProcesses();
    removeShimSockets();
    unmountAll();
    await removeNetwork();
    removeCgroups(ids);
    restoreForwarding();
    for (const directory of [dataRoot, execRoot, STATE_DIRECTORY, RUN_DIRECTORY]) {
      rmSync(directory, { recursive: true, force: true });
    }
    for (const directory of [STATE_DIRECTORY, RUN_DIRECTORY]) removeIfEmpty(dirname(directory));
    console.log('everything of the sandbox is removed');
  }
} catch (error) {
  fail(error);
}
