import type { LogEncoder } from './log-link.js';
import type { SyslogFormat } from './syslog-options.js';

const SEVERITY = { stderr: 3, stdout: 6 };
const NEWLINE = 10;
const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');
const NS_PER_MS = 1_000_000n;
const NS_PER_US = 1_000n;
const US_PER_S = 1_000_000n;

export interface SyslogFormatOptions {
  format: SyslogFormat;
  facility: number;
  tag: string;
  hostname: string;
  pid: number;
  /** Whether each message says how long it is, as RFC 5425 has it over TLS. */
  framed: boolean;
}

/** Messages as Docker's syslog driver writes them: the tag is the program's name too. */
export function syslogEncoder(options: SyslogFormatOptions): LogEncoder {
  const { facility, framed } = options;
  return ({ bytes, stream, timeNs }) => {
    const end = bytes.at(-1) === NEWLINE ? bytes.length - 1 : bytes.length;
    if (end === 0) return undefined;
    const priority = (facility << 3) | SEVERITY[stream];
    const head = Buffer.from(`<${priority}>${header(options, timeNs)}`);
    const message = Buffer.concat([head, bytes.subarray(0, end), Buffer.from('\n')]);
    return framed ? Buffer.concat([Buffer.from(`${message.length} `), message]) : message;
  };
}

function header({ format, tag, hostname, pid }: SyslogFormatOptions, timeNs: bigint): string {
  switch (format) {
    case 'unix':
      return `${stamp(timeNs)} ${tag}[${pid}]: `;
    case 'rfc3164':
      return `${stamp(timeNs)} ${hostname} ${tag}[${pid}]: `;
    default: {
      const time = isoLocal(timeNs, format === 'rfc5424micro');
      return `1 ${time} ${hostname} ${tag} ${pid} ${tag} - `;
    }
  }
}

function pad(value: number, length = 2): string {
  return String(value).padStart(length, '0');
}

function timeOfDay(date: Date): string {
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((n) => pad(n)).join(':');
}

/** `Jan  2 15:04:05` in local time. */
function stamp(timeNs: bigint): string {
  const date = new Date(Number(timeNs / NS_PER_MS));
  const day = String(date.getDate()).padStart(2, ' ');
  return `${MONTHS[date.getMonth()]} ${day} ${timeOfDay(date)}`;
}

/** RFC 3339 in local time, to the second or to the microsecond. */
function isoLocal(timeNs: bigint, withMicroseconds: boolean): string {
  const date = new Date(Number(timeNs / NS_PER_MS));
  const offset = -date.getTimezoneOffset();
  const hours = Math.floor(Math.abs(offset) / 60);
  const zone =
    offset === 0 ? 'Z' : `${offset < 0 ? '-' : '+'}${pad(hours)}:${pad(Math.abs(offset) % 60)}`;
  const micros = pad(Number((timeNs / NS_PER_US) % US_PER_S), 6);
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  return `${day}T${timeOfDay(date)}${withMicroseconds ? `.${micros}` : ''}${zone}`;
}
