import { Code } from '@skep/platform';
import { durationFromMs } from '@skep/wire';
import {
  type ContainerSpecSchema,
  EndpointSpec_ResolutionMode,
  Mount_Type,
  PortConfig_Protocol,
  PortConfig_PublishMode,
  type ServiceSpecSchema,
  type TaskSpecSchema,
} from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { type Fields, failure, webSpec } from '../fixture.sim.js';
import { checkServiceSpec } from './validate-service.js';

type Container = Fields<typeof ContainerSpecSchema>;
type Task = Fields<typeof TaskSpecSchema>;
type Spec = Fields<typeof ServiceSpecSchema>;

const container = (value: Container): Spec => ({
  task: { runtime: { case: 'container', value: { image: 'nginx', ...value } } },
});
const task = (value: Task): Spec => ({
  task: { runtime: { case: 'container', value: { image: 'nginx' } }, ...value },
});
const named = (name: string): Spec => ({ annotations: { name } });
const { INGRESS, HOST } = PortConfig_PublishMode;
const { TCP, UDP } = PortConfig_Protocol;

const REFUSED: [string, Spec][] = [
  ['meta: name must be provided', named('')],
  ['name must be valid as a DNS name component', named('a b')],
  ['name must be valid as a DNS name component', named('-a')],
  ['name must be valid as a DNS name component', named('a-')],
  ['name must be 63 characters or fewer', named('a'.repeat(64))],
  ['TaskSpec: missing runtime', { task: {} }],
  ['ContainerSpec: image reference must be provided', container({ image: '' })],
  ['ContainerSpec: "Nginx:" is not a valid repository/tag', container({ image: 'Nginx:' })],
  [
    'ContainerSpec: duplicate mount point: /a',
    container({ mounts: [{ target: '/a' }, { target: '/a' }] }),
  ],
  [
    'ContainerSpec: Interval in HealthConfig cannot be less than 1ms',
    container({ healthcheck: { interval: durationFromMs(0.5) } }),
  ],
  [
    'ContainerSpec: StartInterval in HealthConfig cannot be less than 1ms',
    container({ healthcheck: { startInterval: durationFromMs(-1) } }),
  ],
  [
    'ContainerSpec: Retries in HealthConfig cannot be negative',
    container({ healthcheck: { retries: -1 } }),
  ],
  [
    'ContainerSpec: unknown kind of health check "FOO": expected CMD',
    container({ healthcheck: { test: ['FOO', 'x'] } }),
  ],
  [
    'ContainerSpec: invalid mount config for type "bind": /a: field VolumeOptions must not be specified',
    container({ mounts: [{ target: '/a', source: '/', volumeOptions: { nocopy: true } }] }),
  ],
  [
    'ContainerSpec: invalid mount config for type "volume": /a: field BindOptions must not be specified',
    container({
      mounts: [{ target: '/a', type: Mount_Type.VOLUME, bindOptions: { nonrecursive: true } }],
    }),
  ],
  [
    'ContainerSpec: invalid mount config for type "bind": /a: field TmpfsOptions must not be specified',
    container({ mounts: [{ target: '/a', source: '/', tmpfsOptions: { sizeBytes: 9n } }] }),
  ],
  ['bad format for add-host: "1.2.3.4"', container({ hosts: ['1.2.3.4'] })],
  ['invalid IP address in add-host: "a"', container({ hosts: ['a 1.2.3.4'] })],
  ['IP address is not correctly formatted: a', container({ dnsConfig: { nameservers: ['a'] } })],
  [
    'invalid cpu value 1e-09: Must be at least 0.001',
    task({ resources: { limits: { nanoCpus: 1n } } }),
  ],
  [
    'invalid cpu value 0.0001: Must be at least 0.001',
    task({ resources: { reservations: { nanoCpus: 100_000n } } }),
  ],
  [
    'invalid memory value 4194303: Must be at least 4MiB',
    task({ resources: { limits: { memoryBytes: 4194303n } } }),
  ],
  [
    'cannot ask for negative resource gpu',
    task({
      resources: {
        reservations: {
          generic: [
            { resource: { case: 'discreteResourceSpec', value: { kind: 'gpu', value: -1n } } },
          ],
        },
      },
    }),
  ],
  [
    'invalid argument for resource gpu',
    task({
      resources: {
        reservations: {
          generic: [
            { resource: { case: 'namedResourceSpec', value: { kind: 'gpu', value: 'a' } } },
          ],
        },
      },
    }),
  ],
  [
    'ContainerSpec: tmpfs size of /a cannot be negative: -1',
    container({
      mounts: [{ target: '/a', type: Mount_Type.TMPFS, tmpfsOptions: { sizeBytes: -1n } }],
    }),
  ],
  [
    'You should always set the Memory limit when using Memoryswap limit, see usage',
    task({ resources: { swapBytes: 0n } }),
  ],
  [
    'invalid swap value -2: Must be -1 (unlimited) or more',
    task({ resources: { swapBytes: -2n } }),
  ],
  [
    'invalid value: 101, valid memory swappiness range is 0-100',
    task({ resources: { memorySwappiness: 101n } }),
  ],
  ['TaskSpec: restart-delay cannot be negative', task({ restart: { delay: durationFromMs(-1) } })],
  [
    'TaskSpec: restart-window cannot be negative',
    task({ restart: { window: durationFromMs(-1) } }),
  ],
  ['malformed secret reference', container({ secrets: [{ secretId: 'x' }] })],
  [
    'malformed secret reference, no target provided',
    container({ secrets: [{ secretId: 'x', secretName: 'y' }] }),
  ],
  [
    'malformed file secret reference, invalid target file name provided',
    container({
      secrets: [{ secretId: 'x', secretName: 'y', target: { case: 'file', value: {} } }],
    }),
  ],
  [
    "secret references 'a' and 'b' have a conflicting target: 'f'",
    container({
      secrets: ['a', 'b'].map((name) => ({
        secretId: name,
        secretName: name,
        target: { case: 'file', value: { name: 'f' } },
      })),
    }),
  ],
  ['malformed config reference', container({ configs: [{ configName: 'x' }] })],
  [
    "CredentialSpec references config 'c', but that config isn't in config references with RuntimeTarget",
    container({ privileges: { credentialSpec: { source: { case: 'config', value: 'c' } } } }),
  ],
  [
    'Number of replicas must be non-negative',
    { mode: { case: 'replicated', value: { replicas: 2n ** 64n - 1n } } },
  ],
  ['Unrecognized service mode', { mode: { case: undefined } }],
  ['TaskSpec: update-delay cannot be negative', { update: { delay: durationFromMs(-1) } }],
  ['TaskSpec: rollback-delay cannot be negative', { rollback: { delay: durationFromMs(-1) } }],
  ['TaskSpec: update-monitor cannot be negative', { update: { monitor: durationFromMs(-1) } }],
  [
    'TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1',
    { update: { maxFailureRatio: 1.5 } },
  ],
  [
    "EndpointSpec: port published with ingress mode can't be used with dnsrr mode",
    {
      endpoint: {
        mode: EndpointSpec_ResolutionMode.DNSRR,
        ports: [{ publishMode: INGRESS, targetPort: 80 }],
      },
    },
  ],
  [
    'EndpointSpec: duplicate published ports provided',
    {
      endpoint: {
        ports: [
          { targetPort: 80, publishedPort: 80, publishMode: INGRESS },
          { targetPort: 80, publishedPort: 80, publishMode: HOST },
        ],
      },
    },
  ],
  [
    'EndpointSpec: invalid target port 0: must be 1 to 65535',
    { endpoint: { ports: [{ publishedPort: 80 }] } },
  ],
  [
    'EndpointSpec: invalid target port 65536: must be 1 to 65535',
    { endpoint: { ports: [{ targetPort: 65_536 }] } },
  ],
  [
    'EndpointSpec: invalid published port 70000: must be 1 to 65535',
    { endpoint: { ports: [{ targetPort: 80, publishedPort: 70_000 }] } },
  ],
  [
    'label skep.affinity: "cookie" is none of client, none',
    { annotations: { name: 'web', labels: { 'skep.affinity': 'cookie' } } },
  ],
  [
    'label skep.privileged: "1" is neither true nor false',
    { annotations: { name: 'web', labels: { 'skep.privileged': '1' } } },
  ],
  [
    'label skep.devices: "fuse" is no device such as /dev/fuse or /dev/ttyUSB0:/dev/modem:rw',
    { annotations: { name: 'web', labels: { 'skep.devices': 'fuse' } } },
  ],
  [
    'label skep.drain: "soon" is no duration such as 30s or 1m30s',
    { annotations: { name: 'web', labels: { 'skep.drain': 'soon' } } },
  ],
  [
    'label skep.drain: "-1s" is no duration such as 30s or 1m30s',
    { annotations: { name: 'web', labels: { 'skep.drain': '-1s' } } },
  ],
  [
    "label skep.drain: 11s is longer than the service's stop grace period (10s)",
    { annotations: { name: 'web', labels: { 'skep.drain': '11s' } } },
  ],
];

