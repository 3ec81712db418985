/**
 * Bugs that others shipped, for the simulator to show that it finds them. Nothing but an option of a
 * constructor leads here.
 *
 * - `change-lost-while-telling`: what changes while a node is being told is not told.
 * - `complete-adds-only`: a node keeps what a complete update does not say any more.
 */
export type NetworksFlaw = 'change-lost-while-telling' | 'complete-adds-only';

export type NetworksFlaws = ReadonlySet<NetworksFlaw>;
