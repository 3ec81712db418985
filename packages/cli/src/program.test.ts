import { beforeEach, describe, expect, it } from 'vitest';
import { SimContext } from './context.sim.js';
import { runCli } from './program.js';

let context: SimContext;

beforeEach(() => {
  context = new SimContext();
});

function skep(line: string): Promise<number> {
  return runCli(context, line.split(' ').filter(Boolean));
}

async function hostOf(line: string): Promise<string | undefined> {
  await skep(line);
  return context.ran.at(-1)?.env['DOCKER_HOST'];
}

const OWN = 'unix:///run/skep/skep.sock';

describe("docker's commands", () => {
  it('go to its client word by word, with its exit code', async () => {
    context.exitCode = 3;
    expect(await skep('-D service create --name web nginx')).toBe(3);
    const [request] = context.ran;
    expect(request?.command).toBe('docker');
    expect(request?.args).toEqual(['-D', 'service', 'create', '--name', 'web', 'nginx']);
  });

  it('are for the engine of this host unless another is meant', async () => {
    expect(await hostOf('ps')).toBe(OWN);
    expect(await hostOf('--context default ps')).toBe(OWN);
    expect(await hostOf('-l debug ps -H')).toBe(OWN);
    context.env['DOCKER_CONTEXT'] = 'default';
    expect(await hostOf('ps')).toBe(OWN);
  });

  it.each(['-H tcp://a:1 ps', '--host=tcp://a:1 ps', '-Htcp://a:1 ps', '-c other ps'])(
    'leave the choice of "%s" to docker',
    async (line) => expect(await hostOf(line)).toBeUndefined(),
  );

  it('honour DOCKER_HOST, DOCKER_CONTEXT and the chosen context', async () => {
    context.files.set('/root/.docker/config.json', '{"currentContext":"far"}');
    expect(await hostOf('ps')).toBeUndefined();
    context.files.set('/root/.docker/config.json', '{broken');
    expect(await hostOf('ps')).toBe(OWN);
    context.env['DOCKER_CONTEXT'] = 'far';
    expect(await hostOf('ps')).toBeUndefined();
    context.env['DOCKER_HOST'] = 'tcp://b:2';
    expect(await hostOf('ps')).toBe('tcp://b:2');
  });

  it('reads the configuration that is named', async () => {
    context.files.set('/c/config.json', '{"currentContext":"far"}');
    expect(await hostOf('--config /c ps')).toBeUndefined();
    context.env['DOCKER_CONFIG'] = '/c';
    expect(await hostOf('ps')).toBeUndefined();
  });

  it('say what is missing where there is no client', async () => {
    context.exitCode = 127;
    expect(await skep('service ls')).toBe(127);
    expect(context.errors).toContain('"skep service ls" needs the docker client');
  });
});

describe('version', () => {
  it('tells of both sides', async () => {
    const server = { Version: '9.9', ApiVersion: '1.51', MinAPIVersion: '1.24' };
    context.engines.set('tcp://a:1/version', server);
    expect(await skep('-H tcp://a:1 version')).toBe(0);
    expect(context.output).toMatch(/Client: Skep\n Version: +\d/);
    expect(context.output).toContain('API version: 1.51 (minimum version 1.24)');
  });

  it('fails when nobody answers, and names whom it asked', async () => {
    expect(await skep('version')).toBe(1);
    expect(context.errors).toContain(`Cannot connect to the engine at ${OWN}`);
  });
});

describe('help', () => {
  it.each(['', '--help', 'help', 'machine --help', 'machine create --help'])(
    'is there for "skep %s"',
    async (line) => {
      expect(await skep(line)).toBe(0);
      expect(context.output).toContain('Usage: skep');
      expect(context.ran).toEqual([]);
    },
  );

  it('is pointed at by mistakes', async () => {
    expect(await skep('machine nonsense')).toBe(1);
    expect(context.errors).toContain("unknown command 'nonsense'");
  });
});
