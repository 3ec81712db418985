import { durationFromMs, templateData } from '@skep/wire';
import {
  Mount_BindOptions_Propagation,
  Mount_Type,
  PortConfig_Protocol,
  PortConfig_PublishMode,
  Privileges_SeccompOpts_SeccompMode,
} from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { describeNode } from '../node/describe.js';
import { makeTask } from '../testing/objects.js';
import { FACTS } from '../testing/setup.js';
import { posixMode } from './file-mode.js';
import { createRequest } from './request.js';
import { expandContainerSpec } from './template-context.js';

type MakeTask = Parameters<typeof makeTask>;

function request(...fields: MakeTask) {
  const task = makeTask(...fields);
  if (task.spec.runtime.case !== 'container') throw new Error('not a container');
  const data = templateData(task, describeNode(FACTS));
  return createRequest(task, expandContainerSpec(task.spec.runtime.value, data));
}

describe('createRequest', () => {
  it('labels the container, over what the service says', () => {
    const labels = { mine: 'x', 'com.docker.swarm.task.id': 'forged' };
    expect(request({ labels }).Labels).toEqual({
      mine: 'x',
      'com.docker.swarm.task': '',
      'com.docker.swarm.task.id': 't1',
      'com.docker.swarm.task.name': 'web.2.t1',
      'com.docker.swarm.node.id': 'n1',
      'com.docker.swarm.service.id': 's1',
      'com.docker.swarm.service.name': 'web',
    });
    expect(request({}, { slot: 0n }).Labels?.['com.docker.swarm.task.name']).toBe('web.n1.t1');
  });

  it('leaves to the image what the service does not say', () => {
    const made = request({});
    expect(made).not.toHaveProperty('Entrypoint');
    expect(made).not.toHaveProperty('Cmd');
    expect(made).not.toHaveProperty('Healthcheck');
    expect(made.HostConfig?.RestartPolicy?.Name).toBe('no');
    expect(made.Image).toBe('nginx:latest');
  });

  it('carries the process', () => {
    const made = request({
      command: ['sh'],
      args: ['-c', 'x'],
      env: ['A=1', 'HOST={{.Node.Hostname}}', '{{.Task.Slot}}=name'],
      dir: '/srv',
      user: 'www',
      groups: ['7'],
      hostname: '{{.Service.Name}}-{{.Task.Slot}}',
      stopSignal: 'SIGQUIT',
      tty: true,
      openStdin: true,
      readOnly: true,
      init: true,
      healthcheck: { test: ['CMD', 'true'], interval: durationFromMs(1_500), retries: 3 },
    });
    expect(made).toMatchObject({
      Entrypoint: ['sh'],
      Cmd: ['-c', 'x'],
      Env: ['A=1', 'HOST=host1', '{{.Task.Slot}}=name'],
      WorkingDir: '/srv',
      User: 'www',
      Hostname: 'web-2',
      StopSignal: 'SIGQUIT',
      Tty: true,
      OpenStdin: true,
      Healthcheck: { Test: ['CMD', 'true'], Interval: 1_500_000_000, Timeout: 0, Retries: 3 },
      HostConfig: { ReadonlyRootfs: true, Init: true, GroupAdd: ['7'] },
    });
  });

  it('carries limits, reservations and what the kernel is told', () => {
    const made = request(
      {
        pidsLimit: 50n,
        ulimits: [{ name: 'nofile', soft: 10n, hard: 20n }],
        sysctls: { 'net.core.somaxconn': '9' },
        capabilityAdd: ['CAP_NET_ADMIN'],
        capabilityDrop: ['ALL'],
        oomScoreAdj: 5n,
        hosts: ['10.1.1.1 db alias', '[::1] six', 'broken'],
        dnsConfig: { nameservers: ['1.1.1.1'], search: ['lan'], options: ['ndots:1'] },
        privileges: {
          noNewPrivileges: true,
          seccomp: { mode: Privileges_SeccompOpts_SeccompMode.UNCONFINED },
        },
      },
      { logDriver: { name: 'local', options: { 'max-size': '1m' } } },
      {
        resources: {
          limits: { nanoCpus: 500_000_000n, memoryBytes: 1_000n },
          reservations: { memoryBytes: 600n },
          swapBytes: 24n,
        },
      },
    );
    expect(made.HostConfig).toMatchObject({
      NanoCpus: 500_000_000,
      Memory: 1_000,
      MemorySwap: 1_024,
      MemoryReservation: 600,
      PidsLimit: 50,
      Ulimits: [{ Name: 'nofile', Soft: 10, Hard: 20 }],
      Sysctls: { 'net.core.somaxconn': '9' },
      CapAdd: ['CAP_NET_ADMIN'],
      CapDrop: ['ALL'],
      OomScoreAdj: 5,
      ExtraHosts: ['db:10.1.1.1', 'alias:10.1.1.1', 'six:::1'],
      Dns: ['1.1.1.1'],
      DnsSearch: ['lan'],
      DnsOptions: ['ndots:1'],
      SecurityOpt: ['seccomp=unconfined', 'no-new-privileges:true'],
      LogConfig: { Type: 'local', Config: { 'max-size': '1m' } },
    });
  });

  it('carries log options without a driver, as stacks have them, for that of the node', () => {
    const options = { 'max-size': '1m' };
    const { HostConfig } = request({ image: 'a' }, { logDriver: { options } });
    expect(HostConfig).toMatchObject({ LogConfig: { Type: '', Config: options } });
    expect(request({ image: 'a' }).HostConfig).not.toHaveProperty('LogConfig');
  });

  it('carries mounts of every kind', () => {
    const propagation = Mount_BindOptions_Propagation.RSLAVE;
    const { HostConfig } = request({
      mounts: [
        { type: Mount_Type.BIND, source: '/a', target: '/b', bindOptions: { propagation } },
        {
          type: Mount_Type.VOLUME,
          source: 'data-{{.Task.Slot}}',
          target: '/data',
          readonly: true,
          volumeOptions: {
            nocopy: true,
            labels: { slot: '{{.Task.Slot}}' },
            driverConfig: { name: 'local', options: { o: 'uid={{.Task.Slot}}' } },
          },
        },
        {
          type: Mount_Type.TMPFS,
          target: '/tmp',
          tmpfsOptions: { sizeBytes: 64n, mode: (1 << 20) | 0o777 },
        },
        { type: Mount_Type.TMPFS, target: '/run', tmpfsOptions: { mode: 0o1770 } },
      ],
    });
    expect(HostConfig?.Mounts).toMatchObject([
      { Type: 'bind', Source: '/a', Target: '/b', BindOptions: { Propagation: 'rslave' } },
      {
        Type: 'volume',
        Source: 'data-2',
        ReadOnly: true,
        VolumeOptions: {
          NoCopy: true,
          Labels: { slot: '2' },
          DriverConfig: { Name: 'local', Options: { o: 'uid=2' } },
        },
      },
      { Type: 'tmpfs', TmpfsOptions: { SizeBytes: 64, Mode: 0o1777 } },
      { Type: 'tmpfs', TmpfsOptions: { Mode: 0o1770 } },
    ]);
  });

  it('binds host-mode ports, 0 being a free one, and runs in a predefined network', () => {
    const publishMode = PortConfig_PublishMode.HOST;
    const made = request(
      {},
      {
        endpoint: {
          ports: [
            { targetPort: 80, publishedPort: 0, publishMode },
            { targetPort: 53, publishedPort: 53, protocol: PortConfig_Protocol.UDP, publishMode },
            { targetPort: 81, publishedPort: 81, publishMode: PortConfig_PublishMode.INGRESS },
          ],
        },
        networks: [
          {
            network: {
              id: 'h',
              spec: {
                annotations: { name: 'host', labels: { 'com.docker.swarm.predefined': 'true' } },
              },
            },
          },
        ],
      },
    );
    expect(made.HostConfig?.NetworkMode).toBe('host');
    expect(made.HostConfig?.PortBindings).toEqual({
      '80/tcp': [{ HostIp: '', HostPort: '' }],
      '53/udp': [{ HostIp: '', HostPort: '53' }],
    });
  });

  it('tells a task which resources are its own', () => {
    const named = (value: string) => ({
      resource: { case: 'namedResourceSpec' as const, value: { kind: 'gpu', value } },
    });
    const assignedGenericResources = [
      named('a'),
      named('b'),
      { resource: { case: 'discreteResourceSpec' as const, value: { kind: 'ssd', value: 2n } } },
    ];
    const { Env } = request({ env: ['A=1'] }, { assignedGenericResources });
    expect(Env).toEqual(['A=1', 'DOCKER_RESOURCE_GPU=a,b', 'DOCKER_RESOURCE_SSD=2']);
  });

  it("reads Go's file modes", () => {
    expect(posixMode((1 << 23) | 0o755)).toBe(0o4755);
    expect(posixMode((1 << 22) | 0o711)).toBe(0o2711);
  });
});
