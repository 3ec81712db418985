export * from './error.js';
export * from './expand.js';
export type { TemplateFunction, TemplateValue } from './value.js';
