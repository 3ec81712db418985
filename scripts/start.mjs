// npm start: three machines on this host, a swarm of them, and a web service on an overlay network that
// answers on each. Leaves it running.
import { fail, requireRoot, run } from './lib.mjs';
import { SAMPLE_IMAGE } from './sample-image.mjs';
import { startMachines } from './sandbox/machines.mjs';
import { checkAnswers, ensureService, NETWORK, SERVICE, waitForTasks } from './sandbox/service.mjs';
import { formSwarm } from './sandbox/swarm.mjs';

function printTour([first, , last], port) {
  console.log(`
Try next:
  eval $(bin/skep machine env ${first.name})
  docker node ls
  docker service ps ${SERVICE}
  docker service scale ${SERVICE}=6
  curl http://${last.address}:${port}/
  docker run --rm --network ${NETWORK} ${SAMPLE_IMAGE} wget -qO- http://${SERVICE}/
  bin/skep machine ssh ${last.name}
  bin/skep machine kill ${last.name}     # pull its plug, and watch: docker service ps ${SERVICE}
  npm stop`);
}

try {
  requireRoot('npm start');
  run('npm', ['run', '--silent', 'setup']);
  const machines = startMachines();
  const [{ engine }] = machines;
  await formSwarm(machines);
  const port = await ensureService(machines);
  await waitForTasks(engine);
  if (port !== undefined) await checkAnswers(machines, port);
  printTour(machines, port);
} catch (error) {
  fail(error);
}
