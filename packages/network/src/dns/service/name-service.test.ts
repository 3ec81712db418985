import { SimClock, SimDisk, SimRandom, settle, silentLogger } from '@skep/platform';
import { decode, encode } from 'dns-packet';
import { describe, expect, it } from 'vitest';
import { KernelError } from '../../kernel/contract.js';
import { SimKernel } from '../../kernel/simulated/kernel.js';
import type { AttachedSandbox } from '../../sandbox/contract.js';
import { networkOf, serviceOf, updateOf } from '../../tables/objects.sim.js';
import { Tables } from '../../tables/tables.js';
import { attachedOf, sandboxOf } from '../asker.sim.js';
import { COMPARE_PERIOD_MS } from '../limits.js';
import { SimNameSockets, type SimServer } from '../sockets/sockets.sim.js';
import { NameService } from './name-service.js';

const BOX = '/run/netns/c1';
const UPSTREAM = '192.0.2.53';

async function machine(resolvConf = `nameserver ${UPSTREAM}\n`) {
  const kernel = new SimKernel();
  const sockets = new SimNameSockets();
  const clock = new SimClock();
  const disk = new SimDisk();
  await disk.makeDirectory('/etc');
  await disk.writeFileAtomic('/etc/resolv.conf', Buffer.from(resolvConf));
  const options = { kernel, sockets, clock, disk, logger: silentLogger, random: new SimRandom(1) };
  const boot = () => new NameService({ ...options, table: 'tt_dns' });
  const service = boot();
  const tables = new Tables();
  tables.addReader(service.index);
  const services = [serviceOf('web')];
  await tables.update(updateOf(1n, { complete: true, networks: [networkOf('net')], services }));
  return { kernel, sockets, clock, service, boot, tables };
}

/** With the namespace that it is in, and by default a way out of it. */
async function running(sandbox: AttachedSandbox = sandboxOf(), wayOut = true, resolvConf?: string) {
  const made = await machine(resolvConf);
  await addNamespace(made.kernel, sandbox.namespace, wayOut);
  await made.service.added(sandbox);
  return made;
}

async function addNamespace(kernel: SimKernel, path: string, wayOut = true): Promise<void> {
  await kernel.run([{ op: 'namespace-add', path }]);
  const namespace = kernel.at(path);
  namespace.changeLink('lo', { up: true });
  if (wayOut) namespace.addRoute({ destination: 'default', link: 'lo' });
}

function query(name: string, type: 'A' | 'TXT' = 'A'): Buffer {
  return encode({ type: 'query', id: 77, questions: [{ name, type, class: 'IN' }] });
}

/** A server that knows all names. */
function knows(data: string, rcode = 0): SimServer {
  return (message) => {
    const { id, questions = [] } = decode(message);
    const name = questions[0]?.name ?? '';
    const answers = rcode === 0 ? [{ name, type: 'A' as const, ttl: 60, data }] : [];
    return encode({ type: 'response', id: id ?? 0, flags: rcode, questions, answers });
  };
}

function summary(answer: Buffer): string {
  const {
    id,
    answers = [],
    rcode,
  } = decode(answer) as ReturnType<typeof decode> & {
    rcode: string;
  };
  expect(id).toBe(77);
  return [rcode, ...answers.map((record) => (record as { data: string }).data)].join(' ');
}

