import { constants } from 'node:os';
import { Code, RpcError } from '@skep/platform';

const SIGNAL_MAX = 64;
/** Real-time signals, counted from SIGRTMIN (34 with glibc) as Docker names them. */
const SIGRTMIN = 34;

/**
 * The number of a signal given by number or by name with or without `SIG`. Throws as Docker does.
 */
export function signalNumber(signal: string): number {
  const text = signal.trim().toUpperCase();
  if (/^\d+$/.test(text)) {
    const number = Number(text);
    if (number > 0 && number <= SIGNAL_MAX) return number;
    throw invalid(signal);
  }
  const name = text.startsWith('SIG') ? text : `SIG${text}`;
  const known = (constants.signals as Record<string, number>)[name];
  if (known !== undefined) return known;
  const realTime = /^SIGRT(MIN|MAX)(?:([+-])(\d+))?$/.exec(name);
  if (realTime) {
    const offset = Number(realTime[3] ?? 0) * (realTime[2] === '-' ? -1 : 1);
    const number = (realTime[1] === 'MIN' ? SIGRTMIN : SIGNAL_MAX) + offset;
    if (number >= SIGRTMIN && number <= SIGNAL_MAX) return number;
  }
  throw invalid(signal);
}

function invalid(signal: string): RpcError {
  return new RpcError(Code.INVALID_ARGUMENT, `invalid signal: ${signal}`);
}
