import type { InsecureRegistries } from './insecure.js';

/** One address a registry's content can be asked for at. */
export interface Endpoint {
  /** `https://registry-1.docker.io`, without a trailing slash. */
  url: string;
  /** Any certificate will do. */
  insecure: boolean;
  /** Not the registry itself: what it lacks or refuses, the registry may have. */
  mirror: boolean;
}

const DOCKER_HUB = 'docker.io';
const DOCKER_HUB_HOST = 'registry-1.docker.io';

/**
 * Where to ask for images of a domain, in order: mirrors (of Docker Hub only, as in Docker), then
 * the registry by https, and for an insecure one by https without verification and by http.
 */
export async function endpointsOf(
  domain: string,
  options: { insecure: InsecureRegistries; mirrors: readonly string[] },
): Promise<Endpoint[]> {
  const endpoints: Endpoint[] = [];
  if (domain === DOCKER_HUB) {
    for (const mirror of options.mirrors) {
      const url = mirror.replace(/\/+$/, '');
      const insecure = await options.insecure.includes(new URL(url).host);
      endpoints.push({ url, insecure, mirror: true });
    }
  }
  const host = domain === DOCKER_HUB ? DOCKER_HUB_HOST : domain;
  const insecure = await options.insecure.includes(host);
  endpoints.push({ url: `https://${host}`, insecure, mirror: false });
  if (insecure) endpoints.push({ url: `http://${host}`, insecure, mirror: false });
  return endpoints;
}
