// Removes what a node can leave in the kernel and on disk, whether its daemon ended well or not.
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, until } from '../lib.mjs';
import { commandLine, dataRoot, execRoot, forwardingNote } from './node.mjs';

const KILL_TIMEOUT_MS = 10_000;
const CGROUPS = '/sys/fs/cgroup';
/** What all containers of skepd are below, in each hierarchy. */
const CGROUP_PARENT = 'skep';
/** Where containerd 1.6 and later have the sockets of their shims, wherever their own state is. */
const SHIM_SOCKETS = /^unix:\/\/(\/run\/containerd\/s\/[0-9a-f]{64})$/;
const FORWARDING = '/proc/sys/net/ipv4/ip_forward';

function entries(directory) {
  return existsSync(directory) ? readdirSync(directory) : [];
}

function processIds() {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
}

function parentOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1];
  } catch {
    return undefined;
  }
}

/** Whether the command line is that of the node's skepd, its containerd, or one of its shims. */
function isOfNode(pid) {
  return commandLine(pid).some((word) => word === execRoot || word.startsWith(`${execRoot}/`));
}

/** The node's processes, then what runs below its shims: the containers. */
function nodeProcesses() {
  const all = processIds();
  const found = new Set(all.filter((pid) => isOfNode(pid)));
  const parents = new Map(all.map((pid) => [pid, parentOf(pid)]));
  for (let size = 0; size !== found.size; ) {
    size = found.size;
    for (const [pid, parent] of parents) if (found.has(parent)) found.add(pid);
  }
  return [...found];
}

function kill(pid) {
  try {
    process.kill(Number(pid), 'SIGKILL');
  } catch {
    // ended meanwhile
  }
}

/** Kills whatever is left of the node. Throws when something does not go. */
export async function killProcesses() {
  const gone = await until(() => {
    const left = nodeProcesses();
    for (const pid of left) kill(pid);
    return left.length === 0;
  }, KILL_TIMEOUT_MS);
  if (!gone) throw new Error(`processes do not end: ${nodeProcesses().join(', ')}`);
}

/** Shims that were killed leave their sockets; each one's bundle says which. */
export function removeShimSockets() {
  const tasks = join(execRoot, 'containerd/io.containerd.runtime.v2.task/skep');
  for (const id of entries(tasks)) {
    const file = join(tasks, id, 'address');
    const socket = existsSync(file) && SHIM_SOCKETS.exec(readFileSync(file, 'utf8').trim())?.[1];
    if (socket) rmSync(socket, { force: true });
  }
}

/** /proc/mounts writes spaces and the like in octal. */
function unescapeOctal(text) {
  return text.replace(/\\([0-7]{3})/g, (_, digits) => String.fromCharCode(parseInt(digits, 8)));
}

export function unmountAll() {
  const points = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => unescapeOctal(line.split(' ')[1] ?? ''))
    .filter((point) => [dataRoot, execRoot].some((root) => point.startsWith(`${root}/`)));
  // What was mounted last may lie above what was mounted before.
  for (const point of points.reverse()) run('umount', ['--lazy', point]);
}

/** Namespaces, links and the nftables table: the network room knows its own. */
export async function removeNetwork() {
  const { createNetwork } = await import('../../packages/network/dist/index.js');
  const { Code } = await import('../../packages/platform/dist/index.js');
  try {
    const network = await createNetwork({ dataRoot, execRoot });
    await network.close({ removeAll: true });
  } catch (error) {
    // Another daemon, started after ours died: it has swept away what had no container of its own.
    if (error.code !== Code.ALREADY_EXISTS) throw error;
    console.log('another skepd manages the network of this host now: leaving it alone');
  }
}

function removeIfEmpty(directory) {
  try {
    rmdirSync(directory);
  } catch {
    // in use, or never made
  }
}

/** Ids of the containers the node has, or had before it was killed. */
export function containerIds() {
  const directories = [join(dataRoot, 'containers'), join(execRoot, 'containers')];
  return [...new Set(directories.flatMap(entries))].filter((name) => /^[0-9a-f]{64}$/.test(name));
}

/** Other nodes share the parent: only these containers' go, and the parent when it is empty. */
export function removeCgroups(ids) {
  const hierarchies = [CGROUPS, ...entries(CGROUPS).map((name) => join(CGROUPS, name))];
  for (const parent of hierarchies.map((path) => join(path, CGROUP_PARENT)).filter(existsSync)) {
    for (const id of ids) removeIfEmpty(join(parent, id));
    removeIfEmpty(parent);
  }
}

/** Bridges on which others may have come to count on forwarding. */
function hasBridges() {
  return entries('/sys/class/net').some((link) => existsSync(`/sys/class/net/${link}/bridge`));
}

/** Puts back what `npm start` found. */
export function restoreForwarding() {
  if (!existsSync(forwardingNote) || readFileSync(forwardingNote, 'utf8').trim() !== '0') return;
  if (hasBridges()) {
    console.log('net.ipv4.ip_forward stays on: this machine has bridges that may need it');
  } else {
    writeFileSync(FORWARDING, '0\n');
  }
}
