import { create } from '@bufbuild/protobuf';
import type { Dependencies } from '@skep/agent';
import type { TemplateValue } from '@skep/platform';
import { completeObject } from '@skep/wire';
import { ConfigSchema, ContainerSpecSchema, SecretSchema } from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { injectedFiles } from './files.js';

const CONTEXT: TemplateValue = { Service: { Name: 'web' }, Task: { Slot: '3' } };
const golang = { name: 'golang' };

const SECRETS: Record<string, object> = {
  pw: { data: Buffer.from('s3cret') },
  chained: { data: Buffer.from('{{secret "pw"}}'), templating: golang },
  bytes: { data: Buffer.from([0xff, 0xfe]) },
};

/** All secrets there are, and one config `c` with this text; each under its name as target. */
function filesOf(text: string | Uint8Array, driver = 'golang') {
  const config = { data: Buffer.from(text as string), templating: { name: driver } };
  const dependencies: Dependencies = {
    secret: (id) => completeObject('secret', create(SecretSchema, { id, spec: SECRETS[id] ?? {} })),
    config: (id) => completeObject('config', create(ConfigSchema, { id, spec: config })),
  };
  const file = (name: string) => ({ case: 'file' as const, value: { name, uid: '7', gid: '8' } });
  const spec = create(ContainerSpecSchema, {
    env: ['MODE=prod=1', 'EMPTY='],
    secrets: Object.keys(SECRETS).map((id) => ({
      secretId: id,
      secretName: `the-${id}`,
      target: file(id),
    })),
    configs: [
      { configId: 'c', configName: 'the-c', target: file('/etc/c.conf') },
      { configId: 'c', configName: 'the-c', target: { case: 'runtime', value: {} } },
    ],
  });
  return injectedFiles(spec, dependencies, CONTEXT);
}

/** What the config comes to. */
const contents = (text: string) =>
  Buffer.from(filesOf(text).find(({ path }) => path === '/etc/c.conf')?.data ?? []).toString();

describe('the files of secrets and configs', () => {
  it('stand where the references say, for whom they say', () => {
    const files = filesOf('x').map(({ path, uid, gid }) => [path, uid, gid]);
    expect(files).toEqual([
      ['/run/secrets/pw', 7, 8],
      ['/run/secrets/chained', 7, 8],
      ['/run/secrets/bytes', 7, 8],
      ['/etc/c.conf', 7, 8],
    ]);
  });

  it.each([
    ['{{.Service.Name}}-{{.Task.Slot}}', 'web-3'],
    ['{{env "MODE"}}|{{env "EMPTY"}}|{{env "NONE"}}', 'prod=1||'],
    ['password={{secret "pw"}}', 'password=s3cret'],
    // A template does not reach into another one.
    ['{{secret "chained"}}', '{{secret "pw"}}'],
    ['{{if eq (env "MODE") "prod=1"}}on{{else}}off{{end}}', 'on'],
    ['\ufeffkeeps its mark ä', '\ufeffkeeps its mark ä'],
  ])('have %s worked out', (text, expected) => {
    expect(contents(text)).toBe(expected);
  });

  it('may be templates that are secrets themselves', () => {
    const chained = filesOf('x').find(({ path }) => path.endsWith('chained'));
    expect(Buffer.from(chained?.data ?? []).toString()).toBe('s3cret');
  });

  it.each([
    ['{{nothing}}', 'expanding config the-c failed: template: function "nothing" not defined'],
    ['{{secret "none"}}', 'expanding config the-c failed: secret target none not found'],
    ['{{config "none"}}', 'expanding config the-c failed: config target none not found'],
    ['{{secret "bytes"}}', 'expanding config the-c failed: template: its data is not UTF-8'],
    [Buffer.from([0x7b, 0xff]), 'expanding config the-c failed: template: its data is not UTF-8'],
    ['{{if}}', 'expanding config the-c failed: template: missing value for command'],
  ])('are refused by name for %s', (text, message) => {
    expect(() => filesOf(text)).toThrow(message);
  });

  it('are plain without a driver, and refused for another one', () => {
    const plain = filesOf('{{nothing}}', '').at(-1);
    expect(Buffer.from(plain?.data ?? []).toString()).toBe('{{nothing}}');
    expect(() => filesOf('x', 'jinja')).toThrow(
      'expanding config the-c failed: unrecognized template type "jinja"',
    );
  });
});
