import { equals, fromBinary, toBinary } from '@bufbuild/protobuf';
import { ServiceSpecSchema } from '@skep/wire/swarmkit';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JsonReader } from './reader.js';
import { serviceSpecFromJson, serviceSpecToJson } from './service.js';

const text = fc.string({ maxLength: 8 });
const word = fc.string({ minLength: 1, maxLength: 8 });
const words = fc.array(word, { minLength: 1, maxLength: 3 });
const map = fc.dictionary(word, text, { minKeys: 1, maxKeys: 3 });
const nanos = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const count = fc.integer({ min: 1, max: 2 ** 31 - 1 });
const mode = fc.integer({ min: 0, max: 0o777 });
const on = fc.constant(true);

/** An object whose every field may be missing. */
const partial = <T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record(fields, { requiredKeys: [] });
const list = <T>(item: fc.Arbitrary<T>) => fc.array(item, { minLength: 1, maxLength: 3 });

const driver = partial({ Name: word, Options: map });
const file = fc.record({ Name: text, UID: text, GID: text, Mode: mode });
const nonEmpty = (value: object) => Object.keys(value).length > 0;

const mount = fc
  .record(
    {
      Type: fc.constantFrom('bind', 'volume', 'tmpfs', 'npipe', 'cluster'),
      Source: word,
      Target: word,
      ReadOnly: on,
      Consistency: fc.constantFrom('consistent', 'cached', 'delegated'),
      BindOptions: fc.record(
        {
          Propagation: fc.constantFrom('rprivate', 'private', 'rshared', 'shared', 'slave'),
          NonRecursive: on,
          CreateMountpoint: on,
          ReadOnlyNonRecursive: on,
          ReadOnlyForceRecursive: on,
        },
        { requiredKeys: ['Propagation'] },
      ),
      VolumeOptions: partial({ NoCopy: on, Labels: map, Subpath: word, DriverConfig: driver }),
      TmpfsOptions: partial({
        SizeBytes: count,
        Mode: fc.integer({ min: 1, max: 0o777 }),
        Options: list(words),
      }),
    },
    { requiredKeys: ['Type'] },
  )
  .filter(nonEmpty);

const privileges = fc.record(
  {
    CredentialSpec: fc.oneof(
      fc.constant(null),
      fc.record({ Config: word, File: fc.constant(''), Registry: fc.constant('') }),
      fc.record({ Config: fc.constant(''), File: fc.constant(''), Registry: word }),
    ),
    SELinuxContext: fc.oneof(
      fc.constant(null),
      fc.record({ Disable: fc.boolean(), User: text, Role: text, Type: text, Level: text }),
    ),
    Seccomp: fc.record(
      {
        Mode: fc.constantFrom('default', 'unconfined', 'custom'),
        Profile: fc.uint8Array({ minLength: 1 }).map((b) => Buffer.from(b).toString('base64')),
      },
      { requiredKeys: ['Mode'] },
    ),
    AppArmor: fc.record({ Mode: fc.constantFrom('default', 'disabled') }),
    NoNewPrivileges: fc.boolean(),
  },
  { requiredKeys: ['CredentialSpec', 'SELinuxContext', 'NoNewPrivileges'] },
);

const container = fc.record(
  {
    Image: word,
    Isolation: fc.constantFrom('default', 'process', 'hyperv'),
    Labels: map,
    Command: words,
    Args: words,
    Hostname: word,
    Env: words,
    Dir: word,
    User: word,
    Groups: words,
    Privileges: privileges,
    Init: fc.boolean(),
    StopSignal: word,
    TTY: on,
    OpenStdin: on,
    ReadOnly: on,
    Mounts: list(mount),
    StopGracePeriod: fc.oneof(fc.constant(0), nanos),
    Healthcheck: partial({
      Test: words,
      Interval: nanos,
      Timeout: nanos,
      StartPeriod: nanos,
      StartInterval: nanos,
      Retries: count,
    }),
    Hosts: words,
    DNSConfig: partial({ Nameservers: words, Search: words, Options: words }),
    Secrets: list(fc.record({ File: file, SecretID: text, SecretName: text })),
    Configs: list(
      fc.oneof(
        fc.record({ File: file, ConfigID: text, ConfigName: text }),
        fc.record({ Runtime: fc.constant({}), ConfigID: text, ConfigName: text }),
      ),
    ),
    Sysctls: map,
    CapabilityAdd: words,
    CapabilityDrop: words,
    Ulimits: list(fc.record({ Name: text, Hard: fc.integer(), Soft: fc.integer() })),
    OomScoreAdj: fc.constantFrom(-1000, 1, 1000),
  },
  { requiredKeys: ['Image', 'Isolation'] },
);

