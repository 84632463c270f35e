// G15: an expiry is at most the clock bound early or late, and never turns back between strict reads.

import type { ObservedRead } from '../observed.ts'
import type { World } from '../world.ts'
import { describe } from './inclusion.ts'

/** Between two clocks within the bound, plus rounding. */
export function expirySlackMs(world: World): number {
  return world.clocksTrusted ? 2 * world.plan.clockOffsetMsMax + 60 : Infinity
}

export function checkExpiry(world: World, read: ObservedRead): void {
  const { key, outcome } = read
  const shown = new Set(outcome.type === 'found' ? outcome.versions.map((version) => key.writeOf(version)) : [])
  if (!world.disksTrusted) return
  for (const write of key.writes) {
    if (write.ttlMs === null || write.attempts.size === 0) continue
    // A retried attempt has a deadline of its own.
    if (shown.has(write) && world.clocksTrusted && !write.tagged) {
      const latest =
        Math.min(write.lastEndedAt === 0 || write.fate !== 'acknowledged' ? Infinity : write.lastEndedAt) + write.ttlMs
      if (read.startedAt > latest + expirySlackMs(world)) {
        world.violations.add(
          'G15',
          `${describe(write)} of ${key.name} is shown ${(read.startedAt - latest).toFixed(0)} ms after its time`,
        )
      }
    }
    if (outcome.receipt.guarantee !== 'strict' || key.suspended || key.suspendedAt >= read.startedAt) continue
    const expiredAt = key.expiredAt.get(write)
    const isBack = expiredAt !== undefined && expiredAt < read.startedAt && shown.has(write)
    // A time beyond the bound is taken over by nobody whose own clock is right: it goes with the processes that knew it.
    if (isBack && (world.clocksTrusted || !hasAnyEndedSince(world, expiredAt))) {
      world.violations.add(
        'G15',
        `${describe(write)} of ${key.name} is live again after a strict read at ${expiredAt.toFixed(0)} called it expired`,
      )
    }
    // Included, not shown, and nobody has superseded it: it was called expired.
    if (!shown.has(write) && write.isIn(read.strictAtStart) && !key.writes.some((other) => other.covers(write))) {
      if (key.conflict === 'siblings' && !key.expiredAt.has(write)) key.expiredAt.set(write, read.endedAt)
    }
  }
}

function hasAnyEndedSince({ cluster }: World, time: number): boolean {
  return cluster.hosts.some(({ departed }) => departed.some(({ at }) => at >= time))
}
