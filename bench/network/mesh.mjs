// Requests a second through a published port, beside direct access to the same container.
import { setTimeout as sleep } from 'node:timers/promises';
import { pullEverywhere } from '../cluster/engines.mjs';
import { using } from '../lib/cleanup.mjs';
import { Lab } from '../lib/lab.mjs';
import { median } from '../lib/stats.mjs';
import { Swarm, sleepers } from '../lib/swarm.mjs';
import { row } from '../lib/table.mjs';
import { runIn, Sandbox } from './sandbox.mjs';

const PORT = 8_080;
const CONNECTIONS = 32;
const MEASURE_SECONDS = 4;
const HERE = new URL('.', import.meta.url).pathname;

/** Machines see the host's files: the container gets its nginx. */
const MOUNTS = [
  ['/lib', '/lib'],
  ['/lib64', '/lib64'],
  ['/usr/sbin/nginx', '/bin/nginx'],
  [HERE, '/bench'],
].map(([Source, Target]) => ({ Type: 'bind', Source, Target, ReadOnly: true }));

function webServer(image, node) {
  const spec = sleepers(image, `web-${node}`, 1, {
    Placement: { Constraints: [`node.hostname==${node}`] },
  });
  const { ContainerSpec } = spec.TaskTemplate;
  ContainerSpec.Command = ['nginx', '-e', 'stderr', '-c', '/bench/nginx.conf'];
  ContainerSpec.Mounts = MOUNTS;
  return spec;
}

function published(spec, PublishedPort) {
  const port = { Protocol: 'tcp', TargetPort: 80, PublishedPort, PublishMode: 'ingress' };
  return { ...spec, EndpointSpec: { Mode: 'vip', Ports: [port] } };
}

/** The container's address on its node's own bridge: what nothing translates. */
function directAddress(sandbox) {
  const link = `$(ip route show default | sed 's/.* dev \\([^ ]*\\).*/\\1/')`;
  return sandbox.shell(`ip -4 -o addr show dev ${link} | sed 's/.* inet \\([0-9.]*\\).*/\\1/'`);
}

function load(enter, address, keepAlive) {
  const close = keepAlive ? '' : `-H 'Connection: close'`;
  const wrk = `wrk -t 1 -c ${CONNECTIONS} -d ${MEASURE_SECONDS}s ${close} http://${address}/`;
  const rate = /Requests\/sec: +([\d.]+)/.exec(runIn(enter, wrk))?.[1];
  if (!(Number(rate) > 0)) throw new Error(`nothing answers at ${address}`);
  return Number(rate);
}

async function measure(lab, rounds) {
  const swarm = await Swarm.form(lab, { engine: 'skepd', prefix: 'm', count: 2, managers: 1 });
  await pullEverywhere(swarm);
  const [near, far] = swarm.nodes;
  const image = await lab.image();
  const id = await swarm.createService(published(webServer(image, near.name), PORT));
  const other = await swarm.createService(published(webServer(image, far.name), PORT + 1));
  for (const each of [id, other]) while ((await swarm.running(each)).length < 1) await sleep(50);
  const [sandbox] = await Sandbox.of(swarm, id, 'ingress');
  const enter = await lab.enter(near.name);
  const ways = {
    direct: directAddress(sandbox),
    mesh: `${near.address}:${PORT}`,
    far: `${near.address}:${PORT + 1}`,
  };
  await sleep(1_000);
  const rates = {};
  for (let round = 0; round < rounds; round++) {
    for (const keepAlive of [false, true]) {
      for (const [way, address] of Object.entries(ways)) {
        const rate = load(enter, address, keepAlive);
        (rates[`${way} ${keepAlive}`] ??= []).push(rate);
        console.error(`  ${way}, keep-alive ${keepAlive ? 'on' : 'off'}: ${format(rate)}`);
      }
    }
  }
  return rates;
}

const format = (rate) => `${Math.round(rate)}/s`;

export const networkMesh = {
  name: 'network-mesh',
  title: 'Requests through a published port, from the node itself',
  peer: 'direct',
  async run({ quick }) {
    const rates = await using(new Lab(), (lab) => measure(lab, quick ? 1 : 3));
    const line = (label, way, keepAlive) =>
      row(label, median(rates[`${way} ${keepAlive}`]), median(rates[`direct ${keepAlive}`]), {
        format,
        better: 'more',
      });
    return [
      line('task on this node, a connection each', 'mesh', false),
      line('task on this node, keep-alive', 'mesh', true),
      line('task on another node, a connection each', 'far', false),
      line('task on another node, keep-alive', 'far', true),
    ];
  },
};
