import { decodeFields, encode, oid, oidText, sequence, Tag, text } from './der.js';
import { OID } from './oid.js';

/** The parts of a name that swarm certificates use. */
export interface CertificateName {
  commonName: string;
  organizationalUnit?: string;
  organization?: string;
}

/** The DER of a name, its parts in Go's order. */
export function encodeName(name: CertificateName): Uint8Array {
  const part = (type: string, value: string | undefined) =>
    value === undefined ? [] : [encode(Tag.SET, sequence(oid(type), text(value)))];
  return sequence(
    ...part(OID.organization, name.organization),
    ...part(OID.organizationalUnit, name.organizationalUnit),
    ...part(OID.commonName, name.commonName),
  );
}

/** The parts of a name: dotted identifier of what it is, and its text. */
export function nameParts(nameDer: Uint8Array): (readonly [oid: string, text: string])[] {
  const pairs = decodeFields(nameDer).flatMap((set) => decodeFields(set.raw, Tag.SET));
  return pairs.flatMap((pair) => {
    const [type, value] = decodeFields(pair.raw);
    return type && value ? [[oidText(type.content), value.content.toString()] as const] : [];
  });
}

/** The parts of a name that swarm certificates use. */
export function decodeName(nameDer: Uint8Array): CertificateName {
  const parts = new Map(nameParts(nameDer));
  const result: CertificateName = { commonName: parts.get(OID.commonName) ?? '' };
  const organization = parts.get(OID.organization);
  const unit = parts.get(OID.organizationalUnit);
  if (organization !== undefined) result.organization = organization;
  if (unit !== undefined) result.organizationalUnit = unit;
  return result;
}
