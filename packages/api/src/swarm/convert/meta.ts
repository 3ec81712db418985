import { create } from '@bufbuild/protobuf';
import { timestampIso } from '@skep/wire';
import {
  type Annotations,
  AnnotationsSchema,
  type Driver,
  DriverSchema,
  type Meta,
  type Version,
} from '@skep/wire/swarmkit';
import { type Json, omitEmpty, toNumber } from './json.js';
import type { JsonReader } from './reader.js';

/** Docker leaves out an index of zero; it is kept here, for clients that do not read absence as zero. */
export function versionToJson(version: Version | undefined): Json {
  return { Index: toNumber(version?.index ?? 0n) };
}

/** The fields every object has: version and times. */
export function metaToJson(meta: Meta | undefined): Json {
  return {
    Version: versionToJson(meta?.version),
    CreatedAt: timestampIso(meta?.createdAt),
    UpdatedAt: timestampIso(meta?.updatedAt),
  };
}

/** Name and labels; the labels are there even when there are none. */
export function annotationsToJson(annotations: Annotations | undefined): Json {
  const { name = '', labels = {} } = annotations ?? {};
  return { ...omitEmpty({ Name: name }), Labels: labels };
}

export function annotationsFromJson(json: JsonReader): Annotations {
  return create(AnnotationsSchema, { name: json.string('Name'), labels: json.map('Labels') });
}

export function driverToJson(driver: Driver | undefined): Json | undefined {
  return driver && omitEmpty({ Name: driver.name, Options: driver.options });
}

export function driverFromJson(json: JsonReader | undefined): Driver | undefined {
  if (!json) return undefined;
  return create(DriverSchema, { name: json.string('Name'), options: json.map('Options') });
}
