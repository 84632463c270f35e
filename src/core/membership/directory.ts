// What a node knows of its cluster, as the rooms that serve keys ask it. No more than the words: cluster/ keeps it, node/ hands it around.
// Invariant: answers change only between turns of the event loop, never while a caller computes with them.

import type { Ring } from '../ring/ring.ts'
import type { BucketSettings } from './bucket-settings.ts'

/** The version of a bucket's settings while they are being settled: nothing is asked or answered on such a basis. */
export const UNSETTLED = -1

export interface Directory {
  /** This node's member name. */
  readonly self: string
  readonly clusterId: string
  readonly ring: Ring
  /** Digest of all (member, storage) pairs; equal on two nodes iff they agree on which storage stands behind each name. */
  readonly membersDigest: string
  storageOf(member: string): string | undefined
  /** The settings in force for a bucket, with a version that is equal on two nodes iff the settings are, or `UNSETTLED`. */
  settingsOf(bucket: string): { readonly settings: BucketSettings; readonly version: number }
}
