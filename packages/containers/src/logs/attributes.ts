import { Code, errorMessage, expandTemplate, RpcError, type TemplateValue } from '@skep/platform';
import type { ContainerRecord } from '../records/record.js';

/** Characters of an id that Docker shows, the image's `sha256:` among them. */
const SHORT_ID_LENGTH = 12;

/** The tag of a driver that always has one. */
export const DEFAULT_TAG = '{{.ID}}';

/** What entries of a log are known by. */
export type LogSubject = Pick<
  ContainerRecord,
  'id' | 'name' | 'imageId' | 'path' | 'args' | 'config' | 'created'
>;

type Options = Readonly<Record<string, string>>;

/**
 * The attributes that every entry of a container carries: labels and environment variables that were
 * asked for by name or pattern, and the tag where one was asked for. Throws when the tag's template or
 * a pattern is none.
 */
export function logAttributes(options: Options, subject: LogSubject): Record<string, string> {
  const { Labels, Env } = subject.config;
  const variables = Object.fromEntries(
    Env.filter((entry) => entry.includes('=')).map((entry) => [
      entry.slice(0, entry.indexOf('=')),
      entry.slice(entry.indexOf('=') + 1),
    ]),
  );
  const tag = options['tag'];
  return {
    ...selected(Labels, options['labels'], options['labels-regex']),
    ...selected(variables, options['env'], options['env-regex']),
    ...(tag ? { tag: logTag(tag, subject) } : {}),
  };
}

function selected(
  all: Readonly<Record<string, string>>,
  names: string | undefined,
  pattern: string | undefined,
): Record<string, string> {
  const wanted = new Set((names ?? '').split(','));
  const matches = pattern ? compilePattern(pattern) : undefined;
  return Object.fromEntries(
    Object.entries(all).filter(([name]) => wanted.has(name) || matches?.test(name)),
  );
}

function compilePattern(pattern: string): RegExp {
  try {
    return new RegExp(pattern);
  } catch (error) {
    throw invalid(`error parsing regexp: ${errorMessage(error)}`);
  }
}

/** Works out a tag: Go's template over what is known of the container. */
export function logTag(template: string, subject: LogSubject): string {
  try {
    return expandTemplate(template, { data: templateData(subject) });
  } catch (error) {
    throw invalid(`template: log-tag: ${errorMessage(error).replace(/^template: /, '')}`);
  }
}

function templateData(subject: LogSubject): TemplateValue {
  const { id, name, imageId, config } = subject;
  return {
    ID: id.slice(0, SHORT_ID_LENGTH),
    FullID: id,
    Name: name,
    ImageID: imageId.slice(0, SHORT_ID_LENGTH),
    ImageFullID: imageId,
    ImageName: config.Image,
    DaemonName: 'docker',
    Command: [subject.path, ...subject.args].join(' '),
    ContainerID: id,
    ContainerName: `/${name}`,
    ContainerEntrypoint: subject.path,
    ContainerImageID: imageId,
    ContainerImageName: config.Image,
    ContainerCreated: subject.created,
    ContainerLabels: new Map(Object.entries(config.Labels)),
  };
}

function invalid(message: string): RpcError {
  return new RpcError(Code.INVALID_ARGUMENT, `failed to initialize logging driver: ${message}`);
}
