import type { Dependencies } from '@skep/agent';
import type { InjectedFile } from '@skep/containers';
import type { TemplateValue } from '@skep/platform';
import type {
  ConfigReference,
  ContainerSpec,
  Driver,
  FileTarget,
  SecretReference,
} from '@skep/wire/swarmkit';
import { posixMode } from './file-mode.js';
import { expandPayload, naming, utf8Text } from './template-context.js';

const SECRETS_DIRECTORY = '/run/secrets';
const TEMPLATE_DRIVER = 'golang';

function numericId(value: string, kind: string, file: string): number {
  if (!/^\d+$/.test(value)) throw new Error(`invalid ${kind} "${value}" of the file ${file}`);
  return Number(value);
}

function injectedFile(target: FileTarget, directory: string, data: Uint8Array): InjectedFile {
  return {
    path: target.name.startsWith('/') ? target.name : `${directory}/${target.name}`,
    data,
    uid: numericId(target.uid, 'user id', target.name),
    gid: numericId(target.gid, 'group id', target.name),
    mode: posixMode(target.mode),
  };
}

/** Reads the secrets and configs of one task, working out those that are templates. */
class Payloads {
  readonly #spec: ContainerSpec;
  readonly #dependencies: Dependencies;
  readonly #context: TemplateValue;

  constructor(spec: ContainerSpec, dependencies: Dependencies, context: TemplateValue) {
    this.#spec = spec;
    this.#dependencies = dependencies;
    this.#context = context;
  }

  secret({ secretId, secretName }: SecretReference): Uint8Array {
    const { spec } = this.#dependencies.secret(secretId);
    return naming(`secret ${secretName}`, () => this.#expand(spec.data, spec.templating));
  }

  config({ configId, configName }: ConfigReference): Uint8Array {
    const { spec } = this.#dependencies.config(configId);
    return naming(`config ${configName}`, () => this.#expand(spec.data, spec.templating));
  }

  #expand(data: Uint8Array, templating: Driver | undefined): Uint8Array {
    if (!templating || templating.name === '') return data;
    if (templating.name !== TEMPLATE_DRIVER) {
      throw new Error(`unrecognized template type "${templating.name}"`);
    }
    return expandPayload(data, this.#context, {
      // References by target name, taken as they are: a template does not reach into another template.
      secret: (name) => utf8Text(this.#plainSecret(String(name))),
      config: (name) => utf8Text(this.#plainConfig(String(name))),
      env: (name) => this.#variable(String(name)),
    });
  }

  #plainSecret(targetName: string): Uint8Array {
    const found = this.#spec.secrets.find(({ target }) => target.value?.name === targetName);
    if (!found) throw new Error(`secret target ${targetName} not found`);
    return this.#dependencies.secret(found.secretId).spec.data;
  }

  #plainConfig(targetName: string): Uint8Array {
    const found = this.#spec.configs.find(
      ({ target }) => target.case === 'file' && target.value.name === targetName,
    );
    if (!found) throw new Error(`config target ${targetName} not found`);
    return this.#dependencies.config(found.configId).spec.data;
  }

  #variable(name: string): string {
    const found = this.#spec.env.find((entry) => entry.startsWith(`${name}=`));
    return found?.slice(name.length + 1) ?? '';
  }
}

/** The files of a task's secrets and configs. Throws when one is not there. */
export function injectedFiles(
  spec: ContainerSpec,
  dependencies: Dependencies,
  context: TemplateValue,
): InjectedFile[] {
  const payloads = new Payloads(spec, dependencies, context);
  const files: InjectedFile[] = [];
  for (const reference of spec.secrets) {
    const { target } = reference;
    if (target.case === 'file') {
      files.push(injectedFile(target.value, SECRETS_DIRECTORY, payloads.secret(reference)));
    }
  }
  for (const reference of spec.configs) {
    const { target } = reference;
    if (target.case === 'file') {
      files.push(injectedFile(target.value, '', payloads.config(reference)));
    }
  }
  return files;
}
