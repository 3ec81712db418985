const COMPONENT = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const DOMAIN_COMPONENT = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const IPV6 = '\\[[a-fA-F0-9:]+\\]';
const DOMAIN = `(?:${DOMAIN_COMPONENT}(?:\\.${DOMAIN_COMPONENT})*|${IPV6})(?::[0-9]+)?`;
const TAG = '[\\w][\\w.-]{0,127}';
const DIGEST = '[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}';
const PATTERN = new RegExp(
  `^((?:${DOMAIN}/)?${COMPONENT}(?:/${COMPONENT})*)(?::${TAG})?(?:@${DIGEST})?$`,
);

const NAME_LENGTH_MAX = 255;
/** Longer than any name, tag and digest together. */
const REFERENCE_LENGTH_MAX = 640;
/** What looks like an image id must not be a name. */
const IMAGE_ID = /^[a-f0-9]{64}$/;

/** Whether a string names an image: `[registry/]name[:tag][@digest]` (distribution's reference grammar). */
export function isImageReference(reference: string): boolean {
  if (reference.length > REFERENCE_LENGTH_MAX || IMAGE_ID.test(reference)) return false;
  const name = PATTERN.exec(reference)?.[1];
  return name !== undefined && name.length <= NAME_LENGTH_MAX;
}
