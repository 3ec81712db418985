import { describe, expect, it } from 'vitest';
import { errorOfAnswer } from './errors.js';
import { dialErrorText } from './network-error.js';

const body = (code: string, message: string) => JSON.stringify({ errors: [{ code, message }] });

describe('errorOfAnswer', () => {
  it.each([
    [
      404,
      body('MANIFEST_UNKNOWN', 'manifest unknown'),
      'not-found',
      'manifest unknown: manifest unknown',
    ],
    [403, body('DENIED', ''), 'denied', 'denied: requested access to the resource is denied'],
    [401, '', 'unauthorized', 'unauthorized: authentication required'],
    [
      401,
      '{"details":"incorrect username or password"}',
      'unauthorized',
      'unauthorized: incorrect username or password',
    ],
    [429, body('TOOMANYREQUESTS', 'slow down'), 'rate-limited', 'toomanyrequests: slow down'],
    [404, '<html>', 'not-found', 'manifest unknown: manifest unknown'],
    [503, '<html>', 'unreachable', 'received unexpected HTTP status: 503 Service Unavailable'],
    [418, '', 'invalid', 'received unexpected HTTP status: 418'],
  ])('%i %s is %s', (status, text, kind, message) => {
    expect(errorOfAnswer(status, text, 'MANIFEST_UNKNOWN')).toMatchObject({ kind, message });
  });
});

describe('dialErrorText', () => {
  const system = (fields: object) => Object.assign(new Error('raw'), fields);

  it.each([
    [
      system({ code: 'ECONNREFUSED', syscall: 'connect', address: '127.0.0.1', port: 5000 }),
      'dial tcp 127.0.0.1:5000: connect: connection refused',
    ],
    [system({ code: 'ENOTFOUND', hostname: 'nowhere' }), 'dial tcp: lookup nowhere: no such host'],
    [system({ code: 'UND_ERR_CONNECT_TIMEOUT' }), 'dial tcp: i/o timeout'],
    [
      system({ code: 'ERR_SSL_WRONG_VERSION_NUMBER' }),
      'http: server gave HTTP response to HTTPS client',
    ],
    [
      system({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }),
      'tls: failed to verify certificate: x509: certificate signed by unknown authority',
    ],
    [
      system({
        errors: [system({ code: 'ECONNREFUSED', syscall: 'connect', address: '::1', port: 1 })],
      }),
      'dial tcp ::1:1: connect: connection refused',
    ],
    [new Error('something else'), 'something else'],
  ])('%o', (error, text) => {
    expect(dialErrorText(error)).toBe(text);
  });
});
