import { type ChildProcess, spawn } from 'node:child_process';
import type { TestMachines } from './machines.ts';

/** Packets that cross a machine's network card, as tcpdump tells of them. */
export class Capture {
  readonly #child: ChildProcess;
  #text = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.setEncoding('utf8').on('data', (chunk) => {
      this.#text += chunk;
    });
  }

  /** `filter` as of pcap-filter(7). Resolves when packets are seen. */
  static async start(machines: TestMachines, name: string, filter: string): Promise<Capture> {
    const enter = [`--net=/proc/${await machines.pid(name)}/ns/net`];
    const program = ['tcpdump', '-i', 'eth0', '-n', '-l', '-A', '--immediate-mode', filter];
    const child = spawn('nsenter', [...enter, ...program], { stdio: ['ignore', 'pipe', 'pipe'] });
    const capture = new Capture(child);
    await new Promise<void>((resolve, reject) => {
      let said = '';
      child.stderr?.setEncoding('utf8').on('data', (chunk) => {
        said += chunk;
        if (said.includes('listening on')) resolve();
      });
      child.once('error', reject);
      child.once('exit', () => reject(new Error(`tcpdump: ${said}`)));
    });
    return capture;
  }

  /** What was seen up to now. */
  get seen(): string {
    return this.#text;
  }

  /** All that was seen: a line for each packet, and its bytes as text. */
  async stop(): Promise<string> {
    const closed = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.kill('SIGINT');
    await closed;
    return this.#text.trim();
  }
}
