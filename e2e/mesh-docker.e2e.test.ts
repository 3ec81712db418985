import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestCluster } from './support/cluster.ts';
import { loadImage } from './support/docker-engine.ts';
import { until } from './support/exec.ts';
import { TestMachines } from './support/machines.ts';
import { IMAGE } from './support/sample.ts';
import { PATIENCE_MS } from './support/swarm-view.ts';

/** The routing mesh of a swarm in which a Docker Engine works. Docker's own needs IPVS in the kernel. */

const OWN = 'mgr1';
const DOCKER = 'docker1';

let machines: TestMachines;
let swarm: TestCluster;

beforeAll(async () => {
  machines = new TestMachines();
  swarm = new TestCluster(machines, OWN);
  await machines.create([OWN]);
  await machines.create([DOCKER], ['--engine', 'dockerd']);
  await loadImage(machines, OWN, DOCKER);
  await swarm.init();
  await swarm.join(DOCKER, 'worker');
}, 2 * PATIENCE_MS);
afterAll(() => machines?.cleanUp());

/** Starts a service with one task on a node, and gives the task's address in the ingress network. */
async function publish(name: string, node: string, port: number): Promise<string> {
  const where = ['--constraint', `node.hostname==${node}`];
  await swarm.create('--name', name, ...where, '-p', `${port}:80`, IMAGE);
  const [task] = await swarm.running(name, 1);
  const format = '{{range .NetworksAttachments}}{{join .Addresses " "}}{{end}}';
  const address = await swarm.docker('inspect', '-f', format, task?.ID ?? '');
  return address.replace(/\/.*/, '');
}

const greets = (answer: string) => answer.startsWith('Hello from');

it(
  'brings clients of our node to a task on the Docker Engine',
  async () => {
    await publish('theirs', DOCKER, 8_080);
    const url = `http://${await machines.address(OWN)}:8080/`;
    const ask = async () => (await fetch(url).catch(() => undefined))?.text() ?? '';
    expect(await until(ask, greets, PATIENCE_MS)).toMatch(/^Hello/);
  },
  2 * PATIENCE_MS,
);

it(
  'serves clients that the Docker Engine brings to a task of ours, at the published port',
  async () => {
    const address = await publish('ours', OWN, 8_081);
    // As its balancer does: from its own address, straight to the task, the port still the published.
    const balancer = 'nsenter --net=/run/skep/docker/netns/ingress_sbox';
    const ask = () => machines.ssh(DOCKER, `${balancer} curl -s -m 2 ${address}:8081 || true`);
    expect(await until(ask, greets, PATIENCE_MS)).toMatch(/^Hello/);
  },
  2 * PATIENCE_MS,
);
