/** One block of a PEM text. */
export interface PemBlock {
  /** What stands after BEGIN. */
  label: string;
  /** Headers before the body, such as `kek-version`. */
  headers: Record<string, string>;
  der: Uint8Array;
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----\r?\n([\s\S]*?)-----END \1-----/g;
const HEADER = /^([^:\s]+): (.*)$/;
const LINE_CHARACTERS = 64;

/** PEM text of one block, as Go and OpenSSL write it. */
export function encodePem(
  label: string,
  der: Uint8Array,
  headers: Record<string, string> = {},
): string {
  const body = Buffer.from(der).toString('base64');
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  if (lines.length > 0) lines.push('');
  for (let at = 0; at < body.length; at += LINE_CHARACTERS) {
    lines.push(body.slice(at, at + LINE_CHARACTERS));
  }
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/** The blocks of a PEM text, in order; what stands between them is skipped. */
export function decodePem(text: string): PemBlock[] {
  return [...text.matchAll(BLOCK)].map(([, label = '', inner = '']) => {
    const headers: Record<string, string> = {};
    const lines = inner.split(/\r?\n/).filter((line) => {
      const [, name, value = ''] = HEADER.exec(line) ?? [];
      if (name !== undefined) headers[name] = value;
      return name === undefined;
    });
    return { label, headers, der: Buffer.from(lines.join(''), 'base64') };
  });
}

/** The same blocks as they are compared and handed out: no headers, nothing in between. */
export function normalizePem(text: string): string {
  return decodePem(text)
    .map(({ label, der }) => encodePem(label, der))
    .join('');
}
