import type { ReadView } from '@skep/store';
import type { ConfigReference, ContainerSpec, SecretReference } from '@skep/wire/swarmkit';
import { nameOf, type PayloadKind } from '../../versions/versions.js';
import { invalidArgument } from '../errors.js';
import { plural } from '../format.js';

/** Form of secret references: id and name, a target, and no two for one file. */
export function checkSecretReferences(references: readonly SecretReference[]): void {
  const targets = new FileTargets('secret');
  for (const { secretId, secretName, target } of references) {
    if (!secretId || !secretName) throw invalidArgument('malformed secret reference');
    if (!target.case) throw invalidArgument('malformed secret reference, no target provided');
    targets.add(target.value.name, secretName);
  }
}

/** Form of config references; a credential spec's config must be among those with a runtime target. */
export function checkConfigReferences(container: ContainerSpec): void {
  const targets = new FileTargets('config');
  for (const { configId, configName, target } of container.configs) {
    if (!configId || !configName) throw invalidArgument('malformed config reference');
    if (!target.case) throw invalidArgument('malformed config reference, no target provided');
    if (target.case === 'file') targets.add(target.value.name, configName);
  }
  const source = container.privileges?.credentialSpec?.source;
  if (source?.case !== 'config' || !source.value) return;
  if (!container.configs.some((reference) => isRuntimeOf(reference, source.value))) {
    throw invalidArgument(
      `CredentialSpec references config '${source.value}', but that config isn't in config ` +
        'references with RuntimeTarget',
    );
  }
}

function isRuntimeOf(reference: ConfigReference, configId: string): boolean {
  return reference.target.case === 'runtime' && reference.configId === configId;
}

/** Files that references of one kind are written to. */
class FileTargets {
  readonly #kind: string;
  readonly #nameByFile = new Map<string, string>();

  constructor(kind: string) {
    this.#kind = kind;
  }

  add(file: string, name: string): void {
    if (file === '') {
      throw invalidArgument(
        `malformed file ${this.#kind} reference, invalid target file name provided`,
      );
    }
    const other = this.#nameByFile.get(file);
    if (other !== undefined) {
      throw invalidArgument(
        `${this.#kind} references '${other}' and '${name}' have a conflicting target: '${file}'`,
      );
    }
    this.#nameByFile.set(file, name);
  }
}

/** Every referenced secret and config is there, under the name the reference says. */
export function checkReferencesExist(view: ReadView, container: ContainerSpec | undefined): void {
  if (!container) return;
  const isMissing = (kind: PayloadKind, id: string, name: string) => {
    const object = view.get(kind, id);
    return !object || nameOf(object) !== name;
  };
  const secrets = container.secrets
    .filter(({ secretId, secretName }) => isMissing('secret', secretId, secretName))
    .map(({ secretName }) => secretName);
  if (secrets.length > 0) throw missing('secret', secrets);
  const configs = container.configs
    .filter(({ configId, configName }) => isMissing('config', configId, configName))
    .map(({ configName }) => configName);
  if (configs.length > 0) throw missing('config', configs);
}

function missing(kind: string, names: readonly string[]) {
  return invalidArgument(`${plural(kind, names)} not found: ${names.join(', ')}`);
}
