import { spawn, spawnSync } from 'node:child_process';

/** A container's network, as seen from its machine. */
export class Sandbox {
  constructor({ lab, machine, inMachine, namespace, address }) {
    this.lab = lab;
    this.machine = machine;
    /** Path of its namespace in the machine. */
    this.namespace = namespace;
    this.enter = [...inMachine, 'nsenter', `--net=${namespace}`];
    /** In the network that was asked for, without prefix length. */
    this.address = address;
  }

  /** Those of a service's containers, one for each node that has one, in the order of the nodes. */
  static async of(swarm, serviceId, network) {
    const label = [`com.docker.swarm.service.id=${serviceId}`];
    const own = encodeURIComponent(JSON.stringify({ label }));
    const found = [];
    for (const { name, engine } of swarm.nodes) {
      for (const { Id } of await engine.call('GET', `/v1.41/containers/json?filters=${own}`)) {
        const { NetworkSettings } = await engine.call('GET', `/v1.41/containers/${Id}/json`);
        const inMachine = await swarm.lab.enter(name);
        const namespace = NetworkSettings.SandboxKey;
        const address = NetworkSettings.Networks[network]?.IPAddress;
        found.push(new Sandbox({ lab: swarm.lab, machine: name, inMachine, namespace, address }));
      }
    }
    return found;
  }

  /** Output of a shell's commands in it; throws when they fail. */
  shell(script) {
    return runIn(this.enter, script);
  }

  /** Starts a program in it that ends with the lab. */
  start(...command) {
    const [program, ...args] = [...this.enter, ...command];
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    this.lab.keep({ remove: () => child.kill('SIGKILL') });
  }
}

/** Output of a shell's commands wherever `enter` leads; throws when they fail. */
export function runIn([program, ...args], script) {
  const result = spawnSync(program, [...args, 'sh', '-ec', script], { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`${script}: ${result.stderr}`);
  return result.stdout.trim();
}
