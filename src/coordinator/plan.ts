// What one request on a key means on this ring under this bucket's settings: homes, fallbacks, resolved R and W, deadline.
// Computed once, at the start, from the directory; pure but for the deadline's "now", which is passed in.

import type { Level, BucketSettings } from '../core/membership/bucket-settings.ts'
import { type Directory, UNSETTLED } from '../core/membership/directory.ts'
import { quorumInForce, resolveQuorum } from '../core/quorum/level.ts'
import type { KeyName } from '../replica/replica.ts'
import type { KeyOptions, Receipt } from './operations.ts'

export interface Plan {
  readonly name: KeyName
  readonly options: KeyOptions
  readonly settings: BucketSettings
  readonly settingsVersion: number
  readonly self: string
  readonly ringVersion: number
  /** N in force. */
  readonly n: number
  readonly homes: readonly string[]
  readonly fallbacks: readonly string[]
  /** The request's. */
  readonly r: number
  readonly w: number
  /** The bucket's. */
  readonly bucketR: number
  readonly bucketW: number
  readonly sloppy: boolean
  /** Monotonic. */
  readonly deadlineAt: number
  /** How long a read waits for homes to take what it found at others. Monotonic. */
  readonly writeBackUntil: number
}

/** A string says which level cannot be. */
export function planFor(
  directory: Directory,
  options: KeyOptions,
  monotonicNow: number,
): Plan | { readonly badQuorum: string; readonly receipt: Receipt } {
  const { ring, self } = directory
  const { settings, version: settingsVersion } = directory.settingsOf(options.bucket)
  const partition = ring.partitionIdOf(options.bucket, options.key, settings.n)
  const homes = ring.homes(partition)
  const n = homes.length
  const bucketR = quorumInForce(settings.r, n)
  const bucketW = quorumInForce(settings.w, n)
  const level = (asked: Level | undefined, byDefault: number): number | 'bad-quorum' =>
    asked === undefined ? byDefault : resolveQuorum(asked, n)
  const r = level(options.r, bucketR)
  const w = level(options.w, bucketW)
  if (r === 'bad-quorum' || w === 'bad-quorum') {
    const [which, asked] = r === 'bad-quorum' ? ['R', options.r] : ['W', options.w]
    const receipt: Receipt = {
      n,
      required: 0,
      replied: 0,
      hinted: 0,
      durable: 0,
      guarantee: 'eventual',
      node: self,
      ring: ring.version,
    }
    return { badQuorum: `${which}=${asked} was asked for, and ${n} replicas are in force`, receipt }
  }
  const deadlineAt = monotonicNow + options.timeoutMs
  return {
    name: { partition, bucket: options.bucket, key: options.key },
    options,
    settings,
    settingsVersion,
    self,
    ringVersion: ring.version,
    n,
    homes,
    fallbacks: ring.fallbacks(partition),
    r,
    w,
    bucketR,
    bucketW,
    sloppy: options.sloppy ?? settings.sloppy,
    deadlineAt,
    writeBackUntil: deadlineAt,
  }
}

/** The read that a write stands on: a home that takes nothing (its disk is full, say) must leave that its time. */
export function asBase(plan: Plan, monotonicNow: number): Plan {
  return { ...plan, writeBackUntil: monotonicNow + Math.max(0, plan.deadlineAt - monotonicNow) / 2 }
}

/** On the word of R homes: a stand-in knows little of a key. */
export function byHomes(plan: Plan): Plan {
  return plan.sloppy ? { ...plan, sloppy: false } : plan
}

/**
 * The same request under the settings of now; the same plan while they are the same. This node may have heard of a change only when others
 * refused what it asked on the old ones: what was then asked anew must be judged anew.
 */
export function planAgain(plan: Plan, directory: Directory | null): Plan {
  const version = directory?.settingsOf(plan.name.bucket).version ?? UNSETTLED
  if (!directory || version === UNSETTLED || version === plan.settingsVersion) return plan
  const again = planFor(directory, plan.options, plan.deadlineAt - plan.options.timeoutMs)
  return 'badQuorum' in again ? plan : again
}

export function receiptOf(
  plan: Plan,
  required: number,
  facts: Pick<Receipt, 'replied' | 'hinted' | 'durable' | 'guarantee'>,
): Receipt {
  return { n: plan.n, required, ...facts, node: plan.self, ring: plan.ringVersion }
}
