import { spawn, spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../../scripts/lib.mjs';
import { Engine } from './engine.mjs';

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function ip(...args) {
  const result = spawnSync('ip', args, { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`ip ${args.join(' ')}: ${result.stderr}`);
}

/** Processes whose command line mentions a path. */
function processesMentioning(path) {
  return readdirSync('/proc').filter((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(path);
    } catch {
      return false;
    }
  });
}

function childrenOf(pid) {
  return readdirSync('/proc').filter((name) => {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] === pid;
    } catch {
      return false;
    }
  });
}

function kill(pid) {
  try {
    process.kill(Number(pid), 'SIGKILL');
  } catch {
    // ended meanwhile
  }
}

/** A daemon under measurement, in a network namespace and a directory of its own. */
class Daemon {
  constructor(name) {
    this.name = name;
    this.directory = mkdtempSync(join(tmpdir(), `skep-bench-${name}-`));
    this.namespace = `skep-bench-${name}-${process.pid}`;
    this.socket = join(this.directory, 'api.sock');
    this.engine = new Engine(this.socket);
  }

  async start() {
    ip('netns', 'add', this.namespace);
    const inside = (...args) => ip('-n', this.namespace, ...args);
    inside('link', 'set', 'lo', 'up');
    inside('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'far0');
    inside('addr', 'add', '192.0.2.10/24', 'dev', 'eth0');
    inside('link', 'set', 'eth0', 'up');
    inside('link', 'set', 'far0', 'up');
    inside('route', 'add', 'default', 'via', '192.0.2.1');
    const log = openSync(join(this.directory, 'log'), 'a');
    const command = [`--net=/run/netns/${this.namespace}`, ...this.command()];
    this.child = spawn('nsenter', command, { stdio: ['ignore', log, log] });
    for (let tries = 0; !(await this.engine.answers()); tries++) {
      if (this.child.exitCode !== null || tries > 600) {
        throw new Error(
          `${this.name} does not start: ${readFileSync(join(this.directory, 'log'), 'utf8').slice(-2000)}`,
        );
      }
      await sleep(100);
    }
  }

  /** Where its registry goes, for `startRegistry`. */
  get registryPlace() {
    const enter = ['nsenter', `--net=/run/netns/${this.namespace}`];
    return { directory: join(this.directory, 'registry'), address: '127.0.0.1', enter };
  }

  /** Resident memory in MiB: the daemon, its containerd, and (apart) the shims. */
  memory() {
    const sum = (pids) => pids.reduce((total, pid) => total + residentMib(pid), 0);
    const pids = processesMentioning(this.directory);
    const commandOf = (pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0];
    const shims = pids.filter((pid) => commandOf(pid).includes('containerd-shim'));
    const containerd = pids.filter((pid) => /(^|\/)containerd$/.test(commandOf(pid)));
    return { daemon: residentMib(this.child.pid), containerd: sum(containerd), shims: sum(shims) };
  }

  async remove() {
    this.child?.kill('SIGKILL');
    for (let left = processesMentioning(this.directory); left.length > 0; ) {
      for (const pid of left) {
        for (const child of childrenOf(pid)) kill(child);
        kill(pid);
      }
      await sleep(50);
      left = processesMentioning(this.directory);
    }
    const mounts = readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[1] ?? '');
    for (const point of mounts.filter((point) => point.startsWith(this.directory)).reverse()) {
      spawnSync('umount', ['-l', point]);
    }
    spawnSync('ip', ['netns', 'del', this.namespace]);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function residentMib(pid) {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

export class Skepd extends Daemon {
  constructor() {
    super('skepd');
  }

  command() {
    return [
      join(root, 'bin/skepd'),
      ...['--data-root', join(this.directory, 'data'), '--exec-root', join(this.directory, 'run')],
      ...['-H', `unix://${this.socket}`, '--log-level', 'warn'],
    ];
  }
}

export class Dockerd extends Daemon {
  constructor() {
    super('dockerd');
  }

  command() {
    mkdirSync(join(this.directory, 'run'));
    writeFileSync(join(this.directory, 'daemon.json'), '{}');
    return [
      'dockerd',
      ...['--data-root', join(this.directory, 'data'), '--exec-root', join(this.directory, 'run')],
      ...['-H', `unix://${this.socket}`, '--pidfile', join(this.directory, 'pid')],
      ...[
        '--config-file',
        join(this.directory, 'daemon.json'),
        '--storage-driver',
        'overlay2',
        '--log-level',
        'warn',
      ],
    ];
  }
}
