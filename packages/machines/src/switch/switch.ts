import { Code, type Disk, type Processes, RpcError, runOrThrow } from '@skep/platform';
import type { Layout } from '../layout.js';
import { HOST_NUMBER, ROUTER_NUMBER } from '../limits.js';
import { addressIn, chooseSubnet, hardwareAddress, hostNumber } from './subnet.js';

const BRIDGE = 'switch0';
const UPLINK = 'host0';

/**
 * The private switch of a set of machines: a bridge in a namespace of its own, so that no firewall
 * of the host's (a Docker there drops what crosses bridges) stands between machines. The host has a
 * cable to it and an address on it, which is all that changes on the host. The switch also plays the
 * router to everywhere else, and refuses at once: nothing in a machine waits for a name server.
 */
export class Switch {
  readonly #layout: Layout;
  readonly #disk: Disk;
  readonly #processes: Processes;

  constructor(deps: { layout: Layout; disk: Disk; processes: Processes }) {
    this.#layout = deps.layout;
    this.#disk = deps.disk;
    this.#processes = deps.processes;
  }

  /** The subnet chosen once for this set; undefined while there is no switch. */
  async subnet(): Promise<string | undefined> {
    if (!(await this.#disk.stat(this.#layout.switchRecord))) return undefined;
    const text = Buffer.from(await this.#disk.readFile(this.#layout.switchRecord)).toString();
    return (JSON.parse(text) as { subnet: string }).subnet;
  }

  /**
   * Makes the switch unless it stands (it does not after a reboot). The caller keeps other
   * processes from choosing a subnet at the same time.
   */
  async ensure(wanted?: string): Promise<string> {
    const known = await this.subnet();
    if (known !== undefined && wanted !== undefined && known !== wanted) {
      const text = `the machines of this set are on ${known} already, not on ${wanted}`;
      throw new RpcError(Code.FAILED_PRECONDITION, text);
    }
    if (known !== undefined && (await this.#stands())) return known;
    await this.#tearDown();
    const subnet = known ?? chooseSubnet(await this.#takenBlocks(), wanted);
    const record = Buffer.from(`${JSON.stringify({ subnet })}\n`);
    await this.#disk.makeDirectory(this.#layout.storage, 0o711);
    await this.#disk.writeFileAtomic(this.#layout.switchRecord, record);
    await this.#build(subnet);
    return subnet;
  }

  /** Gives a machine, by its process 1, the network card `eth0`, plugged in. */
  async plug(machine: { address: string; pid: number; disconnected: boolean }): Promise<void> {
    const { address, pid, disconnected } = machine;
    const port = portOf(address);
    const card = `peer name eth0 address ${hardwareAddress(address)} netns ${pid}`;
    await this.#inSwitch([
      `link add ${port} type veth ${card}`,
      `link set ${port} master ${BRIDGE} ${disconnected ? 'down' : 'up'}`,
    ]);
    const router = addressIn(`${address}/24`, ROUTER_NUMBER);
    const commands = [
      'link set lo up',
      `addr add ${address}/24 dev eth0`,
      'link set eth0 up',
      `route add default via ${router}`,
    ];
    const enter = [`--net=/proc/${pid}/ns/net`, 'ip', '-batch', '-'];
    await runOrThrow(this.#processes, 'nsenter', enter, { input: `${commands.join('\n')}\n` });
  }

  /** Pulls a machine's cable, or plugs it in: its card loses its carrier, nothing else. */
  async setCable(address: string, connected: boolean): Promise<void> {
    await this.#inSwitch([`link set ${portOf(address)} ${connected ? 'up' : 'down'}`]);
  }

  /** Removes a machine's port; no error when it went with the machine. */
  async unplug(address: string): Promise<void> {
    const args = ['-n', this.#layout.switchNamespace, 'link', 'del', portOf(address)];
    await this.#processes.run('ip', args);
  }

  /** Removes the switch and the host's cable to it. */
  async remove(): Promise<void> {
    await this.#tearDown();
    await this.#disk.remove(this.#layout.switchRecord);
  }

  async #stands(): Promise<boolean> {
    const { switchNamespace, hostLink } = this.#layout;
    const bridge = await this.#processes.run('ip', ['-n', switchNamespace, 'link', 'show', BRIDGE]);
    const cable = await this.#processes.run('ip', ['link', 'show', hostLink]);
    return bridge.code === 0 && cable.code === 0;
  }

  async #build(subnet: string): Promise<void> {
    const { switchNamespace, hostLink } = this.#layout;
    await runOrThrow(this.#processes, 'ip', ['netns', 'add', switchNamespace]);
    const router = addressIn(subnet, ROUTER_NUMBER);
    await this.#inSwitch([
      'link set lo up',
      // By itself a bridge takes the lowest address of its ports, which come and go.
      `link add ${BRIDGE} address ${hardwareAddress(router)} type bridge`,
      `link set ${BRIDGE} up`,
      `addr add ${router}/24 dev ${BRIDGE}`,
      'route add unreachable default',
    ]);
    await this.#setUpRouter();
    await this.#onHost([
      `link add ${hostLink} type veth peer name ${UPLINK} netns ${switchNamespace}`,
      `addr add ${addressIn(subnet, HOST_NUMBER)}/24 dev ${hostLink}`,
      `link set ${hostLink} up`,
    ]);
    await this.#inSwitch([`link set ${UPLINK} master ${BRIDGE} up`]);
  }

  /** It answers that nothing lies behind it, each time: the kernel would keep silent after a few. */
  async #setUpRouter(): Promise<void> {
    const script =
      'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 0 >/proc/sys/net/ipv4/icmp_ratelimit';
    const enter = [`--net=/run/netns/${this.#layout.switchNamespace}`, 'sh', '-c', script];
    await runOrThrow(this.#processes, 'nsenter', enter);
  }

  /** The bridge goes by name: a namespace may live on while somebody looks at it. */
  async #tearDown(): Promise<void> {
    const { switchNamespace, hostLink } = this.#layout;
    await this.#processes.run('ip', ['link', 'del', hostLink]);
    await this.#processes.run('ip', ['-n', switchNamespace, 'link', 'del', BRIDGE]);
    await this.#processes.run('ip', ['netns', 'del', switchNamespace]);
  }

  async #takenBlocks(): Promise<string[]> {
    const args = ['-j', '-4', 'route', 'show', 'table', 'all'];
    const routes = await runOrThrow(this.#processes, 'ip', args);
    return (JSON.parse(routes || '[]') as { dst: string }[]).map(({ dst }) => dst);
  }

  async #inSwitch(commands: string[]): Promise<void> {
    await this.#batch(['-n', this.#layout.switchNamespace], commands);
  }

  async #onHost(commands: string[]): Promise<void> {
    await this.#batch([], commands);
  }

  async #batch(options: string[], commands: string[]): Promise<void> {
    const input = `${commands.join('\n')}\n`;
    await runOrThrow(this.#processes, 'ip', [...options, '-batch', '-'], { input });
  }
}

/** Name of a machine's port; addresses are /24, so the last number tells them apart. */
function portOf(address: string): string {
  return `port${hostNumber(address)}`;
}
