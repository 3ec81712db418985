import { Code } from '@skep/platform';
import { beforeEach, describe, expect, it } from 'vitest';
import { BOOT_SCRIPT } from './boot/script.js';
import type { NewMachine } from './contract.js';
import { SimHost } from './host/host.sim.js';
import { Machines } from './machines.js';

const STORAGE = '/machines';

let host: SimHost;
let machines: Machines;

beforeEach(async () => {
  host = new SimHost();
  await host.boot('first');
  machines = newMachines();
});

function newMachines(subnet?: string): Machines {
  return new Machines({ host, storage: STORAGE, subnet, skepd: '/bin/skepd' });
}

function create(name: string, more: Partial<NewMachine> = {}) {
  return machines.create({ name, engine: 'skepd', engineFlags: [], ...more });
}

async function read(path: string): Promise<string> {
  return Buffer.from(await host.disk.readFile(path)).toString();
}

async function pidOf(name: string): Promise<number> {
  return (await machines.running(name)).pid;
}

describe('create', () => {
  it('gives each machine an address, a name and knowledge of the others', async () => {
    const [one, two] = await Promise.all([create('one'), create('two')]);
    const addresses = [one.address, two.address].sort();
    expect(addresses).toEqual(['192.168.99.100', '192.168.99.101']);
    expect((await machines.list()).map(({ name, state }) => [name, state])).toEqual([
      ['one', 'Running'],
      ['two', 'Running'],
    ]);
    for (const name of ['one', 'two']) {
      const hosts = await read(`${STORAGE}/${name}/etc/hosts`);
      expect(hosts).toContain(`${one.address}\tone\n`);
      expect(hosts).toContain(`${two.address}\ttwo\n`);
    }
    expect(await read(`${STORAGE}/two/etc/hostname`)).toBe('two\n');
  });

  it('keeps the hardware address of the way out, whichever machines come and go', async () => {
    await create('one');
    expect(host.commands).toContain('link add switch0 address 02:42:c0:a8:63:fe type bridge');
  });

  it('stays clear of what the host can reach already', async () => {
    host.routes.push('192.168.0.0/17', '10.0.0.0/8 dev x');
    expect((await create('one')).address).toBe('192.168.128.100');
  });

  it('takes the subnet that is asked for, unless it is in use', async () => {
    machines = newMachines('10.77.1.0/24');
    expect((await create('one')).address).toBe('10.77.1.100');
    machines = newMachines('192.0.2.0/25');
    await expect(create('two')).rejects.toThrow('invalid subnet "192.0.2.0/25"');
    machines = newMachines('10.77.2.0/24');
    await expect(create('two')).rejects.toThrow('are on 10.77.1.0/24 already');
    await machines.remove('one');
    machines = newMachines('192.0.2.0/24');
    await expect(create('two')).rejects.toMatchObject({ code: Code.ALREADY_EXISTS });
  });

  it('refuses a name twice and names that are none, and changes nothing', async () => {
    await create('one');
    await expect(create('one')).rejects.toThrow('Docker machine "one" already exists');
    for (const name of ['', 'a_b', '-a', 'a..b', '../a', 'a'.repeat(64)]) {
      await expect(create(name)).rejects.toMatchObject({ code: Code.INVALID_ARGUMENT });
    }
    expect(await machines.list()).toHaveLength(1);
  });

  it('undoes itself when the engine fails, and shows its last words', async () => {
    await create('one');
    host.engine = 'fails';
    await expect(create('two')).rejects.toThrow(/skepd of machine "two" does not start\n.*no log/);
    expect((await machines.list()).map(({ name }) => name)).toEqual(['one']);
    expect(await host.disk.stat(`${STORAGE}/two`)).toBeUndefined();
    expect(await read(`${STORAGE}/one/etc/hosts`)).not.toContain('two');
    host.engine = 'answers';
    expect((await create('two')).address).toBe('192.168.99.101');
  });

  it('gives up on an engine that does not answer', async () => {
    host.engine = 'hangs';
    await expect(create('one')).rejects.toThrow('does not answer in 60 s');
    expect([...host.all.values()]).toEqual([]);
  });

  it('waits for no engine where none is wanted', async () => {
    host.engine = 'hangs';
    expect((await create('bare', { engine: 'none' })).state).toBe('Running');
  });

  it('lets a hundred and fifty in, and says when there is no room', async () => {
    for (let number = 0; number < 150; number++) await create(`m${number}`);
    await expect(create('more')).rejects.toThrow('there are 150 machines: no address is left');
  });
});

