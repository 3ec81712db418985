// npm stop: removes the machines of npm start and all that is in them, whatever state they are in.
import { fail, requireRoot } from './lib.mjs';
import { removeMachines } from './sandbox/machines.mjs';

try {
  requireRoot('npm stop');
  console.log(removeMachines() ? 'everything of the sandbox is removed' : 'nothing to stop');
} catch (error) {
  fail(error);
}
