import type { Processes, RunOptions, RunResult } from '@skep/platform';

/** The programs iptables-nft and iptables-nft-restore, with the table `filter` of an empty host. */
export class SimIptables implements Processes {
  policy = 'ACCEPT';
  /** Chain → its rules, without the chain's name. */
  readonly chains = new Map<string, string[]>([['FORWARD', []]]);
  /** Transactions so far. */
  changes = 0;

  async run(
    command: string,
    args: readonly string[],
    options: RunOptions = {},
  ): Promise<RunResult> {
    if (command === 'iptables-nft' && args[0] === '-V') return done('iptables v1.8.9 (nf_tables)');
    if (command === 'iptables-nft') return this.#list(args.at(-1) ?? '');
    if (command === 'iptables-nft-restore') return this.#restore(String(options.input));
    throw Object.assign(new Error(`spawn ${command} ENOENT`), { code: 'ENOENT' });
  }

  #list(chain: string): RunResult {
    const rules = this.chains.get(chain);
    if (!rules) return { code: 1, stdout: '', stderr: 'No chain/target/match by that name.' };
    const head = chain === 'FORWARD' ? `-P FORWARD ${this.policy}` : `-N ${chain}`;
    return done([head, ...rules.map((rule) => `-A ${chain} ${rule}`), ''].join('\n'));
  }

  #restore(input: string): RunResult {
    this.changes++;
    for (const line of input.split('\n').filter((one) => !/^(\*filter|COMMIT|)$/.test(one))) {
      const [verb = '', chain = ''] = line.replace(/^:(\S+).*/, ':NEW $1').split(' ');
      const rule = line.split(' ').slice(2).join(' ');
      const rules = this.chains.get(chain) ?? [];
      const insertion = /^(\d+) (.*)$/.exec(rule);
      if (verb === ':NEW') this.chains.set(chain, []);
      else if (verb === '-A') rules.push(rule);
      else if (verb === '-I') rules.splice(Number(insertion?.[1]) - 1, 0, insertion?.[2] ?? '');
      else if (verb === '-D') rules.splice(rules.indexOf(rule), 1);
      else if (verb === '-F') rules.length = 0;
      else if (verb === '-X') this.chains.delete(chain);
      else throw new Error(`iptables-restore: ${line}`);
    }
    return done('');
  }
}

function done(stdout: string): RunResult {
  return { code: 0, stdout, stderr: '' };
}
