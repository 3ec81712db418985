import type { Processes, RunResult } from '@skep/platform';

/** A running firewalld, as its program `firewall-cmd` shows it. */
export class SimFirewallCmd implements Processes {
  isRunning = true;
  /** Link → zone, until it ends, and for good. */
  readonly zones = new Map<string, string>();
  readonly permanent = new Map<string, string>();
  calls = 0;

  async run(command: string, args: readonly string[]): Promise<RunResult> {
    if (command !== 'firewall-cmd') throw new Error(`spawn ${command} ENOENT`);
    this.calls++;
    if (!this.isRunning) return { code: 252, stdout: '', stderr: 'FirewallD is not running' };
    const options = new Map<string, string>();
    for (const argument of args) {
      const [name = '', value = ''] = argument.split('=', 2);
      options.set(name, value);
    }
    const zone = options.get('--zone') ?? '';
    const asked = options.get('--get-zone-of-interface') ?? '';
    const found = (options.has('--permanent') ? this.permanent : this.zones).get(asked);
    const added = options.get('--add-interface');
    const removed = options.get('--remove-interface');
    if (asked) return { code: found ? 0 : 2, stdout: `${found ?? 'no zone'}\n`, stderr: '' };
    if (added) this.zones.set(added, zone);
    else if (removed && this.zones.get(removed) === zone) this.zones.delete(removed);
    else throw new Error(`firewall-cmd ${args.join(' ')}`);
    return { code: 0, stdout: 'success\n', stderr: '' };
  }
}