describe('kill', () => {
  it('kills the first process alone, with which the kernel ends all others', async () => {
    const { pid } = await machines.running((await create('one')).name);
    const shim = host.spawn({ parentPid: pid, command: ['containerd-shim-runc-v2'] });
    const own = { pidNamespace: 'pid:[77]', cgroups: ['/skep/abc'] };
    const inside = host.spawn({ parentPid: shim.pid, ...own });
    await machines.kill('one');
    expect(host.signals).toEqual([`${pid} SIGKILL`]);
    expect(host.all.get(shim.pid)).toBeUndefined();
    expect(host.removedCgroups).toEqual(['/skep/abc']);
    expect(inside.cgroups).toEqual(['/skep/abc']);
    expect((await machines.get('one')).state).toBe('Stopped');
    expect(await host.disk.stat(`${STORAGE}/.run/one`)).toBeUndefined();
    expect(await host.disk.stat(`${STORAGE}/one/data`)).toBeDefined();
    await expect(machines.running('one')).rejects.toThrow('Host is not running');
  });

  it('never touches a process that got the number of a machine that ended', async () => {
    await create('one');
    const pid = await pidOf('one');
    host.signal(pid, 'SIGKILL');
    host.spawn({ pid, startTicks: 1, command: ['innocent'] });
    host.signals.length = 0;
    await machines.kill('one');
    expect(host.signals).toEqual([]);
    expect(host.all.get(pid)?.command).toEqual(['innocent']);
  });

  it('says which processes do not end', async () => {
    await create('one');
    const pid = await pidOf('one');
    (host.all.get(pid) as { ignores: string[] }).ignores.push('SIGKILL');
    await expect(machines.kill('one')).rejects.toThrow(/processes do not end: \d+/);
  });
});

describe('stop', () => {
  it('ends the engine first, then containers by their signals, then the rest', async () => {
    await create('one');
    const pid = await pidOf('one');
    const id = 'a'.repeat(64);
    const record = Buffer.from(JSON.stringify({ config: { StopSignal: 'SIGQUIT' } }));
    await host.disk.makeDirectory(`${STORAGE}/one/data/containers/${id}`);
    await host.disk.writeFileAtomic(`${STORAGE}/one/data/containers/${id}/config.json`, record);
    const guard = host.spawn({ parentPid: pid, command: ['sh', '-c', BOOT_SCRIPT] });
    const engine = [...host.all.values()].find(({ command }) => command[1] === '/dist/skepd.js');
    const shim = host.spawn({ parentPid: pid, command: ['containerd-shim-runc-v2', '-id', id] });
    const container = host.spawn({ parentPid: shim.pid, pidNamespace: 'pid:[7]' });
    const other = host.spawn({ parentPid: pid, command: ['containerd'] });
    await machines.stop('one');
    expect(host.signals).toEqual([
      `${engine?.pid} SIGTERM`,
      `${guard.pid} SIGTERM`,
      `${container.pid} 3`,
      `${other.pid} SIGTERM`,
      `${pid} SIGKILL`,
    ]);
    expect((await machines.get('one')).state).toBe('Stopped');
  });

  it('does not wait for ever for those who will not end', async () => {
    await create('one');
    const pid = await pidOf('one');
    host.spawn({ parentPid: pid, command: ['stubborn'], ignores: ['SIGTERM'] });
    const startedMs = host.clock.monotonic();
    await machines.stop('one');
    expect(host.clock.monotonic() - startedMs).toBeLessThan(11_000);
    expect([...host.all.values()]).toEqual([]);
  });

  it('leaves a machine that can be started again, twice without harm', async () => {
    await create('one', { engineFlags: ['--label=a=b'] });
    await machines.stop('one');
    await machines.stop('one');
    await machines.start('one');
    await machines.start('one');
    expect((await machines.get('one')).state).toBe('Running');
  });
});

describe('a host that loses power', () => {
  it('finds its machines stopped, and makes their switch again at the first start', async () => {
    await create('one');
    await host.boot('second');
    expect((await machines.get('one')).state).toBe('Stopped');
    host.commands.length = 0;
    await machines.start('one');
    expect(host.commands).toContain(`ip netns add ${machines.layout.switchNamespace}`);
    expect((await machines.get('one')).address).toBe('192.168.99.100');
  });
});

describe('disconnect', () => {
  it('pulls the cable, also for the next start, until connect', async () => {
    await create('one');
    await machines.disconnect('one');
    expect(host.commands.at(-1)).toBe('link set port100 down');
    await machines.stop('one');
    await machines.start('one');
    expect(host.commands).toContain('link set port100 master switch0 down');
    await machines.connect('one');
    expect(host.commands.at(-1)).toBe('link set port100 up');
    expect((await machines.get('one')).disconnected).toBe(false);
  });
});

describe('remove', () => {
  it('takes the switch with the last machine', async () => {
    await create('one');
    await create('two');
    host.commands.length = 0;
    const removed = `ip netns del ${machines.layout.switchNamespace}`;
    await machines.remove('one');
    expect(host.commands).not.toContain(removed);
    await machines.remove('two');
    expect(host.commands).toContain(removed);
    expect(await host.disk.list(STORAGE)).toEqual(['.run']); // which rmdir gets
    expect(host.commands.at(-1)).toMatch(/^rmdir .*\.run/);
    await expect(machines.remove('two')).rejects.toMatchObject({ code: Code.NOT_FOUND });
  });
});

describe('two commands at a time', () => {
  it('wait for each other, but not for ever', async () => {
    await create('one');
    const lock = await host.tryLock(machines.layout.lock('one'));
    await expect(machines.stop('one')).rejects.toThrow(/another command works on machine "one"/);
    await machines.kill('one'); // a power cut asks nobody
    lock?.release();
    await machines.start('one');
  });
});
