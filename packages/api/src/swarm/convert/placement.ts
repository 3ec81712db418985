import { create } from '@bufbuild/protobuf';
import {
  type NetworkAttachmentConfig,
  NetworkAttachmentConfigSchema,
  type Placement,
  PlacementPreferenceSchema,
  PlacementSchema,
  type Platform,
  PlatformSchema,
  SpreadOverSchema,
} from '@skep/wire/swarmkit';
import { type Json, omitEmpty, toNumber } from './json.js';
import type { JsonReader } from './reader.js';

export function platformToJson(platform: Platform | undefined): Json {
  return omitEmpty({ Architecture: platform?.architecture, OS: platform?.os });
}

export function placementToJson(placement: Placement | undefined): Json | undefined {
  return (
    placement &&
    omitEmpty({
      Constraints: placement.constraints,
      Preferences: placement.preferences.flatMap(({ preference }) =>
        preference.case === 'spread'
          ? [{ Spread: { SpreadDescriptor: preference.value.spreadDescriptor } }]
          : [],
      ),
      MaxReplicas: toNumber(placement.maxReplicas),
      Platforms: placement.platforms.map(platformToJson),
    })
  );
}

export function placementFromJson(json: JsonReader | undefined): Placement | undefined {
  if (!json) return undefined;
  return create(PlacementSchema, {
    constraints: json.strings('Constraints'),
    preferences: json.objects('Preferences').flatMap((preference) => {
      const spread = preference.object('Spread');
      if (!spread) return [];
      const spreadDescriptor = spread.string('SpreadDescriptor');
      const value = create(SpreadOverSchema, { spreadDescriptor });
      return [create(PlacementPreferenceSchema, { preference: { case: 'spread', value } })];
    }),
    maxReplicas: json.uint64('MaxReplicas'),
    platforms: json.objects('Platforms').map((platform) =>
      create(PlatformSchema, {
        architecture: platform.string('Architecture'),
        os: platform.string('OS'),
      }),
    ),
  });
}

export function attachmentConfigToJson(config: NetworkAttachmentConfig): Json {
  return omitEmpty({
    Target: config.target,
    Aliases: config.aliases,
    DriverOpts: config.driverAttachmentOpts,
  });
}

export function attachmentConfigFromJson(json: JsonReader): NetworkAttachmentConfig {
  return create(NetworkAttachmentConfigSchema, {
    target: json.string('Target'),
    aliases: json.strings('Aliases'),
    driverAttachmentOpts: json.map('DriverOpts'),
  });
}
