import { create } from '@bufbuild/protobuf';
import {
  type Config,
  type ConfigSpec,
  ConfigSpecSchema,
  type Secret,
  type SecretSpec,
  SecretSpecSchema,
} from '@skep/wire/swarmkit';
import { type Json, omitEmpty, toBase64 } from './json.js';
import {
  annotationsFromJson,
  annotationsToJson,
  driverFromJson,
  driverToJson,
  metaToJson,
} from './meta.js';
import type { JsonReader } from './reader.js';

/** Secrets come from control without their data, so none is shown. */
export function secretToJson({ id, meta, spec }: Secret): Json {
  return {
    ID: id,
    ...metaToJson(meta),
    Spec: {
      ...annotationsToJson(spec?.annotations),
      Driver: driverToJson(spec?.driver),
      Templating: driverToJson(spec?.templating),
    },
  };
}

export function secretSpecFromJson(json: JsonReader): SecretSpec {
  return create(SecretSpecSchema, {
    annotations: annotationsFromJson(json),
    data: json.bytes('Data'),
    driver: driverFromJson(json.object('Driver')),
    templating: driverFromJson(json.object('Templating')),
  });
}

export function configToJson({ id, meta, spec }: Config): Json {
  return {
    ID: id,
    ...metaToJson(meta),
    Spec: {
      ...annotationsToJson(spec?.annotations),
      ...omitEmpty({ Data: toBase64(spec?.data ?? new Uint8Array()) }),
      Templating: driverToJson(spec?.templating),
    },
  };
}

export function configSpecFromJson(json: JsonReader): ConfigSpec {
  return create(ConfigSpecSchema, {
    annotations: annotationsFromJson(json),
    data: json.bytes('Data'),
    templating: driverFromJson(json.object('Templating')),
  });
}
