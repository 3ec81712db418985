import { availableParallelism, hostname, machine, totalmem } from 'node:os';
import type { NodeFacts } from './describe.js';

/** What the machine says of itself. */
export function hostFacts(): Pick<
  NodeFacts,
  'architecture' | 'cpuCount' | 'hostname' | 'memoryBytes'
> {
  return {
    hostname: hostname(),
    architecture: machine(),
    cpuCount: availableParallelism(),
    memoryBytes: totalmem(),
  };
}
