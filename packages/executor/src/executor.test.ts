import { create } from '@bufbuild/protobuf';
import { completeObject } from '@skep/wire';
import { Mount_Type, SecretSchema } from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { makeTask } from './testing/objects.js';
import { makeContext, setUp } from './testing/setup.js';

describe('ContainerExecutor', () => {
  it('describes the node as SwarmKit expects it', async () => {
    const description = await setUp().executor.describe();
    expect(description).toMatchObject({
      hostname: 'host1',
      platform: { architecture: 'x86_64', os: 'linux' },
      resources: { nanoCpus: 2_000_000_000n, memoryBytes: 4_096n },
      engine: { labels: { disk: 'ssd' } },
    });
    const plugins = description.engine?.plugins.map(({ name, type }) => `${type}/${name}`) ?? [];
    expect(plugins).toEqual([...plugins].sort());
    expect(plugins).toContain('Network/overlay');
    expect(plugins).toContain('Volume/fast');
  });

  it.each([
    [{ image: '' }, 'dockerexec: image required'],
    [
      { mounts: [{ type: Mount_Type.VOLUME, target: 'relative' }] },
      'invalid mount target, must be an absolute path: relative',
    ],
    [
      { mounts: [{ type: Mount_Type.BIND, source: 'x', target: '/x' }] },
      'invalid bind mount source, must be an absolute path: x',
    ],
    [
      { mounts: [{ type: Mount_Type.VOLUME, source: '/x', target: '/x' }] },
      'invalid volume mount source, must not be an absolute path: /x',
    ],
    [
      { mounts: [{ type: Mount_Type.TMPFS, source: 'x', target: '/x' }] },
      'invalid tmpfs source, source must be empty',
    ],
    [{ env: ['A={{.Nothing}}'] }, "expanding env failed: template: can't evaluate field Nothing"],
    [
      { privileges: { credentialSpec: { source: { case: 'file' as const, value: 'x' } } } },
      'credential specs are supported on Windows only',
    ],
  ])('refuses %j', (spec, message) => {
    expect(() => setUp().controller(makeTask(spec))).toThrow(message);
  });

  it('gives a service devices that its node allows, and nothing else', async () => {
    const asking = (labels: Record<string, string>) =>
      makeTask({}, { serviceAnnotations: { name: 'web', labels } });
    const { controller, engine } = setUp();
    await controller(asking({ 'skep.devices': '/dev/fuse:rw' })).prepare(makeContext());
    expect(engine.find('web.2.t1').request.HostConfig?.Devices).toEqual([
      { PathOnHost: '/dev/fuse', PathInContainer: '/dev/fuse', CgroupPermissions: 'rw' },
    ]);
    expect(() => controller(asking({ 'skep.devices': '/dev/kvm' }))).toThrow(
      'device /dev/kvm is not allowed for services on this node (skepd --allow-service-device)',
    );
    expect(() => controller(asking({ 'skep.privileged': 'true' }))).toThrow(
      'privileged services are not allowed on this node (skepd --allow-privileged-services)',
    );
  });

  it('refuses tasks that are no containers', () => {
    const task = makeTask({}, {}, { runtime: { case: 'generic', value: { kind: 'k' } } });
    expect(() => setUp().controller(task)).toThrow('dockerexec: unsupported runtime');
  });

  it('removes the containers of unknown tasks at start', async () => {
    const { controller, engine, executor } = setUp();
    const tasks = ['t1', 't2', 't3'].map((id) => makeTask({}, { id }));
    for (const task of tasks) await controller(task).prepare(makeContext());
    await engine.start('web.2.t1');
    await engine.start('web.2.t3');
    await executor.restore([tasks[0]!, tasks[1]!]);
    expect([...engine.containers.values()].map(({ name }) => name)).toEqual([
      'web.2.t1',
      'web.2.t2',
    ]);
  });

  it('places secrets and configs as files', async () => {
    const { controller, engine } = setUp();
    const file = {
      case: 'file' as const,
      value: { name: 'key', uid: '33', gid: '0', mode: 0o440 },
    };
    const spec = { secrets: [{ secretId: 'x', secretName: 'key', target: file }] };
    const secret = completeObject(
      'secret',
      create(SecretSchema, {
        id: 'x',
        spec: { data: Buffer.from('{{.Service.Name}}'), templating: { name: 'golang' } },
      }),
    );
    await controller(makeTask(spec), { secrets: { x: secret } }).prepare(makeContext());
    const [injected] = engine.find('web.2.t1').extras?.files ?? [];
    expect(injected).toMatchObject({ path: '/run/secrets/key', uid: 33, gid: 0, mode: 0o440 });
    expect(Buffer.from(injected?.data ?? []).toString()).toBe('web');
    const missing = controller(makeTask(spec, { id: 't2' })).prepare(makeContext());
    await expect(missing).rejects.toThrow('secret x not found');
  });
});
