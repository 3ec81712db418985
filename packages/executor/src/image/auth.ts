import type { RegistryAuth } from '@skep/containers';

/** The credentials in a spec's pull options: base64url of JSON. Undefined when there are none to read. */
export function readRegistryAuth(encoded: string | undefined): RegistryAuth | undefined {
  if (!encoded) return undefined;
  try {
    const auth: unknown = JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8'));
    return typeof auth === 'object' && auth !== null ? (auth as RegistryAuth) : undefined;
  } catch {
    // Docker, too, goes on without them: the registry's refusal says more than we could.
    return undefined;
  }
}
