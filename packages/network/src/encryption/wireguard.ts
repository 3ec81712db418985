import { join } from 'node:path';
import { type Disk, hasErrno, type Logger, type Processes } from '@skep/platform';
import { HOST, type NetKernel } from '../kernel/contract.js';
import type { KeyPair } from './keys.js';
import { ENCRYPTED_MARK, ENCRYPTED_RULE_PRIORITY, ENCRYPTED_TABLE } from './rules.js';
import { type WireGuardPeer, wireGuardConfig } from './wireguard-config.js';

/** IPv4, UDP and WireGuard's own header and tag. */
export const WIREGUARD_OVERHEAD_BYTES = 60;

/** wireguard-go recommends the kernel's WireGuard, in a box, before it says anything else. */
const BANNER_LINES = /^[\u2500-\u257f].*$/gmu;

/** Of no meaning but to be there; the same on all nodes. */
const LINK_ADDRESS = '169.254.73.70/32';

export interface WireGuardOptions {
  kernel: NetKernel;
  processes: Processes;
  disk: Disk;
  logger: Logger;
  /** Where the configuration is written (0600) for `wg` to read. */
  directory: string;
  /** Name of the link. */
  link: string;
  keys: KeyPair;
  /** UDP, as other nodes are told. */
  port: number;
  mtuBytes: number;
}

/**
 * This node's one WireGuard link, the kernel's where it has WireGuard, else `wireguard-go`, which puts
 * itself in the background and ends with the link. It outlives this process, and so do its tunnels.
 */
export class WireGuard {
  readonly #options: WireGuardOptions;

  constructor(options: WireGuardOptions) {
    this.#options = options;
  }

  /** Why this node cannot encrypt, in a sentence; undefined when it can. */
  async problem(): Promise<string | undefined> {
    if (!(await this.#has('wg'))) return 'wireguard-tools is not installed';
    if (await this.#isStanding()) return undefined;
    if (await this.#tryKernel()) return this.#removeLink();
    if (!(await this.#has('wireguard-go'))) {
      return 'its kernel has no WireGuard, and wireguard-go is not installed';
    }
    if (!(await this.#options.disk.stat('/dev/net/tun'))) {
      return 'its kernel has neither WireGuard nor /dev/net/tun, which wireguard-go needs';
    }
    return undefined;
  }

  /**
   * Makes the link if there is none, and leaves it with these peers and no others; tunnels that stay are
   * not interrupted. Rejects with what the programs said.
   */
  async configure(peers: readonly WireGuardPeer[]): Promise<void> {
    const { keys, link, port, disk, directory } = this.#options;
    if (!(await this.#isStanding())) await this.#make();
    const path = join(directory, 'wireguard.conf');
    const text = wireGuardConfig(keys.privateKey, port, peers);
    await disk.writeFileAtomic(path, new TextEncoder().encode(text), 0o600);
    await this.#mustRun('wg', ['syncconf', link, path]);
  }

  /** Whether the link is there: at less cost than a look at all links. */
  async isThere(): Promise<boolean> {
    return (await this.#options.kernel.readSysctl(HOST, this.#returnCheck)) !== undefined;
  }

  /** Takes the link down, and all that was made for it. */
  async remove(): Promise<void> {
    const { kernel, link: name } = this.#options;
    const rule = {
      mark: ENCRYPTED_MARK,
      table: ENCRYPTED_TABLE,
      priority: ENCRYPTED_RULE_PRIORITY,
    };
    await kernel.run(
      [
        { op: 'rule-remove', namespace: HOST, ...rule },
        { op: 'link-remove', namespace: HOST, link: name },
      ],
      { onRefusal: 'continue' },
    );
  }

  async #make(): Promise<void> {
    const { kernel, link, logger, mtuBytes } = this.#options;
    const isOfKernel = await this.#tryKernel();
    if (!isOfKernel) await this.#mustRun('wireguard-go', [link]);
    logger.info({ link, inKernel: isOfKernel }, 'encrypted networks have their link');
    const namespace = HOST;
    const table = ENCRYPTED_TABLE;
    await kernel.run([
      { op: 'link-change', namespace, link, change: { up: true, mtuBytes } },
      // Packets come in over it from addresses that the host's routes send elsewhere. Even the loose
      // check of their way back drops all that come over a link without an address.
      { op: 'sysctl', namespace, name: this.#returnCheck, value: '2' },
      { op: 'address-add', namespace, link, address: LINK_ADDRESS },
      { op: 'route-add', namespace, destination: 'default', link, table },
    ]);
    const rule = { mark: ENCRYPTED_MARK, table, priority: ENCRYPTED_RULE_PRIORITY };
    await kernel.run([{ op: 'rule-remove', namespace, ...rule }], { onRefusal: 'continue' });
    await kernel.run([{ op: 'rule-add', namespace, ...rule }]);
  }

  /** Setting of the link's check of the way back. */
  get #returnCheck(): string {
    return `net.ipv4.conf.${this.#options.link}.rp_filter`;
  }

  async #isStanding(): Promise<boolean> {
    const { links } = await this.#options.kernel.inspect(HOST);
    return links.some(({ name }) => name === this.#options.link);
  }

  /** Whether the kernel made the link. */
  async #tryKernel(): Promise<boolean> {
    const { link, processes } = this.#options;
    const { code } = await processes.run('ip', ['link', 'add', link, 'type', 'wireguard']);
    return code === 0;
  }

  async #removeLink(): Promise<undefined> {
    const { kernel, link } = this.#options;
    await kernel.run([{ op: 'link-remove', namespace: HOST, link }], { onRefusal: 'continue' });
  }

  async #has(program: string): Promise<boolean> {
    try {
      await this.#options.processes.run(program, ['--version']);
      return true;
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'EACCES')) return false;
      throw error;
    }
  }

  async #mustRun(program: string, args: readonly string[]): Promise<void> {
    const { code, stderr } = await this.#options.processes.run(program, args);
    if (code === 0) return;
    const said = stderr.replace(BANNER_LINES, '').trim();
    throw new Error(`${program} ${args[0]}: ${said || `ended with code ${code}`}`);
  }
}
