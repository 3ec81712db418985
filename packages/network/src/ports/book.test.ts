import type { PortMap } from '@skep/containers';
import { SimRandom } from '@skep/platform';
import { describe, expect, it } from 'vitest';
import { PortBook } from './book.js';
import { SimPortHolder } from './holder.sim.js';

function setUp() {
  const holder = new SimPortHolder();
  return { holder, book: new PortBook({ holder, random: new SimRandom(1) }) };
}

const bind = (book: PortBook, id: string, ports: PortMap) =>
  book.bind(id, `${id} (e-${id})`, '172.17.0.2', ports);
const at = (HostPort: string, HostIp = '') => [{ HostIp, HostPort }];

describe('PortBook', () => {
  it('fills in the address and a free port, and keeps what is only exposed', async () => {
    const { book } = setUp();
    const wanted = { '80/tcp': at(''), '53/udp': at('53'), '90/tcp': null };
    const { ports, bindings } = await bind(book, 'a', wanted);
    const port = Number(ports['80/tcp']?.[0]?.HostPort);
    expect(port).toBeGreaterThanOrEqual(32_768);
    expect(port).toBeLessThanOrEqual(60_999);
    expect(ports['53/udp']).toEqual(at('53', '0.0.0.0'));
    expect(ports['90/tcp']).toBeNull();
    expect(bindings).toHaveLength(2);
  });

  it('tells a port of another container from one of another program', async () => {
    const { book, holder } = setUp();
    await bind(book, 'a', { '80/tcp': at('8080') });
    await expect(bind(book, 'b', { '80/tcp': at('8080', '10.0.0.1') })).rejects.toThrow(
      'driver failed programming external connectivity on endpoint b (e-b): ' +
        'Bind for 10.0.0.1:8080 failed: port is already allocated',
    );
    holder.occupy('tcp', 9090);
    await expect(bind(book, 'c', { '80/tcp': at('9090') })).rejects.toThrow(
      'Error starting userland proxy: listen tcp4 0.0.0.0:9090: bind: address already in use',
    );
  });

  it('gives back what it had taken when one port of several is refused', async () => {
    const { book, holder } = setUp();
    holder.occupy('tcp', 81);
    await expect(bind(book, 'a', { '1/tcp': at('80'), '2/tcp': at('81') })).rejects.toThrow('81');
    expect(holder.held.size).toBe(0);
    await expect(bind(book, 'b', { '1/tcp': at('80') })).resolves.toBeDefined();
  });

  it('lets protocols and addresses share a number', async () => {
    const { book } = setUp();
    const both = { '53/tcp': at('53', '10.0.0.1'), '53/udp': at('53', '10.0.0.1') };
    await bind(book, 'a', both);
    await expect(bind(book, 'b', { '53/tcp': at('53', '10.0.0.2') })).resolves.toBeDefined();
  });

  it('takes the first free one of a range', async () => {
    const { book, holder } = setUp();
    holder.occupy('tcp', 8000);
    const { ports } = await bind(book, 'a', { '80/tcp': at('8000-8002') });
    expect(ports['80/tcp']).toEqual(at('8001', '0.0.0.0'));
  });

  it('frees ports with their container', async () => {
    const { book, holder } = setUp();
    await bind(book, 'a', { '80/tcp': at('80') });
    book.release('a');
    expect(holder.held.size).toBe(0);
    await expect(bind(book, 'b', { '80/tcp': at('80') })).resolves.toBeDefined();
  });

  it.each([
    [{ '80/tcp': at('80', '::1') }, 'not served on IPv6'],
    [{ '80/tcp': at('80', 'host') }, 'invalid IP address'],
    [{ '80/tcp': at('70000') }, 'invalid port specification'],
    [{ '0/tcp': at('80') }, 'invalid port specification'],
    [{ '80/icmp': at('80') }, 'invalid port specification'],
  ])('refuses %j', async (ports, message) => {
    await expect(bind(setUp().book, 'a', ports)).rejects.toThrow(message);
  });
});
