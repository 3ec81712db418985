// The web service of `npm start`, on an overlay network of its own, behind the routing mesh.
import { get } from 'node:http';
import { until } from '../lib.mjs';
import { SAMPLE_IMAGE, sampleImage } from '../sample-image.mjs';

export const SERVICE = 'web';
export const NETWORK = 'web-net';
export const PORT = 8_080;
const REPLICAS = 3;
const SERVICE_TIMEOUT_MS = 60_000;
const ANSWER_TIMEOUT_MS = 2_000;

function filtered(path, filters) {
  return `${path}?filters=${encodeURIComponent(JSON.stringify(filters))}`;
}

/** Makes the network unless there is one: containers of any node may be attached to it, too. */
async function ensureNetwork(engine) {
  const networks = await engine.call('GET', filtered('/networks', { name: [NETWORK] }));
  if (networks.some(({ Name }) => Name === NETWORK)) return;
  const request = { Name: NETWORK, Driver: 'overlay', Attachable: true, CheckDuplicate: true };
  await engine.call('POST', '/networks/create', request);
  const { IPAM } = await engine.call('GET', `/networks/${NETWORK}`);
  console.log(`network ${NETWORK}: overlay, ${IPAM.Config[0].Subnet}`);
}

/** Makes the service unless there is one; resolves with the port it is published on. */
export async function ensureService(machines) {
  const [{ engine }] = machines;
  const services = await engine.call('GET', filtered('/services', { name: [SERVICE] }));
  const standing = services.find(({ Spec }) => Spec.Name === SERVICE);
  if (standing) {
    console.log(`service ${SERVICE} is there already`);
    return standing.Endpoint.Ports?.[0]?.PublishedPort;
  }
  // No registry here: every node gets the image by itself.
  await Promise.all(machines.map((machine) => machine.engine.load(sampleImage())));
  await ensureNetwork(engine);
  await engine.call('POST', '/services/create', {
    Name: SERVICE,
    // The empty parts are what the docker client sends, and later takes for granted in updates.
    TaskTemplate: {
      ContainerSpec: { Image: SAMPLE_IMAGE },
      Resources: { Limits: {}, Reservations: {} },
      Placement: {},
      Networks: [{ Target: NETWORK }],
    },
    Mode: { Replicated: { Replicas: REPLICAS } },
    EndpointSpec: {
      Ports: [{ Protocol: 'tcp', TargetPort: 80, PublishedPort: PORT, PublishMode: 'ingress' }],
    },
  });
  console.log(`service ${SERVICE}: ${REPLICAS} replicas of ${SAMPLE_IMAGE}, port ${PORT}`);
  return PORT;
}

async function runningTasks(engine) {
  const filters = { service: [SERVICE], 'desired-state': ['running'] };
  const tasks = await engine.call('GET', filtered('/tasks', filters));
  return { tasks, running: tasks.filter(({ Status }) => Status.State === 'running') };
}

/** Waits until as many tasks run as the service wants. */
export async function waitForTasks(engine) {
  const { Spec } = await engine.call('GET', `/services/${SERVICE}`);
  const wanted = Spec.Mode.Replicated.Replicas;
  const done = async () => (await runningTasks(engine)).running.length === wanted;
  const isDone = await until(done, SERVICE_TIMEOUT_MS);
  const { tasks, running } = await runningTasks(engine);
  if (!isDone) {
    const states = tasks.map(({ Status }) => `${Status.State} ${Status.Err ?? ''}`).join(', ');
    throw new Error(`${running.length} of ${wanted} tasks run (${states})`);
  }
  console.log(`${wanted}/${wanted} tasks run`);
}

/** Body of an HTTP answer, undefined when there is none. */
function fetchText(url) {
  return new Promise((resolve) => {
    const asked = get(url, { timeout: ANSWER_TIMEOUT_MS, agent: false }, async (answer) => {
      let text = '';
      try {
        for await (const chunk of answer.setEncoding('utf8')) text += chunk;
        resolve(text);
      } catch {
        resolve(undefined);
      }
    });
    asked.on('timeout', () => asked.destroy()).on('error', () => resolve(undefined));
  });
}

/** Every machine answers on the port, whichever of them run the tasks. */
export async function checkAnswers(machines, port) {
  for (const { address } of machines) {
    const url = `http://${address}:${port}/`;
    const text = await until(() => fetchText(url), SERVICE_TIMEOUT_MS);
    if (text === undefined) throw new Error(`${url} does not answer`);
    console.log(`${url} answers: ${text.trim()}`);
  }
}
