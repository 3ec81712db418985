import type { EngineFacts, MachineStatus, Machines } from '@skep/machines';
import { table } from '../table.js';

const HEAD = ['NAME', 'ACTIVE', 'DRIVER', 'STATE', 'URL', 'SWARM', 'DOCKER', 'ERRORS'];

/** docker-machine's list. `activeHost`: the DOCKER_HOST of the shell. */
export async function listTable(
  machines: Machines,
  activeHost: string | undefined,
): Promise<string> {
  const all = await machines.list();
  const facts = await Promise.all(all.map((machine) => machines.engineFacts(machine)));
  return table(
    HEAD,
    all.map((machine, index) => row(machine, facts[index], activeHost)),
  );
}

function row(
  machine: MachineStatus,
  facts: EngineFacts | undefined,
  activeHost: string | undefined,
): string[] {
  const { name, driver, state, url } = machine;
  const isActive = url === activeHost;
  const docker = facts ? `v${facts.version.replace(/^v/, '')}` : '';
  const shownUrl = state === 'Running' ? url : '';
  const engine = [facts?.swarmRole ?? '', docker, troubles(machine, facts)];
  return [name, isActive ? '*' : '-', driver, state, shownUrl, ...engine];
}

function troubles(machine: MachineStatus, facts: EngineFacts | undefined): string {
  const shouldAnswer = machine.state === 'Running' && machine.engine !== 'none';
  const found = [
    ...(machine.disconnected ? ['disconnected'] : []),
    ...(shouldAnswer && !facts ? ['the engine does not answer'] : []),
  ];
  return found.join(', ');
}
