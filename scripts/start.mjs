// npm start: a node on this machine, a swarm of it, and a web service that answers. Leaves it running.
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { fail, requireRoot, root, run, until } from './lib.mjs';
import { SAMPLE_IMAGE, sampleImage } from './sample-image.mjs';
import * as node from './sandbox/node.mjs';

const { engine } = node;

const DAEMON_TIMEOUT_MS = 60_000;
const SERVICE_TIMEOUT_MS = 60_000;
const ANSWER_TIMEOUT_MS = 2_000;

const SERVICE = 'web';
const REPLICAS = 3;
const FIRST_PORT = 8_080;
const LAST_PORT = 8_180;

const FORWARDING = '/proc/sys/net/ipv4/ip_forward';

function startProcess() {
  for (const directory of [node.dataRoot, node.execRoot]) {
    mkdirSync(directory, { recursive: true, mode: 0o711 });
  }
  // The node is a sandbox: the machine's own configuration is not for it.
  writeFileSync(node.configFile, '{}\n');
  if (!existsSync(node.forwardingNote)) {
    writeFileSync(node.forwardingNote, readFileSync(FORWARDING, 'utf8'));
  }
  const log = openSync(node.logFile, 'a', 0o600);
  const roots = ['--data-root', node.dataRoot, '--exec-root', node.execRoot];
  const daemon = spawn(
    join(root, 'bin/skepd'),
    [...roots, '--config-file', node.configFile],
    // A session of its own: it must outlive npm and the terminal.
    { cwd: '/', detached: true, stdio: ['ignore', log, log] },
  );
  closeSync(log);
  daemon.unref();
  return daemon;
}

async function startDaemon() {
  const standing = node.daemonPid();
  if (standing !== undefined) {
    if (!(await until(() => engine.answers(), DAEMON_TIMEOUT_MS))) {
      throw new Error(`skepd (pid ${standing}) runs but does not answer; log: ${node.logFile}`);
    }
    console.log(`skepd runs already (pid ${standing})`);
    return;
  }
  const daemon = startProcess();
  const ended = () => daemon.exitCode !== null || daemon.signalCode !== null;
  await until(async () => ended() || (await engine.answers()), DAEMON_TIMEOUT_MS);
  if (ended() || !(await engine.answers())) {
    if (!ended()) daemon.kill();
    throw new Error(
      `skepd does not start. Last lines of ${node.logFile}:\n\n${node.logTail()}\n\n` +
        'npm stop removes what is there.',
    );
  }
  console.log(`skepd runs (pid ${daemon.pid}), its log: ${node.logFile}`);
}

/** Bridges of container engines are no way from this machine to another. */
const ENGINE_LINK = /^(skep|docker|br-|veth|virbr|cni|podman)/;

/** This machine's first IPv4 address that others could reach; the loopback one if it has no other. */
function machineAddress() {
  const links = Object.entries(networkInterfaces()).filter(([name]) => !ENGINE_LINK.test(name));
  const addresses = links.flatMap(([, list]) => list ?? []);
  const found = addresses.find(({ family, internal }) => family === 'IPv4' && !internal);
  return found?.address ?? '127.0.0.1';
}

async function formSwarm() {
  const { Swarm } = await engine.call('GET', '/info');
  if (Swarm.LocalNodeState === 'active') {
    console.log(`the node is in a swarm already, as ${Swarm.NodeAddr}`);
    return Swarm.NodeAddr;
  }
  const address = machineAddress();
  const request = { ListenAddr: '0.0.0.0:2377', AdvertiseAddr: address, Spec: {} };
  await engine.call('POST', '/swarm/init', request);
  console.log(`swarm of one, advertised as ${address}`);
  return address;
}

/** Whether nobody on this machine listens on a TCP port. */
function isFree(port) {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host: '0.0.0.0' }, () => probe.close(() => resolve(true)));
  });
}

