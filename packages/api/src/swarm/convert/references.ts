import { create } from '@bufbuild/protobuf';
import {
  type ConfigReference,
  ConfigReferenceSchema,
  type FileTarget,
  FileTargetSchema,
  RuntimeTargetSchema,
  type SecretReference,
  SecretReferenceSchema,
} from '@skep/wire/swarmkit';
import { invalid } from '../errors.js';
import type { Json } from './json.js';
import type { JsonReader } from './reader.js';

function fileToJson({ name, uid, gid, mode }: FileTarget): Json {
  return { Name: name, UID: uid, GID: gid, Mode: mode };
}

function fileFromJson(json: JsonReader): FileTarget {
  return create(FileTargetSchema, {
    name: json.string('Name'),
    uid: json.string('UID'),
    gid: json.string('GID'),
    mode: json.uint32('Mode'),
  });
}

/** Undefined for a reference without a file: Docker's JSON cannot show it. */
export function secretReferenceToJson(reference: SecretReference): Json | undefined {
  if (reference.target.case !== 'file') return undefined;
  return {
    File: fileToJson(reference.target.value),
    SecretID: reference.secretId,
    SecretName: reference.secretName,
  };
}

export function secretReferenceFromJson(json: JsonReader): SecretReference {
  const file = json.object('File');
  return create(SecretReferenceSchema, {
    secretId: json.string('SecretID'),
    secretName: json.string('SecretName'),
    target: file ? { case: 'file', value: fileFromJson(file) } : { case: undefined },
  });
}

/** Undefined for a reference without a target: Docker's JSON cannot show it. */
export function configReferenceToJson(reference: ConfigReference): Json | undefined {
  const { target } = reference;
  if (!target.case) return undefined;
  const names = { ConfigID: reference.configId, ConfigName: reference.configName };
  return target.case === 'runtime'
    ? { Runtime: {}, ...names }
    : { File: fileToJson(target.value), ...names };
}

export function configReferenceFromJson(json: JsonReader): ConfigReference {
  const file = json.object('File');
  const runtime = json.object('Runtime');
  if (!file && !runtime) throw invalid('invalid Config: either File or Runtime should be set');
  if (file && runtime) throw invalid('invalid Config: cannot specify both File and Runtime');
  return create(ConfigReferenceSchema, {
    configId: json.string('ConfigID'),
    configName: json.string('ConfigName'),
    target: file
      ? { case: 'file', value: fileFromJson(file) }
      : { case: 'runtime', value: create(RuntimeTargetSchema) },
  });
}