describe('checkServiceSpec', () => {
  it.each(REFUSED)('refuses: %s', async (text, changes) => {
    const error = await failure(() => checkServiceSpec(webSpec(changes)));
    expect(error.message).toBe(text);
    expect(error.code).toBe(Code.INVALID_ARGUMENT);
  });

  it('gives malformed constraints no code, as SwarmKit does', async () => {
    const spec = webSpec(task({ placement: { constraints: ['node.role'] } }));
    const error = await failure(() => checkServiceSpec(spec));
    expect(error.message).toBe('constraint expected one operator from ==, !=');
    expect(error.code).toBe(Code.UNKNOWN);
  });

  it('takes jobs, but none with a config for updates or rollbacks', async () => {
    const mode = { case: 'globalJob', value: {} } as const;
    expect(() => checkServiceSpec(webSpec({ mode }))).not.toThrow();
    const update = await failure(() => checkServiceSpec(webSpec({ mode, update: {} })));
    expect(update.message).toBe('Jobs may not have an update config');
    const rollback = await failure(() => checkServiceSpec(webSpec({ mode, rollback: {} })));
    expect(rollback.message).toBe('Jobs may not have a rollback config');
    expect(rollback.code).toBe(Code.INVALID_ARGUMENT);
  });

  it('says plainly that there are no cluster volumes', async () => {
    const mounts = [{ type: Mount_Type.CLUSTER, source: 'a', target: '/a' }];
    const error = await failure(() => checkServiceSpec(webSpec(container({ mounts }))));
    expect(error.code).toBe(Code.UNIMPLEMENTED);
    expect(error.message).toBe('cluster volumes are not supported by this engine');
  });

  it('says plainly that networks have no options for one service', async () => {
    const networks = [{ target: 'net1', driverAttachmentOpts: { speed: 'fast' } }];
    for (const spec of [webSpec(task({ networks })), webSpec({ networks })]) {
      const error = await failure(() => checkServiceSpec(spec));
      expect(error.code).toBe(Code.UNIMPLEMENTED);
      expect(error.message).toBe('driver-opt of --network is not supported by this engine');
    }
  });

  it.each([
    'nginx',
    'library/nginx:1.25',
    'localhost:5000/a/b_c__d:v1',
    'registry.example.com/x@sha256:'.padEnd(94, 'a'),
    'UPPER.example/x',
    '[::1]:5000/x',
  ])('takes the image %s', (image) => {
    expect(() => checkServiceSpec(webSpec(container({ image })))).not.toThrow();
  });

  it.each(['a'.repeat(64), 'a//b', ':tag', 'a:b:c', 'x@sha256:short', `${'a/'.repeat(200)}b`])(
    'refuses the image %s',
    async (image) => {
      const error = await failure(() => checkServiceSpec(webSpec(container({ image }))));
      expect(error.message).toContain('is not a valid repository/tag');
    },
  );

  it.each([
    ["hostname failed: template: can't evaluate field X", { hostname: '{{.Node.X}}' }],
    ['env failed: template: unclosed action', { env: ['A={{.Task'] }],
    [
      'mounts failed: template: function "nothing" not defined',
      { mounts: [{ source: '{{nothing}}', target: '/a' }] },
    ],
  ])('refuses templates that cannot be worked out: expanding %s', async (text, changes) => {
    const error = await failure(() => checkServiceSpec(webSpec(container(changes))));
    expect(error.code).toBe(Code.INVALID_ARGUMENT);
    expect(error.message).toBe(`expanding ${text}`);
  });

  it('takes what clients write of names, health and mounts', () => {
    const mounts = [{ target: '/a', type: Mount_Type.TMPFS, volumeOptions: {} }];
    const hosts = ['1.2.3.4 a b', 'host-gateway c', '[::1] d'];
    const given = { hosts, mounts, dnsConfig: { nameservers: ['::1'] }, healthcheck: {} };
    expect(() => checkServiceSpec(webSpec(container(given)))).not.toThrow();
  });

  it('takes templates of nodes, tasks and services', () => {
    const hostname = '{{.Node.Hostname}}-{{.Task.Slot}}';
    const env = ['NAME={{.Service.Name}}', 'BARE', 'L={{index .Service.Labels "x"}}'];
    expect(() => checkServiceSpec(webSpec(container({ hostname, env })))).not.toThrow();
  });

  it('takes what a service asks of the network by labels', () => {
    const labels = { 'skep.affinity': 'client', 'skep.drain': '1m' };
    const annotations = { name: 'web', labels };
    const grace = container({ stopGracePeriod: durationFromMs(60_000) });
    expect(() => checkServiceSpec(webSpec({ annotations, ...grace }))).not.toThrow();
  });

  it('lets unpublished and differently spoken ports share a number', () => {
    const ports = [
      { publishedPort: 53, targetPort: 53, protocol: TCP },
      { publishedPort: 53, targetPort: 53, protocol: UDP },
      { publishedPort: 0, targetPort: 1 },
      { publishedPort: 0, targetPort: 2 },
    ];
    expect(() => checkServiceSpec(webSpec({ endpoint: { ports } }))).not.toThrow();
  });
});
