import { Code, type Processes, RpcError } from '@skep/platform';

export interface ProcessTable {
  Titles: string[];
  Processes: string[][];
}

const DEFAULT_PS_ARGUMENTS = '-ef';

/** The processes of a container, as `ps` of the host shows them. */
export async function listProcesses(
  processes: Processes,
  pids: readonly number[],
  psArguments: string,
): Promise<ProcessTable> {
  const text = psArguments.trim() || DEFAULT_PS_ARGUMENTS;
  const { code, stdout, stderr } = await processes.run('ps', text.split(/\s+/));
  if (code !== 0) throw new RpcError(Code.INTERNAL, `ps: ${stderr.trim() || `exit ${code}`}`);
  return selectProcesses(stdout, pids);
}

/** The rows of `ps` output that belong to some process ids. */
export function selectProcesses(output: string, pids: readonly number[]): ProcessTable {
  const [header = '', ...lines] = output.split('\n').filter((line) => line.trim() !== '');
  const Titles = header.trim().split(/\s+/);
  const pidColumn = Titles.indexOf('PID');
  if (pidColumn < 0) throw new RpcError(Code.INTERNAL, "Couldn't find PID field in ps output");
  const wanted = new Set(pids.map(String));
  const Processes = lines
    .map((line) => splitRow(line, Titles.length))
    .filter((row) => wanted.has(row[pidColumn] ?? ''));
  return { Titles, Processes };
}

/** The last column (the command) keeps its spaces. */
function splitRow(line: string, columns: number): string[] {
  const words = line.trim().split(/\s+/);
  return [...words.slice(0, columns - 1), words.slice(columns - 1).join(' ')];
}
