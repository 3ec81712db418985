import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@skep/wire';
import {
  NetworkSchema,
  NodeRole,
  NodeSchema,
  NodeStatus_State,
  PortConfig_PublishMode,
  ServiceSchema,
  TaskSchema,
  TaskState,
  UpdateStatus_UpdateState,
} from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { networkResourceToJson, networkSpecFromJson } from './network.js';
import { nodeToJson } from './node.js';
import { JsonReader } from './reader.js';
import { serviceToJson } from './service.js';
import { taskToJson } from './task.js';

const plain = (value: unknown) => JSON.parse(JSON.stringify(value));
const META = { version: { index: 4n }, createdAt: timestampFromMs(1_500) };
const TIMES = {
  Version: { Index: 4 },
  CreatedAt: '1970-01-01T00:00:01.5Z',
  UpdatedAt: '0001-01-01T00:00:00Z',
};

describe('objects in Docker’s JSON', () => {
  it('tasks: status, ports, attachments', () => {
    const task = create(TaskSchema, {
      id: 't',
      meta: META,
      serviceId: 's',
      slot: 2n,
      desiredState: TaskState.SHUTDOWN,
      spec: { runtime: { case: 'container', value: { image: 'a' } } },
      status: {
        state: TaskState.FAILED,
        err: 'task: non-zero exit (1)',
        runtimeStatus: {
          case: 'container',
          value: { containerId: 'c', pid: 7, exitCode: 1 },
        },
        portStatus: {
          ports: [{ targetPort: 80, publishedPort: 81, publishMode: PortConfig_PublishMode.HOST }],
        },
      },
      networks: [
        {
          network: { id: 'n', spec: { annotations: { name: 'ingress' }, ingress: true } },
          addresses: ['10.0.0.5/24'],
        },
      ],
    });
    expect(plain(taskToJson(task))).toMatchObject({
      ID: 't',
      ...TIMES,
      Labels: {},
      ServiceID: 's',
      Slot: 2,
      DesiredState: 'shutdown',
      Volumes: null,
      Spec: { ContainerSpec: { Image: 'a', Isolation: 'default' }, ForceUpdate: 0 },
      Status: {
        State: 'failed',
        Err: 'task: non-zero exit (1)',
        ContainerStatus: { ContainerID: 'c', PID: 7, ExitCode: 1 },
        PortStatus: {
          Ports: [{ Protocol: 'tcp', TargetPort: 80, PublishedPort: 81, PublishMode: 'host' }],
        },
      },
      NetworksAttachments: [
        {
          Network: { ID: 'n', Spec: { Name: 'ingress', Ingress: true, Scope: 'swarm' } },
          Addresses: ['10.0.0.5/24'],
        },
      ],
    });
  });

  it('services: endpoint, update status and job status', () => {
    const service = create(ServiceSchema, {
      id: 's',
      meta: META,
      spec: { annotations: { name: 'web' }, mode: { case: 'global', value: {} } },
      endpoint: {
        spec: {},
        ports: [{ targetPort: 80, publishedPort: 30_000 }],
        virtualIps: [{ networkId: 'n', addr: '10.0.0.4/24' }],
      },
      updateStatus: {
        state: UpdateStatus_UpdateState.ROLLBACK_PAUSED,
        startedAt: timestampFromMs(2_000),
        message: 'm',
      },
    });
    expect(plain(serviceToJson(service))).toMatchObject({
      Spec: { Name: 'web', Labels: {}, Mode: { Global: {} } },
      Endpoint: {
        Spec: { Mode: 'vip' },
        Ports: [{ Protocol: 'tcp', TargetPort: 80, PublishedPort: 30_000, PublishMode: 'ingress' }],
        VirtualIPs: [{ NetworkID: 'n', Addr: '10.0.0.4/24' }],
      },
      UpdateStatus: { State: 'rollback_paused', StartedAt: '1970-01-01T00:00:02Z', Message: 'm' },
    });
    const bare = plain(serviceToJson(create(ServiceSchema, { id: 's' })));
    expect(Object.keys(bare)).toEqual(['ID', 'Version', 'CreatedAt', 'UpdatedAt', 'Endpoint']);
  });

  it('nodes: description with certificates, and no manager status for a worker', () => {
    const node = create(NodeSchema, {
      id: 'n',
      meta: META,
      spec: { desiredRole: NodeRole.WORKER },
      status: { state: NodeStatus_State.DOWN, message: 'heartbeat failure', addr: '10.0.0.2' },
      description: {
        hostname: 'alpha',
        platform: { architecture: 'x86_64', os: 'linux' },
        resources: {
          nanoCpus: 2_000_000_000n,
          memoryBytes: 5n,
          generic: [
            { resource: { case: 'namedResourceSpec', value: { kind: 'GPU', value: 'u1' } } },
          ],
        },
        engine: {
          engineVersion: '1',
          // What our agents tell managers is no plugin that anybody could use.
          plugins: [
            { type: 'Agent', name: 'skep' },
            { type: 'DataPath', name: '192.168.9.1' },
            { type: 'Network', name: 'overlay' },
          ],
        },
        tlsInfo: { trustRoot: Buffer.from('pem'), certIssuerSubject: Uint8Array.of(1) },
      },
    });
    expect(plain(nodeToJson(node))).toEqual({
      ID: 'n',
      ...TIMES,
      Spec: { Labels: {}, Role: 'worker', Availability: 'active' },
      Description: {
        Hostname: 'alpha',
        Platform: { Architecture: 'x86_64', OS: 'linux' },
        Resources: {
          NanoCPUs: 2_000_000_000,
          MemoryBytes: 5,
          GenericResources: [{ NamedResourceSpec: { Kind: 'GPU', Value: 'u1' } }],
        },
        Engine: { EngineVersion: '1', Plugins: [{ Type: 'Network', Name: 'overlay' }] },
        TLSInfo: { TrustRoot: 'pem', CertIssuerSubject: 'AQ==' },
      },
      Status: { State: 'down', Message: 'heartbeat failure', Addr: '10.0.0.2' },
    });
  });

  it('networks, both ways', () => {
    const body = {
      Name: 'net',
      Driver: 'overlay',
      Attachable: true,
      IPAM: { Config: [{ Subnet: '10.9.0.0/24', Gateway: '10.9.0.1' }] },
      Options: { encrypted: '' },
    };
    const spec = networkSpecFromJson(JsonReader.of(body, 'NetworkCreateRequest'));
    expect(spec).toMatchObject({
      annotations: { name: 'net' },
      driverConfig: { name: 'overlay', options: { encrypted: '' } },
      attachable: true,
      ipam: { driver: { name: 'default' }, configs: [{ subnet: '10.9.0.0/24' }] },
    });
    const driverState = { name: 'overlay', options: { vxlanid_list: '4097' } };
    const network = create(NetworkSchema, { id: 'n', spec, ipam: spec.ipam, driverState });
    expect(networkResourceToJson(network)).toMatchObject({
      Name: 'net',
      Id: 'n',
      Scope: 'swarm',
      Driver: 'overlay',
      Attachable: true,
      IPAM: { Driver: 'default', Config: [{ Subnet: '10.9.0.0/24', Gateway: '10.9.0.1' }] },
      Options: { vxlanid_list: '4097' },
    });
    const isNew = create(NetworkSchema, { id: 'n', spec });
    expect(networkResourceToJson(isNew)).toMatchObject({
      Driver: 'overlay',
      IPAM: { Config: [{ Subnet: '10.9.0.0/24' }] },
      Options: { encrypted: '' },
    });
  });
});
