import { createHash } from 'node:crypto';
import { join } from 'node:path';

export const DEFAULT_STORAGE = '/var/lib/skep/machines';
/** Beside the default storage: what ends with the host's own power. */
const DEFAULT_RUN = '/run/skep/machines';

/** Where everything of a set of machines is. Sets with different storage know nothing of each other. */
export class Layout {
  readonly storage: string;
  readonly run: string;
  /** The switch's network namespace, as `ip netns` knows it. */
  readonly switchNamespace: string;
  /** The host's end of its cable to the switch; at most 15 characters. */
  readonly hostLink: string;

  constructor(storage: string = DEFAULT_STORAGE) {
    const isDefault = storage === DEFAULT_STORAGE;
    const digest = createHash('sha256').update(storage).digest('hex').slice(0, 8);
    this.storage = storage;
    this.run = isDefault ? DEFAULT_RUN : join(storage, '.run');
    this.switchNamespace = isDefault ? 'skep-machines' : `skep-machines-${digest}`;
    this.hostLink = isDefault ? 'machines0' : `mach${digest}`;
  }

  /** All kept of one machine. */
  directory(name: string): string {
    return join(this.storage, name);
  }

  record(name: string): string {
    return join(this.storage, name, 'machine.json');
  }

  /** Which process is the machine, since its last start. */
  boot(name: string): string {
    return join(this.storage, name, 'boot.json');
  }

  /** The machine's /var/lib/skep. */
  data(name: string): string {
    return join(this.storage, name, 'data');
  }

  /** Its own files of /etc. */
  etc(name: string): string {
    return join(this.storage, name, 'etc');
  }

  log(name: string): string {
    return join(this.storage, name, 'machine.log');
  }

  /** The machine's /run/skep. */
  runtime(name: string): string {
    return join(this.run, name);
  }

  /** The engine's socket, as the host sees it. */
  socket(name: string): string {
    return join(this.run, name, 'skep.sock');
  }

  get switchRecord(): string {
    return join(this.storage, 'switch.json');
  }

  lock(subject: string): string {
    return join(this.storage, '.locks', subject);
  }
}
