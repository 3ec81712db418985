import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestDaemon } from './support/daemon.ts';
import { exec, until } from './support/exec.ts';
import { IMAGE } from './support/sample.ts';
import { startNode } from './support/swarm.ts';

describe('plain containers', () => {
  let node: TestDaemon;
  beforeAll(async () => {
    node = await startNode({ swarm: false });
  });
  afterAll(() => node?.cleanUp());

  it('run in the foreground, with output, error output and exit code', async () => {
    const result = await node.dockerResult([
      'run',
      '--rm',
      IMAGE,
      'sh',
      '-c',
      'echo out; echo err >&2; exit 7',
    ]);
    expect(result).toEqual({ code: 7, stdout: 'out\n', stderr: 'err\n' });
    expect(await node.docker('ps', '-aq')).toBe('');
  });

  it('read their standard input', async () => {
    const result = await node.dockerResult(['run', '-i', '--rm', IMAGE, 'cat'], {
      input: 'through\n',
    });
    expect(result.stdout).toBe('through\n');
  });

  it('have a terminal when asked', async () => {
    const command = `stty rows 30 cols 100; docker -H unix://${node.socket} run -it --rm ${IMAGE} sh -c 'test -t 0 && stty size && echo tty'`;
    const result = await exec('script', ['-qec', command, '/dev/null'], { input: '' });
    expect(result.stdout).toMatch(/30 100\r?\ntty/);
  });

  it('publish ports and reach out of the bridge', async () => {
    const id = await node.docker('run', '-d', '--name', 'web', '-p', '8000:80', IMAGE);
    await until(
      () => node.fetchFromOutside(8000),
      (body) => body.startsWith('Hello'),
    );
    expect(await node.fetch('http://localhost:8000/')).toContain(id.slice(0, 12));
    expect(await node.docker('port', 'web')).toContain('80/tcp -> 0.0.0.0:8000');
    expect(await node.docker('ps')).toMatch(/0\.0\.0\.0:8000->80\/tcp/);
    const address = await node.docker('inspect', 'web', '-f', '{{.NetworkSettings.IPAddress}}');
    const other = await node.docker('run', '--rm', IMAGE, 'wget', '-qO-', `http://${address}/`);
    expect(other).toContain('Hello');
    const out = await node.docker('run', '--rm', IMAGE, 'ping', '-c', '1', '-W', '2', '192.0.2.1');
    expect(out).toContain('1 packets received');
    const taken = await node.dockerFails('run', '-d', '--name', 'second', '-p', '8000:80', IMAGE);
    expect(taken).toContain('port is already allocated');
    await node.docker('rm', '-f', 'web', 'second');
  });

  it('are inspected, stopped, started, killed, waited for and removed', async () => {
    const id = await node.docker('run', '-d', '--name', 'life', IMAGE, 'sleep', '1000');
    expect(await node.docker('inspect', 'life', '-f', '{{.Id}} {{.State.Status}}')).toBe(
      `${id} running`,
    );
    expect(await node.docker('top', 'life')).toContain('sleep 1000');
    expect(
      await node.docker('stats', '--no-stream', '--format', '{{.Name}} {{.PIDs}}', 'life'),
    ).toBe('life 1');
    await node.docker('stop', '-t', '1', 'life');
    expect(await node.docker('ps', '-a', '--format', '{{.Status}}')).toMatch(/^Exited \(137\)/);
    await node.docker('start', 'life');
    await node.docker('kill', '-s', 'KILL', 'life');
    expect(await node.docker('wait', 'life')).toBe('137');
    await node.docker('rm', 'life');
    expect(await node.dockerFails('inspect', 'life')).toMatch(/No such object: life/i);
    expect(await node.dockerFails('rm', 'life')).toContain('No such container: life');
  });

  it('are entered by exec and attach', async () => {
    await node.docker(
      'run',
      '-d',
      '--name',
      'in',
      '-e',
      'X=1',
      IMAGE,
      'sh',
      '-c',
      'while true; do echo tick; sleep 0.1; done',
    );
    expect(
      await node.docker('exec', '-e', 'Y=2', '-w', '/tmp', 'in', 'sh', '-c', 'echo $X$Y; pwd'),
    ).toBe('12\n/tmp');
    expect((await node.dockerResult(['exec', 'in', 'sh', '-c', 'exit 5'])).code).toBe(5);
    expect((await node.dockerResult(['exec', '-i', 'in', 'cat'], { input: 'abc' })).stdout).toBe(
      'abc',
    );
    const missing = await node.dockerResult(['exec', 'in', 'nosuch']);
    expect([missing.code, missing.stderr + missing.stdout]).toEqual([
      127,
      expect.stringContaining('executable file not found in $PATH'),
    ]);
    const attached = await node.dockerResult(['attach', '--no-stdin', '--sig-proxy=false', 'in'], {
      timeoutMs: 1000,
    });
    expect(attached.stdout).toContain('tick\ntick');
    expect(await node.docker('logs', '--tail', '2', 'in')).toBe('tick\ntick');
    await node.docker('rm', '-f', 'in');
  });

  it('are entered with a terminal', async () => {
    await node.docker('run', '-d', '--name', 'term', IMAGE, 'sleep', '1000');
    const docker = `docker -H unix://${node.socket}`;
    const command = `stty rows 20 cols 80; ${docker} exec -it term sh -c 'stty size; tty'`;
    const result = await exec('script', ['-qec', command, '/dev/null'], { input: '' });
    expect(result.stdout).toMatch(/20 80\r?\n\/dev\/pts\/0/);
    await node.docker('rm', '-f', 'term');
  });

  it('say why they cannot start', async () => {
    const missing = await node.dockerResult(['run', IMAGE, 'nosuch']);
    expect(missing.code).toBe(127);
    expect(missing.stderr).toContain('exec: "nosuch": executable file not found in $PATH');
    expect(await node.dockerFails('run', 'no/such:image')).toMatch(
      /Unable to find image|pull access denied|dial tcp|lookup/,
    );
    expect(await node.dockerFails('run', '-v', 'relative/path:/x', IMAGE)).toMatch(
      /invalid characters for a local volume name|includes invalid/,
    );
    await node.docker('container', 'prune', '-f');
  });

  it('run confined', async () => {
    const status = await node.docker('run', '--rm', IMAGE, 'cat', '/proc/self/status');
    expect(status).toMatch(/CapEff:\s+00000000a80425fb/);
    expect(status).toMatch(/Seccomp:\s+2/);
    expect(
      await node.docker(
        'run',
        '--rm',
        '--security-opt',
        'no-new-privileges',
        IMAGE,
        'grep',
        'NoNewPrivs',
        '/proc/self/status',
      ),
    ).toMatch(/1$/);
    expect(
      await node.docker(
        'run',
        '--rm',
        IMAGE,
        'sh',
        '-c',
        'cat /proc/kcore | wc -c; ls /sys/firmware | wc -l',
      ),
    ).toBe('0\n0');
    expect(
      await node.dockerFails('run', '--rm', IMAGE, 'mount', '-t', 'tmpfs', 'x', '/tmp'),
    ).toMatch(/denied|permitted/);
    const oom = await node.dockerResult([
      'run',
      '--name',
      'oom',
      '-m',
      '16m',
      IMAGE,
      'sh',
      '-c',
      'x=a; while true; do x=$x$x; done',
    ]);
    expect(oom.code).toBe(137);
    expect(await node.docker('inspect', 'oom', '-f', '{{.State.OOMKilled}}')).toBe('true');
    await node.docker('rm', 'oom');
  });

  it('have volumes that outlive them, and networks to list', async () => {
    await node.docker('volume', 'create', '--label', 'a=b', 'data');
    await node.docker(
      'run',
      '--rm',
      '-v',
      'data:/data',
      IMAGE,
      'sh',
      '-c',
      'echo kept > /data/file',
    );
    expect(
      await node.docker('run', '--rm', '-v', 'data:/data:ro', IMAGE, 'cat', '/data/file'),
    ).toBe('kept');
    expect(await node.docker('volume', 'inspect', 'data', '-f', '{{.Labels.a}} {{.Driver}}')).toBe(
      'b local',
    );
    await node.docker('volume', 'rm', 'data');
    await node.docker('run', '--name', 'anon', '-v', '/anonymous', IMAGE, 'true');
    expect(await node.docker('volume', 'prune', '-f')).toContain('Total reclaimed space');
    expect(await node.docker('volume', 'ls', '-q')).not.toBe(''); // a container still has it
    await node.docker('rm', 'anon');
    await node.docker('volume', 'prune', '-f');
    expect(await node.docker('volume', 'ls', '-q')).toBe('');
    expect(
      (await node.docker('network', 'ls', '--format', '{{.Name}} {{.Driver}}')).split('\n').sort(),
    ).toEqual(['bridge bridge', 'host host', 'none null']);
    expect(await node.docker('network', 'inspect', 'bridge', '-f', '{{.Driver}} {{.Scope}}')).toBe(
      'bridge local',
    );
    expect(
      await node.docker('run', '--rm', '--network', 'none', IMAGE, 'ip', '-o', 'link'),
    ).not.toContain('eth0');
    expect(
      await node.docker('run', '--rm', '--network', 'host', IMAGE, 'ip', '-o', 'addr'),
    ).toContain('192.0.2.10');
  });

  it('rotate their logs', async () => {
    await node.docker(
      'run',
      '--name',
      'chatty',
      '--log-opt',
      'max-size=20k',
      '--log-opt',
      'max-file=2',
      IMAGE,
      'sh',
      '-c',
      'i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo line $i; done',
    );
    const lines = (await node.docker('logs', 'chatty')).split('\n');
    expect(lines.at(-1)).toBe('line 3000');
    expect(lines.length).toBeLessThan(1000);
    expect(lines.length).toBeGreaterThan(100);
    await node.docker('rm', 'chatty');
  });
});
