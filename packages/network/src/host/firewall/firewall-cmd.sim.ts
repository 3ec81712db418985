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
    if (args[0] === '--get-active-zones') return done(this.#activeZones());
    const asked = /^--get-zone-of-interface=(.*)$/.exec(args[1] ?? '')?.[1];
    if (args[0] === '--permanent' && asked) {
      return this.permanent.has(asked) ? done('') : { code: 2, stdout: 'no zone', stderr: '' };
    }
    const zone = args[0]?.replace('--zone=', '') ?? '';
    for (const argument of args.slice(1)) {
      const [flag, link = ''] = argument.split('=', 2);
      if (flag === '--add-interface') this.zones.set(link, zone);
      else this.zones.delete(link);
    }
    return done('success\n');
  }

  #activeZones(): string {
    const zones = [...new Set(this.zones.values())];
    const linksOf = (zone: string) =>
      [...this.zones.keys()].filter((one) => this.zones.get(one) === zone);
    return zones.map((zone) => `${zone}\n  interfaces: ${linksOf(zone).join(' ')}\n`).join('');
  }
}

function done(stdout: string): RunResult {
  return { code: 0, stdout, stderr: '' };
}
