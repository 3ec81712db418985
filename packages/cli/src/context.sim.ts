import { Machines, SimHost } from '@skep/machines';
import type { CliContext, ForegroundRequest } from './context.js';

/** A terminal in memory, on a simulated host. */
export class SimContext implements CliContext {
  env: Record<string, string | undefined> = { HOME: '/root', PATH: '/bin' };
  isRoot = true;
  /** What was printed, and complained. */
  output = '';
  errors = '';
  /** What a person answers. */
  answer = '';
  /** What took over the terminal, in order, and the exit code it ends with. */
  readonly ran: ForegroundRequest[] = [];
  exitCode = 0;
  readonly files = new Map<string, string>();
  readonly engines = new Map<string, unknown>();
  readonly host = new SimHost();

  out(text: string): void {
    this.output += text;
  }

  error(text: string): void {
    this.errors += text;
  }

  async ask(question: string): Promise<string> {
    this.out(question);
    return this.answer;
  }

  async foreground(request: ForegroundRequest): Promise<number> {
    this.ran.push(request);
    return this.exitCode;
  }

  async get(host: string, path: string): Promise<unknown> {
    return this.engines.get(`${host}${path}`);
  }

  readText(path: string): string | undefined {
    return this.files.get(path);
  }

  machines(options: { storage?: string | undefined; subnet?: string | undefined }): Machines {
    return new Machines({ host: this.host, skepd: '/bin/skepd', ...options });
  }
}
