/** Links of ours that packets are forwarded between and others. */
export interface OurLinks {
  /** From which containers begin connections. */
  inner: readonly string[];
  /** Only ever asked: the way to published ports. */
  asked: readonly string[];
}

/** What `iptables -S` prints of the chains at hand, a rule a line. */
export interface ForwardListing {
  /** Of the chain FORWARD. */
  forward: string;
  /** Of our own chain; undefined: there is none. */
  own: string | undefined;
}

export interface ForwardPlan {
  /** Packets that no rule of others knows do not pass: without our rules containers are cut off. */
  isClosed: boolean;
  /** For `iptables-restore --noflush`, one transaction; undefined: all is as it should be. */
  changes: string | undefined;
}

const COMMENT = 'containers of skepd';
const RULE = /^-A \S+ /;
const CLOSED_POLICY = '-P FORWARD DROP';
const LAST_VERDICT = /^-j (DROP|REJECT)\b/;
/** ufw's own last words: it logs what nobody took, then rejects it or leaves it to the policy. */
const UFW_END = /^-j ufw-(after-logging|reject)-forward$/;
/** What Docker before 28 does not accept for its bridges, it leaves to the policy of the chain. */
const DOCKER_BRIDGE = /-o (\S+) -j DOCKER$/;

/**
 * What it takes that packets of ours pass a chain FORWARD of iptables that drops. Rules of ours come
 * right before whatever ends the chain, so that all that others let through or deny stays as they
 * say; which packets of the links are ours to pass, our own table judges besides.
 *
 * @param chain Name of our own chain.
 * @param mayOpen False: ours are to be gone.
 */
export function planForward(
  listing: ForwardListing,
  chain: string,
  links: OurLinks,
  mayOpen: boolean,
): ForwardPlan {
  const lines = listing.forward.split('\n');
  const all = lines.filter((line) => RULE.test(line)).map(withoutChain);
  const isOurs = (rule: string) => rule.endsWith(`-j ${chain}`);
  const others = all.filter((rule) => !isOurs(rule));
  const isClosed = lines.includes(CLOSED_POLICY) || others.some((rule) => LAST_VERDICT.test(rule));
  const own = listing.own?.split('\n').filter((line) => RULE.test(line));
  if (!isClosed || !mayOpen) {
    const removal = [...unhook(all.filter(isOurs)), ...(own ? [`-F ${chain}`, `-X ${chain}`] : [])];
    return { isClosed, changes: transaction(removal) };
  }
  const rules = ownRules(others, links).map((rule) => `-A ${chain} ${rule}`);
  const end = others.findIndex((rule) => LAST_VERDICT.test(rule) || UFW_END.test(rule));
  const place = end < 0 ? others.length : end;
  const isHooked = all.filter(isOurs).length === 1 && isOurs(all[place] ?? '');
  if (isHooked && own?.join() === rules.join()) return { isClosed, changes: undefined };
  const hook = `-I FORWARD ${place + 1} -m comment --comment "${COMMENT}" -j ${chain}`;
  // Naming a chain with its counters makes it, or empties it.
  const changes = [`:${chain} - [0:0]`, ...unhook(all.filter(isOurs)), ...rules, hook];
  return { isClosed, changes: transaction(changes) };
}

function withoutChain(line: string): string {
  return line.replace(RULE, '');
}

function unhook(hooks: readonly string[]): string[] {
  return hooks.map((rule) => `-D FORWARD ${rule}`);
}

function transaction(lines: readonly string[]): string | undefined {
  return lines.length === 0 ? undefined : ['*filter', ...lines, 'COMMIT', ''].join('\n');
}

function ownRules(others: readonly string[], { inner, asked }: OurLinks): string[] {
  const bridges = others.flatMap((rule) => DOCKER_BRIDGE.exec(rule)?.[1] ?? []);
  const answers = '-m conntrack --ctstate RELATED,ESTABLISHED,DNAT';
  return [
    ...bridges.map((bridge) => `-o ${bridge} -j RETURN`),
    ...inner.map((link) => `-i ${link} -j ACCEPT`),
    ...asked.map((link) => `-i ${link} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`),
    ...[...inner, ...asked].map((link) => `-o ${link} ${answers} -j ACCEPT`),
  ];
}