const generic = fc.oneof(
  fc.record({ DiscreteResourceSpec: partial({ Kind: word, Value: count }) }),
  fc.record({ NamedResourceSpec: partial({ Kind: word, Value: word }) }),
);
const amounts = { NanoCPUs: count, MemoryBytes: nanos };
const network = partial({ Target: word, Aliases: words, DriverOpts: map });
const updateConfig = fc.record(
  {
    Parallelism: fc.oneof(fc.constant(0), count),
    Delay: nanos,
    FailureAction: fc.constantFrom('pause', 'continue', 'rollback'),
    Monitor: nanos,
    MaxFailureRatio: fc.constantFrom(0, 0.1, 0.25, 0.3, 1),
    Order: fc.constantFrom('stop-first', 'start-first'),
  },
  { requiredKeys: ['Parallelism', 'FailureAction', 'MaxFailureRatio', 'Order'] },
);

const taskTemplate = fc.record(
  {
    ContainerSpec: container,
    Resources: partial({
      Limits: partial({ ...amounts, Pids: count }),
      Reservations: partial({ ...amounts, GenericResources: list(generic) }),
      SwapBytes: fc.integer({ min: -1, max: 2 ** 40 }),
      MemorySwappiness: fc.integer({ min: -1, max: 100 }),
    }),
    RestartPolicy: fc.record(
      {
        Condition: fc.constantFrom('none', 'on-failure', 'any'),
        Delay: fc.oneof(fc.constant(0), nanos),
        MaxAttempts: fc.nat(),
        Window: nanos,
      },
      { requiredKeys: ['Condition', 'MaxAttempts'] },
    ),
    Placement: partial({
      Constraints: words,
      Preferences: list(fc.record({ Spread: fc.record({ SpreadDescriptor: text }) })),
      MaxReplicas: count,
      Platforms: list(partial({ Architecture: word, OS: word })),
    }),
    Networks: list(network),
    LogDriver: driver,
    ForceUpdate: fc.nat(),
    Runtime: fc.constant('container'),
  },
  { requiredKeys: ['ContainerSpec', 'ForceUpdate', 'Runtime'] },
);

const port = fc.record(
  {
    Name: word,
    Protocol: fc.constantFrom('tcp', 'udp', 'sctp'),
    TargetPort: fc.integer({ min: 1, max: 65535 }),
    PublishedPort: fc.integer({ min: 1, max: 65535 }),
    PublishMode: fc.constantFrom('ingress', 'host'),
  },
  { requiredKeys: ['Protocol', 'PublishMode'] },
);

const spec = fc.record(
  {
    Name: word,
    Labels: fc.dictionary(word, text),
    TaskTemplate: taskTemplate,
    Mode: fc.oneof(
      fc.record({ Replicated: fc.record({ Replicas: fc.nat() }) }),
      fc.constant({ Global: {} }),
      fc.record({
        ReplicatedJob: fc.record({ MaxConcurrent: fc.nat(), TotalCompletions: fc.nat() }),
      }),
      fc.constant({ GlobalJob: {} }),
    ),
    UpdateConfig: updateConfig,
    RollbackConfig: updateConfig,
    Networks: list(network),
    EndpointSpec: fc.record(
      { Mode: fc.constantFrom('vip', 'dnsrr'), Ports: list(port) },
      { requiredKeys: ['Mode'] },
    ),
  },
  { requiredKeys: ['Name', 'Labels', 'TaskTemplate', 'Mode'] },
);

const RUNS = { seed: 20, numRuns: 300 };
const plain = (value: unknown) => JSON.parse(JSON.stringify(value));

describe('service specs', () => {
  it('come back from the swarm exactly as a client reads and sends them', () => {
    fc.assert(
      fc.property(spec, (given) => {
        const json = plain(given);
        const stored = serviceSpecFromJson(JsonReader.of(json, 'ServiceSpec'));
        expect(plain(serviceSpecToJson(stored))).toEqual(json);
      }),
      RUNS,
    );
  });

  it('are the same in the store after an update with what was read', () => {
    fc.assert(
      fc.property(spec, (given) => {
        const first = serviceSpecFromJson(JsonReader.of(plain(given), 'ServiceSpec'));
        const bytes = toBinary(ServiceSpecSchema, first);
        const shown = plain(serviceSpecToJson(fromBinary(ServiceSpecSchema, bytes)));
        const second = serviceSpecFromJson(JsonReader.of(shown, 'ServiceSpec'));
        expect(equals(ServiceSpecSchema, first, second)).toBe(true);
      }),
      RUNS,
    );
  });
});
