import { create } from '@bufbuild/protobuf';
import {
  type Privileges,
  Privileges_AppArmorOpts_AppArmorMode,
  Privileges_AppArmorOptsSchema,
  type Privileges_CredentialSpec,
  Privileges_CredentialSpecSchema,
  Privileges_SELinuxContextSchema,
  Privileges_SeccompOpts_SeccompMode,
  Privileges_SeccompOptsSchema,
  PrivilegesSchema,
} from '@skep/wire/swarmkit';
import { invalid } from '../errors.js';
import { enumText, enumValue, type Json, omitEmpty, toBase64 } from './json.js';
import type { JsonReader } from './reader.js';

export function privilegesToJson(privileges: Privileges | undefined): Json | undefined {
  if (!privileges) return undefined;
  const { credentialSpec, selinuxContext: context, seccomp, apparmor } = privileges;
  return {
    CredentialSpec: credentialSpec ? credentialToJson(credentialSpec) : null,
    SELinuxContext: context
      ? {
          Disable: context.disable,
          User: context.user,
          Role: context.role,
          Type: context.type,
          Level: context.level,
        }
      : null,
    Seccomp:
      seccomp &&
      omitEmpty({
        Mode: enumText(Privileges_SeccompOpts_SeccompMode, seccomp.mode),
        Profile: toBase64(seccomp.profile),
      }),
    AppArmor: apparmor && { Mode: enumText(Privileges_AppArmorOpts_AppArmorMode, apparmor.mode) },
    NoNewPrivileges: privileges.noNewPrivileges,
  };
}

function credentialToJson({ source }: Privileges_CredentialSpec): Json {
  return {
    Config: source.case === 'config' ? source.value : '',
    File: source.case === 'file' ? source.value : '',
    Registry: source.case === 'registry' ? source.value : '',
  };
}

export function privilegesFromJson(json: JsonReader | undefined): Privileges | undefined {
  if (!json) return undefined;
  const context = json.object('SELinuxContext');
  return create(PrivilegesSchema, {
    credentialSpec: credentialFromJson(json.object('CredentialSpec')),
    selinuxContext:
      context &&
      create(Privileges_SELinuxContextSchema, {
        disable: context.boolean('Disable'),
        user: context.string('User'),
        role: context.string('Role'),
        type: context.string('Type'),
        level: context.string('Level'),
      }),
    seccomp: seccompFromJson(json.object('Seccomp')),
    apparmor: appArmorFromJson(json.object('AppArmor')),
    noNewPrivileges: json.boolean('NoNewPrivileges'),
  });
}

function credentialFromJson(json: JsonReader | undefined) {
  if (!json) return undefined;
  const given = (['config', 'file', 'registry'] as const)
    .map((name) => ({ case: name, value: json.string(name) }))
    .filter(({ value }) => value !== '');
  const [source, ...others] = given;
  if (!source) {
    throw invalid(
      'invalid CredentialSpec: must either provide "file", "registry", or "config" for ' +
        'credential spec',
    );
  }
  if (others.length > 0) {
    const names = given.map((one) => `"${one.case}"`);
    const last = names.pop();
    const first = names.length > 1 ? `${names.join(', ')},` : names[0];
    throw invalid(
      `invalid CredentialSpec: cannot specify both ${first} and ${last} credential specs`,
    );
  }
  return create(Privileges_CredentialSpecSchema, {
    source: source as Privileges_CredentialSpec['source'],
  });
}

function seccompFromJson(json: JsonReader | undefined) {
  if (!json) return undefined;
  const text = json.string('Mode');
  const { DEFAULT } = Privileges_SeccompOpts_SeccompMode;
  const mode = text === '' ? DEFAULT : enumValue(Privileges_SeccompOpts_SeccompMode, text);
  if (mode === undefined) throw invalid(`invalid Privileges.Seccomp.Mode: ${JSON.stringify(text)}`);
  return create(Privileges_SeccompOptsSchema, { mode, profile: json.bytes('Profile') });
}

function appArmorFromJson(json: JsonReader | undefined) {
  if (!json) return undefined;
  const text = json.string('Mode');
  const { DEFAULT } = Privileges_AppArmorOpts_AppArmorMode;
  const mode = text === '' ? DEFAULT : enumValue(Privileges_AppArmorOpts_AppArmorMode, text);
  if (mode === undefined) {
    throw invalid(`invalid Privileges.AppArmor.Mode: ${JSON.stringify(text)}`);
  }
  return create(Privileges_AppArmorOptsSchema, { mode });
}
