import { describe, expect, it } from 'vitest';
import { type LogSubject, logAttributes, logTag } from './attributes.js';
import { keptLogPolicy, logPolicy } from './options.js';
import { syslogOptions } from './remote/syslog-options.js';

const policy = (Type: string, Config: Record<string, string> = {}) => logPolicy({ Type, Config });

describe('logPolicy', () => {
  it('is bounded by default', () => {
    expect(policy('').files).toEqual({ fileBytesMax: 10e6, files: 3, compress: false });
    expect(policy('local').files).toEqual({ fileBytesMax: 20 * 2 ** 20, files: 5, compress: true });
    expect(policy('none', { whatever: 'x' })).toMatchObject({ keeps: false, remote: undefined });
  });

  it('takes sizes, numbers and compression', () => {
    const options = { 'max-size': '1.5k', 'max-file': '2', compress: 'true' };
    const files = { fileBytesMax: 1500, files: 2, compress: true };
    expect(policy('json-file', options).files).toEqual(files);
    expect(policy('local', { ...options, compress: '0' }).files.compress).toBe(false);
  });

  it('keeps a bounded copy of what goes elsewhere', () => {
    expect(policy('journald')).toMatchObject({
      keeps: true,
      files: { files: 5 },
      remote: { bufferBytesMax: 2 ** 20, holdsBack: true },
    });
    const config = { 'cache-max-file': '2', mode: 'non-blocking', 'max-buffer-size': '4k' };
    expect(policy('syslog', config)).toMatchObject({
      files: { files: 2 },
      remote: { bufferBytesMax: 4096, holdsBack: false },
    });
    expect(policy('syslog', { 'cache-disabled': 'true' }).keeps).toBe(false);
  });

  it.each([
    ['json-file', { x: '1' }, "unknown log opt 'x' for json-file log driver"],
    ['local', { x: '1' }, "unknown log opt 'x' for log driver local"],
    ['journald', { 'max-size': '1m' }, "unknown log opt 'max-size' for journald log driver"],
    ['syslog', { 'max-size': '1m' }, "unknown log opt 'max-size' for syslog log driver"],
    ['fluentd', {}, "logger: no log driver named 'fluentd' is registered"],
    ['__proto__', {}, "logger: no log driver named '__proto__' is registered"],
    ['json-file', { mode: 'x' }, 'logger: logging mode not supported: x'],
    [
      'json-file',
      { 'max-buffer-size': '1m' },
      "logger: max-buffer-size option is only supported with 'mode=non-blocking'",
    ],
    [
      'json-file',
      { 'max-buffer-size': 'x', mode: 'non-blocking' },
      "error parsing option max-buffer-size: invalid size: 'x'",
    ],
    ['syslog', { 'cache-disabled': 'x' }, 'invalid value for option cache-disabled: x'],
    ['syslog', { 'syslog-address': 'http://x' }, "unsupported scheme: 'http'"],
    ['syslog', { 'syslog-facility': '24' }, 'invalid syslog facility'],
    ['syslog', { 'syslog-facility': 'toString' }, 'invalid syslog facility'],
    ['syslog', { 'syslog-format': 'x' }, 'invalid syslog format'],
  ])('refuses %s %o as Docker does', (type, config, text) => {
    expect(() => policy(type, config)).toThrow(text);
    expect(keptLogPolicy({ Type: type, Config: config }).driver).toBe('json-file');
  });

  it.each([
    ['json-file', { 'max-size': 'big' }, "invalid size: 'big'"],
    ['json-file', { 'max-size': '0' }, 'max-size must be a positive number'],
    ['json-file', { 'max-file': '0' }, 'max-file cannot be less than 1'],
    ['json-file', { 'max-file': 'x' }, 'strconv.Atoi: parsing "x": invalid syntax'],
    [
      'json-file',
      { compress: 'true' },
      'compress cannot be true when max-file is less than 2 or max-size is not set',
    ],
    ['json-file', { compress: 'x' }, 'strconv.ParseBool: parsing "x": invalid syntax'],
    ['local', { 'max-file': '1' }, 'compression cannot be enabled when max file count is 1'],
    ['json-file', { 'max-size': '-1' }, "invalid size: '-1'"],
    ['local', { 'max-size': '-1' }, "invalid value for max-size: -1: invalid size: '-1'"],
    [
      'local',
      { 'max-file': 'x' },
      'invalid value for max-file: x: strconv.Atoi: parsing "x": invalid syntax',
    ],
    [
      'local',
      { compress: 'x' },
      'error reading compress log option: strconv.ParseBool: parsing "x": invalid syntax',
    ],
  ])('refuses %s %o when the driver would be made', (type, config, text) => {
    expect(() => policy(type, config)).toThrow(`failed to initialize logging driver: ${text}`);
  });
});

describe('syslogOptions', () => {
  it.each([
    ['tcp://10.0.0.1', { protocol: 'tcp', host: '10.0.0.1', port: 514 }],
    ['tcp+tls://log.example:6514', { protocol: 'tcp+tls', host: 'log.example', port: 6514 }],
    ['udp://[::1]:1514', { protocol: 'udp', host: '::1', port: 1514 }],
    ['unixgram:///dev/log', { protocol: 'unixgram', path: '/dev/log' }],
    ['', { protocol: 'local' }],
  ])('reads the address %s', (text, address) => {
    expect(syslogOptions({ 'syslog-address': text }).address).toEqual(address);
  });

  it('reads facilities by name and number', () => {
    expect(syslogOptions({}).facility).toBe(3);
    expect(syslogOptions({ 'syslog-facility': 'local7' }).facility).toBe(23);
    expect(syslogOptions({ 'syslog-facility': '17' }).facility).toBe(17);
  });
});

describe('attributes', () => {
  const subject = {
    id: '0123456789abcdef',
    name: 'web.1.x',
    imageId: 'sha256:fedcba9876543210',
    created: '2024-01-01T00:00:00Z',
    path: 'sh',
    args: ['-c', 'true'],
    config: { Labels: { tier: 'front', team: 'a' }, Env: ['A=1', 'AB=x=y', 'C'], Image: 'web:1' },
  } as unknown as LogSubject;

  it('are labels and variables by name and pattern', () => {
    const attributes = (options: Record<string, string>) => logAttributes(options, subject);
    expect(attributes({})).toEqual({});
    expect(attributes({ labels: 'tier,none', env: 'A' })).toEqual({ tier: 'front', A: '1' });
    expect(attributes({ 'labels-regex': '^te', 'env-regex': '^A.' })).toEqual({
      team: 'a',
      AB: 'x=y',
    });
    expect(() => attributes({ 'env-regex': '(' })).toThrow('error parsing regexp');
  });

  it('have a tag when one was asked for', () => {
    const tag = '{{.ImageName}}/{{.Name}}/{{.ID}}/{{.ImageID}}';
    expect(logAttributes({ tag }, subject)).toEqual({
      tag: 'web:1/web.1.x/0123456789ab/sha256:fedcb',
    });
    expect(() => logTag('{{.Nothing}}', subject)).toThrow(/^failed to initialize logging driver/);
  });
});
