/**
 * Placement alone: 100,000 tasks on 1,000 nodes (and on 100,000), no log, no network, the assigned objects
 * included. Usage: node bench/scheduler.mjs [tasks] [nodes]
 */
import { create } from '@bufbuild/protobuf';
import { NodeInfo, place } from '@skep/manager';
import { completeObject } from '@skep/wire';
import { NodeSchema, TaskSchema } from '@skep/wire/swarmkit';

const RUNS = 5;
const SERVICE_TASKS = 1_000;
/** NodeStatus.State READY, TaskState PENDING and RUNNING. */
const READY = 2;
const PENDING = 64;
const RUNNING = 512;

function makeNode(index) {
  const resources = { nanoCpus: 64_000_000_000n, memoryBytes: 2n ** 40n };
  const node = create(NodeSchema, {
    id: `node-${index}`,
    status: { state: READY },
    description: { hostname: `node-${index}`, resources },
  });
  return new NodeInfo(completeObject('node', node), index);
}

function makeTask(index) {
  const reservations = { nanoCpus: 1_000_000n, memoryBytes: 1_048_576n };
  const task = create(TaskSchema, {
    id: `task-${index}`,
    serviceId: `service-${Math.floor(index / SERVICE_TASKS)}`,
    specVersion: { index: 1n },
    status: { state: PENDING },
    desiredState: RUNNING,
    spec: { resources: { reservations } },
  });
  return completeObject('task', task);
}

function runOnce(taskCount, nodeCount) {
  const nodes = Array.from({ length: nodeCount }, (_, index) => makeNode(index));
  const tasks = Array.from({ length: taskCount }, (_, index) => makeTask(index));
  const startMs = performance.now();
  let assigned = 0;
  for (let at = 0; at < tasks.length; at += SERVICE_TASKS) {
    const time = { nowMs: 0, monotonicMs: 0 };
    assigned += place(tasks.slice(at, at + SERVICE_TASKS), nodes, time).assigned.length;
  }
  if (assigned !== taskCount) throw new Error(`only ${assigned} of ${taskCount} tasks were placed`);
  return performance.now() - startMs;
}

function report(taskCount, nodeCount) {
  const timesMs = Array.from({ length: RUNS }, () => runOnce(taskCount, nodeCount));
  const medianMs = timesMs.sort((a, b) => a - b)[RUNS >> 1];
  const rate = Math.round((taskCount / medianMs) * 1_000);
  console.log(
    `placement: ${taskCount} tasks on ${nodeCount} nodes in ${medianMs.toFixed(0)} ms, ` +
      `${rate} tasks/s (median of ${RUNS}; goal for 100000 on 1000: 2300 ms)`,
  );
}

const [tasks, nodes] = process.argv.slice(2).map(Number);
report(tasks || 100_000, nodes || 1_000);
