/** A program to run on the host that runs a command inside a machine. */
export interface Entrance {
  command: string;
  args: string[];
  env: Record<string, string>;
}

/** Variables that tell clients of an engine; those of the host's shell are about other engines. */
const CLIENT_VARIABLE = /^DOCKER_(HOST|CONTEXT|TLS|TLS_VERIFY|CERT_PATH|MACHINE_NAME)$/;

/** A shell for those who log in: bash where there is one. */
const LOGIN = 'cd; if command -v bash >/dev/null; then exec bash; else exec sh -i; fi';

/**
 * What `ssh` does: words are joined and read by a shell in the machine, as a remote one would; no
 * words, an interactive shell. `pid` is the machine's process 1.
 */
export function entrance(
  pid: number,
  words: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Entrance {
  const kept = Object.entries(env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !CLIENT_VARIABLE.test(entry[0]),
  );
  const shell = ['sh', '-c', words.length === 0 ? LOGIN : words.join(' ')];
  const namespaces = ['--mount', '--uts', '--net', '--pid'];
  return {
    command: 'nsenter',
    args: ['--target', String(pid), ...namespaces, '--', ...shell],
    env: { ...Object.fromEntries(kept), DOCKER_HOST: 'unix:///run/skep/skep.sock' },
  };
}
