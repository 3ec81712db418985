/**
 * Bugs that others shipped, for the simulator to show that it finds them. Nothing but an option of a
 * constructor leads here.
 *
 * - `change-lost-while-telling`: what changes while a node is being told of its networks is not told.
 * - `complete-adds-only`: a node keeps what a complete update of its networks does not say any more.
 * - `former-completions-count`: what an earlier run of a job completed counts in the present one.
 * - `former-run-goes-on`: a job's tasks of earlier runs are not stopped.
 * - `update-forgotten`: a new leader does not go on with updates that another began.
 */
export type SwarmFlaw =
  | 'change-lost-while-telling'
  | 'complete-adds-only'
  | 'former-completions-count'
  | 'former-run-goes-on'
  | 'update-forgotten';

export type SwarmFlaws = ReadonlySet<SwarmFlaw>;
