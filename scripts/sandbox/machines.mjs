// The machines of `npm start`, through the command line that anybody has.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { output, root, run } from '../lib.mjs';
import { EngineClient } from './engine-client.mjs';

export const NAMES = ['node1', 'node2', 'node3'];

const SKEP = join(root, 'bin/skep');
const PROGRAM = join(root, 'packages/cli/dist/skep.js');

/** Where machines are kept unless SKEP_MACHINE_STORAGE_PATH says otherwise. */
const DEFAULT_STORAGE = '/var/lib/skep/machines';

function machine(...args) {
  run(SKEP, ['machine', ...args]);
}

function answer(...args) {
  const text = output(SKEP, ['machine', ...args]);
  if (text === undefined) throw new Error(`skep machine ${args.join(' ')} failed`);
  return text;
}

/** Those of the machines that there are, running or not. */
function standing() {
  const names = answer('ls', '-q').split('\n');
  return NAMES.filter((name) => names.includes(name));
}

/** Makes the machines that are missing and starts those that are stopped. */
export function startMachines() {
  const there = standing();
  const missing = NAMES.filter((name) => !there.includes(name));
  const stopped = there.filter((name) => answer('status', name) !== 'Running');
  if (missing.length > 0) machine('create', ...missing);
  if (stopped.length > 0) machine('start', ...stopped);
  if (missing.length + stopped.length === 0) console.log(`${NAMES.join(', ')} run already`);
  return NAMES.map((name) => ({
    name,
    address: answer('ip', name),
    url: answer('url', name),
    engine: new EngineClient(answer('url', name).replace(/^unix:\/\//, '')),
  }));
}

/** Removes the machines, whatever state they are in; false when there are none. */
export function removeMachines() {
  const storage = process.env.SKEP_MACHINE_STORAGE_PATH ?? DEFAULT_STORAGE;
  if (!NAMES.some((name) => existsSync(join(storage, name)))) return false;
  if (!existsSync(PROGRAM)) throw new Error('build the command line first: npm run build');
  machine('rm', '-f', ...standing());
  return true;
}
