import { describe, expect, it } from 'vitest';
import { JsonReader } from './reader.js';
import { serviceSpecFromJson } from './service.js';

const container = (fields: object) => ({
  TaskTemplate: { ContainerSpec: { Image: 'a', ...fields } },
});
const task = (fields: object) => ({
  TaskTemplate: { ContainerSpec: { Image: 'a' }, ...fields },
});

const REFUSED: [string, object][] = [
  ['must specify only one service mode', { Mode: { Replicated: {}, Global: {} } }],
  ['invalid resolution mode: "dns"', { EndpointSpec: { Mode: 'dns' } }],
  ['unrecognized update failure action stop', { UpdateConfig: { FailureAction: 'stop' } }],
  ['unrecognized update order random', { RollbackConfig: { Order: 'random' } }],
  ['invalid RestartCondition: "always"', task({ RestartPolicy: { Condition: 'always' } })],
  ['invalid MountType: "image"', container({ Mounts: [{ Type: 'image' }] })],
  [
    'invalid MountPropagation: "up"',
    container({ Mounts: [{ BindOptions: { Propagation: 'up' } }] }),
  ],
  ['invalid Consistency: "eventual"', container({ Mounts: [{ Consistency: 'eventual' }] })],
  ['invalid Isolation: "vm"', container({ Isolation: 'vm' })],
  ['invalid Protocol: "icmp"', { EndpointSpec: { Ports: [{ Protocol: 'icmp' }] } }],
  ['invalid PublishMode: "all"', { EndpointSpec: { Ports: [{ PublishMode: 'all' }] } }],
  [
    'invalid JSON: json: cannot unmarshal number 1 into Go struct field ServiceSpec.TaskTemplate.ContainerSpec.Mounts.TmpfsOptions.Options of type string',
    container({ Mounts: [{ TmpfsOptions: { Options: [[1]] } }] }),
  ],
  [
    'invalid Config: either File or Runtime should be set',
    container({ Configs: [{ ConfigID: 'a', ConfigName: 'b' }] }),
  ],
  [
    'invalid Config: cannot specify both File and Runtime',
    container({ Configs: [{ File: {}, Runtime: {} }] }),
  ],
  [
    'invalid CredentialSpec: must either provide "file", "registry", or "config" for credential spec',
    container({ Privileges: { CredentialSpec: {} } }),
  ],
  [
    'invalid CredentialSpec: cannot specify both "config" and "file" credential specs',
    container({ Privileges: { CredentialSpec: { Config: 'a', File: 'b' } } }),
  ],
  [
    'invalid CredentialSpec: cannot specify both "config", "file", and "registry" credential specs',
    container({ Privileges: { CredentialSpec: { Config: 'a', File: 'b', Registry: 'c' } } }),
  ],
  ['mismatched Runtime and *Spec fields', { TaskTemplate: {} }],
  ['unsupported runtime', task({ Runtime: 'vm' })],
  [
    'invalid JSON: json: cannot unmarshal string into Go struct field ServiceSpec.TaskTemplate.ContainerSpec.TTY of type bool',
    container({ TTY: 'yes' }),
  ],
  [
    'invalid JSON: json: cannot unmarshal number -1 into Go struct field ServiceSpec.Mode.Replicated.Replicas of type uint64',
    { Mode: { Replicated: { Replicas: -1 } } },
  ],
  [
    'invalid JSON: json: cannot unmarshal number 1.5 into Go struct field ServiceSpec.TaskTemplate.ContainerSpec.StopGracePeriod of type int64',
    container({ StopGracePeriod: 1.5 }),
  ],
];

describe('service specs that mean nothing', () => {
  it.each(REFUSED)('%s', (message, spec) => {
    const body = { ...container({}), ...spec };
    expect(() => serviceSpecFromJson(JsonReader.of(body, 'ServiceSpec'))).toThrow(
      expect.objectContaining({ message }),
    );
  });

  it('are no objects at all', () => {
    expect(() => JsonReader.of([], 'ServiceSpec')).toThrow('cannot unmarshal array');
  });
});

describe('defaults of what is left out', () => {
  it('are one replica, and no more', () => {
    const spec = serviceSpecFromJson(JsonReader.of(container({}), 'ServiceSpec'));
    expect(spec.mode.value).toMatchObject({ replicas: 1n });
    expect(spec.task.restart).toBeUndefined();
    expect(spec.endpoint).toBeUndefined();
  });

  it('read names in any letter case, and null as absence', () => {
    const body = { name: 'x', TaskTemplate: { ContainerSpec: { image: 'a', Labels: null } } };
    const spec = serviceSpecFromJson(JsonReader.of(body, 'ServiceSpec'));
    expect(spec.annotations.name).toBe('x');
    expect(spec.task.runtime.value).toMatchObject({ image: 'a', labels: {} });
  });
});
