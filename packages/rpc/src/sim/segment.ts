import type { Code } from '@skep/platform';
import type { Metadata } from '../metadata.js';

/** What one end of a simulated connection sends the other. Only values: nothing is shared. */
export type Segment =
  | { kind: 'connect'; port: number; certificatePem: string | undefined }
  | { kind: 'accept'; certificatePem: string }
  | { kind: 'reset'; reason: string }
  | CallSegment;

/** Part of a call, by the number its caller gave it. */
export type CallSegment =
  | { kind: 'call'; call: number; path: string; metadata: Metadata; timeoutMs: number | undefined }
  | { kind: 'message'; call: number; bytes: Uint8Array }
  /** The reader took a message: there is room for another. */
  | { kind: 'credit'; call: number }
  /** No more requests. */
  | { kind: 'end'; call: number }
  | { kind: 'cancel'; call: number }
  | { kind: 'status'; call: number; error: { code: Code; message: string } | undefined };

export type Side = 'client' | 'server';

export function otherSide(side: Side): Side {
  return side === 'client' ? 'server' : 'client';
}