async function freePort() {
  for (let port = FIRST_PORT; port <= LAST_PORT; port++) {
    if (await isFree(port)) {
      if (port !== FIRST_PORT) console.log(`port ${FIRST_PORT} is taken: using ${port}`);
      return port;
    }
  }
  throw new Error(`every port from ${FIRST_PORT} to ${LAST_PORT} is taken`);
}

/** Makes the service unless there is one; returns the port it is published on. */
async function ensureService() {
  const filters = encodeURIComponent(JSON.stringify({ name: [SERVICE] }));
  const services = await engine.call('GET', `/services?filters=${filters}`);
  const standing = services.find(({ Spec }) => Spec.Name === SERVICE);
  if (standing) {
    console.log(`service ${SERVICE} is there already`);
    return standing.Endpoint.Ports?.[0]?.PublishedPort;
  }
  await engine.load(sampleImage());
  const port = await freePort();
  await engine.call('POST', '/services/create', {
    Name: SERVICE,
    // The empty parts are what the docker client sends, and later takes for granted in updates.
    TaskTemplate: {
      ContainerSpec: { Image: SAMPLE_IMAGE },
      Resources: { Limits: {}, Reservations: {} },
      Placement: {},
    },
    Mode: { Replicated: { Replicas: REPLICAS } },
    EndpointSpec: {
      Ports: [{ Protocol: 'tcp', TargetPort: 80, PublishedPort: port, PublishMode: 'ingress' }],
    },
  });
  console.log(`service ${SERVICE}: ${REPLICAS} replicas of ${SAMPLE_IMAGE}, port ${port}`);
  return port;
}

async function runningTasks() {
  const filters = { service: [SERVICE], 'desired-state': ['running'] };
  const path = `/tasks?filters=${encodeURIComponent(JSON.stringify(filters))}`;
  const tasks = await engine.call('GET', path);
  return { tasks, running: tasks.filter(({ Status }) => Status.State === 'running').length };
}

async function waitForTasks() {
  const { Spec } = await engine.call('GET', `/services/${SERVICE}`);
  const wanted = Spec.Mode.Replicated.Replicas;
  const done = async () => (await runningTasks()).running === wanted;
  if (!(await until(done, SERVICE_TIMEOUT_MS))) {
    const { tasks, running } = await runningTasks();
    const states = tasks.map(({ Status }) => `${Status.State} ${Status.Err ?? ''}`).join(', ');
    throw new Error(`${running} of ${wanted} tasks run (${states}); log: ${node.logFile}`);
  }
  console.log(`${wanted}/${wanted} tasks run`);
}

/** Body of an HTTP answer, undefined when there is none. */
function fetchText(url) {
  return new Promise((resolve) => {
    const asked = get(url, { timeout: ANSWER_TIMEOUT_MS, agent: false }, async (answer) => {
      let text = '';
      for await (const chunk of answer.setEncoding('utf8')) text += chunk;
      resolve(text);
    });
    asked.on('timeout', () => asked.destroy()).on('error', () => resolve(undefined));
  });
}

async function checkAnswers(addresses, port) {
  for (const address of new Set(addresses)) {
    const url = `http://${address}:${port}/`;
    const text = await until(() => fetchText(url), SERVICE_TIMEOUT_MS);
    if (text === undefined) throw new Error(`${url} does not answer; log: ${node.logFile}`);
    console.log(`${url} answers: ${text.trim()}`);
  }
}

function printTour(port) {
  console.log(`
Try next:
  export DOCKER_HOST=unix://${node.socket}
  docker service ls
  docker service ps ${SERVICE}
  docker service scale ${SERVICE}=5
  curl http://127.0.0.1:${port}/
  docker service logs ${SERVICE}
  npm stop`);
}

try {
  requireRoot('npm start');
  run('npm', ['run', '--silent', 'setup']);
  await startDaemon();
  const address = await formSwarm();
  const port = await ensureService();
  await waitForTasks();
  if (port !== undefined) await checkAnswers(['127.0.0.1', address], port);
  printTour(port);
} catch (error) {
  fail(error);
}