describe('the name service', () => {
  it('answers from the tables', async () => {
    const { sockets, kernel } = await running();
    expect(summary(await sockets.send(BOX, query('web')))).toBe('NOERROR 10.0.1.100');
    expect(kernel.at(BOX).tables.names()).toEqual(['tt_dns']);
    expect(sockets.asked).toEqual([]);
  });

  it('is there again after a restart, in place of what was', async () => {
    const { sockets, kernel, service, boot } = await running();
    service.close();
    expect(sockets.listening).toEqual([]);
    const next = boot();
    await next.added(sandboxOf());
    expect(kernel.at(BOX).tables.names()).toEqual(['tt_dns']);
    expect(summary(await sockets.send(BOX, query('web')))).toBe('SERVFAIL');
  });

  it('puts rules back that somebody took away, and no others', async () => {
    const { kernel, clock } = await running();
    const { tables } = kernel.at(BOX);
    await clock.advance(COMPARE_PERIOD_MS);
    const { generation } = tables;
    await clock.advance(COMPARE_PERIOD_MS);
    expect(tables.generation).toBe(generation);
    tables.apply([{ kind: 'table-remove', table: 'tt_dns' }]);
    await clock.advance(COMPARE_PERIOD_MS);
    expect(tables.names()).toEqual(['tt_dns']);
  });

  it('ends its comparisons when it is closed', async () => {
    const { service, clock } = await running();
    expect(clock.pendingTimers).toBe(1);
    service.close();
    expect(clock.pendingTimers).toBe(0);
  });

  it('closes the sockets of a container that is gone, also while they are opened', async () => {
    const { sockets, service, kernel } = await running();
    await service.removed(sandboxOf().containerId);
    expect(sockets.listening).toEqual([]);
    await addNamespace(kernel, '/run/netns/c2');
    let letGo = () => {};
    sockets.hold = new Promise((resolve) => {
      letGo = resolve;
    });
    const second = sandboxOf({ containerId: 'c2', namespace: '/run/netns/c2' });
    const adding = service.added(second);
    await settle();
    await service.removed('c2');
    letGo();
    await adding;
    expect(sockets.listening).toEqual([]);
  });

  it('keeps nothing of a container whose start it refuses', async () => {
    const { sockets, service, kernel } = await machine();
    await expect(service.added(sandboxOf())).rejects.toThrow('no namespace');
    await addNamespace(kernel, BOX);
    sockets.refuse = new KernelError('EADDRINUSE', 'bind', 0);
    await expect(service.added(sandboxOf())).rejects.toThrow('bind');
    sockets.refuse = undefined;
    kernel.refuse = ({ op }) => {
      if (op === 'nft') throw new Error('nft: no');
    };
    await expect(service.added(sandboxOf())).rejects.toThrow('nft: no');
    expect(sockets.listening).toEqual([]);
    kernel.refuse = undefined;
    await service.added(sandboxOf());
    expect(sockets.listening).toEqual([BOX]);
  });

  it('follows a container to other networks', async () => {
    const { sockets, service, tables } = await running();
    const networks = [attachedOf('net', '10.0.1.11/24'), attachedOf('other', '10.0.2.11/24')];
    const services = [serviceOf('db', { networkId: 'other', virtualIp: '10.0.2.100' })];
    await tables.update(updateOf(2n, { networks: [networkOf('other')], services }));
    await service.changed(sandboxOf({ networks }));
    expect(summary(await sockets.send(BOX, query('db')))).toBe('NOERROR 10.0.2.100');
    await service.changed(sandboxOf());
    expect(summary(await sockets.send(BOX, query('db')))).toBe('SERVFAIL');
  });
});

