import { until } from '../../scripts/lib.mjs';

const LISTEN_ADDRESS = '0.0.0.0:2377';
const READY_TIMEOUT_MS = 120_000;
/** The API that both engines serve. */
const API = '/v1.41';

export const filters = (object) => `filters=${encodeURIComponent(JSON.stringify(object))}`;

/** What both kinds of engine are asked to run: a process that does nothing. */
export function sleepers(image, name, replicas, more = {}) {
  return {
    Name: name,
    TaskTemplate: {
      ContainerSpec: { Image: image, Command: ['sleep', '1000000'], StopGracePeriod: 1 },
      ...more,
    },
    Mode: { Replicated: { Replicas: replicas } },
    EndpointSpec: { Mode: 'dnsrr' },
  };
}

/** A swarm of machines of one lab, the same for skepd and for dockerd. */
export class Swarm {
  constructor(lab, nodes) {
    this.lab = lab;
    this.nodes = nodes;
  }

  /** Machines `<prefix>1`, `<prefix>2` … in a swarm; the first `managers` of them manage it. */
  static async form(lab, { engine, prefix, count, managers }) {
    const names = Array.from({ length: count }, (_, index) => `${prefix}${index + 1}`);
    const swarm = new Swarm(lab, await lab.create(names, engine));
    const [founder, ...others] = swarm.nodes;
    const first = { ListenAddr: LISTEN_ADDRESS, AdvertiseAddr: founder.address, Spec: {} };
    await founder.engine.call('POST', `${API}/swarm/init`, first);
    const { JoinTokens } = await founder.engine.call('GET', `${API}/swarm`);
    for (const [index, { engine: joining, address }] of others.entries()) {
      await joining.call('POST', `${API}/swarm/join`, {
        ListenAddr: LISTEN_ADDRESS,
        AdvertiseAddr: address,
        RemoteAddrs: [`${founder.address}:2377`],
        JoinToken: index + 1 < managers ? JoinTokens.Manager : JoinTokens.Worker,
      });
    }
    await swarm.settled();
    return swarm;
  }

  /** The nodes as a manager sees them; undefined while none answers. */
  async #view() {
    for (const { engine } of this.nodes) {
      try {
        return await engine.call('GET', `${API}/nodes`);
      } catch {
        // a worker, one that is off, or one without a leader: the next may know
      }
    }
    return undefined;
  }

  /** Waits until every node is ready, and every manager reachable. */
  async settled() {
    const isWell = ({ Status, ManagerStatus }) =>
      Status.State === 'ready' && (ManagerStatus?.Reachability ?? 'reachable') === 'reachable';
    const all = async () => {
      const view = await this.#view();
      return view?.length === this.nodes.length && view.every(isWell);
    };
    if (!(await until(all, READY_TIMEOUT_MS))) {
      throw new Error(`the swarm is not whole: ${JSON.stringify(await this.#view())}`);
    }
  }

  /** The node that leads. */
  async leader() {
    const leading = await until(async () => {
      const view = await this.#view();
      return view?.find(({ ManagerStatus }) => ManagerStatus?.Leader);
    }, READY_TIMEOUT_MS);
    return this.nodes.find(({ name }) => name === leading.Description.Hostname);
  }

  /** Id of a node by its name. */
  async idOf(name) {
    return (await this.#view()).find(({ Description }) => Description.Hostname === name).ID;
  }

  /** An overlay network. */
  async createNetwork(name) {
    await this.nodes[0].engine.call('POST', `${API}/networks/create`, {
      Name: name,
      CheckDuplicate: true,
      Driver: 'overlay',
    });
  }

  async createService(spec) {
    return (await this.nodes[0].engine.call('POST', `${API}/services/create`, spec)).ID;
  }

  /** Tasks of a service that run and are meant to. */
  async running(serviceId) {
    const wanted = filters({ service: [serviceId], 'desired-state': ['running'] });
    const tasks = await this.nodes[0].engine.call('GET', `${API}/tasks?${wanted}`);
    return tasks.filter(({ Status }) => Status.State === 'running');
  }

  /** Removes a service and waits for the end of its containers on all nodes. */
  async removeService(serviceId) {
    await this.nodes[0].engine.call('DELETE', `${API}/services/${serviceId}`);
    const own = filters({ label: [`com.docker.swarm.service.id=${serviceId}`] });
    const left = async ({ engine }) => engine.call('GET', `${API}/containers/json?all=1&${own}`);
    const gone = async () => (await Promise.all(this.nodes.map(left))).flat().length === 0;
    if (!(await until(gone, READY_TIMEOUT_MS))) throw new Error('containers stay');
  }

  /** Brings back a machine that failed, and waits until the swarm is whole again. */
  async restore(name) {
    await this.lab.restore(name);
    await this.settled();
  }
}
