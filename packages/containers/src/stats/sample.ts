import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import type { HostFacts } from '../spec/host.js';
import { CgroupFiles } from './cgroup-files.js';

/** Kernel ticks (`USER_HZ`) are 10 ms on every architecture Linux runs Node on. */
const NS_PER_TICK = 10_000_000;
const NS_PER_US = 1000;
/** cgroup v1 writes "no limit" as the largest page-aligned number. */
const UNLIMITED_BYTES = 2 ** 60;

export interface CpuStats {
  cpu_usage: {
    total_usage: number;
    usage_in_kernelmode: number;
    usage_in_usermode: number;
    percpu_usage?: number[];
  };
  system_cpu_usage: number;
  online_cpus: number;
  throttling_data: { periods: number; throttled_periods: number; throttled_time: number };
}

type BlockEntry = { major: number; minor: number; op: string; value: number };

export interface ResourceSample {
  cpu: CpuStats;
  memory: Record<string, unknown>;
  blocks: BlockEntry[];
  pids: { current: number; limit?: number };
}

/** What a container uses now, from its cgroup. */
export function sampleResources(containerId: string, host: HostFacts): ResourceSample {
  const files = new CgroupFiles(containerId);
  return host.cgroupMode === 'v2' ? sampleV2(files, host) : sampleV1(files, host);
}

function sampleV1(files: CgroupFiles, host: HostFacts): ResourceSample {
  const cpuTicks = files.table('cpuacct', 'cpuacct.stat');
  const throttling = files.table('cpu', 'cpu.stat');
  const perCpu = files.text('cpuacct', 'cpuacct.usage_percpu').trim();
  return {
    cpu: {
      cpu_usage: {
        total_usage: files.number('cpuacct', 'cpuacct.usage'),
        usage_in_kernelmode: (cpuTicks['system'] ?? 0) * NS_PER_TICK,
        usage_in_usermode: (cpuTicks['user'] ?? 0) * NS_PER_TICK,
        ...(perCpu ? { percpu_usage: perCpu.split(/\s+/).map(Number) } : {}),
      },
      system_cpu_usage: systemCpuNs(),
      online_cpus: host.cpuCount,
      throttling_data: {
        periods: throttling['nr_periods'] ?? 0,
        throttled_periods: throttling['nr_throttled'] ?? 0,
        throttled_time: throttling['throttled_time'] ?? 0,
      },
    },
    memory: {
      usage: files.number('memory', 'memory.usage_in_bytes'),
      max_usage: files.number('memory', 'memory.max_usage_in_bytes'),
      failcnt: files.number('memory', 'memory.failcnt'),
      limit: memoryLimit(files.number('memory', 'memory.limit_in_bytes')),
      stats: files.table('memory', 'memory.stat'),
    },
    blocks: blockEntriesV1(files.text('blkio', 'blkio.throttle.io_service_bytes')),
    pids: pidsStats(files.number('pids', 'pids.current'), files.number('pids', 'pids.max')),
  };
}

function sampleV2(files: CgroupFiles, host: HostFacts): ResourceSample {
  const cpu = files.table('', 'cpu.stat');
  return {
    cpu: {
      cpu_usage: {
        total_usage: (cpu['usage_usec'] ?? 0) * NS_PER_US,
        usage_in_kernelmode: (cpu['system_usec'] ?? 0) * NS_PER_US,
        usage_in_usermode: (cpu['user_usec'] ?? 0) * NS_PER_US,
      },
      system_cpu_usage: systemCpuNs(),
      online_cpus: host.cpuCount,
      throttling_data: {
        periods: cpu['nr_periods'] ?? 0,
        throttled_periods: cpu['nr_throttled'] ?? 0,
        throttled_time: (cpu['throttled_usec'] ?? 0) * NS_PER_US,
      },
    },
    memory: {
      usage: files.number('', 'memory.current'),
      limit: memoryLimit(files.number('', 'memory.max')),
      stats: files.table('', 'memory.stat'),
    },
    blocks: blockEntriesV2(files.text('', 'io.stat')),
    pids: pidsStats(files.number('', 'pids.current'), files.number('', 'pids.max')),
  };
}

function memoryLimit(bytes: number): number {
  return bytes === 0 || bytes > UNLIMITED_BYTES ? totalmem() : bytes;
}

function pidsStats(current: number, limit: number): ResourceSample['pids'] {
  return limit > 0 ? { current, limit } : { current };
}

/** Lines `8:0 Read 4096`. */
export function blockEntriesV1(text: string): BlockEntry[] {
  return [...text.matchAll(/^(\d+):(\d+) (\w+) (\d+)$/gm)].map((match) => ({
    major: Number(match[1]),
    minor: Number(match[2]),
    op: match[3] ?? '',
    value: Number(match[4]),
  }));
}

/** Lines `8:0 rbytes=4096 wbytes=0 rios=1 …`. */
export function blockEntriesV2(text: string): BlockEntry[] {
  return text.split('\n').flatMap((line) => {
    const device = /^(\d+):(\d+) /.exec(line);
    if (!device) return [];
    const value = (name: string) => Number(new RegExp(`${name}=(\\d+)`).exec(line)?.[1] ?? 0);
    const place = { major: Number(device[1]), minor: Number(device[2]) };
    return [
      { ...place, op: 'read', value: value('rbytes') },
      { ...place, op: 'write', value: value('wbytes') },
    ];
  });
}

/** Time all processors of the machine spent, ns: what a container's share is measured against. */
function systemCpuNs(): number {
  const first = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0] ?? '';
  // user nice system idle iowait irq softirq steal; guest time is in user time already.
  const ticks = first.trim().split(/\s+/).slice(1, 9).map(Number);
  return ticks.reduce((sum, value) => sum + value, 0) * NS_PER_TICK;
}
