import { errorMessage } from '@skep/platform';
import { askedAccess, type CompleteServiceSpec } from '@skep/wire';
import { invalidArgument } from '../errors.js';

/** Checks the labels by which a service asks for devices of its nodes, or for all of them. */
export function checkAccessLabels({ annotations }: CompleteServiceSpec): void {
  try {
    askedAccess(annotations.labels);
  } catch (error) {
    throw invalidArgument(errorMessage(error));
  }
}