describe('a name of the world', () => {
  it('is asked of the host’s server, from the container’s namespace', async () => {
    const { sockets } = await running();
    sockets.setServer(UPSTREAM, knows('203.0.113.1'), BOX);
    expect(summary(await sockets.send(BOX, query('example.org')))).toBe('NOERROR 203.0.113.1');
    expect(sockets.asked).toEqual([`${UPSTREAM} from ${BOX}`]);
    expect(sockets.openChannels).toBe(0);
  });

  it('is asked from the host where its server is on its loopback', async () => {
    const { sockets } = await running(sandboxOf(), true, 'nameserver 127.0.0.53\n');
    sockets.setServer('127.0.0.53', knows('203.0.113.1'));
    expect(summary(await sockets.send(BOX, query('example.org')))).toBe('NOERROR 203.0.113.1');
  });

  it('does not leave an internal network through the host', async () => {
    const { sockets, service } = await running(sandboxOf(), false, 'nameserver 127.0.0.53\n');
    sockets.setServer('127.0.0.53', knows('203.0.113.1'));
    expect(summary(await sockets.send(BOX, query('secret.example.org')))).toBe('SERVFAIL');
    expect(sockets.asked).toEqual([]);
    await service.changed(sandboxOf());
    expect(summary(await sockets.send(BOX, query('secret.example.org')))).toBe('SERVFAIL');
  });

  it('is asked of servers in turn, until one can say something', async () => {
    const given = ['192.0.2.1', '192.0.2.2', '192.0.2.3'];
    const names = { hostname: 'box', servers: given, search: [], options: [] };
    const { sockets } = await running(sandboxOf({ names }));
    sockets.setServer('192.0.2.2', knows('', 5), BOX);
    sockets.setServer('192.0.2.3', knows('', 3), BOX);
    expect(summary(await sockets.send(BOX, query('example.org')))).toBe('NXDOMAIN');
    expect(sockets.asked).toEqual(given.map((address) => `${address} from ${BOX}`));
  });

  it('gets the refusal of a server where none can say more', async () => {
    const { sockets } = await running();
    sockets.setServer(UPSTREAM, knows('', 5), BOX);
    expect(summary(await sockets.send(BOX, query('example.org')))).toBe('REFUSED');
  });

  it('is asked again when a datagram is lost, and given up after 4 s', async () => {
    const { sockets, clock } = await running();
    sockets.setServer(UPSTREAM, () => 'silent', BOX);
    const answer = sockets.send(BOX, query('example.org'));
    await clock.advance(1_999);
    expect(sockets.asked).toHaveLength(1);
    await clock.advance(1);
    expect(sockets.asked).toHaveLength(2);
    await clock.advance(2_000);
    expect(summary(await answer)).toBe('SERVFAIL');
    expect([sockets.openChannels, clock.pendingTimers]).toEqual([0, 1]);
  });

  it('is answered by the first server also after the next was asked', async () => {
    const names = { hostname: 'b', servers: ['192.0.2.1', '192.0.2.2'], search: [], options: [] };
    const { sockets, clock } = await running(sandboxOf({ names }));
    sockets.setServer('192.0.2.1', () => 'silent', BOX);
    sockets.setServer('192.0.2.2', knows('203.0.113.2'), BOX);
    const answer = sockets.send(BOX, query('example.org'));
    await clock.advance(2_000);
    expect(summary(await answer)).toBe('NOERROR 203.0.113.2');
  });

  it.each<[string, (answer: Buffer) => void]>([
    ['another id', (answer) => answer.writeUInt16BE(answer.readUInt16BE(0) ^ 1, 0)],
    ['another name', (answer) => answer.write('f', 13)],
    ['another type', (answer) => answer.writeUInt16BE(16, 25)],
    ['no answer', (answer) => answer.writeUInt16BE(0x0100, 2)],
    ['no question', (answer) => answer.writeUInt16BE(0, 4)],
  ])('is not answered by a datagram with %s', async (_, spoil) => {
    const { sockets, clock } = await running();
    const forge: SimServer = (message, protocol) => {
      const answer = knows('203.0.113.66')(message, protocol) as Buffer;
      spoil(answer);
      return answer;
    };
    sockets.setServer(UPSTREAM, forge, BOX);
    const answer = sockets.send(BOX, query('example.org'));
    await clock.advance(4_000);
    expect(summary(await answer)).toBe('SERVFAIL');
  });

  it('too long for the client is to be asked for by TCP', async () => {
    const { sockets } = await running();
    const long: SimServer = (message) => {
      const { id, questions = [] } = decode(message);
      const answers = Array.from({ length: 9 }, () => {
        return { name: 'example.org', type: 'TXT' as const, ttl: 1, data: 'x'.repeat(99) };
      });
      return encode({ type: 'response', id: id ?? 0, questions, answers });
    };
    sockets.setServer(UPSTREAM, long, BOX);
    const cut = await sockets.send(BOX, query('example.org', 'TXT'));
    expect(decode(cut)).toMatchObject({ flag_tc: true, answers: [], id: 77 });
    const whole = await sockets.send(BOX, query('example.org', 'TXT'), 'tcp');
    expect(decode(whole).answers).toHaveLength(9);
  });

  it('waits for at most 1024 answers, and a flood does not keep others from asking', async () => {
    const { sockets, service, kernel } = await running();
    await addNamespace(kernel, '/run/netns/c2');
    await service.added(sandboxOf({ containerId: 'c2', namespace: '/run/netns/c2' }));
    sockets.setServer(UPSTREAM, () => 'silent', BOX);
    sockets.setServer(UPSTREAM, knows('203.0.113.3'), '/run/netns/c2');
    const flood = Array.from({ length: 1_500 }, () => sockets.send(BOX, query('example.org')));
    await settle();
    expect(sockets.openChannels).toBe(1_024);
    const other = await sockets.send('/run/netns/c2', query('example.org'));
    expect(summary(other)).toBe('NOERROR 203.0.113.3');
    expect(sockets.openChannels).toBe(1_023);
    await service.removed(sandboxOf().containerId);
    expect((await Promise.all(flood)).every((each) => summary(each) === 'SERVFAIL')).toBe(true);
    expect(sockets.openChannels).toBe(0);
  });

  it('is not waited for when the container is gone', async () => {
    const { sockets, service, clock } = await running();
    sockets.setServer(UPSTREAM, () => 'silent', BOX);
    void sockets.send(BOX, query('example.org'));
    await settle();
    expect(sockets.openChannels).toBe(1);
    await service.removed(sandboxOf().containerId);
    expect([sockets.openChannels, clock.pendingTimers]).toEqual([0, 1]);
  });
});
