/** docker's flags before the command: whether each takes a value. */
const FLAGS: Record<string, boolean> = {
  '-H': true,
  '--host': true,
  '-c': true,
  '--context': true,
  '--config': true,
  '-l': true,
  '--log-level': true,
  '--tlscacert': true,
  '--tlscert': true,
  '--tlskey': true,
  '-D': false,
  '--debug': false,
  '--tls': false,
  '--tlsverify': false,
};

export interface GlobalFlags {
  /** Of `-H`, the last one. */
  host?: string;
  context?: string;
  /** Directory of docker's configuration. */
  config?: string;
  /** The words from the command on. */
  rest: string[];
}

const KEYS: Record<string, 'host' | 'context' | 'config'> = {
  '-H': 'host',
  '--host': 'host',
  '-c': 'context',
  '--context': 'context',
  '--config': 'config',
};

/** Reads docker's flags up to the command. What is not known is left to be read, or refused, there. */
export function readGlobalFlags(args: readonly string[]): GlobalFlags {
  const found: GlobalFlags = { rest: [] };
  let index = 0;
  while (index < args.length) {
    const { name, value, takesNext } = readFlag(args[index] ?? '');
    if (name === undefined) break;
    const key = KEYS[name];
    if (key) found[key] = value ?? args[index + 1] ?? '';
    index += takesNext ? 2 : 1;
  }
  return { ...found, rest: args.slice(index) };
}

/** `--host=x`, `--host` with the next word, `-Hx`, `-H=x`, `-H` with the next word. */
function readFlag(word: string): {
  name: string | undefined;
  value?: string | undefined;
  takesNext: boolean;
} {
  const [, long, value] = /^(--[a-z]+)(?:=(.*))?$/s.exec(word) ?? [];
  if (long !== undefined && long in FLAGS) {
    return { name: long, value, takesNext: FLAGS[long] === true && value === undefined };
  }
  const short = word.slice(0, 2);
  if (!word.startsWith('--') && short in FLAGS) {
    const attached = word.slice(2).replace(/^=/, '');
    const takesNext = FLAGS[short] === true && word.length === 2;
    return { name: short, value: takesNext ? undefined : attached, takesNext };
  }
  return { name: undefined, takesNext: false };
}
