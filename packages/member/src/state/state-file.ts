import { dirname, join } from 'node:path';
import { type Disk, hasErrno, invariant } from '@skep/platform';

/** What a node must know of its swarm at start, besides its certificate. */
export interface SwarmState {
  /** `ip:port` to listen on while this node is a manager. */
  listenAddress: string;
  /** `ip:port` others reach this node at; empty on a worker that gave none. */
  advertiseAddress: string;
  dataPathAddress: string;
  /** Present until the node has its certificate: how to go on with joining. */
  joining?: Joining;
}

/** An attempt to join that goes on in the background, also after a restart. */
export interface Joining {
  remoteAddresses: readonly string[];
  token: string;
  /** `NodeSpec.Availability`. */
  availability: number;
}

const FILE = 'state.json';

/**
 * The file whose presence makes this node a member: written first when joining, removed first when leaving,
 * so that a crash in between leaves leftovers, never half a member.
 */
export class SwarmStateFile {
  readonly #disk: Disk;
  readonly directory: string;

  /** @param directory the swarm's own, below the data root */
  constructor(disk: Disk, directory: string) {
    this.#disk = disk;
    this.directory = directory;
  }

  /** Undefined on a node outside any swarm. Throws when the file is there and cannot be understood. */
  async read(): Promise<SwarmState | undefined> {
    let text: string;
    try {
      text = Buffer.from(await this.#disk.readFile(join(this.directory, FILE))).toString('utf8');
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return undefined;
      throw error;
    }
    const state = JSON.parse(text) as SwarmState;
    invariant(typeof state.listenAddress === 'string', `${FILE} names an address to listen on`);
    return state;
  }

  async write(state: SwarmState): Promise<void> {
    const text = `${JSON.stringify(state, undefined, 2)}\n`;
    await this.#disk.writeFileAtomic(join(this.directory, FILE), Buffer.from(text), 0o600);
  }

  /** An empty directory, whatever an interrupted attempt left in it. */
  async prepare(): Promise<void> {
    await this.#disk.remove(this.directory);
    await this.#disk.makeDirectory(this.directory, 0o700);
  }

  /** Removes the whole directory; no error when there is none. */
  async remove(): Promise<void> {
    if (!(await this.#disk.stat(this.directory))) return;
    await this.#disk.remove(join(this.directory, FILE));
    await this.#disk.syncDirectory(this.directory);
    await this.#disk.remove(this.directory);
    // A power cut shall not bring the keys of a swarm back that this node has left.
    await this.#disk.syncDirectory(dirname(this.directory));
  }
}
