import { Code, RpcError } from '@skep/platform';

export type SyslogFormat = 'unix' | 'rfc3164' | 'rfc5424' | 'rfc5424micro';

export type SyslogAddress =
  /** This machine's own syslog. */
  | { protocol: 'local' }
  | { protocol: 'unix' | 'unixgram'; path: string }
  | { protocol: 'udp' | 'tcp' | 'tcp+tls'; host: string; port: number };

export interface SyslogOptions {
  address: SyslogAddress;
  /** 0 to 23. */
  facility: number;
  format: SyslogFormat;
  tls: {
    caPath: string | undefined;
    certificatePath: string | undefined;
    keyPath: string | undefined;
    skipVerify: boolean;
  };
}

const PORT_DEFAULT = 514;
const FACILITY_MAX = 23;
const FACILITY_DEFAULT = 'daemon';
/** By number; those left out have no name in Docker. */
const FACILITIES: Readonly<Record<string, number>> = {
  kern: 0,
  user: 1,
  mail: 2,
  daemon: 3,
  auth: 4,
  syslog: 5,
  lpr: 6,
  news: 7,
  uucp: 8,
  cron: 9,
  authpriv: 10,
  ftp: 11,
  ...Object.fromEntries(Array.from({ length: 8 }, (_, n) => [`local${n}`, 16 + n])),
};
const FORMATS = ['rfc3164', 'rfc5424', 'rfc5424micro'] as const;

/** Reads the options of the syslog driver; throws in Docker's words. */
export function syslogOptions(options: Readonly<Record<string, string>>): SyslogOptions {
  return {
    address: parseAddress(options['syslog-address'] ?? ''),
    facility: parseFacility(options['syslog-facility'] || FACILITY_DEFAULT),
    format: parseFormat(options['syslog-format'] ?? ''),
    tls: {
      caPath: options['syslog-tls-ca-cert'],
      certificatePath: options['syslog-tls-cert'],
      keyPath: options['syslog-tls-key'],
      skipVerify: options['syslog-tls-skip-verify'] !== undefined,
    },
  };
}

function parseAddress(text: string): SyslogAddress {
  if (text === '') return { protocol: 'local' };
  const [, scheme = '', rest = ''] = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(.*)$/i.exec(text) ?? [];
  const protocol = scheme.toLowerCase();
  if (protocol === 'unix' || protocol === 'unixgram') return { protocol, path: rest };
  if (protocol !== 'udp' && protocol !== 'tcp' && protocol !== 'tcp+tls') {
    throw invalid(`unsupported scheme: '${protocol}'`);
  }
  const match = /^(\[[^\]]*\]|[^:/]*)(?::(\d*))?\/?$/.exec(rest);
  const port = match?.[2] ? Number(match[2]) : PORT_DEFAULT;
  if (!match || port < 1 || port > 65_535) throw invalid(`invalid syslog address: ${text}`);
  const host = (match[1] ?? '').replace(/^\[|\]$/g, '');
  return { protocol, host: host === '' ? 'localhost' : host, port };
}

function parseFacility(text: string): number {
  const named = Object.hasOwn(FACILITIES, text) ? FACILITIES[text] : undefined;
  const number = named ?? (/^\+?\d+$/.test(text) ? Number(text) : Number.NaN);
  if (!(number <= FACILITY_MAX)) throw invalid('invalid syslog facility');
  return number;
}

function parseFormat(text: string): SyslogFormat {
  if (text === '') return 'unix';
  const format = FORMATS.find((one) => one === text);
  if (!format) throw invalid('invalid syslog format');
  return format;
}

function invalid(message: string): RpcError {
  return new RpcError(Code.INVALID_ARGUMENT, message);
}
