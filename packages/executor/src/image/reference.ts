const IMAGE_ID = /^(?:sha256:)?[0-9a-f]{64}$/;

/** Whether an image is named by its id, so that no registry can know it. */
export function isImageId(reference: string): boolean {
  return IMAGE_ID.test(reference);
}

/** Whether an image is named by a digest, so that what is here under it is what would be pulled. */
export function hasDigest(reference: string): boolean {
  return reference.includes('@');
}

/** The reference as people write it, without Docker Hub's prefix, and with `:latest` where nothing else is said. */
export function taggedImage(reference: string): string {
  if (isImageId(reference)) return reference;
  const familiar = reference.replace(/^(?:index\.)?docker\.io\/(?:library\/(?=[^/]*$))?/, '');
  const lastPart = familiar.slice(familiar.lastIndexOf('/') + 1);
  return /[:@]/.test(lastPart) ? familiar : `${familiar}:latest`;
}
