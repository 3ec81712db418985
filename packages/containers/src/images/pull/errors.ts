import { Code } from '@skep/platform';
import { RegistryError } from '../../registry/errors.js';
import { familiarName, familiarString, type Reference } from '../reference.js';

/** A registry's error in the words `docker pull` has for it; others as they are. */
export function pullError(error: unknown, reference: Reference): unknown {
  if (!(error instanceof RegistryError)) return error;
  const { kind, registryCode, message } = error;
  const retold = (text: string, code: Code) =>
    new RegistryError(kind, text, { registryCode, cause: error, code });
  const name = familiarName(reference);
  if (registryCode === 'DENIED') {
    const advice = `repository does not exist or may require 'docker login': ${message}`;
    return retold(`pull access denied for ${name}, ${advice}`, Code.NOT_FOUND);
  }
  if (registryCode === 'MANIFEST_UNKNOWN') {
    return retold(
      `manifest for ${familiarString(reference)} not found: ${message}`,
      Code.NOT_FOUND,
    );
  }
  if (registryCode === 'NAME_UNKNOWN') {
    return retold(`repository ${name} not found: ${message}`, Code.NOT_FOUND);
  }
  // Docker answers all else with 500; the kind stays for those who decide by it.
  return retold(message, Code.UNKNOWN);
}
