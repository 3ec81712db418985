import { create } from '@bufbuild/protobuf';
import {
  type Mount,
  Mount_BindOptions_Propagation,
  Mount_BindOptionsSchema,
  Mount_Consistency,
  Mount_TmpfsOptionsSchema,
  Mount_Type,
  Mount_VolumeOptionsSchema,
  MountSchema,
} from '@skep/wire/swarmkit';
import { enumText, type Json, knownValue, omitEmpty, toNumber } from './json.js';
import { driverFromJson, driverToJson } from './meta.js';
import type { JsonReader } from './reader.js';

export function mountToJson(mount: Mount): Json {
  const consistency = enumText(Mount_Consistency, mount.consistency);
  return {
    ...omitEmpty({
      Type: enumText(Mount_Type, mount.type),
      Source: mount.source,
      Target: mount.target,
      ReadOnly: mount.readonly,
      Consistency: consistency === 'default' ? '' : consistency,
    }),
    BindOptions: bindToJson(mount),
    VolumeOptions: volumeToJson(mount),
    TmpfsOptions: tmpfsToJson(mount),
  };
}

function bindToJson({ bindOptions }: Mount): Json | undefined {
  return (
    bindOptions &&
    omitEmpty({
      Propagation: enumText(Mount_BindOptions_Propagation, bindOptions.propagation),
      NonRecursive: bindOptions.nonrecursive,
      CreateMountpoint: bindOptions.createmountpoint,
      ReadOnlyNonRecursive: bindOptions.readonlynonrecursive,
      ReadOnlyForceRecursive: bindOptions.readonlyforcerecursive,
    })
  );
}

function volumeToJson({ volumeOptions }: Mount): Json | undefined {
  return (
    volumeOptions && {
      ...omitEmpty({
        NoCopy: volumeOptions.nocopy,
        Labels: volumeOptions.labels,
        Subpath: volumeOptions.subpath,
      }),
      DriverConfig: driverToJson(volumeOptions.driverConfig),
    }
  );
}

/** The tmpfs options travel through the swarm as the text of a JSON list of lists. */
function tmpfsToJson({ tmpfsOptions }: Mount): Json | undefined {
  return (
    tmpfsOptions &&
    omitEmpty({
      SizeBytes: toNumber(tmpfsOptions.sizeBytes),
      Mode: tmpfsOptions.mode,
      Options: parseOptions(tmpfsOptions.options),
    })
  );
}

function parseOptions(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // written by someone who does not use JSON: there is no way to show it
  }
}

export function mountFromJson(json: JsonReader): Mount {
  return create(MountSchema, {
    type: typeFromJson(json.string('Type')),
    source: json.string('Source'),
    target: json.string('Target'),
    readonly: json.boolean('ReadOnly'),
    consistency: consistencyFromJson(json.string('Consistency')),
    bindOptions: bindFromJson(json.object('BindOptions')),
    volumeOptions: volumeFromJson(json.object('VolumeOptions')),
    tmpfsOptions: tmpfsFromJson(json.object('TmpfsOptions')),
  });
}

function typeFromJson(text: string): Mount_Type {
  return knownValue(Mount_Type, text, 'MountType') ?? Mount_Type.BIND;
}

function consistencyFromJson(text: string): Mount_Consistency {
  return knownValue(Mount_Consistency, text, 'Consistency') ?? Mount_Consistency.DEFAULT;
}

function bindFromJson(json: JsonReader | undefined) {
  if (!json) return undefined;
  const text = json.string('Propagation');
  const propagation = knownValue(Mount_BindOptions_Propagation, text, 'MountPropagation');
  const flags = {
    nonrecursive: json.boolean('NonRecursive'),
    createmountpoint: json.boolean('CreateMountpoint'),
    readonlynonrecursive: json.boolean('ReadOnlyNonRecursive'),
    readonlyforcerecursive: json.boolean('ReadOnlyForceRecursive'),
  };
  // Options that say nothing are no options, as in Docker.
  if (propagation === undefined && !Object.values(flags).includes(true)) return undefined;
  return create(Mount_BindOptionsSchema, { propagation, ...flags });
}

function volumeFromJson(json: JsonReader | undefined) {
  if (!json) return undefined;
  return create(Mount_VolumeOptionsSchema, {
    nocopy: json.boolean('NoCopy'),
    labels: json.map('Labels'),
    subpath: json.string('Subpath'),
    driverConfig: driverFromJson(json.object('DriverConfig')),
  });
}

function tmpfsFromJson(json: JsonReader | undefined) {
  if (!json) return undefined;
  const options = json.stringLists('Options');
  return create(Mount_TmpfsOptionsSchema, {
    sizeBytes: json.int64('SizeBytes'),
    mode: json.uint32('Mode'),
    options: options.length > 0 ? JSON.stringify(options) : '',
  });
}
