import { spawn } from 'node:child_process';
import { until } from '../../scripts/lib.mjs';

const CLIENT_PORT = 2379;
const PEER_PORT = 2380;
const READY_TIMEOUT_MS = 30_000;

/** Three members of etcd with default settings, each in a machine of its own. */
export class Etcd {
  #children = [];

  constructor(members) {
    this.members = members;
  }

  static async form(lab, names) {
    const etcd = new Etcd(await lab.create(names, 'none'));
    const peerUrl = ({ address }) => `http://${address}:${PEER_PORT}`;
    const cluster = etcd.members.map((member) => `${member.name}=${peerUrl(member)}`).join(',');
    for (const member of etcd.members) {
      const clientUrl = `http://${member.address}:${CLIENT_PORT}`;
      const [command, ...args] = [
        ...(await lab.enter(member.name)),
        'etcd',
        ...['--name', member.name, '--data-dir', '/var/lib/skep/etcd'],
        ...['--listen-client-urls', clientUrl, '--advertise-client-urls', clientUrl],
        ...['--listen-peer-urls', peerUrl(member)],
        ...['--initial-advertise-peer-urls', peerUrl(member), '--initial-cluster', cluster],
        ...['--log-level', 'error'],
      ];
      // A session of its own, as each skepd has: the kernel shares the processors out by session.
      etcd.#children.push(spawn(command, args, { stdio: 'ignore', detached: true }));
    }
    return etcd;
  }

  async #status({ address }) {
    try {
      const url = `http://${address}:${CLIENT_PORT}/v3/maintenance/status`;
      return await (await fetch(url, { method: 'POST', body: '{}' })).json();
    } catch {
      return undefined; // it starts
    }
  }

  /** The member that leads. */
  async leader() {
    const found = await until(async () => {
      for (const member of this.members) {
        const status = await this.#status(member);
        if (status?.leader && status.leader === status.header.member_id) return member;
      }
      return undefined;
    }, READY_TIMEOUT_MS);
    if (!found) throw new Error('etcd has no leader');
    return found;
  }

  /** Where writes go, for `httpLoad`. */
  async target() {
    const { address } = await this.leader();
    return { connect: { host: address, port: CLIENT_PORT }, path: '/v3/kv/put' };
  }
}
