import { completeServiceSpec } from '@skep/wire';
import { describe, expect, it } from 'vitest';
import { JsonReader } from '../convert/reader.js';
import { serviceSpecFromJson } from '../convert/service.js';
import { placementWarnings } from './placement-warnings.js';

const spread = (descriptor: string) => ({ Spread: { SpreadDescriptor: descriptor } });
const warnings = (Mode: object, ...descriptors: string[]) => {
  const Placement = { Preferences: descriptors.map(spread) };
  const spec = { Mode, TaskTemplate: { ContainerSpec: { Image: 'a' }, Placement } };
  return placementWarnings(completeServiceSpec(serviceSpecFromJson(JsonReader.of(spec, 'Spec'))));
};

describe('placement preferences', () => {
  it('without effect are named', () => {
    expect(warnings({ Replicated: {} }, 'node.labels.zone', 'Engine.Labels.rack', 'zone')).toEqual([
      'placement preference spread=zone is ignored: it does not start with node.labels. or engine.labels.',
    ]);
    expect(warnings({ Global: {} }, 'node.labels.zone')).toEqual([
      'placement preference spread=node.labels.zone is ignored: a global service runs on every node',
    ]);
  });
});
