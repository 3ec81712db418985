import { nodeNames, organizationalUnit } from '../role.js';
import type { NodeCertificateRequest } from '../root-ca.js';
import { decodeFields, oidText, Tag } from '../x509/der.js';
import { nameParts } from '../x509/name.js';
import { OID } from '../x509/oid.js';
import { type ParsedCertificate, parseCertificates } from '../x509/parse.js';
import { createRequest } from '../x509/request.js';
import { Signer } from '../x509/signer.js';
import type { ExternalCertificate } from './contract.js';

/** CFSSL's names for the parts of a subject. */
const SHORT_NAMES: Record<string, string> = {
  [OID.country]: 'C',
  [OID.province]: 'ST',
  [OID.locality]: 'L',
  [OID.organization]: 'O',
  [OID.organizationalUnit]: 'OU',
  [OID.serialNumber]: 'SerialNumber',
};

/** A node's certificate, as an external authority is asked for it. */
export function nodeCertificateFields(request: NodeCertificateRequest): ExternalCertificate {
  const { csrPem, nodeId, role, clusterId } = request;
  return {
    csrPem,
    commonName: nodeId,
    names: { OU: organizationalUnit(role), O: clusterId },
    hosts: nodeNames(nodeId, role),
  };
}

/**
 * The cross-signed certificate of a new root, as the external authority of the old one is asked
 * for it. Throws when certificate and key cannot be read.
 */
export function crossSigningFields(certificatePem: string, keyPem: string): ExternalCertificate {
  const root = parseCertificates(certificatePem)[0]!;
  const parts = nameParts(root.subjectDer);
  return {
    csrPem: createRequest(Signer.fromPem(keyPem), root.subjectDer),
    commonName: root.subject.commonName,
    names: Object.fromEntries(
      parts.flatMap(([id, text]) => (SHORT_NAMES[id] ? [[SHORT_NAMES[id], text]] : [])),
    ),
    hosts: [],
    profile: 'CA',
    extensions: basicConstraints(root),
  };
}

/** That the subject is an authority: CFSSL takes it from here, not from the request. */
function basicConstraints(root: ParsedCertificate): ExternalCertificate['extensions'] {
  return root.extensions.flatMap((extension) => {
    const [type, ...rest] = decodeFields(extension);
    const id = oidText(type?.content ?? new Uint8Array(0));
    const valueDer = rest.at(-1)?.content;
    if (id !== OID.basicConstraints || !valueDer) return [];
    return [{ id, isCritical: rest[0]?.tag === Tag.BOOLEAN, valueDer }];
  });
}
