// Makes a fresh clone ready: Debian packages, npm packages, generated code, build. Safe to run again.
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { fail, output, root, run } from './lib.mjs';

/** Debian packages skepd runs on, and what for. */
const RUNTIME_PACKAGES = [
  'containerd', // the engine below ours
  'runc', // starts the containers
  'nftables', // published ports, seen from the command line
  'libnftables1', // the same, without starting a program each time
  'iproute2', // looking at links and namespaces, and making WireGuard links of the kernel's
  ...['wireguard-tools', 'wireguard-go'], // encrypted networks; the second where the kernel has no WireGuard
  'golang-github-containers-common', // the default seccomp profile
  'busybox-static', // the sample image
  'tini', // docker run --init
];

/** What the tests and benchmarks need besides. */
const TEST_PACKAGES = [
  ...['docker-registry', 'docker.io', 'curl', 'openssl', 'procps'],
  'etcd-server', // what npm run bench measures writes against
  'libfaketime', // nodes whose clock is wrong
  ...['redis-server', 'postgresql'], // applications of the tutorials, as images made on the spot
  'tcpdump', // what crosses a network card, and what must not
  ...['nginx-light', 'wrk'], // load through published ports
  ...['ufw', 'firewalld', 'iptables'], // firewalls of others beside ours
];

/** dpkg-query's own placeholder. */
const STATUS_FORMAT = '$' + '{db:Status-Status}';

function missingPackages(names) {
  return names.filter(
    (name) => output('dpkg-query', ['-W', '-f', STATUS_FORMAT, name]) !== 'installed',
  );
}

/** Services that Debian's packages start by themselves and that ours must not share ports or rules with. */
const SERVICES_TO_HOLD = [
  ...['docker', 'docker-registry', 'containerd', 'etcd'],
  ...['redis-server', 'postgresql', 'nginx', 'ufw', 'firewalld'],
];

function installPackages(names) {
  // A policy of 101 keeps the packages from starting their services while they are installed.
  const policy = '/usr/sbin/policy-rc.d';
  const ours = !existsSync(policy);
  if (ours) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  try {
    run('apt-get', ['update', '-qq'], { env });
    run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...names], { env });
    // Nor must it start by itself the next time: it would close the host. (ufw waits for its own `enable`.)
    if (names.includes('firewalld') && existsSync('/usr/bin/systemctl')) {
      run('systemctl', ['--no-reload', 'disable', 'firewalld'], { env });
    }
  } finally {
    if (ours) run('rm', ['-f', policy]);
  }
}

function setupSystem() {
  if (!existsSync('/usr/bin/dpkg-query')) {
    const all = [...RUNTIME_PACKAGES, ...TEST_PACKAGES].join(' ');
    console.warn(`Not a Debian system: install by your own means what these packages hold: ${all}`);
    return;
  }
  const missing = missingPackages([...RUNTIME_PACKAGES, ...TEST_PACKAGES]);
  if (missing.length === 0) return;
  if (process.getuid() !== 0) {
    console.warn(
      `These Debian packages are missing; as root: apt-get install ${missing.join(' ')}`,
    );
    return;
  }
  console.log(`Installing Debian packages: ${missing.join(' ')}`);
  console.log(`(without starting their services: ${SERVICES_TO_HOLD.join(', ')})`);
  installPackages(missing);
}

function newerThan(path, than) {
  return existsSync(path) && existsSync(than) && statSync(path).mtimeMs >= statSync(than).mtimeMs;
}

function setupNodePackages() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const wanted = JSON.parse(readFileSync(`${root}/package.json`, 'utf8')).engines.node;
  if (major < 20 || (major === 20 && minor < 19)) throw new Error(`Node ${wanted} is needed`);
  const stamp = `${root}/node_modules/.package-lock.json`;
  if (newerThan(stamp, `${root}/package-lock.json`)) return;
  // Not `npm ci`: where a registry lacks optional packages of other platforms, it calls the lock file out of
  // step and gives up. This takes the same versions from the lock file, and does not write it.
  run('npm', ['install', '--no-save', '--no-audit', '--no-fund']);
}

try {
  setupSystem();
  setupNodePackages();
  run('npm', ['run', '--silent', 'build']);
} catch (error) {
  fail(error);
}
